/**
 * Whether a feature file is there already, finished or begun, of the same input, encoder and settings.
 *
 * @module
 */

import { type Facts, notOwn, sameFacts } from "../core/facts.ts";
import type { Disk } from "../io/disk.ts";
import { checkContent, type Features, openFeatures, readBeside } from "../io/features.ts";
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
    const made = await madeFacts(disk, path, format);
    if (!holdsRowsAlone(format)) await checkInside(disk, path);
    sameFacts(path, made, facts);
    return "made";
  }
  // npy and CSV keep their facts beside them, and write those first.
  const beside = holdsRowsAlone(format) ? `${path}.json` : undefined;
  const begun = begunFacts(disk, path);
  if (beside !== undefined && begun === undefined && disk.look(beside) !== undefined) {
    throw notOwn(beside, "it is there, and nothing of this command's");
  }
  if (begun === undefined) return "new";
  sameFacts(`${path}.partial`, begun, { format, ...facts });
  return "begun";
}

/** Whether a form holds rows alone; its facts stand beside it. */
const holdsRowsAlone = (format: FeatureFormat): boolean => format === "npy" || format === "csv";

/**
 * What a finished output says it was made from and how.
 *
 * @throws {ConfigError} If it is none of the program's.
 * @throws {DataError} If it is damaged.
 */
export async function madeFacts(disk: Disk, path: string, format: FeatureFormat): Promise<Record<string, unknown>> {
  const facts = holdsRowsAlone(format) ? besideFacts(disk, path) : await insideFacts(disk, path);
  if (facts["input_sha256"] !== undefined) return facts;
  // The name of that fact may be what is damaged.
  if (!holdsRowsAlone(format)) await checkInside(disk, path);
  throw notOwn(path, "it is there already and does not say what it was made from");
}

async function insideFacts(disk: Disk, path: string): Promise<Record<string, unknown>> {
  let features: Features | undefined;
  try {
    features = await openFeatures(disk.open(path, "read"));
    return { ...features.facts(), rows: features.count, dim: features.dim };
  } catch (error) {
    throw unreadable(disk, path, error);
  } finally {
    features?.close();
  }
}

async function checkInside(disk: Disk, path: string): Promise<void> {
  const features = await openFeatures(disk.open(path, "read"));
  try {
    await checkContent(features);
  } finally {
    features.close();
  }
}

/** Facts from beside a file, both compared with their checksums. */
function besideFacts(disk: Disk, path: string): Record<string, unknown> {
  const { attributes, rows, dim } = readBeside(disk, path) ?? {};
  return { ...(attributes ?? {}), rows, dim };
}
