// Puts the parts together.

import { byId } from './dom.js';
import { Connections } from './connections.js';
import { Contact } from './contact.js';
import { startSignIn } from './dialogs.js';
import { Events } from './events.js';
import { History } from './history.js';
import { Overview } from './overview.js';
import { Records } from './records.js';
import { LiveStream } from './stream.js';
import { SymbolView } from './symbol.js';
import { startTheme } from './theme.js';
import { Tickers } from './tickers.js';
import { Universes } from './universes.js';

const stream = new LiveStream();
const contact = new Contact();
const overview = new Overview();
const history = new History();
const records = new Records();
const symbolView = new SymbolView();
const showSymbol = (symbol) => symbolView.choose(symbol, { moves: true });
const tickers = new Tickers(showSymbol);
const connections = new Connections((state) => tickers.open(state));
const universes = new Universes(showSymbol);
const events = new Events((filter) => stream.follow(filter));
let offset = 0; // the collector's clock minus this one's, in milliseconds
let subscribed = '';

function suggest(states) {
  const shape = states.map((each) => `${each.id} ${each.assigned_tickers}`).join();
  if (shape === subscribed) return;
  subscribed = shape;
  symbolView.learn(states);
}

// Until somebody chooses a symbol, one that has events is shown.
function suggestSymbol(found) {
  if (!symbolView.isChosen && found?.length) symbolView.choose(found[0].symbol);
}

stream.addEventListener('open', () => {
  contact.opened();
  records.forget();
  history.reload().catch(() => {});
  universes.reload();
  events.refill().then(suggestSymbol);
});
stream.addEventListener('lost', ({ detail }) => contact.lost(detail));
stream.addEventListener('connection_status_update', ({ detail }) => {
  offset = detail.timestamp_ms - Date.now();
  for (const state of detail.connections) connections.update(state, detail.timestamp_ms);
  for (const id of detail.removed) connections.remove(id);
});
stream.addEventListener('metrics_update', ({ detail }) => {
  offset = detail.timestamp_ms - Date.now();
  contact.heard();
  overview.show(detail);
  connections.show(detail.connections, detail.timestamp_ms);
  history.take(detail.point, detail.connections, detail.sync.is_configured);
  records.refresh(detail.buffer);
  suggest(detail.connections);
});
stream.addEventListener('tick_update', ({ detail }) => {
  events.take(detail);
  connections.heard(detail.events);
  suggestSymbol(detail.events);
});

startTheme();
startSignIn(() => stream.now());
setInterval(() => {
  contact.tick();
  if (byId('contact').dataset.state === 'live') connections.tick(Date.now() + offset);
}, 1000);
stream.follow(events.filter);
