/**
 * Patterns of `rank_pattern` and `alpha_pattern`: a regular expression that must match the end of a module's path, from its
 * beginning or from a dot. An expression from a file could be made to run for years, so only a subset is accepted, and it runs
 * in time proportional to pattern and path.
 *
 * Source: huggingface/peft `utils/other.py` `get_pattern_key`: `re.match(rf"(.*\.)?({key})$", name)`, first match counts.
 *
 * @module
 */

import { FormatError } from "../../core/errors.ts";

/** Longest pattern, characters. */
const MAX_PATTERN = 1024;

/** One step of a pattern: a set of characters, how often, or an anchor. */
type Step = { set: (char: string) => boolean; least: 0 | 1; many: boolean } | "start" | "end";

function fail(pattern: string, at: number, found: string): never {
  const expected = "letters, dots, \\., \\d, [sets], each with ?, * or + at most, alternatives by |, ^ and $";
  throw new FormatError(
    `Cannot read the pattern "${
      pattern.slice(0, 80)
    }" of a LoRA adapter: character ${at} ${found}, expected ${expected}`,
    { hint: "Write the module's whole path instead", context: { pattern, offset: at, found, expected } },
  );
}

/** Parses `[a-z0-9_]`, from the character behind the bracket. */
function parseSet(pattern: string, from: number): { set: (char: string) => boolean; end: number } {
  const end = pattern.indexOf("]", from);
  const body = pattern.slice(from, end < 0 ? from : end);
  if (end < 0 || !/^(\w(-\w)?)+$/.test(body)) fail(pattern, from, "begins a set that is no list of letters and ranges");
  const ranges = [...body.matchAll(/(\w)(?:-(\w))?/g)].map(([, low, high]) => [low!, high ?? low!] as const);
  return { set: (char) => ranges.some(([low, high]) => low <= char && char <= high), end: end + 1 };
}

/** Alternatives, each a list of steps. One pair of brackets around the whole is dropped. */
function parse(pattern: string): Step[][] {
  if (pattern.length > MAX_PATTERN) fail(pattern, MAX_PATTERN, "is beyond the longest pattern");
  const body = /^\((?:\?:)?([^()]*)\)$/.exec(pattern)?.[1] ?? pattern;
  const out: Step[][] = [[]];
  for (let at = 0; at < body.length;) {
    const char = body[at++]!;
    const steps = out.at(-1)!;
    if (char === "|") out.push([]);
    else if (char === "^") steps.push("start");
    else if (char === "$") steps.push("end");
    else {
      let set: (char: string) => boolean;
      if (char === "[") ({ set, end: at } = parseSet(body, at));
      else if (char === "\\") {
        const escaped = body[at++] ?? "";
        if (escaped === "d") set = (c) => c >= "0" && c <= "9";
        else if (escaped === "w") set = (c) => /\w/.test(c);
        else if (/^[^\w\s]$/.test(escaped)) set = (c) => c === escaped;
        else fail(pattern, at - 1, `escapes "${escaped}"`);
      } else if (char === ".") set = () => true;
      else if (/[\w\-/ ]/.test(char)) set = (c) => c === char;
      else fail(pattern, at - 1, `is "${char}"`);
      const times = /[?*+]/.exec(body[at] ?? "")?.[0];
      if (times !== undefined) at++;
      steps.push({ set, least: times === "?" || times === "*" ? 0 : 1, many: times === "*" || times === "+" });
    }
  }
  return out;
}

/** Whether the steps match `text` from its beginning, or from behind a dot, to its end: all states at once, none twice. */
function matches(steps: readonly Step[], text: string): boolean {
  let states = new Uint8Array(steps.length + 1);
  for (let at = 0;; at++) {
    if (at === 0 || text[at - 1] === ".") states[0] = 1;
    for (let i = 0; i < steps.length; i++) {
      const step = steps[i]!;
      const free = step === "start" ? at === 0 : step === "end" ? at === text.length : step.least === 0;
      if (states[i] && free) states[i + 1] = 1;
    }
    if (at === text.length) return states[steps.length] === 1;
    const next = new Uint8Array(steps.length + 1);
    for (let i = 0; i < steps.length; i++) {
      const step = steps[i]!;
      if (!states[i] || typeof step === "string" || !step.set(text[at]!)) continue;
      next[i + 1] = 1;
      if (step.many) next[i] = 1;
    }
    states = next;
  }
}

const parsed: WeakMap<ReadonlyMap<string, number>, readonly [Step[][], number][]> = new WeakMap();

/**
 * Value of the first pattern that selects the module, or undefined.
 *
 * @throws {FormatError} If a pattern is beyond the subset.
 */
export function resolvePattern(values: ReadonlyMap<string, number>, module: string): number | undefined {
  const table = parsed.get(values) ?? [...values].map(([pattern, value]) => [parse(pattern), value] as const);
  parsed.set(values, table as [Step[][], number][]);
  return table.find(([alternatives]) => alternatives.some((steps) => matches(steps, module)))?.[1];
}

/** Steps it takes to compare every pattern with every module, roughly. */
export function patternWork(values: ReadonlyMap<string, number>, modules: Iterable<string>): number {
  const sum = (texts: Iterable<string>) => [...texts].reduce((total, text) => total + text.length + 1, 0);
  return sum(values.keys()) * sum(modules);
}
