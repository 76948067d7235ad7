/**
 * Worker: reads and decodes picture files, so that the thread of the GPU never does.
 *
 * @module
 */

import { checkFileSize, decodeImage } from "../io/image/image.ts";
import type { DecodedImage } from "../io/image/raster.ts";
import type { PictureLimit } from "../io/image/picture.ts";

/** What the worker is asked: a file by path. */
export interface DecodeRequest {
  readonly id: number;
  readonly path: string;
  /** How large the picture may be. */
  readonly limit: PictureLimit | undefined;
}

/** A picture, and how EXIF says that it is still to be turned. */
export type DecodedPicture = Omit<DecodedImage, "mode">;

/** What it answers: the picture, its bytes moved and not copied, or why there is none. */
export type DecodeAnswer =
  | (DecodedPicture & { readonly id: number })
  | {
    readonly id: number;
    readonly error: { name: string; message: string; code?: string; hint?: string | undefined };
  };

const scope = self as unknown as {
  onmessage: (event: MessageEvent<DecodeRequest>) => void;
  postMessage: (answer: DecodeAnswer, transfer: Transferable[]) => void;
};

scope.onmessage = ({ data: { id, path, limit } }) => {
  try {
    checkFileSize(path, Deno.statSync(path).size, limit);
    const { width, height, data, orientation } = decodeImage(Deno.readFileSync(path), path, limit);
    const own = data.byteLength === data.buffer.byteLength ? data : data.slice();
    scope.postMessage({ id, width, height, orientation, data: own }, [own.buffer]);
  } catch (error) {
    const { name, message, code, hint } = error as Error & { code?: string; hint?: string };
    scope.postMessage({ id, error: { name, message, ...(code !== undefined && { code }), hint } }, []);
  }
};
