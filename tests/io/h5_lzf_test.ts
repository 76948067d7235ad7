import assert from "node:assert/strict";
import { FormatError, LimitError } from "../../src/core/errors.ts";
import { Rng } from "../../src/core/rng.ts";
import { disk } from "../../src/io/fs.ts";
import { H5File } from "../../src/io/hdf5/h5.ts";
import { LZF_MODULE, LZF_SOURCE } from "../../src/io/hdf5/h5_lzf.gen.ts";
import { MemoryStorage } from "../../src/io/hdf5/h5_library.ts";
import { Sha256 } from "../../src/host/zlib.ts";

const path = new URL("../fixtures/h5/lzf_kinds.h5", import.meta.url).pathname;
const open = () => H5File.open(disk.open(path, "read"));
const CHUNK = 64;

/** All a dataset holds, whatever its type. */
function content(file: H5File, place: string): unknown {
  const fields = file.fields(place);
  if (fields.length > 0) return fields.map((name) => file.field(place, name));
  return file.info(place).dtype === "str" ? file.strings(place) : file.read(place);
}

Deno.test("LZF of h5py reads as the same values plain: every type, with shuffle, checksums and other filters", async () => {
  using file = await open();
  let compared = 0;
  for (const kind of file.keys("/good")) {
    const plain = content(file, `/good/${kind}/plain`);
    for (const way of file.keys(`/good/${kind}`)) {
      if (way === "plain") continue;
      const place = `/good/${kind}/${way}`;
      assert.ok(file.info(place).filters.includes("lzf"), place);
      assert.deepEqual(content(file, place), plain, place);
      compared++;
    }
  }
  assert.equal(compared, 13 * 4 + 2 * 2 + 2 * 4 + 5);
  assert.deepEqual([...file.numbers("/good/i4/both", 17, 18)], [...file.numbers("/good/i4/plain", 17, 18)]);
});

Deno.test("a chunk of LZF with a million values is read", async () => {
  using file = await open();
  const values = file.read("/million");
  assert.equal(values.length, 1e6);
  assert.ok(values.every((value, i) => value === Math.floor(i % 1000 / 250)));
  assert.deepEqual([...file.read("/million", 999, 1000).slice(748, 752)], [2, 2, 3, 3]);
});

Deno.test("chunks that are no LZF are refused with what is wrong, where, and others are still read", async () => {
  using file = await open();
  const good: string[] = [];
  for (const name of file.keys("/raw")) {
    const fault = file.attributes(`/raw/${name}`)["fault"] as string;
    if (fault === "") {
      assert.equal(file.read(`/raw/${name}`).length, CHUNK);
      good.push(name);
      continue;
    }
    assert.throws(() => file.read(`/raw/${name}`), (error: FormatError) => {
      assert.ok(error instanceof FormatError && error.message.includes(`${path}:/raw/${name}: `), error.message);
      assert.ok(error.message.includes(fault), `${error.message}, wanted ${fault}`);
      return error.context["path"] === `/raw/${name}`;
    });
    assert.equal(file.read("/raw/whole")[0], 100);
  }
  assert.deepEqual(good, ["furthest", "masked", "whole"]);
  assert.deepEqual([...file.read("/raw/furthest").slice(30)], [30, 31, ...Array(32).keys()]);
});

Deno.test("of LZF, too, no more is believed than a file of its size can hold, and no chunk beyond the limit", async () => {
  using file = await H5File.open(disk.open(path.replace("kinds", "large"), "read"));
  assert.throws(() => file.check("/chunk"), LimitError);
  const { size } = Deno.statSync(path.replace("kinds", "large"));
  assert.throws(() => file.read("/claims", 0, 1), (error: FormatError) => {
    assert.ok(error.message.includes(`8388608 bytes declared (1048576 of 8), expected at most ${88 * size}, `));
    return error instanceof FormatError;
  });
});

