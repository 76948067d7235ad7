/**
 * Flags of the command line: one table per command, from which parsing, checking, defaults and help all come.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import type { Job } from "./interrupt.ts";

/** One flag. `value` names the argument in help texts. */
export type Flag =
  | { kind: "switch"; help: string }
  | { kind: "text"; help: string; value: string; default?: string }
  | { kind: "list"; help: string; value: string }
  | { kind: "number"; help: string; value: string; default?: number; min?: number; max?: number; integer?: boolean }
  | { kind: "choice"; help: string; of: readonly string[]; default?: string };

/** Flags of a command, by name without the dashes. */
export type Flags = Readonly<Record<string, Flag>>;

type Given<F extends Flag, T> = F extends { default: T } ? T : T | undefined;
type Value<F extends Flag> = F extends { kind: "switch" } ? boolean
  : F extends { kind: "list" } ? string[]
  : F extends { kind: "number" } ? Given<F, number>
  : Given<F, string>;

/** A parsed command line. */
export interface Args<F extends Flags = Flags> {
  /** Value of every flag of the table; switches default to false, lists to empty. */
  flags: { [K in keyof F]: Value<F[K]> };
  /** `key=value` words, in order. */
  overrides: [key: string, value: string][];
  /** The other words. */
  words: string[];
}

/** What a file of `src/cli/` exports to be a command. */
export interface Command {
  readonly name: string;
  /** One line: what it does. */
  readonly summary: string;
  readonly flags: Flags;
  /** One example, without the leading `deno task`. */
  readonly example?: string;
  /** How the words without dashes are called in the usage line; without it they are refused. */
  readonly words?: string;
  /** Whether `key=value` configuration overrides are accepted. */
  readonly overrides?: boolean;
  /** Keys that overrides of a command line may name, for those who write one as a flag. */
  keys?(argv: readonly string[]): Promise<readonly string[]>;
  /** More of the help, behind the flags. */
  details?(argv: readonly string[]): Promise<string>;
  /** Encoders that `run` opens, as they are given; without it that of `--encoder`. */
  encoders?(args: Args): readonly string[] | Promise<readonly string[]>;
  /** What hints say for `another --out`, where a command line names its output otherwise. */
  elsewhere?(argv: readonly string[]): string | undefined;
  /** Does the work; the result is the exit status, 0 when nothing is returned. */
  run(args: Args, job: Job): Promise<number | void>;
}

/** Flags that mean the same for every command; each command takes those it needs. */
export const COMMON = {
  config: {
    kind: "text",
    value: "FILE",
    help: "YAML configuration; the reference's conf/config.yaml is read as it is",
  },
  out: { kind: "text", value: "PATH", help: "where the result goes" },
  seed: { kind: "number", value: "N", integer: true, min: 0, help: "seed of everything random" },
  precision: {
    kind: "choice",
    of: ["f32", "f16"],
    help: "storage of frozen weights and of the encoder's activations; sums are f32",
  },
  "batch-size": {
    kind: "number",
    value: "N",
    integer: true,
    min: 1,
    max: 4096,
    help: "tiles a batch; 32, on software 8",
  },
  "image-size": {
    kind: "number",
    value: "N",
    integer: true,
    min: 1,
    max: 8192,
    help: "side of the images an encoder is fed, px; by default that of the adapter's training, else its own",
  },
  software: { kind: "switch", help: "force the software adapter" },
  backend: {
    kind: "choice",
    of: ["deno", "dawn"],
    default: "deno",
    help: "whose WebGPU: Deno's own, or Dawn's, an optional package (deno task doctor --backend dawn)",
  },
  tuning: { kind: "text", value: "FILE", help: "kernels as deno task tune measured them on this machine" },
  noInstall: { kind: "switch", help: "install no graphics driver where there is none, as with SEAL_NO_INSTALL=1" },
  quiet: { kind: "switch", help: "no progress, only warnings and errors" },
  json: { kind: "switch", help: "the result as one JSON object on stdout, everything else on stderr" },
  overwrite: { kind: "switch", help: "write over a finished output" },
} as const satisfies Flags;

/**
 * Parses the words after the command's name.
 *
 * @throws {ConfigError} If a flag is unknown, lacks its value, or has one of the wrong type or range.
 */
export function parseArgs<F extends Flags>(
  flags: F,
  argv: readonly string[],
  accepts: { words?: boolean; overrides?: boolean; keys?: readonly string[] | undefined } = {},
): Args<F> {
  const values: Record<string, unknown> = {};
  for (const [name, flag] of Object.entries(flags)) values[name] = initial(flag);
  const overrides: [string, string][] = [];
  const words: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i]!;
    if (word === "--") {
      words.push(...argv.slice(i + 1));
      break;
    }
    if (!word.startsWith("-") || /^-\d/.test(word)) {
      const equals = word.search("=");
      if (accepts.overrides && /^[\w.]+=/.test(word)) overrides.push([word.slice(0, equals), word.slice(equals + 1)]);
      else words.push(checkedWord(word, flags));
      continue;
    }
    const [name, inline] = split(word);
    const flag = Object.hasOwn(flags, name) ? flags[name] : undefined;
    if (flag === undefined) throw unknownFlag(word, Object.keys(flags), accepts.keys ?? [], argv[i + 1]);
    if (flag.kind === "switch") {
      if (inline !== undefined) {
        throw new ConfigError(`Cannot read --${name}=${inline}: --${name} takes no value`, { hint: `Write --${name}` });
      }
      values[name] = true;
      continue;
    }
    const text = inline ?? argv[++i];
    if (text === undefined || (inline === undefined && /^--\w/.test(text))) {
      throw new ConfigError(`Cannot read --${name}: given no value, wanted ${wanted(flag)}`, {
        hint: text === undefined ? `Write --${name} VALUE` : `A value that begins with dashes: --${name}=${text}`,
      });
    }
    if (text === "" && (flag.kind === "text" || flag.kind === "list")) {
      throw new ConfigError(`Cannot read --${name}: given an empty text, wanted ${wanted(flag)}`, {
        hint: "A variable of the shell may be empty; leave the flag out for its default",
      });
    }
    if (flag.kind === "list") (values[name] as string[]).push(text);
    else values[name] = convert(name, flag, text);
  }
  if (words.length > 0 && !accepts.words) {
    const near = nearest(words[0]!, Object.keys(flags));
    throw new ConfigError(`Cannot read ${JSON.stringify(words[0])}: this command takes only flags`, {
      hint: near === undefined ? "Add --help for the list" : `Did you mean --${near}?`,
    });
  }
  return { flags: values as Args<F>["flags"], overrides, words };
}

