/**
 * All that happened to a project, a build, a user or in a request, across tiers.
 */

import { getJSON, download, stream } from '../api.js';
import { button, h, renew, replace } from '../dom.js';
import { TIERS, queryOf } from '../filters.js';
import { level, kind, message, tier, time, eventTable, id, keyOf } from '../parts/events.js';
import { filterBar } from '../parts/filterbar.js';
import { lanes } from '../parts/lanes.js';
import { idForm, lately } from '../parts/pick.js';
import { readsToggle, shown } from '../parts/reads.js';
import { changed, go, href, put } from '../route.js';
import { counted, isolated, short } from '../text.js';
import { ago, ms } from '../time.js';

const PAGE = 1000;
/** Lines of a log take one row together: so many events may be needed for a screen of rows. */
const ROWS = 60;
const MOST = 20_000;
const USUAL = '7d';
const IDS = ['projectId', 'buildId', 'userId', 'reqId'];

const lane = {
  name: 'lane',
  label: '',
  cell: (event) =>
    TIERS.map((one) => h('i', { class: one === event.tier ? `dot t-${one} ${event.lvl === 'error' ? 'bad' : ''}` : '' })),
};
const words = {
  name: 'message',
  label: 'Message',
  cell: (row) =>
    row.group
      ? h(
          'span',
          { class: 'group' },
          `${counted(row.count, 'line')} of the ${row.tier} log, `,
          h('span', { class: 'dim' }, 'open'),
        )
      : message.cell(row),
};

/** Show the timeline in `root`. */
export function timeline(root, route) {
  const bar = h('div', { class: 'bar-place' });
  const overview = h('div', { class: 'overview' });
  const status = h('span', { class: 'status', role: 'status' });
  const foot = h('footer', { class: 'foot' }, status);
  const state = { params: null, events: [], stop: null, cursor: null, isBusy: false };
  const view = eventTable({
    label: 'Timeline',
    kind: 'timeline',
    columns: [time, lane, tier, level, kind, words, id('buildId', 'Build'), id('userId', 'User')],
    onSelect: remember,
    onEnd: () => more(),
  });
  const { grid } = view;
  const openEvent = grid.onOpen;
  grid.onOpen = (row, index) =>
    row.group
      ? go(href(`builds/${encodeURIComponent(row.buildId)}`, row.tier === 'deploy' ? { tab: 'deploy' } : {}))
      : openEvent(row, index);
  root.append(h('h1', { class: 'sr' }, 'Timeline'), bar, overview, view.element, foot);

  function show({ params }) {
    state.params = params;
    state.stop?.abort();
    state.stop = new AbortController();
    state.events = [];
    state.cursor = null;
    grid.set([]);
    view.clear();
    overview.replaceChildren();
    replace(foot, status);
    renew(
      bar,
      filterBar({
        params,
        usual: USUAL,
        onChange: (next) => go(href('timeline', next)),
        actions: [
          readsToggle(params, (next) => go(href('timeline', next))),
          button('Download', () => download('logs/search', query(), 'timeline.ndjson').catch(fail), {
            title: 'All of it, as NDJSON',
          }),
        ],
      }),
    );
    if (IDS.some((name) => params.has(name))) page(null);
    else choose();
  }

  function query() {
    const asked = queryOf(state.params);
    return { ...asked, since: asked.since ?? (state.params.get('since') === 'all' ? undefined : USUAL), order: 'desc' };
  }

  function more() {
    if (state.cursor && !state.isBusy) page(state.cursor);
  }

  async function page(cursor, size = PAGE) {
    const { signal } = state.stop;
    state.isBusy = true;
    status.textContent = state.events.length ? `${counted(state.events.length, 'event')}, loading more…` : 'Searching…';
    try {
      const meta = await stream(
        'logs/search',
        { ...query(), limit: size, cursor },
        (events) => {
          state.events.push(...shown(events, state.params));
          grid.items = grouped(state.events);
          grid.grown();
          grid.list.refresh();
        },
        { signal },
      );
      state.cursor = meta.cursor;
      if (state.cursor && grid.items.length < ROWS && state.events.length < MOST) return page(state.cursor, size * 4);
      state.isBusy = false;
      ended();
    } catch (error) {
      if (signal.aborted) return;
      state.isBusy = false;
      fail(error);
    }
  }

  function ended() {
    const count = state.events.length;
    const text = `${counted(count, 'event')}${state.cursor ? ', older ones can be loaded' : ''}`;
    status.textContent = text;
    replace(foot, status, state.cursor && button('Load more', more));
    if (count) replace(overview, lanes(state.events, pick));
    else grid.say(h('p', null, 'Nothing happened in this time.'), h('p', { class: 'dim' }, 'Take a longer time range.'));
    const index = grid.items.findIndex((row) => keyOf(row) === state.params.get('sel'));
    if (index >= 0) grid.open(index);
  }

  function pick(from, to, name) {
    const index = grid.items.findIndex((row) => row.tier === name && row.ts < to && (row.last ?? row.ts) >= from - 1);
    if (index >= 0) grid.select(index);
    grid.element.focus();
  }

  function fail(error) {
    status.textContent = '';
    if (grid.items.length) replace(status, h('span', { class: 'warn' }, error.message));
    else grid.say(h('p', { class: 'warn' }, error.message));
  }

  function remember(key) {
    state.params = changed(state.params, { sel: key });
    put(href('timeline', state.params), true);
  }

  /** Ask for a project, and offer those that built last, or did something. */
  async function choose() {
    const to = (projectId) => href('timeline', { projectId });
    const recent = h('ul', { class: 'recent' });
    status.textContent = '';
    grid.say(idForm('Whose timeline?', 'Project id', 'Show', to), recent);
    const { items } = await getJSON('builds', { limit: 100 }).catch(() => ({ items: [] }));
    if (!items.length) return recent.replaceWith(lately('action', to));
    const seen = new Map();
    for (const build of items) if (build.project_id && !seen.has(build.project_id)) seen.set(build.project_id, build);
    return replace(
      recent,
      [...seen]
        .slice(0, 8)
        .map(([project, build]) =>
          h(
            'li',
            null,
            h('a', { href: to(project), title: project }, isolated(short(project, 8))),
            h('span', { class: 'dim' }, ` ${build.status} ${ago(ms(build.created_at) ?? Date.now())}`),
          ),
        ),
    );
  }

  show(route);
  return {
    show,
    keys: { ...grid.keys, m: more, '/': () => bar.querySelector('.search').select(), Escape: view.close },
    destroy: () => (state.stop?.abort(), grid.destroy()),
  };
}

/** Put lines of one log that stand together into one row, but for errors. Newest first. */
function grouped(events) {
  const rows = [];
  for (const event of events) {
    const isLine = event.kind === 'line' && event.lvl !== 'error' && event.buildId;
    const last = rows.at(-1);
    if (isLine && last?.group && last.buildId === event.buildId && last.tier === event.tier) {
      last.count += 1;
      last.ts = event.ts;
    } else if (isLine)
      rows.push({
        group: true,
        count: 1,
        last: event.ts,
        ts: event.ts,
        tier: event.tier,
        lvl: event.lvl,
        kind: 'line',
        buildId: event.buildId,
      });
    else rows.push(event);
  }
  return rows;
}
