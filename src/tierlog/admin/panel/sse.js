/**
 * Follows the live tail, and takes it up again where it was when the line breaks.
 *
 * It reads the stream with fetch and not with EventSource: fetch can send the token
 * and Last-Event-ID as headers on every new attempt (EventSource gives up for good on
 * an expired ticket), and shows the server's answer when it has no room.
 */

import { ask } from './api.js';

const LONGEST_WAIT = 30_000;
const SILENCE = 45_000;

/**
 * @typedef {Object} Listener
 * @property {(event: object) => void} onEvent
 * @property {(gap: {count: number|null, since: number, until?: number}) => void} [onGap] `null`: how many isn't known
 * @property {() => void} [onCaughtUp]
 * @property {(state: 'connecting'|'open'|'waiting'|'refused', detail?: any, why?: Error) => void} [onState]
 */

/**
 * Listen until the returned function is called.
 *
 * @param {Object<string, any>} params filters, and `since` or `cursor`
 * @param {Listener} listener
 * @returns {() => void}
 */
export function listen(params, listener) {
  const stop = new AbortController();
  run(params, listener, stop.signal);
  return () => stop.abort();
}

async function run(params, listener, signal) {
  const state = listener.onState ?? (() => {});
  let last = null;
  let lastAt = Date.now();
  let wait = 500;
  while (!signal.aborted) {
    state('connecting');
    let why = null;
    try {
      await once(
        params,
        last,
        signal,
        () => {
          wait = 500;
          state('open');
        },
        (frame) => {
          if (frame.id) last = frame.id;
          lastAt = dispatch(frame, listener) ?? lastAt;
        },
      );
    } catch (error) {
      if (signal.aborted) return;
      if (error.status === 400 && last) {
        // A server with another key can't go on where this one was.
        last = null;
        listener.onGap?.({ count: null, since: lastAt });
        continue;
      }
      if (error.status && error.status < 500 && error.status !== 429) return state('refused', error);
      why = error;
    }
    if (signal.aborted) return;
    // All who listened come back, but not all at once.
    const chance = Math.random() / 2;
    const patience = why?.retryAfter ? why.retryAfter * 1000 * (1 + chance / 5) : wait * (0.5 + chance);
    state('waiting', patience, why);
    await pause(patience, signal);
    wait = Math.min(wait * 2, LONGEST_WAIT);
  }
}

/** Read one connection to its end. A silence much longer than the server's ping ends it, too. */
async function once(params, last, signal, onOpen, onFrame) {
  const broken = new AbortController();
  const abort = () => broken.abort();
  signal.addEventListener('abort', abort);
  let timer = setTimeout(abort, SILENCE);
  try {
    const headers = { Accept: 'text/event-stream', ...(last && { 'Last-Event-ID': last }) };
    const response = await ask('logs/stream', params, { signal: broken.signal, headers });
    onOpen();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const feed = frames(onFrame);
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(abort, SILENCE);
      feed(value);
    }
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  }
}

/**
 * Return a function that takes the stream's text piece by piece and calls `onFrame`
 * with each whole frame.
 */
function frames(onFrame) {
  let rest = '';
  let frame = { event: 'message', id: '', data: [] };
  return (text) => {
    rest += text;
    // A CR at the very end may be the first half of a CR LF.
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    for (const line of lines) {
      if (line === '') {
        if (frame.data.length || frame.event !== 'message') onFrame({ ...frame, data: frame.data.join('\n') });
        frame = { event: 'message', id: '', data: [] };
        continue;
      }
      const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line);
      if (name === 'data') frame.data.push(value);
      else if (name === 'event' || name === 'id') frame[name] = value;
    }
  };
}

/** Tell the listener; return when what it was told of was written. */
function dispatch({ event, id, data }, listener) {
  if (event === 'message') {
    const record = parsed(data);
    if (record) listener.onEvent(record, id);
    return record?.ts;
  }
  if (event === 'gap') listener.onGap?.(parsed(data) ?? {});
  else if (event === 'caught-up') listener.onCaughtUp?.();
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
  });
}