/** A word as it is. @throws {ConfigError} If it is a flag written as a key of a configuration. */
function checkedWord(word: string, flags: Flags): string {
  const [, key, value] = /^([\w-]+)=(.*)$/s.exec(word) ?? [];
  const name = [key, key?.replaceAll("_", "-")].find((name) => name !== undefined && Object.hasOwn(flags, name));
  if (name === undefined) return word;
  throw new ConfigError(`Cannot read ${word}: it is a flag of this command, dashes wanted`, {
    hint: flags[name]!.kind === "switch" ? `Write --${name}` : `Write --${name} ${value}`,
    context: { given: word },
  });
}

function initial(flag: Flag): unknown {
  if (flag.kind === "switch") return false;
  return flag.kind === "list" ? [] : flag.default;
}

function split(word: string): [name: string, inline: string | undefined] {
  const name = word.replace(/^--?/, "");
  const equals = name.indexOf("=");
  return equals < 0 ? [name, undefined] : [name.slice(0, equals), name.slice(equals + 1)];
}

function wanted(flag: Flag): string {
  if (flag.kind === "choice") return `one of ${flag.of.join(", ")}`;
  if (flag.kind !== "number") return flag.kind === "switch" ? "nothing" : flag.value;
  const range = [flag.min === undefined ? "" : ` >= ${flag.min}`, flag.max === undefined ? "" : ` <= ${flag.max}`];
  return `${flag.integer ? "an integer" : "a number"}${range.filter(Boolean).join(" and")}`;
}

function convert(name: string, flag: Exclude<Flag, { kind: "switch" | "list" }>, text: string): string | number {
  if (flag.kind === "text") return text;
  if (flag.kind === "choice") {
    if (flag.of.includes(text)) return text;
  } else {
    const number = text.trim() === "" ? NaN : Number(text);
    const inside = number >= (flag.min ?? -Infinity) && number <= (flag.max ?? Infinity);
    if (Number.isFinite(number) && inside && (!flag.integer || Number.isInteger(number))) return number;
  }
  throw new ConfigError(`Cannot use --${name} ${text}: given ${JSON.stringify(text)}, wanted ${wanted(flag)}`);
}

function unknownFlag(word: string, names: readonly string[], keys: readonly string[], next = "VALUE"): ConfigError {
  const [name, inline] = split(word);
  const asKey = name.split(".").at(-1)!.replaceAll("-", "_");
  const flag = keys.includes(asKey) ? undefined : nearest(name, [...names, "help"]);
  const key = flag === undefined ? nearest(asKey, keys) : undefined;
  const value = inline ?? (next.startsWith("-") ? "VALUE" : next);
  const near = flag ?? key;
  return new ConfigError(`Cannot read ${word}: no such flag`, {
    hint: flag !== undefined
      ? `Did you mean --${flag}?`
      : key !== undefined
      ? `${key} is a key, not a flag: write ${key}=${value}`
      : "Add --help for the list",
    context: { given: word, ...(near === undefined ? {} : { nearest: near }) },
  });
}

/** Help text of one command. @param details What stands behind the flags. */
export function helpText(command: Command, details?: string): string {
  const words = [command.words, command.overrides ? "[key=value …]" : undefined].filter(Boolean).join(" ");
  const rows = Object.entries({ ...command.flags, help: { kind: "switch", help: "this text" } satisfies Flag }).map(
    ([name, flag]): [string, string] => [`--${name}${argument(flag)}`, flag.help + defaultText(flag)],
  );
  const width = Math.max(...rows.map(([left]) => left.length));
  return [
    `${command.name}: ${command.summary}`,
    "",
    `Usage: deno task ${command.name} [flags]${words && ` ${words}`}`,
    "",
    ...rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`),
    ...(details === undefined ? [] : ["", details]),
    ...(command.example === undefined ? [] : ["", `Example: deno task ${command.example}`]),
  ].join("\n");
}

function argument(flag: Flag): string {
  if (flag.kind === "switch") return "";
  return flag.kind === "choice" ? ` ${flag.of.join("|")}` : ` ${flag.value}${flag.kind === "list" ? " …" : ""}`;
}

function defaultText(flag: Flag): string {
  if (flag.kind === "switch") return "";
  if (flag.kind === "list") return " (may be given several times)";
  return flag.default === undefined ? "" : ` (default ${flag.default})`;
}
