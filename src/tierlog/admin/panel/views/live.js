/**
 * What is written now, as it is written.
 */

import { stream } from '../api.js';
import { button, h, renew, say } from '../dom.js';
import { queryOf } from '../filters.js';
import { eventTable, id, keyOf, kind, level, message, tier, time } from '../parts/events.js';
import { filterBar } from '../parts/filterbar.js';
import { toggle } from '../parts/controls.js';
import { readsToggle, shown } from '../parts/reads.js';
import { go, href } from '../route.js';
import { listen } from '../sse.js';
import { counted, number } from '../text.js';

const MOST = 10_000;
const SPARE = 1000;

const unlessGap = (column) => ({ ...column, cell: (row) => !row.gap && column.cell(row) });

/** Show the tail in `root`. */
export function live(root, route) {
  const bar = h('div', { class: 'bar-place' });
  const pill = h('span', { class: 'pill', role: 'status' });
  const status = h('span', { class: 'status' });
  const foot = h('footer', { class: 'foot' }, pill, status);
  const view = eventTable({
    label: 'Live',
    kind: 'live',
    columns: [
      time,
      ...[tier, level, kind].map(unlessGap),
      { ...message, cell: words },
      id('projectId', 'Project'),
      id('buildId', 'Build'),
    ],
    rowClass: (row) => (row.gap ? 'gap' : `is-${row.lvl}`),
  });
  const { grid } = view;
  const state = { params: null, hush: null, waiting: [], frame: 0, isPaused: false, seen: 0, gone: 0 };
  const openEvent = grid.onOpen;
  grid.onOpen = (row, index) => (row.gap ? fill(row) : openEvent(row, index));
  const pauseButton = toggle('Pause', false, pause, { title: 'Pause, go on (p)' });
  root.append(h('h1', { class: 'sr' }, 'Live'), bar, view.element, foot);

  function show({ params }) {
    state.params = params;
    renew(
      bar,
      filterBar({
        params,
        usual: null,
        onChange: (next) => go(href('live', next)),
        actions: [
          readsToggle(params, (next) => go(href('live', next))),
          pauseButton,
          button('Clear', clear, { title: 'Clear (c)' }),
        ],
      }),
    );
    clear();
    state.hush?.();
    const { until, ...query } = queryOf(params);
    state.hush = listen(query, {
      onEvent: take,
      onGap: (gap) => take({ gap: true, ts: Date.now(), ...gap }),
      onCaughtUp: () => reflect('live', 'Live'),
      onState: (now, what, why) =>
        ({
          connecting: () => reflect('waiting', 'Connecting…'),
          open: () => reflect('live', 'Connected'),
          waiting: () => reflect('waiting', `Reconnecting in ${Math.ceil(what / 1000)} s${why?.status ? `: ${why.message.split(';')[0]}` : ''}`),
          refused: () => (reflect('refused', what.message), grid.say(h('p', { class: 'warn' }, what.message))),
        })[now](),
    });
  }

  function take(row) {
    if (!shown([row], state.params).length) return;
    state.waiting.push(row);
    if (state.waiting.length > MOST + SPARE) state.gone += state.waiting.splice(0, SPARE).length;
    if (state.isPaused) count();
    else state.frame ||= requestAnimationFrame(flush);
  }

  function flush() {
    state.frame = 0;
    const shouldStick = grid.list.isAtEnd || !grid.items.length;
    state.seen += state.waiting.length;
    grid.items.push(...state.waiting.splice(0));
    if (grid.items.length > MOST + SPARE) trim();
    else grid.grown();
    if (grid.items.length) grid.say();
    if (shouldStick) grid.list.scrollToEnd();
    count();
  }

  /** Let go of the oldest, and keep what is read where it is. */
  function trim() {
    const extra = grid.items.length - MOST;
    state.gone += extra;
    const top = grid.element.scrollTop - extra * grid.list.rowHeight;
    const selected = grid.selected - extra;
    grid.set(grid.items.slice(extra));
    if (selected >= 0) grid.selected = selected;
    grid.element.scrollTop = Math.max(0, top);
    grid.list.refresh();
  }

  function count() {
    const held = state.isPaused && state.waiting.length ? `, ${number(state.waiting.length)} held back` : '';
    status.textContent = `${counted(state.seen, 'event')}${held}${state.gone ? `, the oldest ${number(state.gone)} no longer shown` : ''}`;
  }

  function reflect(name, text) {
    pill.className = `pill p-${state.isPaused ? 'paused' : name}`;
    pill.textContent = state.isPaused ? 'Paused' : text;
    state.last = [name, text];
    if (!grid.items.length && name !== 'refused')
      grid.say(
        h('p', null, 'Waiting for the next event…'),
        h('p', { class: 'dim' }, 'Events show here as any process writes them.'),
      );
  }

  function pause(isPaused) {
    state.isPaused = isPaused;
    reflect(...(state.last ?? ['live', 'Live']));
    if (!isPaused) flush();
    say(isPaused ? 'Paused' : 'Live');
  }

  function clear() {
    state.seen = state.gone = 0;
    state.waiting = [];
    grid.set([]);
    view.clear();
    count();
    if (state.last) reflect(...state.last);
  }

  function words(row) {
    if (!row.gap) return message.cell(row);
    return h(
      'span',
      { class: 'gap-words' },
      row.count === null
        ? 'The server couldn’t go on where it was: some events may be missing. '
        : `${counted(row.count, 'event')} came faster than this page took them. `,
      row.problem
        ? h('span', { class: 'warn' }, row.problem)
        : button(row.isBusy ? 'Fetching…' : 'Fetch them', () => fill(row), { class: 'plain', disabled: row.isBusy }),
    );
  }

  /** Put what is missing in the place of the gap. */
  async function fill(gap) {
    if (gap.isBusy) return;
    gap.isBusy = true;
    grid.list.refresh();
    try {
      const events = [];
      await stream(
        'logs/search',
        { ...queryOf(state.params), since: gap.since, until: gap.until, order: 'asc', limit: MOST },
        (some) => events.push(...some),
      );
      const shown = new Set(grid.items.map(keyOf));
      const missing = events.filter((event) => !shown.has(keyOf(event)));
      const index = grid.items.indexOf(gap);
      if (index >= 0) grid.set(grid.items.toSpliced(index, 1, ...missing));
      state.seen += missing.length;
      count();
    } catch (error) {
      Object.assign(gap, { isBusy: false, problem: error.message });
      grid.list.refresh();
    }
  }

  show(route);
  return {
    show,
    keys: {
      ...grid.keys,
      p: () => pauseButton.click(),
      c: clear,
      '/': () => bar.querySelector('.search').select(),
      Escape: view.close,
    },
    destroy: () => (state.hush?.(), cancelAnimationFrame(state.frame), grid.destroy()),
  };
}
