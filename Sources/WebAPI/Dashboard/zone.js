// The time zone of the whole page, chosen in its header and named wherever times are shown.

const KEY = 'edgetick-zone';
const LOCAL = Intl.DateTimeFormat().resolvedOptions().timeZone;
const CITY = LOCAL.split('/').at(-1).replaceAll('_', ' ');
const ZONES = { utc: ['UTC', 'UTC'], ny: ['New York', 'America/New_York'], local: [CITY, LOCAL] };
const listeners = new Set();
let chosen = 'local';
let formats = make();

function make() {
  const timeZone = ZONES[chosen][1];
  const format = (options) => new Intl.DateTimeFormat('en-GB', { timeZone, ...options });
  return {
    clock: format({ hour: '2-digit', minute: '2-digit', second: '2-digit' }),
    fine: format({ hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3 }),
    hours: format({ hour: '2-digit', minute: '2-digit' }),
    day: format({ day: '2-digit', month: 'short', year: 'numeric' }),
    short: format({ day: 'numeric', month: 'short' }),
  };
}

export const zone = {
  get id() { return chosen; },
  get name() { return ZONES[chosen][0]; },
  get formats() { return formats; },
  choices: Object.entries(ZONES).map(([id, [name]]) => [id, id === 'local' ? `Local: ${name}` : name]),

  choose(id, { keeps = true } = {}) {
    if (!(id in ZONES) || id === chosen) return;
    chosen = id;
    formats = make();
    if (keeps) localStorage.setItem(KEY, id);
    for (const action of listeners) action();
  },

  listen(action) { listeners.add(action); },
};

// The minutes by which a zone's clock is ahead of UTC. They change only at whole hours, so each hour is looked up once.
const offsets = new Map();
export function offsetMinutes(milliseconds, timeZone = ZONES[chosen][1]) {
  const hour = Math.floor(milliseconds / 3600000);
  const key = `${timeZone} ${hour}`;
  let offset = offsets.get(key);
  if (offset === undefined) {
    const parts = Object.fromEntries(new Intl.DateTimeFormat('en-US', {
      timeZone, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric',
    }).formatToParts(new Date(hour * 3600000)).map(({ type, value }) => [type, Number(value)]));
    offset = (Date.UTC(parts.year, parts.month - 1, parts.day, parts.hour, parts.minute) - hour * 3600000) / 60000;
    if (offsets.size > 5000) offsets.clear();
    offsets.set(key, offset);
  }
  return offset;
}

const kept = localStorage.getItem(KEY);
if (kept) zone.choose(kept, { keeps: false });
