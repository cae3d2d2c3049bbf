/**
 * Knows what can be filtered by, and turns an address or typed words into a query.
 *
 * The names are those of the API, so that an address of the panel reads like the request it makes.
 */

export const LEVELS = ['debug', 'info', 'warn', 'error'];
export const TIERS = ['system', 'build', 'deploy', 'action', 'lifecycle'];
export const KINDS = {
  system: ['log', 'meta', 'billing', 'rate_limit', 'auth', 'health', 'security', 'job', 'metric'],
  build: ['line', 'meta'],
  deploy: ['deploy', 'line', 'dns', 'domain'],
  action: ['action', 'integration', 'advisor', 'domain', 'env', 'team'],
  lifecycle: ['build', 'deploy', 'project', 'billing'],
};

/** What stands as a chip: the parameter, its name for people, and whether it may stand several times. */
export const CHIPS = [
  { name: 'kind', label: 'kind', isMany: true, hint: 'billing' },
  { name: 'projectId', label: 'project', hint: '01J…' },
  { name: 'userId', label: 'user', hint: 'u-42' },
  { name: 'reqId', label: 'request', hint: 'req-7f3a' },
  { name: 'buildId', label: 'build', hint: '01J…' },
  { name: 'where', label: 'data', isMany: true, hint: 'code=E42' },
];
const PARAMETERS = ['tier', 'lvl', 'text', 'case', 'regex', 'since', 'until', ...CHIPS.map((chip) => chip.name)];

const WORDS = {
  level: 'lvl',
  lvl: 'lvl',
  kind: 'kind',
  tier: 'tier',
  project: 'projectId',
  build: 'buildId',
  user: 'userId',
  req: 'reqId',
  request: 'reqId',
  since: 'since',
  until: 'until',
};
const MANY = ['lvl', 'kind', 'tier', 'where'];

/**
 * Take `level:error`, `user:u-1` and `data.path=value` out of what was typed, into `params`.
 *
 * @param {string} typed
 * @param {URLSearchParams} params
 * @returns {string} the words that are none of these: what the message must hold
 */
export function takeWords(typed, params) {
  const rest = [];
  for (const word of typed.match(/"[^"]*"|\S+/g) ?? []) {
    const [, name, value] = /^(\w+):(.+)$/.exec(word) ?? [];
    const [, path, equals] = /^data\.([^=\s]+)=(.+)$/.exec(word) ?? [];
    if (path) add(params, 'where', `${path}=${equals}`);
    else if (WORDS[name]) add(params, WORDS[name], value);
    else rest.push(word);
  }
  return rest.join(' ').replace(/^"([^"]*)"$/, '$1');
}

/** Add a filter, in the place of one of the same name if only one can be. */
export function add(params, name, value) {
  if (!MANY.includes(name)) params.set(name, value);
  else if (!params.getAll(name).includes(value)) params.append(name, value);
}

/** Return `params` without one value of one name. */
export function without(params, name, value) {
  const rest = new URLSearchParams();
  for (const [key, one] of params) if (key !== name || (value !== undefined && one !== value)) rest.append(key, one);
  return rest;
}

/**
 * Return what to ask the API for.
 *
 * @param {URLSearchParams} params of the address; what isn't a filter is left out
 * @param {Object<string, any>} fixed what the view always asks for; it wins
 */
export function queryOf(params, fixed = {}) {
  const query = {};
  for (const name of PARAMETERS) if (params.has(name)) query[name] = params.getAll(name);
  // Without case is what people expect of a search field; the API's own default is with.
  if (query.text && !query.case) query.case = '0';
  for (const [name, value] of Object.entries(fixed)) if (value !== undefined) query[name] = value;
  if (query.since?.[0] === 'all') delete query.since;
  return query;
}
