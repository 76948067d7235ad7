/**
 * The configuration of a training run: one table of all keys ({@linkcode CONFIG_KEYS}), from which types, defaults, checks,
 * the resolved `config.yaml` and the help all come.
 *
 * A document may nest its keys in any groups or none: names are unique, so the name alone says which key is meant.
 *
 * @module
 */

import type { Key, Keys, Value, ValuesOf } from "../core/config_key.ts";
import { ConfigError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import { parseYaml, yamlError, type YamlNode } from "../io/yaml.ts";
import { completeConfig } from "./config_rules.ts";
import { GENE_KEYS, GENES_KEYS, INPUT_KEYS, LORA_KEYS, MODEL_KEYS, SPLIT_KEYS } from "./config_keys_model.ts";
import { CACHE_KEYS, EVAL_KEYS, LOSS_KEYS, OPTIM_KEYS, WARMUP_KEYS } from "./config_keys_training.ts";
import { readValue, wantedValue, writeValue } from "./config_schema.ts";

/** All keys, by concern. */
export const CONFIG_KEYS = {
  input: INPUT_KEYS,
  split: SPLIT_KEYS,
  genes: GENES_KEYS,
  model: MODEL_KEYS,
  lora: LORA_KEYS,
  gene: GENE_KEYS,
  loss: LOSS_KEYS,
  warmup: WARMUP_KEYS,
  optim: OPTIM_KEYS,
  cache: CACHE_KEYS,
  eval: EVAL_KEYS,
} as const;

/** A configuration: every key that something reads, by concern, under the name it has in files. */
export type TrainConfig = { readonly [G in keyof typeof CONFIG_KEYS]: ValuesOf<typeof CONFIG_KEYS[G]> };

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

/** What {@linkcode readConfig} found. */
export interface ConfigReading {
  readonly config: TrainConfig;
  /** Keys that were given and understood, but that nothing reads. */
  readonly unused: readonly UnusedKey[];
  /** Names of the keys that were given and are read. */
  readonly given: ReadonlySet<string>;
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

const ENTRIES: ReadonlyMap<string, Entry> = new Map(
  Object.entries(CONFIG_KEYS).flatMap(([group, keys]) =>
    Object.entries(keys as Keys).map(([name, key]): [string, Entry] => [name, { group, key }])
  ),
);

/**
 * Reads a configuration: defaults, then the documents in order, then the overrides.
 *
 * @param documents Later ones win, key by key.
 * @param overrides `key=value` pairs; a dotted key must end in the key's name, behind its groups here or in a document.
 * @throws {ConfigError} With file and line, if a key is unknown, stands twice in a document, has a value of another kind or
 * out of range, or if keys contradict each other.
 */
export function readConfig(
  documents: readonly ConfigDocument[] = [],
  overrides: readonly (readonly [key: string, value: string])[] = [],
): ConfigReading {
  const given = new Map<string, Given>();
  const places = new Map<string, Set<string>>();
  const strange: Strange[] = [];
  for (const document of documents) {
    for (const [name, value] of readDocument(document, strange)) {
      given.set(name, value);
      const known = places.get(name) ?? new Set();
      places.set(name, known.add(value.groups.join(".")));
    }
  }
  for (const [path, text] of overrides) {
    const [name, value] = readOverride(path, text, places);
    given.set(name, value);
  }
  const values: Record<string, Record<string, Value>> = {};
  for (const [name, { group, key }] of ENTRIES) {
    if (key.unused === undefined) (values[group] ??= {})[name] = (key as { default: Value }).default;
  }
  const unused: UnusedKey[] = ignored(strange, given.get("ignore_keys"));
  for (const [name, value] of given) {
    const { group, key } = ENTRIES.get(name)!;
    if (key.unused === undefined) values[group]![name] = valueOf(name, key, value);
    else unused.push({ key: name, reason: key.unused });
  }
  const used = new Set([...given.keys()].filter((name) => ENTRIES.get(name)!.key.unused === undefined));
  const config = completeConfig(values as unknown as TrainConfig, {
    given: used,
    place: (name) => placeOf(given.get(name)),
  });
  return { config, unused, given: used };
}

/** A key that is none of ours. */
interface Strange {
  readonly file: string;
  readonly line: number;
  readonly path: readonly string[];
}

/** Accepts the strange keys that `ignore_keys` names, by themselves or by a group; the first other one is an error. */
function ignored(strange: readonly Strange[], names: Given | undefined): UnusedKey[] {
  const list = names ? valueOf("ignore_keys", ENTRIES.get("ignore_keys")!.key, names) as readonly string[] : [];
  return strange.map(({ file, line, path }) => {
    if (!path.some((part) => list.includes(part))) throw unknownKey(file, line, path.at(-1)!);
    return { key: path.join("."), reason: "ignore_keys names it" };
  });
}

/** All keys of a document with their values; those that are none of ours are added to `strange`. */
function readDocument({ name: file, text }: ConfigDocument, strange: Strange[]): Map<string, Given> {
  const root = parseYaml(text, file);
  if (root.kind !== "map") throw yamlError(file, root.line, "Cannot read the configuration: wanted keys with values");
  const found = new Map<string, Given>();
  function visit(node: Extract<YamlNode, { kind: "map" }>, above: readonly string[]): void {
    for (const { key: path, line, value } of node.entries) {
      const groups = [...above, ...path.split(".")];
      const name = groups.pop()!;
      const entry = ENTRIES.get(name);
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

function unknownKey(file: string | undefined, line: number, name: string): ConfigError {
  // The distance of a word that long would take its time.
  const near = name.length > 64 ? undefined : nearest(name, [...ENTRIES.keys()]);
  const place = file === undefined ? "" : `${file}:${line}: `;
  // One slip of the pen is a typing error; more may be the key of another program.
  const sure = near === undefined ? undefined : nearest(name, [near], 1 + Math.floor(name.length / 8));
  return new ConfigError(
    `${place}Cannot read "${name.slice(0, 64)}": no such key${near === undefined ? "" : `; did you mean ${near}?`}`,
    {
      hint: file === undefined || sure !== undefined
        ? `${near === undefined ? "" : `Write ${near}; `}deno task train --help lists all keys`
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
  places: ReadonlyMap<string, ReadonlySet<string>>,
): [name: string, value: Given] {
  const groups = path.split(".");
  const name = groups.pop()!;
  const entry = ENTRIES.get(name);
  if (entry === undefined) throw unknownKey(undefined, 0, name);
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

/** Width of the values in {@linkcode writeConfig}, after which the comments stand. */
const COLUMN = 36;

/**
 * Writes a configuration as YAML that reads back as the same configuration, each key with its line of the table.
 */
export function writeConfig(config: TrainConfig): string {
  const lines: string[] = [];
  for (const [group, keys] of Object.entries(CONFIG_KEYS)) {
    lines.push(`${group}:`);
    for (const [name, key] of Object.entries(keys as Keys)) {
      if (key.unused !== undefined) continue;
      const value = (config as unknown as Record<string, Record<string, Value>>)[group]![name]!;
      lines.push(`${`  ${name}: ${writeValue(value)}`.padEnd(COLUMN)} # ${key.doc}${key.unit ? ` (${key.unit})` : ""}`);
    }
  }
  return lines.join("\n") + "\n";
}

/** Names of all keys that something reads. */
export function keyNames(): string[] {
  return [...ENTRIES].flatMap(([name, { key }]) => (key.unused === undefined ? [name] : []));
}

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

/** All keys in order. */
export function describeKeys(): KeyDescription[] {
  return [...ENTRIES].map(([name, { group, key }]) => ({
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
export function configHelp(): string {
  const rows = describeKeys().filter(({ unused }) => unused === undefined);
  const width = Math.max(...rows.map((row) => row.name.length + row.default.length)) + 3;
  return Object.keys(CONFIG_KEYS).flatMap((group) => [
    `${group}:`,
    ...rows.filter((row) => row.group === group).map((row) =>
      `  ${`${row.name}=${row.default}`.padEnd(width)}${row.doc} (${row.unit ? `${row.unit}; ` : ""}${row.accepts})`
    ),
  ]).join("\n");
}

/** The keys as a page in Markdown. */
export function configPage(): string {
  const cell = (text: string) => text.replaceAll("|", "\\|");
  return Object.keys(CONFIG_KEYS).map((group) =>
    [
      `## ${group}`,
      "",
      "| key | default | accepts | what it does |",
      "| --- | --- | --- | --- |",
      ...describeKeys().filter((row) => row.group === group).map((row) =>
        `| \`${row.name}\` | ${row.default === "" ? "" : `\`${cell(row.default)}\``} | ${cell(row.accepts)}${
          row.unit ? `, ${row.unit}` : ""
        } | ${cell(row.doc)}${row.unused === undefined ? "" : `. Understood, not used: ${cell(row.unused)}`} |`
      ),
    ].join("\n")
  ).join("\n\n") + "\n";
}
