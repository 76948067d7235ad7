import assert from "node:assert/strict";
import { DataError, FormatError, LimitError } from "../../src/core/errors.ts";
import { Rng } from "../../src/core/rng.ts";
import { disk } from "../../src/io/fs.ts";
import { toF64 } from "../../src/io/hdf5/h5_types.ts";
import { H5File } from "../../src/io/hdf5/h5.ts";
import { type H5Storage, MemoryStorage } from "../../src/io/hdf5/h5_library.ts";
import { H5Writer } from "../../src/io/hdf5/h5_write.ts";
import { mutate } from "./mutate.ts";

const path = (name: string) => new URL(`../fixtures/h5/${name}`, import.meta.url).pathname;
const open = (name: string) => H5File.open(disk.open(path(name), "read"));
const bytesOf = (name: string) => Deno.readFileSync(path(name));

Deno.test("toF64() gives the numbers that Number() gives, of every type", () => {
  const large = [
    0n,
    1n,
    2n ** 31n,
    2n ** 32n - 1n,
    2n ** 32n,
    2n ** 53n - 1n,
    2n ** 53n + 3n,
    2n ** 62n + 12345n,
    2n ** 63n - 1n,
  ];
  const signed = BigInt64Array.from([...large, ...large.map((value) => -value), -(2n ** 63n)]);
  assert.deepEqual([...toF64(signed)], Array.from(signed, Number));
  const unsigned = BigUint64Array.from([...large, 2n ** 63n, 2n ** 64n - 1n, 2n ** 64n - 1025n]);
  assert.deepEqual([...toF64(unsigned.subarray(1))], Array.from(unsigned.subarray(1), Number));
  assert.deepEqual([...toF64(Int8Array.of(-3, 5))], [-3, 5]);
});

Deno.test("H5File reads every element type h5py writes", async () => {
  using file = await open("types.h5");
  const want = [0, 1, 2, 3, 100, 7];
  for (const name of file.keys("/n")) {
    if (["bool", "scalar", "huge"].includes(name)) continue;
    const { shape, dtype } = file.info(`/n/${name}`);
    assert.deepEqual([shape, dtype], [[2, 3], name.replace("be_", "")]);
    assert.deepEqual([...file.read(`/n/${name}`)].map(Number), want, name);
    assert.deepEqual([...file.numbers(`/n/${name}`, 1, 2)], want.slice(3), name);
  }
  assert.deepEqual([file.info("/n/bool").dtype, ...file.read("/n/bool")], ["bool", 1, 0]);
  assert.deepEqual([...file.numbers("/n/scalar")], [2 ** 53 - 1]);
  assert.throws(
    () => file.numbers("/n/huge"),
    /types\.h5:\/n\/huge: the number 9007199254740993, expected one below 2\^53/,
  );
  assert.deepEqual(file.strings("/s/utf8"), ["α", "", "long ".repeat(20)]);
  assert.deepEqual(file.strings("/s/ascii", 1, 2), ["bc"]);
  assert.deepEqual(file.strings("/s/fixed"), ["ab", "cde", ""]);
  assert.deepEqual(file.strings("/s/scalar"), ["one"]);
  assert.deepEqual([...file.read("/c/scaleoffset")].map(Number), Array.from({ length: 50 }, (_, i) => i));
  assert.deepEqual([...file.read("/c/gzip9", 6, 8)], Array.from({ length: 20 }, (_, i) => 60 + i));
  assert.equal(file.read("/o/none").length, 0);
});

Deno.test("H5File reads attributes", async () => {
  using file = await open("types.h5");
  assert.deepEqual({ ...file.attributes("/n") }, {
    text: "µm",
    bytes: "fixed",
    list: ["x", "yy"],
    int: 5,
    int32: -5,
    huge: 2n ** 60n + 1n,
    float32: 0.5,
    numbers: [1.5, 2.5],
    flag: true,
    none: [],
  });
});

