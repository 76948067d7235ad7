/**
 * What a YAML configuration says: which method it trains, the keys that are given with the values they are read as, and those
 * that nothing reads.
 *
 * @module
 */

import { disk } from "../io/fs.ts";
import { readBytes } from "../io/disk.ts";
import { decodeText } from "../io/csv.ts";
import { methodOf } from "../methods/index.ts";
import { first, type Inspection, type InspectOptions, type Target } from "./inspection.ts";
import { count, formatBytes } from "../core/text_table.ts";

/** Whether a file is named as YAML. */
export function isRecipe({ path, names }: Target): boolean {
  return names === undefined && /\.ya?ml$/i.test(path);
}

/** Looks into a configuration. @throws {ConfigError} Naming the line of what is wrong with it, as training would. */
export async function inspect({ path, bytes }: Target, { limit }: InspectOptions): Promise<Inspection> {
  const documents = [{ name: path, text: decodeText(readBytes(disk, path), path) }];
  const method = await methodOf(documents);
  const { config, given, unused } = method.config.read(documents);
  const groups = Object.entries(config as unknown as Readonly<Record<string, Readonly<Record<string, unknown>>>>);
  const keys = groups.flatMap(([group, values]) =>
    Object.entries(values).map(([name, value]) => ({ key: `${group}.${name}`, value, given: given.has(name) }))
  );
  const said = keys.filter((key) => key.given);
  const out = (config.input as { readonly out: string | null }).out;
  return {
    json: {
      kind: "recipe",
      method: method.name,
      given: Object.fromEntries(said.map(({ key, value }) => [key, value])),
      unused: unused.map(({ key }) => key),
      config,
    },
    facts: [
      ["file", path],
      ["format", `YAML configuration, ${formatBytes(bytes)}`],
      ["method", method.name],
      ["keys", `${count(said.length, "key")} given, ${keys.length - said.length} as they are by default`],
      ["not read", unused.map(({ key }) => key).join(", ")],
      ["run", out ?? ""],
      ["next", `deno task train --config ${path}${out === null ? " --out RUN" : ""}`],
    ],
    listings: [{
      title: ["key", "value"],
      rows: first(said, limit).map(({ key, value }) => [key, brief(value)]),
      total: said.length,
    }],
  };
}

function brief(value: unknown): string {
  const text = typeof value === "string"
    ? value
    : Array.isArray(value)
    ? value.map(brief).join(", ")
    : JSON.stringify(value) ?? "";
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}
