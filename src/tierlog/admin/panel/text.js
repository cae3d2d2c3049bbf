/**
 * Makes the characters visible that change how others look, or that can't be seen.
 *
 * Controls become their names (ESC), marks of direction and other invisible ones their
 * numbers (U+202E): a log line can neither hide nor reorder anything. The joiners that
 * emoji and some scripts need stay.
 */

import { h } from './dom.js';

const HIDDEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb]/gu;

const CONTROLS =
  'NUL SOH STX ETX EOT ENQ ACK BEL BS TAB LF VT FF CR SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US'.split(
    ' ',
  );
const NAMES = {
  0x200e: 'LEFT-TO-RIGHT MARK',
  0x200f: 'RIGHT-TO-LEFT MARK',
  0x202a: 'LEFT-TO-RIGHT EMBEDDING',
  0x202b: 'RIGHT-TO-LEFT EMBEDDING',
  0x202c: 'POP DIRECTIONAL FORMATTING',
  0x202d: 'LEFT-TO-RIGHT OVERRIDE',
  0x202e: 'RIGHT-TO-LEFT OVERRIDE',
  0x2066: 'LEFT-TO-RIGHT ISOLATE',
  0x2067: 'RIGHT-TO-LEFT ISOLATE',
  0x2068: 'FIRST STRONG ISOLATE',
  0x2069: 'POP DIRECTIONAL ISOLATE',
};

/** Return `text` as nodes, hidden characters made visible. */
export function visible(text) {
  const nodes = [];
  let from = 0;
  for (const found of text.matchAll(HIDDEN)) {
    if (found.index > from) nodes.push(text.slice(from, found.index));
    const code = found[0].codePointAt(0);
    const number = `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
    const title = [number, NAMES[code]].filter(Boolean).join(' ');
    nodes.push(h('span', { class: 'hidden-char', title }, CONTROLS[code] ?? (code === 0x7f ? 'DEL' : number)));
    from = found.index + found[0].length;
  }
  if (from < text.length) nodes.push(text.slice(from));
  return nodes;
}

/** Return a text of the log in a box of its own direction. */
export function isolated(text, props = {}) {
  return h('bdi', props, visible(String(text)));
}

/** Return the middle of an id cut out, for where room is short. */
export function short(id, keep = 5) {
  const text = String(id);
  return text.length <= keep * 2 + 3 ? text : `${text.slice(0, keep)}…${text.slice(-keep)}`;
}

/** `12,345` */
export function number(value) {
  return Number(value).toLocaleString('en');
}

/** `1 event`, `12,345 events` */
export function counted(value, noun) {
  return `${number(value)} ${noun}${value === 1 ? '' : 's'}`;
}

/** `1.2 MiB` */
export function bytes(value) {
  let amount = Number(value) || 0;
  for (const unit of ['B', 'KiB', 'MiB', 'GiB', 'TiB']) {
    if (amount < 1024 || unit === 'TiB') return `${unit === 'B' ? amount : amount.toFixed(1)} ${unit}`;
    amount /= 1024;
  }
  return '';
}