Deno.test("H5File reads the latest layout: dense attributes, other chunk indices", async () => {
  using file = await open("latest.h5");
  assert.deepEqual(
    Object.values(file.attributes()),
    [...Array(20).keys()].sort((a, b) => String(a) < String(b) ? -1 : 1),
  );
  assert.deepEqual([...file.numbers("/g/z", 295, 300)], [295, 296, 297, 298, 299]);
  assert.deepEqual([...file.numbers("/d19", 3, 6)], [3, 4, 5]);
});

Deno.test("H5File checks filters and layout before it reads, and says what to do", async () => {
  using foreign = await H5File.open(
    new MemoryStorage("foreign.h5", Deno.readFileSync(path("../spatial/foreign.h5ad"))),
  );
  for (const [name, id] of [["zstd", 32015], ["blosc", 32001], ["bitshuffle", 32008], ["lz4", 32004]] as const) {
    assert.throws(() => foreign.read(`/layers/${name}`), (error: FormatError) => {
      assert.equal(
        error.message,
        `Cannot read foreign.h5:/layers/${name}: compression ${name} (filter ${id}), expected gzip, lzf or none`,
      );
      assert.match(error.hint!, /^Write it again where that filter is installed: h5repack -f GZIP=4 /);
      return error instanceof FormatError && error.context["path"] === `/layers/${name}`;
    });
  }
  using types = await open("types.h5");
  assert.throws(() => types.read("/o/virtual"), /data that lies in other files, expected data in this file/);
});

Deno.test("H5File follows links within the file and none out of it", async () => {
  using file = await open("types.h5");
  assert.equal(file.kind("/o/soft"), "dataset");
  assert.deepEqual([...file.numbers("/o/soft", 0, 1)], [0, 1, 2]);
  assert.equal(file.kind("/o/dangling"), undefined);
  assert.equal(file.kind("/o/outside"), undefined);
  assert.throws(() => file.read("/o/outside"), /:\/o\/outside: nothing, expected a dataset/);
});

Deno.test("H5File says what a dataset is when it is not what was asked for", async () => {
  using file = await open("types.h5");
  const cases: [() => unknown, RegExp][] = [
    [() => file.read("/s/utf8"), /elements of type str, expected numbers/],
    [() => file.strings("/n/i4"), /elements of type i4, expected strings/],
    [() => file.read("/o/compound"), /elements of type other, expected numbers/],
    [() => file.read("/o/empty"), /no elements at all/],
    [() => file.read("/n"), /:\/n: group, expected a dataset/],
    [() => file.keys("/n/i4"), /:\/n\/i4: dataset, expected a group/],
    [() => file.read("/n/i4", 1, 3), /2 rows, expected rows 1 to 3/],
    [() => file.attributes("/zz"), /nothing, expected a group or dataset/],
  ];
  for (const [act, pattern] of cases) {
    assert.throws(
      act,
      (error: FormatError) => error instanceof FormatError && pattern.test(error.message),
      String(pattern),
    );
  }
});

Deno.test("H5File.open() refuses other files, and a disk that fails is told from a damaged file", async () => {
  await assert.rejects(
    H5File.open(new MemoryStorage("a.txt", new Uint8Array(5000))),
    /a\.txt: HDF5 stops \(file signature not found\)/,
  );
  await assert.rejects(async () => await open("nothing.h5"), (error: DataError) => error.code === "file-missing");
  const good = new MemoryStorage("a.h5", bytesOf("current.h5"));
  let broken = false;
  const storage: H5Storage = {
    name: "a.h5",
    size: () => good.size(),
    read(at, into) {
      if (broken) throw new DataError("Cannot read a.h5: the disk is gone", { code: "file-access" });
      return good.read(at, into);
    },
  };
  using file = await H5File.open(storage);
  broken = true;
  assert.throws(() => file.read("/img", 0, 1), (error: DataError) => error.code === "file-access");
  broken = false;
  assert.equal(file.read("/img", 0, 1).length, 12 * 12 * 3);
});

