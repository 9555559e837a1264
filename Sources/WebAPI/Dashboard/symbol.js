// A symbol's panel: its candles, its connections, its last events and its gaps.

import { load, query } from './api.js';
import { csv, rollUp, Seconds, windowOf, withForming } from './bars.js';
import { Candles } from './candles.js';
import { cells, newestFirst } from './events.js';
import { byId, el, empty, facts, headOf, redraw, save, setText } from './dom.js';
import * as format from './format.js';
import { gapTable } from './gaps.js';
import { route } from './route.js';
import { LiveStream } from './stream.js';
import { zone } from './zone.js';

const SUGGESTED = 40;
const FEWEST = 400; // bars that are asked for at once
const MOST = 5000;
const REFRESH = 15000;
const SHOWN = 20; // events listed

export class SymbolView {
  #chart;
  #symbol = '';
  #every = 60;
  #minutes = []; // minute bars, or second bars where those are shown
  #seconds = new Seconds();
  #gaps = [];
  #events = [];
  #note = '';
  #isWhole = false; // there are no older bars
  #isLoading = false;
  #timer = null;
  #known = [];
  #request = 0;
  #stream = new LiveStream();
  #freshness;
  #collects;
  #now; // the collector's clock

  // `freshness` returns the newest event of a symbol, `collects` whether it is collected.
  constructor({ now, freshness, collects }) {
    this.#now = now;
    this.#freshness = freshness;
    this.#collects = collects;
    this.#chart = new Candles({
      moved: ({ count, to }) => route.set({ span: count ?? '', to }, { replaces: true }),
      older: () => this.#loadOlder(),
    });
    byId('candles').append(this.#chart.element);
    byId('symbol-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.choose(byId('symbol-name').value.trim());
    });
    byId('symbol-interval').addEventListener('change', () => {
      route.set({ every: byId('symbol-interval').value === '60' ? '' : byId('symbol-interval').value, to: '' });
      this.follow();
    });
    byId('symbol-name').addEventListener('input', () => this.#suggest());
    byId('bars-details').addEventListener('toggle', () => this.#table());
    const buttons = {
      'zoom-in': () => this.#chart.zoom(1 / 1.4), 'zoom-out': () => this.#chart.zoom(1.4), newest: () => this.#chart.newest(),
      csv: () => save(`${this.#symbol}.csv`, new Blob([csv(this.#chart.bars, this.#every)], { type: 'text/csv' })),
      png: () => this.#chart.canvas.toBlob((image) => save(`${this.#symbol}.png`, image)),
    };
    for (const [name, action] of Object.entries(buttons)) byId(`chart-${name}`).addEventListener('click', action);
    document.addEventListener('visibilitychange', () => { if (!document.hidden) this.#reload(); });
    zone.listen(() => { this.#show(); this.#showEvents(); this.#table(); });
    this.#stream.addEventListener('tick_update', ({ detail }) => this.#live(detail.events));
    new IntersectionObserver(([{ isIntersecting }]) => {
      this.#stream.isIdle = !isIntersecting;
      if (isIntersecting) this.#reload();
    }, { rootMargin: '100px' }).observe(byId('symbol'));
    this.#chart.update({ symbol: '', bars: [], every: 60, gaps: [], hint: 'Choose a symbol to see its bars', now: this.#now() });
  }

  get isChosen() { return this.#symbol !== ''; }

  // Shows a symbol; `moves` scrolls it into view, `keeps` adds no step to the browser's history.
  choose(symbol, { moves = false, keeps = false } = {}) {
    if (!symbol) return;
    route.set({ symbol, to: symbol === route.get('symbol') ? route.get('to') : '' }, { panel: moves ? 'symbol' : route.panel, replaces: keeps });
    if (moves) {
      byId('symbol').scrollIntoView();
      byId('symbol-name').focus({ preventScroll: true });
    }
    this.follow();
  }

  // Shows what the address says, unless it is shown already.
  follow() {
    const symbol = route.get('symbol');
    const every = Number(route.get('every')) || 60;
    if (!symbol) return;
    const isOther = symbol !== this.#symbol || every !== this.#every;
    this.#every = [1, 60, 300, 3600].includes(every) ? every : 60;
    byId('symbol-interval').value = String(this.#every);
    byId('symbol-name').value = symbol;
    this.#chart.look({ count: Number(route.get('span')), to: Number(route.get('to')) });
    if (!isOther) return;
    byId('symbol-more').hidden = false;
    this.#symbol = symbol;
    this.#minutes = [];
    this.#events = [];
    this.#gaps = [];
    this.#seconds.clear();
    this.#isWhole = false;
    this.#stream.follow({ types: 'tick_update', symbol, kind: '' });
    this.#load();
    this.#describe();
  }

  // Sets the symbols to suggest while one is typed.
  suggest(symbols) {
    this.#known = symbols;
    this.#suggest();
  }

  // The age of the last event grows even if nothing arrives.
  tick() {
    if (this.#symbol) this.#showFreshness();
  }

  #suggest() {
    const typed = byId('symbol-name').value.trim().toUpperCase();
    const fitting = this.#known.filter((symbol) => symbol.toUpperCase().startsWith(typed)).slice(0, SUGGESTED);
    byId('symbol-names').replaceChildren(...fitting.map((value) => el('option', { value })));
  }

  get #base() { return this.#every === 1 ? 1 : 60; }

  // Reads again, for what arrived while the panel was out of view.
  #reload() {
    this.#events = [];
    this.#load();
  }

  async #load() {
    clearTimeout(this.#timer);
    if (!this.#symbol || document.hidden) return;
    const symbol = this.#symbol;
    this.#request += 1;
    const request = this.#request;
    const forming = this.#base === 60 ? load(`/api/bars${query({ symbol, interval: 1, from: windowOf(this.#now(), 60) / 1000 - 60, limit: 200 })}`).catch(() => null) : null;
    const limit = Math.min(MOST, FEWEST * Math.max(1, this.#every / this.#base / 5));
    try {
      const { symbol: read, bars, is_complete: isComplete } = await load(`/api/bars${query({ symbol, interval: this.#base, limit })}`);
      for (const bar of (await forming)?.bars ?? []) this.#seconds.bar(bar);
      if (request !== this.#request) return;
      if (read !== symbol) this.#spell(symbol, read);
      // Bars that were loaded before these stay.
      const older = bars.length ? this.#minutes.filter((bar) => bar.start_ms < bars[0].start_ms) : [];
      this.#minutes = [...older, ...bars];
      if (!older.length) this.#isWhole = bars.length < limit;
      const kind = this.#base === 60 ? 'minute' : 'second';
      this.#note = `The buffer has no ${kind} bars of ${read}`;
      setText(byId('bars-note'), isComplete
        ? '' : 'The file is large: only its newest part was searched in time. “edgetick query” searches all of it.');
      this.#show();
      this.#table();
      this.#gaps = (await load(`/api/gaps${query({ symbol: read, limit: 200 })}`)).gaps;
      if (request !== this.#request) return;
      this.#show();
      this.#showGaps();
      if (!this.#events.length) {
        this.#events = (await load(`/api/ticks/recent${query({ symbol: read, limit: 100 })}`)).events;
        if (request === this.#request) this.#showEvents();
      }
    } catch (error) {
      if (request === this.#request) {
        this.#note = error.message;
        this.#show();
      }
    }
    if (request === this.#request) this.#timer = setTimeout(() => this.#load(), REFRESH);
  }

  async #loadOlder() {
    if (this.#isWhole || this.#isLoading || !this.#minutes.length) return;
    this.#isLoading = true;
    const symbol = this.#symbol;
    try {
      const { bars } = await load(`/api/bars${query({ symbol, interval: this.#base, to: this.#minutes[0].start_ms / 1000, limit: 1000 })}`);
      if (symbol !== this.#symbol) return;
      this.#isWhole = bars.length === 0;
      this.#minutes = [...bars, ...this.#minutes];
      this.#show();
    } catch {
      // The next move to the left asks again.
    } finally {
      this.#isLoading = false;
    }
  }

  #live(events) {
    for (const event of events) {
      if (event.kind === 'A') this.#take(event, 1);
      else if (event.kind === 'AM') this.#take(event, 60);
      else if (event.kind === 'T') this.#seconds.trade(event);
    }
    this.#events = [...newestFirst(events), ...this.#events].slice(0, 100);
    if (document.hidden) return;
    this.#show();
    this.#showEvents();
  }

  // Puts a bar of the stream in its place.
  #take(event, length) {
    const bar = { ...event, start_ms: event.time_ms };
    if (length === 1) this.#seconds.bar(bar);
    if (length !== this.#base) return;
    const place = this.#minutes.findLastIndex((each) => each.start_ms <= bar.start_ms);
    if (this.#minutes[place]?.start_ms === bar.start_ms) this.#minutes[place] = bar;
    else this.#minutes.splice(place + 1, 0, bar);
  }

  #show() {
    const now = this.#now();
    let bars = this.#minutes;
    if (this.#base === 60) bars = rollUp(withForming(bars, this.#seconds), this.#every);
    if (this.#every > 60 && bars.length) bars[bars.length - 1].isForming ||= bars.at(-1).start_ms + this.#every * 1000 > now;
    // A minute bar arrives some seconds after its minute.
    const due = windowOf(now - 10000, this.#every);
    const kind = this.#base === 1 ? 'A' : 'AM'; // gaps of other kinds don't affect these bars
    this.#chart.update({ symbol: this.#symbol, bars, every: this.#every, gaps: this.#gaps.filter((gap) => gap.events.includes(kind)), hint: this.#note || 'Loading…', now: due });
    byId('chart-newest').disabled = this.#chart.isFollowing;
  }

  // Takes over the feed's spelling of a symbol that was typed differently.
  #spell(typed, read) {
    this.#symbol = read;
    route.set({ symbol: read }, { replaces: true });
    const name = byId('symbol-name');
    if (name.value.trim() === typed) name.value = read;
    this.#describe();
  }

  // Shows the symbol's connections, sector, ETFs and groups.
  async #describe() {
    const symbol = this.#symbol;
    const [stock, placement] = await Promise.all([
      load(`/api/stocks/${encodeURIComponent(symbol)}`).catch(() => null),
      this.#collects(symbol).then((isCollected) => (isCollected ? load(`/api/websocket/symbols/${encodeURIComponent(symbol)}`) : {})).catch(() => ({})),
    ]);
    if (symbol !== this.#symbol) return;
    const places = placement.connections ?? [];
    const nearest = stock?.nearest?.length ? `not collected; did you mean ${stock.nearest.join(', ')}?` : '';
    const words = places.length
      ? places.map((place) => `${place.name}${place.is_refused ? ' (refused by the plan)' : place.is_confirmed ? '' : ' (not confirmed)'}`).join(', ')
      : nearest || 'not collected';
    const pairs = [['Connection', words]];
    if (stock && stock.sector !== 'unknown') pairs.push(['Sector', `${stock.sector}${stock.industry === 'Unknown' ? '' : `, ${stock.industry}`}`]);
    if (stock?.etfs.length) pairs.push(['ETFs', stock.etfs.map((etf) => (etf.weight === null ? etf.name : `${etf.name} ${etf.weight.toFixed(2)} %`)).join(', ')]);
    const groups = stock ? [...new Set([...stock.universes, ...stock.themes])] : [];
    if (groups.length) pairs.push(['Groups', groups.join(', ')]);
    byId('symbol-about').replaceChildren(facts(pairs));
    this.#showFreshness();
  }

  #showFreshness() {
    const entry = this.#freshness(this.#symbol);
    const ages = this.#events.filter((event) => event.kind === 'T' || event.kind === 'Q')
      .map((event) => event.received_ms - event.time_ms).sort((one, other) => one - other);
    const last = Math.max(entry?.last_event_ms ?? 0, this.#events[0]?.received_ms ?? 0);
    byId('symbol-fresh').replaceChildren(facts([
      ['Last event', last ? format.ago((this.#now() - last) / 1000) : 'none since the start'],
      ['Last price', format.price(entry?.last_price)],
      ['Latency, median', ages.length ? format.duration(Math.max(0, ages[ages.length >> 1]) / 1000) : '–'],
    ]));
  }

  #showEvents() {
    this.#showFreshness();
    const list = byId('symbol-events');
    if (!this.#events.length) return list.replaceChildren(empty('No event yet.'));
    return list.replaceChildren(el(
      'table', { class: 'events' },
      headOf([`Time, ${zone.name}`, 'Kind', ['Value', 'num']]),
      el('tbody', {}, this.#events.slice(0, SHOWN).map((event) => {
        const [time, kind, , value] = cells(event);
        return el('tr', {}, time, kind, value);
      }))));
  }

  #showGaps() {
    redraw(byId('symbol-gaps'), this.#gaps.length
      ? gapTable(this.#gaps, { title: `Gaps of ${this.#symbol}` })
      : empty(`No gap of ${this.#symbol} is recorded.`));
  }

  #table() {
    const box = byId('bars-table');
    if (!byId('bars-details').open) return box.replaceChildren();
    const { bars } = this.#chart;
    if (bars.length === 0) return box.replaceChildren(empty('No bars.'));
    return box.replaceChildren(el(
      'table', {},
      headOf([[`Time, ${zone.name}`, 'keep'], ...['Open', 'High', 'Low', 'Close', 'Volume', 'VWAP'].map((name) => [name, 'num'])]),
      el('tbody', {}, bars.slice(-390).reverse().map((bar) => el(
        'tr', {}, el('td', { class: 'keep' }, `${format.moment(bar.start_ms)}${bar.isForming ? ' (forming)' : ''}`),
        [bar.open, bar.high, bar.low, bar.close].map((value) => el('td', { class: 'num' }, format.price(value))),
        el('td', { class: 'num' }, format.count(bar.volume)), el('td', { class: 'num' }, format.average(bar.vwap)))))));
  }
}
