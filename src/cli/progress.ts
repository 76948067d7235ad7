/**
 * Progress on stderr: a line that is rewritten on a terminal, plain lines every few seconds elsewhere.
 *
 * @module
 */

import { say, sayForNow } from "./terminal.ts";

/** Milliseconds between two lines where stderr is no terminal, and between two updates where it is. */
const PLAIN_MS = 5000;
const LIVE_MS = 200;

/** Rate and time left of one job after another. */
export class Progress {
  readonly #quiet: boolean;
  readonly #live: boolean;
  #what = "";
  #start = 0;
  #first = 0;
  #shown = 0;

  /** @param quiet Says nothing but {@linkcode Progress.say}'s results. */
  constructor(quiet: boolean) {
    this.#quiet = quiet;
    this.#live = Deno.stderr.isTerminal();
  }

  /** Reports that `done` of `total` are done. */
  update(what: string, done: number, total: number, unit: "bytes" | "tiles" | "steps" | "slides" | "folds"): void {
    if (this.#quiet) return;
    const now = performance.now();
    if (what !== this.#what) {
      this.#what = what;
      this.#start = this.#shown = now;
      this.#first = done;
      if (done < total) return;
    }
    if (done < total && now - this.#shown < (this.#live ? LIVE_MS : PLAIN_MS)) return;
    this.#shown = now;
    const rate = (done - this.#first) / Math.max(1e-3, (now - this.#start) / 1e3);
    const left = rate > 0 ? `, ${time((total - done) / rate)} left` : "";
    const amount = unit === "bytes" ? `${mib(done)} of ${mib(total)} MiB` : `${done} of ${total} ${unit}`;
    const speed = unit === "bytes" ? `${mib(rate)} MiB/s` : `${rate.toPrecision(3)} ${unit}/s`;
    sayForNow(`${what}: ${amount}, ${speed}${done < total ? left : ""}`, done >= total);
  }

  /** Reports a training step. */
  training(at: { what: string; step: number; total: number; loss: number | undefined; rate: number }): void {
    if (this.#quiet) return;
    const { what, step, total, loss, rate } = at;
    const now = performance.now();
    if (what !== this.#what) {
      this.#what = what;
      this.#start = now;
      this.#first = step;
      this.#shown = 0;
    }
    if (step < total && now - this.#shown < (this.#live ? LIVE_MS : PLAIN_MS)) return;
    this.#shown = now;
    const speed = (step - this.#first) / Math.max(1e-3, (now - this.#start) / 1e3);
    const left = step < total && speed > 0 ? `, ${time((total - step) / speed)} left` : "";
    const shown = loss === undefined ? "" : `, loss ${loss.toFixed(4)}`;
    sayForNow(`${what}: step ${step} of ${total}${shown}, ${rate.toPrecision(3)} pairs/s${left}`, step >= total);
  }

  /** Says a line that stays. */
  say(text: string): void {
    if (!this.#quiet) say(text);
  }

  /** Says a warning, however quiet. */
  warn(text: string): void {
    say(`warning: ${text}`);
  }
}

function mib(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}

function time(seconds: number): string {
  if (seconds < 90) return `${seconds.toFixed(0)} s`;
  return seconds < 5400 ? `${(seconds / 60).toFixed(0)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
