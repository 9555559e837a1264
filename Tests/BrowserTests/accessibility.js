// What axe-core checks on pages like ours, as rules of our own (WCAG 2.2 AA). Returns what is broken, a line each.
const broken = [];
const dialog = document.querySelector('dialog[open]');
const root = dialog ?? document;
const say = (rule, element, more = '') => broken.push(`${rule}: ${element.outerHTML.slice(0, 160)} ${more}`);
const all = (selector) => [...root.querySelectorAll(selector)];
const isShown = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
const isHiddenFromReaders = (element) => element.closest('[aria-hidden="true"]') !== null;

function name(element) {
  const byId = (ids) => ids.split(/\s+/).map((id) => document.getElementById(id)?.textContent ?? '').join(' ');
  if (element.getAttribute('aria-labelledby')) return byId(element.getAttribute('aria-labelledby')).trim();
  if (element.getAttribute('aria-label')) return element.getAttribute('aria-label').trim();
  if (element.labels?.length) return [...element.labels].map((label) => label.textContent).join(' ').trim();
  if (element.tagName === 'IMG') return element.getAttribute('alt') ?? '';
  return (element.textContent || element.title || '').trim();
}

// Names, roles, ids
if (!document.documentElement.lang) broken.push('html-has-lang');
if (!document.title.trim()) broken.push('document-title');
if (document.querySelectorAll('h1').length !== 1) broken.push('page-has-one-h1');
for (const landmark of ['main', 'header', 'nav', 'footer']) {
  if (document.querySelectorAll(landmark).length !== 1) broken.push(`landmark: ${landmark}`);
}
const ids = [...document.querySelectorAll('[id]')].map((element) => element.id);
for (const id of ids.filter((each, index) => ids.indexOf(each) !== index)) broken.push(`duplicate-id: ${id}`);
for (const attribute of ['aria-labelledby', 'aria-describedby', 'aria-controls', 'for', 'list']) {
  for (const element of document.querySelectorAll(`[${attribute}]`)) {
    for (const id of element.getAttribute(attribute).split(/\s+/)) {
      if (!document.getElementById(id)) say(`${attribute}-valid`, element);
    }
  }
}
for (const element of all('button, a[href], input, select, textarea, summary, [role=group][tabindex], [role=region]')) {
  if (isShown(element) && !name(element)) say('has-name', element);
}
for (const image of all('img')) if (image.getAttribute('alt') === null) say('image-alt', image);
for (const element of all('section, article, nav, fieldset')) {
  if (element.tagName === 'SECTION' && !name(element)) say('region-name', element);
  if (element.tagName === 'FIELDSET' && !element.querySelector('legend')) say('fieldset-legend', element);
}
for (const table of all('table')) {
  for (const cell of table.querySelectorAll('th')) if (!cell.scope) say('th-scope', cell);
  if (!table.querySelector('th')) say('table-headers', table);
}
for (const element of all('[tabindex]')) if (element.tabIndex > 0) say('tabindex', element);
for (const element of all('[role]')) {
  if (!['alert', 'status', 'region', 'group', 'search', 'img', 'dialog'].includes(element.getAttribute('role'))) say('role-known', element);
}
for (const list of all('ul, ol')) {
  if ([...list.children].some((child) => child.tagName !== 'LI')) say('list-children', list);
}
for (const list of all('dl')) {
  if ([...list.children].some((child) => !['DT', 'DD', 'DIV'].includes(child.tagName))) say('dl-children', list);
}

// Headings go down one level at a time.
let level = 0;
for (const heading of document.querySelectorAll('h1, h2, h3, h4')) {
  if (heading.closest('dialog') || !isShown(heading)) continue;
  const own = Number(heading.tagName[1]);
  if (own > level + 1) say('heading-order', heading);
  level = own;
}

