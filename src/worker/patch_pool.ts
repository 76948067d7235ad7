/**
 * A pool of {@linkcode patch} workers.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { OPEN_FILES, patchCache, type PatchRequest, type PatchTable, type PatchTimes } from "../data/patch_reader.ts";
import {
  CACHE,
  openPatchSource,
  type PatchMaker,
  PatchQueue,
  type PatchSource,
  type SourceOptions,
} from "../data/patch_source.ts";
import { startThread, type Thread } from "../host/threads.ts";
import { disk } from "../io/fs.ts";
import { revived } from "./failure.ts";
import type { PatchAnswer, PatchQuestion } from "./patch.ts";

interface Made {
  readonly data: Uint8Array<ArrayBuffer>;
  readonly times: PatchTimes;
}

interface Waiting {
  readonly worker: number;
  readonly resolve: (made: Made) => void;
  readonly reject: (error: Error) => void;
}

/** Options of {@linkcode openPatchPool}. */
export interface PoolOptions extends SourceOptions {
  /** By default one less than the processors, at least one; 0 for this thread. */
  readonly workers?: number | undefined;
}

/**
 * Batches made in workers. How many there are, and which makes which batch, changes no byte.
 *
 * @param options `ahead` is by default one batch for each worker, at least 2.
 * @throws {ConfigError} If the number of workers is no natural one.
 */
export function openPatchPool(table: PatchTable, options: PoolOptions = {}): PatchSource {
  const { workers = Math.max(1, navigator.hardwareConcurrency - 1), cache = CACHE } = options;
  if (!Number.isSafeInteger(workers) || workers < 0) {
    throw new ConfigError(`Cannot start ${workers} workers: a whole number from 0 wanted`);
  }
  if (workers === 0) return openPatchSource(disk, table, options);
  return new PatchQueue(table.size, new Pool(table, workers, cache), options.ahead ?? Math.max(2, workers));
}

/** Fewest patches that are worth a message. */
const LEAST = 4;

/** A request in parts of neighbouring pairs, one a worker: a batch takes as long as its slowest part. */
function split({ pairs, variant }: PatchRequest, workers: number): PatchRequest[] {
  const parts = Math.max(1, Math.min(workers, Math.floor(pairs.length / LEAST)));
  return Array.from({ length: parts }, (_, part) => {
    const [from, to] = [part, part + 1].map((k) => Math.floor(pairs.length * k / parts)) as [number, number];
    if (variant === undefined) return { pairs: pairs.slice(from, to) };
    if (!("view" in variant) || typeof variant.view === "number") return { pairs: pairs.slice(from, to), variant };
    return { pairs: pairs.slice(from, to), variant: { ...variant, view: Array.from(variant.view).slice(from, to) } };
  });
}

class Pool implements PatchMaker {
  readonly #workers: Thread<PatchQuestion>[] = [];
  readonly #waiting: Map<number, Waiting> = new Map();
  /** Batches each worker has to make. */
  readonly #load: number[];
  #next = 0;
  #ended: Error | undefined;

  constructor(table: PatchTable, size: number, budget: number) {
    this.#load = new Array(size).fill(0);
    const cache = patchCache(table, budget, true);
    const files = Math.max(1, Math.floor(OPEN_FILES / size));
    for (let i = 0; i < size; i++) {
      const worker = startThread<PatchQuestion, PatchAnswer>(new URL("./patch.ts", import.meta.url), {
        answer: (answer) => this.#answer(answer),
        failure: (message) => this.#end(new Error(`Cannot make patches: a worker stopped (${message})`)),
      });
      worker.post({ table, cache, files });
      this.#workers.push(worker);
    }
  }

  async make(request: PatchRequest): Promise<Made> {
    const parts = split(request, this.#workers.length);
    if (parts.length === 1) return await this.#ask(request);
    const made = await Promise.all(parts.map((part) => this.#ask(part)));
    const data = new Uint8Array(made.reduce((sum, part) => sum + part.data.length, 0));
    const times = { read: 0, augment: 0, patches: 0, cached: 0 };
    let at = 0;
    for (const part of made) {
      data.set(part.data, at);
      at += part.data.length;
      for (const key of ["read", "augment", "patches", "cached"] as const) times[key] += part.times[key];
    }
    return { data, times };
  }

  #ask(request: PatchRequest): Promise<Made> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const id = this.#next++;
    const worker = this.#load.indexOf(Math.min(...this.#load));
    this.#load[worker]!++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { worker, resolve, reject });
      this.#workers[worker]!.post({ id, request });
    });
  }

  close(): void {
    this.#end(new Error("Cannot make patches: the pool was closed"));
  }

  #answer(answer: PatchAnswer): void {
    const waiting = this.#waiting.get(answer.id);
    if (waiting === undefined) return;
    this.#waiting.delete(answer.id);
    this.#load[waiting.worker]!--;
    if ("error" in answer) waiting.reject(revived(answer.error));
    else waiting.resolve(answer);
  }

  /** No worker goes on without the others: what is wrong with one is wrong with all. */
  #end(error: Error): void {
    this.#ended ??= error;
    for (const worker of this.#workers) worker.end();
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
