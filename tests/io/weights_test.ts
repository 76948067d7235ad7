import assert from "node:assert/strict";
import { DataError, FormatError, LimitError } from "../../src/core/errors.ts";
import { openFile, openFolder, writeChunksAtomic } from "../../src/io/fs.ts";
import type { NumpyArray } from "../../src/io/torch/numpy_pickle.ts";
import { type PickleRecord, TorchTensor } from "../../src/io/torch/torch_globals.ts";
import { fromBlob, fromBytes, fromMap } from "../../src/io/random_access.ts";
import { PickleTuple } from "../../src/io/torch/pickle_value.ts";
import { pthChunks } from "../../src/io/torch/pth_write.ts";
import { openSafetensors, type SafetensorsInput, writeSafetensors } from "../../src/io/torch/safetensors.ts";
import { toF32, WeightTensor } from "../../src/io/torch/weight_tensor.ts";
import { openWeights, openWeightsFolder } from "../../src/io/torch/weights.ts";
import { locateEntry, openZip } from "../../src/io/zip.ts";
import {
  concat,
  digests,
  EXPECTED,
  fixture,
  fixtureBytes,
  FIXTURES,
  hex,
  pickle,
  sha256,
  tensorPickle,
  text,
  torchFiles,
  utf8,
  zipBytes,
  zipSource,
} from "./weights_shared.ts";

const FILES = Object.keys(EXPECTED.tensors).filter((name) => name !== "sharded" && name !== "counter.pth");

for (const name of FILES) {
  Deno.test(`openWeights() reads ${name} bit for bit as the library does`, async () => {
    const weights = await openWeights(fixture(name), { verify: true });
    const expected = EXPECTED.tensors[name]!;
    assert.deepEqual([...weights.tensors.keys()].sort(), Object.keys(expected).sort());
    for (const [key, { dtype, shape, hex: bytes }] of Object.entries(expected)) {
      const tensor = weights.tensors.get(key)!;
      assert.deepEqual([tensor.dtype, tensor.shape, hex(await tensor.read())], [dtype, shape, bytes], key);
    }
  });
}

Deno.test("openWeights() gives any range of a tensor, and its pieces, equal to the whole", async () => {
  for (const name of ["types.pth", "big_endian.pth", "types.safetensors", "unpadded.safetensors"]) {
    const { tensors } = await openWeights(fixture(name));
    for (const tensor of tensors.values()) {
      const whole = await tensor.read();
      const width = whole.length / Math.max(1, tensor.count);
      for (let from = 0; from <= tensor.count; from++) {
        for (const to of [from, Math.min(from + 3, tensor.count), tensor.count]) {
          assert.deepEqual(
            await tensor.read(from, to),
            whole.slice(from * width, to * width),
            `${tensor.name} ${from} ${to}`,
          );
        }
      }
      const pieces: Uint8Array[] = [];
      for await (const { from, data } of tensor.chunks(10)) {
        assert.equal(from * width, pieces.reduce((sum, piece) => sum + piece.length, 0));
        pieces.push(data);
      }
      assert.deepEqual(concat(...pieces), whole);
      await assert.rejects(tensor.read(0, tensor.count + 1), LimitError);
      await assert.rejects(tensor.read(-1, 0), LimitError);
    }
  }
});

Deno.test("readF32() widens every type exactly and refuses integers no float holds", async () => {
  const { tensors } = await openWeights(fixture("types.safetensors"));
  const read = async (name: string) => [...await tensors.get(name)!.readF32()];
  for (const name of ["float64", "float32", "float16", "bfloat16"]) {
    assert.deepEqual(await read(name), [-3.5, -3, -2.5, -2, -1.5, -1], name);
  }
  for (const name of ["int64", "int32", "int16", "int8"]) {
    assert.deepEqual(await read(name), [-3, -3, -2, -2, -1, -1], name);
  }
  assert.deepEqual(await read("uint8"), [250, 250, 251, 251, 252, 252]);
  assert.deepEqual(await read("bool"), [1, 0, 1]);
  assert.deepEqual(await read("half_special"), [NaN, Infinity, -0, 2 ** -24, 65504]);
  assert.deepEqual((await read("special")).slice(0, 4), [NaN, Infinity, -Infinity, -0]);
  assert.deepEqual([...toF32(new Uint8Array(new BigUint64Array([2n ** 24n]).buffer), "U64", "x")], [2 ** 24]);
  assert.throws(() => toF32(new Uint8Array(new BigInt64Array([2n ** 24n + 1n]).buffer), "I64", "steps"), DataError);
  assert.throws(() => toF32(new Uint8Array(8), "C64", "wave"), /"wave" as numbers: its type is C64/);
  assert.equal(
    toF32(Uint8Array.from([0xcd, 0x3d]), "BF16", "x")[0],
    new Float32Array(new Uint32Array([0x3dcd0000]).buffer)[0],
  );
  assert.throws(() => new WeightTensor("x", "F4", [3], () => Promise.reject()), LimitError);
  await assert.rejects(new WeightTensor("x", "F4", [4], () => Promise.reject()).read(), /no whole bytes/);
});

