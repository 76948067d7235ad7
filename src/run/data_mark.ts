/**
 * What a run's data are: expression and coordinates as they were read, and the content of every patch file. A run goes on with
 * the same data only, and a file that is rewritten under it is noticed before anything is kept that counts on it.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import type { TrainingSet } from "../data/training_set.ts";
import { sha256Of } from "../io/checksum.ts";
import { type FileLook, fileLook } from "../io/fs.ts";
import { filesBelow } from "./content_hash.ts";
import { hashOf } from "./encoder.ts";
import type { Reporter } from "../core/reporter.ts";
import type { ListedFiles } from "../train/host.ts";

/** A file that is read again while the run goes on. */
interface InputFile {
  readonly path: string;
  readonly sha256: string;
  look: FileLook;
}

async function inputFile(path: string): Promise<InputFile> {
  // Looked at first: a change while it is read is seen later.
  const look = fileLook(path);
  return { path, look, sha256: await hashOf(path) };
}

/** Files in the order given, read side by side where there are processors for it. */
async function inputFiles(paths: readonly string[], progress?: Reporter): Promise<InputFile[]> {
  let done = 0;
  return await Promise.all(paths.map(async (path) => {
    const file = await inputFile(path);
    progress?.update("checksums of the data", ++done, paths.length, "slides");
    return file;
  }));
}

/** The data of a run. */
export class DataMark {
  /** Changes when samples, pairs, counts, genes or images do: 64 hexadecimal digits. */
  readonly fingerprint: string;
  /** SHA-256 of the patch files, sample by sample. */
  readonly patches: readonly string[];
  readonly #files: readonly InputFile[];

  private constructor(
    readonly set: Pick<TrainingSet, "fingerprint">,
    patches: readonly InputFile[],
    others: readonly InputFile[],
  ) {
    this.#files = [...patches, ...others];
    this.patches = patches.map(({ sha256 }) => sha256);
    this.fingerprint = sha256Of([set.fingerprint, ...this.patches].join("\n"));
  }

  /** Reads all patch files, and those of expression, of which the evidence reads counts again. */
  static async of(set: Pick<TrainingSet, "fingerprint" | "samples">, progress: Reporter): Promise<DataMark> {
    const [patches, others] = await Promise.all([
      inputFiles(set.samples.map(({ patches }) => patches.path), progress),
      inputFiles(set.samples.flatMap(({ files }) => filesBelow(files.expression))),
    ]);
    return new DataMark(set, patches, others);
  }

  /** Reads files that are data by themselves. */
  static async ofFiles(paths: readonly string[], progress: Reporter): Promise<DataMark & ListedFiles> {
    const mark = new DataMark({ fingerprint: "" }, await inputFiles(paths, progress), []);
    return Object.assign(mark, { sha256: mark.patches });
  }

  /** Whether a run of this fingerprint had these data; earlier versions looked at expression only. */
  agrees(fingerprint: string): boolean {
    return fingerprint === (fingerprint.length === 32 ? this.set.fingerprint : this.fingerprint);
  }

  /**
   * Makes sure that the files are what they were. Only those that look changed are read again.
   *
   * @throws {DataError} If one is not.
   */
  async check(): Promise<void> {
    for (const file of this.#files) {
      const { path, sha256 } = file;
      let found: string;
      try {
        const look = fileLook(path);
        if (look.every((value, i) => value === file.look[i])) continue;
        found = await hashOf(path);
        file.look = look;
      } catch (cause) {
        throw changed(path, (cause as Error).message, cause);
      }
      if (found !== sha256) {
        throw changed(path, `its SHA-256 is ${found.slice(0, 12)}…, ${sha256.slice(0, 12)}… before`);
      }
    }
  }
}

function changed(path: string, found: string, cause?: unknown): DataError {
  return new DataError(`Cannot go on training: ${path} changed while it was in use (${found})`, {
    code: "data-changed",
    hint: "Bring the file back and give the same command again, or begin anew with --overwrite",
    context: { file: path },
    cause,
  });
}
