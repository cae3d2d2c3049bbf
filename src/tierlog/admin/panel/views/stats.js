/**
 * How much, how many errors, how long builds take, and what waits to be shipped.
 */

import { getJSON } from '../api.js';
import { button, h, renew, replace } from '../dom.js';
import { TIERS, LEVELS } from '../filters.js';
import { bars, lines } from '../parts/chart.js';
import { field, select } from '../parts/controls.js';
import { go, href } from '../route.js';
import { bytes, counted, number } from '../text.js';
import { dayAndTime, dayOf, duration, hourOf, span } from '../time.js';

const HOUR = 3_600_000;
/** What the server takes if nothing is asked for: a day of events, and a month of builds. */
const USUAL = '24h';
const SPANS = [
  ['24h', 'Last 24 hours'],
  ['7d', 'Last 7 days'],
  ['30d', 'Last 30 days'],
];

/** Show the figures in `root`. */
export function stats(root, route) {
  const bar = h('div', { class: 'bar' });
  const page = h('div', { class: 'page stats', tabindex: '-1' });
  let stop = null;
  root.append(h('h1', { class: 'sr' }, 'Stats'), bar, page);

  function show({ params }) {
    const since = params.get('since') ?? USUAL;
    const projectId = params.get('projectId') ?? '';
    renew(
      bar,
      select('Time range', SPANS, since, (value) => go(href('stats', { since: value === USUAL ? '' : value, projectId }))),
      field('Project', projectId, (value) => go(href('stats', { since: params.get('since'), projectId: value })), {
        class: 'id-field',
      }),
      h(
        'span',
        { class: 'bar-end' },
        button('Refresh', () => load(since, projectId)),
      ),
    );
    page.scrollTop = 0;
    load(since, projectId);
  }

  async function load(since, projectId) {
    stop?.abort();
    stop = new AbortController();
    const { signal } = stop;
    page.setAttribute('aria-busy', 'true');
    try {
      replace(page, ...figures(await getJSON('stats', { since: since === USUAL ? '' : since, projectId }, { signal }), since));
    } catch (error) {
      if (!signal.aborted) replace(page, h('p', { class: 'warn' }, error.message));
    }
    page.removeAttribute('aria-busy');
  }

  show(route);
  return { show, keys: { '/': () => bar.querySelector('input').select() }, destroy: () => stop?.abort() };
}

