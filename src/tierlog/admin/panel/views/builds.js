/**
 * Builds from the database, the failed ones first asked for: which, where and when.
 */

import { getJSON } from '../api.js';
import { button, h, renew } from '../dom.js';
import { field, select, timeRange } from '../parts/controls.js';
import { Grid } from '../parts/grid.js';
import { idForm, lately } from '../parts/pick.js';
import { changed, go, href } from '../route.js';
import { counted, isolated, short } from '../text.js';
import { ago, duration, ms, timeElement } from '../time.js';

const STATUSES = [
  ['failed', 'Failed'],
  ['deployed', 'Deployed'],
  ['any', 'Any status'],
];
const STAGES = [
  ['', 'Any stage'],
  ...['pre-install', 'build', 'deploy', 'ghost_build_timeout'].map((one) => [one, one.replaceAll('_', ' ')]),
];
const PAGE = 100;

/** The list that was looked at last, and the build that was opened from it: the way back. */
const last = { address: href('builds'), build: null };

/** Return where the list is that a build was opened from. */
export function listAddress() {
  return last.address;
}

/** Show the list in `root`. */
export function builds(root, route) {
  const bar = h('div', { class: 'bar' });
  const status = h('span', { class: 'status', role: 'status' });
  const grid = new Grid({
    label: 'Builds',
    kind: 'builds',
    columns: COLUMNS,
    rowClass: (build) => `b-${build.status}`,
    onOpen: open,
    onEnd: () => more(),
    heights: [36, 58],
  });
  const state = { stop: null, next: null, isBusy: false, params: null };
  root.append(h('h1', { class: 'sr' }, 'Builds'), bar, grid.element);

  function show({ params }) {
    state.params = params;
    last.address = href('builds', params);
    renew(
      bar,
      ...filters(params),
      h(
        'span',
        { class: 'bar-end' },
        status,
        button('Refresh', () => load(params), { title: 'Ask again' }),
      ),
    );
    load(params);
  }

  async function load(params) {
    state.stop?.abort();
    state.stop = new AbortController();
    grid.set([]);
    status.textContent = 'Loading…';
    await page(queryOf(params));
  }

  async function more() {
    if (!state.next || state.isBusy) return;
    await page({ ...queryOf(state.params), cursor: state.next });
  }

  async function page(query) {
    state.isBusy = true;
    const { signal } = state.stop;
    try {
      const answer = await getJSON('builds', query, { signal });
      state.next = answer.next;
      grid.items.push(...answer.items);
      grid.grown();
      const opened = grid.selected < 0 ? grid.items.findIndex((build) => build.build_id === last.build) : -1;
      if (opened >= 0) grid.select(opened);
      status.textContent = `${counted(grid.items.length, 'build')}${state.next ? ', more below' : ''}`;
      if (!grid.items.length)
        grid.say(
          h('p', null, 'No build meets these filters.'),
          h('p', { class: 'dim' }, 'Take a longer time range, or any status.'),
        );
    } catch (error) {
      if (signal.aborted) return;
      status.textContent = grid.items.length ? error.message : '';
      if (!grid.items.length) grid.say(...trouble(error));
    } finally {
      if (!signal.aborted) state.isBusy = false;
    }
  }

  show(route);
  return {
    show,
    keys: { ...grid.keys, m: more, '/': () => bar.querySelector('input').select() },
    destroy: () => (state.stop?.abort(), grid.destroy()),
  };
}

/** Return how builds look that aren't in the list of the address. */
export function statusOf(build) {
  return h('span', { class: `build-status b-${build.status}` }, isolated(build.status ?? 'unknown'));
}

const COLUMNS = [
  { name: 'status', label: 'Status', cell: statusOf },
  {
    name: 'stage',
    label: 'Stage',
    cell: (build) => build.failure_stage && h('span', { class: 'stage' }, isolated(build.failure_stage.replaceAll('_', ' '))),
  },
  {
    name: 'build',
    label: 'Build',
    cell: (build) => h('a', { href: address(build), title: build.build_id, tabindex: '-1' }, isolated(short(build.build_id, 6))),
  },
  {
    name: 'project',
    label: 'Project',
    cell: (build) =>
      h(
        'a',
        { href: href('timeline', { projectId: build.project_id }), title: build.project_id, tabindex: '-1' },
        isolated(short(build.project_id ?? '–', 6)),
      ),
  },
  { name: 'framework', label: 'Framework', cell: (build) => isolated(build.framework ?? build.detected_framework ?? '–') },
  { name: 'what', label: 'Kind', cell: (build) => whatOf(build) },
  { name: 'duration', label: 'Duration', cell: (build) => duration(build.total_duration_ms) },
  {
    name: 'when',
    label: 'When',
    cell: (build) => {
      const at = ms(build.created_at ?? build.started_at);
      return timeElement(at, at === null ? '' : ago(at));
    },
  },
];

export function whatOf(build) {
  const words = [build.is_initial_build && 'first', build.is_update && 'update', build.is_retry && 'retry'].filter(Boolean);
  if (build.attempt_number > 1) words.push(`attempt ${build.attempt_number}`);
  return words.join(', ') || '–';
}

function filters(params) {
  const change = (changes) => go(href('builds', changed(params, changes)));
  return [
    select('Status', STATUSES, params.get('status') ?? 'failed', (status) =>
      change({ status: status === 'failed' ? '' : status }),
    ),
    select('Failure stage', STAGES, params.get('failureStage') ?? '', (failureStage) => change({ failureStage })),
    field('Framework', params.get('framework') ?? '', (framework) => change({ framework })),
    field('Project', params.get('projectId') ?? '', (projectId) => change({ projectId }), { class: 'id-field' }),
    timeRange(params, '7d', change),
  ];
}

function queryOf(params) {
  const query = { status: 'failed', since: '7d', ...Object.fromEntries(params), limit: PAGE };
  if (query.status === 'any') delete query.status;
  if (query.since === 'all') delete query.since;
  return query;
}

/** Say why there is no list, and offer the logs that there are. */
function trouble(error) {
  const to = (id) => address({ build_id: id });
  const why =
    error.status === 404
      ? 'No database of builds is connected, so there is no list of those that failed: start with --builds.'
      : error.message;
  return [h('p', null, why), idForm('A build’s log can be opened by its id:', 'Build id', 'Open', to), lately('build', to)];
}

function address(build) {
  return href(`builds/${encodeURIComponent(build.build_id)}`);
}

function open(build) {
  last.build = build.build_id;
  go(address(build));
}
