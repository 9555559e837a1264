// Shows whether the page has contact with the collector.

import { byId, setLevel, setText } from './dom.js';
import * as format from './format.js';
import { zone } from './zone.js';

const OLD = 15; // seconds without a sample

// Marks the title, which otherwise shows the last known state; the next sample restores it.
export function doubtTitle() {
  document.title = `(?) ${document.title.replace(/^\([?!]+\) /, '')}`;
}

export class Contact {
  #state = 'connecting';
  #since = Date.now() / 1000;
  #opened = 0;
  #sample = null;
  #reason = '';

  opened() {
    this.#state = 'live';
    this.#opened = Date.now() / 1000;
    this.tick();
  }

  // The page is hidden: the state is unknown until it is shown again.
  left() {
    this.#state = 'connecting';
    this.tick();
  }

  // The token is needed, which is not a problem of the collector.
  signedOut() {
    this.#state = 'signed-out';
    this.tick();
  }

  lost({ reason }) {
    if (this.#state !== 'lost') this.#since = Date.now() / 1000;
    this.#state = 'lost';
    this.#reason = reason;
    this.tick();
  }

  // A sample of the collector has arrived.
  heard() {
    this.#sample = Date.now() / 1000;
  }

  tick() {
    const now = Date.now() / 1000;
    const isOld = this.#state === 'live' && now - Math.max(this.#sample ?? 0, this.#opened) > OLD;
    const state = isOld ? 'lost' : this.#state;
    // Signed out, as after a restart with another token, the page shows the last known state too.
    const isPast = state === 'lost' || (state === 'signed-out' && this.#sample !== null);
    byId('contact').dataset.state = state;
    document.documentElement.classList.toggle('is-old', isPast);
    const words = { connecting: 'Connecting…', live: 'Live', 'signed-out': 'Token needed', lost: isOld ? 'Data is old' : 'No contact' };
    setText(byId('contact-text'), words[state]);
    const banner = byId('banner');
    banner.hidden = state !== 'lost';
    if (isPast) {
      // The last known state may no longer be true.
      doubtTitle();
      setLevel(byId('verdict'), 'unknown');
      setText(byId('verdict'), 'Unknown');
      delete byId('verdict-detail').dataset.text;
      byId('problems').replaceChildren();
      setText(byId('verdict-detail'), `${state === 'lost' ? 'No contact with the collector' : 'The token is needed'}: below is the last known state.`);
    }
    if (banner.hidden) {
      setText(banner, '');
      return;
    }
    const seen = this.#sample === null ? '' : ` What you see is from ${format.moment(this.#sample * 1000)} ${zone.name}.`;
    setText(banner, isOld
      ? `The collector has stopped sending updates.${seen}`
      : `No contact with the collector since ${format.moment(this.#since * 1000)} ${zone.name}. ${this.#reason}${seen} The page keeps trying to reconnect.`);
  }
}
