// How fresh every symbol is: a map of cells, one a symbol, by connection, and those that have been silent longest.

import { load, query } from './api.js';
import { byId, debounce, el, empty, setText } from './dom.js';
import * as format from './format.js';
import { groupPath } from './universes.js';
import { color, onRecolor, painter, sized } from './palette.js';
import { route } from './route.js';
import { zone } from './zone.js';

const BEAT = 700;
const WHOLE = 60000; // everything is read again, for symbols that came or went
const CELL = 13;
const GAP = 2;
const HEAD = 22;
// The upper ends in seconds; what each age looks like.
const AGES = [
  { to: 1.2, label: '1 s', fill: 'age-1' }, { to: 10, label: '10 s', fill: 'age-2' }, { to: 65, label: '1 min', fill: 'age-3' },
  { to: 300, label: '5 min', fill: 'age-4' }, { to: 3600, label: '1 h', fill: 'age-5' }, { to: Infinity, label: 'older', fill: 'age-6' },
];
const LISTED = 8;

export class Freshness {
  #entries = new Map();
  #sorted = [];
  #names = new Map(); // connections
  #only = null; // the members of the chosen group
  #at = 0; // when what is shown was so
  #wholeAt = 0;
  #cells = []; // {symbol, x, y}
  #cursor = -1;
  #visible = new Set(); // the parts of the page in view that show ages
  #timer = null;
  #width = 0;
  #choose;
  #changed;
  #canvas = el('canvas', { 'aria-hidden': 'true' });
  #box = byId('fresh-map');
  #search = byId('fresh-search');
  #group = byId('fresh-group');
  #readout = byId('fresh-readout');
  #paint = painter(() => this.#draw());

