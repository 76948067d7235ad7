/**
 * Worker: reads and decodes picture files, so that the thread of the GPU never does.
 *
 * @module
 */

import { decodeImage } from "../io/image.ts";

/** What the worker is asked: a file by path. */
export interface DecodeRequest {
  readonly id: number;
  readonly path: string;
}

/** What it answers: the picture, its bytes moved and not copied, or why there is none. */
export type DecodeAnswer =
  | { readonly id: number; readonly width: number; readonly height: number; readonly data: Uint8Array<ArrayBuffer> }
  | {
    readonly id: number;
    readonly error: { name: string; message: string; code?: string; hint?: string | undefined };
  };

const scope = self as unknown as {
  onmessage: (event: MessageEvent<DecodeRequest>) => void;
  postMessage: (answer: DecodeAnswer, transfer: Transferable[]) => void;
};

scope.onmessage = ({ data: { id, path } }) => {
  try {
    const { width, height, data } = decodeImage(Deno.readFileSync(path), path);
    const own = data.byteLength === data.buffer.byteLength ? data : data.slice();
    scope.postMessage({ id, width, height, data: own }, [own.buffer]);
  } catch (error) {
    const { name, message, code, hint } = error as Error & { code?: string; hint?: string };
    scope.postMessage({ id, error: { name, message, ...(code !== undefined && { code }), hint } }, []);
  }
};
