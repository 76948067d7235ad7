/** Transcripts pooled to squares, where some lie far off. */

import assert from "node:assert/strict";
import { poolTranscripts } from "../../src/data/convert/xenium.ts";
import { toDense } from "../../src/io/sparse.ts";
import type { TranscriptFile } from "../../src/io/xenium.ts";
import { readHeAlignment } from "../../src/io/xenium_alignment.ts";

function transcripts(x: number[], y: number[], names: string[], quality: number[]): TranscriptFile {
  const all = { from: 0, x: Float64Array.from(x), y: Float64Array.from(y), quality: Float64Array.from(quality), names };
  async function* once() {
    yield await Promise.resolve(all);
  }
  return { name: "transcripts.parquet", rows: x.length, places: once, read: once };
}

function pool(file: TranscriptFile) {
  const input = { sample: "A", transcripts: file, panel: undefined, pixelSize: 1, quality: 20, side: 10 };
  const alignment = readHeAlignment("1,0,0\n0,1,0\n0,0,1\n", "alignment.csv");
  return poolTranscripts({ ...input, alignment, image: { width: 100, height: 100 } });
}

Deno.test("a transcript far off costs its square alone, which lies outside the image", async () => {
  const far = 1e7;
  const file = transcripts([1, 12, 13, 2, far], [1, 1, 2, 11, far], ["B", "A", "A", "B", "A"], [30, 30, 30, 19, 30]);
  const { barcodes, genes, counts, dropped, spatial } = await pool(file);
  assert.deepEqual([barcodes, genes], [["000x000", "000x001"], ["A", "B"]]);
  assert.deepEqual([...toDense(counts.read(0, 2), 2)], [0, 1, 2, 0]);
  assert.deepEqual({ ...dropped }, { outsideImage: 1, lowQuality: 1, controls: 0 });
  assert.deepEqual([...spatial], [6, 6, 16, 6]);
});

Deno.test("squares come by rows, whatever the order of the transcripts", async () => {
  const places = [[35, 25], [5, 25], [15, 5], [25, 15], [5, 5]] as const;
  const file = transcripts(places.map(([x]) => x), places.map(([, y]) => y), Array(5).fill("A"), Array(5).fill(40));
  assert.deepEqual((await pool(file)).barcodes, ["000x000", "000x001", "001x002", "002x000", "002x003"]);
});

Deno.test("a lattice whose squares cannot be numbered is refused", async () => {
  const file = transcripts([0, 1e30], [0, 1e30], ["A", "A"], [40, 40]);
  await assert.rejects(pool(file), { name: "LimitError", message: /squares of the lattice, at most 281474976710656/ });
});
