/**
 * Looks at what programs hand in, which types do not hold at run time.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";

function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 64));
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return typeof value === "object" && value !== null ? "an object" : String(value);
}

function refuse(what: string, key: string, value: unknown, wanted: string): never {
  throw new ConfigError(`Cannot ${what}: ${key} is ${shown(value)}, wanted ${wanted}`, { context: { key } });
}

/** All options of a type, which the compiler holds to be complete. */
export type Known<T> = Readonly<Record<keyof T, true>>;

/**
 * Refuses options that are none, as null, and names that are not known, which would be ignored; what is undefined passes.
 *
 * @param what What cannot be done, such as `open data`.
 * @param key Name of the options, where they are some of others.
 */
export function checkOptions<T extends object>(what: string, options: T, known: Known<NoInfer<T>>, key?: string): void {
  if (typeof options !== "object" || options === null) refuse(what, key ?? "options", options, "an object");
  const unknown = Object.entries(options).find(([name, value]) => value !== undefined && !Object.hasOwn(known, name));
  if (unknown === undefined) return;
  const [[given], names] = [unknown, Object.keys(known)];
  const near = nearest(given, names);
  throw new ConfigError(
    `Cannot ${what}: ${key === undefined ? given : `${key}.${given}`} is not known, wanted some of ${names.join(", ")}`,
    { ...(near !== undefined && { hint: `Did you mean ${near}?` }), context: { key: given, known: names } },
  );
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
