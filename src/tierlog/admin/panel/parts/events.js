/**
 * What events look like in a table, and how one is opened beside it.
 */

import { nodes, parse } from '../ansi.js';
import { h } from '../dom.js';
import { short, isolated } from '../text.js';
import { timeElement } from '../time.js';
import { detail, idLink } from './detail.js';
import { Grid } from './grid.js';

const LONGEST = 500;

export const time = { name: 'time', label: 'Time', cell: (event) => timeElement(event.ts) };
export const level = { name: 'level', label: 'Level', cell: (event) => h('span', { class: `level l-${event.lvl}` }, event.lvl) };
export const tier = { name: 'tier', label: 'Tier', cell: (event) => h('span', { class: `tier t-${event.tier}` }, event.tier) };
export const kind = { name: 'kind', label: 'Kind', cell: (event) => isolated(event.kind) };
export const message = { name: 'message', label: 'Message', cell: (event) => line(event.msg) };

/** Return the column of an id. */
export function id(name, label) {
  return { name, label, cell: (event) => (event[name] ? shortLink(name, event[name]) : '') };
}

/** Return a message as one line, cut where nobody would read on. */
function line(text = '') {
  const cut = text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
  return h('bdi', null, nodes(parse(cut.replaceAll('\n', ' ⏎ '))));
}

/** Return what an event is known by. */
export function keyOf(event) {
  return `${event.instanceId}:${event.seq}`;
}

/**
 * Return a table of events with a pane for the one that is open.
 *
 * @param {Object} options those of `Grid`, and:
 * @param {(key: string|null) => void} [options.onSelect] called with the key of what is open
 * @returns {{element: HTMLElement, grid: Grid, clear: () => void, close: () => boolean}} `close` says whether something was open
 */
export function eventTable({ onSelect = () => {}, ...options }) {
  const pane = h('div', { class: 'pane' });
  const clear = () => pane.replaceChildren();
  const close = () => {
    if (!pane.childElementCount) return false;
    clear();
    onSelect(null);
    grid.element.focus({ preventScroll: true });
    return true;
  };
  const grid = new Grid({
    rowClass: (event) => `is-${event.lvl}`,
    ...options,
    onOpen: (event) => {
      if (event.instanceId === undefined) return;
      pane.replaceChildren(detail(event, close));
      onSelect(keyOf(event));
    },
  });
  return { element: h('div', { class: 'split' }, grid.element, pane), grid, clear, close };
}

function shortLink(name, value) {
  const link = idLink(name, value);
  link.replaceChildren(isolated(short(value)));
  link.setAttribute('title', value);
  link.setAttribute('tabindex', '-1');
  return link;
}
