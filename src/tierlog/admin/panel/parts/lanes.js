/**
 * How much happened when, a lane for each tier: an overview that leads into a list.
 */

import { h, s } from '../dom.js';
import { TIERS } from '../filters.js';
import { clock, dayAndTime } from '../time.js';

const BINS = 120;
const LANE = 14;
const SHORT = 600_000;

/**
 * Return the overview.
 *
 * @param {{ts: number, tier: string, lvl: string}[]} events
 * @param {(from: number, to: number, tier: string) => void} onPick called with the time that was clicked
 */
export function lanes(events, onPick) {
  const from = Math.min(...spread(events));
  const to = Math.max(...spread(events), from + 1000);
  const width = (to - from) / BINS;
  const when = to - from < SHORT ? (at) => clock(at) : dayAndTime;
  const bins = new Map();
  for (const event of events) {
    const key = `${event.tier} ${Math.min(BINS - 1, Math.floor((event.ts - from) / width))}`;
    const bin = bins.get(key) ?? { count: 0, errors: 0 };
    bin.count += 1;
    bin.errors += event.lvl === 'error' ? 1 : 0;
    bins.set(key, bin);
  }
  const most = Math.max(...[...bins.values()].map((bin) => bin.count), 1);
  const marks = [...bins].map(([key, bin]) => {
    const [tier, place] = key.split(' ');
    const start = from + Number(place) * width;
    // Seldom ones must be seen, too: how opaque a mark is grows with the logarithm.
    const opacity = 0.35 + 0.65 * (Math.log1p(bin.count) / Math.log1p(most));
    return s(
      'rect',
      {
        class: bin.errors ? 'f-error' : `f-${tier}`,
        x: Number(place) + 0.06,
        width: 0.88,
        rx: 0.12,
        y: TIERS.indexOf(tier) * LANE + 2,
        height: LANE - 4,
        'fill-opacity': opacity.toFixed(2),
        onclick: () => onPick(start, start + width, tier),
      },
      s('title', null, `${when(start)}: ${bin.count} ${tier}${bin.errors ? `, ${bin.errors} errors` : ''}`),
    );
  });
  return h(
    'div',
    { class: 'lanes', 'aria-hidden': 'true' },
    h(
      'div',
      { class: 'lane-names' },
      TIERS.map((tier) => h('span', { class: `tier t-${tier}` }, tier)),
    ),
    h(
      'div',
      { class: 'lane-plot' },
      s('svg', { viewBox: `0 0 ${BINS} ${TIERS.length * LANE}`, preserveAspectRatio: 'none' }, marks),
      h('div', { class: 'lane-times' }, h('span', null, when(from)), h('span', null, when(to))),
    ),
  );
}

/** Math.min can't take a hundred thousand arguments; events come sorted, so their ends are enough. */
function spread(events) {
  return [events[0].ts, events.at(-1).ts];
}
