/**
 * The configuration of a training method: one table of all its keys, from which types, defaults, checks, the resolved
 * `config.yaml` and the help all come.
 *
 * A document may nest its keys in any groups or none: names are unique, so the name alone says which key is meant.
 *
 * @module
 */

import type { Key, Keys, KeyTable, Rule, Value, ValuesOf } from "../../core/config_key.ts";
import { ConfigError } from "../../core/errors.ts";
import { nearest } from "../../core/nearest.ts";
import { parseYaml, yamlError, type YamlNode } from "../../io/yaml.ts";
import { readValue, wantedValue, writeValue } from "./value.ts";

/** Values of a table: every key that something reads, by concern, under the name it has in files. */
export type ConfigOf<T extends KeyTable> = { readonly [G in keyof T]: ValuesOf<T[G]> };

/** A document to read. */
export interface ConfigDocument {
  /** File name, for errors. */
  readonly name: string;
  readonly text: string;
}

/** A key that was given although nothing reads it. */
export interface UnusedKey {
  readonly key: string;
  readonly reason: string;
}

/** What {@linkcode ConfigFormat.read} found. */
export interface ConfigReading<C> {
  readonly config: C;
  /** Keys that were given and understood, but that nothing reads. */
  readonly unused: readonly UnusedKey[];
  /** Names of the keys that were given and are read. */
  readonly given: ReadonlySet<string>;
}

/** Values of keys by group, of any method. */
export type AnyConfig = Readonly<Record<string, Readonly<Record<string, Value>>>>;

/** `key=value` pairs of a command line. */
export type ConfigOverrides = readonly (readonly [key: string, value: string])[];

/** How a method's configuration follows from what was given. */
export interface ConfigRules<C> {
  /** Fills in values that depend on other keys where nothing was said. */
  adapt?(config: C, given: ReadonlySet<string>): C;
  /** What must hold. */
  rules(config: C): readonly Rule[];
}

/** A key with the group it belongs to. */
interface Entry {
  readonly group: string;
  readonly key: Key;
}

/** A value as it was given. */
interface Given {
  readonly node: YamlNode;
  /** Document; undefined for an override. */
  readonly document: string | undefined;
  readonly line: number;
  /** Groups it stood in. */
  readonly groups: readonly string[];
}

type Entries = ReadonlyMap<string, Entry>;

/** Reads and writes the configurations of one method. */
export class ConfigFormat<T extends KeyTable> {
  readonly #entries: Entries;

