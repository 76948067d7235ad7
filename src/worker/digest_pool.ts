/**
 * Checksums of files, of large ones by {@linkcode digest} workers while this thread goes on.
 *
 * @module
 */

import { startThread, type Thread } from "../host/threads.ts";
import { type DigestPart, sha256OfParts } from "../io/checksum.ts";
import { disk, fileLook } from "../io/fs.ts";
import type { DigestAnswer, DigestRequest } from "./digest.ts";
import { revived } from "./failure.ts";

/** Bytes from which on starting a worker is worth it: a tenth of a second of hashing. */
const LARGE = 64 << 20;

interface Waiting {
  readonly parts: readonly DigestPart[];
  readonly resolve: (sha256: string) => void;
  readonly reject: (error: Error) => void;
}

/** Workers for as long as something waits: none outlives the last answer, so none keeps a process alive. */
class DigestPool {
  readonly #size = Math.max(1, navigator.hardwareConcurrency - 1);
  readonly #queue: Waiting[] = [];
  #workers = 0;

  ask(parts: readonly DigestPart[]): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ parts, resolve, reject });
      if (this.#workers < this.#size) this.#start();
    });
  }

  #start(): void {
    this.#workers++;
    let asked: Waiting | undefined;
    const worker: Thread<DigestRequest> = startThread<DigestRequest, DigestAnswer>(
      new URL("./digest.ts", import.meta.url),
      {
        answer(answer) {
          if ("error" in answer) asked?.reject(revived(answer.error));
          else asked?.resolve(answer.sha256);
          next();
        },
        failure: (message) => {
          asked?.reject(new Error(`Cannot compute a checksum: the worker stopped (${message})`));
          next(true);
        },
      },
    );
    const next = (stopped = false): void => {
      asked = stopped ? undefined : this.#queue.shift();
      if (asked !== undefined) return worker.post({ id: 0, parts: asked.parts });
      worker.end();
      this.#workers--;
      if (this.#queue.length > 0) this.#start();
    };
    next();
  }
}

const pool = new DigestPool();

/** Digests that were begun before they were asked for, by parts and how their files looked. */
const begun: Map<string, Promise<string>> = new Map();

function keyOf(parts: readonly DigestPart[]): { key: string; bytes: number } {
  let bytes = 0;
  const looks = parts.map((part) => {
    const look = typeof part === "string" ? [part.length] : fileLook(part.path);
    bytes += look[0]!;
    return [part, look];
  });
  return { key: JSON.stringify(looks), bytes };
}

/**
 * SHA-256 of texts and files one behind the other, in lower-case hexadecimal.
 *
 * @throws {DataError} If a file is not there or cannot be read.
 */
export async function digestOf(parts: readonly DigestPart[]): Promise<string> {
  const { key, bytes } = keyOf(parts);
  if (bytes < LARGE) return sha256OfParts(disk, parts);
  const digest = begun.get(key) ?? pool.ask(parts);
  begun.delete(key);
  return await digest;
}

/** Begins what {@linkcode digestOf} will be asked for, where it takes long; what is wrong with a file is told then. */
export function digestAhead(parts: readonly DigestPart[]): void {
  let wanted: ReturnType<typeof keyOf>;
  try {
    wanted = keyOf(parts);
  } catch {
    return;
  }
  if (wanted.bytes < LARGE || begun.has(wanted.key)) return;
  const digest = pool.ask(parts);
  digest.catch(() => {});
  begun.set(wanted.key, digest);
}
