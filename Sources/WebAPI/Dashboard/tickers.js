// The symbols of one connection, in a dialog with a search.

import { load } from './api.js';
import { byId, el, empty } from './dom.js';
import * as format from './format.js';

const SHOWN = 600;

// A list of symbols as buttons; only the first are drawn until the rest is asked for.
export function tickerList(symbols, { off = new Set(), choose, limit = SHOWN } = {}) {
  const list = el('ul', { class: 'tickers' }, symbols.slice(0, limit).map((symbol) => el(
    'li', {}, el(
      'button',
      { type: 'button', class: off.has(symbol) ? 'link off' : 'link', title: off.has(symbol) ? 'not confirmed' : null, onclick: () => choose(symbol) },
      symbol))));
  const box = el('div', {}, list);
  if (symbols.length > limit) {
    box.append(el('button', {
      type: 'button',
      onclick: () => box.replaceWith(tickerList(symbols, { off, choose, limit: Infinity })),
    }, `Show all ${format.count(symbols.length)}`));
  }
  return box;
}

export class Tickers {
  #dialog = byId('tickers');
  #search = byId('tickers-search');
  #symbols = [];
  #off = new Set();
  #choose;

  constructor(choose) {
    this.#choose = (symbol) => {
      this.#dialog.close();
      choose(symbol);
    };
    this.#search.addEventListener('input', () => this.#draw());
  }

  async open(connection) {
    const note = byId('tickers-note');
    const list = byId('tickers-list');
    byId('tickers-title').textContent = `Symbols of ${connection.name}`;
    note.textContent = 'Loading…';
    list.replaceChildren();
    this.#search.value = '';
    this.#dialog.showModal();
    try {
      const found = await load(`/api/websocket/connections/${encodeURIComponent(connection.id)}/tickers`);
      this.#symbols = found.tickers;
      this.#off = new Set([...found.unconfirmed, ...found.refused]);
      const parts = [`${format.plural(found.count, 'symbol')}, ${format.count(found.confirmed_count)} confirmed`];
      if (found.refused.length) parts.push(`${format.count(found.refused.length)} not covered by the feed's plan`);
      note.textContent = found.takes_all ? 'The connection takes every symbol of the market.' : parts.join('; ');
      this.#draw();
    } catch (error) {
      note.textContent = error.message;
    }
  }

  #draw() {
    const wanted = this.#search.value.trim().toUpperCase();
    const symbols = this.#symbols.filter((symbol) => symbol.toUpperCase().includes(wanted));
    byId('tickers-list').replaceChildren(
      symbols.length ? tickerList(symbols, { off: this.#off, choose: this.#choose }) : empty('No symbol matches.'));
  }
}
