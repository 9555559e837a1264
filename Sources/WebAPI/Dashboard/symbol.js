// The candlestick chart of a chosen symbol.

import { load, query } from './api.js';
import { Candles } from './candles.js';
import { byId, el, empty, setText } from './dom.js';
import * as format from './format.js';

const SUGGESTED = 40;
const REFRESH = { 60: 15000, 1: 4000 };

export class SymbolView {
  #chart = new Candles();
  #symbol = '';
  #timer = null;
  #known = [];
  #request = 0;

  constructor() {
    byId('candles').append(this.#chart.element);
    byId('symbol-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.choose(byId('symbol-name').value.trim());
    });
    for (const id of ['symbol-interval', 'symbol-limit']) {
      byId(id).addEventListener('change', () => this.#load());
    }
    byId('symbol-name').addEventListener('input', () => this.#suggest());
    byId('bars-details').addEventListener('toggle', () => this.#load());
    document.addEventListener('visibilitychange', () => { if (!document.hidden) this.#load(); });
    this.#chart.update('', [], 60, 'Choose a symbol to see its bars');
  }

  get isChosen() { return this.#symbol !== ''; }

  // Shows a symbol; `moves` brings the chart into view.
  choose(symbol, { moves = false } = {}) {
    if (!symbol) return;
    this.#symbol = symbol;
    byId('symbol-name').value = symbol;
    if (moves) {
      byId('symbol').scrollIntoView();
      byId('symbol-name').focus({ preventScroll: true });
    }
    this.#load();
  }

  // The symbols to suggest while one is typed.
  async learn(connections) {
    const lists = await Promise.all(connections.map(
      (each) => load(`/api/websocket/connections/${encodeURIComponent(each.id)}/tickers`).catch(() => ({ tickers: [] }))));
    this.#known = [...new Set(lists.flatMap((list) => list.tickers))].sort();
    this.#suggest();
  }

  #suggest() {
    const typed = byId('symbol-name').value.trim().toUpperCase();
    const fitting = this.#known.filter((symbol) => symbol.toUpperCase().startsWith(typed)).slice(0, SUGGESTED);
    byId('symbol-names').replaceChildren(...fitting.map((value) => el('option', { value })));
  }

  async #load() {
    clearTimeout(this.#timer);
    if (!this.#symbol || document.hidden) return;
    const interval = Number(byId('symbol-interval').value);
    const symbol = this.#symbol;
    this.#request += 1;
    const request = this.#request;
    try {
      const { symbol: read, bars, is_complete: isComplete } = await load(
        `/api/bars${query({ symbol, interval, limit: byId('symbol-limit').value })}`);
      if (request !== this.#request) return;
      if (read !== symbol) this.#spell(symbol, read);
      const kind = interval === 60 ? 'minute' : 'second';
      this.#chart.update(read, bars, interval, `The buffer has no ${kind} bars of ${read}`);
      setText(byId('bars-note'), isComplete
        ? '' : 'The file is large: only its newest part was searched in time. `edgetick query` searches all of it.');
      this.#table(bars);
    } catch (error) {
      if (request === this.#request) this.#chart.update(symbol, [], interval, error.message);
    }
    this.#timer = setTimeout(() => this.#load(), REFRESH[interval]);
  }

  // Shows a symbol as the feed writes it, where it was typed otherwise.
  #spell(typed, read) {
    this.#symbol = read;
    const name = byId('symbol-name');
    if (name.value.trim() === typed) name.value = read;
  }

  #table(bars) {
    const box = byId('bars-table');
    if (!byId('bars-details').open) return box.replaceChildren();
    if (bars.length === 0) return box.replaceChildren(empty('No bars.'));
    const head = ['Time', 'Open', 'High', 'Low', 'Close', 'Volume'];
    return box.replaceChildren(el(
      'table', {},
      el('thead', {}, el('tr', {}, head.map((name, index) => el('th', { scope: 'col', class: index ? 'num' : 'keep' }, name)))),
      el('tbody', {}, [...bars].reverse().map((bar) => el(
        'tr', {}, el('td', { class: 'keep' }, format.moment(bar.start_ms)),
        [bar.open, bar.high, bar.low, bar.close].map((value) => el('td', { class: 'num' }, format.price(value))),
        el('td', { class: 'num' }, format.count(bar.volume)))))));
  }
}
