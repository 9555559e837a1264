// The index of the bar or moment that the pointer or the arrow keys choose on a chart, or null.

export class Cursor {
  index = null;
  #changed;

  // `count` returns how many there are, `under` which one is under a pointer (null for none); `page` is the step of the
  // page keys; `changed` is called after every move.
  constructor(box, { count, under, page, changed }) {
    this.#changed = changed;
    for (const name of ['pointermove', 'pointerdown']) {
      box.addEventListener(name, (event) => {
        const index = under(event);
        if (index !== null) this.move(index);
      });
    }
    for (const name of ['pointerleave', 'blur']) box.addEventListener(name, () => this.move(null));
    box.addEventListener('keydown', (event) => {
      const last = count() - 1;
      const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -page, PageDown: page, Home: -Infinity, End: Infinity };
      if (!(event.key in steps) || event.shiftKey || last < 0) return;
      event.preventDefault();
      this.move(Math.min(last, Math.max(0, (this.index ?? last) + steps[event.key])));
    });
  }

  move(index) {
    if (index === this.index) return;
    this.index = index;
    this.#changed();
  }
}
