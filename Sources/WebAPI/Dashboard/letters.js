// The rows that the database refused, grouped by reason, with buttons to retry or discard them.

import { load } from './api.js';
import { act, confirm } from './dialogs.js';
import { byId, el, empty, save, setText, table } from './dom.js';
import * as format from './format.js';
import { route } from './route.js';
import { zone } from './zone.js';

const LIMIT = 500;
const WORDS = {
  22001: 'text too long', 22003: 'number out of range', 22007: 'invalid time', 22021: 'invalid text encoding', 23502: 'a value is missing',
  23503: 'foreign key not found', 23505: 'duplicate key', 23514: 'check constraint failed', 22000: 'data error', 23000: 'constraint violated',
};

const keyOf = (group) => [group.stream, group.sqlstate, group.constraint ?? ''].join(' ');
const isOf = (letter, group) => letter.stream === group.stream && letter.sqlstate === group.sqlstate
  && (letter.reason.match(/constraint "([^"]*)"/)?.[1] ?? null) === group.constraint;

// With two databases, one may have done its part when the other fails.
function told(text, failure) {
  if (failure) throw new Error(`${text} The others stay: ${failure}`);
  return text;
}

export class Letters {
  #count = -1;
  #found = null; // before the first answer
  #open = null;
  #isUploading = true;

