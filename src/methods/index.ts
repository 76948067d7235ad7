/**
 * The training methods, loaded when they are asked for: a method is its folder here and one line.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import { type ConfigDocument, type ConfigOverrides, givenText } from "../train/config/format.ts";
import type { AnyMethod } from "./method.ts";

/** A row of the table. */
interface Row {
  /** Files of its checkpoints beside those of every method: only such names are ever replaced or removed. */
  readonly files: readonly string[];
  load(): Promise<{ readonly method: unknown }>;
}

/** All methods by name, which is the folder's; the first is meant where none is named. */
const METHODS: Readonly<Record<string, Row>> = {
  seal: { files: ["omics.safetensors", "heads.safetensors", "genes.json"], load: () => import("./seal/index.ts") },
  mil: { files: ["model.json"], load: () => import("./mil/index.ts") },
  spade: {
    files: ["spade.safetensors", "spade.json", "best.safetensors", "genes.json"],
    load: () => import("./spade/index.ts"),
  },
  bulk: { files: ["bulk.json", "genes.tsv"], load: () => import("./bulk/index.ts") },
  vortex: { files: ["vortex.safetensors", "bank.safetensors", "vortex.json"], load: () => import("./vortex/index.ts") },
};

/** Names of all methods. */
export const METHOD_NAMES: readonly string[] = Object.keys(METHODS);

/** The method that is meant where none is named: the first. */
export const DEFAULT_METHOD: string = METHOD_NAMES[0]!;

/** Files that checkpoints of any method may have. */
export function methodFiles(): string[] {
  return [...new Set(Object.values(METHODS).flatMap(({ files }) => files))];
}

/**
 * A method by its name.
 *
 * @throws {ConfigError} If there is none of that name.
 */
export async function loadMethod(name: string): Promise<AnyMethod> {
  const row = Object.hasOwn(METHODS, name) ? METHODS[name] : undefined;
  if (row !== undefined) return (await row.load()).method as AnyMethod;
  const near = nearest(name, METHOD_NAMES);
  throw new ConfigError(`Cannot train by method ${JSON.stringify(name.slice(0, 64))}: there is none of that name`, {
    hint: `method=${near ?? METHOD_NAMES.join("|")}`,
    context: { key: "method", given: name.slice(0, 64), ...(near !== undefined && { nearest: near }) },
  });
}

/** The method that documents and overrides ask for. @throws {ConfigError} If there is none of that name. */
export async function methodOf(
  documents: readonly ConfigDocument[],
  overrides: ConfigOverrides = [],
): Promise<AnyMethod> {
  return await loadMethod(givenText("method", documents, overrides) ?? DEFAULT_METHOD);
}