Deno.test("H5File reads by range: a batch of a large file takes the memory of a batch", async () => {
  const rows = 3000;
  const sink = new MemoryStorage("large");
  const writer = await H5Writer.create(sink);
  writer.dataset("/x", "f4", [rows, 1000], undefined, { chunks: [10, 1000] });
  for (let i = 0; i < rows; i += 1000) writer.rows("/x", i, [1000], new Float32Array(1e6).fill(i));
  writer.close();
  let read = 0;
  const storage: H5Storage = {
    name: "large",
    size: () => sink.size(),
    read(at, into) {
      read += into.length;
      return sink.read(at, into);
    },
  };
  using file = await H5File.open(storage);
  assert.equal(file.read("/x", 2000, 2020)[0], 2000);
  assert.ok(read < 400_000, `${read} bytes read`);
});

Deno.test("H5File refuses a chunk of gzip that is longer than its numbers, before it is unpacked", async () => {
  using file = await H5File.open(disk.open(path("gzip_bomb.h5"), "read"));
  assert.deepEqual([...file.read("/good")], Array.from({ length: 64 }, (_, i) => i));
  assert.deepEqual([...file.read("/noise")], file.attributes("/noise")["values"]);
  assert.throws(() => file.read("/bomb"), {
    name: "FormatError",
    message:
      /gzip_bomb\.h5:\/bomb: HDF5 stops \(a chunk of gzip has 4\d{3} bytes, at most 1089 for what it holds\), expected/,
  });
  assert.equal(file.read("/good").length, 64);
});

Deno.test("H5File refuses what does not fit in memory before it is allocated", async () => {
  const sink = new MemoryStorage("wide.h5");
  const writer = await H5Writer.create(sink);
  // What the file is large enough for, at 1032 bytes from one, but memory is not.
  writer.dataset("/rest", "u1", [1 << 23], new Uint8Array(1 << 23));
  writer.dataset("/x", "f8", [1 << 9, 1 << 20], undefined, { chunks: [1, 1 << 20], gzip: 1 });
  writer.dataset("/chunk", "u1", [64, 2240, 2240, 3], undefined, { chunks: [64, 2240, 2240, 3], gzip: 1 });
  writer.dataset("/more", "f4", [2_000_000_000], undefined, { chunks: [1_000_000], gzip: 1 });
  writer.dataset("/plain", "f4", [1 << 22], undefined, { chunks: [1 << 10] });
  writer.close();
  const bytes = sink.content();
  using file = await H5File.open(new MemoryStorage("wide.h5", bytes));
  const limit = (path: string, found: RegExp, hint: RegExp) =>
    assert.throws(
      () => file.read(path, 0, file.info(path).shape![0]),
      (error: LimitError) => error instanceof LimitError && found.test(error.message) && hint.test(error.hint!),
    );
  limit("/x", /wide\.h5:\/x: 4294967296 bytes at once, at most 1073741824/, /not damaged/);
  assert.equal(file.read("/x", 7, 8).length, 1 << 20);
  limit(
    "/chunk",
    /:\/chunk: chunks of 963379200 bytes \(64x2240x2240x3\), at most 268435456/,
    /^The file is not damaged: write it in smaller chunks, h5repack -l \/chunk:CHUNK=1x2240x2240x3 IN OUT$/,
  );
  assert.throws(() => file.check("/chunk"), LimitError);
  // What no file of this size can hold.
  assert.equal(file.read("/more", 0, 1).length, 1);
  assert.throws(() => file.read("/plain"), {
    name: "FormatError",
    message: `Cannot read wide.h5:/plain: 16777216 bytes declared (4194304 of 4), expected at most ${bytes.length}, ` +
      `which a file of ${bytes.length} bytes can hold`,
  });
});

