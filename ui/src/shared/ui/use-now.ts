import { useSyncExternalStore } from 'react';

// One clock for all relative times: they change together, and a page of 200 of them does not set 200 timers.
const TICK_MS = 5_000;
let now = Date.now();
let timer: ReturnType<typeof setInterval> | null = null;
const listeners = new Set<() => void>();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(() => {
    now = Date.now();
    for (const each of listeners) each();
  }, TICK_MS);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0 && timer !== null) {
      clearInterval(timer);
      timer = null;
    }
  };
}

function read(): number {
  // While nobody listens the clock stands. It is put right as it is first read, not after: a list would be drawn twice.
  if (timer === null && Math.abs(Date.now() - now) >= TICK_MS) now = Date.now();
  return now;
}

/** Returns the time, anew every five seconds. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, read);
}
