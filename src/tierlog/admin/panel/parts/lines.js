/**
 * Keeps the lines of a log, and knows which are errors and which hold what is looked for.
 */

import { strip } from '../ansi.js';

const LOOKS_BAD = /(?<![\w.])(?:error|err!|fatal|traceback|panic|failed)(?![\w(-])|(?:Error|Exception)\b(?!\()/i;
const LOOKS_FINE = /\b(?:0|no|without|any|if) (?:errors?|failed)\b|\bwarn/i;

const LOOKS_ODD = /\bwarn(?:ing)?s?\b/i;

export class Lines {
  constructor() {
    this.events = [];
    this.known = new Set();
    /** Lines that are errors, or read like one: a command's own lines have no level. */
    this.bad = [];
    /** That a command failed, which is said behind its lines. */
    this.ends = [];
    this.matches = [];
    this.pattern = null;
  }

  get length() {
    return this.events.length;
  }

  /** Add events, each once. Return how many were new. */
  add(events) {
    const before = this.length;
    for (const event of events) {
      const key = `${event.instanceId}:${event.seq}`;
      if (this.known.has(key)) continue;
      this.known.add(key);
      this.note(event, this.length);
      this.events.push(event);
    }
    return this.length - before;
  }

  note(event, index) {
    const isLine = streamOf(event) !== 'meta';
    if (isLine && (event.lvl === 'error' || readsBad(event))) this.bad.push(index);
    else if (event.lvl === 'error') this.ends.push(index);
    if (this.pattern && this.test(event)) this.matches.push(index);
  }

  /** The lines to jump to. */
  get trouble() {
    return this.bad.length ? this.bad : this.ends;
  }

  /** Look for `text` from now on; an empty one for nothing. */
  find(text, isCase) {
    this.pattern = text ? new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'), isCase ? 'u' : 'iu') : null;
    this.matches = [];
    if (this.pattern) this.events.forEach((event, index) => this.test(event) && this.matches.push(index));
  }

  test(event) {
    return this.pattern.test(strip(textOf(event)));
  }

  /** Return where in a plain text the pattern is. */
  marks(plain) {
    if (!this.pattern) return [];
    const all = plain.matchAll(new RegExp(this.pattern, `${this.pattern.flags}g`));
    return Array.from(all, (one) => [one.index, one.index + one[0].length]);
  }
}

/** Return what a line shows: one line, and of a progress bar what it came to. */
export function textOf({ msg = '', data }) {
  const text = data?.overwritten ? msg.slice(msg.lastIndexOf('\n') + 1) : msg;
  return text.replaceAll('\n', '⏎');
}

/** Tell whether a line reads like an error. */
function readsBad({ msg }) {
  return LOOKS_BAD.test(msg) && !LOOKS_FINE.test(msg);
}

/** Return what a line reads like, as its style: a command's lines have no level. */
export function toneOf(event) {
  if (streamOf(event) === 'meta') return '';
  return readsBad(event) ? 'suspect' : LOOKS_ODD.test(event.msg) ? 'caution' : '';
}

/** Return `stdout`, `stderr` or `meta`. */
export function streamOf(event) {
  const stream = event.data?.stream ?? event.src;
  if (stream === 'stderr') return 'stderr';
  return event.kind === 'meta' || (event.tier === 'deploy' && event.kind !== 'line') ? 'meta' : 'stdout';
}

/** Return the next of sorted `indexes` behind (or before) `from`, going round. */
export function step(indexes, from, isForward = true) {
  if (!indexes.length) return null;
  const found = isForward ? indexes.find((one) => one > from) : indexes.findLast((one) => one < from);
  return found ?? (isForward ? indexes[0] : indexes.at(-1));
}
