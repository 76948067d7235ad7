/**
 * Folders with a feature file a slide, `NAME.h5`, `.pt`, `.npy`, `.safetensors` or `.h5ad`: this program's, TRIDENT's, STAMP's, and
 * CLAM's, whose files may lie in its `h5_files` or `pt_files`.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import type { Disk } from "./disk.ts";

/** Endings of feature files. */
const ENDINGS: readonly string[] = [".h5", ".hdf5", ".pt", ".npy", ".safetensors", ".h5ad"];
/** Folders of CLAM within a folder of features, in the order they are taken. */
const INNER: readonly string[] = ["h5_files", "pt_files"];

/**
 * Feature files of a folder by slide, in the order of their names.
 *
 * @throws {DataError} If it is no folder, holds none, or has two of one slide.
 */
export function findFeatureFiles(disk: Pick<Disk, "look">, folder: string): Map<string, string> {
  const refuse = (found: string, expected: string): DataError =>
    new DataError(`Cannot find features in ${folder}: ${found}, expected ${expected}`, {
      code: "features",
      hint: "Give the folder that holds a feature file a slide, such as features_uni_v2",
      context: { folder, found, expected },
    });
  const entry = disk.look(folder);
  if (entry?.kind !== "folder") throw refuse(entry ? "it is a file" : "there is no such folder", "a folder");
  const root = folder.replace(/[/\\]+$/, "");
  const files = new Map<string, string>();
  for (const name of entry.names) {
    const ending = ENDINGS.find((ending) => name.toLowerCase().endsWith(ending));
    if (ending === undefined || name.startsWith(".") || disk.look(`${root}/${name}`)?.kind !== "file") continue;
    // Coordinates of plain features lie beside them.
    const whose = name.replace(/_coords(?=\.npy$)/i, "");
    if (whose !== name && entry.names.includes(whose)) continue;
    const slide = name.slice(0, -ending.length);
    if (files.has(slide)) {
      throw refuse(`slide ${slide} has ${files.get(slide)!.slice(root.length + 1)} and ${name}`, "one file");
    }
    files.set(slide, `${root}/${name}`);
  }
  if (files.size > 0) return files;
  const inner = INNER.find((name) => entry.names.includes(name));
  if (inner !== undefined) return findFeatureFiles(disk, `${root}/${inner}`);
  throw refuse("it holds no feature file", `files that end in ${ENDINGS.join(", ")}`);
}

/**
 * Feature files of several folders by slide.
 *
 * @param act What cannot be done with a slide that two of them have, for its error.
 * @throws {DataError} As {@linkcode findFeatureFiles}, and if two folders have a slide.
 */
export function featureFilesOf(
  disk: Pick<Disk, "look">,
  folders: readonly string[],
  act = "find features of",
): Map<string, string> {
  const files = new Map<string, string>();
  for (const folder of folders) {
    for (const [slide, path] of findFeatureFiles(disk, folder)) {
      const other = files.get(slide);
      if (other !== undefined && other !== path) {
        throw new DataError(`Cannot ${act} slide ${slide}: ${other} and ${path}, expected one file`, {
          code: "features",
          hint: "Give folders that share no slide",
          context: { slide, files: [other, path] },
        });
      }
      files.set(slide, path);
    }
  }
  return files;
}