Deno.test("H5Writer writes what H5File reads, the same bytes at any time", async () => {
  async function make(): Promise<Uint8Array<ArrayBuffer>> {
    const sink = new MemoryStorage("made");
    const h5 = await H5Writer.create(sink);
    h5.dataset("/features", "f4", [5, 3], undefined, { chunks: [2, 3], gzip: 4, growing: true });
    h5.rows("/features", 0, [3], Float32Array.from([1, 2, 3, 4, 5, 6]));
    h5.rows("/features", 2, [3], Float32Array.from([7, 8, 9, 10, 11, 12, 13, 14, 15]));
    h5.dataset("/coords", "i4", [2, 2], Int32Array.from([1, -2, 3, 4]));
    h5.dataset("/wide", "i8", [1], BigInt64Array.from([2n ** 60n]));
    h5.group("/g");
    h5.dataset("/g/scalar", "f8", [], Float64Array.from([2.5]));
    h5.strings("/barcode", ["a", "é", ""], [3, 1]);
    h5.strings("/one", ["x"], []);
    h5.attribute("/features", "encoder", "uni");
    h5.attribute("/features", "size", 224);
    h5.attribute("/features", "px", 0.5);
    h5.attribute("/", "names", ["x", "yy"]);
    h5.attribute("/", "none", []);
    h5.close();
    return sink.content();
  }
  const bytes = await make();
  const now = Date.now;
  Date.now = () => now() + 1e7;
  try {
    assert.deepEqual(await make(), bytes);
  } finally {
    Date.now = now;
  }
  using file = await H5File.open(new MemoryStorage("made", bytes));
  assert.deepEqual([...file.read("/features")], Array.from({ length: 15 }, (_, i) => i + 1));
  assert.deepEqual(file.info("/features").filters, ["deflate"]);
  assert.deepEqual([...file.read("/coords")], [1, -2, 3, 4]);
  assert.deepEqual([...file.read("/wide")], [2n ** 60n]);
  assert.deepEqual([...file.read("/g/scalar")], [2.5]);
  assert.deepEqual([file.strings("/barcode"), file.info("/barcode").shape], [["a", "é", ""], [3, 1]]);
  assert.deepEqual({ ...file.attributes("/features") }, { encoder: "uni", size: 224, px: 0.5 });
  assert.deepEqual({ ...file.attributes("/") }, { names: ["x", "yy"], none: [] });
});

Deno.test("H5Writer writes half precision, of even and odd numbers of elements, none, and any rank", async () => {
  const storage = new MemoryStorage("half.h5");
  const h5 = await H5Writer.create(storage);
  const bits = (count: number) => Uint16Array.from({ length: count }, (_, i) => 0x3c00 + 64 * i);
  const shapes = { "/odd": [3, 5], "/even": [2, 4], "/row": [7], "/none": [0, 5], "/cube": [3, 3, 3] };
  for (const [path, shape] of Object.entries(shapes)) {
    h5.dataset(path, "f2", shape, bits(shape.reduce((a, b) => a * b, 1)));
    h5.attribute(path, "unit", "um");
  }
  assert.throws(
    () => h5.dataset("/grown", "f2", [4, 2], undefined, { chunks: [1, 2] }),
    /half precision, expected all/,
  );
  h5.close();
  using file = await H5File.open(storage);
  for (const [path, shape] of Object.entries(shapes)) {
    const { dtype, shape: found } = file.info(path);
    assert.deepEqual([dtype, found, file.attributes(path)["unit"]], ["f2", shape, "um"], path);
    const values = [...file.numbers(path)];
    assert.deepEqual(values, Array.from(values, (_, i) => i < 16 ? 1 + i / 16 : 2 + (i - 16) / 8), path);
    assert.equal(values.length, shape.reduce((a, b) => a * b, 1));
  }
});

Deno.test("H5Writer says what it cannot write", async () => {
  const h5 = await H5Writer.create(new MemoryStorage("out.h5"));
  assert.throws(
    () => h5.dataset("/x", "f4", [2, 2], new Float32Array(3)),
    /out\.h5:\/x: 3 elements, expected shape 2x2/,
  );
  assert.throws(() => h5.dataset("/a/b", "f4", [1], new Float32Array(1)), FormatError);
  h5.close();
  assert.throws(() => h5.group("/g"), /it is closed, expected an open file/);
});

