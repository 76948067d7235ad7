/** What is written is read by the project's reader here; pyarrow opens it in the round trip that Python checks. */

import assert from "node:assert/strict";
import { MemoryStorage } from "../../src/io/hdf5/h5_library.ts";
import { openParquet, type ParquetValue } from "../../src/io/parquet.ts";
import { ParquetWriter } from "../../src/io/parquet_write.ts";
import { fromBytes } from "../../src/io/random_access.ts";

const names = Array.from({ length: 20 }, (_, i) => `c${i}`);
const TABLE = { name: "str", shape: "bytes", small: "i4", large: "i8", number: "f8" } as const;

function group(from: number, count: number) {
  const at = Array.from({ length: count }, (_, i) => from + i);
  return {
    name: at.map((i) => "ß日".repeat(i % 3) + i),
    shape: at.map((i) => Uint8Array.from({ length: i % 5 }, (_, k) => 255 - k)),
    small: Int32Array.from(at, (i) => -i),
    large: BigInt64Array.from(at, (i) => BigInt(i) * 10_000_000_019n),
    number: Float64Array.from(at, (i) => i / 7),
  };
}

Deno.test("a table written in groups is read as it was, with its texts", async () => {
  const file = new MemoryStorage("t.parquet");
  const writer = new ParquetWriter(file, TABLE, { geo: '{"version":"1.0.0"}', more: "x".repeat(300) });
  const groups = [group(0, 300), group(300, 1), group(301, 0), group(301, 40)];
  for (const values of groups) writer.add(values);
  writer.finish();
  const read = await openParquet(fromBytes(file.content(), "t.parquet"));
  assert.deepEqual([read.rows, read.columns], [341, Object.keys(TABLE)]);
  assert.deepEqual([...read.texts], [["geo", '{"version":"1.0.0"}'], ["more", "x".repeat(300)]]);
  const found: Record<string, ParquetValue[]> = {};
  for await (const { values } of read.read(read.columns)) {
    for (const [name, list] of Object.entries(values)) (found[name] ??= []).push(...Array.from(list));
  }
  for (const name of Object.keys(TABLE) as (keyof typeof TABLE)[]) {
    assert.deepEqual(found[name], groups.flatMap((values): unknown[] => [...values[name]]));
  }
});

Deno.test("tables of many columns and of none are read, and columns of unequal lengths are refused", async () => {
  for (const list of [names, []]) {
    const file = new MemoryStorage("wide.parquet");
    const writer = new ParquetWriter(file, Object.fromEntries(list.map((name) => [name, "i4"])));
    writer.add(Object.fromEntries(list.map((name, i) => [name, Int32Array.of(i, 7)])));
    writer.finish();
    const read = await openParquet(fromBytes(file.content(), "wide.parquet"));
    assert.deepEqual(read.columns, list);
    for await (const { values } of read.read(list)) {
      assert.deepEqual(list.map((name) => Array.from(values[name]!)), list.map((_, i) => [i, 7]));
    }
  }
  const writer = new ParquetWriter(new MemoryStorage("bad.parquet"), { a: "i4", b: "i4" });
  assert.throws(() => writer.add({ a: Int32Array.of(1), b: Int32Array.of(1, 2) }), /column b has 2 of 1 values/);
});
