/**
 * Keeps the token, for this tab only.
 *
 * `#token=…` in the address is taken over and erased from it and from the history at
 * once; from then on the token lies in sessionStorage and travels in a header.
 */

const KEY = 'tierlog.token';

/** @returns {string|null} */
export function token() {
  return sessionStorage.getItem(KEY);
}

/** @param {string} value */
export function keep(value) {
  sessionStorage.setItem(KEY, value.trim().replace(/^Bearer\s+/i, ''));
}

export function forget() {
  sessionStorage.removeItem(KEY);
}

/** Take the token out of the address, if one is there. */
export function takeFromAddress() {
  const hash = location.hash.replace(/^#/, '');
  if (!hash.startsWith('token=')) return;
  const given = new URLSearchParams(hash);
  keep(given.get('token') ?? '');
  history.replaceState(null, '', `#${given.get('next') ?? '/builds'}`);
}