// Scrolling areas can be scrolled with the keyboard.
for (const element of all('*')) {
  const style = getComputedStyle(element);
  const scrolls = /auto|scroll/.test(style.overflowY + style.overflowX)
    && (element.scrollHeight > element.clientHeight + 1 || element.scrollWidth > element.clientWidth + 1);
  const reaches = element.tabIndex >= 0 || element.querySelector('a[href], button, input, select, summary');
  if (scrolls && isShown(element) && !reaches && !['HTML', 'BODY'].includes(element.tagName)) say('scrollable-focusable', element);
}

// Contrast of every text against what is behind it.
const probe = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
function rgba(color) {
  probe.clearRect(0, 0, 1, 1);
  probe.fillStyle = color;
  probe.fillRect(0, 0, 1, 1);
  const [red, green, blue, alpha] = probe.getImageData(0, 0, 1, 1).data;
  return [red, green, blue, alpha / 255];
}
const over = (front, back) => [0, 1, 2].map((part) => front[part] * front[3] + back[part] * (1 - front[3])).concat(1);
function behind(element) {
  const layers = [];
  for (let each = element; each; each = each.parentElement) {
    const color = rgba(getComputedStyle(each).backgroundColor);
    if (color[3] > 0) layers.push(color);
    if (color[3] === 1) break;
  }
  return layers.reverse().reduce((back, front) => over(front, back), [255, 255, 255, 1]);
}
function luminance(color) {
  const [red, green, blue] = color.slice(0, 3).map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
function contrast(one, other) {
  const [low, high] = [luminance(one), luminance(other)].sort((left, right) => left - right);
  return (high + 0.05) / (low + 0.05);
}
const walker = document.createTreeWalker(root === document ? document.body : root, NodeFilter.SHOW_TEXT);
const seen = new Set();
while (walker.nextNode()) {
  const text = walker.currentNode;
  const element = text.parentElement;
  if (!text.data.trim() || seen.has(element) || !isShown(element)) continue;
  if (['SCRIPT', 'STYLE', 'NOSCRIPT', 'OPTION'].includes(element.tagName) || element.closest('[hidden]')) continue;
  if (element.closest('.sr-only, .skip') || element.matches(':disabled, :disabled *')) continue;
  if (!dialog && element.closest('dialog')) continue;
  seen.add(element);
  const style = getComputedStyle(element);
  const back = behind(element);
  const color = element.namespaceURI.endsWith('svg') ? style.fill : style.color;
  const ratio = contrast(over(rgba(color), back), back);
  const size = parseFloat(style.fontSize);
  const needed = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
  if (ratio < needed) say('color-contrast', element, `${ratio.toFixed(2)} < ${needed}`);
}

// Controls stand out from what is around them, and are large enough to hit.
for (const element of all('input:not([type=checkbox]), select, button:not(.quiet):not(.link)')) {
  // Choices in a list are recognised by their texts, as links are.
  if (!isShown(element) || element.disabled || element.matches('li > button')) continue;
  const style = getComputedStyle(element);
  const around = behind(element.parentElement);
  const best = Math.max(contrast(rgba(style.borderTopColor), around), contrast(behind(element), around));
  if (best < 3) say('control-contrast', element, best.toFixed(2));
}
for (const element of all('button, input, select, summary, a[href]')) {
  if (!isShown(element) || element.closest('p, footer, .skip') || element.matches('.skip')) continue;
  const box = element.getBoundingClientRect();
  const target = element.matches('input[type=checkbox]') ? element.closest('label').getBoundingClientRect() : box;
  if (target.width < 24 || target.height < 23.5) say('target-size', element, `${target.width}×${target.height}`);
}

// Nothing sticks out sideways.
if (document.documentElement.scrollWidth > window.innerWidth + 1) {
  broken.push(`reflow: ${document.documentElement.scrollWidth} wide in ${window.innerWidth}`);
}
// Every drawing has a name, or is hidden from screen readers.
for (const graph of all('svg')) if (!isHiddenFromReaders(graph) && !name(graph)) say('svg-name', graph);
return broken;
