// The boxes that share the database, the worst first; shown where there are any others, or where something is wrong.

import { load } from './api.js';
import { byId, el, setLevel, setText, table } from './dom.js';
import * as format from './format.js';
import { zone } from './zone.js';

const AGE = 5000;

export class Fleet {
  #loadedAt = 0;
  latest = null; // what was last read

  async refresh() {
    if (document.hidden || Date.now() - this.#loadedAt < AGE) return;
    this.#loadedAt = Date.now();
    try {
      this.latest = await load('/api/fleet');
      this.#draw(this.latest);
    } catch (error) {
      setText(byId('fleet-note'), error.message);
    }
  }

  #draw(fleet) {
    byId('fleet').hidden = fleet.boxes.length < 2 && !fleet.problem;
    setLevel(byId('fleet-badge'), fleet.status);
    setText(byId('fleet-badge'), fleet.status);
    const age = fleet.age_seconds === null ? 'not read yet' : fleet.age_seconds < 1.5 ? 'read just now' : `read ${format.ago(fleet.age_seconds)}`;
    setText(byId('fleet-note'), [format.plural(fleet.boxes.length, 'box', 'boxes'), ...fleet.remarks, fleet.problem, age].filter(Boolean).join(' · '));
    const isShared = fleet.boxes.some((box) => box.shares_with);
    const head = [
      'Box, host, version', 'State', ['Seen', 'num'], ['Behind', 'num'], ['To upload', 'num'], ['Symbols', 'num'], ['Events/s', 'num'], ['Gaps', 'num'], ['Letters', 'num'],
      ['Clock', 'num'], ['Disk free', 'num'], [`Last event, ${zone.name}`, 'num'], ...(isShared ? ['Shares with'] : []),
    ];
    const number = (text) => el('td', { class: 'num keep' }, text);
    byId('fleet-table').replaceChildren(table('Boxes', head, fleet.boxes.map((box) => el(
      'tr', {},
      el('td', { class: 'box' }, box.id === fleet.collector ? el('strong', {}, `${box.id} (this one)`) : box.id, el('span', { class: 'muted small block' }, [box.group, box.host, box.version].filter(Boolean).join(' · '))),
      el('td', { class: 'wide' }, el('span', { class: 'badge', 'data-level': box.status }, box.standing === 'live' ? box.status : box.standing), box.detail ? el('span', { class: 'small block' }, box.detail) : null),
      number(format.ago(box.seen_age_seconds)), number(box.rows_pending ? format.duration(box.oldest_pending_seconds) : '0 s'), number(format.count(box.rows_pending)),
      number(box.symbols ? format.count(box.symbols) : 'all'), number(format.rate(box.events_per_second)), number(format.count(box.gaps_open)), number(format.count(box.dead_letters)),
      number(box.clock_offset_ms === null ? '–' : `${format.count(box.clock_offset_ms)} ms`), number(format.bytes(box.disk_free_bytes)), number(format.moment(box.last_event_ms)),
      isShared ? el('td', {}, box.shares_with?.filter((id) => id !== box.id).join(', ') || '–') : null))));
  }
}
