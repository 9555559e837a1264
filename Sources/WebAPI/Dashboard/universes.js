// The groups, a search over them, and what a key stands for.

import { load } from './api.js';
import { byId, el, empty } from './dom.js';
import * as format from './format.js';
import { tickerList } from './tickers.js';

const SHOWN = 200;

export class Universes {
  #groups = [];
  #chosen = '';
  #search = byId('universe-search');
  #list = byId('universe-list');
  #detail = byId('universe-detail');
  #choose;

  // `choose` is told a symbol that was picked.
  constructor(choose) {
    this.#choose = choose;
    this.#search.addEventListener('input', () => this.#draw());
    byId('universe-form').addEventListener('submit', (event) => {
      event.preventDefault();
      const key = this.#search.value.trim();
      if (key) this.#resolve(key);
    });
    this.#detail.replaceChildren(empty('Choose a group, or type a key and resolve it.'));
  }

  async reload() {
    try {
      this.#groups = (await load('/api/universes')).groups;
      this.#draw();
    } catch (error) {
      this.#list.replaceChildren(empty(error.message));
    }
  }

  #draw() {
    if (this.#groups.length === 0) {
      this.#list.replaceChildren(empty(
        'No groups yet. Pull them from the database with “edgetick universe pull”, or import a file with “edgetick universe import”.'));
      return;
    }
    const wanted = this.#search.value.trim().toLowerCase();
    const fitting = this.#groups.filter((group) =>
      [group.name, group.type, group.description ?? ''].some((text) => text.toLowerCase().includes(wanted)));
    if (fitting.length === 0) {
      this.#list.replaceChildren(empty('No group matches. “Resolve” looks the text up as a key.'));
      return;
    }
    this.#list.replaceChildren(el('ul', { class: 'rows' }, fitting.slice(0, SHOWN).map((group) => el(
      'li', {}, el(
        'button',
        {
          type: 'button', 'aria-current': group.name === this.#chosen ? 'true' : null,
          title: group.description, onclick: () => this.#resolve(group.name),
        },
        el('span', { class: 'name' }, group.name),
        el('span', { class: 'muted small' }, `${group.type} · ${format.count(group.member_count)}`))))));
  }

  async #resolve(key) {
    this.#chosen = key;
    this.#draw();
    this.#detail.replaceChildren(empty('Loading…'));
    try {
      const found = await load(`/api/universes/${encodeURIComponent(key)}`);
      if (this.#chosen !== key) return;
      const notes = [
        ...found.unknown.map((each) => `No group is named ${each.part}.${each.nearest.length ? ` Did you mean ${each.nearest.join(', ')}?` : ''}`),
        ...found.warnings,
      ];
      this.#detail.replaceChildren(
        el('h3', {}, key),
        el('p', { class: 'muted small' }, `${format.plural(found.count, 'symbol')}${found.parts.length > 1 ? ` from ${found.parts.map((part) => `${part.group} (${part.count})`).join(', ')}` : ''}`),
        ...notes.map((note) => el('p', { class: 'note', 'data-level': 'degraded' }, note)),
        tickerList(found.symbols, { choose: this.#choose }));
    } catch (error) {
      if (this.#chosen !== key) return;
      const nearest = error.nearest?.length ? ` Did you mean ${error.nearest.join(', ')}?` : '';
      this.#detail.replaceChildren(empty(error.message + nearest));
    }
  }
}
