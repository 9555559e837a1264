// Light or dark theme, or the system's choice.

import { byId, el } from './dom.js';

const KEY = 'edgetick-theme';
const ORDER = ['automatic', 'light', 'dark'];
const LABELS = { automatic: ['◐', 'Auto'], light: ['○', 'Light'], dark: ['●', 'Dark'] };

export function startTheme() {
  const button = byId('theme');
  const show = (choice) => {
    if (choice === 'automatic') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = choice;
    const [sign, word] = LABELS[choice];
    button.replaceChildren(sign, el('span', { class: 'word' }, ` ${word}`));
    button.setAttribute('aria-label', `${word} theme`);
    button.title = `Theme: ${choice}`;
  };
  let choice = ORDER.includes(localStorage.getItem(KEY)) ? localStorage.getItem(KEY) : 'automatic';
  show(choice);
  button.addEventListener('click', () => {
    choice = ORDER[(ORDER.indexOf(choice) + 1) % ORDER.length];
    localStorage.setItem(KEY, choice);
    show(choice);
  });
}
