// The boxes that share the database, the worst first; shown where there are any others, or where something is wrong.

import { load } from './api.js';
import { byId, el, setLevel, setText, table } from './dom.js';
import * as format from './format.js';
import { zone } from './zone.js';

const AGE = 5000;

export class Fleet {
  #loadedAt = 0;

  async refresh() {
    if (document.hidden || Date.now() - this.#loadedAt < AGE) return;
    this.#loadedAt = Date.now();
    try {
      this.#draw(await load('/api/fleet'));
    } catch (error) {
      setText(byId('fleet-note'), error.message);
    }
  }

  #draw(fleet) {
    byId('fleet').hidden = fleet.boxes.length < 2 && !fleet.problem;
    setLevel(byId('fleet-badge'), fleet.status);
    setText(byId('fleet-badge'), fleet.status);
    const age = fleet.age_seconds === null ? 'not read yet' : `read ${format.ago(fleet.age_seconds)}`;
    setText(byId('fleet-note'), [fleet.headline, ...fleet.remarks, fleet.problem, age].filter(Boolean).join(' · '));
    const head = ['Box', 'State', 'Seen', 'Symbols', 'Events/s', 'To upload', 'Oldest', 'Gaps', 'Letters', 'Disk free', `Last event, ${zone.name}`, 'Version'];
    byId('fleet-table').replaceChildren(table('Boxes', head, fleet.boxes.map((box) => el(
      'tr', {},
      el('td', {}, box.id === fleet.collector ? el('strong', {}, `${box.id} (this one)`) : box.id, el('span', { class: 'muted small block' }, [box.group, box.host].filter(Boolean).join(' · '))),
      el('td', {}, el('span', { class: 'badge', 'data-level': box.status }, box.standing === 'live' ? box.status : box.standing), box.detail ? el('span', { class: 'small block' }, box.detail) : null),
      el('td', { class: 'keep' }, format.ago(box.seen_age_seconds)),
      el('td', {}, box.symbols ? format.count(box.symbols) : 'all'), el('td', {}, format.rate(box.events_per_second)), el('td', {}, format.count(box.rows_pending)),
      el('td', { class: 'keep' }, format.duration(box.oldest_pending_seconds)), el('td', {}, format.count(box.gaps_open)), el('td', {}, format.count(box.dead_letters)),
      el('td', { class: 'keep' }, format.bytes(box.disk_free_bytes)), el('td', { class: 'keep' }, format.moment(box.last_event_ms)), el('td', {}, box.version)))));
  }
}
