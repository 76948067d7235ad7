/** The module's encoders: what a user of the package sees, on images in every form they come in. */

import assert from "node:assert/strict";
import { encodePng } from "../../src/io/image/png_write.ts";
import { loadEncoder } from "../../src/module/encoder.ts";
import { listEncoders } from "../../src/module/image_encoder.ts";
import type { RgbImage } from "../../src/io/image/rgb_image.ts";
import { train } from "../../src/module/train.ts";
import { openGpu } from "../gpu/shared.ts";

const gpu = await openGpu();
const folder = Deno.makeTempDirSync({ prefix: "module_" });
Deno.test.afterAll(() => {
  gpu.destroy();
  Deno.removeSync(folder, { recursive: true });
});

const NAME = "random:vit_small_patch16_224?dim=32&depth=2&heads=2&img=32&seed=3";

function image(side: number, seed: number): RgbImage {
  const data = Uint8Array.from({ length: side * side * 3 }, (_, i) => (i * 31 + seed * 97 + ((i * i) >> 7)) & 255);
  return { width: side, height: side, data };
}

Deno.test("encoders are listed with what a user decides by", () => {
  const all = listEncoders();
  assert.ok(all.length >= 20);
  const uni = all.find(({ name }) => name === "uni")!;
  assert.deepEqual([uni.dim, uni.imageSize, uni.gated], [1024, 224, true]);
  assert.ok(all.every(({ licence, repository, mpp }) => licence && repository && mpp > 0));
  const tissue = listEncoders({ pathology: true }).map(({ name }) => name);
  assert.ok(["uni", "uni2-h", "conch_v1"].every((name) => tissue.includes(name)));
  const others = listEncoders({ pathology: false }).map(({ name }) => name);
  assert.ok(others.every((name) => /^(dinov2|vit)-/.test(name)) && others.length + tissue.length === all.length);
  assert.ok(listEncoders({ gated: true }).every(({ gated }) => gated));
});

Deno.test("an image has one embedding, in whatever form, batch and company it comes", async () => {
  using encoder = await loadEncoder(NAME, { gpu, batchSize: 3 });
  assert.deepEqual([encoder.dim, encoder.input.size], [32, 32]);
  const images = [image(32, 1), image(48, 2), image(48, 3), image(32, 4), image(32, 5), image(32, 6), image(32, 7)];
  const all = await encoder.embed(images);
  assert.deepEqual([all.rows, all.dim, all.data.length], [7, 32, 7 * 32]);
  const png = encodePng({ ...images[1]!, data: images[1]!.data as Uint8Array<ArrayBuffer> });
  const path = `${folder}/one.png`;
  Deno.writeFileSync(path, png);
  const forms = [images[1]!, png, png.buffer.slice(png.byteOffset, png.byteOffset + png.length), new Blob([png]), path];
  for (const form of forms) {
    const { data } = await encoder.embed(form as RgbImage);
    assert.deepEqual(data, all.data.slice(32, 64));
  }
  for (const [i, one] of images.entries()) {
    assert.deepEqual((await encoder.embed(one)).data, all.data.slice(i * 32, (i + 1) * 32), `image ${i} alone`);
  }
  assert.ok(all.data.every(Number.isFinite));
});

Deno.test("a stream gives rows in order as they are read back, two at once do not mix, and leaving one early is no error", async () => {
  using encoder = await loadEncoder(NAME, { gpu, batchSize: 128 });
  function* many(from: number): Generator<RgbImage> {
    for (let i = 0; i < 600; i++) yield image(32, (from + i) % 9);
  }
  const collect = async (from: number): Promise<Float32Array[]> => {
    const rows: Float32Array[] = [];
    for await (const { data, dim } of encoder.embedStream(many(from))) {
      for (let at = 0; at < data.length; at += dim) rows.push(data.slice(at, at + dim));
    }
    return rows;
  };
  const [a, b] = await Promise.all([collect(0), collect(4)]);
  assert.equal(a.length, 600);
  assert.deepEqual(a.slice(4, 100), b.slice(0, 96));
  assert.deepEqual(a[0], a[9]);
  for await (const part of encoder.embedStream(many(0))) {
    assert.ok(part.rows > 0 && part.rows < 600);
    break;
  }
  assert.deepEqual((await encoder.embed(image(32, 0))).data, a[0]);
});

Deno.test("an encoder may be used while one of its streams is read, by its source and by its reader", async () => {
  using encoder = await loadEncoder(NAME, { gpu, batchSize: 3 });
  const alone = (await encoder.embed([image(32, 1), image(32, 2)])).data;
  async function* source(): AsyncGenerator<RgbImage> {
    for (let i = 0; i < 600; i++) {
      if (i % 200 === 7) assert.deepEqual((await encoder.embed([image(32, 1), image(32, 2)])).data, alone);
      yield image(i % 50 === 3 ? 48 : 32, 1);
    }
  }
  const first = alone.slice(0, 32);
  let rows = 0;
  for await (const part of encoder.embedStream(source())) {
    assert.deepEqual((await encoder.embed(image(32, 2))).data, alone.slice(32));
    for (let i = 0; i < part.rows; i++) {
      const row = part.data.slice(i * 32, (i + 1) * 32);
      if ((rows + i) % 50 === 3) assert.notDeepEqual(row, first);
      else assert.deepEqual(row, first);
    }
    rows += part.rows;
  }
  assert.equal(rows, 600);
});

