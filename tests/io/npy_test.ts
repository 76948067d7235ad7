import assert from "node:assert/strict";
import { FormatError } from "../../src/core/errors.ts";
import { Rng } from "../../src/core/rng.ts";
import { npyHeader, readNpy, readNpyHeader } from "../../src/io/npy.ts";
import { fromBytes } from "../../src/io/random_access.ts";
import { mutate } from "./mutate.ts";

const bytesOf = (name: string) => Deno.readFileSync(new URL(`../fixtures/h5/${name}`, import.meta.url));
const expected = JSON.parse(new TextDecoder().decode(bytesOf("expected.json"))).features;

function file(head: Uint8Array, data: Uint8Array): Uint8Array {
  return Uint8Array.from([...head, ...data]);
}

Deno.test("readNpy() reads what NumPy writes, whole and by rows", async () => {
  for (const [name, values, dtype] of [["features.npy", expected.values, "f4"], ["half.npy", expected.half, "f2"]]) {
    const source = fromBytes(bytesOf(name), name);
    const header = await readNpyHeader(source);
    assert.deepEqual([header.dtype, header.shape], [dtype, [6, 5]]);
    assert.deepEqual([...await readNpy(source, header)], values);
    assert.deepEqual([...await readNpy(source, header, 2, 4)], values.slice(10, 20));
  }
});

Deno.test("npyHeader() is the header NumPy writes", async () => {
  const numpy = bytesOf("features.npy");
  assert.deepEqual(npyHeader("f4", [6, 5]), numpy.slice(0, 128));
  for (const dtype of ["u1", "f2", "f4", "f8", "i4", "i8"] as const) {
    for (const shape of [[], [3], [2, 0, 4]]) {
      const bytes = shape.reduce((a, b) => a * b, 1) * Number(dtype[1]);
      const source = fromBytes(file(npyHeader(dtype, shape), new Uint8Array(bytes).fill(1)), "made");
      const header = await readNpyHeader(source);
      assert.deepEqual([header.dtype, header.shape, header.dataStart % 64], [dtype, shape, 0]);
      assert.equal((await readNpy(source, header)).length, shape.reduce((a, b) => a * b, 1));
    }
  }
});

Deno.test("readNpyHeader() says what it does not read", async () => {
  const with_ = (header: string, bytes = 0) => {
    const text = new TextEncoder().encode(header);
    const out = new Uint8Array(10 + text.length + bytes);
    out.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, text.length, 0]);
    out.set(text, 10);
    return out;
  };
  const cases: [Uint8Array, RegExp][] = [
    [bytesOf("fortran.npy"), /is in Fortran order, expected C order/],
    [bytesOf("current.h5"), /byte 0 begins no npy file/],
    [new Uint8Array(3), /byte 3 is the end of the file/],
    [bytesOf("features.npy").subarray(0, 200), /byte 200 is the end of the file, expected it at byte 248/],
    [
      with_("{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }", 4),
      /elements of type ">f4", expected little-endian/,
    ],
    [with_("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", 8), /elements of type "\|O"/],
    [with_("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }"), /expected it at byte/],
    [with_("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", 4), /has header/],
  ];
  for (const [bytes, pattern] of cases) {
    await assert.rejects(readNpyHeader(fromBytes(bytes, "a.npy")), (error: FormatError) => {
      assert.match(error.message, pattern);
      return error instanceof FormatError && error.message.startsWith("Cannot read a.npy as npy: byte ");
    });
  }
});

Deno.test("readNpy() answers 300 mutations with FormatError or an array", async () => {
  const seed = bytesOf("features.npy");
  let refused = 0;
  for (let i = 0; i < 300; i++) {
    const source = fromBytes(mutate(seed, new Rng(2, i), 128), "mutant");
    try {
      const header = await readNpyHeader(source);
      const rows = await readNpy(source, header);
      assert.equal(rows.length, header.shape.reduce((a, b) => a * b, 1));
    } catch (error) {
      assert.ok(error instanceof FormatError && error.message.includes("mutant"), `${i}: ${error}`);
      refused++;
    }
  }
  assert.ok(refused > 100, `${refused} refused`);
});
