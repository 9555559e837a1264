// Candles with volume on an axis of time: hollow for up, filled for down, a line if open and close are the same, so
// that they can be told apart without colour.

import { averages, places } from './bars.js';
import { Cursor } from './cursor.js';
import { el, setText } from './dom.js';
import * as format from './format.js';
import { color, onRecolor, painter, sized } from './palette.js';
import { linear, ticks } from './scale.js';
import { zone } from './zone.js';

const RIGHT = 64;
const LEFT = 6;
const TOP = 12;
const BOTTOM = 22;
const VOLUME = 0.2; // of the height
const FEWEST = 10;
const MOST = 2000;
const USUAL = 120;
const HELP = 'Arrow keys read single bars; with Shift they move through time; plus and minus zoom, 0 shows the newest.';

export class Candles {
  #data = { symbol: '', bars: [], every: 60, gaps: [], hint: 'Choose a symbol to see its bars', now: 0 };
  #slots = [];
  #averages = [];
  #chosen = null; // the number of places shown, once the user has zoomed
  #right = null; // the start of the last place shown; null follows the newest
  #size = { width: 0, height: 0 };
  #cursor;
  #drag = null;
  #moved;
  #older;
  #canvas = el('canvas', { 'aria-hidden': 'true' });
  #box = el('div', { class: 'chart tall candles', tabindex: '0', role: 'group', 'aria-label': 'Candlestick chart' }, this.#canvas);
  #readout = el('output', { class: 'readout' });
  #paint = painter(() => this.#draw());

