/**
 * Memory and time of reading a sample as large as Visium HD's: 1,000,000 spots by 500 genes, 5 % of them not zero.
 *
 *     deno run -A bench/large_sample.ts make FILE.h5ad [spots] [genes]
 *     deno run -A bench/large_sample.ts read FILE.h5ad
 *
 * On two shared cores: 25,000,000 entries, a file of 268 MB, 12 s, 714 MiB resident at most.
 *
 * `read` does what every command does with a sample's table: names, counts, places, and the look at every count.
 *
 * @module
 */

import { readSampleTable } from "../src/data/sample.ts";
import { disk } from "../src/io/fs.ts";
import { H5Writer } from "../src/io/hdf5/h5_write.ts";
import { H5ad } from "../src/io/hdf5/h5ad.ts";
import { writeH5ad } from "../src/io/hdf5/h5ad_write.ts";
import type { Matrix } from "../src/io/sparse.ts";

/** One in so many entries is not zero. */
const EVERY = 20;

/** Rows made when they are asked for: entries `EVERY` columns apart, shifted by the row. */
function striped(rows: number, columns: number): Matrix {
  const each = Math.floor(columns / EVERY);
  return {
    name: "striped",
    rows,
    columns,
    layout: "csr",
    stored: rows * each,
    read(from, to) {
      const indptr = Uint32Array.from({ length: to - from + 1 }, (_, i) => i * each);
      const count = (to - from) * each;
      const [indices, values] = [new Uint32Array(count), new Float32Array(count)];
      for (let k = 0; k < count; k++) {
        const row = from + Math.floor(k / each);
        indices[k] = (k % each) * EVERY + row % EVERY;
        values[k] = 1 + (row + k) % 7;
      }
      return { from, indptr, indices, values };
    },
  };
}

async function make(path: string, rows: number, columns: number): Promise<void> {
  const begin = await H5Writer.prepare();
  const side = Math.ceil(Math.sqrt(rows));
  const spatial = Float64Array.from(
    { length: 2 * rows },
    (_, k) => 100 * (k % 2 === 0 ? (k >> 1) % side : Math.floor((k >> 1) / side)),
  );
  disk.writeAnywhere(path, (file) => {
    const h5 = begin(file);
    writeH5ad(h5, {
      obs: { index: Array.from({ length: rows }, (_, i) => `spot${i}`) },
      var: { index: Array.from({ length: columns }, (_, j) => `GENE${j}`) },
      x: striped(rows, columns),
      obsm: { spatial: { shape: [rows, 2], values: spatial } },
    });
    h5.close();
  });
}

async function read(path: string): Promise<void> {
  const started = performance.now();
  using file = await H5ad.open(disk.open(path, "read"));
  const { counts } = readSampleTable("large", file);
  const { rows, columns, data } = counts.matrix;
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const peak = /VmHWM:\s*(\d+) kB/.exec(Deno.readTextFileSync("/proc/self/status"))?.[1];
  console.log(
    `${rows} x ${columns}, ${data.length} entries: ${seconds} s, at most ${
      Math.round(Number(peak) / 1024)
    } MiB resident`,
  );
}

const [what, path, rows = "1000000", columns = "500"] = Deno.args;
if (path === undefined || (what !== "make" && what !== "read")) {
  throw new Error("make FILE.h5ad | read FILE.h5ad is wanted");
}
if (what === "make") await make(path, Number(rows), Number(columns));
else await read(path);
