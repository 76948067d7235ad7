/**
 * Whether a feature file is there already, finished or begun, of the same input, encoder and settings.
 *
 * @module
 */

import { type Facts, notOwn, sameFacts } from "../core/facts.ts";
import type { Disk } from "../io/disk.ts";
import { checkContent, openFeatures } from "../io/features.ts";
import { H5File } from "../io/h5.ts";
import { readTree } from "../io/h5ad_uns.ts";
import { unreadable } from "../io/made_output.ts";
import type { FeatureFormat, FeatureTable } from "./formats.ts";
import { begunFacts } from "./writer.ts";

/** What decides a table: its attributes and extents. */
export function tableFacts({ attributes, count, dim }: FeatureTable): Facts {
  return { ...attributes, rows: count, dim };
}

/**
 * Looks at the place of an output.
 *
 * @returns `made` if it is finished, `begun` if rows of it are kept, `new` if nothing is there.
 * @throws {ConfigError} If what is there is of another input, encoder or setting, or none of the program's.
 * @throws {DataError} If it is finished, and not as it was written.
 */
export async function lookForMade(
  disk: Disk,
  path: string,
  format: FeatureFormat,
  table: FeatureTable,
): Promise<"new" | "begun" | "made"> {
  const facts = tableFacts(table);
  if (disk.look(path) !== undefined) {
    sameFacts(path, await madeFacts(disk, path, format), facts);
    if (format !== "csv") await checkFinished(disk, path);
    return "made";
  }
  // npy and CSV keep their facts beside them, and write those first.
  const beside = format === "npy" || format === "csv" ? `${path}.json` : undefined;
  const begun = begunFacts(disk, path);
  if (beside !== undefined && begun === undefined && disk.look(beside) !== undefined) {
    throw notOwn(beside, "it is there, and nothing of this command's");
  }
  if (begun === undefined) return "new";
  sameFacts(`${path}.partial`, begun, { format, ...facts });
  return "begun";
}

async function checkFinished(disk: Disk, path: string): Promise<void> {
  const features = await openFeatures(disk.open(path, "read"));
  try {
    await checkContent(features);
  } finally {
    features.close();
  }
}

/**
 * What a finished output says it was made from and how.
 *
 * @throws {ConfigError} If it is none of the program's.
 * @throws {DataError} If it is damaged.
 */
export async function madeFacts(disk: Disk, path: string, format: FeatureFormat): Promise<Record<string, unknown>> {
  let facts: Record<string, unknown>;
  try {
    facts =
      await (format === "npy" || format === "csv" ? besideFacts(disk, path, format) : insideFacts(disk, path, format));
  } catch (error) {
    throw unreadable(disk, path, error);
  }
  if (facts["input_sha256"] !== undefined) return facts;
  throw notOwn(path, "it is there already and does not say what it was made from");
}

async function insideFacts(disk: Disk, path: string, format: FeatureFormat): Promise<Record<string, unknown>> {
  const features = await openFeatures(disk.open(path, "read"));
  const { attributes, count: rows, dim } = features;
  features.close();
  if (format !== "h5ad") return { ...attributes, rows, dim };
  using file = await H5File.open(disk.open(path, "read"));
  return { ...readTree(file, "/uns/embedding"), rows, dim };
}

async function besideFacts(disk: Disk, path: string, format: "npy" | "csv"): Promise<Record<string, unknown>> {
  const file = disk.open(`${path}.json`, "read");
  const bytes = new Uint8Array(file.size());
  file.read(0, bytes);
  file.close();
  const { attributes, rows, dim } = JSON.parse(new TextDecoder().decode(bytes));
  if (format === "csv") return { ...attributes, rows, dim };
  const features = await openFeatures(disk.open(path, "read"));
  features.close();
  return { ...attributes, rows: features.count, dim: features.dim };
}
