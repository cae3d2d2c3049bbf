/**
 * Hands keys to the view that is open, and shows which there are.
 */

import { button, h } from './dom.js';

const HELP = [
  [
    'Anywhere',
    [
      ['1 – 6', 'go to a view'],
      ['/', 'search, or find in the log'],
      ['?', 'this help'],
      ['Esc', 'close, or go back'],
    ],
  ],
  [
    'Lists',
    [
      ['j  k', 'next, previous row'],
      ['g  G', 'first, last row'],
      ['Enter', 'open the row'],
      ['m', 'load more'],
    ],
  ],
  [
    'A log',
    [
      ['e  E', 'next, previous error'],
      ['n  N', 'next, previous match'],
      ['w', 'wrap lines'],
      ['f', 'follow'],
    ],
  ],
  [
    'Live',
    [
      ['p', 'pause, go on'],
      ['c', 'clear'],
    ],
  ],
];
const WORDS = [
  ['level:error', 'of a level'],
  ['kind:billing', 'of a kind'],
  ['project:01J…', 'of a project; also build: user: req:'],
  ['data.code=E42', 'whose data holds that value'],
  ['anything else', 'what the message holds'],
];

/** @type {Object<string, (event: KeyboardEvent) => void>} */
let keys = {};

/** Let a view have these keys from now on. */
export function useKeys(own) {
  keys = own;
}

/** Begin to listen; `common` are the keys of every view. */
export function startKeys(common) {
  addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return;
    const target = /** @type {HTMLElement} */ (event.target);
    const isTyping = target.matches('input, textarea, select');
    if (isTyping && event.key === 'Escape') {
      target.blur();
      document.querySelector('main [role="grid"]')?.focus();
      return;
    }
    if (isTyping || (event.key === 'Enter' && target.matches('a, button, summary'))) return;
    const action = keys[event.key] ?? common[event.key];
    if (!action) return;
    event.preventDefault();
    action(event);
  });
}

export function showHelp() {
  const dialog = h(
    'dialog',
    { class: 'help', 'aria-label': 'Keys', onclose: () => dialog.remove() },
    h(
      'header',
      null,
      h('h2', null, 'Keys'),
      button('Close', () => dialog.close(), { class: 'plain' }),
    ),
    h(
      'div',
      { class: 'help-lists' },
      HELP.map(([title, rows]) => list(title, rows, (key) => key.split('  ').map((one) => h('kbd', null, one)))),
      list('In the search field', WORDS, (word) => h('code', null, word)),
    ),
  );
  dialog.addEventListener('click', (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
}

function list(title, rows, key) {
  return h(
    'section',
    null,
    h('h3', null, title),
    h(
      'dl',
      null,
      rows.map(([name, text]) => h('div', null, h('dt', null, key(name)), h('dd', null, text))),
    ),
  );
}
