/**
 * YAML of configurations: mappings, lists and scalars, each with its line. Scalars stay the text they are, since only the
 * reader of a key knows whether `1e-4`, `False`, `NO` or `007` is a number, a truth value or a name.
 *
 * Untrusted files are bounded: aliases, tags, several documents and deep nesting are refused, as is a text of more
 * than 256 KiB. Wraps the package `yaml`.
 *
 * @module
 */

import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from "yaml";
import { ConfigError } from "../core/errors.ts";

/** What the package says for programmers, said for users. */
const REASONS: Readonly<Record<string, string>> = {
  TAG_RESOLVE_FAILED: "a tag, wanted plain values",
  MULTIPLE_DOCS: "a second document begins, wanted one",
  NON_STRING_KEY: "a key that is no text",
};

/** One node: what it is and the line it begins on, from 1. */
export type YamlNode =
  | { readonly kind: "scalar"; readonly line: number; readonly text: string; readonly quoted: boolean }
  | { readonly kind: "list"; readonly line: number; readonly items: readonly YamlNode[] }
  | { readonly kind: "map"; readonly line: number; readonly entries: readonly YamlEntry[] };

/** A key of a mapping with its value. */
export interface YamlEntry {
  readonly key: string;
  /** Line of the key. */
  readonly line: number;
  readonly value: YamlNode;
}

/** Most characters of a document. */
const LENGTH = 1 << 18;
/** Most brackets that open: the package dies of some thousands of nested ones, and no configuration has so many. */
const BRACKETS = 512;
/** Widest indentation with its `- `, `? ` and `: `, characters. */
const INDENT = 80;
/** Most keys, items and values. */
const NODES = 50_000;

/**
 * Parses one document.
 *
 * @param name Stands before the line in errors: a file name.
 * @returns The root; an empty document is an empty mapping.
 * @throws {ConfigError} If the text is no YAML, names a key twice in one mapping, or goes beyond the bounds.
 */
export function parseYaml(text: string, name: string): YamlNode {
  checkBounds(text, name);
  const lines = new LineCounter();
  const document = parseDocument(text, {
    schema: "failsafe",
    stringKeys: true,
    // The package compares every key with every other.
    uniqueKeys: false,
    logLevel: "error",
    lineCounter: lines,
  });
  const [problem] = [...document.errors, ...document.warnings];
  if (problem !== undefined) {
    const line = lines.linePos(problem.pos[0]).line;
    const why = REASONS[problem.code] ?? cause(problem.message);
    throw yamlError(name, line, `Cannot read YAML: ${why}`);
  }
  let nodes = 0;
  function convert(node: unknown, above: number): YamlNode {
    const range = (node as { range?: [number, number, number] | null } | null)?.range;
    const line = range ? lines.linePos(range[0]).line : above;
    if (++nodes > NODES) throw yamlError(name, line, `Cannot read YAML: more than ${NODES} values`);
    if (isAlias(node)) {
      throw yamlError(name, line, `Cannot read *${node.source}: aliases are not followed, wanted the value itself`);
    }
    if (isSeq(node)) return { kind: "list", line, items: node.items.map((item) => convert(item, line)) };
    if (isMap(node)) {
      const entries = node.items.map(({ key, value }) => {
        const at = convert(key, line);
        return { key: at.kind === "scalar" ? at.text : "", line: at.line, value: convert(value, at.line) };
      });
      checkKeys(entries, name);
      return { kind: "map", line, entries };
    }
    if (!isScalar(node)) return { kind: "scalar", line, text: "", quoted: false };
    return { kind: "scalar", line, text: String(node.value ?? ""), quoted: node.type !== "PLAIN" };
  }
  return document.contents === null ? { kind: "map", line: 1, entries: [] } : convert(document.contents, 1);
}

function checkBounds(text: string, name: string): void {
  if (text.length > LENGTH) {
    throw yamlError(name, 1, `Cannot read YAML: ${text.length} characters, wanted at most ${LENGTH}`);
  }
  let brackets = 0;
  text.split("\n").forEach((line, i) => {
    brackets += line.match(/[[{]/g)?.length ?? 0;
    if (brackets > BRACKETS) throw yamlError(name, i + 1, `Cannot read YAML: more than ${BRACKETS} opening brackets`);
    if (/^(?:[ \t]|[-?:](?=\s|$))*/.exec(line)![0].length > INDENT && line.trim() !== "") {
      throw yamlError(name, i + 1, `Cannot read YAML: indented by more than ${INDENT} characters`);
    }
  });
}

function checkKeys(entries: readonly YamlEntry[], name: string): void {
  const first = new Map<string, number>();
  for (const { key, line } of entries) {
    const before = first.get(key);
    if (before !== undefined) {
      throw yamlError(name, line, `Cannot read ${key} again: it stands on line ${before} already`);
    }
    first.set(key, line);
  }
}

/** First line of the package's text, without the excerpt below it and the position that it repeats. */
function cause(message: string): string {
  const line = message.split("\n")[0]!.replace(/ at line \d+, column \d+:?$/, "");
  return line.charAt(0).toLowerCase() + line.slice(1);
}

/** An error with the place in front, as compilers print it. */
export function yamlError(name: string, line: number, message: string, key?: string): ConfigError {
  return new ConfigError(`${name}:${line}: ${message}`, {
    context: { file: name, line, ...(key !== undefined && { key }) },
  });
}

/** Writes a text so that it reads back as the same text, quoted only if it has to be. */
export function yamlText(text: string): string {
  const plain = /^[A-Za-z0-9_./][\w./+-]*( [\w./+-]+)*$/.test(text) &&
    !/^(null|none|true|false|yes|no|on|off)$/i.test(text);
  return plain ? text : JSON.stringify(text);
}