Deno.test("openWeights() exposes what a checkpoint holds beside the weights", async () => {
  const weights = await openWeights(fixture("checkpoint.pth"));
  assert.equal(weights.path, "state_dict");
  const tree = weights.tree as Map<string, unknown>;
  assert.deepEqual(
    ["epoch", "best", "done", "none", "big", "negative", "loss", "step", "classes", "tags", 7 as unknown as string].map(
      (key) => tree.get(key),
    ),
    [3, 0.75, false, null, 2n ** 70n, -5, 0.125, 17, ["a", "b"], new Set(["x"]), "seven"],
  );
  assert.deepEqual(tree.get("bytes"), Uint8Array.of(0, 255));
  assert.deepEqual(tree.get("size"), new PickleTuple([2, 3]));
  const args = tree.get("args") as PickleRecord;
  assert.deepEqual([args.type, [...args.fields]], ["argparse.Namespace", [["lr", 1e-4], ["name", "vit"]]]);
  const history = tree.get("history") as NumpyArray;
  assert.deepEqual([history.shape, history.dtype?.code, hex(history.data).length], [[2, 3], "f4", 48]);
  const state = (tree.get("state_dict") as Map<string, unknown>).get("module.fc.weight");
  assert.ok(state instanceof TorchTensor);
  const optimizer = await openWeights(fixture("checkpoint.pth"), { path: "optimizer" });
  assert.ok(optimizer.tensors.has("state.0.exp_avg"), [...optimizer.tensors.keys()].join());
  const whole = await openWeights(fixture("checkpoint.pth"), { path: "" });
  assert.ok(whole.tensors.has("state_dict.module.fc.weight") && whole.tensors.has("optimizer.state.1.step"));
  await assert.rejects(openWeights(fixture("checkpoint.pth"), { path: "ema" }), /key "ema".*epoch, state_dict/);
});

Deno.test("openWeights() puts placeholders for unknown classes only where that is asked for", async () => {
  const global = /byte \d+ names the unsupported global "collections Counter"/;
  await assert.rejects(openWeights(fixture("counter.pth")), global);
  const { tensors } = await openWeights(fixture("counter.pth"), { tolerant: true });
  assert.equal(hex(await tensors.get("w")!.read()), EXPECTED.tensors["counter.pth"]!.w!.hex);
  await assert.rejects(
    openWeights(fixture("complex.pth"), { tolerant: true }),
    /names a persistent id that is no storage/,
  );
  // What a placeholder makes is a placeholder; nothing runs.
  const { tree } = await openWeights(fixture("hostile.pth"), { tolerant: true });
  assert.deepEqual([...(tree as unknown as Map<string, { name: string }>)].map(([key, { name }]) => [key, name]), [[
    "w",
    "posix system",
  ]]);
});

