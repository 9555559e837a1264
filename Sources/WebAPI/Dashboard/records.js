// What was missed and what upstream refused.

import { load } from './api.js';
import { byId, el, empty } from './dom.js';
import * as format from './format.js';

const CAUSES = {
  disconnected: 'connection lost',
  stalled: 'feed silent',
  overflow: 'buffer full',
  down: 'collector not running',
  unsubscribed: 'not subscribed',
  damaged: 'file damaged',
  paused: 'machine or process stood still',
};
const STATES = { open: 'not filled yet', filled: 'filled', empty: 'nothing was traded', unfillable: "can't be filled" };
const LISTED = 6;
const AGE = 30000; // what becomes of a gap changes no count

function table(title, columns, rows) {
  return el(
    'div', { class: 'scroll records', tabindex: '0', role: 'region', 'aria-label': title },
    el(
      'table', {},
      el('thead', {}, el('tr', {}, columns.map((name) => el('th', { scope: 'col', class: 'keep' }, name)))),
      el('tbody', {}, rows)));
}

function symbols(gap) {
  if (gap.symbol_count === 0) return 'all';
  const names = gap.symbols.slice(0, LISTED).join(', ');
  return gap.symbol_count > LISTED ? `${format.count(gap.symbol_count)}: ${names} …` : names || format.count(gap.symbol_count);
}

export class Records {
  #gaps = -1;
  #letters = -1;
  #loaded = 0;

  // Loads again what the counts say has changed.
  async refresh({ gaps, dead_letters: letters }) {
    if (gaps !== this.#gaps || (gaps > 0 && Date.now() - this.#loaded > AGE)) {
      this.#gaps = gaps;
      this.#loaded = Date.now();
      await this.#show('gaps', '/api/gaps?limit=50', (found) => this.#drawGaps(found));
    }
    if (letters !== this.#letters) {
      this.#letters = letters;
      await this.#show('dead-letters', '/api/dead-letters?limit=50', (found) => this.#drawLetters(found));
    }
  }

  // Looks again at the next chance, for instance after the connection came back.
  forget() {
    this.#gaps = -1;
    this.#letters = -1;
  }

  async #show(id, path, draw) {
    try {
      const found = await load(path);
      byId(`${id}-count`).textContent = found.total ? format.count(found.total) : '';
      byId(`${id}-panel`).replaceChildren(draw(found));
    } catch (error) {
      this.forget();
      byId(`${id}-panel`).replaceChildren(empty(error.message));
    }
  }

  #drawGaps({ gaps }) {
    if (gaps.length === 0) return empty('No gaps: no event is known to be missed.');
    return table('Gaps', ['Since', 'Lasted', 'Cause', 'What became of it', 'Connection', 'Symbols'], gaps.map((gap) => el(
      'tr', {},
      el('td', { class: 'keep' }, format.moment(gap.from_ms)),
      el('td', { class: 'keep' }, gap.to_ms === null ? 'under way' : `${format.duration((gap.to_ms - gap.from_ms) / 1000)}${gap.is_uncertain ? ' ?' : ''}`),
      el('td', { class: 'keep' }, CAUSES[gap.cause] ?? gap.cause),
      el('td', { title: gap.detail }, `${STATES[gap.state] ?? gap.state}${gap.filled_bars ? `: ${format.plural(gap.filled_bars, 'bar')}` : ''}`),
      el('td', {}, gap.connection),
      el('td', {}, symbols(gap)))));
  }

  #drawLetters({ dead_letters: letters }) {
    if (letters.length === 0) return empty('No dead letters: upstream took every row.');
    return table('Dead letters', ['When', 'Stream', 'SQLSTATE', 'Reason'], letters.map((letter) => el(
      'tr', {},
      el('td', { class: 'keep' }, format.moment(letter.refused_ms)),
      el('td', { class: 'keep' }, `${letter.stream} ${letter.sequence}`),
      el('td', {}, letter.sqlstate),
      el('td', {}, letter.reason, el('details', {}, el('summary', {}, 'Row'), el('pre', {}, letter.row))))));
  }
}
