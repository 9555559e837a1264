// The four charts of the last hour, with the gaps in it marked.

import { load } from './api.js';
import { byId } from './dom.js';
import * as format from './format.js';
import { cause, outages } from './gaps.js';
import { LineChart } from './linechart.js';

import { zone } from './zone.js';

const POINTS = 720;
const HINT = 'A point is added every five seconds';

// Spans that touch become one: several connections may be cut at once.
function joined(marks) {
  const result = [];
  for (const mark of marks.sort((one, other) => one.from - other.from)) {
    const last = result.at(-1);
    if (!last || mark.from > last.to) result.push(mark);
    else {
      last.to = Math.max(last.to, mark.to);
      last.isOpen ||= mark.isOpen;
      last.texts = last.texts.union(mark.texts);
    }
  }
  return result.map((mark) => ({ ...mark, text: [...mark.texts].join(', ') }));
}

export class History {
  #points = [];
  #marks = [];
  #names = new Map();
  #uploads = true;
  #rates = new LineChart('Events per second', { show: format.rate, unit: 'events/s', hint: HINT, sums: true });
  #pending = new LineChart('Buffer depth', { show: format.count, unit: 'rows to upload', hint: HINT });
  #lag = new LineChart('Upload lag', { show: format.duration, axis: format.durationUnit, unit: 'behind', hint: HINT });
  #latency = new LineChart('Feed latency', { show: format.duration, axis: format.durationUnit, unit: 'p99', hint: HINT });

  constructor() {
    zone.listen(() => this.#draw());
    byId('charts').append(this.#rates.element, this.#pending.element, this.#lag.element, this.#latency.element);
  }

  async reload() {
    const { points } = await load('/api/history');
    this.#points = points;
    this.#draw();
  }

  // Marks the gaps. They come from the file, so they are known after a restart too. `now` is the collector's clock.
  mark(gaps, now) {
    this.#marks = joined(outages(gaps).map((gap) => ({
      from: gap.from_ms / 1000, to: (gap.to_ms ?? now) / 1000, isOpen: gap.to_ms === null, texts: new Set([`${gap.connection}: ${cause(gap)}`]),
    })));
    byId('hour-legend').hidden = !this.#marks.some(({ to }) => to > now / 1000 - 3600);
    this.#draw();
  }

  // Takes a new point, the names of the connections, and whether there is an upstream.
  take(point, connections, uploads) {
    this.#uploads = uploads;
    this.#names = new Map(connections.map((each) => [each.id, each.name]));
    if (!point || (this.#points.at(-1)?.time_ms ?? 0) >= point.time_ms) return;
    this.#points.push(point);
    if (this.#points.length > POINTS) this.#points.shift();
    this.#draw();
  }

  #draw() {
    const points = this.#points;
    const last = points.at(-1);
    if (!last) return;
    const ids = [...new Set(points.flatMap((point) => Object.keys(point.rates)))].sort();
    for (const chart of [this.#rates, this.#pending, this.#lag, this.#latency]) chart.mark(this.#marks);
    this.#lag.element.hidden = !this.#uploads;
    this.#pending.unit = this.#uploads ? 'rows to upload' : 'rows kept';
    const total = Object.values(last.rates).reduce((sum, rate) => sum + rate, 0);
    const timed = (values) => points.map((point) => ({ time: point.time_ms / 1000, values: values(point) }));
    this.#rates.update(
      timed((point) => point.rates),
      ids.map((id) => ({ key: id, label: this.#names.get(id) ?? id, area: ids.length === 1 })), format.rate(total));
    this.#pending.update(
      timed((point) => ({ pending: point.pending })), [{ key: 'pending', label: 'rows', area: true }], format.count(last.pending));
    this.#lag.update(
      timed((point) => ({ lag: point.lag_seconds })), [{ key: 'lag', label: 'lag', area: true }], format.duration(last.lag_seconds));
    this.#latency.update(
      timed((point) => ({ p99: point.latency_p99_seconds, p50: point.latency_p50_seconds })),
      [{ key: 'p99', label: 'p99' }, { key: 'p50', label: 'median' }], format.duration(last.latency_p99_seconds));
  }
}