Deno.test("H5File.open() takes a fresh library after one that trapped", async () => {
  const make = () => H5File.open(new MemoryStorage("a.h5", bytesOf("current.h5")));
  const reach = (file: H5File) =>
    file as unknown as { hdf5: object; run: (path: string, act: () => number, good: () => boolean) => number };
  const before = await make();
  const trap = () =>
    reach(before).run("/img", () => {
      throw new WebAssembly.RuntimeError("memory access out of bounds");
    }, () => true);
  assert.throws(trap, /a\.h5:\/img: HDF5 stops \(memory access out of bounds\), expected undamaged HDF5/);
  before.close();
  using after = await make();
  assert.notEqual(reach(after).hdf5, reach(before).hdf5);
  assert.equal(after.read("/img", 0, 1).length, 432);
  using packed = await open("lzf_kinds.h5");
  assert.equal(packed.read("/raw/whole")[0], 100);
});

for (const [name, dataset, length] of [["current.h5", "/img", 432], ["lzf_kinds.h5", "/million", 1000]] as const) {
  Deno.test(`H5File reads ${name} in a worker`, async () => {
    const worker = new Worker(new URL("./h5_worker.ts", import.meta.url), { type: "module" });
    try {
      const answer = await new Promise((resolve, reject) => {
        worker.onmessage = ({ data }) => resolve(data);
        worker.onerror = (event) => {
          event.preventDefault();
          reject(new Error(event.message));
        };
        worker.postMessage([path(name), dataset]);
      });
      assert.equal(answer, length);
    } finally {
      worker.terminate();
    }
  });
}

/** Reads everything a file holds. */
function readAll(file: H5File, at: string, depth: number): void {
  for (const name of file.keys(at)) {
    const place = at === "/" ? `/${name}` : `${at}/${name}`;
    const kind = file.kind(place);
    if (kind === undefined) continue;
    file.attributes(place);
    if (kind === "group") {
      if (depth < 6) readAll(file, place, depth + 1);
      continue;
    }
    const { shape, dtype } = file.info(place);
    if (shape === undefined || dtype === "other") continue;
    // A mutant may claim any number of rows; a reader takes them by batches.
    const rows = Math.min(shape[0] ?? 1, 100);
    if (dtype === "str") file.strings(place, 0, rows);
    else if (shape.slice(1).reduce((a, b) => a * b, rows) < 1e6) file.read(place, 0, rows);
  }
}

for (const name of ["current.h5", "types.h5", "latest.h5", "features.h5ad", "lzf_kinds.h5"]) {
  Deno.test(`H5File answers 300 mutations of ${name} with a typed error or a read, soon`, async () => {
    const seed = bytesOf(name);
    let refused = 0;
    for (let i = 0; i < 300; i++) {
      const bytes = mutate(seed, new Rng(3, i), 2048);
      try {
        using file = await H5File.open(new MemoryStorage("mutant", bytes));
        readAll(file, "/", 0);
      } catch (error) {
        const typed = error instanceof FormatError || error instanceof LimitError;
        assert.ok(typed && error.message.includes("mutant"), `${i}: ${error}`);
        refused++;
      }
    }
    assert.ok(refused > 100, `${refused} refused`);
    // The library is still good.
    using file = await H5File.open(new MemoryStorage("good", seed));
    assert.ok(file.keys().length > 0);
  });
}

Deno.test("H5File refuses a heap of strings whose free space claims nothing, at which the library would not return", async () => {
  const bytes = bytesOf("current.h5");
  const heap = bytes.findIndex((byte, i) =>
    byte === 0x47 && String.fromCharCode(...bytes.subarray(i, i + 4)) === "GCOL"
  );
  const view = new DataView(bytes.buffer);
  let at = heap + 16;
  while (view.getUint16(at, true) !== 0) at += 16 + Math.ceil(Number(view.getBigUint64(at + 8, true)) / 8) * 8;
  view.setBigUint64(at + 8, 0n, true);
  using file = await H5File.open(new MemoryStorage("loop.h5", bytes));
  assert.throws(() => file.strings("/barcode"), /loop\.h5:\/barcode: HDF5 stops \(string at byte \d+ claims 0 bytes\)/);
});
