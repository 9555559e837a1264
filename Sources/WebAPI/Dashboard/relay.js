// The relay's clients, and how far behind each is.

import { byId, el, empty, redraw, setText, showSection, table } from './dom.js';
import * as format from './format.js';
import { zone } from './zone.js';

function state(client) {
  if (!client.is_logged_in) return ['degraded', 'not logged in'];
  if (client.is_replaying) return ['unknown', 'replaying'];
  return client.waiting_events > 0 ? ['unknown', 'catching up'] : ['ok', 'live'];
}

export function showRelay(relay) {
  showSection('relay', relay);
  if (!relay) return;
  const closed = relay.slow_clients === 1 ? '1 client closed because it read too slowly' : `${format.count(relay.slow_clients)} clients closed because they read too slowly`;
  const totals = [
    `${relay.host}:${relay.port}${relay.is_encrypted ? ', TLS' : ''}`,
    `${format.plural(relay.clients.length, 'client')} of at most ${format.count(relay.maximum_clients)}`,
    `${format.plural(relay.events, 'event')} sent`, relay.replayed_events ? `${format.count(relay.replayed_events)} replayed` : '',
    relay.slow_clients ? closed : '',
    relay.overflow_events ? `${format.plural(relay.overflow_events, 'event')} dropped: the relay fell behind` : '',
    relay.turned_away ? `${format.count(relay.turned_away)} turned away` : '', relay.crowded_out ? `${format.count(relay.crowded_out)} crowded out before a login` : '',
    relay.logins_refused ? `${format.plural(relay.logins_refused, 'login')} refused` : '',
    relay.on_demand ? `${format.count(relay.on_demand.symbols.length)} of ${format.plural(relay.on_demand.maximum, 'symbol')} on demand` : '',
  ];
  setText(byId('relay-note'), totals.filter(Boolean).join(' · '));
  const box = byId('relay-table');
  if (!relay.clients.length) {
    box.replaceChildren(empty('No program is connected.'));
    return;
  }
  const head = ['Client', 'State', 'Channels', ['Behind', 'num'], ['Events', 'num'], ['Replayed', 'num'], ['Sent', 'num'], [`Since, ${zone.name}`, 'num']];
  const number = (text) => el('td', { class: 'num keep' }, text);
  redraw(box, table('Programs that read', head, relay.clients.map((client) => {
    const [level, word] = state(client);
    return el(
      'tr', {},
      el('td', {}, client.agent ?? client.address, client.agent ? el('span', { class: 'muted small block' }, client.address) : null),
      el('td', { class: 'keep' }, el('span', { class: 'badge', 'data-level': level }, word)),
      el('td', {}, `${format.count(client.channels)}${client.sample_channels.length ? `: ${client.sample_channels.join(', ')}${client.channels > client.sample_channels.length ? ' …' : ''}` : ''}`),
      el('td', { class: 'num wraps' }, client.waiting_events ? `${format.plural(client.waiting_events, 'event')}, ${format.bytes(client.waiting_bytes)}` : client.waiting_bytes ? format.bytes(client.waiting_bytes) : 'nothing'),
      number(format.count(client.events)), number(format.count(client.replayed_events)), number(format.bytes(client.bytes)),
      number(format.moment(client.connected_since_ms)));
  })));
}
