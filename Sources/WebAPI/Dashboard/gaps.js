// The gaps, and whether they were filled.

import { load } from './api.js';
import { byId, el, empty, redraw, setText, table } from './dom.js';
import * as format from './format.js';
import { zone } from './zone.js';

const CAUSES = {
  disconnected: 'connection lost',
  stalled: 'feed silent',
  overflow: 'buffer full',
  down: 'collector not running',
  unsubscribed: 'not subscribed',
  damaged: 'file damaged',
  paused: 'machine or process paused',
  shard_moved: 'moved to another box',
};
const STATES = {
  open: 'not filled yet', filled: 'filled', partial: 'partly filled', empty: 'nothing was traded', unfillable: "can't be filled", covered: 'covered by another box',
};
const KINDS = {
  minute_bar: 'minute bars', AM: 'minute bars', A: 'second bars', T: 'trades', Q: 'quotes', LULD: 'price bands', NOI: 'imbalances', FMV: 'fair values',
};
const ORDER = Object.keys(KINDS);
const LISTED = 6;
const AGE = 5000; // a gap that is filled doesn't change the count, so read again after this time

function symbols(gap, pick) {
  if (!gap.symbols.length) return gap.symbol_count === 0 ? 'all' : format.count(gap.symbol_count);
  const names = gap.symbols.slice(0, LISTED).map((symbol) => el('button', { type: 'button', class: 'link', onclick: () => pick(symbol, gap) }, symbol));
  return gap.symbol_count > LISTED ? [...names, `of ${format.count(gap.symbol_count)}`] : names;
}

const NEAR = 2000; // between the ends of the gaps that one outage leaves
const ALIKE = ['connection', 'cause', 'state', 'detail', 'symbol_count', 'is_uncertain', 'symbols'];
const isSame = (one, other) => one === other
  || (Array.isArray(one) && one.length === other.length && one.every((each, index) => each === other[index]));
const endTogether = (one, other) => one.to_ms === other.to_ms
  || (one.to_ms !== null && other.to_ms !== null && Math.abs(one.to_ms - other.to_ms) <= NEAR);

// Joins gaps of different kinds that one outage left, and takes the span of the shortest: a lost minute bar counts as a
// minute, however short the outage was.
export function outages(gaps, alike = ['connection', 'cause']) {
  const found = [];
  for (const gap of gaps) {
    const known = found.find((each) => alike.every((key) => isSame(each[key], gap[key])) && endTogether(each, gap)
      && !gap.events.some((kind) => each.events.includes(kind)));
    if (!known) {
      found.push({ ...gap });
      continue;
    }
    if (gap.from_ms > known.from_ms) [known.from_ms, known.to_ms] = [gap.from_ms, gap.to_ms];
    known.events = [...known.events, ...gap.events].sort((one, other) => ORDER.indexOf(one) - ORDER.indexOf(other));
    known.filled_bars += gap.filled_bars;
    known.filled_ticks += gap.filled_ticks;
  }
  return found;
}

export const cause = (gap) => CAUSES[gap.cause] ?? gap.cause.replaceAll('_', ' ');

// `pick` is called with a symbol and its gap. Without it, all gaps are of one symbol and the table doesn't name it.
export function gapTable(gaps, { title = 'Gaps', pick } = {}) {
  const filled = (gap) => {
    const parts = [gap.filled_bars ? format.plural(gap.filled_bars, 'bar') : '', gap.filled_ticks ? format.plural(gap.filled_ticks, 'tick') : ''].filter(Boolean);
    return parts.length ? `: ${parts.join(', ')}` : '';
  };
  return table(title, [`Since, ${zone.name}`, 'Lasted', 'Missed', 'Cause', 'Outcome', 'Connection', ...(pick ? ['Symbols'] : [])], outages(gaps, ALIKE).map((gap) => el(
    'tr', { 'data-gap': gap.id },
    el('td', { class: 'keep' }, format.moment(gap.from_ms)),
    el('td', { class: 'keep' }, gap.to_ms === null ? 'under way' : `${format.duration((gap.to_ms - gap.from_ms) / 1000)}${gap.is_uncertain ? ' ?' : ''}`),
    el('td', {}, gap.events.map((kind) => KINDS[kind] ?? kind).join(', ')),
    el('td', {}, cause(gap)),
    el('td', { title: gap.detail }, `${STATES[gap.state] ?? gap.state}${filled(gap)}`, gap.detail ? el('span', { class: 'muted small block' }, gap.detail) : null),
    el('td', {}, gap.connection),
    pick ? el('td', {}, symbols(gap, pick)) : null)));
}

export class Gaps {
  #count = -1;
  #loaded = 0;
  latest = null; // the newest; null before the first response
  #pick;
  #changed;

  // `pick` is called with a symbol and its gap, `changed` with the gaps whenever they were read.
  constructor({ pick, changed }) {
    this.#pick = pick;
    this.#changed = changed;
    zone.listen(() => this.#draw());
  }

  // Reads again if the count has changed and, from time to time, to see which gaps were filled.
  async refresh(count) {
    const isUnsettled = this.latest?.some((gap) => gap.to_ms === null || gap.state === 'open');
    if (count === this.#count && !(count > 0 && Date.now() - this.#loaded > (isUnsettled ? AGE : AGE * 6))) return;
    this.#count = count;
    this.#loaded = Date.now();
    try {
      const { gaps, total } = await load('/api/gaps?limit=200');
      this.latest = gaps;
      const rows = format.plural(outages(gaps, ALIKE).length, 'row');
      const shown = total > gaps.length ? `, the newest ${gaps.length}` : '';
      setText(byId('gaps-count'), total ? `${format.plural(total, 'gap')}${shown} in ${rows}` : '');
      this.#draw();
      this.#changed(gaps);
    } catch (error) {
      this.forget();
      byId('gaps-panel').replaceChildren(empty(error.message));
    }
  }

  // Makes the next refresh read again, for instance after the connection is back.
  forget() { this.#count = -1; }

  #draw() {
    const box = byId('gaps-panel');
    if (this.latest === null) return undefined;
    if (this.latest.length === 0) return box.replaceChildren(empty('No gaps: no event is known to be missed.'));
    if (box.matches(':focus-within')) return undefined;
    return redraw(box, gapTable(this.latest, { pick: this.#pick }));
  }
}
