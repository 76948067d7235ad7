/**
 * Progress on stderr: a line that is rewritten on a terminal, plain lines every few seconds elsewhere.
 *
 * @module
 */

import type { Reporter } from "../core/reporter.ts";
import { fixed } from "../core/fixed.ts";
import { count } from "../core/text_table.ts";
import { pollSignals, say, sayForNow } from "./terminal.ts";

/** Milliseconds between two lines where stderr is no terminal, and between two updates where it is. */
const PLAIN_MS = 5000;
const LIVE_MS = 200;
/** Milliseconds below which a rate says nothing. */
const LEAST_MS = 50;

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
  update(what: string, done: number, total: number, unit: "bytes" | "tiles" | "steps" | "slides" | "probes"): void {
    pollSignals();
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
    const made = done - this.#first;
    const rate = made / Math.max(1e-3, (now - this.#start) / 1e3);
    const amount = unit === "bytes" ? `${mib(done)} of ${mib(total)} MiB` : `${done} of ${count(total, NOUNS[unit])}`;
    // Before anything is made, and of what took no time to tell, there is no rate.
    const speed = made <= 0 || now - this.#start < LEAST_MS
      ? ""
      : unit === "bytes"
      ? `, ${mib(rate)} MiB/s`
      : `, ${speedOf(rate, unit)}`;
    const left = made > 0 && done < total ? `, ${time((total - done) / rate)} left` : "";
    sayForNow(`${what}: ${amount}${speed}${left}`, done >= total);
  }

  /** Reports a training step. */
  training(at: Parameters<Reporter["training"]>[0]): void {
    if (this.#quiet) return;
    const { what, step, total, loss, rate, unit = "pairs" } = at;
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
    const shown = loss === undefined ? "" : `, loss ${fixed(loss, 4)}`;
    sayForNow(
      `${what}: step ${step} of ${total}${shown}${rate > 0 ? `, ${speedOf(rate, unit)}` : ""}${left}`,
      step >= total,
    );
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

/** What is counted, in the singular. */
const NOUNS = { tiles: "tile", steps: "step", slides: "slide", probes: "probe", pairs: "pair", bags: "bag" } as const;

/** A rate as people say it: `1,170 steps/s`, `4.2 slides/s`, and below one in two seconds `3 s a slide`. */
export function speedOf(rate: number, unit: keyof typeof NOUNS): string {
  if (rate >= 99.5) return `${Math.round(rate).toLocaleString("en-US")} ${unit}/s`;
  if (rate >= 0.5) return `${rate.toFixed(rate < 9.95 ? 1 : 0)} ${unit}/s`;
  return rate > 0 ? `${time(1 / rate)} a ${NOUNS[unit]}` : `0 ${unit}/s`;
}

function mib(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}

function time(seconds: number): string {
  if (seconds < 90) return `${seconds.toFixed(0)} s`;
  return seconds < 5400 ? `${(seconds / 60).toFixed(0)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
