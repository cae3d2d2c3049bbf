/**
 * Draws only those rows of a list that can be seen, so that a hundred thousand scroll as ten do.
 */

import { h } from '../dom.js';
import { EqualHeights, MeasuredHeights } from './heights.js';

const MARGIN = 12;

export class VirtualList {
  /**
   * @param {Object} options
   * @param {HTMLElement} options.scroller what scrolls
   * @param {number} options.rowHeight in pixels; with `wraps`, of a row of one line
   * @param {boolean} [options.wraps] whether rows have heights of their own
   * @param {(index: number) => HTMLElement} options.render
   * @param {(first: number, last: number) => void} [options.onRange] called when other rows are in sight
   */
  constructor({ scroller, rowHeight, wraps = false, render, onRange = () => {} }) {
    this.scroller = scroller;
    this.render = render;
    this.onRange = onRange;
    this.count = 0;
    this.rows = new Map();
    this.layer = h('div', { class: 'rows', role: 'presentation' });
    this.space = h('div', { class: 'rows-space', role: 'presentation' }, this.layer);
    scroller.append(this.space);
    this.useHeights(rowHeight, wraps);
    scroller.addEventListener('scroll', () => this.draw(), { passive: true });
    this.observer = new ResizeObserver(() => this.resized());
    this.observer.observe(scroller);
  }

  /** Change how high rows are, keeping the first one in sight where it is. */
  useHeights(rowHeight, wraps) {
    const first = this.heights ? this.first() : 0;
    this.rowHeight = rowHeight;
    this.wraps = wraps;
    this.heights = wraps ? new MeasuredHeights(rowHeight) : new EqualHeights(rowHeight);
    this.heights.resize(this.count);
    this.width = this.scroller.clientWidth;
    this.scroller.style.setProperty('--row', `${rowHeight}px`);
    this.refresh();
    if (first) this.scrollTo(first, 'start');
  }

  /** Have this many rows from now on. */
  setCount(count) {
    this.count = count;
    this.heights.resize(count);
    this.draw();
  }

  /** Draw anew what can be seen. */
  refresh() {
    for (const row of this.rows.values()) row.remove();
    this.rows.clear();
    this.draw();
  }

  /** Draw one row anew, if it is drawn. */
  redraw(index) {
    this.rows.get(index)?.remove();
    this.rows.delete(index);
    this.draw();
  }

  /** Return the first row in sight. */
  first() {
    return this.heights.indexAt(this.scroller.scrollTop);
  }

  get isAtEnd() {
    return this.scroller.scrollTop + this.scroller.clientHeight >= this.scroller.scrollHeight - this.rowHeight;
  }

  /**
   * Bring a row into sight.
   *
   * @param {number} index
   * @param {'near'|'center'|'start'|'end'} [where] `near`: move no more than needed
   */
  scrollTo(index, where = 'near') {
    // Heights on the way are guesses until they are drawn: a second look corrects the aim.
    for (let turn = 0; turn < (this.wraps ? 3 : 1); turn += 1) {
      const top = this.heights.top(index);
      const height = this.heights.top(index + 1) - top;
      const room = this.scroller.clientHeight - this.space.offsetTop;
      const now = this.scroller.scrollTop;
      let to = now;
      if (where === 'start') to = top;
      else if (where === 'end') to = top + height - room;
      else if (where === 'center') to = top - (room - height) / 2;
      else if (top < now) to = top;
      else if (top + height > now + room) to = top + height - room;
      if (to !== now) this.scroller.scrollTop = to;
      this.draw();
    }
  }

  scrollToEnd() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.draw();
    if (this.wraps) this.scroller.scrollTop = this.scroller.scrollHeight;
  }

  draw() {
    const { scroller, heights } = this;
    this.space.style.height = `${heights.total}px`;
    if (!this.count) {
      this.layer.replaceChildren();
      this.rows.clear();
      return;
    }
    const first = Math.max(0, heights.indexAt(scroller.scrollTop) - MARGIN);
    const last = Math.min(this.count - 1, heights.indexAt(scroller.scrollTop + scroller.clientHeight) + MARGIN);
    this.fill(first, last);
    if (this.wraps && this.measure(first, last)) this.space.style.height = `${heights.total}px`;
    this.layer.style.transform = `translateY(${heights.top(first)}px)`;
    this.onRange(first, last);
  }

  /** Have exactly these rows drawn, in order; rows that stay are left as they are. */
  fill(first, last) {
    for (const [index, row] of this.rows) {
      if (index >= first && index <= last) continue;
      row.remove();
      this.rows.delete(index);
    }
    let after = null;
    for (let index = last; index >= first; index -= 1) {
      let row = this.rows.get(index);
      if (!row) {
        row = this.render(index);
        this.rows.set(index, row);
        this.layer.insertBefore(row, after);
      }
      after = row;
    }
  }

  measure(first, last) {
    const anchor = this.first();
    const before = this.heights.top(anchor);
    let isNews = false;
    for (let index = first; index <= last; index += 1) {
      isNews = this.heights.measure(index, this.rows.get(index).getBoundingClientRect().height) || isNews;
    }
    const moved = this.heights.top(anchor) - before;
    if (moved) this.scroller.scrollTop += moved;
    return isNews;
  }

  resized() {
    if (this.wraps && this.width !== this.scroller.clientWidth) this.useHeights(this.rowHeight, true);
    else this.draw();
  }

  destroy() {
    this.observer.disconnect();
    this.space.remove();
  }
}
