import assert from "node:assert/strict";
import { DataError, FormatError, LimitError } from "../../src/core/errors.ts";
import { Rng } from "../../src/core/rng.ts";
import { disk } from "../../src/io/fs.ts";
import { type H5Storage, MemoryStorage } from "../../src/io/hdf5/h5_library.ts";
import { H5Writer } from "../../src/io/hdf5/h5_write.ts";
import { H5ad } from "../../src/io/hdf5/h5ad.ts";
import { writeH5ad } from "../../src/io/hdf5/h5ad_write.ts";
import type { UnsArray, UnsTree } from "../../src/io/hdf5/h5ad_uns.ts";
import { blocks, Entries, type Matrix, mergeNames, toDense } from "../../src/io/sparse.ts";
import { mutate } from "./mutate.ts";

const path = (name: string) => new URL(`../fixtures/spatial/${name}`, import.meta.url).pathname;
const open = (name: string) => H5ad.open(disk.open(path(name), "read"));
const expected = JSON.parse(Deno.readTextFileSync(path("expected.json"))) as {
  x: number[][];
  barcodes: string[];
  genes: string[];
  total: number[];
};

function all(matrix: Matrix): number[][] {
  const out: number[][] = [];
  for (const block of blocks(matrix, 7)) {
    const dense = toDense(block, matrix.columns);
    for (let i = 0; i + 1 < block.indptr.length; i++) {
      out.push([...dense.subarray(i * matrix.columns, (i + 1) * matrix.columns)]);
    }
  }
  return out;
}

const FILES = ["csr", "csc_gzip", "dense_u2", "dense_gzip", "lzf", "anndata07", "anndata06"];

for (const name of FILES) {
  Deno.test(`H5ad reads ${name}.h5ad: matrix by blocks and by any rows, names, columns, places`, async () => {
    using file = await open(`${name}.h5ad`);
    const columns = file.var.index.length;
    const want = expected.x.map((row) => row.slice(0, columns));
    assert.deepEqual(all(file.x), want);
    for (const [from, to] of [[0, 7], [6, 7], [2, 5], [3, 4], [3, 3]] as const) {
      assert.deepEqual([...toDense(file.x.read(from, to), columns)], want.slice(from, to).flat(), `${from} ${to}`);
    }
    assert.deepEqual(file.obs.index, expected.barcodes);
    assert.deepEqual(file.var.index, expected.genes.slice(0, columns));
    assert.deepEqual([...file.obs.numbers("array_col")!], [0, 2, 4, 0, 2, 4, 0]);
    assert.deepEqual([...file.obs.numbers("total")!], expected.total);
    assert.deepEqual(file.obs.flags("flag"), [true, false, true, true, false, false, true]);
    assert.deepEqual(file.obs.flags("in_tissue"), [true, false, true, true, true, false, true]);
    const old = name === "anndata06" || name === "anndata07";
    assert.deepEqual(file.obs.strings("region"), old ? [..."abaacba"] : ["a", "b", undefined, "a", "ü", "b", "a"]);
    assert.deepEqual([...file.obs.numbers("grade")!], [3, 1, 2, 3, 1, 2, 3]);
    if (!old) {
      assert.deepEqual(file.obs.column("grade"), {
        kind: "category",
        codes: Int32Array.of(2, 0, 1, 2, 0, 1, 2),
        categories: ["1", "2", "3"],
        ordered: true,
      });
      assert.deepEqual([...file.obs.numbers("maybe_int")!], [1, NaN, 3, 4, 5, NaN, 7]);
      assert.deepEqual(file.obs.flags("maybe_flag"), [true, undefined, false, true, true, undefined, false]);
      assert.deepEqual(file.obs.strings("maybe_text"), ["x", undefined, "yy", "é", "", undefined, "z"]);
      assert.deepEqual(file.obs.strings("text")![6], "spot 6");
    }
    assert.deepEqual(file.obs.column("nothing"), undefined);
    assert.equal(file.var.strings("gene_ids")![1], "ENSG00000000001");
    assert.deepEqual([...file.spatial().slice(2, 4)], [110.5, 97]);
    if (old) {
      assert.deepEqual(all(file.raw!.x), expected.x);
      assert.equal(file.uns()["title"], "old");
    }
  });
}

