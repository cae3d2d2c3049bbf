/**
 * Leaves out what people looked at: each read of the API is an event itself, and whoever
 * looks for something doesn't look for that.
 */

import { changed } from '../route.js';
import { toggle } from './controls.js';

const NAME = 'reads';

/** Return those of `events` that are to be shown. */
export function shown(events, params) {
  return params.has(NAME) ? events : events.filter((event) => !(event.src === 'admin' && event.kind === 'action'));
}

/**
 * Return the switch.
 *
 * @param {URLSearchParams} params
 * @param {(params: URLSearchParams) => void} onChange
 */
export function readsToggle(params, onChange) {
  return toggle(
    'Reads',
    params.has(NAME),
    (isOn) => onChange(changed(params, { [NAME]: isOn && '1' })),
    { title: 'Also show what was read here: who, what and how much' },
  );
}
