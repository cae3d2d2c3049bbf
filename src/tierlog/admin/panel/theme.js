/**
 * Chooses dark or light: as the system has it, or as the reader says.
 */

import { storage } from './session.js';

const KEY = 'tierlog.theme';
const browser = storage('localStorage');
const ORDER = ['auto', 'light', 'dark'];

/** @returns {'auto'|'light'|'dark'} */
export function theme() {
  const kept = browser.getItem(KEY);
  return ORDER.includes(kept) ? kept : 'auto';
}

export function applyTheme() {
  const chosen = theme();
  if (chosen === 'auto') document.documentElement.removeAttribute('data-theme');
  else document.documentElement.setAttribute('data-theme', chosen);
}

/** Take the next one, and return it. */
export function nextTheme() {
  browser.setItem(KEY, ORDER[(ORDER.indexOf(theme()) + 1) % ORDER.length]);
  applyTheme();
  return theme();
}
