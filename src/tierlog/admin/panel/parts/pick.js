/**
 * A field for an id, and the ids that were written last, where no list of them is at hand.
 */

import { getJSON } from '../api.js';
import { h, replace } from '../dom.js';
import { go } from '../route.js';
import { bytes, isolated } from '../text.js';

const MOST = 8;

/**
 * Return a field that leads to what an id names.
 *
 * @param {string} question
 * @param {string} label
 * @param {string} action
 * @param {(id: string) => string} to the address of an id
 */
export function idForm(question, label, action, to) {
  const input = h('input', { type: 'text', 'aria-label': label, placeholder: label, class: 'whole-id', spellcheck: 'false' });
  return h(
    'form',
    {
      class: 'inline',
      onsubmit: (event) => (event.preventDefault(), input.value.trim() && go(to(input.value.trim()))),
    },
    `${question} `,
    input,
    h('button', { type: 'submit', class: 'primary' }, action),
  );
}

/** Return links to what wrote segments of `tier` last, the newest day first; filled as soon as they are known. */
export function lately(tier, to) {
  const list = h('ul', { class: 'recent' });
  fill(list, tier, to).catch(() => null);
  return list;
}

async function fill(list, tier, to) {
  const { items } = await getJSON('logs/segments', { tier, since: '7d', limit: 200 });
  const seen = new Map();
  for (const { owner, day, bytes: size } of items) {
    if (owner) seen.set(owner, { day: seen.get(owner)?.day ?? day, size: (seen.get(owner)?.size ?? 0) + size });
  }
  replace(
    list,
    [...seen].slice(0, MOST).map(([id, { day, size }]) =>
      h('li', null, h('a', { href: to(id) }, isolated(id)), h('span', { class: 'dim' }, ` ${day}, ${bytes(size)}`)),
    ),
  );
}
