/**
 * The small controls that filters are made of.
 */

import { button, h } from '../dom.js';
import { fromInput, instant, span, toInput } from '../time.js';

const SPANS = [
  ['15m', 'Last 15 minutes'],
  ['1h', 'Last hour'],
  ['24h', 'Last 24 hours'],
  ['7d', 'Last 7 days'],
  ['30d', 'Last 30 days'],
  ['all', 'All time'],
];

/**
 * Return a list to choose from.
 *
 * @param {string} label
 * @param {[string, string][]} options values and their names
 * @param {string} value
 * @param {(value: string) => void} onChange
 */
export function select(label, options, value, onChange) {
  const element = h(
    'select',
    { 'aria-label': label, onchange: () => onChange(element.value) },
    options.map(([key, text]) => h('option', { value: key }, text)),
  );
  element.value = value;
  return element;
}

/** Return a switch that says whether it is on. */
export function toggle(label, isOn, onChange, props = {}) {
  const element = button(
    label,
    () => {
      const next = element.getAttribute('aria-pressed') !== 'true';
      element.setAttribute('aria-pressed', String(next));
      onChange(next);
    },
    { class: 'toggle', 'aria-pressed': String(isOn), ...props },
  );
  return element;
}

/** Return switches of which any may be on. */
export function toggles(label, values, chosen, onChange, cssPrefix = '') {
  const on = new Set(chosen);
  return h(
    'div',
    { class: 'toggles', role: 'group', 'aria-label': label },
    values.map((value) =>
      toggle(
        value,
        on.has(value),
        (isOn) => {
          if (isOn) on.add(value);
          else on.delete(value);
          onChange(values.filter((one) => on.has(one)));
        },
        { class: `toggle ${cssPrefix}${value}` },
      ),
    ),
  );
}

/** Return a field for a text that is taken when Enter is pressed or the field is left. */
export function field(label, value, onChange, props = {}) {
  const element = h('input', {
    type: 'text',
    'aria-label': label,
    placeholder: label,
    spellcheck: 'false',
    autocomplete: 'off',
    value,
    ...props,
  });
  element.addEventListener('change', () => onChange(element.value.trim()));
  return element;
}

/**
 * Return a choice of a time range: one of the usual spans, or two instants.
 *
 * @param {URLSearchParams} params
 * @param {string} usual the span when the address names none
 * @param {(range: {since: string, until: string}) => void} onChange
 */
export function timeRange(params, usual, onChange) {
  const since = params.get('since') ?? '';
  const until = params.get('until') ?? '';
  const isOwn = Boolean(until) || (since !== '' && since !== 'all' && span(since) === null);
  const options = SPANS.some(([key]) => key === since) || isOwn || !since ? SPANS : [[since, `Last ${since}`], ...SPANS];
  const chosen = select('Time range', [...options, ['own', 'From … to …']], isOwn ? 'own' : since || usual, (value) => {
    if (value !== 'own') return onChange({ since: value === usual ? '' : value, until: '' });
    return chosen.after(own(instant(since || usual) ?? Date.now() - 864e5, null, onChange));
  });
  return h(
    'div',
    { class: 'time-range' },
    chosen,
    isOwn && own(since ? instant(since) : null, until ? instant(until) : null, onChange),
  );
}

function own(since, until, onChange) {
  const input = (label, at) => h('input', { type: 'datetime-local', 'aria-label': label, value: toInput(at), onchange: changed });
  const from = input('From', since);
  const to = input('To', until);
  function changed() {
    onChange({ since: fromInput(from.value) || 'all', until: fromInput(to.value) });
  }
  return h('span', { class: 'own-range' }, from, h('span', { 'aria-hidden': 'true' }, '–'), to);
}
