/**
 * The only way from this program to the user's terminal. Whatever is shown passes {@linkcode printable}; a progress line that
 * stands open is taken away before another is written; a reader that went away (`| head`) is no failure.
 *
 * @module
 */

import { printable, printableJson, printableLines } from "../core/printable.ts";

/** Takes the line at the cursor away. */
const CLEAR = "\r\x1b[K";

/** Whether a progress line stands open, for this thread and the one that listens to signals. */
const state = new Int32Array(new SharedArrayBuffer(8));
const OPEN = 0;

/** Shared with the listener: `[whether a progress line stands open, how many signals came]`. */
export function terminalState(): Int32Array<SharedArrayBuffer> {
  return state;
}

let poll: (() => void) | undefined;

/** Sets what looks for signals while the main thread computes without a pause; undefined: nothing. */
export function setPoll(act: (() => void) | undefined): void {
  poll = act;
}

/** Answers signals that came meanwhile; called with every step of progress, since no event reaches a thread that computes. */
export function pollSignals(): void {
  poll?.();
}

function write(to: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = new TextEncoder().encode(text);
  try {
    for (let at = 0; at < bytes.length;) at += to.writeSync(bytes.subarray(at));
  } catch (error) {
    // Nobody reads any more, or the disk of a log is full: the work itself goes on. A result that is lost is a failure.
    if (to !== Deno.stderr && !(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

/** Says a line on stderr that stays. Line breaks in it are escaped. */
export function say(line: string): void {
  sayLines(printable(line));
}

/** As {@linkcode say}, of a text whose line breaks are this program's own. */
export function sayLines(text: string): void {
  const open = Atomics.exchange(state, OPEN, 0) === 1;
  write(Deno.stderr, `${open ? CLEAR : ""}${printableLines(text)}\n`);
}

/** Shows a line on stderr that the next one replaces, on a terminal; elsewhere, or as the last, it stays. */
export function sayForNow(line: string, last: boolean): void {
  if (last || !Deno.stderr.isTerminal()) return say(line);
  Atomics.store(state, OPEN, 1);
  write(Deno.stderr, `${CLEAR}${printable(line)}`);
}

/** Prints a text of lines on stdout. */
export function print(text: string): void {
  write(Deno.stdout, `${printableLines(text)}\n`);
}

/** Prints a value on stdout as JSON, on one line unless an indentation is given. */
export function printJson(value: unknown, indent?: number): void {
  write(Deno.stdout, `${printableJson(value, indent)}\n`);
}
