/**
 * Foreign text made safe to show: names of files and genes, content of files and answers of servers may hold escape sequences
 * that move the cursor, line breaks that forge lines, and marks that turn the direction of text.
 *
 * @module
 */

/** Control and format characters (bidirectional marks, zero width, tags), line separators, halves of surrogate pairs. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
const SHORT: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function escaped(character: string): string {
  const code = character.codePointAt(0)!;
  if (SHORT[character] !== undefined) return SHORT[character];
  if (code < 0x100) return `\\x${code.toString(16).padStart(2, "0")}`;
  return code < 0x10000 ? `\\u${code.toString(16).padStart(4, "0")}` : `\\u{${code.toString(16)}}`;
}

/** One line of text with every character that is not seen as itself written as an escape: `\x1b`, `\n`, `\u202e`. */
export function printable(text: string): string {
  return text.replace(UNSAFE, escaped);
}

/** As {@linkcode printable}, of a text whose line breaks are this program's own. */
export function printableLines(text: string): string {
  return text.split("\n").map(printable).join("\n");
}

/** JSON that is safe to show and still the same value: what {@linkcode printable} escapes is escaped inside its strings. */
export function printableJson(value: unknown, indent?: number): string {
  // Line breaks of the layout stand outside of strings, in which JSON writes them as \n already.
  return JSON.stringify(value, null, indent).split("\n").map((line) =>
    line.replace(
      UNSAFE,
      (found) => found.split("").map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`).join(""),
    )
  ).join("\n");
}