Deno.test("openWeights() says what a file is that it does not read", async () => {
  const made = (content: string | Uint8Array) =>
    fromBytes(typeof content === "string" ? utf8(content) : content, "made");
  const rows: [Parameters<typeof openWeights>[0], RegExp, RegExp?][] = [
    [fixture("legacy.pth"), /legacy\.pth.*PyTorch's legacy format/, /torch\.save/],
    [fixture("old.tar"), /tar archive/],
    [fixture("torchscript.pt"), /TorchScript program/, /state_dict\(\)/],
    [fixture("deflated.pth"), /compressed by deflate, expected stored content/, /torch\.save/],
    [fixture("hostile.pth"), /byte 1\d names the unsupported global "posix system"/],
    [fixture("complex.pth"), /unsupported global "torch ComplexFloatStorage"/],
    [fixture("bare.pkl"), /a bare pickle/],
    [made("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 4\n"), /Git LFS pointer/, /git lfs pull/],
    [made("<!DOCTYPE html><html>"), /an answer of the server/, /licence/],
    [made('{"error":"Access to model x/y is restricted"}'), /an answer of the server/],
    [made("Access to model x/y is restricted."), /an answer of the server/],
    [made(Uint8Array.of(0x1f, 0x8b, 8, 0)), /gzip/],
    [made(""), /begins nothing/],
    [made("\x89PNG\r\n"), /begins bytes c2 89 50/],
    [made("PK\x03\x04, and then nothing"), /end record/, /truncated/],
    [made('{"weight_map":{"a":"b.safetensors"}}'), /index of 1 shards/],
    [made('{"weight_map":{"a":"../b.safetensors"}}'), /puts "a" into "..\/b.safetensors"/],
    [made('{"weight_map":{"a":"x","a":"y"}}'), /byte 23 repeats the key "a"/],
    [made('{"model":1}'), /without weight_map/],
  ];
  for (const [source, message, hint] of rows) {
    await assert.rejects(openWeights(source), (error: unknown) => {
      assert.ok(error instanceof FormatError, String(error));
      assert.match(error.message, message);
      if (hint) assert.match(error.hint ?? "", hint);
      return true;
    });
  }
});

Deno.test("openWeights() refuses damaged bytes by their checksum", async () => {
  for (const file of ["types.pth", "big_endian.pth"]) {
    const zip = await openZip(fixture(file));
    const entry = [...zip.entries.values()].find(({ name }) => name.endsWith("/data/1"))!;
    const damaged = fixtureBytes(file);
    damaged[await locateEntry(zip, entry)]! ^= 4;
    const { tensors } = await openWeights(fromBytes(damaged, file));
    await assert.rejects(Promise.all([...tensors.values()].map((tensor) => tensor.read())), /checksum/);
    await assert.rejects(openWeights(fromBytes(damaged, file), { verify: true }), /checksum/);
  }
});

Deno.test("openWeights() reads a zip64 archive whose entries lie beyond 4 GiB", async () => {
  const [description, ...others] = torchFiles(
    pickle(0x80, 2, "}", "(", text("w"), tensorPickle("0", 6, 2, [2, 2], [1, 2]), "u."),
  );
  const files = [description!, ["x/hole", new Uint8Array(0)] as const, ...others];
  const source = zipSource(files, { zip64: true, hole: 5_000_000_000 });
  assert.ok(source.size > 5_000_000_000);
  const { tensors } = await openWeights(source);
  const bytes = files[3]![1] as Uint8Array;
  assert.equal(
    hex(await tensors.get("w")!.read()),
    hex(concat(bytes.slice(8, 12), bytes.slice(16, 20), bytes.slice(12, 16), bytes.slice(20, 24))),
  );
  const small = await openWeights(fromBytes(await zipBytes(files.toSpliced(1, 1), { zip64: true }), "small"));
  assert.deepEqual(await digests(small.tensors), await digests(tensors));
});

Deno.test("openWeightsFolder() joins shards and names what is amiss with them", async () => {
  const folder = openFolder(new URL("sharded", FIXTURES).pathname);
  const weights = await openWeightsFolder(folder);
  assert.equal(weights.shards.length, 3);
  const expected = EXPECTED.tensors.sharded!;
  assert.equal(weights.tensors.size, Object.keys(expected).length);
  for (const [name, { dtype, shape, sha256: digest }] of Object.entries(expected)) {
    const tensor = weights.tensors.get(name)!;
    assert.deepEqual([tensor.dtype, tensor.shape, sha256(await tensor.read())], [dtype, shape, digest]);
  }
  weights.close();
  const files = new Map<string, Uint8Array>();
  for (const name of await folder.list()) files.set(name, fixtureBytes(`sharded/${name}`));
  const index = JSON.parse(new TextDecoder().decode(files.get("model.safetensors.index.json")!)) as {
    weight_map: Record<string, string>;
  };
  const open = (edit: (map: Record<string, string>, files: Map<string, Uint8Array>) => void) => {
    const copy = new Map(files);
    const map = { ...index.weight_map };
    edit(map, copy);
    copy.set("model.safetensors.index.json", utf8(JSON.stringify({ weight_map: map })));
    return openWeightsFolder(fromMap(copy, "dropped"));
  };
  const name = "embeddings.cls_token";
  await open(() => {});
  await assert.rejects(open((_, files) => files.delete("model-00002-of-00003.safetensors")), DataError);
  await assert.rejects(
    open((map) => map[name] = "model-00003-of-00003.safetensors"),
    /"embeddings.cls_token" lies in model-00002.*expected in model-00003/,
  );
  await assert.rejects(open((map) => delete map[name]), /does not list it/);
  await assert.rejects(open((map) => map.extra = "model-00001-of-00003.safetensors"), /"extra" lies in no shard/);
  await assert.rejects(open((map) => map.extra = "model.safetensors.index.json"), /as weights/);
  await assert.rejects(
    openWeightsFolder(fromMap(new Map([["a.pth", new Uint8Array(1)], ["b.pth", new Uint8Array(1)]]), "two")),
    /found a.pth, b.pth/,
  );
});

Deno.test("openFile() and a Blob give the same as an array, also to readers at the same time", async () => {
  const path = new URL("types.pth", FIXTURES).pathname;
  const bytes = fixtureBytes("types.pth");
  const file = await openFile(path);
  for (const source of [file, fromBlob(new Blob([bytes]), "blob"), fromBytes(bytes, "array")]) {
    assert.equal(source.size, bytes.length);
    const ranges = Array.from({ length: 50 }, (_, i) => [i * 211, (i * 37) % 500] as const);
    const read = await Promise.all(ranges.map(([from, length]) => source.read(from, length)));
    for (const [i, [from, length]] of ranges.entries()) assert.deepEqual(read[i], bytes.slice(from, from + length));
    await assert.rejects(source.read(bytes.length - 1, 2), /end of the file, expected 2 bytes/);
    await assert.rejects(source.read(-1, 2), FormatError);
  }
  const { tensors } = await openWeights(file);
  assert.deepEqual(await digests(tensors), await digests((await openWeights(fixture("types.pth"))).tensors));
  file.close?.();
  await assert.rejects(openFile(`${path}.missing`), /Cannot open .*: no such file/);
  await assert.rejects(openFile(new URL(".", FIXTURES).pathname), /no file/);
  await assert.rejects(openFolder(FIXTURES.pathname).open("../README.md"), /no plain file name/);
});

Deno.test("writeSafetensors() and pthChunks() write what openWeights() reads back, the same bytes each time", async () => {
  const { tensors } = await openWeights(fixture("types.safetensors"));
  const inputs = new Map<string, SafetensorsInput>([["0", { dtype: "U8", shape: [3], data: Uint8Array.of(1, 2, 3) }]]);
  for (const [name, tensor] of tensors) {
    inputs.set(name, { dtype: tensor.dtype, shape: tensor.shape, data: await tensor.read() });
  }
  const bytes = writeSafetensors(inputs, { by: "test" });
  assert.deepEqual(writeSafetensors(inputs, { by: "test" }), bytes);
  const back = await openSafetensors(fromBytes(bytes, "back"));
  assert.equal(back.metadata.by, "test");
  const wanted = Object.fromEntries(
    [...inputs].map(([n, { dtype, shape, data }]) => [n, [dtype, shape, sha256(data)]]),
  );
  assert.deepEqual({ ...await digests(back.tensors) }, wanted);
  const folder = Deno.makeTempDirSync();
  try {
    for (const key of [undefined, "state_dict"]) {
      writeChunksAtomic(`${folder}/x.pth`, pthChunks(inputs, key));
      const weights = await openWeights(await openFile(`${folder}/x.pth`), { verify: true });
      assert.deepEqual([weights.path, { ...await digests(weights.tensors) }], [key ?? "", wanted]);
      weights.close();
    }
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["x.pth"]);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
  assert.throws(
    () => writeSafetensors(new Map([["x", { dtype: "F32", shape: [2], data: new Uint8Array(4) }]])),
    DataError,
  );
  assert.throws(
    () => [...pthChunks(new Map([["x", { dtype: "F32", shape: [2], data: new Uint8Array(4) }]]))],
    DataError,
  );
  assert.throws(
    () => [...pthChunks(new Map([["x", { dtype: "U64", shape: [1], data: new Uint8Array(8) }]]))],
    DataError,
  );
});
