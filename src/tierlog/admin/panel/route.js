/**
 * Says what the address asks for, and changes it: `#/builds?status=failed`.
 *
 * Everything a view shows is in its address, so that it can be shared and reloaded.
 * It stands behind `#`, so that no server and no proxy on the way keeps it.
 */

/**
 * @typedef {{path: string[], params: URLSearchParams}} Route
 */

let listener = () => {};

/** @returns {Route} */
export function current() {
  const [path, query = ''] = location.hash.replace(/^#\/?/, '').split(/\?(.*)/s);
  return { path: path.split('/').filter(Boolean).map(decoded), params: new URLSearchParams(query) };
}

/**
 * Return the address of a view.
 *
 * @param {string} path for example `builds/01J…`
 * @param {URLSearchParams|Object<string, any>} [params] what is empty is left out; arrays repeat
 */
export function href(path, params = {}) {
  const query = new URLSearchParams();
  const entries = params instanceof URLSearchParams ? params : flat(params);
  for (const [name, value] of entries) if (value !== '' && value !== null && value !== undefined) query.append(name, value);
  const text = query.toString().replaceAll('%3A', ':').replaceAll('%2C', ',');
  return `#/${path}${text && `?${text}`}`;
}

/** Return `params` with other values; a name whose value is empty is left out. */
export function changed(params, changes) {
  const next = new URLSearchParams(params);
  for (const [name, value] of Object.entries(changes)) {
    if (value) next.set(name, value);
    else next.delete(name);
  }
  return next;
}

/** Go to an address: a step that "back" takes back. */
export function go(address) {
  if (location.hash === address) listener();
  else location.hash = address;
}

/**
 * Change the address in place.
 *
 * @param {string} address
 * @param {boolean} [quiet] don't show it anew: the view did that already
 */
export function put(address, quiet = false) {
  history.replaceState(null, '', address);
  if (!quiet) listener();
}

/** Call `show` whenever the address asks for something else. */
export function follow(show) {
  listener = show;
  addEventListener('hashchange', show);
}

function* flat(params) {
  for (const [name, value] of Object.entries(params)) {
    if (Array.isArray(value)) for (const one of value) yield [name, one];
    else yield [name, value];
  }
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
