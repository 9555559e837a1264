// The newest events, live or paused, with a filter.

import { load, query } from './api.js';
import { byId, debounce, el, setText } from './dom.js';
import * as format from './format.js';
import { route } from './route.js';
import { zone } from './zone.js';

const ROWS = 200;
const CROWDED = 5000; // for how long the note stays after the last message that left events out
const KINDS = {
  AM: 'minute bar', A: 'second bar', T: 'trade', Q: 'quote', LULD: 'price bands', NOI: 'imbalance', FMV: 'fair value',
};
const INDICATORS = { '[17]': ' (halted)', '[18]': ' (resumed)' };

function value(event) {
  switch (event.kind) {
    case 'T': return `${format.price(event.price)} × ${format.compact(event.size)}`;
    case 'Q': return `${format.price(event.bid)} × ${format.compact(event.bid_size)} / ${format.price(event.ask)} × ${format.compact(event.ask_size)}`;
    case 'LULD':
      return `${format.price(event.low_band)} – ${format.price(event.high_band)}${INDICATORS[event.indicators] ?? ''}`;
    case 'NOI': return `${format.compact(event.imbalance)} at ${format.price(event.clearing_price)}`;
    case 'FMV': return format.price(event.fair_value);
    default: return `${format.price(event.close)} · ${format.compact(event.volume)}`;
  }
}

// An event's cells: time, kind, symbol, value, connection.
export function cells(event) {
  return [
    el('td', {}, format.instant(event.time_ms)),
    el('td', { class: 'kind', 'data-code': event.kind }, KINDS[event.kind] ?? event.kind),
    el('td', { class: 'ticker' }, event.symbol),
    el('td', { class: 'num' }, value(event)),
    el('td', {}, event.connection),
  ];
}

// The events of one message are grouped by kind, so sort them by time of receipt.
export const newestFirst = (events) => events.toReversed().sort((one, other) => other.received_ms - one.received_ms);

const row = (event) => el('tr', {}, cells(event));

export class Events {
  #body = byId('events-body');
  #box = byId('events-box');
  #empty = byId('events-empty');
  #note = byId('events-note');
  #pause = byId('pause');
  #symbols = byId('events-symbols');
  #isPaused = false; // by the button
  #isReading = false; // paused because the user scrolled down
  #missed = 0;
  #crowdedAt = -CROWDED; // when the last message that left events out arrived
  #waiting = [];
  #follow;

  // `follow` is called with the stream's filter whenever it changes.
  constructor(follow) {
    this.#follow = follow;
    this.#pause.addEventListener('click', () => this.#toggle());
    byId('events-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#changed();
    });
    this.#symbols.addEventListener('input', debounce(500, () => this.#changed()));
    for (const box of this.#boxes()) box.addEventListener('change', () => this.#changed());
    this.#box.addEventListener('scroll', () => this.#scrolled());
    document.addEventListener('visibilitychange', () => this.#draw());
    zone.listen(() => {
      setText(byId('events-time'), `Time, ${zone.name}`);
      this.refill();
    });
    setText(byId('events-time'), `Time, ${zone.name}`);
    this.#read();
  }

  get filter() {
    const boxes = this.#boxes();
    const kinds = boxes.filter((box) => box.checked).map((box) => box.value);
    const symbols = this.#symbols.value.split(/[\s,;]+/).filter(Boolean).slice(0, 100);
    return { symbol: symbols.join(','), kind: kinds.length === boxes.length ? '' : kinds.join(',') };
  }

  // Shows what the address says.
  follow() {
    const before = JSON.stringify(this.filter);
    this.#read();
    if (JSON.stringify(this.filter) !== before) this.#restart();
  }

  // Shows the newest events from memory and the buffer, when the page was opened or a filter was set; returns what was
  // found.
  async refill() {
    const { symbol, kind } = this.filter;
    let found = [];
    if (!symbol.includes(',') && !this.#nothingChosen()) {
      try {
        found = (await load(`/api/ticks/recent${query({ symbol, limit: 100 })}`)).events;
        const kinds = kind ? kind.split(',') : Object.keys(KINDS);
        if (!this.#isStill) this.#body.replaceChildren(...found.filter((event) => kinds.includes(event.kind)).map(row));
      } catch (error) {
        setText(this.#note, error.message);
      }
    }
    this.#showEmpty();
    return found;
  }

  // Takes events of the stream, oldest first.
  take({ events, seen }) {
    if (this.#nothingChosen()) return;
    if (this.#isStill) {
      this.#missed += seen;
      setText(this.#note, `${format.plural(this.#missed, 'event')} passed since the list was paused.`);
      return;
    }
    this.#waiting.push(...events);
    if (this.#waiting.length > ROWS) this.#waiting.splice(0, this.#waiting.length - ROWS);
    // Messages differ; a note that came and went with each would flicker.
    const now = performance.now();
    if (seen > events.length) this.#crowdedAt = now;
    setText(this.#note, now - this.#crowdedAt < CROWDED ? 'More events arrive than are shown here; the buffer has them all.' : '');
    this.#draw();
  }

  get #isStill() { return this.#isPaused || this.#isReading; }

  #draw() {
    if (document.hidden || this.#waiting.length === 0) return;
    const rows = document.createDocumentFragment();
    for (const event of newestFirst(this.#waiting)) rows.append(row(event));
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
      ? 'Choose at least one kind of event.'
      : symbol
        ? `No event of ${symbol} yet. Is it subscribed? See the connections' symbols.`
        : 'No event yet. Minute bars arrive a few seconds after each minute while the market is open.');
  }

  #toggle() {
    if (this.#isStill) {
      this.#isPaused = false;
      this.#box.scrollTop = 0;
      this.#isReading = false;
      this.#missed = 0;
      this.refill();
    } else {
      this.#isPaused = true;
    }
    this.#showStill();
  }

  // Scrolling down means reading: the list is paused until it is back at its top.
  #scrolled() {
    const isReading = this.#box.scrollTop > 8;
    if (isReading === this.#isReading) return;
    this.#isReading = isReading;
    if (!this.#isStill) {
      this.#missed = 0;
      this.refill();
    }
    this.#showStill();
  }

  #showStill() {
    this.#pause.setAttribute('aria-pressed', String(this.#isStill));
    this.#pause.textContent = this.#isStill ? 'Resume' : 'Pause';
    setText(this.#note, this.#isStill ? 'The list is paused.' : '');
  }

  // Takes the filter from the address.
  #read() {
    this.#symbols.value = route.get('only');
    const kinds = route.get('kinds') ? route.get('kinds').split(',') : null;
    for (const box of this.#boxes()) box.checked = kinds === null || kinds.includes(box.value);
  }

  #changed() {
    const kinds = this.#nothingChosen() ? 'none' : this.filter.kind;
    route.set({ only: this.#symbols.value.trim(), kinds }, { replaces: true });
    this.#restart();
  }

  #restart() {
    this.#waiting = [];
    this.#crowdedAt = -CROWDED;
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
