/**
 * The thread that answers signals: it says so at once, however long the main thread computes without a pause.
 *
 * @module
 */

import { BURST, GRACE, STOP_SIGNALS } from "./stop_signals.ts";

/** What the main thread sends: what to say, and the state it shares with the terminal. */
export interface ListenerOrder {
  readonly lines: readonly [first: string, second: string];
  readonly state: Int32Array<SharedArrayBuffer>;
}

const CLEAR = "\r\x1b[K";

function listen({ lines, state }: ListenerOrder): void {
  let signals = 0;
  let last = -Infinity;
  const onSignal = () => {
    if (performance.now() - last < BURST) return;
    last = performance.now();
    const line = lines[Math.min(signals, 1)]!;
    signals++;
    if (Atomics.compareExchange(state, 1, signals - 1, signals) === signals - 1) {
      const open = Atomics.exchange(state, 0, 0) === 1;
      try {
        Deno.stderr.writeSync(new TextEncoder().encode(`${open ? CLEAR : ""}${line}\n`));
      } catch { /* the terminal is closed */ }
    }
    // The main thread ends the process with its own status; where it cannot, nothing softer is left.
    if (signals > 1) setTimeout(endNow, GRACE);
  };
  for (const signal of STOP_SIGNALS) Deno.addSignalListener(signal, onSignal);
}

function endNow(): void {
  try {
    Deno.kill(Deno.pid, "SIGKILL");
  } catch { /* not permitted: the launcher does it */ }
}

addEventListener("message", (event) => listen((event as MessageEvent<ListenerOrder>).data));