  // `choose` is told a symbol that was picked, `changed` that other symbols are collected.
  constructor({ choose, changed }) {
    this.#choose = choose;
    this.#changed = changed;
    this.#box.append(this.#canvas);
    new ResizeObserver(([entry]) => { this.#width = entry.contentRect.width; this.#paint(); }).observe(this.#box);
    const watch = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting) this.#visible.add(target.id);
        else this.#visible.delete(target.id);
      }
      this.#beat();
    }, { rootMargin: '100px' });
    for (const id of ['freshness', 'symbol', 'universes']) watch.observe(byId(id));
    document.addEventListener('visibilitychange', () => this.#beat());
    onRecolor(this.#paint);
    this.#search.addEventListener('input', debounce(150, () => {
      route.set({ find: this.#search.value.trim() }, { replaces: true });
      this.#paint();
    }));
    byId('fresh-form').addEventListener('submit', (event) => {
      event.preventDefault();
      const found = this.#sorted.find((entry) => entry.symbol.toUpperCase() === this.#wanted) ?? this.#sorted.find((entry) => this.#fits(entry));
      if (found && this.#wanted) this.#choose(found.symbol);
    });
    this.#group.addEventListener('change', () => {
      route.set({ of: this.#group.value });
      this.follow();
    });
    byId('fresh-legend').replaceChildren(...AGES.map(({ label, fill }, index) => el(
      'li', {}, el('span', { class: `swatch ${fill}`, 'aria-hidden': 'true' }), index === AGES.length - 1 ? label : `≤ ${label}`)),
      el('li', {}, el('span', { class: 'swatch age-none', 'aria-hidden': 'true' }), 'none yet'));
    this.#listen();
  }

  // What last came of a symbol.
  of(symbol) { return this.#entries.get(symbol); }

  // The connections' names, and whether what they collect may have changed.
  connections(states) {
    const shape = states.map((each) => `${each.id} ${each.name} ${each.assigned_tickers} ${each.confirmed_tickers}`).join();
    if (shape === this.shape) return;
    this.shape = shape;
    this.#names = new Map(states.map((each) => [each.id, each.name]));
    this.reload();
  }

  // The groups to choose from.
  groups(groups) {
    const chosen = route.get('of');
    this.#group.replaceChildren(el('option', { value: '' }, 'all symbols'), ...groups.map((group) => {
      const value = `${group.type}/${group.name}`;
      return el('option', { value, selected: value === chosen }, `${group.name} (${group.type.toLowerCase()})`);
    }));
  }

  // Shows what the address says.
  async follow() {
    const key = route.get('of');
    this.#search.value = route.get('find');
    this.#group.value = key;
    this.#only = null;
    if (key) {
      try {
        const { members } = await load(groupPath(key));
        if (route.get('of') === key) this.#only = new Set(members.map((member) => member.symbol));
      } catch (error) {
        setText(this.#readout, error.message);
      }
    }
    this.#arrange();
  }

  async reload() {
    this.#wholeAt = Date.now();
    try {
      const { symbols, timestamp_ms: at } = await load('/api/symbols');
      this.#entries = new Map(symbols.map((entry) => [entry.symbol, entry]));
      this.#at = at;
      this.#arrange();
      this.#changed(symbols.map((entry) => entry.symbol));
    } catch {
      // The stream says when there is no contact.
    }
  }

  async #beat() {
    clearTimeout(this.#timer);
    if (this.#visible.size === 0 || document.hidden) return;
    if (Date.now() - this.#wholeAt > WHOLE) await this.reload();
    try {
      const { symbols, timestamp_ms: at } = await load(`/api/symbols${query({ since_ms: this.#at || 1 })}`);
      for (const entry of symbols) this.#entries.set(entry.symbol, entry);
      this.#at = at;
      this.#arrange();
    } catch {
      // As above.
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#beat(), BEAT);
  }

  // Takes the symbols that are shown, in the order of the map.
  #arrange() {
    const order = [...this.#names.keys()];
    const place = (entry) => { const at = order.indexOf(entry.connections[0]); return at === -1 ? order.length : at; };
    this.#sorted = [...this.#entries.values()].filter((entry) => !this.#only || this.#only.has(entry.symbol))
      .map((entry) => [place(entry), entry])
      .sort(([first, one], [second, other]) => first - second || (one.symbol < other.symbol ? -1 : 1)).map(([, entry]) => entry);
    if (!this.#visible.has('freshness')) return;
    this.#tell();
    this.#paint();
  }

  get #wanted() { return this.#search.value.trim().toUpperCase(); }

  #fits(entry) { return entry.symbol.toUpperCase().includes(this.#wanted); }

  #age(entry) { return entry.last_event_ms === null ? null : Math.max(0, this.#at - entry.last_event_ms) / 1000; }

  #tell() {
    const counts = new Map();
    for (const entry of this.#sorted) {
      const age = this.#age(entry);
      const label = age === null ? 'none' : AGES.find((each) => age <= each.to).label;
      counts.set(label, (counts.get(label) ?? 0) + 1);
    }
    const parts = AGES.filter(({ label }) => counts.get(label)).map(({ label }, index) => `${format.count(counts.get(label))} ${label === 'older' ? 'older than an hour' : `${index ? 'up to' : 'within'} ${label}`}`);
    if (counts.get('none')) parts.push(`${format.count(counts.get('none'))} without an event yet`);
    setText(byId('fresh-summary'), this.#sorted.length
      ? `${format.plural(this.#sorted.length, 'symbol')}; last event: ${parts.join(', ')}.` : 'No symbol is collected.');
    this.#box.dataset.fresh = counts.get('1 s') ?? 0;
    const slowest = this.#sorted.filter((entry) => entry.last_event_ms !== null)
      .sort((one, other) => one.last_event_ms - other.last_event_ms).slice(0, LISTED);
    const list = byId('fresh-slowest');
    if (!list.matches(':focus-within')) list.replaceChildren(slowest.length ? el('ul', { class: 'rows' }, slowest.map((entry) => el(
      'li', {}, el(
        'button', { type: 'button', onclick: () => this.#choose(entry.symbol) },
        el('span', { class: 'name' }, entry.symbol), el('span', { class: 'muted small' }, format.duration(this.#age(entry))))))) : empty('None yet.'));
  }

  #draw() {
    const width = this.#width;
    if (width < 40) return;
    const step = CELL + GAP;
    const perRow = Math.max(1, Math.floor(width / step));
    const isGrouped = this.#names.size > 1;
    let y = 0;
    let column = 0;
    let connection = null;
    const heads = [];
    this.#cells = this.#sorted.map((entry) => {
      const own = entry.connections[0] ?? '';
      if (isGrouped && own !== connection) {
        if (column > 0) y += step;
        connection = own;
        column = 0;
        heads.push({ y: y + 14, text: this.#names.get(own) ?? (own || 'no connection') });
        y += HEAD;
      }
      if (column === perRow) {
        column = 0;
        y += step;
      }
      const cell = { symbol: entry.symbol, x: column * step, y };
      column += 1;
      return cell;
    });
    const height = Math.max(20, y + step);
    this.#canvas.style.height = `${height}px`;
    const context = sized(this.#canvas, width, height);
    context.font = '12px system-ui, sans-serif';
    context.fillStyle = color('muted');
    for (const head of heads) context.fillText(head.text, 0, head.y);
    const isSearching = this.#wanted !== '';
    this.#sorted.forEach((entry, index) => {
      const { x, y: top } = this.#cells[index];
      const age = this.#age(entry);
      context.globalAlpha = !isSearching || this.#fits(entry) ? 1 : 0.15;
      if (age === null) {
        context.strokeStyle = color('edge');
        context.strokeRect(x + 0.5, top + 0.5, CELL - 1, CELL - 1);
      } else {
        context.fillStyle = color(AGES.find((each) => age <= each.to).fill);
        context.fillRect(x, top, CELL, CELL);
      }
      if (!entry.is_confirmed) {
        context.fillStyle = color('bad');
        context.fillRect(x, top + CELL - 3, CELL, 3);
      }
    });
    context.globalAlpha = 1;
    const chosen = this.#cells[this.#cursor];
    if (chosen) {
      context.strokeStyle = color('text');
      context.lineWidth = 2;
      context.strokeRect(chosen.x - 1, chosen.y - 1, CELL + 2, CELL + 2);
      context.lineWidth = 1;
    }
    this.#box.dataset.count = this.#cells.length;
  }

  #listen() {
    const box = this.#box;
    const at = (event) => {
      const area = this.#canvas.getBoundingClientRect();
      const [x, y] = [event.clientX - area.left, event.clientY - area.top];
      return this.#cells.findIndex((cell) => x >= cell.x && x < cell.x + CELL + GAP && y >= cell.y && y < cell.y + CELL + GAP);
    };
    box.addEventListener('pointermove', (event) => this.#move(at(event)));
    box.addEventListener('pointerleave', () => this.#move(-1));
    box.addEventListener('blur', () => this.#move(-1));
    box.addEventListener('click', (event) => {
      const cell = this.#cells[at(event)];
      if (cell) this.#choose(cell.symbol);
    });
    box.addEventListener('keydown', (event) => {
      const perRow = Math.max(1, Math.floor(this.#width / (CELL + GAP)));
      const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -perRow, ArrowDown: perRow, Home: -Infinity, End: Infinity };
      if (event.key === 'Enter' && this.#cells[this.#cursor]) return this.#choose(this.#cells[this.#cursor].symbol);
      if (!(event.key in steps)) return undefined;
      event.preventDefault();
      return this.#move(Math.min(this.#cells.length - 1, Math.max(0, this.#cursor + steps[event.key])));
    });
  }

  #move(index) {
    if (index === this.#cursor) return;
    this.#cursor = index;
    const cell = this.#cells[index];
    const entry = cell && this.#entries.get(cell.symbol);
    if (entry) {
      const age = this.#age(entry);
      const names = entry.connections.map((id) => this.#names.get(id) ?? id).join(', ');
      setText(this.#readout, [
        entry.symbol, names, age === null ? 'no event since the start' : `last event ${format.ago(age)}, at ${format.moment(entry.last_event_ms)} ${zone.name}`,
        entry.last_price === null ? null : format.price(entry.last_price), entry.is_confirmed ? null : 'not confirmed',
      ].filter(Boolean).join(' · '));
      const top = cell.y - this.#box.scrollTop;
      if (document.activeElement === this.#box && (top < 0 || top > this.#box.clientHeight - CELL)) this.#box.scrollTop = cell.y - this.#box.clientHeight / 2;
    } else {
      setText(this.#readout, 'Point at a cell, or use the arrow keys; a click or Enter opens the symbol.');
    }
    this.#paint();
  }
}
