// Creates elements from data. Text is inserted as text, never as markup.

const SVG = 'http://www.w3.org/2000/svg';

export const byId = (id) => document.getElementById(id);

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  for (const child of children.flat()) {
    if (child !== undefined && child !== null && child !== false) element.append(child);
  }
  return element;
}

export function el(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

// Shows or hides a section that not every collector has, and the link to it.
export function showSection(id, isShown) {
  for (const part of [byId(id), document.querySelector(`nav a[href="#${id}"]`)]) part.hidden = !isShown;
}

// Sets a text only if it differs, so that nothing is announced or laid out needlessly.
export function setText(element, text) {
  const wanted = String(text ?? '');
  if (element.textContent !== wanted) element.textContent = wanted;
}

export function setLevel(element, level) {
  if (element.dataset.level !== level) element.dataset.level = level;
}

export function facts(pairs) {
  return el('dl', { class: 'facts' }, pairs.map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, value))));
}

// The head of a table. A column is a name, or a name and a class.
export function headOf(columns) {
  return el('thead', {}, el('tr', {}, columns.map((column) => {
    const [name, style] = [column].flat();
    return el('th', { scope: 'col', class: style }, name);
  })));
}

// A table with a fixed head, in a box that scrolls. On a narrow screen each row is a block of lines, each beginning
// with the name of its column.
export function table(title, columns, rows) {
  const names = columns.map((column) => [column].flat()[0]);
  for (const { cells } of rows) {
    if (cells.length === names.length) names.forEach((name, place) => { cells[place].dataset.name = name; });
  }
  return el(
    'div', { class: 'scroll records', tabindex: '0', role: 'region', 'aria-label': title },
    el(
      'table', {},
      headOf(columns),
      el('tbody', {}, rows)));
}

// Replaces a list that scrolls, and keeps its scroll position and the keyboard focus for whoever is reading.
export function redraw(box, list) {
  const before = box.firstElementChild;
  const { scrollTop = 0, scrollLeft = 0 } = before ?? {};
  const isFocused = before !== null && before === document.activeElement;
  box.replaceChildren(list);
  Object.assign(list, { scrollTop, scrollLeft });
  if (isFocused) list.focus({ preventScroll: true });
}

// Offers content that was made in the page as a download.
export function save(name, blob) {
  const link = el('a', { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

export function empty(text) {
  return el('p', { class: 'empty' }, text);
}

export function debounce(milliseconds, action) {
  let timer;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...values), milliseconds);
  };
}
