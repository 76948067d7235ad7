/**
 * Hints as a program acts on them: what the command line says in keys and flags becomes options of `train`.
 *
 * @module
 */

import { isTyped } from "../io/system_error.ts";

/** A value of a key as source text. */
function literal(text: string): string {
  const plain = text.startsWith("[") || /^(true|false|null|-?\d+(\.\d+)?(e-?\d+)?)$/.test(text);
  return plain ? text : JSON.stringify(text);
}

/** Keys that stand one behind another, `a=1 b=x`. */
const KEYS = /(?<![\w/.-])[a-z][a-z0-9_]*=[^\s,;]+(?: [a-z][a-z0-9_]*=[^\s,;]+)*/g;

/** A hint with options in place of keys and flags; commands are left as they are. */
export function optionsOf(hint: string): string {
  if (/\bdeno (task|run)\b/.test(hint)) return hint;
  const keyed = hint.replaceAll(KEYS, (keys) => {
    const pairs = keys.split(" ").map((one) => one.split("=") as [string, string]);
    return `config: { ${pairs.map(([key, value]) => `${key}: ${literal(value)}`).join(", ")} }`;
  });
  return keyed
    .replaceAll("--overwrite", "overwrite: true")
    .replaceAll(/--([a-z][a-z-]*) ([A-Za-z0-9_./]+)/g, (_, flag: string, value: string) => {
      return `config: { ${flag.replaceAll("-", "_")}: ${literal(value)} }`;
    });
}

/** The same error with a hint for programs. */
export function forPrograms(error: unknown): unknown {
  if (!isTyped(error) || error.hint === undefined) return error;
  Object.defineProperty(error, "hint", { value: optionsOf(error.hint) });
  return error;
}