  /** @param table Names are unique over all its groups. */
  constructor(readonly table: T, readonly rules: ConfigRules<ConfigOf<T>>) {
    this.#entries = new Map(
      Object.entries(table).flatMap(([group, keys]) =>
        Object.entries(keys).map(([name, key]): [string, Entry] => [name, { group, key }])
      ),
    );
  }

  /**
   * Reads a configuration: defaults, then the documents in order, then the overrides.
   *
   * @param documents Later ones win, key by key.
   * @param overrides `key=value` pairs; a dotted key must end in the key's name, behind its groups here or in a document.
   * @throws {ConfigError} With file and line, if a key is unknown, stands twice in a document, has a value of another kind or
   * out of range, or if keys contradict each other.
   */
  read(documents: readonly ConfigDocument[] = [], overrides: ConfigOverrides = []): ConfigReading<ConfigOf<T>> {
    const entries = this.#entries;
    const given = new Map<string, Given>();
    const places = new Map<string, Set<string>>();
    const strange: Strange[] = [];
    for (const document of documents) {
      for (const [name, value] of readDocument(document, entries, strange)) {
        given.set(name, value);
        const known = places.get(name) ?? new Set();
        places.set(name, known.add(value.groups.join(".")));
      }
    }
    for (const [path, text] of overrides) {
      const [name, value] = readOverride(path, text, entries, places);
      given.set(name, value);
    }
    const values: Record<string, Record<string, Value>> = {};
    for (const [name, { group, key }] of entries) {
      if (key.unused === undefined) (values[group] ??= {})[name] = (key as { default: Value }).default;
    }
    const unused: UnusedKey[] = ignored(strange, entries, given.get("ignore_keys"));
    for (const [name, value] of given) {
      const { group, key } = entries.get(name)!;
      if (key.unused === undefined) values[group]![name] = valueOf(name, key, value);
      else unused.push({ key: name, reason: key.unused });
    }
    const used = new Set([...given.keys()].filter((name) => entries.get(name)!.key.unused === undefined));
    const config = this.#complete(values as unknown as ConfigOf<T>, used, (name) => placeOf(given.get(name)));
    return { config, unused, given: used };
  }

  #complete(config: ConfigOf<T>, given: ReadonlySet<string>, place: (key: string) => string): ConfigOf<T> {
    const done = this.rules.adapt?.(config, given) ?? config;
    for (const [keys, holds, message, hint] of this.rules.rules(done)) {
      if (holds) continue;
      const key = keys.find((name) => given.has(name)) ?? keys[0]!;
      throw new ConfigError(`${place(key)}${message}`, { hint, context: { keys } });
    }
    return done;
  }

  /** Writes a configuration as YAML that reads back as the same configuration, each key with its line of the table. */
  write(config: ConfigOf<T>): string {
    const lines: string[] = [];
    for (const [group, keys] of Object.entries(this.table)) {
      lines.push(`${group}:`);
      for (const [name, key] of Object.entries(keys as Keys)) {
        if (key.unused !== undefined) continue;
        const value = (config as unknown as AnyConfig)[group]![name]!;
        const line = `  ${name}: ${writeValue(value)}`.padEnd(COLUMN);
        lines.push(`${line} # ${key.doc}${key.unit ? ` (${key.unit})` : ""}`);
      }
    }
    return lines.join("\n") + "\n";
  }

  /** Names of all keys that something reads. */
  get names(): string[] {
    return [...this.#entries].flatMap(([name, { key }]) => (key.unused === undefined ? [name] : []));
  }

  /** All keys in order. */
  describe(): KeyDescription[] {
    return [...this.#entries].map(([name, { group, key }]) => ({
      group,
      name,
      default: !("default" in key) ? "" : typeof key.default === "string" ? key.default : writeValue(key.default),
      accepts: wantedValue(key),
      unit: key.unit,
      doc: key.doc,
      unused: key.unused,
    }));
  }

  /** The keys as `train --help` lists them. */
  help(): string {
    const rows = this.describe().filter(({ unused }) => unused === undefined);
    const width = Math.max(...rows.map((row) => row.name.length + row.default.length)) + 3;
    return Object.keys(this.table).flatMap((group) => [
      `${group}:`,
      ...rows.filter((row) => row.group === group).map((row) =>
        `  ${`${row.name}=${row.default}`.padEnd(width)}${row.doc} (${row.unit ? `${row.unit}; ` : ""}${row.accepts})`
      ),
    ]).join("\n");
  }

  /** The keys as a page in Markdown. */
  page(): string {
    const cell = (text: string) => text.replaceAll("|", "\\|");
    const rows = this.describe();
    return Object.keys(this.table).map((group) =>
      [
        `## ${group}`,
        "",
        "| key | default | accepts | what it does |",
        "| --- | --- | --- | --- |",
        ...rows.filter((row) => row.group === group).map((row) =>
          `| \`${row.name}\` | ${row.default === "" ? "" : `\`${cell(row.default)}\``} | ${cell(row.accepts)}${
            row.unit ? `, ${row.unit}` : ""
          } | ${cell(row.doc)}${row.unused === undefined ? "" : `. Understood, not used: ${cell(row.unused)}`} |`
        ),
      ].join("\n")
    ).join("\n\n") + "\n";
  }
}

/**
 * The text of a key before it is known which table it belongs to: that of the last override or document which gives it.
 *
 * @throws {ConfigError} If a document is no YAML.
 */
export function givenText(
  name: string,
  documents: readonly ConfigDocument[],
  overrides: ConfigOverrides,
): string | undefined {
  const override = overrides.findLast(([path]) => path.split(".").pop() === name);
  if (override) return override[1];
  function find(node: YamlNode): string | undefined {
    if (node.kind !== "map") return undefined;
    for (const { key, value } of node.entries) {
      const found = key.split(".").pop() === name && value.kind === "scalar" ? value.text : find(value);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  return documents.map(({ name: file, text }) => find(parseYaml(text, file))).findLast((found) => found !== undefined);
}

/** A key that is none of ours. */
interface Strange {
  readonly file: string;
  readonly line: number;
  readonly path: readonly string[];
}

/** Accepts the strange keys that `ignore_keys` names, by themselves or by a group; the first other one is an error. */
function ignored(strange: readonly Strange[], entries: Entries, names: Given | undefined): UnusedKey[] {
  const list = names ? valueOf("ignore_keys", entries.get("ignore_keys")!.key, names) as readonly string[] : [];
  return strange.map(({ file, line, path }) => {
    if (!path.some((part) => list.includes(part))) throw unknownKey(file, line, path.at(-1)!, entries);
    return { key: path.join("."), reason: "ignore_keys names it" };
  });
}

/** All keys of a document with their values; those that are none of ours are added to `strange`. */
function readDocument(
  { name: file, text }: ConfigDocument,
  entries: Entries,
  strange: Strange[],
): Map<string, Given> {
  const root = parseYaml(text, file);
  if (root.kind !== "map") throw yamlError(file, root.line, "Cannot read the configuration: wanted keys with values");
  const found = new Map<string, Given>();
  function visit(node: Extract<YamlNode, { kind: "map" }>, above: readonly string[]): void {
    for (const { key: path, line, value } of node.entries) {
      const groups = [...above, ...path.split(".")];
      const name = groups.pop()!;
      const entry = entries.get(name);
      if (value.kind === "map" && entry?.key.kind !== "any") {
        visit(value, [...groups, name]);
        continue;
      }
      if (entry === undefined) {
        strange.push({ file, line, path: [...groups, name] });
        continue;
      }
      const before = found.get(name);
      if (before !== undefined) {
        throw yamlError(file, line, `Cannot read ${name} again: it stands on line ${before.line} already`, name);
      }
      found.set(name, { node: value, document: file, line, groups });
    }
  }
  visit(root, []);
  return found;
}

function unknownKey(file: string | undefined, line: number, name: string, entries: Entries): ConfigError {
  // The distance of a word that long would take its time.
  const near = name.length > 64 ? undefined : nearest(name, [...entries.keys()]);
  const place = file === undefined ? "" : `${file}:${line}: `;
  const own = entries.get("method")?.key;
  const method = own?.kind === "choice" ? ` method=${own.default}` : "";
  // One slip of the pen is a typing error; more may be the key of another program.
  const sure = near === undefined ? undefined : nearest(name, [near], 1 + Math.floor(name.length / 8));
  return new ConfigError(
    `${place}Cannot read "${name.slice(0, 64)}": no such key${near === undefined ? "" : `; did you mean ${near}?`}`,
    {
      hint: file === undefined || sure !== undefined
        ? `${near === undefined ? "" : `Write ${near}; `}deno task train${method} --help lists all keys`
        : `Leave it out, or pass ignore_keys=${name.slice(0, 64)} if another program reads it`,
      context: {
        ...(file !== undefined && { file, line }),
        key: name,
        ...(near !== undefined && { nearest: near }),
      },
    },
  );
}

/** An override as if it stood in a document. */
function readOverride(
  path: string,
  text: string,
  entries: Entries,
  places: ReadonlyMap<string, ReadonlySet<string>>,
): [name: string, value: Given] {
  const groups = path.split(".");
  const name = groups.pop()!;
  const entry = entries.get(name);
  if (entry === undefined) throw unknownKey(undefined, 0, name, entries);
  const group = groups.join(".");
  if (group !== "" && group !== entry.group && !places.get(name)?.has(group)) {
    throw new ConfigError(`Cannot read ${path}: ${name} is no key of ${group}; did you mean ${entry.group}.${name}?`, {
      hint: `Write ${name}=${text.slice(0, 64)}; the name alone says which key is meant`,
      context: { key: path, nearest: `${entry.group}.${name}` },
    });
  }
  const list = entry.key.kind === "texts" || entry.key.kind === "numbers";
  // Only lists need YAML: a path or a name is taken as it stands.
  const node: YamlNode = list && text.trimStart().startsWith("[")
    ? parseYaml(text, path)
    : list && text.includes(",")
    ? { kind: "list", line: 0, items: text.split(",").map((item) => scalar(item.trim())) }
    : scalar(text);
  return [name, { node, document: undefined, line: 0, groups }];
}

function scalar(text: string): YamlNode {
  return { kind: "scalar", line: 0, text, quoted: false };
}

function valueOf(name: string, key: Key, given: Given): Value {
  const read = readValue(key, given.node);
  if ("value" in read) return read.value;
  const near = key.kind === "choice" && given.node.kind === "scalar" ? nearest(given.node.text, key.of) : undefined;
  throw new ConfigError(`${placeOf(given)}Cannot use ${name}: given ${shown(given.node)}, wanted ${read.wanted}`, {
    hint: `${name}${given.document === undefined ? "=" : ": "}${near ?? example(key)}`,
    context: {
      ...(given.document !== undefined && { file: given.document, line: given.line }),
      key: name,
      given: shown(given.node),
      wanted: wantedValue(key),
    },
  });
}

/** A value that a key takes. */
function example(key: Key): string {
  if ("default" in key && key.default !== null) return writeValue(key.default);
  if (key.kind === "number") return String(key.min === undefined || key.open ? 1 : Math.max(1, key.min));
  return key.kind === "texts" ? "[A, B]" : "NAME";
}

/** File and line of a key, before a message; nothing for what no document gave. */
function placeOf(given: Given | undefined): string {
  return given?.document === undefined ? "" : `${given.document}:${given.line}: `;
}

function shown(node: YamlNode): string {
  switch (node.kind) {
    case "scalar":
      return node.text === "" ? "nothing" : JSON.stringify(node.text.slice(0, 80));
    case "list":
      return node.items.length === 0 ? "an empty list" : `a list of ${node.items.length}`;
    case "map":
      return "keys with values";
  }
}

/** Width of the values in {@linkcode ConfigFormat.write}, after which the comments stand. */
const COLUMN = 36;

/** One key as help and documentation show it. */
export interface KeyDescription {
  readonly group: string;
  readonly name: string;
  /** Default as it would be written. */
  readonly default: string;
  /** What it accepts. */
  readonly accepts: string;
  readonly unit: string | undefined;
  readonly doc: string;
  /** Why nothing reads it, if nothing does. */
  readonly unused: string | undefined;
}
