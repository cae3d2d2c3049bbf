/**
 * A log as a terminal shows it: numbered, coloured, searchable, of any length.
 */

import { nodes, parse } from '../ansi.js';
import { button, h, say } from '../dom.js';
import { number } from '../text.js';
import { clock, timeElement } from '../time.js';
import { toggle } from './controls.js';
import { Lines, step, streamOf, textOf, toneOf } from './lines.js';
import { VirtualList } from './virtual.js';

const LONGEST = 4096;
const LINE = 20;

export class Log {
  /**
   * @param {Object} options
   * @param {string} options.label
   * @param {URLSearchParams} options.params `find`, `case`, `wrap` and `line`
   * @param {(changes: Object<string, string>) => void} options.onParams called with what changed of these
   * @param {(isOn: boolean) => void} options.onFollow
   * @param {() => void} options.onDownload
   * @param {(event: object) => void} options.onOpen
   */
  constructor(options) {
    Object.assign(this, options);
    this.lines = new Lines();
    this.current = Number(options.params.get('line') || 0) - 1;
    this.isFollowing = false;
    this.hasJumped = false;
    this.none = h('p', { class: 'empty' });
    this.scroller = h('div', { class: 'log', role: 'region', 'aria-label': options.label, tabindex: 0 });
    this.status = h('span', { class: 'status', role: 'status' }, 'Loading…');
    this.element = h('div', { class: 'log-view' }, this.toolbar(), this.scroller);
    this.list = new VirtualList({
      scroller: this.scroller,
      rowHeight: LINE,
      wraps: options.params.get('wrap') === '1',
      render: (index) => this.line(index),
    });
    this.scroller.prepend(this.none);
    this.scroller.classList.toggle('wraps', this.list.wraps);
    // Who scrolls up wants to read: the end isn't followed until they come back to it.
    this.scroller.addEventListener('scroll', () => (this.sticks = this.list.isAtEnd), { passive: true });
    this.sticks = true;
    if (options.params.get('find')) this.find(options.params.get('find'));
  }

  toolbar() {
    const { params } = this;
    this.field = h('input', {
      type: 'search',
      class: 'search',
      'aria-label': 'Find in log',
      placeholder: 'Find in log',
      spellcheck: 'false',
      autocomplete: 'off',
      value: params.get('find') ?? '',
      'aria-keyshortcuts': '/',
      oninput: () => {
        clearTimeout(this.timer);
        this.timer = setTimeout(() => this.find(this.field.value), 120);
      },
      onkeydown: (event) => {
        if (event.key !== 'Enter') return;
        event.preventDefault();
        clearTimeout(this.timer);
        if (this.field.value !== (this.found ?? '')) this.find(this.field.value);
        else this.toMatch(!event.shiftKey);
      },
    });
    this.count = h('span', { class: 'count', role: 'status' });
    this.errorButton = button('First error', () => this.toError(), {
      class: 'error-jump',
      disabled: true,
      title: 'Lines of level error, or that read like one (e)',
    });
    this.wrapButton = toggle('Wrap', params.get('wrap') === '1', (isOn) => this.wrap(isOn), { title: 'Wrap long lines (w)' });
    this.followButton = toggle('Follow', false, (isOn) => this.follow(isOn), { title: 'Follow what is written (f)' });
    return h(
      'div',
      { class: 'bar log-bar' },
      h(
        'div',
        { class: 'search-form', role: 'search' },
        this.field,
        this.count,
        button('↑', () => this.toMatch(false), {
          'aria-label': 'Previous match',
          title: 'Previous match (N)',
          class: 'in-field',
        }),
        button('↓', () => this.toMatch(true), { 'aria-label': 'Next match', title: 'Next match (n)', class: 'in-field' }),
      ),
      this.errorButton,
      this.wrapButton,
      this.followButton,
      h('span', { class: 'bar-end' }, this.status, button('Download', this.onDownload, { title: 'The lines as NDJSON' })),
    );
  }

  /** Add lines, in order. */
  add(events) {
    const shouldStick = this.isFollowing && this.sticks;
    if (!this.lines.add(events)) return;
    this.none.replaceChildren();
    this.list.setCount(this.lines.length);
    this.reflect();
    if (shouldStick) this.list.scrollToEnd();
    else if (!this.hasJumped && this.current >= 0 && this.lines.length > this.current) this.arrive();
  }

  /** Say how loading ended, and in place of lines why there is `none`. */
  finished(text, none = text) {
    this.status.replaceChildren(text);
    this.reflect();
    if (!this.lines.length) this.none.replaceChildren(none);
    if (this.found && this.current < 0 && this.lines.matches.length) this.toMatch(true);
  }