Deno.test("closed while it embeds, an encoder ends what is on the device, refuses the rest, and frees everything once", async () => {
  for (const wait of [0, 1, 3]) {
    const encoder = await loadEncoder(NAME, { gpu, batchSize: 4 });
    const told = (error: Error) => `${error.name}: ${error.message}`;
    const rows = ({ rows }: { rows: number }) => rows;
    const all = [1, 2, 3].map((seed) =>
      encoder.embed(Array.from({ length: 300 }, () => image(32, seed))).then(rows, told)
    );
    for (let i = 0; i < wait; i++) await new Promise((resolve) => setTimeout(resolve, 1));
    encoder.close();
    for (const said of await Promise.all(all)) {
      assert.ok(said === 300 || /^ConfigError: Cannot use .*closed/.test(String(said)), String(said));
    }
  }
  const encoder = await loadEncoder(NAME, { gpu, batchSize: 4 });
  const broken = [image(32, 1), new Uint8Array(9), image(32, 1)] as (RgbImage | Uint8Array)[];
  const [bad, good] = await Promise.allSettled([encoder.embed(broken as RgbImage[]), encoder.embed(image(32, 1))]);
  assert.deepEqual([bad!.status, good!.status], ["rejected", "fulfilled"]);
  async function* failing(): AsyncGenerator<RgbImage> {
    for (let i = 0; i < 300; i++) yield image(32, i % 7);
    throw new RangeError("the source failed");
  }
  await assert.rejects(Array.fromAsync(encoder.embedStream(failing())), { name: "RangeError" });
  assert.equal((await encoder.embed(image(32, 1))).rows, 1);
  encoder.close();
  gpu.check();
});

Deno.test("an encoder prepared on a device that is gone says so", async () => {
  const own = await openGpu();
  const encoder = await loadEncoder(NAME, { gpu: own });
  assert.equal((await encoder.embed(image(32, 1))).rows, 1);
  own.destroy();
  await assert.rejects(encoder.embed(image(32, 1)), { name: "DeviceError" });
  await assert.rejects(loadEncoder(NAME, { gpu: own }), { name: "DeviceError" });
  encoder.close();
});

Deno.test("an encoder is prepared as the files beside its weights say", async () => {
  using encoder = await loadEncoder("data/demo/encoder", { gpu });
  const own = `${folder}/own`;
  Deno.mkdirSync(own);
  for (const { name } of Deno.readDirSync("data/demo/encoder")) {
    Deno.copyFileSync(`data/demo/encoder/${name}`, `${own}/${name}`);
  }
  const config = JSON.parse(Deno.readTextFileSync(`${own}/config.json`));
  const told = config.pretrained_cfg ?? config;
  told.mean = [0.1, 0.2, 0.3];
  told.std = [0.4, 0.5, 0.6];
  Deno.writeTextFileSync(`${own}/config.json`, JSON.stringify(config));
  using changed = await loadEncoder(own, { gpu });
  assert.deepEqual([changed.input.mean, changed.input.std], [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]);
  const [a, b] = [await encoder.embed(image(64, 1)), await changed.embed(image(64, 1))];
  assert.notDeepEqual(a.data, b.data);
});

Deno.test("training takes an encoder that is loaded by a name, and refuses what it cannot read again", async () => {
  const bytes = (name: string) => Deno.readFileSync(`data/demo/encoder/${name}`);
  const config = JSON.parse(new TextDecoder().decode(bytes("config.json")));
  using inHand = await loadEncoder({ weights: bytes("model.safetensors"), config }, { gpu });
  using pooled = await loadEncoder(NAME, { gpu, pooling: "mean" });
  const out = `${folder}/none`;
  for (const encoder of [inHand, pooled]) {
    await assert.rejects(train("seal", { gpu, encoder, out }), { name: "ConfigError", hint: /folder of its weights/ });
  }
  // deno-lint-ignore no-explicit-any
  await assert.rejects(train("seal", { gpu, encoder: {} as any, out }), { name: "ConfigError", hint: /"conch"/ });
  assert.throws(() => Deno.statSync(out), Deno.errors.NotFound);
});

Deno.test("wrong use is told with its mend, and leaves the encoder in use", async () => {
  await assert.rejects(loadEncoder("conhc", { gpu }), { name: "ConfigError", code: "encoder-unknown", hint: /conch/ });
  await assert.rejects(loadEncoder(NAME, { gpu, batchSize: 0 }), /batchSize is 0/);
  const encoder = await loadEncoder(NAME, { gpu });
  const rgba = { width: 32, height: 32, data: new Uint8Array(32 * 32 * 4) };
  await assert.rejects(encoder.embed(rgba), { name: "DataError", hint: /alpha/ });
  const cut = { ...image(32, 1), width: 31 };
  await assert.rejects(encoder.embed([image(32, 1), cut]), { name: "DataError", message: /image 1: 3072 bytes/ });
  await assert.rejects(encoder.embed(new Uint8Array(20)), { name: "FormatError" });
  await assert.rejects(encoder.embed({ width: 0, height: 3, data: new Uint8Array() }), /width 0/);
  assert.equal((await encoder.embed(image(32, 1))).rows, 1);
  assert.deepEqual((await encoder.embed([])).rows, 0);
  encoder.close();
  encoder.close();
  await assert.rejects(encoder.embed(image(32, 1)), { name: "ConfigError", hint: /loadEncoder/ });
  assert.throws(() => encoder.inner, /closed/);
});
