/**
 * Worker: reads and decodes image files, so that the thread of the GPU never does.
 *
 * @module
 */

import { answering } from "../host/threads.ts";
import { fileLook, readFile } from "../io/fs.ts";
import { checkFileSize, decodeImage } from "../io/image/image.ts";
import type { DecodedImage } from "../io/image/raster.ts";
import type { ImageLimit } from "../io/image/rgb_image.ts";
import { type Failure, failureOf } from "./failure.ts";

/** What the worker is asked: a file by path. */
export interface DecodeRequest {
  readonly id: number;
  readonly path: string;
  /** How large the image may be. */
  readonly limit: ImageLimit | undefined;
}

/** An image, and how EXIF says that it is still to be turned. */
export type DecodedRgb = Omit<DecodedImage, "mode">;

/** What it answers: the image, its bytes moved and not copied, or why there is none. */
export type DecodeAnswer =
  | (DecodedRgb & { readonly id: number })
  | { readonly id: number; readonly error: Failure };

const scope = answering<DecodeRequest, DecodeAnswer>(({ id, path, limit }) => {
  try {
    checkFileSize(path, fileLook(path)[0], limit);
    const { width, height, data, orientation } = decodeImage(readFile(path), path, limit);
    const own = data.byteLength === data.buffer.byteLength ? data : data.slice();
    scope.post({ id, width, height, orientation, data: own }, [own.buffer]);
  } catch (error) {
    scope.post({ id, error: failureOf(error) }, []);
  }
});
