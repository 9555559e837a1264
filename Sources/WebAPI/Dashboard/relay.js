// Who reads over the relay.

import { byId, el, empty, setText, table } from './dom.js';
import * as format from './format.js';
import { zone } from './zone.js';

export function showRelay(relay) {
  byId('relay').hidden = !relay;
  if (!relay) return;
  const totals = [
    `${relay.host}:${relay.port}${relay.is_encrypted ? ', TLS' : ''}`,
    `${format.plural(relay.events, 'event')} sent`, relay.replayed_events ? `${format.count(relay.replayed_events)} replayed` : '',
    relay.slow_clients ? `${format.plural(relay.slow_clients, 'client')} closed because it read too slowly`.replace('s closed because it', 's closed because they') : '',
    relay.turned_away ? `${format.count(relay.turned_away)} turned away` : '', relay.logins_refused ? `${format.plural(relay.logins_refused, 'login')} refused` : '',
    relay.on_demand ? `${format.count(relay.on_demand.symbols.length)} of ${format.plural(relay.on_demand.maximum, 'symbol')} on demand` : '',
  ];
  setText(byId('relay-note'), totals.filter(Boolean).join(' · '));
  const box = byId('relay-table');
  if (!relay.clients.length) {
    box.replaceChildren(empty('No program reads now.'));
    return;
  }
  const head = ['Client', `Since, ${zone.name}`, 'Channels', 'Events', 'Behind', 'State'];
  const top = box.firstElementChild?.scrollTop ?? 0;
  box.replaceChildren(table('Programs that read', head, relay.clients.map((client) => el(
    'tr', {},
    el('td', {}, client.address, client.agent ? el('span', { class: 'muted small block' }, client.agent) : null),
    el('td', { class: 'keep' }, format.moment(client.connected_since_ms)),
    el('td', {}, `${format.count(client.channels)}${client.sample_channels.length ? `: ${client.sample_channels.join(', ')}${client.channels > client.sample_channels.length ? ' …' : ''}` : ''}`),
    el('td', { class: 'keep' }, format.count(client.events)), el('td', { class: 'keep' }, format.bytes(client.waiting_bytes)),
    el('td', {}, !client.is_logged_in ? 'not logged in' : client.is_replaying ? 'replaying' : 'live')))));
  box.firstElementChild.scrollTop = top;
}
