// The positions of values on a chart. Pure.

import { offsetMinutes } from './zone.js';

// Returns about `wanted` round values that span a range.
export function ticks(low, high, wanted = 4) {
  if (!(high > low)) return [low];
  const raw = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].find((each) => each * power >= raw) * power;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step);
}

// Returns the lowest tick at or above `high`, so that a line stays within the chart.
export function ceiling(high, wanted = 4) {
  if (!(high > 0)) return 1;
  const marks = ticks(0, high, wanted);
  const step = marks.length > 1 ? marks[1] - marks[0] : high;
  return Math.ceil(high / step - 1e-9) * step;
}

export function linear(from, to, start, end) {
  const span = to - from || 1;
  return (value) => start + ((value - from) / span) * (end - start);
}

// Returns times on whole steps of seconds, minutes or hours, in seconds.
export function timeTicks(from, to, wanted = 4) {
  const steps = [1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400, 604800];
  const step = steps.find((each) => (to - from) / each <= wanted) ?? 31536000;
  const offset = -offsetMinutes(from * 1000) * 60;
  const first = Math.ceil((from - offset) / step) * step + offset;
  const marks = [];
  for (let time = first; time <= to; time += step) marks.push(time);
  return marks;
}
