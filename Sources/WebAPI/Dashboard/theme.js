// Light, dark, or as the system says.

import { byId } from './dom.js';

const KEY = 'edgetick-theme';
const ORDER = ['automatic', 'light', 'dark'];
const LABELS = { automatic: '◐ Auto', light: '○ Light', dark: '● Dark' };

export function startTheme() {
  const button = byId('theme');
  const show = (choice) => {
    if (choice === 'automatic') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = choice;
    button.textContent = LABELS[choice];
    button.setAttribute('aria-label', `${LABELS[choice].slice(2)} theme`);
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
