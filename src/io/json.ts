/**
 * JSON of untrusted files: `JSON.parse` keeps the last of two equal keys and says nothing, and gives a hostile file
 * as much memory as it asks for. This one refuses both.
 *
 * @module
 */

/** Deepest nesting. */
const DEPTH = 32;
/** Most brackets, colons, commas and quoted texts: some 200,000 tensors of a safetensors header. */
const TOKENS = 1 << 22;
/** Most keys of one object. */
const KEYS = 1 << 17;

/**
 * Parses JSON from UTF-8.
 *
 * @param describe Makes the error from the byte (or character, for text beyond ASCII), what is there and what was expected.
 * @throws What `describe` makes.
 */
export function parseJson(
  bytes: Uint8Array,
  describe: (offset: number, found: string, expected: string) => Error,
): unknown {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw describe(0, "begins no UTF-8 text", "UTF-8");
  }
  checkStructure(text, describe);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw describe(0, `begins no JSON (${(cause as Error).message})`, "JSON");
  }
}

/** Depth, number of tokens, and equal keys of one object. What is no JSON passes: the parser says why. */
function checkStructure(text: string, describe: (offset: number, found: string, expected: string) => Error): void {
  const open: (Set<string> | undefined)[] = [];
  let tokens = 0;
  const token = /[[\]{}:,"]/g;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    if (++tokens > TOKENS) throw describe(match.index, "holds yet another value", `at most ${TOKENS} tokens`);
    const sign = match[0];
    if (sign === "{" || sign === "[") open.push(sign === "{" ? new Set() : undefined);
    else if (sign === "}" || sign === "]") open.pop();
    else if (sign === '"') {
      const end = endOfString(text, match.index);
      token.lastIndex = end;
      const keys = open.at(-1);
      if (keys === undefined || !isKey(text, end)) continue;
      const raw = text.slice(match.index + 1, end - 1);
      const key = raw.includes("\\") ? unescaped(raw) : raw;
      if (keys.has(key)) throw describe(match.index, `repeats the key "${key.slice(0, 80)}"`, "every key once");
      keys.add(key);
      if (keys.size > KEYS) throw describe(match.index, "begins yet another key", `at most ${KEYS} of one object`);
    }
    if (open.length > DEPTH) throw describe(match.index, "nests deeper", `at most ${DEPTH} levels`);
  }
}

/** Index behind the closing quote of the string that begins at `start`. */
function endOfString(text: string, start: number): number {
  for (let quote = text.indexOf('"', start + 1); quote >= 0; quote = text.indexOf('"', quote + 1)) {
    let slashes = 0;
    while (text[quote - 1 - slashes] === "\\") slashes++;
    if (slashes % 2 === 0) return quote + 1;
  }
  return text.length;
}

function isKey(text: string, end: number): boolean {
  let at = end;
  while (" \t\n\r".includes(text[at] ?? "x")) at++;
  return text[at] === ":";
}

function unescaped(raw: string): string {
  try {
    return String(JSON.parse(`"${raw}"`));
  } catch {
    return raw;
  }
}
