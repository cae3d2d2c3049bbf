/**
 * Shows what an action changed: before and after.
 */

import { h } from '../dom.js';
import { visible } from '../text.js';
import { leaf, tree } from './json.js';

/** Of a variable only that it is there is known. */
const NAMED = { added: { after: 'set' }, removed: { before: 'set' }, changed: { before: 'set', after: 'set anew' } };

/**
 * Return what an event says was changed: each path with both sides, as an action writes
 * it; of variables, names without values.
 *
 * @param {{data?: Object<string, any>}} event
 * @returns {{path: string, before: any, after: any}[]} `undefined`: there was nothing
 */
export function changesOf({ data = {} }) {
  if (!isObject(data.changes)) return [];
  return Object.entries(data.changes).flatMap(([path, one]) => {
    if (Array.isArray(one)) return one.map((name) => ({ path: String(name), ...NAMED[path] }));
    return isObject(one) ? [{ path, before: one.before, after: one.after }] : [];
  });
}

/** Return the table of changes. */
export function changesTable(changes) {
  return h(
    'table',
    { class: 'changes' },
    h(
      'thead',
      null,
      h(
        'tr',
        null,
        ['Field', 'Before', 'After'].map((name) => h('th', { scope: 'col' }, name)),
      ),
    ),
    h(
      'tbody',
      null,
      changes.map(({ path, before, after }) =>
        h('tr', null, h('th', { scope: 'row' }, visible(path)), cell('before', before), cell('after', after)),
      ),
    ),
  );
}

function cell(name, value) {
  if (value === undefined) return h('td', { class: `${name} nothing` }, '–');
  return h('td', { class: name }, value !== null && typeof value === 'object' ? tree(value) : leaf(value));
}

function isObject(value) {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
