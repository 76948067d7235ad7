/**
 * Numbers as the report writes them: one way for each kind, with true minus signs and narrow spaces.
 *
 * @module
 */

import { fixed, rankText, signed } from "../core/fixed.ts";

const MINUS = "\u2212";
/** What stands where there is no number. */
export const NONE = "\u2013";

const minus = (text: string) => text.replace("-", MINUS);

/** A correlation or another score around one: `0.374`. */
export function score(value: number | null | undefined, digits = 3): string {
  return value === null || value === undefined || !Number.isFinite(value) ? NONE : minus(fixed(value, digits));
}

/** A difference of scores: `+0.051`. */
export function difference(value: number | null | undefined, digits = 3): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  return minus(signed(value, digits));
}

/** A part of one: `47.0 %`. */
export function percent(value: number | null | undefined, digits = 1): string {
  return value === null || value === undefined || !Number.isFinite(value)
    ? NONE
    : `${minus(fixed(value * 100, digits))}\u202f%`;
}

/** A count: `12,345`. */
export function whole(value: number): string {
  const rounded = Math.round(value);
  return rounded < 0 ? `${MINUS}${whole(-value)}` : Math.abs(rounded).toLocaleString("en-US");
}

/** A rank, or a median of ranks: `1,082`, `82.5`. */
export function rank(value: number): string {
  return Number.isInteger(value) ? whole(value) : rankText(value);
}

/** A count with its noun: `1 donor`, `2 donors`. */
export function amount(n: number, noun: string, plural = `${noun}s`): string {
  return `${whole(n)} ${n === 1 ? noun : plural}`;
}

/** A number of any size, three digits: `0.0123`, `1.20e-5`, `12,300`. */
export function plain(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  const size = Math.abs(value);
  if (size >= 1000) return whole(value);
  if (size === 0) return "0";
  if (size < 1e-3) return value.toExponential(2).replace(/^-/, MINUS).replace("e-", `e${MINUS}`);
  return minus(fixed(value, Math.max(0, 2 - Math.floor(Math.log10(size)))));
}

/** A round value of an axis, as short as it is: `0.25`, `5e-4`. */
export function tickText(value: number): string {
  const size = Math.abs(value);
  if (size >= 1000) return whole(value);
  const text = size > 0 && size < 1e-3 ? value.toExponential() : String(Number(value.toPrecision(6)));
  return text.replaceAll("-", MINUS);
}

/** Seconds: `0.4 s`, `41 s`, `2 min 41 s`, `3 h 5 min`. */
export function duration(seconds: number | undefined): string {
  if (seconds === undefined || !Number.isFinite(seconds)) return NONE;
  if (seconds < 9.95) return `${fixed(seconds, 1)} s`;
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  const minutes = Math.round(s / 60);
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Bytes: `812 B`, `1.21 MB`. */
export function bytes(n: number): string {
  for (const [unit, size] of [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]] as const) {
    if (n >= size) return `${(n / size).toFixed(n >= 100 * size ? 0 : n >= 10 * size ? 1 : 2)} ${unit}`;
  }
  return `${n} B`;
}

/** A text that begins with a capital. */
export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
