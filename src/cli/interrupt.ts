/**
 * Stopping by SIGINT, SIGTERM or SIGHUP, the same for every command: said at once, over within a step, exit status 75 and the
 * command that goes on.
 *
 * All that is written is whole or not at all and resumed when the same command is given again, so the process may end
 * wherever it stands, and does; a part that would lose more than a step, as training does, asks to end by itself with
 * {@linkcode Job.gracefully}. A second signal ends at once whatever the part.
 *
 * @module
 */

import { InterruptedError } from "../core/errors.ts";
import { removeEmptyMade } from "../io/fs.ts";
import { watchLauncher } from "./launched.ts";
import type { ListenerOrder } from "./signal_listener.ts";
import { BURST, STOP_SIGNALS } from "./stop_signals.ts";
import { printJson, say, setPoll, terminalState } from "./terminal.ts";

/** What a command is given beside its arguments. */
export interface Job {
  /** Aborted when the process was asked to stop; its reason is the error to end with. */
  readonly signal: AbortSignal;
  /** Runs what ends by itself within a step of the signal; outside of it the process ends at once. */
  gracefully<T>(act: () => Promise<T>): Promise<T>;
}

const FIRST = "Stopping at the next step; another signal ends at once";
const SECOND = "Stopping at once";

/** A word as a POSIX shell takes it. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Whether this process was started through npx, by whom has no Deno of their own. */
function throughNpx(): boolean {
  try {
    return Deno.env.get("npm_command") === "exec";
  } catch {
    return false;
  }
}

/** The command line as it is given again. */
export function commandLine(argv: readonly string[]): string {
  const deno = throughNpx() ? `npx --yes deno@${Deno.version.deno}` : "deno";
  return [deno, "task", ...argv.map(quoted)].join(" ");
}

/** Listens to signals for one command line. */
export class Interrupt implements Job {
  readonly #stop = new AbortController();
  readonly #onSignal = () => this.#hear();
  readonly #listener: Worker | undefined;
  readonly #unwatch: () => void;
  #graceful = 0;
  #signals = 0;
  #last = -Infinity;
  /** Whether the signal was answered before this thread heard of it. */
  #ahead = false;

  /**
   * @param argv The command line, which resumes its work.
   * @param json Whether the end is also told on stdout.
   */
  constructor(readonly argv: readonly string[], readonly json: boolean) {
    for (const signal of STOP_SIGNALS) Deno.addSignalListener(signal, this.#onSignal);
    this.#listener = startListener();
    this.#unwatch = watchLauncher(this.#onSignal);
    setPoll(() => this.#look());
  }

  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  async gracefully<T>(act: () => Promise<T>): Promise<T> {
    this.#graceful++;
    try {
      return await act();
    } finally {
      this.#graceful--;
    }
  }

  /** Says that and how to go on. @returns The exit status. */
  end(error: InterruptedError): number {
    const { name, message, code, context, exitCode } = error;
    // What train began with --overwrite it would begin anew.
    const resume = commandLine(this.argv.filter((word) => this.argv[0] !== "train" || word !== "--overwrite"));
    say(`${message}; go on with: ${resume}`);
    if (this.json) printJson({ error: { name, code, message, hint: resume, context } });
    return exitCode;
  }

  /** Stops listening. */
  close(): void {
    setPoll(undefined);
    this.#unwatch();
    this.#listener?.terminate();
    for (const signal of STOP_SIGNALS) Deno.removeSignalListener(signal, this.#onSignal);
  }

  /** Answers at once what the listener has heard and this thread, which computes, has not. */
  #look(): void {
    if (Atomics.load(terminalState(), 1) <= this.#signals) return;
    this.#ahead = true;
    this.#answer();
  }

  #hear(): void {
    const late = this.#ahead && Atomics.load(terminalState(), 1) <= this.#signals;
    this.#ahead = false;
    if (!late) this.#answer();
  }

  #answer(): void {
    const state = terminalState();
    const now = performance.now();
    // What the listener counted apart came apart, however late this thread learns of it.
    if (now - this.#last < BURST && Atomics.load(state, 1) <= this.#signals) return;
    this.#last = now;
    const before = this.#signals++;
    if (Atomics.compareExchange(state, 1, before, before + 1) === before) say(before === 0 ? FIRST : SECOND);
    const error = new InterruptedError("Interrupted");
    if (before > 0 || this.#graceful === 0) {
      const status = this.end(error);
      // Behind what removes locks and files in the making, which listens longer.
      addEventListener("unload", removeEmptyMade);
      Deno.exit(status);
    }
    this.#stop.abort(error);
  }
}

/** The thread that speaks while this one computes; undefined where the runtime grants none. */
function startListener(): Worker | undefined {
  try {
    const worker = new Worker(import.meta.resolve("./signal_listener.ts"), { type: "module" });
    // Without it the main thread still answers, after the computation at hand.
    worker.onerror = (event) => event.preventDefault();
    worker.postMessage({ lines: [FIRST, SECOND], state: terminalState() } satisfies ListenerOrder);
    return worker;
  } catch {
    return undefined;
  }
}
