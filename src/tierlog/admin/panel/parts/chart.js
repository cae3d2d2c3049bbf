/**
 * Small charts in SVG, each with its numbers as a table for who can't see it or wants them exact.
 */

import { h, s } from '../dom.js';

const WIDTH = 640;
const HEIGHT = 180;
const PAD = { left: 0, right: 0, top: 10, bottom: 22 };

/**
 * @typedef {{name: string, label: string, values: (number|null)[]}} Series `name` is that of its colour
 * @typedef {Object} Chart
 * @property {string} title
 * @property {string} [note]
 * @property {string[]} labels one for each place on the x axis, in full
 * @property {string[]} [ticks] the same, short
 * @property {Series[]} series
 * @property {(value: number) => string} format
 */

/** Return a chart of stacked bars. @param {Chart} chart */
export function bars(chart) {
  const totals = chart.labels.map((_, i) => chart.series.reduce((sum, one) => sum + (one.values[i] ?? 0), 0));
  return figure(chart, nice(Math.max(...totals, 0)), (x, y, step) => {
    const width = Math.max(1, Math.min(step * 0.75, 28));
    return chart.labels.map((_, i) => {
      let below = 0;
      return chart.series.map((one) => {
        const value = one.values[i] ?? 0;
        if (!value) return null;
        const top = y(below + value);
        const height = Math.max(y(below) - top, 0.5);
        below += value;
        return s('rect', { class: `f-${one.name}`, x: x(i) - width / 2, y: top, width, height, rx: Math.min(1.5, width / 4) });
      });
    });
  });
}

/** Return a chart of lines; where a value is null, a line has a gap. @param {Chart} chart */
export function lines(chart) {
  const most = Math.max(...chart.series.flatMap((one) => one.values.map((value) => value ?? 0)), 0);
  return figure(chart, nice(most), (x, y) =>
    chart.series.map((one) => {
      let isDown = false;
      const d = one.values
        .map((value, i) => {
          const move =
            value === null || value === undefined ? '' : `${isDown ? 'L' : 'M'}${x(i).toFixed(1)} ${y(value).toFixed(1)}`;
          isDown = move !== '';
          return move;
        })
        .join('');
      const dots = one.values.map((value, i) =>
        value === null || value === undefined || one.values.length > 40
          ? null
          : s('circle', { class: `f-${one.name}`, cx: x(i), cy: y(value), r: 2.2 }),
      );
      return [s('path', { class: `line-of k-${one.name}`, d }), dots];
    }),
  );
}

function figure(chart, top, draw) {
  const count = chart.labels.length;
  const step = (WIDTH - PAD.left - PAD.right) / Math.max(count, 1);
  const x = (i) => PAD.left + step * (i + 0.5);
  const y = (value) => HEIGHT - PAD.bottom - (top ? value / top : 0) * (HEIGHT - PAD.top - PAD.bottom);
  const isEmpty = !count || !chart.series.some((one) => one.values.some((value) => value));
  const readout = h('div', { class: 'readout', 'aria-hidden': 'true' });
  const cursor = s('line', { class: 'cursor', y1: PAD.top, y2: HEIGHT - PAD.bottom, x1: -9, x2: -9 });
  const svg = s(
    'svg',
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: 'chart', 'aria-hidden': 'true', preserveAspectRatio: 'none' },
    [0, 0.5, 1].map((part) =>
      s('line', { class: 'rule', x1: PAD.left, x2: WIDTH - PAD.right, y1: y(top * part), y2: y(top * part) }),
    ),
    isEmpty ? null : draw(x, y, step),
    cursor,
  );
  svg.addEventListener('pointermove', (event) => {
    const box = svg.getBoundingClientRect();
    const i = Math.floor((((event.clientX - box.left) / box.width) * WIDTH - PAD.left) / step);
    if (i < 0 || i >= count) return leave();
    cursor.setAttribute('x1', x(i));
    cursor.setAttribute('x2', x(i));
    readout.replaceChildren(
      h('b', null, chart.labels[i]),
      ...chart.series.map((one) =>
        h(
          'span',
          null,
          h('i', { class: `swatch f-${one.name}` }),
          `${one.label} ${one.values[i] === null || one.values[i] === undefined ? '–' : chart.format(one.values[i])}`,
        ),
      ),
    );
  });
  const leave = () => {
    cursor.setAttribute('x1', -9);
    cursor.setAttribute('x2', -9);
    readout.replaceChildren(...legend(chart));
  };
  svg.addEventListener('pointerleave', leave);
  leave();
  return h(
    'figure',
    { class: 'card chart-card' },
    h('figcaption', null, h('h3', null, chart.title), chart.note && h('span', { class: 'dim' }, chart.note)),
    readout,
    h('div', { class: 'plot' }, svg, axis(chart, top, x, y), isEmpty && h('p', { class: 'nothing-yet' }, 'Nothing in this time')),
    numbers(chart),
  );
}

/** The texts of the axes are HTML: they don't stretch with the drawing. */
function axis(chart, top, x, y) {
  const ticks = chart.ticks ?? chart.labels;
  const every = Math.max(1, Math.ceil(ticks.length / 6));
  return [
    [0, 0.5, 1].map((part) =>
      h(
        'span',
        { class: 'tick-y', 'aria-hidden': 'true', style: { top: `${(y(top * part) / HEIGHT) * 100}%` } },
        top || part === 0 ? chart.format(top * part) : '',
      ),
    ),
    ticks.map((tick, i) =>
      i % every ? null : h('span', { class: 'tick-x', 'aria-hidden': 'true', style: { left: `${(x(i) / WIDTH) * 100}%` } }, tick),
    ),
  ];
}

function legend(chart) {
  return chart.series.map((one) => h('span', null, h('i', { class: `swatch f-${one.name}` }), one.label));
}

function numbers(chart) {
  return h(
    'details',
    { class: 'numbers' },
    h('summary', null, 'As a table'),
    h(
      'div',
      { class: 'numbers-scroll' },
      h(
        'table',
        null,
        h('caption', { class: 'sr' }, chart.title),
        h(
          'thead',
          null,
          h(
            'tr',
            null,
            h('th', { scope: 'col' }, 'Time'),
            chart.series.map((one) => h('th', { scope: 'col' }, one.label)),
          ),
        ),
        h(
          'tbody',
          null,
          chart.labels.map((label, i) =>
            h(
              'tr',
              null,
              h('th', { scope: 'row' }, label),
              chart.series.map((one) =>
                h('td', null, one.values[i] === null || one.values[i] === undefined ? '–' : chart.format(one.values[i])),
              ),
            ),
          ),
        ),
      ),
    ),
  );
}

/** Return a round number that is no less. */
function nice(value) {
  if (value <= 0) return 0;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map((one) => one * power).find((one) => one >= value * 0.999);
}
