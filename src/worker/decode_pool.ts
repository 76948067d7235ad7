/**
 * A pool of {@linkcode decode} workers.
 *
 * @module
 */

import { startThread, type Thread } from "../host/threads.ts";
import type { ImageLimit } from "../io/image/rgb_image.ts";
import type { DecodeAnswer, DecodedRgb, DecodeRequest } from "./decode.ts";
import { revived } from "./failure.ts";

interface Waiting {
  readonly resolve: (image: DecodedRgb) => void;
  readonly reject: (error: Error) => void;
}

/** Decodes image files in workers; answers come in any order. */
export class DecodePool {
  readonly #workers: Thread<DecodeRequest>[] = [];
  readonly #waiting: Map<number, Waiting> = new Map();
  #next = 0;

  /** @param size Workers; by default one less than the processors, at least one. */
  constructor(size: number = Math.max(1, navigator.hardwareConcurrency - 1)) {
    for (let i = 0; i < size; i++) {
      const worker = startThread<DecodeRequest, DecodeAnswer>(new URL("./decode.ts", import.meta.url), {
        answer: (answer) => this.#answer(answer),
        failure: (message) => this.#failAll(new Error(`Cannot decode: the worker stopped (${message})`)),
      });
      this.#workers.push(worker);
    }
  }

  #answer(answer: DecodeAnswer): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if (!waiting) return;
    if (!("error" in answer)) return waiting.resolve(answer);
    waiting.reject(revived(answer.error));
  }

  #failAll(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }

  /**
   * Reads and decodes a file.
   *
   * @param limit How large the image may be; by default as large as any that is decoded whole.
   * @throws {FormatError} If it is damaged or of another format.
   * @throws {DataError} If it cannot be read.
   */
  decode(path: string, limit?: ImageLimit): Promise<DecodedRgb> {
    const id = this.#next++;
    const request: DecodeRequest = { id, path, limit };
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#workers[id % this.#workers.length]!.post(request);
    });
  }

  /** Ends the workers. */
  close(): void {
    for (const worker of this.#workers) worker.end();
    this.#failAll(new Error("Cannot decode: the pool was closed"));
  }
}
