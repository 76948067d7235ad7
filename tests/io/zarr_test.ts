/** Zarr of PyPI's zarr by chunks, and metadata and chunks that are refused before memory is taken. Its voxels: tests/volumes. */

import assert from "node:assert/strict";
import { FormatError, LimitError } from "../../src/core/errors.ts";
import { deflate } from "../../src/host/zlib.ts";
import { disk } from "../../src/io/fs.ts";
import { ZarrFolder } from "../../src/io/zarr/zarr.ts";
import { FIXTURES } from "../volumes/fixtures.ts";

Deno.test("ZarrFolder: groups, attributes and arrays of both versions", async () => {
  for (const [name, version] of [["v4_blosc.zarr", 2], ["v5_shard.zarr", 3]] as const) {
    const folder = new ZarrFolder(disk, `${FIXTURES}/${name}`);
    assert.equal(folder.kind(), "group");
    assert.equal(folder.kind("0"), "array");
    assert.equal(folder.kind("2"), undefined);
    assert.ok(version === 2 ? folder.attributes().multiscales : folder.attributes().ome);
    assert.throws(() => folder.attributes("2"), FormatError);
    assert.throws(() => folder.kind("../v4_blosc.zarr"), /leads out of the folder/);
    await assert.rejects(() => folder.array(""), /is a group/);
  }
  const shards = await new ZarrFolder(disk, `${FIXTURES}/v5_shard.zarr`).array("0");
  assert.deepEqual(shards.chunks, [1, 1, 6, 5]);
  const plain = await new ZarrFolder(disk, `${FIXTURES}/v4_plain_big.zarr`).array("0");
  assert.deepEqual(plain.plain, { little: false });
});

/** An array of version 2 with one chunk. */
async function array(metadata: Record<string, unknown>, chunk?: Uint8Array) {
  const path = await Deno.makeTempDir();
  const whole = {
    ...{ zarr_format: 2, shape: [4, 4], chunks: [4, 4], dtype: "<f4", fill_value: "NaN", order: "C", filters: null },
    ...{ compressor: { id: "zlib", level: 1 }, ...metadata },
  };
  Deno.writeTextFileSync(`${path}/.zarray`, JSON.stringify(whole));
  if (chunk !== undefined) Deno.writeFileSync(`${path}/0.0`, chunk);
  return { path, folder: new ZarrFolder(disk, path), done: () => Deno.removeSync(path, { recursive: true }) };
}

Deno.test("ZarrFolder: a chunk that is left out is the fill value; one that is there is unpacked", async () => {
  const values = Float32Array.from({ length: 16 }, (_, i) => i / 4);
  for (const chunk of [undefined, deflate(new Uint8Array(values.buffer))]) {
    const { folder, done } = await array({}, chunk);
    const read = await (await folder.array()).read([0, 0]);
    assert.deepEqual([...read as Float32Array], chunk === undefined ? Array(16).fill(NaN) : [...values]);
    done();
  }
});

Deno.test("ZarrFolder: data that becomes more than its chunk, large chunks and impossible metadata are refused", async () => {
  const bomb = deflate(new Uint8Array(1 << 26));
  const cases: [metadata: Record<string, unknown>, chunk: Uint8Array | undefined, wanted: RegExp, of: unknown][] = [
    [{}, bomb, /damaged, or more than 4160 bytes/, FormatError],
    [{}, deflate(new Uint8Array(60)), /15 elements|undamaged|multiple of|byte length/i, FormatError],
    [{ compressor: { id: "blosc" } }, new Uint8Array(40).fill(255), /damaged, or more than/, FormatError],
    [{ shape: [1e6, 1e6], chunks: [1e6, 1e6] }, undefined, /chunks of 4000000000000 bytes/, LimitError],
    [{ shape: [4, -1] }, undefined, /has shape/, FormatError],
    [{ chunks: [0, 4] }, undefined, /has chunks/, FormatError],
    [{ chunks: [4] }, undefined, /as many/, FormatError],
    [{ dtype: "<q9" }, undefined, /undamaged Zarr/, FormatError],
    [{ compressor: { id: "unheard" } }, new Uint8Array(64), /undamaged Zarr/, FormatError],
    [{ dimension_separator: "\\" }, undefined, /separates chunks/, FormatError],
  ];
  for (const [metadata, chunk, wanted, of] of cases) {
    const { folder, path, done } = await array(metadata, chunk);
    await assert.rejects(async () => await (await folder.array()).read([0, 0]), (error: Error) => {
      assert.ok(error instanceof (of as typeof FormatError), `${error}`);
      assert.match(error.message, wanted);
      assert.ok(error.message.includes(path), error.message);
      return true;
    });
    done();
  }
});

Deno.test("chunks stored with the first axis fastest are read in the order of the axes, in both versions", async () => {
  const folder = Deno.makeTempDirSync();
  const shape = [2, 3, 4];
  const values = Uint16Array.from(
    { length: 24 },
    (_, i) => 100 * Math.floor(i / 12) + 10 * (Math.floor(i / 4) % 3) + i % 4,
  );
  const stored = new Uint16Array(24);
  for (let i = 0; i < 24; i++) stored[Math.floor(i / 12) + 2 * (Math.floor(i / 4) % 3) + 6 * (i % 4)] = values[i]!;
  const write = (name: string, metadata: string, file: string, chunk: string, value: unknown) => {
    Deno.mkdirSync(`${folder}/${name}/${chunk.replace(/\/?[^/]*$/, "")}`, { recursive: true });
    Deno.writeTextFileSync(`${folder}/${name}/${metadata}`, JSON.stringify(value));
    Deno.writeFileSync(`${folder}/${name}/${file}`, new Uint8Array(stored.buffer));
  };
  write("second", ".zarray", "0.0.0", "0.0.0", {
    ...{ zarr_format: 2, shape, chunks: shape, dtype: "<u2", order: "F" },
    ...{ compressor: null, filters: null, fill_value: 0 },
  });
  write("third", "zarr.json", "c/0/0/0", "c/0/0/0", {
    ...{ zarr_format: 3, node_type: "array", shape, data_type: "uint16", fill_value: 0, attributes: {} },
    chunk_grid: { name: "regular", configuration: { chunk_shape: shape } },
    chunk_key_encoding: { name: "default", configuration: { separator: "/" } },
    codecs: [
      { name: "transpose", configuration: { order: [2, 1, 0] } },
      { name: "bytes", configuration: { endian: "little" } },
    ],
  });
  const store = new ZarrFolder(disk, folder);
  for (const name of ["second", "third"]) {
    const array = await store.array(name);
    assert.deepEqual(Array.from(await array.read([0, 0, 0])), [...values], name);
  }
  Deno.removeSync(folder, { recursive: true });
});
