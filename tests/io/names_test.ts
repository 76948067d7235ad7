import assert from "node:assert/strict";
import { LimitError } from "../../src/core/errors.ts";
import { Rng } from "../../src/core/rng.ts";
import { Names } from "../../src/io/names.ts";

Deno.test("names are found where they stand, whatever their letters and lengths", () => {
  const rng = new Rng(3);
  const list = Array.from({ length: 20_000 }, (_, i) => `s_002um_${rng.below(5000)}_${i}-1`);
  list.push("", "ß", "日本", "🧬".repeat(3000), "s_002um_0_0");
  const names = Names.of(list);
  assert.deepEqual([...names], list);
  assert.deepEqual([names.length, names.at(7), names.repeated], [list.length, list[7], -1]);
  list.forEach((name, i) => assert.equal(names.find(name), i));
  for (const other of ["s_002um_0_0-1-1", "日", "ss", "x".repeat(100_000)]) assert.equal(names.find(other), -1);
  assert.throws(() => names.at(list.length), RangeError);
});

Deno.test("a name added twice is told, and found at its first place, also when added after a search", () => {
  const names = Names.of(["A", "B", "C"]);
  assert.deepEqual([names.repeated, names.find("D")], [-1, -1]);
  for (const name of ["D", "B", "A"]) names.add(name);
  assert.deepEqual([names.repeated, names.find("B"), names.find("D")], [4, 1, 3]);
});

Deno.test("names fill pages and none crosses their edge; one too long is refused", () => {
  const names = new Names();
  const long = (i: number) => `${i}`.padEnd(20_000, "ab");
  for (let i = 0; i < 1000; i++) names.add(long(i));
  for (let i = 0; i < 1000; i++) assert.ok(names.at(i) === long(i));
  assert.equal(names.find(long(999)), 999);
  assert.throws(() => names.add("x".repeat(30_000)), LimitError);
});
