// How fresh every symbol is: a map with one cell per symbol, divided by connection or by group, and the symbols that
// have been silent longest.

import { load, query } from './api.js';
import { byId, debounce, el, empty, setText } from './dom.js';
import * as format from './format.js';
import { groupPath } from './universes.js';
import { color, contrast, onRecolor, painter, sized } from './palette.js';
import { route } from './route.js';
import { zone } from './zone.js';

const BEAT = 300; // together with the 1.2 s of the first age and the delay of a response, silence shows well within 2 s
const RETRY = 2000; // after a request that failed
const WHOLE = 60000; // until everything is read again, for symbols that were added or removed
const HEAD = 22;
const ASIDE = 24; // between columns of groups
const HIGHEST = 448; // the map, in pixels, before it scrolls
// The sizes of the cells, best first: with the symbol's name if there is room for all.
const SIZES = [
  { width: 56, height: 22, gap: 3, isNamed: true }, { width: 20, height: 20, gap: 2 }, { width: 16, height: 16, gap: 2 }, { width: 13, height: 13, gap: 2 },
];
const TYPES = { UNIVERSE: 'universe', ETF: 'ETF', SECTOR: 'sector', THEME: 'theme', SEGMENT: 'segment', CUSTOM: 'custom group' };
const AT_ONCE = 6; // groups whose members are asked for
const CALM = 65; // seconds; a longer silence is coloured as a problem
// The upper limit of each age in seconds, and its colour.
const AGES = [
  { to: 1.2, label: '1 s', fill: 'age-1' }, { to: 10, label: '10 s', fill: 'age-2' }, { to: CALM, label: '1 min', fill: 'age-3' },
  { to: 300, label: '5 min', fill: 'age-4' }, { to: 3600, label: '1 h', fill: 'age-5' }, { to: Infinity, label: 'older', fill: 'age-6' },
];
const LISTED = 12;
const RESTING = 'cover-none'; // while the market is closed, silence is no problem

export class Freshness {
  #entries = new Map();
  #sorted = [];
  #names = new Map(); // connections
  #only = null; // the members of the chosen group
  #groups = []; // all that there are
  #by = ''; // the type of groups that the map is divided by; empty: by connection
  #members = new Map(); // of the groups of that type, by name
  #blocks = []; // {title, entries}, as drawn
  #at = 0; // the time of the state shown
  #isClosed = false;
  #takesAll = false;
  #collected = Promise.withResolvers(); // resolved once all collected symbols are known
  #wholeAt = 0;
  #cells = []; // {entry, x, y}
  #cell = SIZES.at(-1);
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
  #division = byId('fresh-by');
  #readout = byId('fresh-readout');
  #paint = painter(() => this.#draw());

