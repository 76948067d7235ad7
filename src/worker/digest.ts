/**
 * Worker: checksums of large files, so that the thread of the GPU never waits for them.
 *
 * @module
 */

import { answering } from "../host/threads.ts";
import { type DigestPart, sha256OfParts } from "../io/checksum.ts";
import { disk } from "../io/fs.ts";
import { type Failure, failureOf } from "./failure.ts";

/** What the worker is asked: texts and files by path. */
export interface DigestRequest {
  readonly id: number;
  readonly parts: readonly DigestPart[];
}

/** What it answers: SHA-256 in lower-case hexadecimal, or why there is none. */
export type DigestAnswer = { readonly id: number; readonly sha256: string } | {
  readonly id: number;
  readonly error: Failure;
};

const scope = answering<DigestRequest, DigestAnswer>(({ id, parts }) => {
  try {
    scope.post({ id, sha256: sha256OfParts(disk, parts) }, []);
  } catch (error) {
    scope.post({ id, error: failureOf(error) }, []);
  }
});
