/**
 * Reads the colours of a terminal out of a text; everything else a terminal would obey
 * is taken out and does nothing.
 */

import { h } from './dom.js';
import { visible } from './text.js';

/**
 * @typedef {{from: number, to: number, classes: string, color: string, background: string}} Run
 * @typedef {{plain: string, runs: Run[]}} Parsed `runs` cover `plain` from its start to its end
 */

// Every alternative stops at the next escape, so that no text takes more than linear time.
const ESCAPE =
  /(?:\x1b\[|\x9b)([0-9;:]*)m|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[PX^_][^\x1b]*\x1b\\|\x1b[ -/]?[0-~]/g;
const NAMES = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'];
// 8, which hides text, is left out: nothing in a log is to be hidden from its reader.
const FLAGS = { 1: 'bold', 2: 'faint', 3: 'italic', 4: 'underline', 7: 'inverse', 9: 'strike' };
const ENDS = { 22: ['bold', 'faint'], 23: ['italic'], 24: ['underline'], 27: ['inverse'], 29: ['strike'] };

/**
 * Return a text without its escapes, and which part of it looks how.
 *
 * @param {string} text
 * @returns {Parsed}
 */
export function parse(text) {
  if (!text.includes('\x1b') && !text.includes('\x9b')) return { plain: text, runs: [run(0, text.length, state())] };
  const runs = [];
  let plain = '';
  let now = state();
  let at = 0;
  const take = (end) => {
    if (end <= at) return;
    runs.push(run(plain.length, plain.length + end - at, now));
    plain += text.slice(at, end);
  };
  for (const found of text.matchAll(ESCAPE)) {
    take(found.index);
    at = found.index + found[0].length;
    if (found[1] !== undefined) now = changed(now, found[1]);
  }
  take(text.length);
  return { plain, runs };
}

/** Return a text without its escapes. */
export function strip(text) {
  return text.includes('\x1b') || text.includes('\x9b') ? text.replace(ESCAPE, '') : text;
}

/**
 * Return a parsed text as nodes.
 *
 * @param {Parsed} parsed
 * @param {[number, number][]} [marks] parts of `plain` to mark, in order
 */
export function nodes({ plain, runs }, marks = []) {
  const out = [];
  for (const one of runs) {
    const pieces = [];
    let at = one.from;
    for (const [from, to] of marks) {
      if (to <= at || from >= one.to) continue;
      const start = Math.max(from, at);
      const end = Math.min(to, one.to);
      pieces.push(visible(plain.slice(at, start)), h('mark', null, visible(plain.slice(start, end))));
      at = end;
    }
    pieces.push(visible(plain.slice(at, one.to)));
    out.push(one.classes ? styled(one, pieces) : pieces);
  }
  return out;
}

/** The style sheet keeps such colours apart from the background: a log can't hide text by its colour either. */
function styled(one, pieces) {
  return h('span', { class: one.classes || null, style: { '--fg': one.color, '--on': one.background } }, pieces);
}

function state() {
  return { flags: [], fg: '', bg: '' };
}

function run(from, to, { flags, fg, bg }) {
  const classes = flags.map((flag) => `a-${flag}`);
  if (fg) classes.push(isOwn(fg) ? 'a-own' : `a-${fg}`);
  if (bg) classes.push(isOwn(bg) ? 'a-on-own' : `a-on-${bg}`);
  return { from, to, classes: classes.join(' '), color: isOwn(fg) ? fg : '', background: isOwn(bg) ? bg : '' };
}

/** Tell whether a colour is none of the sixteen. */
function isOwn(color) {
  return color.startsWith('rgb');
}

/** Return what `now` becomes by the numbers of one escape. */
function changed(now, codes) {
  const next = { ...now, flags: [...now.flags] };
  const numbers = (codes || '0').split(/[;:]/).map(Number);
  for (let i = 0; i < numbers.length; i += 1) {
    const n = numbers[i];
    if (n === 0) Object.assign(next, state());
    else if (FLAGS[n]) next.flags = [...new Set([...next.flags, FLAGS[n]])];
    else if (ENDS[n]) next.flags = next.flags.filter((flag) => !ENDS[n].includes(flag));
    else if (n === 39) next.fg = '';
    else if (n === 49) next.bg = '';
    else if (n === 38 || n === 48) i += extended(next, n === 38 ? 'fg' : 'bg', numbers.slice(i + 1));
    else Object.assign(next, named(n));
  }
  return next;
}

/** Return what the numbers behind 38 or 48 say into `next`, and how many there are. */
function extended(next, side, [kind, ...rest]) {
  if (kind === 2)
    next[side] = `rgb(${rest
      .slice(0, 3)
      .map((one) => Math.min(one || 0, 255))
      .join(' ')})`;
  if (kind === 5) next[side] = fromPalette(rest[0] || 0);
  return kind === 2 ? 4 : 2;
}

/** Return the colour that one of the sixteen numbers names. */
function named(n) {
  const side = [3, 9].includes(Math.floor(n / 10)) ? 'fg' : 'bg';
  const isOne = n % 10 < 8 && [3, 4, 9, 10].includes(Math.floor(n / 10));
  return isOne ? { [side]: (n >= 90 ? 'bright-' : '') + NAMES[n % 10] } : {};
}

function fromPalette(n) {
  if (n < 16) return (n > 7 ? 'bright-' : '') + NAMES[n % 8];
  if (n > 231)
    return `rgb(${Array(3)
      .fill(8 + (Math.min(n, 255) - 232) * 10)
      .join(' ')})`;
  const level = (value) => (value ? 55 + value * 40 : 0);
  const cube = n - 16;
  return `rgb(${level(Math.floor(cube / 36))} ${level(Math.floor(cube / 6) % 6)} ${level(cube % 6)})`;
}
