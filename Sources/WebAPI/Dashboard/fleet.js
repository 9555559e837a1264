// The boxes that share the database, worst first; shown if there are others, or if something is wrong.

import { load } from './api.js';
import { byId, el, redraw, setLevel, setText, showSection, table } from './dom.js';
import * as format from './format.js';
import { zone } from './zone.js';

const AGE = 5000;

export class Fleet {
  #loadedAt = 0;
  latest = null; // what was last read
  #changed;

  // `changed` is called whenever the boxes were read.
  constructor(changed) {
    this.#changed = changed;
  }

  async refresh() {
    if (document.hidden || Date.now() - this.#loadedAt < AGE) return;
    this.#loadedAt = Date.now();
    try {
      this.latest = await load('/api/fleet');
      this.#draw(this.latest);
      this.#changed();
    } catch (error) {
      setText(byId('fleet-note'), error.message);
    }
  }

  #draw(fleet) {
    showSection('fleet', fleet.boxes.length > 1 || fleet.problem);
    setLevel(byId('fleet-badge'), fleet.status);
    setText(byId('fleet-badge'), fleet.status);
    const wasRead = fleet.age_seconds !== null;
    const age = !wasRead ? 'not read yet' : fleet.age_seconds < 1.5 ? 'read just now' : `read ${format.ago(fleet.age_seconds)}`;
    setText(byId('fleet-note'), [wasRead && format.plural(fleet.boxes.length, 'box', 'boxes'), ...fleet.remarks, fleet.problem, age].filter(Boolean).join(' · '));
    byId('fleet-table').hidden = !fleet.boxes.length;
    const head = [
      'Box, host, version', 'State', ['Seen', 'num'], ['Behind', 'num'], ['To upload', 'num'], ['Symbols', 'num'], ['Events/s', 'num'], ['Gaps · letters', 'num'],
      ['Clock', 'num'], ['Disk free', 'num'], [`Last event, ${zone.name}`, 'num'],
    ];
    redraw(byId('fleet-table'), table('Boxes', head, fleet.boxes.flatMap((box) => rows(box, box.id === fleet.collector))));
  }
}

// A box's figures and, in a row below over the whole width, its problem and the boxes that share its symbols.
function rows(box, isOwn) {
  const number = (text) => el('td', { class: 'num' }, text);
  const others = box.shares_with?.filter((id) => id !== box.id) ?? [];
  const more = [box.detail, others.length ? `shares its symbols with ${others.join(', ')}` : ''].filter(Boolean);
  const figures = el(
    'tr', {},
    el('td', { class: 'box' }, isOwn ? el('strong', {}, `${box.id} (this one)`) : box.id, el('span', { class: 'muted small block' }, [box.group, box.host, box.version].filter(Boolean).join(' · '))),
    el('td', {}, el('span', { class: 'badge', 'data-level': box.status }, box.standing === 'live' ? box.status : box.standing)),
    number(format.ago(box.seen_age_seconds)), number(box.rows_pending ? format.duration(box.oldest_pending_seconds) : '0 s'), number(format.count(box.rows_pending)),
    number(box.takes_all ? 'all' : format.count(box.symbols)), number(format.rate(box.events_per_second)), number(`${format.count(box.gaps_open)} · ${format.count(box.dead_letters)}`),
    number(box.clock_offset_ms === null ? '–' : `${format.count(box.clock_offset_ms)} ms`), number(format.bytes(box.disk_free_bytes)), el('td', { class: 'num wraps' }, format.moment(box.last_event_ms)));
  return more.length ? [figures, el('tr', { class: 'more' }, el('td', { colspan: '11', class: 'small' }, more.join(' · ')))] : [figures];
}
