// The live stream: server-sent events, read with fetch so that a token can be sent, with automatic reconnection. While
// the page is hidden, the connection is released: a browser allows six to a host for all its pages together, and a page
// in the background would keep its own.

import { query, Refused, request } from './api.js';

const SILENCE = 12000; // metrics come every five seconds
const SLOWEST = 10000;
const PASSING = 5000;

export class LiveStream extends EventTarget {
  #filter = null;
  #isIdle = false;
  #pause = null;
  #lastId = null;
  #abort = null;
  #tries = 0;
  #retry = null;
  #watch = null;
  #heard = 0;

  constructor() {
    super();
    document.addEventListener('visibilitychange', () => this.#turn());
  }

  // Follows the stream with a filter, in place of the one before.
  follow(filter) {
    this.#filter = filter;
    this.#tries = 0;
    this.now();
  }

  // Tries at once, for instance after signing in.
  now() {
    if (this.#isWanted) this.#connect();
  }

  // Whether the contents are out of view; a short scroll past them keeps the connection.
  set isIdle(value) {
    clearTimeout(this.#pause);
    this.#pause = setTimeout(() => {
      this.#isIdle = value;
      this.#turn();
    }, value ? PASSING : 0);
  }

  get #isWanted() { return this.#filter !== null && !this.#isIdle && !document.hidden; }

  #turn() {
    if (this.#isWanted === (this.#abort !== null)) return;
    if (this.#isWanted) this.#connect();
    else this.#leave();
  }

  #leave() {
    clearTimeout(this.#retry);
    clearInterval(this.#watch);
    this.#abort.abort();
    this.#abort = null;
    this.#lastId = null; // when the page is shown again, it reads everything again
    this.#tries = 0;
    this.#tell('left');
  }

  async #connect() {
    clearTimeout(this.#retry);
    this.#abort?.abort();
    const abort = new AbortController();
    this.#abort = abort;
    this.#heard = performance.now();
    clearInterval(this.#watch);
    this.#watch = setInterval(() => {
      if (performance.now() - this.#heard > SILENCE) abort.abort(new Error('silent'));
    }, 1000);
    let reason = 'The collector closed the stream.';
    try {
      const headers = { Accept: 'text/event-stream' };
      if (this.#lastId) headers['Last-Event-ID'] = this.#lastId;
      const answer = await request(`/api/events${query(this.#filter)}`, { headers, signal: abort.signal });
      this.#tries = 0;
      this.#tell('open');
      await this.#read(answer.body.getReader());
    } catch (error) {
      // Without the token, don't retry: signing in connects again.
      if (error instanceof Refused && error.status === 401 && this.#abort === abort) {
        clearInterval(this.#watch);
        this.#tell('signed-out');
        return;
      }
      if (error instanceof Refused) reason = error.message;
      else if (error?.message === 'silent') reason = 'The collector went silent.';
      else reason = 'The collector does not respond.';
    }
    if (this.#abort !== abort) return;
    clearInterval(this.#watch);
    const wait = Math.min(SLOWEST, 500 * 2 ** this.#tries) * (0.75 + Math.random() / 2);
    this.#tries += 1;
    this.#tell('lost', { reason });
    this.#retry = setTimeout(() => this.#connect(), wait);
  }

  async #read(reader) {
    const decoder = new TextDecoder();
    let rest = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      this.#heard = performance.now();
      rest += decoder.decode(value, { stream: true });
      const messages = rest.split('\n\n');
      rest = messages.pop();
      for (const message of messages) this.#take(message);
    }
  }

  #take(text) {
    let name = 'message';
    let data = '';
    for (const line of text.split('\n')) {
      if (line.startsWith('event: ')) name = line.slice(7);
      else if (line.startsWith('data: ')) data += line.slice(6);
      else if (line.startsWith('id: ')) this.#lastId = line.slice(4);
    }
    if (data) this.#tell(name, JSON.parse(data));
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
