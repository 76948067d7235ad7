/**
 * Samples of a folder in HEST's layout by name.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import { count } from "../core/text_table.ts";
import { findSamples, type SampleFiles } from "../data/data_folder.ts";
import { disk } from "../io/fs.ts";

/**
 * The samples that are named, in that order; all where none is.
 *
 * @throws {ConfigError} If one is not there.
 * @throws {DataError} If the folder has no samples.
 */
export function namedSamples(data: string, names: readonly string[]): SampleFiles[] {
  const all = findSamples(disk, [data]);
  const byId = new Map(all.map((files) => [files.id, files]));
  for (const id of names) {
    if (byId.has(id)) continue;
    const near = nearest(id, [...byId.keys()]);
    throw new ConfigError(`Cannot find sample ${id}: ${data} has ${count(all.length, "sample")}, not this one`, {
      hint: near === undefined ? `It has ${[...byId.keys()].slice(0, 5).join(", ")}` : `Did you mean ${near}?`,
      context: { given: id, folder: data },
    });
  }
  return names.length > 0 ? [...new Set(names)].map((id) => byId.get(id)!) : all;
}
