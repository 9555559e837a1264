// The coverage of every minute: a calendar of days and, for a chosen day, its symbols by minute.

import { load, query } from './api.js';
import { byId, debounce, el, empty, setText } from './dom.js';
import * as format from './format.js';
import { color, onRecolor, painter, sized } from './palette.js';
import { route } from './route.js';
import { zone } from './zone.js';

const DAYS = 42;
const AGE = 60000;
const HINT = 'Point at a minute to read it; a click opens the symbol there.';
const ROW = 13;
const NAMES = 76;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const FILLS = { b: 'cover-bar', n: 'cover-none', g: 'cover-gap', u: 'cover-unknown', a: 'surface' };
const STATES = { closed: 'no trading', complete: 'complete', gaps: 'bars are missing', unchecked: 'not fully checked' };

// Parses b120n1b269 into [['b', 120], …].
const runs = (text) => [...text.matchAll(/([a-z])(\d*)/g)].map(([, letter, count]) => [letter, Number(count || 1)]);

export class Coverage {
  #day = '';
  #found = null; // the chosen day
  #rows = [];
  #width = 0;
  #loadedAt = 0;
  #choose;
  #canvas = el('canvas', { 'aria-hidden': 'true' });
  #box = byId('coverage-map');
  #search = byId('coverage-search');
  #readout = byId('coverage-readout');
  #paint = painter(() => this.#draw());
  #isVisible = false;