  arrive() {
    this.hasJumped = true;
    this.list.scrollTo(this.current, 'center');
  }

  reflect() {
    const { trouble, matches, pattern } = this.lines;
    this.errorButton.disabled = !trouble.length;
    this.errorButton.textContent = trouble.length > 1 ? `First error · ${number(trouble.length)}` : 'First error';
    const place = matches.indexOf(this.current);
    const text = pattern ? `${place < 0 ? '' : `${number(place + 1)} of `}${number(matches.length)}` : '';
    if (this.count.textContent !== text) this.count.textContent = text;
  }

  find(text) {
    this.found = text;
    this.lines.find(text, this.params.get('case') === '1' || /\p{Lu}/u.test(text));
    this.onParams({ find: text });
    this.list.refresh();
    this.reflect();
    if (text && this.lines.matches.length) this.select(step(this.lines.matches, Math.max(this.list.first() - 1, -1)));
  }

  toMatch(isForward) {
    this.select(step(this.lines.matches, this.current, isForward));
  }

  /** Go to the first error, or from one error to the next. */
  toError(isForward = true) {
    const { trouble } = this.lines;
    const isOnOne = trouble.includes(this.current);
    this.select(isOnOne ? step(trouble, this.current, isForward) : (trouble[0] ?? null));
    if (this.current >= 0) say(`Line ${this.current + 1}: ${this.lines.events[this.current].msg.slice(0, 200)}`);
  }

  select(index, where = 'center') {
    if (index === null || index === undefined || index >= this.lines.length) return;
    const before = this.current;
    this.current = Math.max(0, index);
    this.hasJumped = true;
    this.sticks = false;
    this.list.redraw(before);
    this.list.redraw(this.current);
    this.list.scrollTo(this.current, where);
    this.onParams({ line: String(this.current + 1) });
    this.reflect();
  }

  wrap(isOn) {
    this.scroller.classList.toggle('wraps', isOn);
    this.list.useHeights(LINE, isOn);
    this.onParams({ wrap: isOn ? '1' : '' });
  }

  follow(isOn) {
    this.isFollowing = isOn;
    this.sticks = true;
    this.followButton.setAttribute('aria-pressed', String(isOn));
    if (isOn) this.list.scrollToEnd();
    this.onFollow(isOn);
  }

  line(index) {
    const event = this.lines.events[index];
    const stream = streamOf(event);
    const whole = textOf(event);
    const parsed = parse(whole.length > LONGEST ? whole.slice(0, LONGEST) : whole);
    const more = whole.length - LONGEST;
    return h(
      'div',
      { class: `line s-${stream} is-${event.lvl} ${toneOf(event)} ${index === this.current ? 'selected' : ''}` },
      h(
        'a',
        {
          class: 'line-number',
          href: '#',
          'aria-label': `Line ${index + 1}`,
          tabindex: '-1',
          onclick: (click) => {
            click.preventDefault();
            this.select(index, 'near');
            this.onOpen(event);
          },
        },
        number(index + 1),
      ),
      h('span', { class: 'line-time' }, timeElement(event.ts, clock(event.ts, { day: false }))),
      h('span', { class: 'line-stream', title: stream }, { stderr: 'err', meta: '▸', stdout: '' }[stream]),
      h(
        'code',
        { class: 'line-text' },
        nodes(parsed, this.lines.marks(parsed.plain)),
        more > 0 && h('span', { class: 'more' }, ` … ${number(more)} more characters`),
      ),
    );
  }

  /** The keys of a log. */
  get keys() {
    const flip = (element) => () => element.click();
    return {
      '/': () => this.field.select(),
      e: () => this.toError(),
      E: () => this.toError(false),
      n: () => this.toMatch(true),
      N: () => this.toMatch(false),
      w: flip(this.wrapButton),
      f: flip(this.followButton),
      j: () => this.select(this.current + 1, 'near'),
      k: () => this.select(this.current - 1, 'near'),
      ArrowDown: () => this.select(this.current + 1, 'near'),
      ArrowUp: () => this.select(this.current - 1, 'near'),
      g: () => this.select(0),
      G: () => this.select(this.lines.length - 1),
      Home: () => this.select(0),
      End: () => this.select(this.lines.length - 1),
      Enter: () => this.current >= 0 && this.onOpen(this.lines.events[this.current]),
    };
  }

  destroy() {
    this.list.destroy();
  }
}
