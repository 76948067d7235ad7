/** Rows of HDF5 read from where they lie: the library's bytes for every layout, and of damaged files never others. */

import assert from "node:assert/strict";
import { FormatError } from "../../src/core/errors.ts";
import { Rng } from "../../src/core/rng.ts";
import { disk } from "../../src/io/fs.ts";
import { H5File } from "../../src/io/hdf5/h5.ts";
import { type H5Storage, MemoryStorage } from "../../src/io/hdf5/h5_library.ts";
import { rowPlaces } from "../../src/io/hdf5/h5_places.ts";
import { rowReader } from "../../src/io/hdf5/h5_rows.ts";
import { lookup3 } from "../../src/io/hdf5/lookup3.ts";

const KINDS = ["old", "new", "mixed", "block"];
const pathOf = (kind: string) => new URL(`../fixtures/h5/layouts_${kind}.h5`, import.meta.url).pathname;

function datasets(file: H5File, group = ""): string[] {
  return file.keys(group || "/").flatMap((name) => {
    const path = `${group}/${name}`;
    const kind = file.kind(path);
    return kind === "group" ? datasets(file, path) : kind === "dataset" ? [path] : [];
  });
}

function placesOf(file: H5File, path: string) {
  const { shape = [], chunks } = file.info(path);
  return rowPlaces(file.storage, file.address(path), { shape, chunks });
}

Deno.test("rows of every layout are the library's bytes, and are found where the layout is known", async () => {
  const rng = new Rng(3);
  const placed: number[] = [];
  for (const kind of KINDS) {
    placed.push(0);
    using file = await H5File.open(disk.open(pathOf(kind), "read"));
    for (const path of datasets(file)) {
      const { placed: known } = file.attributes(path);
      assert.equal(placesOf(file, path) !== undefined, Boolean(known), `${kind}${path}`);
      placed[placed.length - 1]! += Number(known);
      const read = rowReader(file, path);
      const whole = file.read(path) as Uint8Array;
      const count = file.info(path).shape![0]!;
      const width = whole.length / Math.max(1, count);
      assert.deepEqual(read(0, count), whole);
      for (let n = 0; n < 20 && count > 0; n++) {
        const from = rng.below(count + 1);
        const to = from + rng.below(count + 1 - from);
        assert.deepEqual(read(from, to), whole.slice(from * width, to * width), `${kind}${path} ${from} ${to}`);
      }
    }
  }
  assert.deepEqual(placed, [26, 19, 26, 0]);
});

Deno.test("known rows are read from the file alone, each byte once", async () => {
  const asked: [at: number, bytes: number][] = [];
  const inner = disk.open(pathOf("old"), "read");
  const storage: H5Storage = {
    name: "a",
    size: () => inner.size(),
    read: (at, into) => (asked.push([at, into.length]), inner.read(at, into)),
    close: () => inner.close(),
  };
  using file = await H5File.open(storage);
  for (
    const [path, from, to, pieces] of [["/contiguous", 2, 7, 1], ["/endless", 3, 5, 2], [
      "/endless_runs",
      5,
      15,
      3,
    ]] as const
  ) {
    const read = rowReader(file, path);
    read(0, 1);
    asked.length = 0;
    read(from, to);
    assert.equal(asked.length, pieces);
    assert.equal(asked.reduce((sum, [, bytes]) => sum + bytes, 0), (to - from) * 18);
  }
});

Deno.test("rows that are none, and files that are closed, are refused as by the library", async () => {
  const file = await H5File.open(disk.open(pathOf("old"), "read"));
  const read = rowReader(file, "/endless");
  read(0, 1);
  for (const [from, to] of [[0, 21], [-1, 2], [3, 2], [20, 22], [NaN, 2]] as const) {
    const why = (act: () => unknown): string => {
      try {
        act();
      } catch (error) {
        assert.ok(error instanceof FormatError);
        return error.message;
      }
      return "";
    };
    assert.notEqual(why(() => read(from, to)), "");
    assert.equal(why(() => read(from, to)), why(() => file.read("/endless", from, to)));
  }
  file.close();
  assert.throws(() => read(0, 1), /it is closed, expected an open file/);
});

Deno.test("a file that becomes shorter is told of with the place where it ends", async () => {
  const storage = new MemoryStorage("a.h5", Deno.readFileSync(pathOf("old")));
  using file = await H5File.open(storage);
  const read = rowReader(file, "/contiguous");
  const places = placesOf(file, "/contiguous")!;
  assert.equal(read(0, 9).length, 9 * 18);
  storage.truncate(places.at(0) + 40);
  assert.throws(() => read(2, 3), {
    message: `Cannot read a.h5:/contiguous: byte ${places.at(0) + 40} is the end of the file, ` +
      `expected 18 bytes from ${places.at(0) + 36}`,
  });
});

Deno.test("of 600 damaged files, rows are what the library reads, or are refused where it refuses", async () => {
  const rng = new Rng(11);
  let [direct, refused] = [0, 0];
  for (const kind of ["old", "new", "mixed"]) {
    const good = Deno.readFileSync(pathOf(kind));
    using whole = await H5File.open(new MemoryStorage("good", good));
    const paths = datasets(whole).filter((path) => whole.attributes(path).placed);
    // Bytes of structures: rows themselves, which are most of a file, may be anything.
    const structures = placesOfStructures(good);
    for (let i = 0; i < 200; i++) {
      const bytes = good.slice();
      for (let k = 0; k <= rng.below(3); k++) bytes[structures[rng.below(structures.length)]!] = rng.below(256);
      const path = paths[rng.below(paths.length)]!;
      const library = await attempt(bytes, (file) => file.read(path));
      const ours = await attempt(bytes, (file) => {
        const read = rowReader(file, path);
        const { shape } = file.info(path);
        if (placesOf(file, path) !== undefined) direct++;
        return read(0, shape?.[0] ?? 1);
      });
      if (library === undefined) refused++;
      assert.deepEqual(ours, library, `${kind}${path} ${i}`);
    }
  }
  assert.ok(direct > 300 && refused > 10, `${direct} found, ${refused} refused`);
});

/** What is read, or nothing where the file is refused with a typed error. */
async function attempt(bytes: Uint8Array, act: (file: H5File) => unknown): Promise<unknown> {
  try {
    using file = await H5File.open(new MemoryStorage("damaged", bytes));
    return act(file);
  } catch (error) {
    assert.ok(error instanceof FormatError || error instanceof RangeError, String(error));
    return undefined;
  }
}

/** Offsets of the 200 bytes from each signature of a structure on, and of what stands before the first. */
function placesOfStructures(bytes: Uint8Array): number[] {
  const out = new Set<number>(Array.from({ length: 1200 }, (_, i) => i));
  const text = new TextDecoder("latin1").decode(bytes);
  for (const { index } of text.matchAll(/TREE|SNOD|HEAP|OHDR|OCHK|FAHD|FADB|EAHD|EADB/g)) {
    for (let i = 0; i < 200 && index + i < bytes.length; i++) out.add(index + i);
  }
  return [...out];
}

Deno.test("lookup3() gives the sums of its author", () => {
  const text = (value: string) => new TextEncoder().encode(value);
  assert.equal(lookup3(text("")), 0xdeadbeef);
  assert.equal(lookup3(text("Four score and seven years ago")), 0x17770551);
});
