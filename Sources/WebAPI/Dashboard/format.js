// Numbers, sizes and times for people; times are in the page's zone.

import { zone } from './zone.js';

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const one = new Intl.NumberFormat('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const priceFormat = new Intl.NumberFormat('en', { minimumFractionDigits: 2, maximumFractionDigits: 6 });
const averageFormat = new Intl.NumberFormat('en', { minimumFractionDigits: 2, maximumFractionDigits: 4 });
const compactFormat = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

export const count = (value) => (value === null || value === undefined ? '–' : whole.format(value));
export const price = (value) => (value === null || value === undefined ? '–' : priceFormat.format(value));
export const average = (value) => (value === null || value === undefined ? '–' : averageFormat.format(value));
export const compact = (value) => (value === null || value === undefined ? '–' : compactFormat.format(value));

export function rate(value) {
  if (value === null || value === undefined) return '–';
  return value > 0 && value < 10 ? one.format(value) : whole.format(value);
}

export function bytes(value) {
  if (value === null || value === undefined) return '–';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  let rest = value;
  while (rest >= 1024 && unit < units.length - 1) {
    rest /= 1024;
    unit += 1;
  }
  return `${unit === 0 || rest >= 100 ? whole.format(rest) : one.format(rest)} ${units[unit]}`;
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return '–';
  if (seconds < 0.0005) return '0 ms';
  if (seconds < 0.9995) return `${whole.format(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds < 10 ? one.format(seconds) : whole.format(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${whole.format(Math.floor(seconds % 60))} s`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  if (seconds < 63072000) return `${whole.format(seconds / 86400)} days`;
  return `${whole.format(seconds / 31557600)} years`;
}

// The unit for an axis up to this many seconds; an axis that ends at a second is in seconds.
export function durationUnit(seconds) {
  if (seconds <= 0.75) return { size: 0.001, name: ' ms' };
  if (seconds < 120) return { size: 1, name: ' s' };
  if (seconds < 7200) return { size: 60, name: ' min' };
  if (seconds < 172800) return { size: 3600, name: ' h' };
  return { size: 86400, name: ' d' };
}

// Moments are milliseconds since the Unix epoch.
export const time = (milliseconds) => zone.formats.clock.format(milliseconds);
export const hour = (milliseconds) => zone.formats.hours.format(milliseconds);
export const date = (milliseconds) => zone.formats.short.format(milliseconds);
export const day = (milliseconds) => zone.formats.day.format(milliseconds);

const withDay = (milliseconds, format) => {
  const text = day(milliseconds);
  return text === day(Date.now()) ? format.format(milliseconds) : `${text} ${format.format(milliseconds)}`;
};

// To the minute.
export const minute = (milliseconds) => (day(milliseconds) === day(Date.now()) ? hour(milliseconds) : `${date(milliseconds)} ${hour(milliseconds)}`);
// With the day, unless it is today.
export const moment = (milliseconds) => (
  milliseconds === null || milliseconds === undefined ? '–' : withDay(milliseconds, zone.formats.clock));
// To the millisecond.
export const instant = (milliseconds) => withDay(milliseconds, zone.formats.fine);

export const ago = (seconds) => (seconds < 1.5 ? 'now' : `${duration(seconds)} ago`);
export const within = (seconds) => (seconds < 0.5 ? 'now' : `in ${seconds < 60 ? `${whole.format(seconds)} s` : duration(seconds)}`);
export const plural = (number, noun, several = `${noun}s`) => `${count(number)} ${number === 1 ? noun : several}`;
