/**
 * Builds elements without ever parsing text as HTML.
 *
 * Whatever comes from a log goes through here as a text node, and styles are set
 * as properties, so that the page works under a policy without inline anything.
 */

const SVG = 'http://www.w3.org/2000/svg';

/**
 * Return a new element.
 *
 * @param {string} tag
 * @param {Object<string, any>} [props] `class`, `style` (an object), `onclick` and the like
 *   (functions), and attributes; what is null, undefined or false is left out
 * @param {...any} children nodes, texts, arrays of them; null and false are left out
 * @returns {HTMLElement}
 */
export function h(tag, props, ...children) {
  return filled(document.createElement(tag), props, children);
}

/** Return a new SVG element; see `h`. */
export function s(tag, props, ...children) {
  return filled(document.createElementNS(SVG, tag), props, children);
}

/** Put `children` in the place of all that `element` holds. */
export function replace(element, ...children) {
  element.replaceChildren();
  append(element, children);
  return element;
}

/**
 * The same; who goes by keyboard stays on what has the same name, or goes to where such a
 * thing is added. Others' next key is for the list. What was typed into a search field, and
 * isn't asked for yet, stays in it.
 */
export function renew(element, ...children) {
  const focused = element.querySelector(':focus-visible');
  const name = focused && nameOf(focused);
  const draft = [...element.querySelectorAll('input[type="search"]')].find((one) => one.value !== one.defaultValue)?.value;
  replace(element, ...children);
  if (draft !== undefined) element.querySelector('input[type="search"]').value = draft;
  if (name === null) return;
  const twin = [...element.querySelectorAll('a, button, input, select, summary')].find((one) => nameOf(one) === name);
  twin?.focus({ preventScroll: true });
  if (document.activeElement !== twin) element.querySelector('summary')?.focus({ preventScroll: true });
}

/** Say `text` to those who listen to the page instead of looking at it. */
export function say(text) {
  document.getElementById('say').textContent = text;
}

/** Return a button with a text, or with an icon and a name for those who can't see it. */
export function button(label, onclick, props = {}) {
  return h('button', { type: 'button', onclick, ...props }, label);
}

function nameOf(element) {
  return `${element.tagName} ${element.getAttribute('aria-label') ?? element.textContent}`;
}

function filled(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) set(element, name, value);
  append(element, children);
  return element;
}

function set(element, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (typeof value === 'function') element.addEventListener(name.slice(2), value);
  else if (name === 'style') for (const [key, one] of Object.entries(value)) element.style.setProperty(key, one);
  else if (name === 'value' || name === 'checked') element[name] = value;
  else element.setAttribute(name, value === true ? '' : String(value));
}

function append(element, children) {
  for (const child of children) {
    if (Array.isArray(child)) append(element, child);
    else if (child !== null && child !== undefined && child !== false) element.append(child);
  }
}