  // `moved` is called with {count, to} when the view has moved; `older` when bars before the first are needed.
  constructor({ moved, older }) {
    this.#moved = moved;
    this.#older = older;
    this.element = el('div', {}, this.#readout, this.#box);
    new ResizeObserver(([entry]) => {
      this.#size = entry.contentRect;
      this.#paint();
    }).observe(this.#box);
    onRecolor(this.#paint);
    zone.listen(() => { this.#tell(); this.#paint(); });
    this.#cursor = new Cursor(this.#box, {
      count: () => this.#data.bars.length,
      under: (event) => (this.#drag ? null : this.#under(event)),
      page: 20,
      changed: () => {
        this.#reveal(this.#cursor.index);
        this.#tell();
        this.#paint();
      },
    });
    this.#listen();
  }

  get canvas() { return this.#canvas; }
  get isFollowing() { return this.#right === null; }
  get bars() { return this.#data.bars; }

  // The number of places shown: as many as can be told apart.
  get #count() { return this.#chosen ?? Math.min(USUAL, Math.max(30, Math.floor((this.#size.width - LEFT - RIGHT) / 6))); }

  // Sets the view that an address names.
  look({ count, to }) {
    this.#chosen = count ? Math.min(MOST, Math.max(FEWEST, count)) : null;
    this.#right = to || null;
    this.#paint();
  }

  update(data) {
    const chosen = this.#data.bars[this.#cursor.index]?.start_ms;
    this.#data = data;
    const { bars, every, symbol, hint, now } = data;
    this.#slots = places(bars, every);
    this.#await(now, every * 1000);
    let index = 0;
    for (const slot of this.#slots) if (slot.bar) slot.index = index++;
    this.#averages = averages(bars);
    const kept = chosen === undefined ? -1 : bars.findIndex((bar) => bar.start_ms === chosen);
    this.#cursor.index = kept === -1 ? null : kept;
    const last = bars.at(-1);
    this.#box.dataset.count = bars.length;
    this.#box.setAttribute('aria-label', last
      ? `Candlestick chart of ${symbol}: ${format.plural(bars.length, 'bar')}, lowest ${format.price(Math.min(...bars.map((bar) => bar.low)))}, highest ${format.price(Math.max(...bars.map((bar) => bar.high)))}, last close ${format.price(last.close)}. ${HELP}`
      : hint);
    this.#tell();
    this.#paint();
  }

  // Adds empty places up to now, where bars are due.
  #await(now, step) {
    const last = this.#slots.at(-1);
    if (!last || (now - last.start) / step > 300) return;
    for (let time = last.start + step; time + step <= now; time += step) this.#slots.push({ start: time, bar: null });
  }

  zoom(factor, anchor = null) {
    const { first, count } = this.#view();
    const at = anchor ?? first + count;
    const next = Math.round(Math.min(MOST, Math.max(FEWEST, this.#count * factor)));
    if (next === this.#count) return;
    const end = at + ((first + count - at) / count) * next;
    this.#chosen = next;
    this.#goTo(Math.round(end) - 1);
  }

  pan(by) {
    const { first, count } = this.#view();
    this.#goTo(first + count - 1 + by);
  }

  newest() {
    this.#right = null;
    this.#tellMoved();
    this.#paint();
  }

  // Moves the view so that a place is at its right end.
  #goTo(index) {
    const last = this.#slots.length - 1;
    const right = Math.min(last, Math.max(Math.min(this.#count, this.#slots.length) - 1, index));
    if (index - this.#count + 1 < 0) this.#older();
    this.#right = right >= last ? null : this.#slots[right].start;
    this.#tellMoved();
    this.#paint();
  }

  #tellMoved() { this.#moved({ count: this.#chosen, to: this.#right }); }

  // The places in view.
  #view() {
    const all = this.#slots.length;
    const end = this.#right === null ? all : Math.max(this.#begun(this.#right), Math.min(this.#count, all));
    const first = Math.max(0, end - this.#count);
    return { first, end, count: Math.max(end - first, Math.min(this.#count, 20)) };
  }

  // Brings a bar into view.
  #reveal(index) {
    if (index === null || this.#drag) return;
    const place = this.#slots.findIndex((slot) => slot.index === index);
    const { first, end } = this.#view();
    if (place < first) this.#goTo(place + this.#count - 1);
    else if (place >= end) this.#goTo(place);
  }

  #listen() {
    const box = this.#box;
    box.addEventListener('wheel', (event) => {
      // The page keeps scrolling unless the chart is in use.
      if (document.activeElement !== box && !event.ctrlKey) return;
      event.preventDefault();
      const [across, along] = [Math.abs(event.deltaX), Math.abs(event.deltaY)];
      if (event.shiftKey || across > along) this.pan(Math.round((event.deltaX || event.deltaY) / 100 * this.#count * 0.1) || Math.sign(event.deltaX || event.deltaY));
      else this.zoom(1.2 ** Math.sign(event.deltaY), this.#placeAt(event));
    }, { passive: false });
    box.addEventListener('keydown', (event) => {
      const actions = {
        '+': () => this.zoom(1 / 1.4), '=': () => this.zoom(1 / 1.4), '-': () => this.zoom(1.4), 0: () => { this.#chosen = null; this.newest(); },
      };
      if (event.shiftKey) {
        const step = Math.max(1, Math.round(this.#count * 0.1));
        Object.assign(actions, { ArrowLeft: () => this.pan(-step), ArrowRight: () => this.pan(step) });
      }
      if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in actions)) return;
      event.preventDefault();
      actions[event.key]();
    });
    box.addEventListener('pointerdown', (event) => {
      if (event.button !== 0 || !this.#slots.length) return;
      this.#drag = { x: event.clientX, right: this.#view().end - 1, hasMoved: false };
    });
    box.addEventListener('pointermove', (event) => {
      if (!this.#drag) return;
      const by = Math.round((this.#drag.x - event.clientX) / this.#step());
      if (by !== 0 && !this.#drag.hasMoved) {
        this.#drag.hasMoved = true;
        box.setPointerCapture(event.pointerId);
      }
      if (this.#drag.hasMoved) this.#goTo(this.#drag.right + by);
    });
    for (const name of ['pointerup', 'pointercancel']) box.addEventListener(name, () => { this.#drag = null; });
  }

  #step() { return (this.#size.width - LEFT - RIGHT) / this.#view().count; }

  #placeAt(event) {
    const area = this.#canvas.getBoundingClientRect();
    return this.#view().first + (event.clientX - area.left - LEFT) / this.#step();
  }

  #under(event) {
    return this.#slots[Math.floor(this.#placeAt(event))]?.index ?? null;
  }

  #tell() {
    const { bars, every } = this.#data;
    const index = this.#cursor.index ?? bars.length - 1;
    const bar = bars[index];
    if (!bar) return setText(this.#readout, '');
    const time = every < 60 ? format.moment(bar.start_ms) : `${format.day(bar.start_ms)} ${format.hour(bar.start_ms)}`;
    return setText(this.#readout, [
      `${time} ${zone.name}${bar.isForming ? ' (forming)' : ''}`,
      ...[['O', bar.open], ['H', bar.high], ['L', bar.low], ['C', bar.close]].map(([letter, value]) => `${letter}\u00a0${format.price(value)}`),
      `V\u00a0${format.count(bar.volume)}`, `VWAP\u00a0${format.average(this.#averages[index])}`,
    ].join('  '));
  }

  // The number of places that have begun at a moment.
  #begun(time) {
    let [low, high] = [0, this.#slots.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#slots[middle].start <= time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // The position of a moment on the axis, in places with a fraction.
  #placeOf(time) {
    const index = this.#begun(time) - 1;
    const slot = this.#slots[index];
    if (!slot) return 0;
    const length = (slot.end ?? slot.start + this.#data.every * 1000) - slot.start;
    return index + Math.min(1, (time - slot.start) / length);
  }

  #draw() {
    const { width, height } = this.#size;
    if (width < 80 || height < 80) return;
    const context = sized(this.#canvas, width, height);
    context.font = '11px system-ui, sans-serif';
    const { first, end, count } = this.#view();
    const shown = this.#slots.slice(first, end);
    const bars = shown.filter((slot) => slot.bar).map((slot) => slot.bar);
    if (bars.length === 0) {
      context.fillStyle = color('muted');
      context.textAlign = 'center';
      context.font = '13px system-ui, sans-serif';
      context.fillText(this.#data.bars.length ? 'No bars here' : this.#data.hint, width / 2, height / 2);
      return;
    }
    const plot = height - TOP - BOTTOM;
    const ground = TOP + plot;
    const average = shown.map((slot) => (slot.bar ? this.#averages[slot.index] : null));
    const known = average.filter((value) => value !== null);
    const low = Math.min(...bars.map((bar) => bar.low));
    const high = Math.max(...bars.map((bar) => bar.high));
    const pad = (high - low || Math.abs(high) * 0.01 || 1) * 0.06;
    const y = linear(low - pad, high + pad, TOP + plot * (1 - VOLUME), TOP);
    const step = (width - LEFT - RIGHT) / count;
    const x = (place) => LEFT + (place - first + 0.5) * step;
    const last = bars.at(-1);
    this.#drawAxis(context, { low: low - pad, high: high + pad, y, width, ground, tag: this.isFollowing ? y(last.close) : null });
    this.#drawAbsence(context, { shown, first, step, ground, width, from: x(first) - step / 2 });
    this.#drawTimes(context, { shown, first, x, step, width, height });
    const most = Math.max(...bars.map((bar) => bar.volume)) || 1;
    const body = Math.max(1, Math.min(15, Math.floor(step * 0.68)));
    shown.forEach((slot, index) => {
      if (slot.bar) this.#drawBar(context, slot.bar, Math.round(x(first + index)), body, y, ground, (slot.bar.volume / most) * (plot * VOLUME - 6));
    });
    context.fillStyle = color('muted');
    context.textAlign = 'left';
    context.fillText(`vol ${format.compact(most)}`, width - RIGHT + 6, ground - 2, RIGHT - 8);
    if (known.length) this.#drawAverage(context, average, first, x, y);
    if (this.isFollowing) this.#drawLast(context, last, y, width);
    const chosen = this.#cursor.index === null ? -1 : shown.findIndex((slot) => slot.index === this.#cursor.index);
    if (chosen !== -1) {
      context.fillStyle = color('muted');
      context.fillRect(Math.round(x(first + chosen)), TOP, 1, plot);
    }
    Object.assign(this.#box.dataset, { first: bars[0].start_ms, last: last.start_ms, shown: bars.length });
  }

  #drawAxis(context, { low, high, y, width, ground, tag }) {
    context.textAlign = 'left';
    for (const value of ticks(low, high, 6)) {
      context.fillStyle = color('line');
      context.fillRect(LEFT, Math.round(y(value)), width - LEFT - RIGHT, 1);
      if (tag !== null && Math.abs(y(value) - tag) < 14) continue;
      context.fillStyle = color('muted');
      context.fillText(format.price(value), width - RIGHT + 6, y(value) + 4);
    }
    context.fillStyle = color('line');
    context.fillRect(LEFT, ground, width - LEFT - RIGHT, 1);
  }

  // Recorded gaps, minutes without a bar, and folds.
  #drawAbsence(context, { shown, first, step, ground, width, from }) {
    context.save();
    context.beginPath();
    context.rect(LEFT, 0, width - LEFT - RIGHT, ground);
    context.clip();
    shown.forEach((slot, index) => {
      const left = from + index * step;
      if (slot.isFold) {
        context.strokeStyle = color('edge');
        context.setLineDash([3, 3]);
        context.beginPath();
        context.moveTo(left + step / 2, TOP);
        context.lineTo(left + step / 2, ground);
        context.stroke();
        context.setLineDash([]);
      } else if (!slot.bar) {
        context.fillStyle = color('sunken');
        context.fillRect(left, ground - 4, Math.max(1, step), 4);
      }
    });
    const spans = [];
    for (const gap of this.#data.gaps) {
      const start = from + (this.#placeOf(gap.from_ms) - first) * step;
      const end = Math.max(start + 2, from + (this.#placeOf(gap.to_ms ?? this.#data.now) - first) * step);
      if (end <= LEFT || start >= width - RIGHT) continue;
      spans.push(`${Math.round(start)}-${Math.round(end)}`);
      context.fillStyle = color('warn-soft');
      context.fillRect(start, TOP, end - start, ground - TOP);
      context.fillStyle = color('warn');
      context.fillRect(start, TOP, end - start, 2);
      if (end - start > 26) {
        context.textAlign = 'center';
        context.fillText('gap', Math.min(width - RIGHT - 14, Math.max(LEFT + 14, (start + end) / 2)), TOP + 14);
      }
    }
    this.#box.dataset.gaps = spans.join(' ');
    context.restore();
  }

  #drawTimes(context, { shown, first, x, step, width, height }) {
    const { every } = this.#data;
    const between = Math.max(64, every < 60 ? 76 : 64);
    let free = LEFT;
    let day = null;
    context.textAlign = 'center';
    shown.forEach((slot, index) => {
      if (slot.isFold) return;
      const at = x(first + index);
      const own = format.date(slot.start);
      const isNew = own !== day;
      const wanted = isNew || this.#isRound(slot.start, every, step);
      const time = every < 60 ? format.time(slot.start) : format.hour(slot.start);
      const text = day === null ? `${own} ${time}` : isNew ? own : time;
      const half = context.measureText(text).width / 2 + 4;
      if (!wanted || at - half < free || at + half > width - RIGHT + 6) return;
      day = own;
      free = at + Math.max(half, between - half);
      context.fillStyle = color('line');
      context.fillRect(Math.round(at), height - BOTTOM, 1, 4);
      context.fillStyle = isNew ? color('text') : color('muted');
      context.fillText(text, at, height - 5);
    });
    context.textAlign = 'left';
    context.fillStyle = color('muted');
    context.fillText(zone.name, width - RIGHT + 6, height - 5, RIGHT - 8);
  }

  // Whether a start is a round time for an axis of this width.
  #isRound(start, every, step) {
    const wanted = (80 / step) * every;
    const unit = [1, 5, 10, 15, 30, 60, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400].find((each) => each >= wanted) ?? 86400;
    return Math.floor(start / 1000) % unit === 0;
  }

  #drawBar(context, bar, middle, body, y, ground, volume) {
    const name = bar.close > bar.open ? 'up' : bar.close < bar.open ? 'down' : 'muted';
    const left = middle - Math.floor(body / 2);
    const upper = Math.round(y(Math.max(bar.open, bar.close)));
    const lower = Math.max(Math.round(y(Math.min(bar.open, bar.close))), upper + 1);
    const top = Math.round(y(bar.high));
    const bottom = Math.max(Math.round(y(bar.low)), lower);
    context.fillStyle = color(name);
    context.globalAlpha = 0.35;
    context.fillRect(left, ground - volume, body, volume);
    context.globalAlpha = 1;
    context.fillRect(middle, top, 1, upper - top);
    context.fillRect(middle, lower, 1, bottom - lower);
    context.fillRect(left, upper, body, lower - upper);
    if (name === 'up' && body > 3 && lower - upper > 2) {
      context.fillStyle = color('surface');
      context.fillRect(left + 1, upper + 1, body - 2, lower - upper - 2);
    }
    if (bar.isForming) {
      context.strokeStyle = color('accent');
      context.setLineDash([2, 2]);
      context.strokeRect(left - 1.5, top - 1.5, body + 3, bottom - top + 3);
      context.setLineDash([]);
    }
  }

  #drawAverage(context, average, first, x, y) {
    context.strokeStyle = color('series-3');
    context.lineWidth = 1.25;
    context.beginPath();
    let isOpen = false;
    average.forEach((value, index) => {
      if (value === null) return;
      if (isOpen) context.lineTo(x(first + index), y(value));
      else context.moveTo(x(first + index), y(value));
      isOpen = true;
    });
    context.save();
    context.clip(new Path2D(`M${LEFT} ${TOP}H${this.#size.width - RIGHT}V${this.#size.height - BOTTOM}H${LEFT}Z`));
    context.stroke();
    context.restore();
    context.lineWidth = 1;
  }

  // Draws the last price at the axis.
  #drawLast(context, bar, y, width) {
    const at = Math.round(y(bar.close));
    context.fillStyle = color('accent');
    context.fillRect(width - RIGHT, at - 8, RIGHT, 16);
    context.fillStyle = color('on-accent');
    context.textAlign = 'left';
    context.fillText(format.price(bar.close), width - RIGHT + 6, at + 4);
  }
}
