/**
 * Tables of anndata from HDF5 into zarr and back, whole: every matrix, column and value of `uns`.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import type { Reporter } from "../core/reporter.ts";
import { openAnndata } from "../io/anndata.ts";
import { disk, makeFolder } from "../io/fs.ts";
import { H5File } from "../io/hdf5/h5.ts";
import { H5Writer } from "../io/hdf5/h5_write.ts";
import { lockFile, lockFolder } from "../io/lock.ts";
import { checkFolder, isSame, parentOf, trimmed } from "../io/output.ts";
import { type CopyNotes, copyToHdf5, copyToZarr } from "../io/zarr/anndata_copy.ts";
import { ZarrFolder } from "../io/zarr/zarr.ts";
import { ZarrWriter } from "../io/zarr/zarr_write.ts";

/** What is copied. */
export interface AnndataRequest {
  /** A file `.h5ad`, or a folder of zarr. */
  readonly input: string;
  /** The other of both. */
  readonly output: string;
  readonly overwrite: boolean;
}

/** What was written. */
export interface WrittenAnndata extends CopyNotes {
  readonly out: string;
  readonly spots: number;
  readonly genes: number;
}

/**
 * Copies a table. What cannot be read is told before anything stands at the output's name.
 *
 * @throws {ConfigError} If input and output are of one kind, or the output is there.
 * @throws {DataError | FormatError} If the input is not there, no table of anndata, or damaged.
 */
export async function convertAnndata(request: AnndataRequest, reporter: Reporter): Promise<WrittenAnndata> {
  const [input, output] = [trimmed(request.input), trimmed(request.output)];
  const toZarr = /\.zarr$/i.test(output);
  const fromZarr = disk.look(input)?.kind === "folder";
  if (!toZarr && !/\.h5ad$/i.test(output) || toZarr === fromZarr) {
    throw new ConfigError(`Cannot write ${output} of ${input}: wanted IN.h5ad OUT.zarr, or IN.zarr OUT.h5ad`, {
      context: { input, output },
    });
  }
  checkFolder(toZarr ? output : parentOf(output), "OUT");
  if (isSame(input, output)) {
    throw new ConfigError(`Cannot write ${output}: it is the input`, { context: { given: output } });
  }
  checkOutput(output, request.overwrite);
  // Its names are read first: what is no table leaves nothing behind.
  const table = await openAnndata(disk, input, ["obs", "var"]);
  const size = { spots: table.obs.index.length, genes: table.var.index.length };
  table.close();
  const lock = toZarr ? lockFolder(output, "convert anndata") : lockFile(output, "convert anndata");
  try {
    const notes = toZarr ? await writeZarr(input, output) : await writeFile(input, output);
    for (const line of linesOf(notes)) reporter.warn(`${output}: ${line}`);
    return { out: output, ...size, ...notes };
  } finally {
    lock.release();
  }
}

function checkOutput(output: string, overwrite: boolean): void {
  const there = disk.look(output);
  if (there === undefined || (there.kind === "file" && overwrite)) return;
  // A lock may have made the folder.
  if (there.kind === "folder" && there.names.every((name) => name.endsWith(".lock"))) return;
  throw new ConfigError(`Cannot write ${output}: it exists`, {
    code: "output-exists",
    hint: there.kind === "file"
      ? "Pass --overwrite to replace it, or another OUT"
      : "Remove the folder, or pass another OUT: chunks of another table would stay between those of the new one",
    context: { path: output },
  });
}

async function writeFile(input: string, output: string): Promise<CopyNotes> {
  const begin = await H5Writer.prepare();
  let notes: CopyNotes | undefined;
  await disk.writeSlowly(output, async (file) => {
    const h5 = begin(file);
    try {
      notes = await copyToHdf5(new ZarrFolder(disk, input), h5);
    } finally {
      h5.close();
    }
  });
  return notes!;
}

async function writeZarr(input: string, output: string): Promise<CopyNotes> {
  const written: string[] = [];
  const made = new Set<string>();
  const zarr = new ZarrWriter(output, (path, bytes) => {
    const place = `${output}/${path}`;
    const folder = parentOf(place);
    if (!made.has(folder)) makeFolder(folder);
    made.add(folder);
    disk.write(place, bytes);
    written.push(place);
  });
  const file = await H5File.open(disk.open(input, "read"));
  try {
    const notes = copyToZarr(file, zarr);
    zarr.close();
    return notes;
  } catch (error) {
    for (const path of written) disk.remove(path);
    throw error;
  } finally {
    file.close();
  }
}

/** What is said of a copy that is not the same. */
function linesOf({ flags, missing, leftOut }: CopyNotes): string[] {
  const some = (names: readonly string[]) =>
    `${names.length} (${names.slice(0, 3).join(", ")}${names.length > 3 ? ", …" : ""})`;
  return [
    ...(flags.length > 0 ? [`flags are numbers 0 and 1: ${some(flags)}`] : []),
    ...(missing.length > 0 ? [`what may be missing is a number, or a category: ${some(missing)}`] : []),
    ...(leftOut.length > 0 ? [`left out, of a kind that is not copied: ${some(leftOut)}`] : []),
  ];
}
