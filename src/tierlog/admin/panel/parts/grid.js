/**
 * A table of any length whose rows can be walked through with the keyboard and opened.
 */

import { h } from '../dom.js';
import { VirtualList } from './virtual.js';

const narrow = matchMedia('(max-width: 720px)');
let grids = 0;

/**
 * @typedef {{name: string, label: string, cell: (item: any) => any}} Column
 */
export class Grid {
  /**
   * @param {Object} options
   * @param {string} options.label what the table holds, for those who can't see it
   * @param {string} options.kind the name of its style: `grid-…`
   * @param {Column[]} options.columns
   * @param {(item: any) => string} [options.rowClass]
   * @param {(item: any, index: number) => void} options.onOpen
   * @param {() => void} [options.onEnd] called when the last rows are in sight
   * @param {[number, number]} [options.heights] of a row, in pixels: on a wide screen and on a narrow one
   */
  constructor({ label, kind, columns, rowClass = () => '', onOpen, onEnd = () => {}, heights = [28, 50] }) {
    Object.assign(this, { columns, rowClass, onOpen, onEnd, heights });
    this.items = [];
    this.selected = -1;
    this.opened = null;
    this.id = `grid${(grids += 1)}`;
    const head = columns.map((column) => h('span', { role: 'columnheader', class: `c-${column.name}` }, column.label));
    this.head = h('div', { role: 'row', class: 'grid-row grid-head', 'aria-rowindex': 1 }, head);
    this.empty = h('div', { class: 'empty', role: 'presentation' });
    this.element = h(
      'div',
      {
        class: `grid grid-${kind}`,
        role: 'grid',
        'aria-label': label,
        'aria-colcount': columns.length,
        tabindex: 0,
      },
      this.head,
      this.empty,
    );
    this.list = new VirtualList({
      scroller: this.element,
      rowHeight: heights[Number(narrow.matches)],
      render: (index) => this.row(index),
      onRange: (_, last) => last >= this.items.length - 1 && this.items.length && this.onEnd(),
    });
    this.onNarrow = () => this.list.useHeights(heights[Number(narrow.matches)], false);
    narrow.addEventListener('change', this.onNarrow);
  }

  /** Show these items. */
  set(items) {
    this.items = items;
    this.selected = -1;
    this.empty.replaceChildren();
    this.element.removeAttribute('aria-activedescendant');
    this.list.count = items.length;
    this.list.heights.resize(items.length);
    this.list.refresh();
    this.element.setAttribute('aria-rowcount', items.length + 1);
  }

  /** Show what was added to the items. */
  grown() {
    this.element.setAttribute('aria-rowcount', this.items.length + 1);
    this.list.setCount(this.items.length);
  }

  /** Say in place of rows why there are none. */
  say(...content) {
    this.empty.replaceChildren(...content);
  }

  /** Make a row the current one, and bring it into sight. */
  select(index) {
    if (!this.items.length) return;
    const before = this.selected;
    this.selected = Math.max(0, Math.min(this.items.length - 1, index));
    this.list.redraw(before);
    this.list.redraw(this.selected);
    this.list.scrollTo(this.selected);
    this.element.setAttribute('aria-activedescendant', `${this.id}-${this.selected}`);
  }

  open(index = this.selected) {
    if (index < 0 || index >= this.items.length) return;
    this.select(index);
    this.onOpen(this.items[index], index);
  }

  /** The keys that walk through it. */
  get keys() {
    const page = () => Math.max(1, Math.floor(this.element.clientHeight / this.list.rowHeight) - 2);
    const by = (step) => () => this.select(this.selected < 0 ? 0 : this.selected + step());
    return {
      j: by(() => 1),
      ArrowDown: by(() => 1),
      k: by(() => -1),
      ArrowUp: by(() => -1),
      PageDown: by(page),
      PageUp: by(() => -page()),
      g: () => this.select(0),
      Home: () => this.select(0),
      G: () => this.select(this.items.length - 1),
      End: () => this.select(this.items.length - 1),
      Enter: () => this.open(),
    };
  }

  row(index) {
    const item = this.items[index];
    const isSelected = index === this.selected;
    return h(
      'div',
      {
        role: 'row',
        id: `${this.id}-${index}`,
        class: `grid-row ${this.rowClass(item)} ${isSelected ? 'selected' : ''}`,
        'aria-rowindex': index + 2,
        'aria-selected': String(isSelected),
        onclick: (event) => {
          if (event.target.closest('a') || event.ctrlKey || event.metaKey) return;
          if (String(getSelection()).length) return;
          this.open(index);
        },
      },
      this.columns.map((column) => h('span', { role: 'gridcell', class: `c-${column.name}` }, column.cell(item))),
    );
  }

  destroy() {
    narrow.removeEventListener('change', this.onNarrow);
    this.list.destroy();
  }
}
