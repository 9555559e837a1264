// Keeps the view in the address, so that a link leads to the same view and back and forward work. The form is
// #panel?name=value&…; the query before the # belongs to the server.

const listeners = new Set();
let state = read();

function read() {
  const text = location.hash.slice(1);
  const end = text.indexOf('?');
  const panel = end === -1 ? text : text.slice(0, end);
  return { values: new Map(new URLSearchParams(end === -1 ? '' : text.slice(end + 1))), panel };
}

function address({ panel, values }) {
  const text = new URLSearchParams([...values].filter(([, value]) => value !== '')).toString();
  return `${location.pathname}${location.search}${panel || text ? `#${panel}` : ''}${text ? `?${text}` : ''}`;
}

export const route = {
  get panel() { return state.panel; },

  get: (name) => state.values.get(name) ?? '',

  // Changes values and leaves out empty ones. `replaces` adds no step to the browser's history, for values that change
  // all the time.
  set(changes, { panel = state.panel, replaces = false } = {}) {
    const values = new Map(state.values);
    for (const [name, value] of Object.entries(changes)) {
      if (value === '' || value === null || value === undefined) values.delete(name);
      else values.set(name, String(value));
    }
    const before = address(state);
    state = { panel, values };
    const after = address(state);
    if (after === before) return;
    history[replaces ? 'replaceState' : 'pushState'](null, '', after);
  },

  // `action` is called when the user goes back, forward, or to another address.
  listen(action) { listeners.add(action); },
};

function moved() {
  state = read();
  for (const action of listeners) action();
}

// This event also fires when only the # has changed, by going back and forward or by a link.
window.addEventListener('popstate', moved);