Deno.test("H5ad reads layers, raw, obsm of any kind and uns", async () => {
  using file = await open("csr.h5ad");
  const four = expected.x.map((row) => row.slice(0, 4));
  assert.deepEqual(file.layers, ["csc", "log1p"]);
  assert.deepEqual([file.layer("csc")!.layout, all(file.layer("csc")!)], ["csc", four]);
  assert.deepEqual(all(file.layer("log1p")!), four.map((row) => row.map((v) => Math.fround(Math.log1p(v)))));
  assert.equal(file.layer("nothing"), undefined);
  assert.deepEqual([file.raw!.var.index, all(file.raw!.x)], [expected.genes, expected.x]);
  assert.deepEqual(file.obsm, ["frame", "sparse", "spatial"]);
  assert.deepEqual([...file.points("frame")!.values.slice(0, 4)], [0, 0, 0.25, 1]);
  assert.deepEqual([file.points("sparse")!.columns, ...file.points("sparse")!.values.slice(0, 5)], [3, 1, 0, 0, 0, 1]);
  const uns = file.uns();
  assert.deepEqual([uns["name"], uns["n"], uns["yes"], uns["none"] ?? null], ["TENX1", 3, true, null]);
  assert.deepEqual([(uns["one"] as UnsArray).read(), (uns["list"] as UnsArray).shape], [["a"], [2]]);
  const st = (uns["spatial"] as UnsTree)["ST"] as UnsTree;
  assert.deepEqual({ ...st["scalefactors"] as UnsTree }, {
    spot_diameter_fullres: 110.5,
    tissue_downscaled_fullres_scalef: 0.25,
  });
  const image = (st["images"] as UnsTree)["downscaled_fullres"] as UnsArray;
  assert.deepEqual([image.shape, image.dtype, image.read().length], [[4, 3, 3], "u1", 36]);
});

Deno.test("H5ad reads what no library writes: repeats, disorder, h5sparse, names without encoding", async () => {
  using file = await open("handmade.h5ad");
  const { indices } = file.x.read(0, 1);
  assert.deepEqual([...indices], [...indices].sort((a, b) => a - b));
  assert.deepEqual(all(file.x), expected.x);
  assert.deepEqual(file.obs.index, expected.barcodes);
  assert.deepEqual(file.obs.flags("in_tissue"), [true, false, true, true, true, false, true]);
  assert.deepEqual(file.obs.flags("in_tissue_text"), [true, false, true, false, true, undefined, true]);
  assert.deepEqual(file.var.columns, []);
  assert.deepEqual([...file.spatial().slice(0, 3)], [0, 1, 2]);
  assert.equal(file.uns()["title"], "old");
});

Deno.test("H5ad names an unknown encoding only when that column is needed", async () => {
  using file = await open("handmade.h5ad");
  assert.ok(file.obs.columns.includes("strange"));
  assert.throws(
    () => file.obs.column("strange"),
    /handmade\.h5ad:\/obs\/strange: encoding quantum 9\.0\.0, expected one of anndata/,
  );
  assert.throws(() => file.obs.column("short"), /:\/obs\/short: 6 values, expected 7, one a row/);
});

Deno.test("genes of the same name are summed, and a selection keeps others out", async () => {
  using file = await open("handmade.h5ad");
  const merged = mergeNames(file.var.index);
  assert.deepEqual([merged.names, merged.repeated], [["A", "B", "C"], ["A", "B"]]);
  const got = toDense(file.x.read(0, 7), merged);
  assert.deepEqual([...got], expected.x.flatMap(([a, b, c, d, e]) => [a! + c!, b! + e!, d!]));
  const one = toDense(file.x.read(0, 7), { map: Int32Array.of(-1, -1, -1, 0, -1), width: 1 });
  assert.deepEqual([...one], expected.x.map((row) => row[3]));
});

Deno.test("H5ad refuses compression it lacks, before it reads, and says how to mend it", async () => {
  using file = await open("foreign.h5ad");
  for (const name of ["zstd", "blosc", "bitshuffle", "lz4"]) {
    for (const [layer, path] of [[name, `layers/${name}`], [`csr_${name}`, `layers/csr_${name}/data`]] as const) {
      assert.throws(() => file.layer(layer), (error: FormatError) => {
        assert.match(
          error.message,
          new RegExp(`foreign\\.h5ad:/${path}: compression ${name} \\(filter 32\\d+\\), expected gzip, lzf or none$`),
        );
        return error instanceof FormatError &&
          /hdf5plugin.*write_h5ad\('OUT\.h5ad', compression='gzip'\)/.test(error.hint!);
      });
    }
  }
});

