/**
 * Reads the files of `tests/python/jpeg_random.py --out DIR` and compares the pixels with Pillow's, file by file.
 *
 *     deno run -A scripts/jpeg_random.ts DIR
 *
 * @module
 */

import { FormatError } from "../src/core/errors.ts";
import { decodeImage } from "../src/io/image/image.ts";
import { Sha256 } from "../src/host/zlib.ts";

/** Mode and SHA-256 of the pixels of one file, or null where it is refused. */
export type Read = readonly [mode: string, sha256: string] | null;

/** Each file of a folder: its name, what Pillow reads in it and what is read here. */
export function* compared(folder: URL): Generator<{ name: string; pillow: Read; ours: Read; why: string }> {
  const expected = JSON.parse(Deno.readTextFileSync(new URL("expected.json", folder))) as Record<string, Read>;
  for (const [name, pillow] of Object.entries(expected)) {
    try {
      const { mode, data } = decodeImage(Deno.readFileSync(new URL(name, folder)), name);
      yield { name, pillow, ours: [mode, new Sha256().update(data).hex()], why: "" };
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      yield { name, pillow, ours: null, why: error.message };
    }
  }
}

if (import.meta.main) {
  const folder = new URL(`file://${Deno.realPathSync(Deno.args[0] ?? ".")}/`);
  let [equal, other] = [0, 0];
  for (const { name, pillow, ours, why } of compared(folder)) {
    if (String(pillow) === String(ours)) equal++;
    else {
      other++;
      console.log(`${name}: Pillow ${pillow ?? "refuses"}, here ${ours ?? why}`);
    }
  }
  console.log(`${equal} files equal, ${other} not`);
  if (other > 0) Deno.exit(1);
}
