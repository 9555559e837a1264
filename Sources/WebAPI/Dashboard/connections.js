// A column for each feed connection.

import { load } from './api.js';
import { act, confirm } from './dialogs.js';
import { byId, el, empty, facts, setLevel, setText } from './dom.js';
import * as format from './format.js';

const LEVELS = { connected: 'ok', connecting: 'degraded', disconnected: 'failing', error: 'failing' };
const FROM = { list: 'the list', default_list: 'the default list', none: 'nothing', universe_key: 'the key' };

const sum = (counts) => Object.values(counts).reduce((all, each) => all + each, 0);

class Column {
  constructor(id, showTickers) {
    this.name = el('h3');
    this.badge = el('span', { class: 'badge' });
    this.rate = el('span');
    this.facts = el('div');
    this.note = el('p', { class: 'note' });
    this.button = el('button', { type: 'button', class: 'link', onclick: () => showTickers(this.state) }, 'Symbols');
    this.element = el(
      'article',
      { class: 'card', id: `column-${id}` },
      el('div', { class: 'card-head' }, this.name, this.badge),
      el('div', { class: 'figure' }, this.rate, el('span', { class: 'unit' }, 'events/s')),
      this.facts,
      el('div', { class: 'card-foot' }, this.note, this.button),
    );
  }

  show(state, now) {
    this.state = state;
    setText(this.name, state.name);
    this.name.title = `${state.name} (${state.id})`;
    setText(this.badge, state.is_paused ? 'paused' : state.status);
    // Green only if every assigned symbol is confirmed.
    const isWhole = state.takes_all || (state.confirmed_tickers === state.assigned_tickers && state.refused_tickers === 0);
    const level = LEVELS[state.status] ?? 'unknown';
    setLevel(this.badge, level === 'ok' && (state.is_paused || !isWhole || state.symbols.problem !== null) ? 'degraded' : level);
    setText(this.rate, format.rate(state.messages_per_second));
    this.button.setAttribute('aria-label', `Symbols of ${state.name}`);
    const symbols = state.takes_all
      ? 'all'
      : `${format.count(state.confirmed_tickers)} of ${format.count(state.assigned_tickers)}`;
    const pairs = [
      ['Confirmed', symbols],
      ['Over a minute', `${format.rate(state.rates.one_minute)}/s`],
      ['Events', format.count(state.message_count)],
      ['Last event', state.last_event_ms === null ? 'none yet' : format.ago((now - state.last_event_ms) / 1000)],
      ['Latency, p99', format.duration(state.latency.p99_seconds)],
      ['Reconnects · errors', `${format.count(state.reconnects)} · ${format.count(state.error_count)}`],
    ];
    if (state.refused_tickers > 0) pairs.push(['Refused by the plan', format.plural(state.refused_tickers, 'symbol')]);
    const fields = sum(state.left_out_fields);
    if (state.decode_error_count > 0 || fields > 0) {
      pairs.push(['Undecodable · fields left out', `${format.count(state.decode_error_count)} · ${format.count(fields)}`]);
    }
    const { problem, key, from } = state.symbols;
    if (state.universe_key) {
      const isInForce = key === state.universe_key;
      const others = isInForce ? '' : `; in force: ${key ?? FROM[from]}`;
      pairs.splice(1, 0, ['Universe', state.universe_key + others]);
    }
    this.facts.replaceChildren(facts(pairs));
    setLevel(this.note, state.status !== 'connected' ? 'failing' : problem === null ? 'unknown' : 'degraded');
    const error = state.last_error ? `Last error, ${format.moment(state.last_error_ms)}: ${state.last_error}` : '';
    setText(this.note, [problem, error].filter(Boolean).join(' · '));
  }
}

export class Connections {
  #columns = new Map();
  #list = byId('connection-list');
  #showTickers;

  constructor(showTickers) {
    this.#showTickers = showTickers;
    const button = byId('rebalance');
    button.addEventListener('click', async () => {
      const agreed = await confirm(
        'Rebalance the connections?',
        'Symbols move between connections until the load is balanced, also away from the connections that the settings name; a restart moves those back. No events are missed during a move.',
        'Rebalance');
      if (!agreed) return;
      await act(button, async () => {
        const { count } = await load('/api/websocket/rebalance', { method: 'POST' });
        return count === 0 ? 'The load was already balanced; nothing moved.' : `${format.plural(count, 'symbol')} moved.`;
      });
    });
  }

  // The name of a connection.
  nameOf(id) { return this.#columns.get(id)?.state.name ?? id; }

  // Shows all connections, in their order.
  show(states, now) {
    byId('rebalance').hidden = states.length < 2;
    if (states.length === 0) {
      this.#columns.clear();
      this.#list.replaceChildren(empty('There is no feed to collect from. Set USE_MASSIVE_API=true and restart.'));
      return;
    }
    const ids = new Set(states.map((state) => state.id));
    for (const id of [...this.#columns.keys()]) if (!ids.has(id)) this.remove(id);
    for (const state of states) this.update(state, now);
  }

  // Shows one connection.
  update(state, now) {
    let column = this.#columns.get(state.id);
    if (!column) {
      if (this.#columns.size === 0) this.#list.replaceChildren();
      column = new Column(state.id, this.#showTickers);
      this.#columns.set(state.id, column);
      this.#list.append(column.element);
    }
    column.show(state, now);
  }

  remove(id) {
    this.#columns.get(id)?.element.remove();
    this.#columns.delete(id);
  }

  // Takes events of the stream, since they show the time of the last event sooner than the next metrics do.
  heard(events) {
    for (const column of this.#columns.values()) {
      const last = events.findLast((event) => event.connection === column.state.name);
      if (last) column.state.last_event_ms = Math.max(column.state.last_event_ms ?? 0, last.received_ms);
    }
  }

  // The age of the last event grows even if nothing arrives.
  tick(now) {
    for (const column of this.#columns.values()) column.show(column.state, now);
  }
}