Deno.test("H5ad reads a table of counts alike in every type, byte order, layout and compression", async () => {
  using file = await open("variants.h5ad");
  const wanted = [...toDense(file.x.read(0, 7), 5)];
  assert.deepEqual(
    wanted,
    Array.from({ length: 35 }, (_, k) => {
      const [i, j] = [Math.floor(k / 5), k % 5];
      return (3 * i + 5 * j + i * j) % 4;
    }),
  );
  assert.equal(file.layers.length, 62);
  for (const name of file.layers) {
    const layer = file.layer(name)!;
    assert.deepEqual([...toDense(layer.read(0, 7), 5)], wanted, name);
    assert.deepEqual([...toDense(layer.read(2, 4), 5)], wanted.slice(10, 20), name);
  }
  const { obs } = file;
  assert.deepEqual(obs.strings("category"), ["b", "a", undefined, "a", "b", "c", "a"]);
  assert.deepEqual(obs.flags("maybe_flag"), [true, undefined, false, true, undefined, false, true]);
  assert.deepEqual([...obs.numbers("maybe_int")!], [1, NaN, 3, 4, 5, NaN, 7]);
  assert.deepEqual([...obs.numbers("wide")!], [0, 1, 2, 3, 4, 5, 6].map((i) => 2 ** 40 + i));
  assert.deepEqual([...obs.numbers("half")!, ...obs.numbers("big")!].slice(5, 9), [2.5, 3, 0, 0.25]);
  assert.deepEqual(obs.strings("text"), ["é", "", "x y", 'a"b', "c,d", "e\tf", "g"]);
  assert.deepEqual(obs.strings("fixed"), [0, 1, 2, 3, 4, 5, 6].map((i) => `s${i}`));
});

/** A file with one fault. */
async function faulty(change: (h5: H5Writer) => void, shape = [2, 3]): Promise<MemoryStorage> {
  const sink = new MemoryStorage("bad.h5ad");
  const h5 = await H5Writer.create(sink);
  for (const [path, names] of [["/obs", ["s", "t"]], ["/var", ["g", "h", "i"]]] as const) {
    h5.group(path);
    h5.attribute(path, "_index", "_index");
    h5.strings(`${path}/_index`, names);
  }
  h5.group("/X");
  h5.attribute("/X", "encoding-type", "csr_matrix");
  h5.attribute("/X", "encoding-version", "0.1.0");
  h5.attribute("/X", "shape", shape);
  change(h5);
  h5.close();
  return new MemoryStorage("bad.h5ad", sink.content());
}

const parts = (data: number[], indices: number[], indptr: number[]) => (h5: H5Writer) => {
  h5.dataset("/X/data", "f4", [data.length], Float32Array.from(data));
  h5.dataset("/X/indices", "i4", [indices.length], Int32Array.from(indices));
  h5.dataset("/X/indptr", "i4", [indptr.length], Int32Array.from(indptr));
};

Deno.test("H5ad checks a sparse matrix before it uses it", async () => {
  const cases: [(h5: H5Writer) => void, number[], RegExp][] = [
    [parts([1], [0], [0, 1, 1]), [3, 3], /bad\.h5ad:\/X: shape 3x3, expected 2x3, as obs and var say/],
    [parts([1], [0], [0, 1]), [2, 3], /:\/X\/indptr: 2 pointers, expected 3/],
    [parts([1], [0], [1, 1, 1]), [2, 3], /:\/X\/indptr: 1 at the start, expected 0/],
    [parts([1, 2], [0, 1], [0, 2, 1]), [2, 3], /:\/X\/indptr: 1 after 2 at 2, expected ascending/],
    [parts([1, 2], [0, 1], [0, 1, 1]), [2, 3], /:\/X\/indptr: 1 at the end, expected 2, as there are data/],
    [parts([1, 2], [0], [0, 1, 2]), [2, 3], /:\/X\/indices: 1 indices, expected 2/],
    [parts([1, 2], [0, 3], [0, 1, 2]), [2, 3], /:\/X\/indices: 3 at 1, expected 0 to 2/],
    [
      parts(new Array(13).fill(1), new Array(13).fill(0), [0, 6, 13]),
      [2, 3],
      /:\/X\/data: 13 entries, expected at most 12, which/,
    ],
    [
      parts(new Array(8).fill(1), new Array(8).fill(0), [0, 1, 8]),
      [2, 3],
      /:\/X\/indptr: 7 entries at 1, expected at most 6/,
    ],
    [parts([1, 2], [0, -1], [0, 1, 2]), [2, 3], /:\/X\/indices: -1 at 1, expected 0 to 2/],
  ];
  for (const [change, shape, pattern] of cases) {
    using file = await H5ad.open(await faulty(change, shape));
    assert.throws(
      () => file.x.read(0, 2),
      (error: FormatError) => error instanceof FormatError && pattern.test(error.message),
      String(pattern),
    );
  }
});

