// Candles with volume: hollow for up, filled for down, so that colour is not all that tells them apart.

import { Cursor } from './cursor.js';
import { el, setText, svg } from './dom.js';
import * as format from './format.js';
import { linear, ticks } from './scale.js';

const RIGHT = 62;
const LEFT = 6;
const TOP = 10;
const BOTTOM = 20;
const VOLUME = 0.2; // of the height

export class Candles {
  #bars = [];
  #interval = 60;
  #cursor;
  #size = { width: 0, height: 0 };
  #graph = svg('svg', { 'aria-hidden': 'true' });
  #box = el('div', { class: 'chart tall candles', tabindex: '0', role: 'group', 'aria-label': 'Candlestick chart' });
  #readout = el('output', { class: 'readout' });
  #hint = 'Choose a symbol to see its bars';

  constructor() {
    this.#box.append(this.#graph);
    this.element = el('div', {}, this.#readout, this.#box);
    new ResizeObserver(([entry]) => {
      this.#size = entry.contentRect;
      this.#draw();
    }).observe(this.#graph);
    this.#cursor = new Cursor(this.#box, {
      count: () => this.#bars.length,
      under: (event) => this.#under(event),
      page: 20,
      changed: () => {
        this.#tell();
        this.#draw();
      },
    });
  }

  update(symbol, bars, interval, hint) {
    this.#bars = bars;
    this.#interval = interval;
    this.#hint = hint;
    if (this.#cursor.index >= bars.length) this.#cursor.index = null;
    const last = bars.at(-1);
    this.#box.dataset.count = bars.length;
    this.#box.setAttribute('aria-label', last
      ? `Candlestick chart of ${symbol}: ${bars.length} bars, lowest ${format.price(Math.min(...bars.map((bar) => bar.low)))}, highest ${format.price(Math.max(...bars.map((bar) => bar.high)))}, last close ${format.price(last.close)}. Arrow keys read single bars.`
      : hint);
    this.#tell();
    this.#draw();
  }

  #tell() {
    const bar = this.#bars[this.#cursor.index ?? this.#bars.length - 1];
    setText(this.#readout, bar
      ? [format.moment(bar.start_ms), ...[['O', bar.open], ['H', bar.high], ['L', bar.low], ['C', bar.close]]
        .map(([letter, value]) => `${letter}\u00a0${format.price(value)}`), `V\u00a0${format.count(bar.volume)}`].join('  ')
      : '');
  }

  #draw() {
    const { width, height } = this.#size;
    if (width < 80 || height < 80) return;
    this.#graph.setAttribute('viewBox', `0 0 ${width} ${height}`);
    const bars = this.#bars;
    if (bars.length === 0) {
      this.#graph.replaceChildren(svg('text', { class: 'hint', x: width / 2, y: height / 2, 'text-anchor': 'middle' }, this.#hint));
      return;
    }
    const plot = height - TOP - BOTTOM;
    const low = Math.min(...bars.map((bar) => bar.low));
    const high = Math.max(...bars.map((bar) => bar.high));
    const pad = (high - low || Math.abs(high) * 0.01 || 1) * 0.06;
    const y = linear(low - pad, high + pad, TOP + plot * (1 - VOLUME), TOP);
    const step = (width - LEFT - RIGHT) / Math.max(bars.length, 20);
    const x = (index) => LEFT + (index + 0.5) * step;
    const body = Math.max(1, Math.min(14, step * 0.68));
    const most = Math.max(...bars.map((bar) => bar.volume)) || 1;
    const volume = linear(0, most, 0, plot * VOLUME - 6);
    const paths = { up: '', down: '', 'volume-up': '', 'volume-down': '' };
    bars.forEach((bar, index) => {
      const side = bar.close >= bar.open ? 'up' : 'down';
      const middle = x(index);
      const left = (middle - body / 2).toFixed(1);
      const right = (middle + body / 2).toFixed(1);
      const upper = y(Math.max(bar.open, bar.close));
      const lower = Math.max(y(Math.min(bar.open, bar.close)), upper + 1);
      const at = middle.toFixed(1);
      paths[side] += `M${at} ${y(bar.high).toFixed(1)}V${upper.toFixed(1)}M${at} ${lower.toFixed(1)}V${y(bar.low).toFixed(1)}`
        + `M${left} ${upper.toFixed(1)}H${right}V${lower.toFixed(1)}H${left}Z`;
      const ground = TOP + plot;
      paths[`volume-${side}`] += `M${left} ${ground}V${(ground - volume(bar.volume)).toFixed(1)}H${right}V${ground}Z`;
    });
    const parts = [];
    for (const value of ticks(low - pad, high + pad, 6)) {
      parts.push(svg('line', { class: 'rule', x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value) }));
      parts.push(svg('text', { x: width - RIGHT + 6, y: y(value) + 4 }, format.price(value)));
    }
    const every = Math.ceil(bars.length / Math.max(2, Math.floor(width / 130)));
    for (let index = Math.floor(every / 2); index < bars.length; index += every) {
      const text = this.#interval === 60 ? format.hour(bars[index].start_ms) : format.time(bars[index].start_ms);
      parts.push(svg('text', { x: x(index), y: height - 4, 'text-anchor': 'middle' }, text));
    }
    for (const [name, outline] of Object.entries(paths)) {
      if (outline) parts.push(svg('path', { class: name, d: outline }));
    }
    parts.push(svg('text', { x: width - RIGHT + 6, y: TOP + plot }, format.compact(most)));
    const chosen = this.#cursor.index;
    if (chosen !== null) {
      parts.push(svg('line', { class: 'cursor', x1: x(chosen), x2: x(chosen), y1: TOP, y2: TOP + plot }));
    }
    this.#graph.replaceChildren(...parts);
  }

  #under(event) {
    if (this.#bars.length === 0) return null;
    const area = this.#graph.getBoundingClientRect();
    const step = (area.width - LEFT - RIGHT) / Math.max(this.#bars.length, 20);
    const index = Math.floor((event.clientX - area.left - LEFT) / step);
    return Math.min(this.#bars.length - 1, Math.max(0, index));
  }
}
