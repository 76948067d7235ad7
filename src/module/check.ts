/**
 * Looks at what programs hand in, which types do not hold at run time.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";

function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 64));
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return typeof value === "object" && value !== null ? "an object" : String(value);
}

function refuse(what: string, key: string, value: unknown, wanted: string): never {
  throw new ConfigError(`Cannot ${what}: ${key} is ${shown(value)}, wanted ${wanted}`, { context: { key } });
}

/** Refuses options that are none, as null. @param what What cannot be done, such as `open data`. */
export function checkOptions(what: string, options: unknown): void {
  if (typeof options !== "object" || options === null) refuse(what, "options", options, "an object");
}

/** Refuses a value that is none of a choice; what is undefined passes. */
export function checkChoice(what: string, key: string, value: unknown, choices: readonly string[]): void {
  if (value === undefined || choices.includes(value as string)) return;
  refuse(what, key, value, choices.map((one) => JSON.stringify(one)).join(" or "));
}

/** Refuses what is no list of texts; what is undefined passes. */
export function checkTexts(what: string, key: string, value: unknown): void {
  if (value === undefined || (Array.isArray(value) && value.every((one) => typeof one === "string"))) return;
  refuse(what, key, value, "a list of texts");
}

/** Refuses what is no whole number above 0; what is undefined passes. */
export function checkCount(what: string, key: string, value: unknown): void {
  if (value === undefined || (Number.isSafeInteger(value) && (value as number) > 0)) return;
  refuse(what, key, value, "a whole number above 0");
}

/** Refuses what is no text; an empty one is none. */
export function checkText(what: string, key: string, value: unknown): void {
  if (typeof value !== "string" || value === "") refuse(what, key, value, "a text");
}

/** Refuses what is no signal; what is undefined passes. */
export function checkSignal(what: string, value: unknown): void {
  if (value === undefined || value instanceof AbortSignal) return;
  refuse(what, "signal", value, "an AbortSignal");
}
