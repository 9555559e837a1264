// The page's colours for drawing on a canvas, which can't use CSS variables.

const probe = document.createElement('span');
const dark = matchMedia('(prefers-color-scheme: dark)');
const listeners = new Set();
let known = new Map();

function forget() {
  known = new Map();
  for (const action of listeners) action();
}

dark.addEventListener('change', forget);
new MutationObserver(forget).observe(document.documentElement, { attributeFilter: ['data-theme'] });

// `action` is called when the colours change.
export const onRecolor = (action) => listeners.add(action);

export function color(name) {
  let found = known.get(name);
  if (!found) {
    if (!probe.isConnected) {
      probe.hidden = true;
      document.body.append(probe);
    }
    probe.style.color = `var(--${name})`;
    found = getComputedStyle(probe).color;
    known.set(name, found);
  }
  return found;
}

// Black or white, whichever is easier to read on the colour.
export function contrast(name) {
  const [red, green, blue] = color(name).match(/[\d.]+/g).map((value) => (value / 255) ** 2.2);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.18 ? '#000' : '#fff';
}

// Returns a context for a canvas of the given size, ready to draw in CSS pixels.
export function sized(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wide || canvas.height !== high) [canvas.width, canvas.height] = [wide, high];
  const context = canvas.getContext('2d');
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

// Draws at most once per frame, and not while the page is hidden.
export function painter(draw) {
  let frame = 0;
  return () => {
    if (!frame) frame = requestAnimationFrame(() => { frame = 0; draw(); });
  };
}
