/**
 * Keeps the token, for this tab only.
 *
 * `#token=…` in the address is taken over and erased from it and from the history at
 * once; from then on the token lies in sessionStorage and travels in a header.
 */

const KEY = 'tierlog.token';

const tab = storage('sessionStorage');

/** Return one of the browser's storages; where it allows none, one for as long as the page is open. */
export function storage(name) {
  try {
    return window[name];
  } catch {
    const kept = new Map();
    return { getItem: (key) => kept.get(key) ?? null, setItem: kept.set.bind(kept), removeItem: kept.delete.bind(kept) };
  }
}

/** @returns {string|null} */
export function token() {
  return tab.getItem(KEY);
}

/** @param {string} value */
export function keep(value) {
  tab.setItem(KEY, value.trim().replace(/^Bearer\s+/i, ''));
}

export function forget() {
  tab.removeItem(KEY);
}

/** Take the token out of the address; return whether one was there. */
export function takeFromAddress() {
  const hash = location.hash.replace(/^#/, '');
  if (!hash.startsWith('token=')) return false;
  const given = new URLSearchParams(hash);
  keep(given.get('token') ?? '');
  history.replaceState(null, '', `#${given.get('next') ?? '/builds'}`);
  return true;
}