Deno.test("H5ad says what a file without X has instead, and what stands where HDF5 is missing", async () => {
  const sink = new MemoryStorage("no_x.h5ad");
  const h5 = await H5Writer.create(sink);
  for (const path of ["/obs", "/var", "/layers"]) h5.group(path);
  h5.strings("/obs/index", ["s"]);
  h5.strings("/var/index", ["g"]);
  h5.dataset("/layers/counts", "f4", [1, 1], Float32Array.of(3));
  h5.close();
  using file = await H5ad.open(new MemoryStorage("no_x.h5ad", sink.content()));
  assert.throws(
    () => file.x,
    (error: DataError) => error instanceof DataError && error.hint === "It has layers/counts",
  );
  assert.throws(() => file.spatial(), /no_x\.h5ad: it has no obsm\/spatial/);
  assert.deepEqual(all(file.layer("counts")!), [[3]]);
  const text = (content: string) => new MemoryStorage("a.h5ad", new TextEncoder().encode(content.padEnd(600)));
  const hints: [string, RegExp][] = [
    ["version https://git-lfs.github.com/spec/v1\noid sha256:0", /pointer of Git LFS/],
    ["\n<!DOCTYPE html><html>", /web page/],
    ["Repository is gated", /fetch it again/i],
  ];
  await assert.rejects(open("expected.json"), (error: FormatError) => /fetch it again/.test(error.hint!));
  for (const [content, pattern] of hints) {
    await assert.rejects(
      H5ad.open(text(content)),
      (error: FormatError) => error instanceof FormatError && pattern.test(error.hint ?? ""),
      content,
    );
  }
});

Deno.test("H5ad reads the rows it is asked for, not the file, and changes nothing", async () => {
  const [rows, columns] = [2000, 500];
  const entries = new Entries();
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) entries.add(i, j, 1 + (i + j) % 3);
  const names = (count: number) => Array.from({ length: count }, (_, i) => `n${i}`);
  const sink = new MemoryStorage("large.h5ad");
  const h5 = await H5Writer.create(sink);
  const x = entries.matrix("x", rows, columns);
  writeH5ad(h5, { obs: { index: names(rows) }, var: { index: names(columns) }, x });
  h5.close();
  let read = 0;
  const storage: H5Storage = {
    name: "large.h5ad",
    size: () => sink.size(),
    read(at, into) {
      read += into.length;
      return sink.read(at, into);
    },
    write: () => assert.fail("an input is written"),
    truncate: () => assert.fail("an input is cut"),
  };
  using file = await H5ad.open(storage);
  const matrix = file.x;
  read = 0;
  assert.equal(matrix.read(1000, 1010).values[499], 1 + 1499 % 3);
  assert.ok(read < 1.2e6, `${read} bytes read of ${sink.size()}`);
});

for (const name of ["csr.h5ad", "handmade.h5ad", "anndata06.h5ad", "lzf.h5ad"]) {
  Deno.test(`H5ad answers 500 mutations of ${name} with a typed error or a read, soon`, async () => {
    const seed = Deno.readFileSync(path(name));
    let refused = 0;
    for (let i = 0; i < 500; i++) {
      try {
        using file = await H5ad.open(new MemoryStorage("mutant", mutate(seed, new Rng(11, i), 4096)));
        for (const frame of [file.obs, file.var]) for (const column of frame.columns) frame.strings(column);
        for (const key of file.obsm) file.points(key);
        file.uns();
        const matrices = [file.x, ...file.layers.map((layer) => file.layer(layer)!), ...(file.raw ? [file.raw.x] : [])];
        for (const matrix of matrices) {
          for (const { indptr, indices, values } of blocks(matrix)) {
            assert.equal(indptr.at(-1), indices.length);
            assert.equal(indices.length, values.length);
            assert.ok(indices.every((column) => column < matrix.columns));
          }
        }
      } catch (error) {
        const typed = error instanceof FormatError || error instanceof LimitError || error instanceof DataError;
        assert.ok(typed && error.message.includes("mutant"), `${i}: ${error}\n${(error as Error).stack}`);
        refused++;
      }
    }
    assert.ok(refused > 100, `${refused} refused`);
    using file = await open(name);
    assert.equal(file.obs.index.length, 7);
  });
}
