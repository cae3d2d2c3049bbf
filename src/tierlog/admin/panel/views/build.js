/**
 * One build: its log, its deploy's log, its lifecycle, and what differs from the last good one.
 */

import { download, getJSON, stream } from '../api.js';
import { h, replace } from '../dom.js';
import { detail } from '../parts/detail.js';
import { eventTable, kind, message, time } from '../parts/events.js';
import { Log } from '../parts/log.js';
import { leaf } from '../parts/json.js';
import { changed, go, href, put } from '../route.js';
import { listen } from '../sse.js';
import { counted, isolated, short } from '../text.js';
import { clock, duration, ms, timeElement } from '../time.js';
import { listAddress, statusOf, whatOf } from './builds.js';

const TABS = [
  ['log', 'Build log'],
  ['deploy', 'Deploy log'],
  ['lifecycle', 'Lifecycle'],
  ['compare', 'Last good build'],
];
/** A browser can't draw a list much higher. */
const MOST = 500_000;

/** Show the build that the address names in `root`. */
export function build(root, route) {
  const id = route.path[1];
  const head = h('header', { class: 'build-head' });
  const tabs = h('nav', { class: 'tabs', 'aria-label': 'Of this build' });
  const body = h('div', { class: 'build-body' });
  const state = { row: null, tab: null, part: null, stop: null, params: route.params };
  root.append(head, tabs, body);

  function show({ params }) {
    const tab = params.get('tab') ?? 'log';
    state.params = params;
    if (tab === state.tab) return;
    state.tab = tab;
    replace(
      tabs,
      TABS.map(([name, label]) => h('a', { href: at(name), 'aria-current': name === tab ? 'page' : null }, label)),
    );
    state.stop?.abort();
    state.stop = new AbortController();
    state.part?.destroy?.();
    body.replaceChildren();
    state.part = PARTS[tab]?.({ id, body, state, put: change }) ?? null;
  }

  /** Take note of what changed in the address. */
  function change(changes) {
    state.params = changed(state.params, changes);
    put(href(`builds/${encodeURIComponent(id)}`, state.params), true);
  }

  function at(tab) {
    return href(`builds/${encodeURIComponent(id)}`, tab === 'log' ? {} : { tab });
  }

  replace(head, ...title(id, null));
  state.row = getJSON(`builds/${encodeURIComponent(id)}`).catch((error) => ({ error }));
  state.row.then((row) => row.build && replace(head, ...title(id, row.build)));
  show(route);
  return {
    show,
    get keys() {
      return { ...state.part?.keys, Escape: () => state.part?.close?.() || go(listAddress()) };
    },
    destroy: () => (state.stop?.abort(), state.part?.destroy?.()),
  };
}

const PARTS = {
  log: (context) => log(context, 'build', 'Build log'),
  deploy: (context) => log(context, 'deploy', 'Deploy log'),
  lifecycle,
  compare,
};

function title(id, row) {
  const fact = (label, ...value) => h('div', null, h('dt', null, label), h('dd', null, value));
  const minor = (label, ...value) => h('div', { class: 'minor' }, h('dt', null, label), h('dd', null, value));
  return [
    h(
      'h1',
      null,
      h('a', { href: listAddress(), class: 'crumb' }, 'Builds'),
      h('span', { class: 'crumb-sep', 'aria-hidden': 'true' }, '/'),
      isolated(id, { class: 'mono' }),
      row && statusOf(row),
      row?.failure_stage && h('span', { class: 'stage' }, isolated(row.failure_stage.replaceAll('_', ' '))),
    ),
    row &&
      h(
        'dl',
        { class: 'facts-line' },
        row.project_id &&
          fact(
            'Project',
            h(
              'a',
              { href: href('timeline', { projectId: row.project_id }), title: row.project_id },
              isolated(short(row.project_id, 6)),
            ),
          ),
        fact('Framework', isolated(row.framework ?? row.detected_framework ?? '–')),
        fact('Duration', duration(row.total_duration_ms)),
        fact('Started', whenOf(ms(row.started_at ?? row.created_at))),
        minor('Kind', whatOf(row)),
        row.node_version && minor('Node', isolated(row.node_version)),
        row.package_manager && minor('Packages', isolated(row.package_manager)),
        row.parent_build_id &&
          minor(
            'Retry of',
            h(
              'a',
              { href: href(`builds/${encodeURIComponent(row.parent_build_id)}`), title: row.parent_build_id },
              isolated(short(row.parent_build_id, 6)),
            ),
          ),
      ),
  ];
}

