/**
 * Hints as a program acts on them: what the command line says in keys and flags becomes options of calls.
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
const KEYS = /(?<![\w/.-])[a-z][a-z0-9_]*=[^\s,;)]+(?: [a-z][a-z0-9_]*=[^\s,;)]+)*/g;

/** A flag, with its value if what follows is none of the words that a sentence goes on with. */
const FLAG =
  /(?<!\w)--([a-z][a-z-]*)(?: (?!(?:a|and|begins|gives|if|in|is|keeps|leaves|made|of|or|says|takes|that|the|to|trains|where|which|with)\b)([\w./+-]+(?:,[\w./+-]+)*(?<!\.)))?/g;

/** Flags that take no value. */
const SWITCHES = ["overwrite", "drop-bad-spots", "drop-unknown-patches"];

/** Commands, which are left as they are. */
const COMMAND =
  /\b(deno (task|run)|vips|raw2ometiff|bioformats2raw|python|(convert|download|embed|evaluate|predict|retrieve|split) --)\b/;

/** Options of `train` beside the keys of its configuration, and of what a run is used by. */
const CALLS = ["checkpoint", "data", "encoder", "out", "overwrite", "tuning", "with"];

/** How the flags of hints are written. */
export interface Spelling {
  /** Whether flags are keys of a configuration, but for those of {@linkcode CALLS}. */
  readonly config?: boolean;
  /** Options that are called otherwise than their flags. */
  readonly names?: Readonly<Record<string, string>>;
}

/** A hint with options in place of keys and flags. */
export function optionsOf(hint: string, { config = false, names = {} }: Spelling = {}): string {
  const option = (_: string, flag: string, value: string | undefined): string => {
    const given = SWITCHES.includes(flag) ? "true" : value && literal(value);
    const behind = SWITCHES.includes(flag) && value !== undefined ? ` ${value}` : "";
    if (flag === "run") return `openRun(${value === undefined ? "folder" : JSON.stringify(value)})`;
    const key = names[flag] ?? flag.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
    if (given === undefined) return key;
    if (config && !CALLS.includes(flag)) return `config: { ${flag.replaceAll("-", "_")}: ${given} }${behind}`;
    return `${key}: ${given}${behind}`;
  };
  return hint.split(/(, or |; )/).map((part) => {
    if (COMMAND.test(part)) return part;
    return part.replaceAll(KEYS, (keys) => {
      const pairs = keys.split(" ").map((one) => one.split("=") as [string, string]);
      return `config: { ${pairs.map(([key, value]) => `${key}: ${literal(value)}`).join(", ")} }`;
    }).replaceAll(FLAG, option);
  }).join("");
}

/** The same error with a hint for programs. */
export function forPrograms(error: unknown, spelling?: Spelling): unknown {
  if (!isTyped(error) || error.hint === undefined) return error;
  Object.defineProperty(error, "hint", { value: optionsOf(error.hint, spelling) });
  return error;
}

/** Does what a program asked for; its errors speak to programs. */
export async function toPrograms<T>(act: () => Promise<T>, spelling?: Spelling): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw forPrograms(error, spelling);
  }
}
