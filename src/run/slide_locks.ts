/**
 * Locks of a job of slides, where TRIDENT has its own: on a slide's features, and on what all encoders share of it.
 *
 * @module
 */

import type { SealError } from "../core/errors.ts";
import { type Lock, lockFile } from "../io/lock.ts";

/** Milliseconds between two looks at whether a file is free. */
const LOOK = 250;

/** Locks a file; undefined where another process holds it. */
export function lockIfFree(path: string): Lock | undefined {
  try {
    return lockFile(path, "embed");
  } catch (error) {
    if ((error as SealError).code === "locked") return undefined;
    throw error;
  }
}

/**
 * Locks files one after another, waiting for whoever holds them: they are written in moments by this program, in minutes by
 * TRIDENT.
 *
 * @param onWait Told once of each file that is waited for.
 * @returns What lets go of them; undefined if the signal came first.
 */
export async function lockInTurn(
  paths: readonly string[],
  signal: AbortSignal,
  onWait: (path: string) => void = () => {},
): Promise<Disposable | undefined> {
  const held: Lock[] = [];
  const all = { [Symbol.dispose]: () => held.reverse().forEach((lock) => lock.release()) };
  for (const path of paths) {
    for (let lock = lockIfFree(path), looks = 0;; lock = lockIfFree(path), looks++) {
      if (lock !== undefined) {
        held.push(lock);
        break;
      }
      if (looks === 0) onWait(path);
      if (signal.aborted) {
        all[Symbol.dispose]();
        return undefined;
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK));
    }
  }
  return all;
}
