/**
 * A search of one tier, such as what the system said or what users did.
 */

import { download, stream } from '../api.js';
import { button, h, renew, replace } from '../dom.js';
import { queryOf } from '../filters.js';
import * as column from '../parts/events.js';
import { eventTable, keyOf } from '../parts/events.js';
import { filterBar } from '../parts/filterbar.js';
import { readsToggle, shown } from '../parts/reads.js';
import { changed, go, href, put } from '../route.js';
import { counted, isolated, number } from '../text.js';

const PAGE = 200;
const USUAL = '24h';

const outcome = { name: 'outcome', label: 'Outcome', cell: ({ data }) => outcomeOf(data ?? {}) };
const VIEWS = {
  system: {
    title: 'System events',
    columns: [
      column.time,
      column.level,
      column.kind,
      column.message,
      column.id('projectId', 'Project'),
      column.id('reqId', 'Request'),
    ],
  },
  action: {
    title: 'User actions',
    columns: [
      column.time,
      column.id('userId', 'User'),
      column.kind,
      column.message,
      outcome,
      column.id('projectId', 'Project'),
      column.id('reqId', 'Request'),
    ],
  },
};

/** Return the view of a tier. */
export function search(tier) {
  const { title, columns } = VIEWS[tier];
  return (root, route) => {
    const view = eventTable({ label: title, kind: tier, columns, onEnd: () => more(), onSelect: (key) => remember(key) });
    const { grid } = view;
    const name = route.path[0];
    const bar = h('div', { class: 'bar-place' });
    const status = h('span', { class: 'status', role: 'status' });
    const foot = h('footer', { class: 'foot' }, status);
    const state = { params: new URLSearchParams(), stop: null, cursor: null, isBusy: false, hidden: 0 };
    root.append(h('h1', { class: 'sr' }, title), bar, view.element, foot);

    function show({ params }) {
      state.params = params;
      renew(
        bar,
        filterBar({
          params,
          tier,
          usual: USUAL,
          onChange: (next) => go(href(name, next)),
          actions: [
            readsToggle(params, (next) => go(href(name, next))),
            button('Refresh', () => load(), { title: 'Ask again' }),
            button('Download', () => download('logs/search', query(), `${tier}.ndjson`).catch(fail), {
              title: 'All that is found, as NDJSON',
            }),
          ],
        }),
      );
      load();
    }

    function query() {
      const asked = queryOf(state.params, { tier });
      return { ...asked, since: asked.since ?? (state.params.get('since') === 'all' ? undefined : USUAL), order: 'desc' };
    }

    function load() {
      state.stop?.abort();
      state.stop = new AbortController();
      state.hidden = 0;
      grid.set([]);
      view.clear();
      return page(null);
    }

    function more() {
      if (state.cursor && !state.isBusy) page(state.cursor);
    }

    async function page(cursor) {
      const { signal } = state.stop;
      state.isBusy = true;
      const started = performance.now();
      let first = null;
      status.textContent = cursor ? `${counted(grid.items.length, 'event')}, loading more…` : 'Searching…';
      try {
        const meta = await stream(
          'logs/search',
          { ...query(), limit: PAGE, cursor },
          (events) => {
            first ??= performance.now() - started;
            const wanted = shown(events, state.params);
            state.hidden += events.length - wanted.length;
            grid.items.push(...wanted);
            grid.grown();
          },
          { signal },
        );
        state.cursor = meta.cursor;
        state.isBusy = false;
        ended(meta, performance.now() - started);
        if (!cursor) reopen();
      } catch (error) {
        if (signal.aborted) return;
        state.isBusy = false;
        fail(error);
      }
    }

    function ended(meta, took) {
      const count = grid.items.length;
      const text = `${counted(count, 'event')} in ${(took / 1000).toFixed(2)} s${state.hidden ? `, ${counted(state.hidden, 'read')} hidden` : ''}${meta.torn ? `, ${number(meta.torn)} torn lines skipped` : ''}`;
      replace(
        status,
        text,
        ...meta.problems.map((one) => h('span', { class: 'warn' }, ' ', isolated(`${one.name}: ${one.problem}`))),
      );
      replace(foot, status, meta.cursor && button('Load more', more, { title: 'm' }));
      if (!count && !meta.cursor)
        grid.say(
          h('p', null, 'No event meets these filters.'),
          h('p', { class: 'dim' }, 'Take a longer time range, or fewer filters.'),
        );
    }

    function fail(error) {
      status.textContent = '';
      if (grid.items.length) replace(status, h('span', { class: 'warn' }, error.message));
      else grid.say(h('p', { class: 'warn' }, error.message));
    }

    /** Put what is open into the address, without a new search. */
    function remember(key) {
      state.params = changed(state.params, { sel: key });
      put(href(name, state.params), true);
    }

    function reopen() {
      const index = grid.items.findIndex((event) => keyOf(event) === state.params.get('sel'));
      if (index >= 0) grid.open(index);
    }

    show(route);
    return {
      show,
      keys: { ...grid.keys, m: more, '/': () => bar.querySelector('.search').select(), Escape: view.close },
      destroy: () => (state.stop?.abort(), grid.destroy()),
    };
  };
}

function outcomeOf(data) {
  const { event } = data;
  return typeof event === 'string' ? h('span', { class: `outcome o-${event.replace(/[^a-z]/g, '')}` }, isolated(event)) : '';
}
