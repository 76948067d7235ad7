/**
 * Signals that ask the process to stop: Ctrl-C, `kill` and batch systems, a closed terminal or a lost connection.
 *
 * @module
 */

/** Alike in everything; Windows has Ctrl-C, Ctrl-Break and the closed window. */
export const STOP_SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT", "SIGBREAK", "SIGHUP"]
  : ["SIGINT", "SIGTERM", "SIGHUP"];
