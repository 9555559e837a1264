// Requests to the collector. A refused request throws an error with the problem's text.

const TOKEN = 'edgetick-token';
// The address below which the page is served; not the root if a proxy serves it under a path.
const BASE = new URL('..', import.meta.url);
let askForToken = () => {};

export class Refused extends Error {
  constructor(problem, status) {
    super(problem.detail ?? `The collector answered ${status}.`);
    this.status = status;
    this.nearest = problem.nearest ?? [];
  }
}

export const token = {
  get: () => sessionStorage.getItem(TOKEN),
  set: (value) => sessionStorage.setItem(TOKEN, value),
  forget: () => sessionStorage.removeItem(TOKEN),
};

export function onTokenNeeded(action) {
  askForToken = action;
}

export async function request(path, { method = 'GET', body, headers = {}, signal, takesFailure = false } = {}) {
  const fields = { ...headers };
  const known = token.get();
  if (known) fields.Authorization = `Bearer ${known}`;
  if (body !== undefined) fields['Content-Type'] = 'application/json';
  const answer = await fetch(new URL(path.slice(1), BASE), {
    method,
    headers: fields,
    signal,
    cache: 'no-store',
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (answer.ok || (takesFailure && answer.status >= 500)) return answer;
  // The response to an earlier request doesn't concern a token that was typed since.
  if (answer.status === 401 && known === token.get()) askForToken(known !== null);
  let problem = {};
  try {
    problem = await answer.json();
  } catch {
    // There are no problem details, so the message only has the status.
  }
  throw new Refused(problem, answer.status);
}

export async function load(path, options) {
  return (await request(path, options)).json();
}

export function query(parameters) {
  const text = new URLSearchParams(
    Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null && value !== ''),
  ).toString();
  return text ? `?${text}` : '';
}
