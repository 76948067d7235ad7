/**
 * What an output was made from and how, as plain facts, and whether two outputs were made alike.
 *
 * @module
 */

import { ConfigError } from "./errors.ts";

/** Facts by name. */
export type Facts = Readonly<Record<string, string | number | boolean | null>>;

const MOST = 120;
const ELSEWHERE = "another --out";

function shown(value: unknown): string {
  const text = value === undefined ? "not given" : String(value);
  if (/^[0-9a-f]{64}$/.test(text)) return `${text.slice(0, 12)}…`;
  return text.length > MOST ? `${text.slice(0, MOST)}…` : text;
}

/**
 * What differs: `precision f16, now f32; …`; empty where all of `now` is as it was. Formats may have kept numbers as text; what
 * an output does not name, being older than the name, it was made without.
 */
export function differing(before: Readonly<Record<string, unknown>>, now: Facts): string {
  return Object.keys(now).filter((key) => String(before[key] ?? "none") !== String(now[key] ?? "none"))
    .map((key) => `${key} ${shown(before[key])}, now ${shown(now[key])}`).join("; ");
}

/**
 * Refuses to resume or overwrite what was made with other inputs.
 *
 * @param elsewhere What else may be given, for the hint.
 * @throws {ConfigError} If a fact differs, naming each.
 */
export function sameFacts(
  path: string,
  before: Readonly<Record<string, unknown>>,
  now: Facts,
  elsewhere: string = ELSEWHERE,
): void {
  const other = differing(before, now);
  if (other === "") return;
  throw new ConfigError(`Cannot write ${path}: it was made with other inputs or settings (${other})`, {
    code: "output-exists",
    hint: `Give the command it was made with, pass ${elsewhere}, or --overwrite to replace it`,
    context: { path, before, now },
  });
}

/** A refusal of an output that is there and is none of the program's, or cannot be told to be. */
export function notOwn(path: string, why: string, elsewhere: string = ELSEWHERE): ConfigError {
  return new ConfigError(`Cannot write ${path}: ${why}`, {
    code: "output-exists",
    hint: `Pass ${elsewhere}, or --overwrite to replace it`,
    context: { path },
  });
}