function figures({ volume = [], builds, backlog, process }, since) {
  const places = placesOf(since);
  const total = sum(volume);
  const errors = sum(volume.filter((one) => one.lvl === 'error'));
  const hasBuilds = builds && !builds.problem;
  const days = builds?.days ?? [];
  const month = since === USUAL ? ' in 30 days' : '';
  const [good, bad] = ['deployed', 'failed'].map((name) => days.reduce((all, day) => all + (day[name] ?? 0), 0));
  return [
    h(
      'div',
      { class: 'numbers-row' },
      figure('Events', number(total), `${compact(volume.length ? total / (span(since) / HOUR) : 0)} an hour`),
      figure('Error rate', percent(total ? errors / total : 0), counted(errors, 'error'), errors ? 'bad' : ''),
      hasBuilds && figure('Builds', number(good + bad), `${number(bad)} failed${month}`),
      builds?.problem && figure('Builds', '–', builds.problem, 'bad'),
      !builds && figure('Builds', '–', 'no database is connected'),
      backlog && figure('Waiting to ship', number(backlog.segments), bytes(backlog.bytes)),
      backlog &&
        figure(
          'Oldest unshipped',
          backlog.segments ? duration((backlog.oldest_age_s ?? 0) * 1000) : '–',
          backlog.segments ? 'its age' : 'nothing waits',
        ),
    ),
    h(
      'div',
      { class: 'charts' },
      bars({
        title: 'Volume',
        note: 'events by tier',
        ...places.labels,
        format: compact,
        series: TIERS.map((tier) =>
          series(
            tier,
            places,
            volume.filter((one) => one.tier === tier),
          ),
        ),
      }),
      lines({
        title: 'Error rate',
        note: 'errors among a tier’s events',
        ...places.labels,
        format: percent,
        series: TIERS.map((tier) =>
          rate(
            tier,
            places,
            volume.filter((one) => one.tier === tier),
          ),
        ),
      }),
      bars({
        title: 'Levels',
        note: 'events by level',
        ...places.labels,
        format: compact,
        series: LEVELS.map((lvl) =>
          series(
            lvl,
            places,
            volume.filter((one) => one.lvl === lvl),
          ),
        ),
      }),
      hasBuilds &&
        lines({
          title: 'Build time',
          note: `by day${month}`,
          ...dayLabels(days),
          format: (value) => duration(value),
          series: [
            { name: 'p50', label: 'p50', values: days.map((day) => day.p50_ms ?? null) },
            { name: 'p95', label: 'p95', values: days.map((day) => day.p95_ms ?? null) },
          ],
        }),
      hasBuilds &&
        bars({
          title: 'Builds',
          note: `by day${month}`,
          ...dayLabels(days),
          format: compact,
          series: [
            { name: 'ok', label: 'deployed', values: days.map((day) => day.deployed ?? 0) },
            { name: 'error', label: 'failed', values: days.map((day) => day.failed ?? 0) },
          ],
        }),
    ),
    process &&
      h(
        'details',
        { class: 'card process' },
        h('summary', null, 'Counters of the server’s own process'),
        h(
          'dl',
          { class: 'facts' },
          Object.entries(process).map(([name, value]) =>
            h(
              'div',
              null,
              h('dt', null, name.replaceAll('_', ' ')),
              h('dd', null, value !== null && typeof value === 'object' ? JSON.stringify(value) : String(value)),
            ),
          ),
        ),
      ),
  ];
}

function figure(label, value, note, css = '') {
  return h(
    'div',
    { class: `card figure ${css}` },
    h('span', { class: 'figure-label' }, label),
    h('b', null, value),
    h('span', { class: 'dim' }, note),
  );
}

/** Return the places on the axis of time: hours, or as many together as leave some sixty. */
function placesOf(since) {
  const now = Math.floor(Date.now() / HOUR);
  const hours = Math.ceil((span(since) ?? 24 * HOUR) / HOUR);
  const width = hours <= 48 ? 1 : hours <= 24 * 8 ? 4 : 24;
  const first = Math.floor((now - hours + 1) / width);
  const count = Math.floor(now / width) - first + 1;
  const starts = Array.from({ length: count }, (_, i) => (first + i) * width * HOUR);
  return {
    count,
    indexOf: (at) => Math.floor(at / HOUR / width) - first,
    labels: { labels: starts.map(dayAndTime), ticks: starts.map(width > 1 ? dayOf : hourOf) },
  };
}

function series(name, places, rows) {
  const values = Array(places.count).fill(0);
  for (const row of rows) {
    const i = places.indexOf(row.hour);
    if (i >= 0 && i < places.count) values[i] += row.count;
  }
  return { name, label: name, values };
}

function rate(tier, places, rows) {
  const all = series(tier, places, rows).values;
  const errors = series(
    tier,
    places,
    rows.filter((row) => row.lvl === 'error'),
  ).values;
  return { name: tier, label: tier, values: all.map((value, i) => (value ? errors[i] / value : null)) };
}

function dayLabels(days) {
  const at = days.map(({ day }) => (typeof day === 'number' ? day : Date.parse(`${String(day).slice(0, 10)}T12:00`)));
  return { labels: at.map(dayOf), ticks: at.map(dayOf) };
}

function sum(rows) {
  return rows.reduce((all, row) => all + row.count, 0);
}

function percent(value) {
  return `${(value * 100).toFixed(value > 0 && value < 0.1 ? 1 : 0)} %`;
}

function compact(value) {
  return Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 }).format(value);
}
