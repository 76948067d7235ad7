/**
 * Worker: reads and augments batches of patches, so that the thread of the GPU never does.
 *
 * @module
 */

import {
  type PatchCache,
  PatchReader,
  type PatchRequest,
  type PatchTable,
  type PatchTimes,
} from "../data/patch_reader.ts";
import { answering } from "../host/threads.ts";
import { disk } from "../io/fs.ts";
import { type Failure, failureOf } from "./failure.ts";

/** The worker's first message, then its requests. */
export type PatchQuestion =
  | { readonly table: PatchTable; readonly cache: PatchCache; readonly files: number }
  | { readonly id: number; readonly request: PatchRequest };

/** What it answers: the patches, their bytes moved and not copied, or why there are none. */
export type PatchAnswer =
  | { readonly id: number; readonly data: Uint8Array<ArrayBuffer>; readonly times: PatchTimes }
  | { readonly id: number; readonly error: Failure };

let reader: PatchReader | undefined;
/** Batches are made one after another: they share open files. */
let last: Promise<void> = Promise.resolve();

const scope = answering<PatchQuestion, PatchAnswer>((question) => {
  if ("table" in question) reader = new PatchReader(disk, question.table, question.cache, question.files);
  else last = last.then(() => answer(question.id, question.request));
});

async function answer(id: number, request: PatchRequest): Promise<void> {
  try {
    const { data, times } = await reader!.batch(request);
    scope.post({ id, data, times }, [data.buffer]);
  } catch (error) {
    scope.post({ id, error: failureOf(error) }, []);
  }
}
