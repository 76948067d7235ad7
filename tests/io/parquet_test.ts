/** Parquet and GeoParquet written by pyarrow and geopandas (tests/python/parquet.py), whole and damaged. */

import assert from "node:assert/strict";
import { DataError, FormatError, LimitError } from "../../src/core/errors.ts";
import { Rng } from "../../src/core/rng.ts";
import { openFile } from "../../src/io/fs.ts";
import { cellName, type Nucleus, readNuclei } from "../../src/io/nuclei.ts";
import { openParquet } from "../../src/io/parquet.ts";
import { fromBytes } from "../../src/io/random_access.ts";
import { polygonsOfWkb } from "../../src/io/wkb.ts";
import expected from "../fixtures/parquet/expected.json" with { type: "json" };
import { mutate } from "./mutate.ts";

const path = (name: string) => new URL(`../fixtures/parquet/${name}.parquet`, import.meta.url).pathname;

async function nuclei(name: string): Promise<Nucleus[]> {
  const source = await openFile(path(name));
  try {
    return (await Array.fromAsync(readNuclei(source))).flat();
  } finally {
    source.close?.();
  }
}

Deno.test("readNuclei() gives geopandas' polygons, classes and names, whatever the compression", async () => {
  const wanted = (expected.geometry as number[][][][][]).flatMap((parts, i) =>
    parts.map(([exterior, ...holes]) => ({
      exterior: exterior!.flat(),
      holes: holes.map((ring) => ring.flat()),
      label: expected.class[i],
      cell: String(i),
    }))
  );
  assert.ok(wanted.length === 61 && wanted[3]!.holes.length === 1);
  for (const codec of ["", "_gzip", "_brotli", "_zstd", "_lz4", "_None"]) {
    const read = (await nuclei(`cellvit${codec}`)).map(({ exterior, holes, label, cell }) => ({
      exterior: [...exterior],
      holes: holes.map((ring) => [...ring]),
      label,
      cell,
    }));
    assert.deepEqual(read, wanted, codec);
  }
});

Deno.test("Cells have one name however the file writes it, and none where it means none", async () => {
  const wanted = expected.names.map((name) => ["UNASSIGNED", "-1", ""].includes(name) ? undefined : name);
  assert.equal(wanted.filter((name) => name === undefined).length, 3);
  for (const kind of ["text", "bytes", "shown"]) {
    assert.deepEqual((await nuclei(`xenium_${kind}`)).map(({ cell }) => cell), wanted, kind);
  }
  const names = [7, 12345678901234567890n, -1, -1n, "b'aa-1'", 'b"x"', "b'UNASSIGNED'", " q ", "-1.0", null];
  assert.deepEqual(names.map((value) => cellName(value)), [
    ...["7", "12345678901234567890", undefined, undefined, "aa-1", "x", undefined, "q", undefined, undefined],
  ]);
});

Deno.test("openParquet() reads row groups in turn, nulls as null, and no nested columns", async () => {
  const many = await openParquet(await openFile(path("cellvit")));
  assert.deepEqual([many.rows, many.columns], [60, ["class", "cell_id", "geometry"]]);
  assert.match(many.texts.get("geo")!, /"primary_column": ?"geometry"/);
  const groups = await Array.fromAsync(many.read(["cell_id"]));
  assert.deepEqual(groups.map(({ from, count }) => [from, count]), [[0, 25], [25, 25], [50, 10]]);
  assert.deepEqual(
    groups.flatMap(({ values }) => Array.from(values["cell_id"]!, Number)),
    Array.from({ length: 60 }, (_, i) => i),
  );
  const odd = await openParquet(await openFile(path("odd")));
  assert.deepEqual(odd.columns, ["text", "double", "flag", "large"]);
  const [rows] = await Array.fromAsync(odd.read(odd.columns));
  assert.deepEqual(rows!.values, {
    text: ["a", null, "ü"],
    double: [0.5, null, -2.25],
    flag: [true, false, null],
    large: [2n ** 60n, -1n, null],
  });
  await assert.rejects(
    Array.fromAsync(odd.read(["list"])),
    /odd\.parquet:list: columns text, double, flag, large, expected/,
  );
});

Deno.test("What is no Parquet, is cut short or has no polygons is refused by name", async () => {
  const whole = Deno.readFileSync(path("cellvit"));
  const open = (bytes: Uint8Array) => openParquet(fromBytes(bytes, "cells.parquet"));
  const text = (value: string) => new TextEncoder().encode(value);
  await assert.rejects(open(text("version https://git-lfs.github.com/spec/v1\noid")), /begins "vers", expected PAR1/);
  await assert.rejects(open(whole.subarray(0, whole.length - 5)), /no end of Parquet: it is truncated/);
  await assert.rejects(open(new Uint8Array()), FormatError);
  const long = Uint8Array.from(whole);
  new DataView(long.buffer).setUint32(long.length - 8, 0x7fffffff, true);
  await assert.rejects(open(long), /a footer of 2147483647 bytes, expected at most/);
  await assert.rejects(nuclei("tissue_positions"), /columns barcode, in_tissue.*expected a geometry geometry/);
});

