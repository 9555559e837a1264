// Confirmation before an action, its result afterwards, and the request for the token.

import { onTokenNeeded, request, token } from './api.js';
import { byId } from './dom.js';

let hideToast;

export function toast(text, level = 'ok') {
  const box = byId('toast');
  box.dataset.level = level;
  box.textContent = text;
  box.hidden = false;
  clearTimeout(hideToast);
  hideToast = setTimeout(() => { box.hidden = true; }, level === 'ok' ? 6000 : 12000);
}

// Resolves to whether the person agreed; `isFinal` marks an action that can't be undone.
export function confirm(title, text, action, { isFinal = false } = {}) {
  const dialog = byId('confirm');
  byId('confirm-title').textContent = title;
  byId('confirm-text').textContent = text;
  byId('confirm-yes').textContent = action;
  byId('confirm-yes').className = isFinal ? 'final' : 'primary';
  dialog.returnValue = 'no';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true });
  });
}

// Runs a confirmed action; its button is disabled meanwhile.
export async function act(button, run) {
  button.disabled = true;
  try {
    toast(await run());
  } catch (error) {
    toast(error.message, 'failing');
  } finally {
    button.disabled = false;
    button.focus();
  }
}

// Links to responses that require the token, which a plain link doesn't send.
export function startLinks() {
  for (const link of document.querySelectorAll('a[data-token]')) {
    link.addEventListener('click', async (event) => {
      if (token.get() === null) return;
      event.preventDefault();
      try {
        const answer = await request(`/${link.dataset.token}`, { takesFailure: true });
        const text = new Blob([await answer.text()], { type: 'text/plain;charset=utf-8' });
        window.open(URL.createObjectURL(text), '_blank', 'noopener');
      } catch (error) {
        toast(error.message, 'failing');
      }
    });
  }
}

export function startSignIn(signedIn) {
  const dialog = byId('sign-in');
  const forget = byId('forget-token');
  const field = byId('sign-in-token');
  const showForget = () => { forget.hidden = token.get() === null; };
  showForget();
  onTokenNeeded((wasWrong) => {
    token.forget();
    showForget();
    if (dialog.open) return;
    byId('sign-in-text').textContent = wasWrong
      ? 'That token is not the one in the collector’s HTTP_TOKEN. Try again.'
      : 'This collector requires a token: the value of HTTP_TOKEN in its settings. It is kept in this tab only.';
    dialog.showModal();
  });
  byId('sign-in-form').addEventListener('submit', (event) => {
    event.preventDefault();
    token.set(field.value.trim());
    field.value = '';
    showForget();
    dialog.close();
    signedIn();
  });
  forget.addEventListener('click', () => {
    token.forget();
    location.reload();
  });
}
