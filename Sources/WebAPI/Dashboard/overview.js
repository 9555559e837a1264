// Feed, buffer, upload and process in four cards, and the verdict above them.

import { load } from './api.js';
import { act, confirm } from './dialogs.js';
import { byId, el, facts, setLevel, setText } from './dom.js';
import * as format from './format.js';

function verdict(level, connections) {
  if (level === 'ok') return 'Collecting';
  if (level === 'degraded') return 'Collecting, with trouble';
  return connections.some((each) => each.status === 'connected') ? 'Not collecting everything' : 'Not collecting';
}

class Card {
  constructor(title, check) {
    this.check = check;
    this.badge = check ? el('span', { class: 'badge', 'data-level': 'unknown' }, '…') : null;
    this.value = el('span', {}, '–');
    this.unit = el('span', { class: 'unit' });
    this.facts = el('div');
    this.note = el('p', { class: 'note' });
    this.foot = el('div', { class: 'card-foot' }, this.note);
    this.element = el(
      'article',
      { class: 'card', id: `card-${title.toLowerCase()}` },
      el('div', { class: 'card-head' }, el('h3', {}, title), this.badge),
      el('div', { class: 'figure' }, this.value, this.unit),
      this.facts,
      this.foot,
    );
  }

  show(value, unit, pairs, health) {
    setText(this.value, value);
    setText(this.unit, unit);
    this.facts.replaceChildren(facts(pairs));
    const check = this.check && health.checks[this.check];
    if (!check) return;
    setLevel(this.badge, check.status);
    setText(this.badge, check.status);
    setLevel(this.note, check.status);
    setText(this.note, check.detail);
  }
}

export class Overview {
  #feed = new Card('Feed', 'feed');
  #buffer = new Card('Buffer', 'buffer');
  #upload = new Card('Upload', 'sync');
  #process = new Card('Process', 'loops');
  #push = el('button', { type: 'button', id: 'push' }, 'Push now…');
  #meter = el('span');

  constructor() {
    this.#upload.foot.append(this.#push);
    this.#buffer.foot.before(el('div', { class: 'meter', 'aria-hidden': 'true' }, this.#meter));
    byId('cards').append(
      this.#feed.element, this.#buffer.element, this.#upload.element, this.#process.element);
    this.#push.addEventListener('click', () => this.#pushNow());
  }

  show(status) {
    const { buffer, sync, health, process, cache, relay } = status;
    const level = Object.values(health.checks).some((check) => check.status === 'failing')
      ? 'failing'
      : Object.values(health.checks).some((check) => check.status === 'degraded') ? 'degraded' : 'ok';
    setLevel(byId('verdict'), level);
    setText(byId('verdict'), verdict(level, status.connections));
    setText(byId('verdict-detail'), health.headline ?? '');
    const troubles = Object.entries(health.checks).filter(([, check]) => check.status !== 'ok');
    byId('troubles').replaceChildren(...(troubles.length < 2 ? [] : troubles.map(([name, check]) => el(
      'li', {}, el('strong', {}, `${name} ${check.status}: `), check.detail))));
    document.title = `${level === 'ok' ? '' : level === 'degraded' ? '(!) ' : '(!!) '}${status.collector} · EdgeTick`;
    setText(byId('collector'), status.collector);
    setText(byId('version'), `EdgeTick ${status.version} · ${status.environment}`);

    const events = status.connections.reduce((sum, each) => sum + each.messages_per_second, 0);
    const symbols = status.connections.reduce((sum, each) => sum + each.confirmed_tickers, 0);
    this.#feed.show(format.rate(events), 'events/s', [
      ['Symbols confirmed', format.count(symbols)],
      ['Latency, median', format.duration(status.latency.p50_seconds)],
      ['Latency, p99', format.duration(status.latency.p99_seconds)],
    ], health);

    const share = buffer.maximum_bytes > 0 ? buffer.used_bytes / buffer.maximum_bytes : 0;
    this.#meter.style.width = `${Math.min(100, share * 100).toFixed(1)}%`;
    this.#buffer.show(format.count(buffer.pending), sync.is_configured ? 'rows to upload' : 'rows kept', [
      ['In use', `${format.bytes(buffer.used_bytes)} of ${format.bytes(buffer.maximum_bytes)}`],
      ['Write-ahead log', format.bytes(buffer.wal_bytes)],
      ['Disk free', buffer.disk_free_bytes === null ? '–' : format.bytes(buffer.disk_free_bytes)],
      ['Dropped events', format.count(buffer.drops)],
    ], health);

    const isOn = sync.is_configured;
    this.#upload.show(isOn ? format.duration(sync.lag_seconds) : 'off', isOn ? 'behind' : '', [
      ['Rows uploaded', format.count(sync.rows_uploaded)],
      ['Rows refused', format.count(sync.rows_refused)],
      ['Last caught up', sync.last_success_age_seconds === null ? 'never' : format.ago(sync.last_success_age_seconds)],
    ], health);
    if (!this.#push.dataset.busy) this.#push.disabled = !isOn;

    this.#process.show(format.bytes(process.resident_bytes), 'memory', [
      ['Up for', format.duration(status.uptime_seconds)],
      ['Processor time', format.duration(process.cpu_seconds)],
      ['Relay', relay ? `${relay.clients.length} of ${relay.maximum_clients} clients` : 'off'],
      ['Cache hit rate', cache?.hit_rate === null || !cache ? '–' : `${(cache.hit_rate * 100).toFixed(1)} %`],
    ], health);
  }

  async #pushNow() {
    const agreed = await confirm(
      'Push the buffer now?',
      'The upload starts a pass at once instead of waiting for its interval. Rows are never sent twice.',
      'Push now');
    if (!agreed) return;
    this.#push.dataset.busy = 'yes';
    await act(this.#push, async () => {
      const state = await load('/api/sync', { method: 'POST' });
      return `The upload was asked to start; ${format.plural(state.rows_pending, 'row')} wait.`;
    });
    delete this.#push.dataset.busy;
  }
}