Deno.test("A page whose runs are of more values than it holds is refused before they are written out", async () => {
  const whole = Deno.readFileSync(path("cellvit_None"));
  // A page of 60 values: levels of two bytes, 60 times 1, so none is missing; then places in the dictionary of three bits each.
  const page = [2, 0, 0, 0, 120, 1, 3, 17];
  const at = whole.findIndex((_, i) => page.every((byte, k) => whole[i + k] === byte));
  assert.ok(at > 0);
  const repeated = [0xfe, 0xff, 0xff, 0x7f];
  const packed = [0xff, 0xff, 0xff, 0x3f];
  for (
    const [from, run, found] of [[4, repeated, 2 ** 27 - 1], [4, packed, 2 ** 29 - 8], [
      7,
      packed,
      2 ** 29 - 8,
    ]] as const
  ) {
    const damaged = Uint8Array.from(whole);
    damaged.set(run, at + from);
    const file = await openParquet(fromBytes(damaged, "cells.parquet"));
    const wanted = `cells\\.parquet:group 0, class: a run of ${found} values for 60 in a page at byte .*, expected 60`;
    await assert.rejects(Array.fromAsync(file.read(file.columns)), new RegExp(wanted));
  }
});

Deno.test("polygonsOfWkb() reads both byte orders and heights, and refuses what is no polygon", () => {
  const fail = (found: string, wanted: string) => new FormatError(`${found}, ${wanted}`);
  function wkb(
    code: number,
    little: boolean,
    rings: readonly (readonly number[][])[],
    extra: number[] = [],
  ): Uint8Array {
    const bytes: number[] = [little ? 1 : 0];
    const put = (size: 4 | 8, value: number) => {
      const view = new DataView(new ArrayBuffer(size));
      if (size === 4) view.setUint32(0, value, little);
      else view.setFloat64(0, value, little);
      bytes.push(...new Uint8Array(view.buffer));
    };
    put(4, code);
    for (const value of extra) put(4, value);
    put(4, rings.length);
    for (const ring of rings) {
      put(4, ring.length);
      for (const point of ring) for (const value of point) put(8, value);
    }
    return Uint8Array.from(bytes);
  }
  const flat = [[0, 0], [4, 0], [4, 4], [0, 0]];
  const high = flat.map(([x, y]) => [x!, y!, 9]);
  const wanted = { exterior: Float64Array.from(flat.flat()), holes: [] };
  for (const little of [true, false]) {
    assert.deepEqual(polygonsOfWkb(wkb(3, little, [flat]), fail), [wanted]);
    assert.deepEqual(polygonsOfWkb(wkb(1003, little, [high]), fail), [wanted]);
    assert.deepEqual(polygonsOfWkb(wkb(0x80000003, little, [high]), fail), [wanted]);
    assert.deepEqual(polygonsOfWkb(wkb(0x20000003, little, [flat], [4326]), fail), [wanted]);
  }
  const cases: [Uint8Array, RegExp][] = [
    [new Uint8Array(), /0 bytes of geometry, 1 or more/],
    [wkb(3, true, [flat]).subarray(0, 40), /40 bytes of geometry/],
    [wkb(1, true, [flat]), /a point, a polygon/],
    [wkb(9, true, [flat]), /geometry of type 9/],
    [wkb(3, true, []), /without rings/],
    [wkb(3, true, [flat.slice(0, 3)]), /a ring of 3 points/],
    [wkb(3, true, [[...flat.slice(0, 3), [NaN, 0]]]), /not finite/],
    [Uint8Array.of(7, 3, 0, 0, 0), /byte order 7/],
    [Uint8Array.of(1, 3, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255), /bytes of geometry/],
  ];
  for (const [bytes, pattern] of cases) assert.throws(() => polygonsOfWkb(bytes, fail), pattern);
});

Deno.test("readNuclei() answers 500 mutations with a typed error or polygons", async () => {
  const names = ["cellvit", "cellvit_zstd", "cellvit_gzip", "cellvit_lz4", "cellvit_None", "xenium_bytes", "odd"];
  const files = names.map((name) => Deno.readFileSync(path(name)));
  let refused = 0;
  for (let i = 0; i < 500; i++) {
    const rng = new Rng(11, i);
    const bytes = files[i % files.length]!;
    // The end, where the metadata are, suffers as much as the rest.
    const cut = rng.below(2) ? Math.max(0, bytes.length - 3000) : 0;
    const damaged = new Uint8Array([...bytes.subarray(0, cut), ...mutate(bytes.subarray(cut), rng)]);
    try {
      const source = fromBytes(damaged, "mutant");
      if (names[i % names.length] === "odd") {
        const file = await openParquet(source);
        await Array.fromAsync(file.read(file.columns));
      } else await Array.fromAsync(readNuclei(source));
    } catch (error) {
      const typed = [FormatError, LimitError, DataError].some((kind) => error instanceof kind);
      assert.ok(typed && (error as Error).message.includes("mutant"), `${i}: ${error}\n${(error as Error).stack}`);
      refused++;
    }
  }
  assert.ok(refused > 100 && refused < 500, `${refused} refused`);
});
