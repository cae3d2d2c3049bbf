/**
 * Shows all that one event holds, and leads to what belongs to it.
 */

import { nodes, parse } from '../ansi.js';
import { button, h, say } from '../dom.js';
import { href } from '../route.js';
import { isolated } from '../text.js';
import { timeElement, utc } from '../time.js';
import { changesOf, changesTable } from './changes.js';
import { exception } from './exception.js';
import { tree } from './json.js';

const IDS = [
  ['projectId', 'Project', (id) => href('timeline', { projectId: id })],
  ['buildId', 'Build', (id) => href(`builds/${encodeURIComponent(id)}`)],
  ['userId', 'User', (id) => href('timeline', { userId: id })],
  ['reqId', 'Request', (id) => href('timeline', { reqId: id })],
];

/**
 * Return the pane.
 *
 * @param {object} event
 * @param {() => void} onClose
 */
export function detail(event, onClose) {
  const { exc, stack, ...other } = event.data ?? {};
  const changed = changesOf(event);
  if (changed.length) delete other.changes;
  return h(
    'aside',
    { class: 'detail', 'aria-label': 'Event' },
    h(
      'header',
      null,
      h('span', { class: `level l-${event.lvl}` }, event.lvl),
      h('span', { class: `tier t-${event.tier}` }, event.tier),
      h('span', { class: 'kind' }, isolated(event.kind)),
      h('span', { class: 'grow' }),
      button('Copy JSON', (click) => copy(click, JSON.stringify(event)), { class: 'plain' }),
      button('×', onClose, { class: 'plain close', 'aria-label': 'Close' }),
    ),
    h(
      'div',
      { class: 'detail-body' },
      h('pre', { class: 'message' }, nodes(parse(event.msg ?? ''))),
      h('dl', { class: 'facts' }, facts(event)),
      changed.length > 0 && section('Changes', changesTable(changed)),
      exc && section('Exception', exception(exc)),
      stack && section('Stack', h('pre', { class: 'exc' }, isolated(stack))),
      Object.keys(other).length > 0 && section('Data', h('div', { class: 'json' }, tree(other))),
    ),
  );
}

/** Return a link to all of one id. */
export function idLink(name, id) {
  const [, label, to] = IDS.find(([key]) => key === name);
  return h('a', { href: to(id), title: `All of this ${label.toLowerCase()}` }, isolated(id));
}

function facts(event) {
  const fact = (label, ...value) => h('div', null, h('dt', null, label), h('dd', null, ...value));
  return [
    fact('Time', timeElement(event.ts), h('span', { class: 'dim' }, ` ${utc(event.ts)}`)),
    ...IDS.filter(([name]) => event[name]).map(([name, label, to]) =>
      fact(
        label,
        h('code', null, isolated(event[name])),
        h('a', { class: 'same', href: to(event[name]) }, `same ${label.toLowerCase()}`),
      ),
    ),
    fact('Source', isolated(event.src ?? '')),
    fact('Written by', h('code', null, isolated(event.instanceId)), h('span', { class: 'dim' }, ` no. ${event.seq}`)),
  ];
}

function section(title, ...content) {
  return h('section', null, h('h3', null, title), ...content);
}

async function copy(event, text) {
  const element = event.currentTarget;
  // Browsers have a clipboard for pages of https and of this machine alone.
  const isDone = await navigator.clipboard?.writeText(text).then(
    () => true,
    () => false,
  );
  element.textContent = isDone ? 'Copied' : 'Can’t copy here';
  say(element.textContent);
}
