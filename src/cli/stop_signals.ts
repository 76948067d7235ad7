/**
 * Signals that ask the process to stop: Ctrl-C, `kill` and batch systems, a closed terminal or a lost connection.
 *
 * @module
 */

/** Alike in everything; Windows has Ctrl-C, Ctrl-Break and the closed window. */
export const STOP_SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT", "SIGBREAK", "SIGHUP"]
  : ["SIGINT", "SIGTERM", "SIGHUP"];

/** Milliseconds within which signals are one: those of a terminal go to all of its processes, and npx and the like pass on theirs. */
export const BURST = 1000;

/** Milliseconds a process has to end by itself after a second signal. */
export const GRACE = 1000;
