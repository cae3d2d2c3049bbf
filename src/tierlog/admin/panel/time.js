/**
 * Shows times in the reader's zone, with UTC where the pointer rests, and durations.
 */

import { h } from './dom.js';

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
const SHORT = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const DAY = new Intl.DateTimeFormat(undefined, { month: 'short', day: 'numeric' });
const AGO = new Intl.RelativeTimeFormat('en', { numeric: 'auto', style: 'narrow' });
const STEPS = [
  [60, 'second'],
  [60, 'minute'],
  [24, 'hour'],
  [7, 'day'],
  [4.35, 'week'],
  [12, 'month'],
  [Infinity, 'year'],
];

/** Return milliseconds of what a database or a log says; null if it is no time. A text without a zone is UTC. */
export function ms(value) {
  if (value === null || value === undefined || value === '') return null;
  if (typeof value === 'number') return value;
  const zoned = /(?:Z|[+-]\d\d:?\d\d)$/i.test(value) || /^\d{4}-\d\d-\d\d$/.test(value) ? value : `${value}Z`;
  const parsed = Date.parse(zoned.replace(' ', 'T'));
  return Number.isNaN(parsed) ? null : parsed;
}

/** `2026-11-24 10:03:07.123 UTC` */
export function utc(at) {
  return `${new Date(at).toISOString().replace('T', ' ').replace('Z', '')} UTC`;
}

/** `14:03:07.123`, with the day in front if it isn't today's */
export function clock(at, { millis = true, day = !isToday(at) } = {}) {
  const date = new Date(at);
  const time = CLOCK.format(date) + (millis ? `.${String(date.getMilliseconds()).padStart(3, '0')}` : '');
  return day ? `${DAY.format(date)} ${time}` : time;
}

/** `Nov 24, 14:03` */
export function dayAndTime(at) {
  return `${DAY.format(new Date(at))}, ${SHORT.format(new Date(at))}`;
}

export function dayOf(at) {
  return DAY.format(new Date(at));
}

export function hourOf(at) {
  return SHORT.format(new Date(at));
}

/** `3 min. ago` */
export function ago(at, now = Date.now()) {
  let amount = (at - now) / 1000;
  for (const [size, unit] of STEPS) {
    if (Math.abs(amount) < size) return AGO.format(Math.round(amount), unit);
    amount /= size;
  }
  return '';
}

/** A `<time>` that says the instant in full where the pointer rests. */
export function timeElement(at, text = clock(at)) {
  return at === null
    ? h('span', { class: 'none' }, '–')
    : h('time', { datetime: new Date(at).toISOString(), title: utc(at) }, text);
}

/** `850 ms`, `12.4 s`, `3 m 07 s`, `2 h 05 m` */
export function duration(millis) {
  if (millis === null || millis === undefined) return '–';
  if (millis < 1000) return `${Math.round(millis)} ms`;
  const seconds = millis / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} m ${two(Math.floor(seconds % 60))} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${two(minutes % 60)} m` : `${Math.floor(hours / 24)} d ${two(hours % 24)} h`;
}

/** Return the milliseconds of `24h`, `15m` or `7d`; null if it isn't one. */
export function span(text) {
  const found = /^(\d+(?:\.\d+)?)(ms|s|m|h|d|w)$/.exec(text ?? '');
  const unit = { ms: 1, s: 1e3, m: 6e4, h: 36e5, d: 864e5, w: 6048e5 };
  return found ? Number(found[1]) * unit[found[2]] : null;
}

/** Return the instant that a `since` or `until` names. */
export function instant(text, now = Date.now()) {
  const back = span(text);
  return back === null ? ms(text) : now - back;
}

/** What `<input type="datetime-local">` shows for an instant, and back. */
export function toInput(at) {
  if (at === null) return '';
  const date = new Date(at);
  return new Date(at - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

export function fromInput(text) {
  return text ? new Date(text).toISOString().replace('.000', '') : '';
}

function isToday(at) {
  return new Date(at).toDateString() === new Date().toDateString();
}

function two(number) {
  return String(number).padStart(2, '0');
}
