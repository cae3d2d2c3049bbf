/**
 * Shows data as a tree that can be folded.
 */

import { h } from '../dom.js';
import { visible } from '../text.js';

const OPEN_DEPTH = 3;
const MANY = 50;

/**
 * Return the tree of a value.
 *
 * @param {any} value
 * @param {string|null} [key]
 */
export function tree(value, key = null, depth = 0) {
  const label = key === null ? [] : [h('span', { class: 'j-key' }, visible(String(key))), ': '];
  if (value === null || typeof value !== 'object') return h('div', { class: 'j-leaf' }, label, leaf(value));
  const entries = Object.entries(value);
  const size = Array.isArray(value) ? `[${entries.length}]` : `{${entries.length}}`;
  if (!entries.length)
    return h('div', { class: 'j-leaf' }, label, h('span', { class: 'j-null' }, Array.isArray(value) ? '[ ]' : '{ }'));
  const children = h('div', { class: 'j-children' });
  const fill = () => children.childElementCount || children.append(...entries.map(([name, one]) => tree(one, name, depth + 1)));
  const isOpen = depth < OPEN_DEPTH && entries.length <= MANY;
  if (isOpen) fill();
  if (key === null) return (fill(), children);
  return h(
    'details',
    { open: isOpen, ontoggle: fill },
    h('summary', null, label, h('span', { class: 'j-size' }, size)),
    children,
  );
}

/** Return a value that has no parts. */
export function leaf(value) {
  if (typeof value === 'string') return h('bdi', { class: 'j-string' }, visible(value));
  return h('span', { class: value === null || value === undefined ? 'j-null' : 'j-number' }, String(value));
}
