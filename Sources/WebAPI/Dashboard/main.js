// Puts the parts together.

import { load } from './api.js';
import { byId, el } from './dom.js';
import { Connections } from './connections.js';
import { Contact, doubtTitle } from './contact.js';
import { Coverage } from './coverage.js';
import { startLinks, startSignIn } from './dialogs.js';
import { Events } from './events.js';
import { Fleet } from './fleet.js';
import { Freshness } from './freshness.js';
import { Gaps } from './gaps.js';
import { History } from './history.js';
import { Letters } from './letters.js';
import { Overview } from './overview.js';
import { showRelay } from './relay.js';
import { route } from './route.js';
import { LiveStream } from './stream.js';
import { SymbolView } from './symbol.js';
import { startTheme } from './theme.js';
import { Tickers } from './tickers.js';
import { Universes } from './universes.js';
import { zone } from './zone.js';

const UNSEEN = 15000; // between requests for the title of a hidden page
const SETTLED = 10000; // by then, everything has been read once

let offset = 0; // the collector's clock minus this one's, in milliseconds
let groupCount = null;
let latest = null; // the last state from the stream
const now = () => Date.now() + offset;

if (route.get('tz')) zone.choose(route.get('tz'), { keeps: false });

const stream = new LiveStream();
const contact = new Contact();
const overview = new Overview(open);
const history = new History();
const symbolView = new SymbolView({ now, freshness: (symbol) => freshness.of(symbol), collects: (symbol) => freshness.collects(symbol) });
const showSymbol = (symbol) => symbolView.choose(symbol, { moves: true });
const freshness = new Freshness({ choose: showSymbol, changed: (symbols) => symbolView.suggest(symbols) });
const gaps = new Gaps({
  pick: (symbol, gap) => {
    route.set({ symbol, to: (gap.to_ms ?? now()) + 30 * 60000, every: '' }, { panel: 'symbol' });
    follow();
  },
  changed: (found) => {
    history.mark(found, now());
    showOverview();
  },
});
const letters = new Letters();
const coverage = new Coverage((symbol, moment) => {
  route.set({ symbol, to: moment + 60 * 60000, every: '' }, { panel: 'symbol' });
  follow();
});
const fleet = new Fleet(() => showOverview());
const tickers = new Tickers(showSymbol);
const connections = new Connections((state) => tickers.open(state));
const names = (id) => connections.nameOf(id);
const universes = new Universes({
  choose: showSymbol, freshness: { of: (symbol) => freshness.of(symbol), now }, names,
  loaded: (groups) => {
    groupCount = groups.length;
    freshness.groups(groups);
  },
});
const events = new Events((filter) => stream.follow(filter));

function showOverview() {
  if (latest) overview.show(latest, { groups: groupCount, fleet: fleet.latest, gaps: gaps.latest });
}

// Scrolls to a part of the page and moves the keyboard focus there.
function open(id) {
  const target = byId(id);
  if (!target) return;
  route.set({}, { panel: id });
  target.scrollIntoView();
  if (!target.hasAttribute('tabindex')) target.tabIndex = -1;
  target.focus({ preventScroll: true });
}

// Shows what the address says.
function follow() {
  if (route.get('tz')) zone.choose(route.get('tz'), { keeps: false });
  symbolView.follow();
  events.follow();
  universes.follow();
  freshness.follow();
  letters.follow();
  coverage.follow();
  byId(route.panel)?.scrollIntoView();
}

function startZone() {
  const select = byId('zone');
  const show = () => { select.value = zone.id; };
  select.replaceChildren(...zone.choices.map(([id, name]) => el('option', { value: id }, name)));
  show();
  zone.listen(show);
  select.addEventListener('change', () => {
    route.set({ tz: select.value }, { replaces: true });
    zone.choose(select.value);
  });
}

// Until the user chooses a symbol, shows the first one that has events.
function suggestSymbol(found) {
  if (!symbolView.isChosen && found?.length) symbolView.choose(freshness.first ?? found.map((event) => event.symbol).sort()[0], { keeps: true });
}

stream.addEventListener('open', () => {
  contact.opened();
  gaps.forget();
  letters.forget();
  history.reload().catch(() => {});
  universes.reload();
  Promise.all([events.refill(), freshness.reload()]).then(([found]) => suggestSymbol(found));
});
stream.addEventListener('lost', ({ detail }) => contact.lost(detail));
stream.addEventListener('left', () => contact.left());
stream.addEventListener('signed-out', () => contact.signedOut());
stream.addEventListener('connection_status_update', ({ detail }) => {
  offset = detail.timestamp_ms - Date.now();
  for (const state of detail.connections) connections.update(state, detail.timestamp_ms);
  for (const id of detail.removed) connections.remove(id);
});
stream.addEventListener('metrics_update', ({ detail }) => {
  offset = detail.timestamp_ms - Date.now();
  contact.heard();
  latest = detail;
  showOverview();
  connections.show(detail.connections, detail.timestamp_ms);
  history.take(detail.point, detail.connections, detail.sync.is_configured);
  freshness.market(detail.market);
  freshness.connections(detail.connections);
  gaps.refresh(detail.buffer.gaps);
  letters.refresh(detail.buffer.dead_letters, detail.sync.is_configured);
  coverage.refresh();
  showRelay(detail.relay);
  if (detail.fleet) fleet.refresh();
});
stream.addEventListener('tick_update', ({ detail }) => {
  events.take(detail);
  connections.heard(detail.events);
  suggestSymbol(detail.events);
});

for (const link of document.querySelectorAll('a[href^="#"]')) {
  link.addEventListener('click', (event) => {
    event.preventDefault();
    open(link.getAttribute('href').slice(1));
  });
}
startTheme();
startZone();
startLinks();
startSignIn(() => {
  stream.now();
  symbolView.follow();
});
route.listen(follow);
setInterval(() => {
  contact.tick();
  if (byId('contact').dataset.state !== 'live') return;
  connections.tick(now());
  symbolView.tick();
  universes.tick();
}, 1000);
// A hidden page has no stream; its title keeps showing the state.
setInterval(async () => {
  if (!document.hidden) return;
  try {
    latest = await load('/api/status');
    showOverview();
  } catch {
    doubtTitle();
  }
}, UNSEEN);
stream.follow(events.filter);
follow();
// While the page loads for the first time, the sections above the panel grow: keep the panel in view.
const growth = new ResizeObserver(() => byId(route.panel)?.scrollIntoView({ behavior: 'instant' }));
growth.observe(byId('main'));
setTimeout(() => growth.disconnect(), SETTLED);
for (const name of ['wheel', 'keydown', 'pointerdown', 'touchstart']) {
  window.addEventListener(name, () => growth.disconnect(), { once: true, passive: true });
}