function log({ id, body, state, put: change }, tier, label) {
  const query = { tier, buildId: id };
  const pane = h('div', { class: 'pane' });
  const news = [];
  let hush = null;
  const view = new Log({
    label,
    params: state.params,
    onParams: change,
    onFollow,
    onOpen,
    onDownload: () => download('logs/search', query, `${tier}-${id}.ndjson`).catch((error) => view.finished(error.message)),
  });
  body.append(h('div', { class: 'split' }, view.element, pane));

  async function load() {
    const started = performance.now();
    const { signal } = state.stop;
    try {
      const meta = await stream('logs/search', { ...query, order: 'asc', limit: MOST }, (events) => view.add(events), { signal });
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      view.finished(
        `${counted(view.lines.length, 'line')} in ${seconds} s${meta.torn ? `, ${meta.torn} torn` : ''}${meta.cursor ? ', and more in the download' : ''}`,
        `No line of a ${label.toLowerCase()} with this id is kept.`,
      );
    } catch (error) {
      if (!signal.aborted) view.finished(error.message);
    }
    const row = (await state.row).build;
    if (!signal.aborted && row && !row.completed_at && !['deployed', 'failed'].includes(row.status)) view.follow(true);
  }

  /** What was written while the log loaded comes again from the live tail; a line is shown once. */
  function onFollow(isOn) {
    hush?.();
    hush = null;
    if (!isOn) return;
    const since = view.lines.events.at(-1)?.ts ?? Date.now() - 60_000;
    hush = listen(
      { ...query, since: new Date(since - 1000).toISOString() },
      {
        onEvent: take,
        onState: (now, what) =>
          (view.status.textContent = now === 'open' ? 'Following' : now === 'refused' ? what.message : 'Connecting…'),
      },
    );
  }

  /** Lines are drawn together, however fast they come. */
  function take(event) {
    if (news.push(event) === 1) requestAnimationFrame(() => view.add(news.splice(0)));
  }

  function onOpen(event) {
    pane.replaceChildren(detail(event, close));
  }

  function close() {
    const wasOpen = pane.childElementCount > 0;
    pane.replaceChildren();
    if (wasOpen) view.scroller.focus({ preventScroll: true });
    return wasOpen;
  }

  load();
  return { keys: view.keys, close, destroy: () => (hush?.(), view.destroy()) };
}

function lifecycle({ id, body, state }) {
  const { element, grid, close } = eventTable({
    label: 'Lifecycle',
    kind: 'lifecycle',
    columns: [time, kind, message, LASTED],
    heights: [34, 52],
  });
  const events = [];
  body.append(element);
  stream(
    'logs/search',
    { tier: 'lifecycle', buildId: id, order: 'asc', limit: 1000 },
    (more) => {
      events.push(...more);
      grid.set(events);
    },
    { signal: state.stop.signal },
  )
    .then(() => events.length || grid.say(h('p', null, 'No lifecycle event of this build is kept.')))
    .catch((error) => error.name !== 'AbortError' && grid.say(h('p', null, error.message)));
  return { keys: grid.keys, close, destroy: () => grid.destroy() };
}

const LASTED = { name: 'lasted', label: 'Status', cell: ({ data }) => data?.status && statusOf({ status: data.status }) };

function compare({ body, state }) {
  const place = h('div', { class: 'page' }, h('p', { class: 'dim' }, 'Loading…'));
  body.append(place);
  state.row.then((row) => {
    if (row.error?.parameter === 'buildId')
      return replace(place, h('p', null, 'The database doesn’t know this build, so there is nothing to compare.'));
    if (row.error) return replace(place, h('p', { class: 'warn' }, row.error.message));
    if (!row.lastGood) return replace(place, h('p', null, 'This project had no good build before.'));
    const good = row.lastGood;
    return replace(
      place,
      h(
        'p',
        null,
        'The last good build before it: ',
        h('a', { href: href(`builds/${encodeURIComponent(good.build_id)}`) }, isolated(good.build_id, { class: 'mono' })),
        ', ',
        whenOf(ms(good.created_at)),
        '.',
      ),
      h(
        'table',
        { class: 'changes compare' },
        h(
          'thead',
          null,
          h(
            'tr',
            null,
            ['', 'Last good', 'This build'].map((name) => h('th', { scope: 'col' }, name)),
          ),
        ),
        h(
          'tbody',
          null,
          Object.entries(row.differs).map(([name, [before, after]]) =>
            h(
              'tr',
              null,
              h('th', { scope: 'row' }, name.replace(/_ms$/, '').replaceAll('_', ' ')),
              h('td', { class: 'before' }, value(name, before)),
              h('td', { class: 'after' }, value(name, after)),
            ),
          ),
        ),
      ),
    );
  });
  return { keys: {} };
}

function whenOf(at) {
  return timeElement(at, at === null ? '' : clock(at, { millis: false }));
}

function value(name, one) {
  if (one === null) return h('span', { class: 'none' }, '–');
  if (name.endsWith('_ms')) return duration(one);
  if (name.endsWith('_at')) return timeElement(ms(one));
  return leaf(one);
}
