/**
 * Slides of a run as files: stored features of a slide, read whole, or a file of its patches, of which only what it holds is read.
 *
 * @module
 */

import { DataError } from "../../core/errors.ts";
import { featureFacts } from "../../data/feature_facts.ts";
import { featuresIdentity } from "../../evidence/identity.ts";
import type { PatchTable } from "../../data/patch_reader.ts";
import type { Disk } from "../../io/disk.ts";
import { checkContent, openFeatures } from "../../io/features.ts";
import { openPatches } from "../../io/patches.ts";

/** Refuses features. */
export function featuresError(path: string, found: string, expected: string): DataError {
  return new DataError(`Cannot use features of ${path}: ${found}, expected ${expected}`, {
    code: "features",
    hint: "Embed that slide again with the encoder of the others",
    context: { file: path, found, expected },
  });
}

/** Reads the features of a slide. @throws {DataError} If there are none, or one is no finite number. */
export async function readFeatures(disk: Disk, path: string) {
  const file = await openFeatures(disk.open(path, "read"));
  try {
    const { count, dim } = file;
    if (count === 0) throw featuresError(path, "it has no rows", "at least one");
    const rows = Float32Array.from(await file.read());
    await checkContent(file, rows);
    const bad = rows.findIndex((value) => !Number.isFinite(value));
    if (bad < 0) return { count, dim, rows, madeBy: featuresIdentity(file.attributes), facts: featureFacts(file) };
    throw featuresError(path, `row ${Math.floor(bad / dim)}, column ${bad % dim} is ${rows[bad]}`, "a finite number");
  } finally {
    file.close();
  }
}

function patchesError(path: string, found: string, expected: string, hint: string): DataError {
  return new DataError(`Cannot use patches of ${path}: ${found}, expected ${expected}`, {
    code: "patches",
    hint,
    context: { file: path, found, expected },
  });
}

/**
 * Patch files of folders by slide; a folder in HEST's layout stands for its `patches`.
 *
 * @throws {DataError} If a folder has none, or two have one of a slide.
 */
export function patchFilesOf(disk: Pick<Disk, "look">, folders: readonly string[]): Map<string, string> {
  const files = new Map<string, string>();
  for (const given of folders) {
    const root = given.replace(/(?<=.)[/\\]+$/, "");
    const folder = disk.look(`${root}/patches`)?.kind === "folder" ? `${root}/patches` : root;
    const entry = disk.look(folder);
    const names = entry?.kind === "folder" ? entry.names.filter((name) => /^[^.].*\.h5$/i.test(name)) : [];
    if (names.length === 0) {
      const found = entry === undefined
        ? "there is no such folder"
        : entry.kind === "file"
        ? "it is a file"
        : "no .h5 in it";
      throw patchesError(folder, found, "a folder with a patch file a slide", "Name the folder that holds NAME.h5");
    }
    for (const name of names) {
      const [slide, path] = [name.slice(0, -3), `${folder}/${name}`];
      const other = files.get(slide);
      if (other !== undefined && other !== path) {
        throw patchesError(path, `slide ${slide} has ${other} too`, "one file", "Give folders that share no slide");
      }
      files.set(slide, path);
    }
  }
  return files;
}

/** What a patch file holds. */
export interface PatchFile {
  readonly count: number;
  /** Side of a patch, px. */
  readonly size: number;
}

/** Looks at a patch file. @throws {DataError} If its patches are not square, or there are none. */
export async function readPatchFile(disk: Disk, path: string): Promise<PatchFile> {
  const patches = await openPatches(disk.open(path, "read"));
  try {
    const { count, width, height } = patches;
    if (count > 0 && width === height) return { count, size: width };
    const found = count === 0 ? "it has no patches" : `patches of ${width} x ${height} px`;
    throw patchesError(path, found, "square patches", "Cut them again with convert patches");
  } finally {
    patches.close();
  }
}

/** Patches of all slides, numbered through. @throws {DataError} If files differ in the size of their patches. */
export function patchTableOf(files: readonly (PatchFile & { readonly path: string })[]): PatchTable {
  const [first] = files;
  const other = files.find(({ size }) => size !== first!.size);
  if (other) {
    throw patchesError(
      other.path,
      `patches of ${other.size} px`,
      `${first!.size} px as in ${first!.path}`,
      "Cut them to one size with convert patches",
    );
  }
  const total = files.reduce((sum, { count }) => sum + count, 0);
  const [file, row] = [new Uint32Array(total), new Uint32Array(total)];
  let at = 0;
  for (const [i, { count }] of files.entries()) {
    for (let r = 0; r < count; r++, at++) [file[at], row[at]] = [i, r];
  }
  return { files: files.map(({ path }) => path), file, row, size: first!.size };
}