/** LZF as its format says, slowly: undefined of what is none, or fills no chunk. */
function unpack(stream: Uint8Array): number[] | undefined {
  const out: number[] = [];
  for (let at = 0; at < stream.length;) {
    const control = stream[at++]!;
    if (control < 32) {
      if (at + control >= stream.length) return undefined;
      for (let n = 0; n <= control; n++) out.push(stream[at++]!);
      continue;
    }
    let length = control >> 5;
    if (length === 7) length += stream[at++] ?? NaN;
    const from = out.length - 1 - ((control & 31) << 8) - (stream[at++] ?? NaN);
    if (!(from >= 0)) return undefined;
    for (let n = 0; n < length + 2; n++) out.push(out[from + n]!);
  }
  return out.length === CHUNK ? out : undefined;
}

/** A stream of `size` bytes, most of it what LZF might be. */
function randomStream(rng: Rng, size: number): Uint8Array {
  const out: number[] = [];
  for (let made = 0; out.length < size;) {
    const rest = size - out.length;
    if (made === 0 || rng.below(3) > 0) {
      const count = Math.max(1, Math.min(32, rest - 1 - rng.below(3), CHUNK - made));
      out.push(count - 1, ...Array.from({ length: count }, () => rng.below(256)));
      made += count;
    } else {
      const back = rng.below(Math.min(made + (rng.below(8) ? 0 : 3), 600));
      const length = rng.below(4) ? rng.below(7) + 3 : rng.below(24) + 9;
      out.push((Math.min(length - 2, 7) << 5) | (back >> 8), ...(length < 9 ? [] : [length - 9]), back & 255);
      made += length;
    }
  }
  return Uint8Array.from(out.slice(0, size));
}

Deno.test("of 3000 streams, those that are LZF read as the format says, and the others are refused", async () => {
  const seed = Deno.readFileSync(path);
  const start = seed.findIndex((byte, i) => byte === 31 && seed[i + 1] === 100 && seed[i + 32] === 131);
  const size = 66;
  let read = 0;
  for (let i = 0; i < 3000; i++) {
    const rng = new Rng(17, i);
    const bytes = seed.slice();
    const stream = randomStream(rng, size);
    if (rng.below(2)) { for (let n = rng.below(4); n > 0; n--) stream[rng.below(size)] = rng.below(256); }
    bytes.set(stream, start);
    using file = await H5File.open(new MemoryStorage("mutant", bytes));
    const want = unpack(stream);
    if (want !== undefined) {
      assert.deepEqual([...file.read("/raw/whole")], want, String(i));
      read++;
    } else assert.throws(() => file.read("/raw/whole"), /mutant:\/raw\/whole: HDF5 stops \(LZF /, `${i}: ${stream}`);
  }
  assert.ok(read > 100 && read < 2900, `${read} read`);
});

Deno.test("the compiled filter is that of its source, small enough for a browser's page, and asks for memory alone", () => {
  const source = Deno.readFileSync(new URL("../../src/io/hdf5/h5_lzf.c", import.meta.url));
  assert.equal(new Sha256().update(source).hex(), LZF_SOURCE, "run scripts/build_wasm.ts");
  const bytes = Uint8Array.from(atob(LZF_MODULE), (letter) => letter.charCodeAt(0));
  // Browsers compile more than 4 KiB on their main thread only asynchronously.
  assert.ok(bytes.length < 4096, `${bytes.length} bytes`);
  // The place of the address that the loader fills in.
  const marked = bytes.filter((byte, at) =>
    byte === 0x48 && [0x66, 0x4c, 0x5a].every((b, i) => bytes[at + 1 + i] === b)
  );
  assert.equal(marked.length, 1);
  const asked = WebAssembly.Module.imports(new WebAssembly.Module(bytes)).map(({ name }) => name);
  assert.deepEqual(asked.filter((name) => !name.startsWith("__")).sort(), ["free", "malloc", "memory"]);
});
