// Numbers, sizes and times as people read them.

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const one = new Intl.NumberFormat('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const priceFormat = new Intl.NumberFormat('en', { minimumFractionDigits: 2, maximumFractionDigits: 6 });
const compactFormat = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const hours = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const day = new Intl.DateTimeFormat('en-GB', { day: '2-digit', month: 'short', year: 'numeric' });

export const count = (value) => (value === null || value === undefined ? '–' : whole.format(value));
export const price = (value) => (value === null || value === undefined ? '–' : priceFormat.format(value));
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

// Moments are milliseconds since the Unix epoch.
export const time = (milliseconds) => clock.format(new Date(milliseconds));
export const hour = (milliseconds) => hours.format(new Date(milliseconds));

// With the day where it is not today's.
export function moment(milliseconds) {
  if (milliseconds === null || milliseconds === undefined) return '–';
  const date = new Date(milliseconds);
  const today = new Date();
  return date.toDateString() === today.toDateString() ? clock.format(date) : `${day.format(date)} ${clock.format(date)}`;
}

export const ago = (seconds) => (seconds < 1.5 ? 'now' : `${duration(seconds)} ago`);
export const plural = (number, noun) => `${count(number)} ${noun}${number === 1 ? '' : 's'}`;
