// The verdict, the problems with links to their cards, and the cards. A card is green only if everything it covers is
// as the settings say.

import { load } from './api.js';
import { act, confirm } from './dialogs.js';
import { byId, el, facts, setLevel, setText } from './dom.js';
import * as format from './format.js';
import { zone } from './zone.js';

const ORDER = ['failing', 'degraded', 'ok'];
const SESSIONS = {
  closed: 'Market closed until', holiday: 'Market closed, a holiday, until', pre_market: 'Before the session, until', regular: 'Market open until',
  after_hours: 'After the session, until',
};

function verdict(level, connections) {
  if (level === 'ok') return 'Collecting';
  if (level === 'degraded') return 'Collecting, with problems';
  return connections.some((each) => each.status === 'connected') ? 'Not collecting everything' : 'Not collecting';
}

const worst = (checks) => ORDER.find((level) => checks.some((check) => check.status === level)) ?? 'unknown';

// A text of any length in a bounded space; shown in full on demand.
class Note {
  #text = el('p', { class: 'clamp' });
  #button = el('button', { type: 'button', class: 'link small', 'aria-expanded': 'false', hidden: true, onclick: () => this.#toggle() }, 'Show more');
  element = el('div', { class: 'note' }, this.#text, this.#button);

  show(text, level) {
    setText(this.#text, text);
    setLevel(this.element, level);
    const isOpen = this.#button.getAttribute('aria-expanded') === 'true';
    const isCut = isOpen || this.#text.scrollHeight > this.#text.clientHeight + 2;
    if (this.#button.hidden === isCut) this.#button.hidden = !isCut;
  }

  #toggle() {
    const isOpen = this.#button.getAttribute('aria-expanded') !== 'true';
    this.#button.setAttribute('aria-expanded', String(isOpen));
    this.#text.classList.toggle('clamp', !isOpen);
    setText(this.#button, isOpen ? 'Show less' : 'Show more');
  }
}

class Card {
  notes = new Map();

  // `checks` are the health checks that the card covers.
  constructor(title, checks) {
    this.title = title;
    this.checks = checks;
    this.badge = el('span', { class: 'badge', 'data-level': 'unknown' }, '…');
    this.value = el('span', {}, '–');
    this.unit = el('span', { class: 'unit' });
    this.figure = el('div', { class: 'figure' }, this.value, this.unit);
    this.facts = el('div');
    this.noteBox = el('div', { class: 'notes' });
    this.foot = el('div', { class: 'card-foot' }, this.noteBox);
    this.element = el(
      'article',
      { class: 'card', id: `card-${title.toLowerCase()}`, tabindex: '-1' },
      el('div', { class: 'card-head' }, el('h3', {}, title), this.badge),
      this.figure,
      this.facts,
      this.foot,
    );
  }

  // `off` is a text for a part that the settings turn off, which is neither good nor bad; `more` are further checks, by
  // name.
  show(value, unit, pairs, health, { off = null, more = {} } = {}) {
    setText(this.value, value);
    setText(this.unit, unit);
    this.facts.replaceChildren(facts(pairs));
    const found = [...this.checks.map((name) => [name, health.checks[name]]), ...Object.entries(more)].filter(([, check]) => check);
    const level = worst(found.map(([, check]) => check));
    const isOff = off !== null && level === 'ok';
    setLevel(this.badge, isOff ? 'off' : level);
    setText(this.badge, isOff ? 'off' : level === 'unknown' ? '–' : level);
    const wrong = found.filter(([, check]) => check.status !== 'ok');
    const said = isOff ? [['', { status: 'unknown', detail: off }]] : wrong.length ? wrong : found.slice(0, 1);
    const names = new Set(said.map(([name]) => name));
    for (const [name, note] of this.notes) {
      if (!names.has(name)) {
        note.element.remove();
        this.notes.delete(name);
      }
    }
    for (const [name, check] of said) {
      if (!this.notes.has(name)) {
        this.notes.set(name, new Note());
        this.noteBox.append(this.notes.get(name).element);
      }
      const isNamed = check.status !== 'ok' && name !== this.checks[0] && name in health.checks;
      this.notes.get(name).show(`${isNamed ? `${name}: ` : ''}${check.detail ?? ''}`, check.status);
    }
  }
}

export class Overview {
  #feed = new Card('Feed', ['feed', 'symbols', 'decoding']);
  #buffer = new Card('Buffer', ['buffer', 'disk']);
  #upload = new Card('Upload', ['sync', 'sync_ticks']);
  #universes = new Card('Universes', ['universes']);
  #process = new Card('Process', ['loops']);
  #relay = new Card('Relay', ['relay']);
  #fleet = new Card('Fleet', ['fleet']);
  #completeness = new Card('Completeness', ['reconcile', 'backfill']);
  #others = new Card('Other', []);
  #cards = [this.#feed, this.#buffer, this.#upload, this.#completeness, this.#universes, this.#process, this.#relay, this.#fleet, this.#others];
  #push = el('button', { type: 'button', id: 'push' }, 'Push now…');
  #letters = el('a', { href: '#dead-letters', class: 'small' }, 'Dead letters');
  #boxes = el('a', { href: '#fleet', class: 'small' }, 'Boxes');
  #meter = el('span');
  #open;

  // `open` is called with the id of the card to show.
  constructor(open) {
    this.#open = open;
    this.#upload.foot.append(this.#letters, this.#push);
    this.#completeness.foot.append(el('a', { href: '#gaps', class: 'small' }, 'Gaps'));
    this.#relay.foot.append(el('a', { href: '#relay', class: 'small' }, 'Clients'));
    this.#fleet.foot.append(this.#boxes);
    this.#buffer.facts.before(el('div', { class: 'meter', 'aria-hidden': 'true' }, this.#meter));
    byId('cards').append(...this.#cards.map((card) => card.element));
    for (const card of [this.#relay, this.#fleet, this.#others]) card.element.hidden = true;
    this.#push.hidden = true;
    this.#push.addEventListener('click', () => this.#pushNow());
  }

  // Besides the state, takes the number of groups, the boxes of the fleet and the newest gaps, each null until it has
  // been read.
  show(status, { groups, fleet, gaps }) {
    const { buffer, sync, health, process, relay } = status;
    this.#showVerdict(status);

    const events = status.connections.reduce((sum, each) => sum + each.messages_per_second, 0);
    const symbols = status.connections.reduce((sum, each) => sum + each.confirmed_tickers, 0);
    const assigned = status.connections.reduce((sum, each) => sum + each.assigned_tickers, 0);
    const isAll = status.connections.some((each) => each.takes_all);
    this.#feed.show(format.rate(events), 'events/s', [
      ['Confirmed', isAll ? 'all of the market' : `${format.count(symbols)} of ${format.count(assigned)}`],
      ['Latency, median', format.duration(status.latency.p50_seconds)],
      ['Latency, p99', format.duration(status.latency.p99_seconds)],
    ], health);

    const share = buffer.maximum_bytes > 0 ? buffer.used_bytes / buffer.maximum_bytes : 0;
    this.#meter.style.width = `${Math.min(100, share * 100).toFixed(1)}%`;
    this.#buffer.show(format.count(buffer.pending), `${buffer.pending === 1 ? 'row' : 'rows'} ${sync.is_configured ? 'to upload' : 'kept'}`, [
      ['In use', format.bytes(buffer.used_bytes)],
      ['Cap', format.bytes(buffer.maximum_bytes)],
      ['Write-ahead log', format.bytes(buffer.wal_bytes)],
      ['Disk free', buffer.disk_free_bytes === null ? '–' : format.bytes(buffer.disk_free_bytes)],
      ['Dropped events', format.count(buffer.drops)],
    ], health);

    const isOn = sync.is_configured;
    const isProblem = sync.failure !== null;
    const next = sync.next_pass_ms === null ? 'under way' : format.within((sync.next_pass_ms - status.timestamp_ms) / 1000);
    this.#upload.show(isOn ? format.duration(sync.lag_seconds) : 'off', isOn ? 'behind' : '', isOn ? [
      ['Rows uploaded', format.count(sync.rows_uploaded)],
      ['Dead letters', format.count(buffer.dead_letters)],
      ['Caught up', sync.last_success_age_seconds === null ? 'never' : format.ago(sync.last_success_age_seconds)],
      [isProblem ? 'Next try' : 'Next pass', next],
    ] : [], health, { off: isOn ? null : 'DATABASE_URI is not set: rows stay in the file, up to its cap.' });
    this.#push.hidden = !isOn;
    this.#letters.hidden = buffer.dead_letters === 0;

    const unfilled = gaps?.filter((gap) => gap.state === 'open').length ?? 0;
    // The check counts them too, unless it sees no problem in them.
    const more = unfilled && (health.checks.backfill?.status ?? 'ok') === 'ok' ? { gaps: { status: 'degraded', detail: `${format.plural(unfilled, 'gap is', 'gaps are')} not filled yet.` } } : {};
    const inState = (...states) => gaps === null ? '–' : format.count(gaps.filter((gap) => states.includes(gap.state)).length) + (buffer.gaps > gaps.length ? ' or more' : '');
    this.#completeness.show(format.count(buffer.gaps), buffer.gaps === 1 ? 'gap' : 'gaps', buffer.gaps ? [
      ['Filled', inState('filled', 'empty', 'covered')],
      ['Not all filled', inState('open', 'partial')],
      ["Can't be filled", inState('unfillable')],
    ] : [], health, { off: status.reconcile ? null : 'No day is compared with the tape: RECONCILE_AT is not set.', more });

    this.#universes.show(groups === null ? '–' : format.count(groups), groups === 1 ? 'group' : 'groups', [
      ['Environment', status.environment],
    ], health);

    this.#process.show(format.bytes(process.resident_bytes), 'memory', [
      ['Uptime', format.duration(status.uptime_seconds)],
      ['Processor time', format.duration(process.cpu_seconds)],
      ['Event streams', format.count(process.event_clients)],
    ], health);

    this.#relay.element.hidden = !relay && (health.checks.relay?.status ?? 'ok') === 'ok';
    if (relay) {
      this.#relay.show(format.count(relay.clients.length), `of ${format.plural(relay.maximum_clients, 'client')}`, [
        ['Events sent', format.count(relay.events)],
        ['Replayed', format.count(relay.replayed_events)],
        ['Closed as too slow', format.count(relay.slow_clients)],
        ['Furthest behind', format.bytes(Math.max(0, ...relay.clients.map((client) => client.waiting_bytes)))],
      ], health);
    }
    this.#fleet.element.hidden = !status.fleet;
    if (status.fleet) this.#showFleet(status, fleet);

    // A check that belongs to no card is shown under Other.
    const known = new Set(this.#cards.flatMap((card) => (card === this.#others ? [] : card.checks)));
    this.#others.checks = Object.keys(health.checks).filter((name) => !known.has(name));
    this.#others.element.hidden = this.#others.checks.length === 0;
    if (this.#others.checks.length) this.#others.show(format.count(this.#others.checks.length), 'checks', [], health);
  }

  // Green only while the other boxes are well too.
  #showFleet({ fleet: own, shard, health }, fleet) {
    this.#boxes.hidden = byId('fleet').hidden;
    if (!fleet || (fleet.age_seconds === null && !fleet.problem)) return this.#fleet.show('–', 'boxes', [], { checks: {} });
    const { boxes } = fleet;
    const others = boxes.filter((box) => box.id !== fleet.collector && box.status !== 'ok');
    const live = boxes.filter((box) => box.standing === 'live').length;
    const problem = own.problem ?? fleet.problem;
    const more = {};
    if (others.length) {
      more.boxes = { status: others[0].status, detail: `${others[0].id} ${others[0].standing === 'live' ? others[0].status : others[0].standing}${others.length > 1 ? ` and ${format.plural(others.length - 1, 'more box', 'more boxes')}` : ''}` };
    }
    const check = health.checks.fleet;
    if (problem && (!check || check.status === 'ok' || !check.detail?.includes(problem))) more.database = { status: 'degraded', detail: problem };
    const versions = [...new Set(boxes.map((box) => box.version))];
    const total = `of ${format.plural(boxes.length, 'box', 'boxes')} live`;
    return this.#fleet.show(boxes.length ? format.count(live) : '–', boxes.length ? total : 'boxes', [
      ['Furthest behind', boxes.length ? format.duration(Math.max(...boxes.map((box) => box.oldest_pending_seconds))) : '–'],
      [versions.length > 1 ? 'Versions' : 'Version', versions.join(', ') || '–'],
      ['Clock offset', own.clock_offset_ms === null ? '–' : `${format.count(own.clock_offset_ms)} ms`],
      ...(shard ? [['Share', `${format.count(shard.symbols)} of ${format.plural(shard.symbols_total, 'symbol')}`]] : []),
    ], health, { more });
  }

  #showVerdict(status) {
    const checks = Object.entries(status.health.checks);
    const level = worst(checks.map(([, check]) => check));
    setLevel(byId('verdict'), level);
    setText(byId('verdict'), verdict(level, status.connections));
    const { session, until_ms: until } = status.market;
    setText(byId('market'), `${SESSIONS[session]} ${format.minute(until)} ${zone.name}`);
    document.title = `${level === 'ok' ? '' : level === 'degraded' ? '(!) ' : '(!!) '}${status.collector} · EdgeTick`;
    setText(byId('collector'), status.collector);
    byId('collector').title = status.collector;
    setText(byId('version'), `EdgeTick ${status.version} · ${status.environment}`);
    // Of equal problems, the one that the collector puts first; the others in the order of the cards.
    const order = this.#cards.flatMap((card) => card.checks);
    const place = (name) => (status.health.headline?.startsWith(`${name} `) ? -1 : order.includes(name) ? order.indexOf(name) : order.length);
    const problems = checks.filter(([, check]) => check.status !== 'ok')
      .sort(([first, one], [second, other]) => ORDER.indexOf(one.status) - ORDER.indexOf(other.status) || place(first) - place(second));
    const link = ([name, check], isWhole) => {
      const card = this.#cards.find((each) => each.checks.includes(name)) ?? this.#others;
      const title = name === card.checks[0] && card !== this.#others ? card.title : `${card.title}, ${name}`;
      return el(
        'a', { href: `#${card.element.id}`, class: 'problem', 'data-level': check.status, onclick: (event) => { event.preventDefault(); this.#open(card.element.id); } },
        el('strong', {}, `${title} ${check.status}`), isWhole && check.detail ? `: ${check.detail}` : '');
    };
    const text = problems.map(([name, check]) => `${name} ${check.status} ${check.detail}`).join();
    const box = byId('verdict-detail');
    if (box.dataset.text === text) return;
    box.dataset.text = text;
    const [first, ...rest] = problems;
    box.replaceChildren(...(first ? [link(first, true)] : []));
    byId('problems').replaceChildren(...(rest.length ? [
      el('li', { class: 'muted' }, `and ${format.plural(rest.length, 'more problem')}:`), ...rest.map((problem) => el('li', {}, link(problem, false))),
    ] : []));
  }

  async #pushNow() {
    const agreed = await confirm(
      'Push the buffer now?',
      'The upload starts a pass at once instead of waiting for its interval. Rows are never sent twice.',
      'Push now');
    if (!agreed) return;
    await act(this.#push, async () => {
      const state = await load('/api/sync', { method: 'POST' });
      return `The upload was asked to start; ${format.plural(state.rows_pending, 'row waits', 'rows wait')}.`;
    });
  }
}