  // `choose` is called with a symbol, and the moment that was picked.
  constructor(choose) {
    this.#choose = choose;
    this.#box.append(this.#canvas);
    setText(this.#readout, HINT);
    new ResizeObserver(([entry]) => { this.#width = entry.contentRect.width; this.#paint(); }).observe(this.#box);
    new IntersectionObserver(([entry]) => {
      this.#isVisible = entry.isIntersecting;
      this.refresh();
    }, { rootMargin: '200px' }).observe(byId('completeness'));
    onRecolor(this.#paint);
    zone.listen(this.#paint);
    this.#search.addEventListener('input', debounce(100, () => this.#arrange()));
    for (const name of ['pointermove', 'pointerdown']) this.#box.addEventListener(name, (event) => this.#point(event));
    this.#box.addEventListener('click', (event) => {
      const { row, minute } = this.#at(event);
      if (row) this.#choose(row.symbol, this.#found.session_start_ms + minute * 60000);
    });
  }

  // Reads again once a minute while the section is in view.
  async refresh() {
    if (!this.#isVisible || document.hidden || Date.now() - this.#loadedAt < AGE) return;
    this.#loadedAt = Date.now();
    try {
      const { periods, problem } = await load(`/api/coverage${query({ days: DAYS })}`);
      byId('coverage').hidden = false;
      setText(byId('coverage-note'), problem ?? '');
      this.#drawCalendar(periods);
      const isOpen = (period) => period.state !== 'closed';
      const last = periods.findLast((period) => isOpen(period) && period.symbols > 0) ?? periods.findLast(isOpen);
      this.#open(route.get('day') || last?.from || periods.at(-1)?.from || '');
    } catch (error) {
      setText(byId('coverage-note'), error.message);
    }
  }

  follow() {
    if (route.get('day') && route.get('day') !== this.#day) this.#open(route.get('day'));
  }

  #drawCalendar(periods) {
    const first = periods.length ? new Date(`${periods[0].from}T00:00:00Z`) : null;
    const words = (day) => `${Number(day.slice(8))} ${MONTHS[Number(day.slice(5, 7)) - 1]}`;
    setText(byId('coverage-span'), periods.length ? `${words(periods[0].from)} to ${words(periods.at(-1).to)}` : 'Days');
    const blanks = first ? (first.getUTCDay() + 6) % 7 : 0;
    const days = byId('coverage-days');
    const focused = days.querySelector(':focus')?.dataset.day;
    days.replaceChildren(
      ...['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'].map((name) => el('li', { class: 'weekday', 'aria-hidden': 'true' }, name)),
      ...Array.from({ length: blanks }, () => el('li', { 'aria-hidden': 'true' })),
      ...periods.map((period) => {
        const [, month, day] = period.from.split('-').map(Number);
        const button = el(
          'button',
          {
            type: 'button', class: 'day', 'data-day': period.from, disabled: period.state === 'closed',
            onclick: () => { route.set({ day: period.from }, { panel: 'completeness' }); this.#open(period.from); },
          },
          day === 1 ? MONTHS[month - 1] : String(day));
        this.#color(button, period);
        return el('li', {}, button);
      }));
    days.querySelector(`[data-day="${focused}"]`)?.focus({ preventScroll: true });
  }

  // Colours a day by what is known about it. A request for one day has more time for the database, so it may know more.
  #color(button, period) {
    const known = period.minutes.b + period.minutes.n;
    const all = known + period.minutes.g + period.minutes.u;
    const share = all ? `, ${Math.floor((known / all) * 1000) / 10} % of the minutes known` : '';
    const has = period.symbols > 0 || period.state === 'closed';
    const label = `${period.from}: ${has ? STATES[period.state] ?? period.state : 'nothing in the file'}${period.symbols ? `, ${format.plural(period.symbols, 'symbol')}${share}` : ''}`;
    button.dataset.state = has ? period.state : 'nothing';
    button.title = label;
    button.setAttribute('aria-label', label);
  }

  async #open(day) {
    if (!day) return;
    this.#day = day;
    for (const button of byId('coverage-days').querySelectorAll('button')) {
      if (button.dataset.day === day) button.setAttribute('aria-current', 'date');
      else button.removeAttribute('aria-current');
    }
    try {
      const found = await load(`/api/coverage${query({ day })}`);
      if (this.#day !== day) return;
      this.#found = found;
      const [period] = found.periods;
      byId('coverage-controls').hidden = !period?.symbols;
      this.#readout.hidden = !period?.symbols;
      const state = period?.symbols || period?.state === 'closed' ? STATES[period.state] : 'nothing was collected';
      setText(byId('coverage-title'), `${day}: ${state}${period?.symbols ? `; ${format.count(period.reconciled_symbol_days)} of ${format.plural(period.symbols, 'symbol')} compared with the tape` : ''}`);
      const button = byId('coverage-days').querySelector(`[data-day="${day}"]`);
      if (button && period?.symbols) this.#color(button, period);
      byId('coverage-legend').replaceChildren(...Object.keys(FILLS).map((letter) => [letter, found.legend[letter]]).map(([letter, meaning]) => el(
        'li', {}, el('span', { class: `swatch ${FILLS[letter] ?? 'sunken'}`, 'aria-hidden': 'true' }), `${meaning}: ${format.count(period?.minutes[letter])}`)));
      this.#arrange();
    } catch (error) {
      setText(byId('coverage-title'), error.message);
    }
  }

  #arrange() {
    const wanted = this.#search.value.trim().toUpperCase();
    const missing = (row) => row.runs.reduce((sum, [letter, count]) => sum + (letter === 'g' ? count * 1000 : letter === 'u' ? count : 0), 0);
    this.#rows = (this.#found?.symbols ?? []).filter((row) => row.symbol.toUpperCase().includes(wanted))
      .map((row) => ({ ...row, runs: runs(row.minutes) })).sort((one, other) => missing(other) - missing(one));
    this.#box.setAttribute('aria-label', `Minutes of ${format.plural(this.#rows.length, 'symbol')} on ${this.#day}, the most missing first`);
    this.#paint();
  }

  #draw() {
    const rows = this.#rows;
    const width = this.#width;
    if (width < 80) return;
    const session = this.#found ? (this.#found.session_end_ms - this.#found.session_start_ms) / 60000 : 0;
    // As many rows as fit on a canvas; the search finds the others.
    const shown = rows.slice(0, 3000);
    const height = Math.max(24, 20 + shown.length * ROW);
    this.#canvas.style.height = `${height}px`;
    const context = sized(this.#canvas, width, height);
    context.font = '11px system-ui, sans-serif';
    context.fillStyle = color('muted');
    if (!session || !shown.length) {
      this.#box.dataset.count = 0;
      const isNone = this.#found?.symbols.length && this.#search.value.trim();
      context.font = '13px system-ui, sans-serif';
      context.fillText(!this.#found ? 'Loading…' : isNone ? 'No symbol matches.' : 'No bar of this day is in the file or the database.', 0, 16);
      return;
    }
    const step = (width - NAMES) / session;
    context.fillText(zone.name, 0, 12, NAMES - 8);
    for (let minute = 0; minute < session; minute += 60) {
      context.fillText(format.hour(this.#found.session_start_ms + minute * 60000), NAMES + minute * step, 12);
    }
    shown.forEach((row, index) => {
      const y = 20 + index * ROW;
      context.fillStyle = color('muted');
      context.fillText(row.symbol.slice(0, 9), 0, y + 10);
      let minute = 0;
      for (const [letter, count] of row.runs) {
        context.fillStyle = color(FILLS[letter] ?? 'sunken');
        context.fillRect(NAMES + minute * step, y, Math.max(1, count * step), ROW - 2);
        minute += count;
      }
    });
    this.#box.dataset.count = shown.length;
  }

  #at(event) {
    if (!this.#found?.session_start_ms) return {};
    const area = this.#canvas.getBoundingClientRect();
    const row = this.#rows[Math.floor((event.clientY - area.top - 20) / ROW)];
    const session = (this.#found.session_end_ms - this.#found.session_start_ms) / 60000;
    const minute = Math.floor((event.clientX - area.left - NAMES) / ((this.#width - NAMES) / session));
    return minute >= 0 && minute < session ? { row, minute } : {};
  }

  #point(event) {
    const { row, minute } = this.#at(event);
    if (!row) {
      setText(this.#readout, HINT);
      return;
    }
    let at = minute;
    const letter = row.runs.find(([, count]) => { at -= count; return at < 0; })?.[0];
    setText(this.#readout, `${row.symbol}, ${format.hour(this.#found.session_start_ms + minute * 60000)} ${zone.name}: ${this.#found.legend[letter] ?? '–'}${row.is_reconciled ? ' · the day was compared with the tape' : ''}`);
  }
}
