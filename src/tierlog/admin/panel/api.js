/**
 * Asks the admin API: JSON, streams of NDJSON, and tickets for links.
 *
 * The token goes in a header. Where a browser can't set one, as in a download, a
 * short-lived ticket that is good for one query stands in the address instead.
 */

import { token } from './session.js';
import { href } from './route.js';

const BASE = new URL('../v1/admin/', import.meta.url);

/** What the API answered instead of what was asked for. */
class Problem extends Error {
  constructor(status, body, retryAfter) {
    super(body.detail || body.title || `The server answered ${status}.`);
    this.status = status;
    this.title = body.title;
    this.parameter = body.parameter ?? null;
    this.retryAfter = retryAfter;
  }
}

let onRefusal = () => {};

/** Call `callback` whenever the server wants to know who asks. */
export function whenRefused(callback) {
  onRefusal = callback;
}

/** @returns {URL} where `path` of the API is, with `params` */
function address(path, params = {}) {
  const url = new URL(path.replace(/^\/+/, ''), BASE);
  url.search = href('', params).slice(3);
  return url;
}

/** Return the answer to a request, once it has begun. */
export async function ask(path, params, { signal, headers = {}, method = 'GET', body } = {}) {
  const known = token();
  const response = await fetch(address(path, params), {
    method,
    body,
    signal,
    cache: 'no-store',
    headers: { ...(known && { Authorization: `Bearer ${known}` }), ...headers },
  }).catch((error) => {
    throw error.name === 'AbortError' ? error : new Problem(0, { detail: 'The server can’t be reached.' });
  });
  if (response.ok) return response;
  const problem = new Problem(response.status, await bodyOf(response), Number(response.headers.get('Retry-After')) || null);
  // Who signed in meanwhile isn't the one who was refused.
  if (response.status === 401 && token() === known) onRefusal(problem);
  throw problem;
}

/** Return a JSON answer. */
export async function getJSON(path, params, options = {}) {
  return (await ask(path, params, options)).json();
}

/**
 * Read a stream of events as it comes.
 *
 * @param {string} path
 * @param {Object<string, any>} params
 * @param {(events: object[]) => void} onEvents called with each handful
 * @param {{signal?: AbortSignal}} [options]
 * @returns {Promise<{cursor: string|null, count: number, torn: number, problems: string[]}>} how it ended
 */
export async function stream(path, params, onEvents, options = {}) {
  const response = await ask(path, { ...plain(params), meta: '1' }, options);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  let meta = null;
  for (;;) {
    const { value, done } = await reader.read().catch((error) => {
      throw error.name === 'AbortError' ? error : broken();
    });
    const lines = (rest + (value ?? '')).split('\n');
    rest = done ? '' : lines.pop();
    const events = [];
    for (const line of lines) {
      const event = line && parsed(line);
      if (!event) continue;
      if (event.tierlog && !event.instanceId) meta = event.tierlog;
      else events.push(event);
    }
    if (events.length) onEvents(events);
    if (done && !meta) throw broken();
    if (done) return meta;
  }
}

function broken() {
  return new Problem(0, { detail: 'The answer broke off: this isn’t all.' });
}

/** Save what `path` answers as a file. */
export async function download(path, params, name) {
  const query = address(path, params).search.slice(1);
  const { ticket } = await (
    await ask(
      'tickets',
      {},
      {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ path: `/v1/admin/${path}`, query }),
      },
    )
  ).json();
  const link = document.createElement('a');
  link.href = `${address(path)}?${query}${query && '&'}ticket=${encodeURIComponent(ticket)}`;
  link.download = name;
  link.click();
}

function plain(params) {
  if (!(params instanceof URLSearchParams)) return params;
  return Object.fromEntries([...new Set(params.keys())].map((name) => [name, params.getAll(name)]));
}

async function bodyOf(response) {
  try {
    return await response.json();
  } catch {
    return {};
  }
}

function parsed(line) {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
