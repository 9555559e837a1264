// Lines over time, with a cursor for mouse, finger and arrow keys.

import { Cursor } from './cursor.js';
import { el, setText, svg } from './dom.js';
import * as format from './format.js';
import { zone } from './zone.js';
import { ceiling, linear, ticks, timeTicks } from './scale.js';

const LEFT = 52;
const RIGHT = 8;
const TOP = 8;
const BOTTOM = 20;
const BREAK = 16; // seconds without a point

export class LineChart {
  #points = [];
  #marks = [];
  #series = [];
  #cursor;
  #size = { width: 0, height: 0 };
  #graph = svg('svg', { 'aria-hidden': 'true' });
  #box = el('div', { class: 'chart', tabindex: '0', role: 'group' });
  #value = el('span', {}, '–');
  #unit = el('span', { class: 'unit' });
  #legend = el('ul', { class: 'legend' });
  #legendValues = [];
  #time = el('span', { class: 'muted small', 'aria-hidden': 'true' });
  #spoken = el('output', { class: 'sr-only' });
  #span;
  #current = '–';
  #scale = null;

  // `show` formats a value; `axis` returns the unit of the axis for the highest value; `span` is the time drawn, in
  // seconds; `sums` means that the figure is the sum of the lines.
  constructor(title, { show, axis = () => ({ size: 1, name: '' }), unit = '', span = 3600, hint, sums = false }) {
    this.title = title;
    this.sums = sums;
    this.axis = axis;
    this.show = show;
    this.hint = hint;
    this.#span = span;
    this.#unit.textContent = unit;
    this.#box.append(this.#graph);
    this.element = el(
      'article', { class: 'card' },
      el('div', { class: 'card-head' }, el('h3', {}, title), this.#time),
      el('div', { class: 'figure' }, this.#value, this.#unit),
      this.#box, this.#legend, this.#spoken);
    new ResizeObserver(([entry]) => {
      this.#size = entry.contentRect;
      this.#draw();
    }).observe(this.#graph);
    this.#cursor = new Cursor(this.#box, {
      count: () => this.#points.length,
      under: (event) => this.#under(event),
      page: 60,
      changed: () => {
        this.#tell();
        this.#draw();
      },
    });
  }

  set unit(text) { setText(this.#unit, text); }

  // `points` are {time, values: {key: number|null}}; `series` are {key, label, area}.
  update(points, series, current) {
    const old = this.#points[this.#cursor.index]?.time;
    this.#points = points;
    this.#series = series;
    const kept = points.findIndex((point) => point.time === old);
    this.#cursor.index = kept === -1 ? null : kept;
    const names = series.map((each) => each.label).join('\n');
    if (series.length > 1 && this.#legend.dataset.names !== names) {
      this.#legend.dataset.names = names;
      this.#legendValues = series.map(() => el('span', { class: 'value' }));
      this.#legend.replaceChildren(...series.map((each, index) => el(
        'li', {},
        svg('svg', { viewBox: '0 0 24 8', 'aria-hidden': 'true' }, svg('line', { x1: 0, y1: 4, x2: 24, y2: 4, class: `series-${index % 4 + 1}` })),
        el('span', { class: 'label', title: each.label }, each.label),
        this.#legendValues[index])));
    }
    this.#current = current;
    const highest = Math.max(0, ...points.flatMap((point) => Object.values(point.values).filter((value) => value !== null)));
    this.#box.setAttribute('aria-label', points.length
      ? `${this.title}: now ${current} ${this.#unit.textContent}, highest ${this.show(highest)}. Arrow keys read single moments.`
      : `${this.title}: no data yet`);
    this.#tell();
    this.#draw();
  }

  // Sets the spans to shade: {from, to, text}, in seconds.
  mark(marks) { this.#marks = marks; }

  // Shows the values under the cursor, or the newest ones.
  #tell() {
    const point = this.#points[this.#cursor.index ?? this.#points.length - 1];
    if (!point) return;
    const texts = this.#series.map(({ key }) => {
      const value = point.values[key];
      return typeof value === 'number' ? this.show(value) : '–';
    });
    this.#legendValues.forEach((element, index) => setText(element, texts[index] ?? ''));
    const isChosen = this.#cursor.index !== null;
    const mark = isChosen && this.#marks.find(({ from, to }) => point.time >= from - 3 && point.time <= to + 3);
    setText(this.#time, isChosen ? `${format.time(point.time * 1000)}${mark ? ` · gap: ${mark.text}` : ''}` : zone.name);
    setText(this.#value, isChosen ? texts.length > 1 && this.sums ? this.show(sum(point)) : texts[0] : this.#current);
    setText(this.#spoken, isChosen
      ? `${format.time(point.time * 1000)}: ${this.#series.map(({ label }, index) => `${label} ${texts[index]}`).join(', ')}${mark ? `; gap: ${mark.text}` : ''}`
      : '');
  }

  #draw() {
    const { width, height } = this.#size;
    if (width < 40 || height < 40) return;
    this.#graph.setAttribute('viewBox', `0 0 ${width} ${height}`);
    if (this.#points.length < 2) {
      this.#graph.replaceChildren(svg('text', { class: 'hint', x: width / 2, y: height / 2, 'text-anchor': 'middle' }, this.hint));
      return;
    }
    const to = this.#points.at(-1).time;
    // Go back as far as anything is known, but at least five minutes.
    const first = Math.min(this.#points[0].time, ...this.#marks.filter((mark) => mark.to > to - this.#span).map((mark) => mark.from));
    const from = Math.max(to - this.#span, Math.min(first, to - 300));
    const drawn = this.#points.filter((point) => point.time >= from);
    const highest = Math.max(...drawn.flatMap((point) => this.#series.map(({ key }) => point.values[key] ?? 0)));
    const { size, name: counted } = this.axis(highest);
    const top = ceiling(highest / size, 3) * size;
    const x = linear(from, to, LEFT, width - RIGHT);
    const y = linear(0, top, height - BOTTOM, TOP);
    const parts = [];
    for (const mark of this.#marks) {
      if (mark.to < from || mark.from > to) continue;
      const [left, right] = [x(Math.max(from, mark.from)), x(Math.min(to, mark.isOpen ? to : mark.to))];
      parts.push(svg('rect', { class: 'mark', x: left, y: TOP, width: Math.max(2, right - left), height: height - BOTTOM - TOP }));
    }
    for (const mark of ticks(0, top / size, 3)) {
      const place = y(mark * size);
      parts.push(svg('line', { class: 'rule', x1: LEFT, x2: width - RIGHT, y1: place, y2: place }));
      parts.push(svg('text', { x: LEFT - 6, y: place + 4, 'text-anchor': 'end' }, `${format.compact(mark)}${counted}`));
    }
    for (const time of timeTicks(from, to, width > 420 ? 5 : 3)) {
      if (x(time) < LEFT + 14 || x(time) > width - RIGHT - 14) continue;
      parts.push(svg('text', { x: x(time), y: height - 4, 'text-anchor': 'middle' }, format.hour(time * 1000)));
    }
    this.#series.forEach(({ key, area }, index) => {
      const name = `series-${index % 4 + 1}`;
      const line = path(drawn, key, x, y);
      if (!line) return;
      if (area) {
        // Each unbroken piece is filled down to zero.
        const pieces = line.split('M').filter(Boolean).map((piece) => {
          const ends = piece.split('L').map((place) => place.split(' ')[0]);
          return `M${piece}L${ends.at(-1)} ${y(0)}L${ends[0]} ${y(0)}Z`;
        });
        parts.push(svg('path', { class: `area ${name}`, d: pieces.join('') }));
      }
      parts.push(svg('path', { class: `line ${name}`, d: line }));
    });
    const chosen = this.#points[this.#cursor.index];
    if (chosen && chosen.time >= from) {
      parts.push(svg('line', { class: 'cursor', x1: x(chosen.time), x2: x(chosen.time), y1: TOP, y2: height - BOTTOM }));
    }
    this.#scale = { from, to };
    this.#graph.replaceChildren(...parts);
  }

  #under(event) {
    if (!this.#scale || this.#points.length < 2) return null;
    const area = this.#graph.getBoundingClientRect();
    const share = (event.clientX - area.left - LEFT) / (area.width - LEFT - RIGHT);
    const time = this.#scale.from + share * (this.#scale.to - this.#scale.from);
    let best = 0;
    this.#points.forEach((point, index) => {
      if (Math.abs(point.time - time) < Math.abs(this.#points[best].time - time)) best = index;
    });
    return best;
  }
}

function sum(point) {
  return Object.values(point.values).reduce((total, value) => total + (value ?? 0), 0);
}

// The path of a line. It is broken where points are missing, as after a restart.
function path(points, key, x, y) {
  let text = '';
  let isOpen = false;
  let before = 0;
  for (const point of points) {
    const value = point.values[key];
    if (point.time - before > BREAK) isOpen = false;
    before = point.time;
    if (typeof value !== 'number') {
      isOpen = false;
      continue;
    }
    text += `${isOpen ? 'L' : 'M'}${x(point.time).toFixed(1)} ${y(value).toFixed(1)}`;
    isOpen = true;
  }
  return text;
}
