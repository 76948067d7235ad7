/**
 * What a run's data are: expression and coordinates as they were read, and the content of every patch file. A run goes on with
 * the same data only, and a patch file that is rewritten under it is noticed before anything is kept that counts on it.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import type { TrainingSet } from "../data/training_set.ts";
import { sha256Of } from "../io/checksum.ts";
import { hashOf } from "./encoder.ts";
import type { Progress } from "./progress.ts";

/** How a file looks without reading it. */
type Look = readonly [size: number, mtime: number, ctime: number, ino: number];

function lookAt(path: string): Look {
  const { size, mtime, ctime, ino } = Deno.statSync(path);
  return [size, mtime?.getTime() ?? 0, ctime?.getTime() ?? 0, ino ?? 0];
}

/** One patch file. */
interface PatchFile {
  readonly path: string;
  readonly sha256: string;
  look: Look;
}

/** The data of a run. */
export class DataMark {
  /** Changes when samples, pairs, counts, genes or pictures do: 64 hexadecimal digits. */
  readonly fingerprint: string;
  /** SHA-256 of the patch files, sample by sample. */
  readonly patches: readonly string[];
  readonly #files: readonly PatchFile[];

  private constructor(readonly set: Pick<TrainingSet, "fingerprint">, files: readonly PatchFile[]) {
    this.#files = files;
    this.patches = files.map(({ sha256 }) => sha256);
    this.fingerprint = sha256Of([set.fingerprint, ...this.patches].join("\n"));
  }

  /** Reads all patch files. */
  static async of(set: Pick<TrainingSet, "fingerprint" | "samples">, progress: Progress): Promise<DataMark> {
    const files: PatchFile[] = [];
    for (const { patches: { path } } of set.samples) {
      // Looked at first: a change while it is read is seen later.
      const look = lookAt(path);
      files.push({ path, look, sha256: await hashOf(path) });
      progress.update("checksums of patches", files.length, set.samples.length, "slides");
    }
    return new DataMark(set, files);
  }

  /** Whether a run of this fingerprint had these data; versions before looked at expression only. */
  agrees(fingerprint: string): boolean {
    return fingerprint === (fingerprint.length === 32 ? this.set.fingerprint : this.fingerprint);
  }

  /**
   * Makes sure that the patch files are what they were. Only those that look changed are read again.
   *
   * @throws {DataError} If one is not.
   */
  async check(): Promise<void> {
    for (const file of this.#files) {
      const { path, sha256 } = file;
      let found: string;
      try {
        const look = lookAt(path);
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
