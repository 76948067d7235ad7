/**
 * What a training run needs of its host: the command line hands in Deno's, others their own.
 *
 * @module
 */

import type { Reporter } from "../core/reporter.ts";
import type { PatchTable } from "../data/patch_reader.ts";
import type { PatchSource } from "../data/patch_source.ts";
import type { TrainingSet } from "../data/training_set.ts";
import type { Gpu } from "../gpu/device.ts";
import type { Disk } from "../io/disk.ts";
import type { RandomAccess } from "../io/random_access.ts";
import type { EncoderRequest, OpenedEncoder } from "../models/opened_encoder.ts";

/** The content of files that a run reads, noticed when it changes. */
export interface FilesMark {
  /** Changes when the content does: 64 hexadecimal digits. */
  readonly fingerprint: string;
  /** Makes sure that the files are what they were. @throws {DataError} If one is not. */
  check(): Promise<void>;
}

/** The content of files by themselves. */
export interface ListedFiles extends FilesMark {
  /** SHA-256 of each, in the order given. */
  readonly sha256: readonly string[];
}

/** The content of a run's samples; the fingerprint changes when samples, pairs, counts, genes or images do. */
export interface DataMark extends FilesMark {
  /** SHA-256 of the patch files, sample by sample. */
  readonly patches: readonly string[];
  /** Whether a run of this fingerprint had these data. */
  agrees(fingerprint: string): boolean;
}

/** The host. */
export interface Host {
  readonly disk: Disk;
  readonly reporter: Reporter;
  /** Stops what takes long. */
  readonly signal?: AbortSignal | undefined;
  /** Opens a file by range. */
  openFile(path: string): Promise<RandomAccess>;
  /** Refuses an encoder, or an adapter on it, as far as can be told before a device is open. */
  checkEncoder(name: string, adapter?: string): Promise<unknown>;
  /** Refuses a folder that cannot be written to. @param key What named it. */
  checkFolder(path: string, key?: string): void;
  /** Opens an encoder by name, folder or file. */
  openEncoder(gpu: Gpu, request: EncoderRequest): Promise<OpenedEncoder>;
  /** Opens what reads and decodes patches. */
  openPatches(table: PatchTable, workers: number | undefined): PatchSource;
  /** Reads the content of the data's files. */
  markData(set: TrainingSet): Promise<DataMark>;
  /** Reads the content of other files. */
  markFiles(paths: readonly string[]): Promise<ListedFiles>;
  /** Compares a file that belongs to another run's checkpoint with that run's checksums. */
  checkFile(path: string): void;
  /** Makes a folder and those above it. */
  makeFolder(path: string): void;
  /** Locks a file for this process. */
  lock(path: string): { release(): void };
}