  // `choose` is called with a symbol that was picked, `changed` with the symbols whenever all of them were read.
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
      setText(this.#readout, this.#hint);
      this.#paint();
    }));
    byId('fresh-form').addEventListener('submit', (event) => {
      event.preventDefault();
      // `BACpL` is another stock than `BACPL`.
      const typed = this.#search.value.trim();
      const found = this.#sorted.find((entry) => entry.symbol === typed)
        ?? this.#sorted.find((entry) => entry.symbol.toUpperCase() === this.#wanted) ?? this.#sorted.find((entry) => this.#fits(entry));
      if (found && this.#wanted) this.#choose(found.symbol);
    });
    this.#group.addEventListener('change', () => {
      route.set({ of: this.#group.value });
      this.follow();
    });
    this.#division.addEventListener('change', () => {
      route.set({ by: this.#division.value });
      this.follow();
    });
    byId('fresh-legend').replaceChildren(...AGES.map(({ label, fill }, index) => el(
      'li', {}, el('span', { class: `swatch ${fill}`, 'aria-hidden': 'true' }), index === AGES.length - 1 ? label : `≤ ${label}`)),
      el('li', {}, el('span', { class: 'swatch age-none', 'aria-hidden': 'true' }), 'none yet'),
      el('li', { id: 'fresh-resting', hidden: true }, el('span', { class: `swatch ${RESTING}`, 'aria-hidden': 'true' }), 'market closed'));
    this.#listen();
  }

  // The newest event of a symbol.
  of(symbol) { return this.#entries.get(symbol); }

  // The first symbol that has had an event.
  get first() { return this.#sorted.find((entry) => entry.last_event_ms !== null)?.symbol; }

  // Whether a symbol is collected.
  async collects(symbol) {
    await this.#collected.promise;
    return this.#takesAll || [...this.#entries.keys()].some((known) => known.toUpperCase() === symbol.toUpperCase());
  }

  // Takes the state of the market, since silence is no problem while it is closed.
  market({ session }) {
    const isClosed = session === 'closed' || session === 'holiday';
    if (isClosed === this.#isClosed) return;
    this.#isClosed = isClosed;
    byId('fresh-resting').hidden = !isClosed;
    this.#paint();
  }

  // Takes the names of the connections, and reads the symbols again if what they collect may have changed.
  connections(states) {
    const shape = states.map((each) => `${each.id} ${each.name} ${each.assigned_tickers} ${each.confirmed_tickers}`).join();
    if (shape === this.shape) return;
    this.shape = shape;
    this.#names = new Map(states.map((each) => [each.id, each.name]));
    this.#takesAll = states.some((each) => each.takes_all);
    this.reload().then(this.#collected.resolve);
  }

  // Takes the groups to choose from.
  groups(groups) {
    const chosen = route.get('of');
    this.#groups = groups;
    const types = Object.entries(TYPES).filter(([type]) => groups.some((group) => group.type === type));
    this.#division.replaceChildren(el('option', { value: '' }, 'connection'), ...types.map(([type, name]) => el('option', { value: type }, name)));
    this.#divide();
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
    this.#divide();
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

  // Reads the members of the groups by which the map is divided.
  async #divide() {
    // The address may name a type that has no groups here.
    this.#division.value = route.get('by');
    if (this.#division.selectedIndex === -1) this.#division.value = '';
    const by = this.#division.value;
    this.#by = by;
    const names = this.#groups.filter((group) => group.type === by).map((group) => group.name);
    const members = new Map();
    try {
      for (let index = 0; index < names.length; index += AT_ONCE) {
        const found = await Promise.all(names.slice(index, index + AT_ONCE).map((name) => load(groupPath(`${by}/${name}`))));
        for (const group of found) members.set(group.name, new Set(group.members.map((member) => member.symbol)));
      }
    } catch (error) {
      setText(this.#readout, error.message);
    }
    if (this.#by !== by) return;
    this.#members = members;
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
      // The stream reports a lost connection.
    }
  }

  async #beat() {
    clearTimeout(this.#timer);
    if (this.#visible.size === 0 || document.hidden) return;
    if (Date.now() - this.#wholeAt > WHOLE) await this.reload();
    let wait = BEAT;
    try {
      const { symbols, timestamp_ms: at } = await load(`/api/symbols${query({ since_ms: this.#at || 1 })}`);
      for (const entry of symbols) this.#entries.set(entry.symbol, entry);
      this.#at = at;
      this.#arrange();
    } catch {
      wait = RETRY; // as above
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#beat(), wait);
  }

  // Selects the symbols to show, and divides them.
  #arrange() {
    this.#sorted = [...this.#entries.values()].filter((entry) => !this.#only || this.#only.has(entry.symbol))
      .sort((one, other) => (one.symbol < other.symbol ? -1 : 1));
    this.#blocks = this.#by ? this.#byGroup() : this.#byConnection();
    if (!this.#visible.has('freshness')) return;
    this.#tell();
    this.#paint();
  }

  #byConnection() {
    const blocks = new Map([...this.#names].map(([id, title]) => [id, { title, entries: [] }]));
    for (const entry of this.#sorted) {
      const id = entry.connections[0] ?? '';
      if (!blocks.has(id)) blocks.set(id, { title: id || 'no connection', entries: [] });
      blocks.get(id).entries.push(entry);
    }
    const found = [...blocks.values()].filter(({ entries }) => entries.length);
    if (this.#names.size < 2) for (const block of found) block.title = null;
    return found;
  }

  // A symbol appears in each of its groups.
  #byGroup() {
    const blocks = [...this.#members].map(([title, symbols]) => ({ title, entries: this.#sorted.filter((entry) => symbols.has(entry.symbol)) }));
    const rest = this.#sorted.filter((entry) => ![...this.#members.values()].some((symbols) => symbols.has(entry.symbol)));
    blocks.push({ title: `in no ${TYPES[this.#by] ?? 'group'}`, entries: rest });
    return blocks.filter(({ entries }) => entries.length);
  }

  get #wanted() { return this.#search.value.trim().toUpperCase(); }

  #fits(entry) { return entry.symbol.toUpperCase().includes(this.#wanted); }

  get #hint() {
    return this.#wanted === '' || this.#sorted.some((entry) => this.#fits(entry))
      ? 'Point at a cell, or use the arrow keys; a click or Enter opens the symbol.'
      : `No symbol shown here has “${this.#search.value.trim()}” in its name.`;
  }

  #age(entry) { return entry.last_event_ms === null ? null : Math.max(0, this.#at - entry.last_event_ms) / 1000; }

  #fill(age) {
    if (age === null) return null;
    return this.#isClosed && age > CALM ? RESTING : AGES.find((each) => age <= each.to).fill;
  }

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
      ? `${format.plural(this.#sorted.length, 'symbol')}: ${parts.join(', ')}` : 'No symbol is collected.');
    this.#box.dataset.fresh = counts.get('1 s') ?? 0;
    const slowest = this.#sorted.filter((entry) => entry.last_event_ms !== null)
      .sort((one, other) => one.last_event_ms - other.last_event_ms).slice(0, LISTED);
    const list = byId('fresh-slowest');
    if (!list.matches(':focus-within')) list.replaceChildren(slowest.length ? el('ul', { class: 'rows' }, slowest.map((entry) => el(
      'li', {}, el(
        'button', { type: 'button', onclick: () => this.#choose(entry.symbol) },
        el('span', { class: 'name' }, entry.symbol), el('span', { class: 'muted small' }, format.duration(this.#age(entry))))))) : empty('None yet.'));
  }

  // Places the cells, with the largest size at which the whole map stays in view; returns the map's height.
  #place(width) {
    // Many groups are side by side, each in the column that is shortest so far.
    const columns = this.#blocks.length > 3 ? Math.max(1, Math.floor(width / 420)) : 1;
    const wide = (width - (columns - 1) * ASIDE) / columns;
    for (const size of SIZES) {
      const [across, down] = [size.width + size.gap, size.height + size.gap];
      const perRow = Math.max(1, Math.floor((wide + size.gap) / across));
      const ends = Array.from({ length: columns }, () => 0);
      const cells = [];
      for (const block of this.#blocks) {
        const column = ends.indexOf(Math.min(...ends));
        const head = block.title === null ? 0 : HEAD;
        [block.x, block.y] = [column * (wide + ASIDE), ends[column]];
        block.entries.forEach((entry, place) => cells.push({ entry, x: block.x + (place % perRow) * across, y: block.y + head + Math.floor(place / perRow) * down }));
        ends[column] += head + Math.ceil(block.entries.length / perRow) * down;
      }
      const height = Math.max(20, ...ends);
      if (height > HIGHEST && size !== SIZES.at(-1)) continue;
      [this.#cell, this.#cells] = [size, cells];
      return height;
    }
    return 20;
  }

  #draw() {
    const width = this.#width;
    if (width < 40) return;
    const height = this.#place(width);
    const { width: wide, height: high, isNamed } = this.#cell;
    this.#canvas.style.height = `${height}px`;
    const context = sized(this.#canvas, width, height);
    context.font = '12px system-ui, sans-serif';
    context.fillStyle = color('muted');
    for (const { title, entries, x, y } of this.#blocks) if (title !== null) context.fillText(`${title} · ${format.count(entries.length)}`, x, y + 14);
    context.font = '11px system-ui, sans-serif';
    const isSearching = this.#wanted !== '';
    for (const { entry, x, y } of this.#cells) {
      const age = this.#age(entry);
      const fill = this.#fill(age);
      context.globalAlpha = !isSearching || this.#fits(entry) ? 1 : 0.15;
      if (fill) {
        context.fillStyle = color(fill);
        context.fillRect(x, y, wide, high);
      } else {
        context.strokeStyle = color('edge');
        context.strokeRect(x + 0.5, y + 0.5, wide - 1, high - 1);
      }
      if (isNamed) {
        context.fillStyle = fill ? contrast(fill) : color('muted');
        context.fillText(entry.symbol, x + 5, y + high / 2 + 4, wide - 10);
      }
      if (!entry.is_confirmed) {
        context.fillStyle = color('bad');
        context.fillRect(x, y + high - 3, wide, 3);
      }
    }
    context.globalAlpha = 1;
    const chosen = this.#cells[this.#cursor];
    if (chosen) {
      context.strokeStyle = color('text');
      context.lineWidth = 2;
      context.strokeRect(chosen.x, chosen.y, wide, high);
      context.lineWidth = 1;
    }
    Object.assign(this.#box.dataset, { count: this.#cells.length, blocks: this.#blocks.map(({ title }) => title ?? '').join('\n'), cell: `${wide}×${high}` });
  }

  #listen() {
    const box = this.#box;
    const at = (event) => {
      const area = this.#canvas.getBoundingClientRect();
      const [x, y] = [event.clientX - area.left, event.clientY - area.top];
      const { width, height, gap } = this.#cell;
      return this.#cells.findIndex((cell) => x >= cell.x && x < cell.x + width + gap && y >= cell.y && y < cell.y + height + gap);
    };
    box.addEventListener('pointermove', (event) => this.#move(at(event)));
    box.addEventListener('pointerleave', () => this.#move(-1));
    box.addEventListener('blur', () => this.#move(-1));
    box.addEventListener('click', (event) => {
      const cell = this.#cells[at(event)];
      if (cell) this.#choose(cell.entry.symbol);
    });
    box.addEventListener('keydown', (event) => {
      const cursor = this.#cursor;
      const steps = {
        ArrowLeft: () => cursor - 1, ArrowRight: () => cursor + 1, ArrowUp: () => this.#beside(-1), ArrowDown: () => this.#beside(1),
        Home: () => 0, End: () => this.#cells.length - 1,
      };
      if (event.key === 'Enter' && this.#cells[cursor]) return this.#choose(this.#cells[cursor].entry.symbol);
      if (!(event.key in steps)) return undefined;
      event.preventDefault();
      return this.#move(Math.min(this.#cells.length - 1, Math.max(0, steps[event.key]())));
    });
  }

  // The nearest cell of the row below (1) or above (-1) the chosen one.
  #beside(way) {
    const here = this.#cells[this.#cursor];
    if (!here) return 0;
    const rows = this.#cells.filter(({ y }) => (y - here.y) * way > 0);
    if (!rows.length) return this.#cursor;
    const next = rows.reduce((nearest, { y }) => (Math.abs(y - here.y) < Math.abs(nearest - here.y) ? y : nearest), rows[0].y);
    const row = rows.filter(({ y }) => y === next);
    return this.#cells.indexOf(row.reduce((best, cell) => (Math.abs(cell.x - here.x) < Math.abs(best.x - here.x) ? cell : best)));
  }

  #move(index) {
    if (index === this.#cursor) return;
    this.#cursor = index;
    const cell = this.#cells[index];
    const entry = cell && this.#entries.get(cell.entry.symbol);
    if (entry) {
      const age = this.#age(entry);
      const names = entry.connections.map((id) => this.#names.get(id) ?? id).join(', ');
      setText(this.#readout, [
        entry.symbol, names, age === null ? 'no event since the start' : `last event ${format.ago(age)}, at ${format.moment(entry.last_event_ms)} ${zone.name}`,
        entry.last_price === null ? null : format.price(entry.last_price), entry.is_confirmed ? null : 'not confirmed',
      ].filter(Boolean).join(' · '));
      const top = cell.y - this.#box.scrollTop;
      if (document.activeElement === this.#box && (top < 0 || top > this.#box.clientHeight - this.#cell.height)) this.#box.scrollTop = cell.y - this.#box.clientHeight / 2;
    } else {
      setText(this.#readout, this.#hint);
    }
    this.#paint();
  }
}
