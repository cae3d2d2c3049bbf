/**
 * The filters of a search: a field, levels, a time range, and a chip for each further filter.
 */

import { button, h } from '../dom.js';
import { CHIPS, KINDS, LEVELS, TIERS, add, takeWords, without } from '../filters.js';
import { changed } from '../route.js';
import { isolated } from '../text.js';
import { select, timeRange, toggle, toggles } from './controls.js';

/**
 * Return the bar.
 *
 * @param {Object} options
 * @param {URLSearchParams} options.params
 * @param {string} [options.tier] the one tier of the view; without it, tiers can be chosen
 * @param {string|null} [options.usual] the time range when the address names none; null for no choice
 * @param {(params: URLSearchParams) => void} options.onChange
 * @param {any[]} [options.actions] what else stands in the bar
 */
export function filterBar({ params, tier, usual = '24h', onChange, actions = [] }) {
  const change = (edit) => {
    const next = new URLSearchParams(params);
    next.delete('sel');
    onChange(edit(next) ?? next);
  };
  const many = (name) => (values) =>
    change((next) => {
      next.delete(name);
      for (const value of values) next.append(name, value);
    });
  const range =
    usual &&
    timeRange(params, usual, (chosen) => change((next) => changed(next, chosen)));
  return h(
    'div',
    { class: 'bar' },
    searchField(params, change),
    !tier && toggles('Tiers', TIERS, params.getAll('tier'), many('tier'), 't-'),
    toggles(
      'Levels',
      LEVELS,
      params.getAll('lvl').flatMap((one) => one.split(',')),
      many('lvl'),
      'l-',
    ),
    range,
    chips(params, onChange, change, tier),
    h('span', { class: 'bar-end' }, actions),
  );
}

function searchField(params, change) {
  const input = h('input', {
    type: 'search',
    class: 'search',
    'aria-label': 'Search messages',
    placeholder: 'Search messages, or level:error user:…',
    spellcheck: 'false',
    autocomplete: 'off',
    'aria-keyshortcuts': '/',
  });
  input.defaultValue = params.get('text') ?? '';
  const submit = () =>
    change((next) => {
      input.defaultValue = input.value; // it is no draft any more
      const text = takeWords(input.value, next);
      return changed(next, { text });
    });
  const flip = (name) => (isOn) => change((next) => changed(next, { [name]: isOn && '1' }));
  input.addEventListener('search', () => input.value === '' && params.has('text') && submit());
  return h(
    'form',
    { role: 'search', class: 'search-form', onsubmit: (event) => (event.preventDefault(), toResults(), submit()) },
    input,
    toggle('Aa', params.get('case') === '1', flip('case'), {
      'aria-label': 'Match case',
      title: 'Match case',
      class: 'toggle in-field',
    }),
    toggle('.*', params.get('regex') === '1', flip('regex'), {
      'aria-label': 'Regular expression',
      title: 'Regular expression',
      class: 'toggle in-field',
    }),
  );
}

/** Who has asked wants to see what there is. */
function toResults() {
  document.querySelector('main [role="grid"]')?.focus({ preventScroll: true });
}

function chips(params, onChange, change, tier) {
  const shown = CHIPS.flatMap((chip) => params.getAll(chip.name).map((value) => ({ ...chip, value })));
  return h(
    'div',
    { class: 'chips' },
    shown.map(({ name, label, value }) =>
      h(
        'span',
        { class: 'chip' },
        h('span', { class: 'chip-name' }, label),
        isolated(value, { class: 'chip-value', title: value }),
        button('×', () => onChange(without(without(params, 'sel'), name, value)), {
          'aria-label': `Remove filter ${label} ${value}`,
        }),
      ),
    ),
    adder(change, tier),
    shown.length > 1 &&
      button('Clear', () => change((next) => CHIPS.forEach((chip) => next.delete(chip.name))), { class: 'plain' }),
  );
}

function adder(change, tier) {
  const value = h('input', {
    type: 'text',
    'aria-label': 'Value',
    spellcheck: 'false',
    autocomplete: 'off',
    list: 'kinds',
    placeholder: CHIPS[0].hint,
  });
  const kinds = h(
    'datalist',
    { id: 'kinds' },
    (KINDS[tier] ?? [...new Set(Object.values(KINDS).flat())]).map((kind) => h('option', { value: kind })),
  );
  const name = select(
    'Filter by',
    CHIPS.map((chip) => [chip.name, chip.label]),
    'kind',
    (chosen) => {
      value.placeholder = CHIPS.find((chip) => chip.name === chosen).hint;
      if (chosen === 'kind') value.setAttribute('list', 'kinds');
      else value.removeAttribute('list');
    },
  );
  const form = h(
    'form',
    {
      class: 'menu-body',
      onsubmit: (event) => {
        event.preventDefault();
        if (value.value.trim()) change((next) => add(next, name.value, value.value.trim()));
      },
    },
    name,
    value,
    kinds,
    h('button', { type: 'submit', class: 'primary' }, 'Add'),
  );
  function opened() {
    form.classList.toggle('to-left', menu.getBoundingClientRect().left > innerWidth - 360);
    if (menu.open) value.focus();
  }
  const menu = h('details', { class: 'menu', ontoggle: opened }, h('summary', { class: 'add' }, '+ Filter'), form);
  menu.addEventListener('keydown', (event) => event.key === 'Escape' && ((menu.open = false), event.stopPropagation()));
  return menu;
}
