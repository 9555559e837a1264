// The newest events, with pause and filter.

import { load, query } from './api.js';
import { byId, debounce, el, setText } from './dom.js';
import * as format from './format.js';

const ROWS = 200;
const KINDS = {
  AM: 'minute bar', A: 'second bar', T: 'trade', Q: 'quote', LULD: 'price bands', NOI: 'imbalance', FMV: 'fair value',
};
const INDICATORS = { '[17]': ' (halted)', '[18]': ' (resumed)' };

function value(event) {
  switch (event.kind) {
    case 'T': return `${format.price(event.price)} × ${format.compact(event.size)}`;
    case 'Q': return `${format.price(event.bid)} / ${format.price(event.ask)}`;
    case 'LULD':
      return `${format.price(event.low_band)} – ${format.price(event.high_band)}${INDICATORS[event.indicators] ?? ''}`;
    case 'NOI': return `${format.compact(event.imbalance)} at ${format.price(event.clearing_price)}`;
    case 'FMV': return format.price(event.fair_value);
    default: return `${format.price(event.close)} · ${format.compact(event.volume)}`;
  }
}

function row(event) {
  return el(
    'tr', {},
    el('td', {}, format.moment(event.time_ms)),
    el('td', { class: 'kind' }, KINDS[event.kind] ?? event.kind),
    el('td', { class: 'ticker' }, event.symbol),
    el('td', { class: 'num' }, value(event)),
    el('td', {}, event.connection),
  );
}

export class Events {
  #body = byId('events-body');
  #empty = byId('events-empty');
  #note = byId('events-note');
  #pause = byId('pause');
  #symbols = byId('events-symbols');
  #paused = false;
  #missed = 0;
  #waiting = [];
  #follow;

  // `follow` is told the stream's filter whenever it changes.
  constructor(follow) {
    this.#follow = follow;
    this.#pause.addEventListener('click', () => this.#togglePause());
    byId('events-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#changed();
    });
    this.#symbols.addEventListener('input', debounce(500, () => this.#changed()));
    for (const box of this.#boxes()) box.addEventListener('change', () => this.#changed());
    document.addEventListener('visibilitychange', () => this.#draw());
  }

  get filter() {
    const boxes = this.#boxes();
    const kinds = boxes.filter((box) => box.checked).map((box) => box.value);
    const symbols = this.#symbols.value.split(/[\s,;]+/).filter(Boolean).slice(0, 100);
    return { symbol: symbols.join(','), kind: kinds.length === boxes.length ? '' : kinds.join(',') };
  }

  // The newest events from memory and buffer, for a page that was just opened or a filter that was just set; answers
  // what was found.
  async refill() {
    const { symbol, kind } = this.filter;
    let found = [];
    if (!symbol.includes(',') && !this.#nothingChosen()) {
      try {
        found = (await load(`/api/ticks/recent${query({ symbol, limit: 100 })}`)).events;
        const kinds = kind ? kind.split(',') : Object.keys(KINDS);
        if (!this.#paused) this.#body.replaceChildren(...found.filter((event) => kinds.includes(event.kind)).map(row));
      } catch (error) {
        setText(this.#note, error.message);
      }
    }
    this.#showEmpty();
    return found;
  }

  // Events of the stream, oldest first.
  take({ events, seen }) {
    if (this.#nothingChosen()) return;
    if (this.#paused) {
      this.#missed += seen;
      setText(this.#note, `Paused; ${format.plural(this.#missed, 'event')} passed since.`);
      return;
    }
    this.#waiting.push(...events);
    if (this.#waiting.length > ROWS) this.#waiting.splice(0, this.#waiting.length - ROWS);
    if (seen > events.length) setText(this.#note, 'More events pass than are shown here; the buffer has them all.');
    this.#draw();
  }

  #draw() {
    if (document.hidden || this.#waiting.length === 0) return;
    const rows = document.createDocumentFragment();
    for (const event of this.#waiting.reverse()) rows.append(row(event));
    this.#waiting = [];
    this.#body.prepend(rows);
    while (this.#body.rows.length > ROWS) this.#body.lastElementChild.remove();
    this.#showEmpty();
  }

  #showEmpty() {
    const isEmpty = this.#body.rows.length === 0;
    this.#empty.hidden = !isEmpty;
    if (!isEmpty) return;
    const { symbol } = this.filter;
    setText(this.#empty, this.#nothingChosen()
      ? 'Choose at least one kind of events.'
      : symbol
        ? `No event of ${symbol} yet. Is it subscribed? See the connections' symbols.`
        : 'No event yet. Minute bars come a few seconds after each minute while the market is open.');
  }

  #togglePause() {
    this.#paused = !this.#paused;
    this.#pause.setAttribute('aria-pressed', String(this.#paused));
    this.#pause.textContent = this.#paused ? 'Resume' : 'Pause';
    this.#missed = 0;
    setText(this.#note, this.#paused ? 'Paused.' : '');
    if (!this.#paused) this.refill();
  }

  #changed() {
    this.#waiting = [];
    this.#body.replaceChildren();
    setText(this.#note, '');
    this.#follow(this.filter);
    this.refill();
  }

  #boxes() {
    return [...document.querySelectorAll('#events-form input[name="kind"]')];
  }

  #nothingChosen() {
    return this.#boxes().every((box) => !box.checked);
  }
}
