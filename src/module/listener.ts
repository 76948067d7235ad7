/**
 * Who is told how long work goes: callbacks of the module's functions, as the reporter of runs.
 *
 * @module
 */

import type { Reporter } from "../core/reporter.ts";
import type { Known } from "./check.ts";

/** Callbacks; each may be left out. */
export interface Listener {
  /** Told of what work does: a line each. */
  readonly onMessage?: ((text: string) => void) | undefined;
  /** Told of what looks odd: a line each. */
  readonly onWarning?: ((text: string) => void) | undefined;
  /** Told of progress: of what, done, of how many. */
  readonly onProgress?: ((what: string, done: number, total: number) => void) | undefined;
}

/** Their names. */
export const LISTENER: Known<Listener> = { onMessage: true, onWarning: true, onProgress: true };

/** A reporter that calls them. */
export function listener({ onMessage, onWarning, onProgress }: Listener): Reporter {
  return {
    update: (what, done, total) => onProgress?.(what, done, total),
    training: ({ what, step, total }) => onProgress?.(what, step, total),
    say: (text) => onMessage?.(text),
    warn: (text) => onWarning?.(text),
  };
}
