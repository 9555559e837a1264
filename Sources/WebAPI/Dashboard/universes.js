// The groups with a search, and their members: weight, sector, whether they are collected and how fresh they are.

import { load } from './api.js';
import { byId, debounce, el, empty, headOf, setText } from './dom.js';
import * as format from './format.js';
import { route } from './route.js';
import { tickerList } from './tickers.js';

const SHOWN = 300;

// The address of a group's members, from its type and name.
export function groupPath(key) {
  const end = key.indexOf('/');
  return `/api/groups/${encodeURIComponent(key.slice(0, end).toLowerCase())}/${encodeURIComponent(key.slice(end + 1))}`;
}

const keyOf = (group) => `${group.type}/${group.name}`;

export class Universes {
  #groups = [];
  #chosen = ''; // a group as TYPE/name, or a key
  #members = null;
  #all = [];
  #collected = el('span');
  #search = byId('universe-search');
  #list = byId('universe-list');
  #detail = byId('universe-detail');
  #choose;
  #freshness;
  #names;
  #loaded;

  // `choose` is called with a symbol that was picked, `loaded` with the groups; `freshness` returns the newest event of
  // a symbol, `names` the name of a connection.
  constructor({ choose, freshness, names, loaded }) {
    this.#choose = choose;
    this.#freshness = freshness;
    this.#names = names;
    this.#loaded = loaded;
    this.#search.addEventListener('input', debounce(100, () => this.#draw()));
    byId('universe-form').addEventListener('submit', (event) => {
      event.preventDefault();
      const key = this.#search.value.trim();
      if (key) this.#open(key);
    });
    this.#detail.replaceChildren(empty('Choose a group, or type a key and resolve it.'));
  }

  async reload() {
    try {
      this.#groups = (await load('/api/groups')).groups;
      this.#loaded(this.#groups);
      this.#draw();
    } catch (error) {
      this.#list.replaceChildren(empty(error.message));
    }
  }

  // Shows what the address says.
  follow() {
    const key = route.get('group');
    if (key === this.#chosen) return;
    if (key) this.#show(key);
    else {
      this.#chosen = '';
      this.#members = null;
      this.#detail.replaceChildren(empty('Choose a group, or type a key and resolve it.'));
      this.#draw();
    }
  }

  // The ages of the members grow even if nothing arrives.
  tick() {
    if (!this.#members || document.hidden) return;
    setText(this.#collected, this.#collectedOf(this.#all));
    for (const { entry, cells } of this.#members) {
      const now = this.#freshness.of(entry.symbol);
      setText(cells.price, format.price(now?.last_price));
      setText(cells.age, !now ? 'not collected' : now.last_event_ms === null ? 'no event yet' : format.ago((this.#freshness.now() - now.last_event_ms) / 1000));
      setText(cells.where, now ? now.connections.map(this.#names).join(', ') : '');
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
          type: 'button', 'aria-current': keyOf(group) === this.#chosen ? 'true' : null,
          title: group.description ?? group.name, onclick: () => this.#open(keyOf(group)),
        },
        el('span', { class: 'name' }, group.name),
        el('span', { class: 'muted small' }, `${group.type.toLowerCase()} · ${format.plural(group.member_count, 'symbol')}`))))));
  }

  #open(key) {
    route.set({ group: key }, { panel: 'universes' });
    this.#show(key);
  }

  async #show(key) {
    this.#chosen = key;
    this.#members = null;
    this.#draw();
    this.#detail.replaceChildren(empty('Loading…'));
    try {
      const isGroup = /^[A-Z]+\//.test(key);
      const found = isGroup ? await load(groupPath(key)) : await load(`/api/universes/${encodeURIComponent(key)}`);
      if (this.#chosen !== key) return;
      if (isGroup) this.#showMembers(found);
      else this.#showResolution(key, found);
    } catch (error) {
      if (this.#chosen !== key) return;
      const nearest = error.nearest?.length ? ` Did you mean ${error.nearest.join(', ')}?` : '';
      this.#detail.replaceChildren(empty(error.message + nearest));
    }
  }

  #showMembers(group) {
    const hasWeights = group.members.some((member) => member.weight !== null);
    const hasSectors = group.type !== 'SECTOR' && group.members.some((member) => member.sector !== null);
    const head = ['Symbol', hasWeights && ['Weight', 'num'], hasSectors && 'Sector', ['Last price', 'num'], ['Last event', 'num'], 'Connection'].filter(Boolean);
    this.#members = [];
    this.#all = group.members;
    const row = (entry) => {
      const cells = { price: el('td', { class: 'num' }), age: el('td', { class: 'num' }), where: el('td', { class: 'muted' }) };
      this.#members.push({ entry, cells });
      return el(
        'tr', {},
        el('td', {}, el('button', { type: 'button', class: 'link', onclick: () => this.#choose(entry.symbol) }, entry.symbol)),
        hasWeights ? el('td', { class: 'num' }, entry.weight === null ? '–' : `${entry.weight.toFixed(2)} %`) : null,
        hasSectors ? el('td', { class: 'muted' }, entry.sector ?? '–') : null, cells.price, cells.age, cells.where);
    };
    const body = el('tbody', {}, group.members.slice(0, SHOWN).map(row));
    const rest = group.members.slice(SHOWN);
    this.#detail.replaceChildren(
      el('h3', {}, group.name),
      el('p', { class: 'muted small' }, [
        `${group.type.toLowerCase()}, ${format.plural(group.members.length, 'symbol')}`,
        group.description,
        `${group.origin === 'pulled' ? 'from the database' : 'from this machine'}, changed ${format.moment(group.updated_ms)}`,
      ].filter(Boolean).join(' · '), ' · ', this.#collected),
      el('table', { class: 'members' }, headOf(head), body));
    if (rest.length) {
      const more = el('button', { type: 'button', onclick: () => { more.remove(); body.append(...rest.map(row)); this.tick(); } }, `Show ${format.count(rest.length)} more`);
      this.#detail.append(more);
    }
    this.tick();
  }

  // How many of the members are collected, and on which connections.
  #collectedOf(members) {
    const places = new Map();
    let count = 0;
    for (const { symbol } of members) {
      const entry = this.#freshness.of(symbol);
      if (entry) count += 1;
      for (const id of entry?.connections ?? []) places.set(id, (places.get(id) ?? 0) + 1);
    }
    const where = [...places].map(([id, number]) => `${this.#names(id)} ${format.count(number)}`).join(', ');
    return `${count === members.length ? 'all' : format.count(count)} collected${where ? ` (${where})` : ''}`;
  }

  #showResolution(key, found) {
    const notes = [
      ...found.unknown.map((each) => `No group is named ${each.part}.${each.nearest.length ? ` Did you mean ${each.nearest.join(', ')}?` : ''}`),
      ...found.warnings,
    ];
    this.#detail.replaceChildren(
      el('h3', {}, key),
      el('p', { class: 'muted small' }, `${format.plural(found.count, 'symbol')}${found.parts.length > 1 ? ` from ${found.parts.map((part) => `${part.group} (${format.count(part.count)})`).join(', ')}` : ''}`),
      ...notes.map((note) => el('p', { class: 'note', 'data-level': 'degraded' }, note)),
      tickerList(found.symbols, { choose: this.#choose }));
  }
}