  constructor() {
    zone.listen(() => this.#draw());
  }

  // Reads the letters again if their number has changed.
  async refresh(count, isUploading) {
    if (count === this.#count && isUploading === this.#isUploading) return;
    // Don't redraw rows that the user may be about to act on.
    const box = byId('dead-letters-panel');
    if (this.#count > 0 && count > 0 && (box.matches(':focus-within') || box.querySelector('details[open]'))) return;
    this.#count = count;
    this.#isUploading = isUploading;
    await this.#read();
  }

  async #read() {
    try {
      const found = await load(`/api/dead-letters?limit=${LIMIT}`);
      // A group keeps its place, so that no button slides under the mouse; of the new ones, the largest come first.
      const places = new Map(this.#found?.groups.map((group, place) => [keyOf(group), place]));
      const placeOf = (group) => places.get(keyOf(group)) ?? places.size;
      found.groups.sort((one, other) => placeOf(one) - placeOf(other) || other.count - one.count);
      this.#found = found;
      setText(byId('dead-letters-count'), this.#found.total ? format.plural(this.#found.total, 'row') : '');
      this.#draw();
    } catch (error) {
      this.forget();
      byId('dead-letters-panel').replaceChildren(empty(error.message));
    }
  }

  // Makes the next refresh read again, for instance after the connection is back.
  forget() { this.#count = -1; }

  follow() {
    this.#open = route.get('letters') || null;
    this.#draw();
  }

  #draw() {
    if (!this.#found) return undefined;
    const box = byId('dead-letters-panel');
    const { groups } = this.#found;
    if (groups.length === 0) return box.replaceChildren(empty('No dead letters: no refused row is waiting.'));
    const lists = box.querySelector('.letters-scroll');
    const top = lists?.scrollTop ?? 0;
    box.replaceChildren(...groups.map((group) => this.#group(group)));
    const list = box.querySelector('.letters-scroll');
    if (list) list.scrollTop = top;
    return undefined;
  }

  #group(group) {
    const key = keyOf(group);
    const isOpen = key === this.#open;
    const what = `${group.stream}, ${group.sqlstate}${group.constraint ? `, ${group.constraint}` : ''}`;
    const choice = { stream: group.stream, sqlstate: group.sqlstate, constraint: group.constraint ?? undefined };
    return el(
      'div', { class: 'letters' },
      el('div', { class: 'letters-head' },
        el('button', { type: 'button', class: 'link', 'aria-expanded': String(isOpen), onclick: () => this.#toggle(key) },
          `${isOpen ? '▾' : '▸'} ${format.count(group.count)} ${group.stream}`),
        el('span', {}, el('code', {}, group.sqlstate), ` ${WORDS[group.sqlstate] ?? ''}`, group.constraint ? [': ', el('code', {}, group.constraint)] : null),
        el('span', { class: 'muted small' }, `last ${format.moment(group.last_ms)} ${zone.name}`),
        el('span', { class: 'buttons' }, this.#buttons(choice, group.count, what))),
      el('p', { class: 'clamp muted small', title: group.reason }, group.reason),
      isOpen ? this.#letters(group) : null);
  }

  #buttons(choice, count, what, style) {
    const more = style ? '' : '…';
    const button = (word, disabled, action) => el(
      'button', { type: 'button', class: style, 'aria-label': `${word}${style ? '' : ':'} ${what}`, disabled, onclick: ({ currentTarget }) => action(currentTarget) }, word + more);
    return [
      button('Retry', !this.#isUploading, (chosen) => this.#retry(chosen, choice, count, what)),
      button('Discard', false, (chosen) => this.#discard(chosen, choice, count, what)),
    ];
  }

  #letters(group) {
    const letters = this.#found.dead_letters.filter((letter) => isOf(letter, group));
    if (!letters.length) return empty('None of them is among the newest rows. “edgetick dead-letters list” has them all.');
    const rows = letters.map((letter) => el(
      'tr', {}, el('td', { class: 'keep' }, format.moment(letter.refused_ms)), el('td', { class: 'keep' }, letter.letter),
      el('td', { class: 'ticker' }, letter.symbol ?? '–'),
      el('td', {}, el('details', {}, el('summary', {}, 'Reason and row'), el('p', { class: 'small' }, letter.reason), el('pre', {}, letter.row))),
      el('td', { class: 'keep' }, this.#buttons({ letters: [letter.letter] }, 1, letter.letter, 'link'))));
    const list = table(`Rows: ${group.stream} ${group.sqlstate}`, [`Refused, ${zone.name}`, 'Letter', 'Symbol', 'Details', 'Action'], rows);
    list.classList.add('letters-scroll');
    const more = letters.length < group.count ? el('p', { class: 'muted small' }, `${format.count(letters.length)} of ${format.count(group.count)}: those among the newest ${format.count(LIMIT)} of all. “edgetick dead-letters list” has the others.`) : null;
    return el('div', {}, list, more);
  }

  #toggle(key) {
    this.#open = this.#open === key ? null : key;
    route.set({ letters: this.#open ?? '' }, { panel: 'dead-letters' });
    this.#draw();
    byId('dead-letters-panel').querySelector(`[aria-expanded="${this.#open !== null}"]`)?.focus();
  }

  async #retry(button, choice, count, what) {
    const agreed = await confirm(
      `Retry ${format.plural(count, 'row')}?`,
      `The rows (${what}) return to the end of the queue and are uploaded exactly once. Rows that upstream refuses again reappear here.`,
      'Retry');
    if (!agreed) return;
    await act(button, async () => {
      const result = await load('/api/dead-letters/retry', { method: 'POST', body: choice });
      await this.#read();
      const stayed = [
        result.already_upstream_count ? `${format.plural(result.already_upstream_count, 'row')} upstream already` : '',
        result.superseded.length ? `${format.plural(result.superseded.length, 'bar')} not sent: a newer version exists` : '',
        result.unreadable.length ? `${format.plural(result.unreadable.length, 'row')} not sent: can't be read as an event` : '',
      ].filter(Boolean);
      return told([`${format.plural(result.requeued_count, 'row')} ${result.requeued_count === 1 ? 'is' : 'are'} back in the queue`, ...stayed].join('; ') + '.', result.failure);
    });
  }

  async #discard(button, choice, count, what) {
    const agreed = await confirm(
      `Discard ${format.plural(count, 'row')} for good?`,
      `The rows (${what}) are deleted from the file and counted as discarded. Your browser downloads them as JSON lines.`,
      'Discard', { isFinal: true });
    if (!agreed) return;
    await act(button, async () => {
      const { discarded_count: gone, waiting_count: waiting, rows, failure } = await load('/api/dead-letters/discard', { method: 'POST', body: choice });
      await this.#read();
      if (gone) save('discarded.ndjson', new Blob([`${rows.join('\n')}\n`], { type: 'application/x-ndjson' }));
      const stayed = waiting ? `; ${format.plural(waiting, 'row')} stayed in the queue: still waiting for upload` : '';
      return told(`${format.plural(gone, 'row')} discarded${stayed}.`, failure);
    });
  }
}
