// Bars: longer ones made from shorter ones, the one that is forming, and their places on an axis that folds closed
// hours. Pure, except for the offsets of time zones.

import { offsetMinutes } from './zone.js';

const NEW_YORK = 'America/New_York';
const MINUTE = 60000;

// The start of a window. Windows of an hour or less begin at the same moments in every zone whose offset is in whole
// hours.
export const windowOf = (time, every) => Math.floor(time / (every * 1000)) * every * 1000;

function join(into, bar) {
  into.high = Math.max(into.high, bar.high);
  into.low = Math.min(into.low, bar.low);
  into.close = bar.close;
  into.volume += bar.volume;
  into.value += valueOf(bar);
  into.vwap = into.volume > 0 ? into.value / into.volume : null;
  into.isForming ||= bar.isForming ?? false;
}

const valueOf = (bar) => (bar.vwap ?? (bar.high + bar.low + bar.close) / 3) * bar.volume;

// Makes bars of `every` seconds from shorter ones, which must be in order.
export function rollUp(bars, every) {
  const result = [];
  for (const bar of bars) {
    const start = windowOf(bar.start_ms, every);
    const last = result.at(-1);
    if (last?.start_ms === start) join(last, bar);
    else result.push({ ...bar, start_ms: start, value: valueOf(bar) });
  }
  return result;
}

// The seconds of the newest minutes, from second bars and trades: they make up a minute bar before it arrives.
export class Seconds {
  #seconds = new Map(); // by start: a bar, of the feed's or of trades
  #seen = new Set();

  // Takes a second bar; it replaces the one made from the trades of that second.
  bar(bar) {
    this.#seconds.set(bar.start_ms, { ...bar, isWhole: true });
    this.#trim(bar.start_ms);
  }

  trade({ time_ms: time, price, size, sequence, exchange }) {
    const key = `${time} ${price} ${size} ${exchange} ${sequence ?? ''}`;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    const start = windowOf(time, 1);
    const second = this.#seconds.get(start);
    if (second?.isWhole) return;
    const one = { start_ms: start, open: price, high: price, low: price, close: price, volume: size, vwap: price };
    if (second) {
      second.value ??= valueOf(second);
      join(second, one);
    } else {
      this.#seconds.set(start, one);
      this.#trim(start);
    }
  }

  // The seconds from a moment on, in order.
  since(moment) {
    return [...this.#seconds.values()].filter((bar) => bar.start_ms >= moment).sort((one, other) => one.start_ms - other.start_ms);
  }

  clear() {
    this.#seconds.clear();
    this.#seen.clear();
  }

  #trim(newest) {
    if (this.#seconds.size > 4000) {
      for (const start of this.#seconds.keys()) if (start < newest - 3600000) this.#seconds.delete(start);
    }
    if (this.#seen.size > 20000) this.#seen.clear();
  }
}

// Minute bars, followed by those made from the seconds so far, which are marked as forming.
export function withForming(minutes, seconds) {
  const from = minutes.length ? minutes.at(-1).start_ms + MINUTE : 0;
  const made = rollUp(seconds.since(from), 60).map((bar) => ({ ...bar, isForming: true }));
  return [...minutes, ...made];
}

// Whether stocks may trade: 4:00 to 20:00 in New York on weekdays. Holidays have no bars and fold as a long silence
// does.
export function isOpen(time) {
  const local = new Date(time + offsetMinutes(time, NEW_YORK) * MINUTE);
  const minutes = local.getUTCHours() * 60 + local.getUTCMinutes();
  return local.getUTCDay() % 6 !== 0 && minutes >= 240 && minutes < 1200;
}

// The trading day of a moment; VWAP starts again with each.
export const sessionDay = (time) => Math.floor((time + offsetMinutes(time, NEW_YORK) * MINUTE) / 86400000);

const LONGEST = 400; // empty places that are drawn one by one
const SHORTEST = 30; // closed minutes that are worth a fold

// The places of an axis, oldest first: {start, bar}, with `bar` null if there was none, or {start, end, isFold} for
// closed hours and long silences, which are left out.
export function places(bars, every) {
  const step = every * 1000;
  const result = [];
  for (const bar of bars) {
    const last = result.at(-1);
    if (last) fill(result, last.start + step, bar.start_ms, step);
    result.push({ start: bar.start_ms, bar });
  }
  return result;
}

function fill(result, from, to, step) {
  if (from >= to) return;
  if ((to - from) / step > LONGEST * 8) {
    result.push({ start: from, end: to, isFold: true });
    return;
  }
  const runs = [];
  for (let time = from; time < to; time += step) {
    const open = isOpen(time);
    if (runs.at(-1)?.open === open) runs.at(-1).end = time + step;
    else runs.push({ start: time, end: time + step, open });
  }
  for (const run of runs) {
    const count = (run.end - run.start) / step;
    const folds = run.open ? count > LONGEST : count * step > SHORTEST * MINUTE;
    if (folds) {
      result.push({ start: run.start, end: run.end, isFold: true });
      continue;
    }
    for (let time = run.start; time < run.end; time += step) result.push({ start: time, bar: null });
  }
}

// The average price since each day's first bar, weighted by volume.
export function averages(bars) {
  let day = null;
  let value = 0;
  let volume = 0;
  return bars.map((bar) => {
    const own = sessionDay(bar.start_ms);
    if (own !== day) [day, value, volume] = [own, 0, 0];
    value += bar.value ?? valueOf(bar);
    volume += bar.volume;
    return volume > 0 ? value / volume : null;
  });
}

export function csv(bars, every) {
  const head = `start_utc,interval_seconds,open,high,low,close,volume,vwap\n`;
  return head + bars.filter((bar) => !bar.isForming).map((bar) => [
    new Date(bar.start_ms).toISOString(), every, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.vwap ?? '',
  ].join()).join('\n') + '\n';
}
