/** `verify` from the command line: one page, one JSON file, exit statuses. @seconds 50 */

import assert from "node:assert/strict";
import { imagesFrom, readOwnData } from "../../src/cli/verify_data.ts";
import { DEFAULT_METHOD, loadMethod } from "../../src/methods/index.ts";
import { seal } from "./command.ts";

const { proof } = await loadMethod(DEFAULT_METHOD);
const SMALL = ["--encoder", "random:vit-s16?dim=32&depth=1&heads=1&img=32", "--genes", "12", "--batch-size", "2"];

Deno.test("verify proves the kernels for GPUs on this adapter and writes a record to attach", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { code, out: stdout, err: stderr } = await seal(
      "verify",
      ...SMALL,
      "--kernels",
      "gpu",
      "--quiet",
      "--out",
      `${folder}/v.json`,
    );
    assert.equal(code, 0, stderr + stdout);
    assert.match(stdout, /all checks passed/);
    if (proof) {
      assert.match(stdout, /gpu kernels: losses of 30 steps within \d\.\de-\d+/);
      assert.ok(!stdout.includes("left out"), stdout);
    } else assert.match(stdout, new RegExp(`left out: training: method ${DEFAULT_METHOD} brings no steps`));
    assert.match(stdout, /^ {2}gpu +random:virchow2\S+ +f16 +2 images +0\.999999\d+ +\d\.\de-3 +ok$/m);
    assert.match(stdout, /^ {2}matmul_nt .* barrier-free, f64 .* ok$/m);
    const record = JSON.parse(await Deno.readTextFile(`${folder}/v.json`));
    assert.equal(record.ok, true);
    assert.ok(record.kernels.length > (proof ? 40 : 10), `${record.kernels.length} kernels`);
    assert.equal(record.vectors.length, 10);
    assert.ok(record.vectors.every(({ cosine }: { cosine: number }) => cosine > 0.9999));
    assert.ok(record.numerics.functions.length > 5 && record.rates.copyBytesPerSecond > 0 && record.version);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("verify refuses what it does not know before it opens a device", async () => {
  const unknown = await seal("verify", "--encoder", "conhc");
  assert.equal(unknown.code, 2);
  assert.match(unknown.err, /Did you mean conch/);
  const key = await seal("verify", "seeed=1");
  assert.equal(key.code, 2);
  assert.match(key.err, /did you mean seed/);
  const nowhere = await seal("verify", "--out", "/dev/null/v.json");
  assert.equal(nowhere.code, 2);
});

const FIXTURES = new URL("../fixtures/", import.meta.url).pathname;
const AGAINST = ["verify", "--quiet", "--encoder", `${FIXTURES}configs/timm_avg`, "--kernels", "gpu", "--against"];

Deno.test("verify --against compares features with PyTorch's: a page, a record, status 3 for a fault", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const file = `${FIXTURES}parity/timm_avg.safetensors`;
    const same = await seal(...AGAINST, file, "--out", `${folder}/v.json`);
    assert.equal(same.code, 0, same.err + same.out);
    assert.match(same.out, /features are PyTorch's/);
    assert.match(same.out, /^ {2}gpu +larger 0 +41 x 41 +(1\.0|0\.99999999).* ok$/m);
    const record = JSON.parse(await Deno.readTextFile(`${folder}/v.json`));
    assert.equal(record.ok, true);
    assert.equal(record.tiles.length, 5);
    assert.equal(record.facts.library, "timm");
    const config = await Deno.readTextFile(`${FIXTURES}configs/timm_avg/config.json`);
    await Deno.copyFile(`${FIXTURES}configs/timm_avg/model.safetensors`, `${folder}/model.safetensors`);
    await Deno.writeTextFile(`${folder}/config.json`, config.replace("bicubic", "bilinear"));
    const other = await seal("verify", "--quiet", "--encoder", folder, "--kernels", "gpu", "--against", file);
    assert.match(other.out, /NOT all features are PyTorch's[^]*FAULT; they part at pixels/);
    assert.equal(other.code, 3);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** Folders of every kind the kit takes: what is given as the encoder and its adapter, by the name of the file. */
const KINDS: Readonly<Record<string, readonly string[]>> = {
  timm_avg_48: ["--encoder", `${FIXTURES}configs/timm_avg`],
  vit_clip_48: ["--encoder", `${FIXTURES}configs/vit_clip`],
  timm_patterns: [
    "--encoder",
    `${FIXTURES}adapters/timm_patterns`,
    "--adapter",
    `${FIXTURES}adapters/timm_patterns/adapter`,
  ],
  shards: ["--encoder", `${FIXTURES}parity/shards`],
};

for (const name of [...Object.keys(KINDS), "conch"]) {
  Deno.test(`verify --against finds features of a folder PyTorch's: ${name}`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      // CONCH's own folder has no configuration, by which heads of so small a width would be known.
      await Deno.copyFile(`${FIXTURES}encoders/conch_v1/pytorch_model.bin`, `${folder}/pytorch_model.bin`);
      await Deno.copyFile(`${FIXTURES}parity/conch/config.json`, `${folder}/config.json`);
      const encoder = KINDS[name] ?? ["--encoder", folder];
      const against = `${FIXTURES}parity/${name}.safetensors`;
      const { code, out, err } = await seal(
        "verify",
        "--quiet",
        "--kernels",
        "gpu",
        ...encoder,
        "--against",
        against,
        "--json",
      );
      assert.equal(code, 0, err + out);
      const { tiles } = JSON.parse(out);
      assert.equal(tiles.length, 5);
      for (const { cosine, difference, pixels, parts } of tiles) {
        assert.ok(cosine > 0.9999999 && difference < 1e-5);
        assert.deepEqual(pixels, { levels: 0, differ: 0 });
        assert.equal(parts, undefined);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

Deno.test("verify --against refuses other weights, and flags that need it are refused alone", async () => {
  const other = await seal(...AGAINST, `${FIXTURES}parity/vit_clip.safetensors`);
  assert.equal(other.code, 2);
  assert.match(other.err, /the SHA-256 of its weights is [0-9a-f]{12}…, and the file was made with [0-9a-f]{12}/);
  const none = await seal(...AGAINST, `${FIXTURES}parity/none.safetensors`);
  assert.equal(none.code, 4);
  for (const flag of [["--adapter", "x"], ["--precision", "f16"]]) {
    const alone = await seal("verify", ...flag);
    assert.equal(alone.code, 2);
    assert.match(alone.err, /--against FILE/);
  }
  const empty = await Deno.makeTempDir();
  const folder = await seal("verify", "--encoder", empty);
  await Deno.remove(empty);
  assert.equal(folder.code, 4, folder.err);
});

Deno.test("verify of an encoder's folder and images of a HEST folder: they are in the plans, and that no features were compared is said", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const made = await seal("synth", "--out", `${folder}/data`, "--profile", "smoke", "--quiet");
    assert.equal(made.code, 0, made.err);
    const { images, side, genes } = await readOwnData(`${folder}/data`);
    assert.ok(side! > 16 && genes! > 10);
    const [small, again] = [images(70, 16), images(70, 16)];
    assert.deepEqual(small, again);
    assert.equal(small.length, 70 * 16 * 16 * 3);
    assert.ok(new Set(small).size > 50);
    // A slide of this profile has 36 spots: they come over and over.
    assert.deepEqual(small.slice(0, 768), small.slice(36 * 768, 37 * 768));
    const { code, out, err } = await seal(
      "verify",
      "--encoder",
      `${FIXTURES}configs/timm_avg`,
      "--batch-size",
      "2",
      "--kernels",
      "gpu",
      "--quiet",
      "--data",
      `${folder}/data`,
      "--out",
      `${folder}/v.json`,
    );
    assert.equal(code, 0, err + out);
    assert.match(out, /^Kernels of timm_avg \(\d+ texts and shapes/m);
    assert.match(out, /the features of \S+timm_avg were compared with no reference/);
    assert.match(out, /parity_kit\.py \S+timm_avg/);
    const { kernels } = JSON.parse(await Deno.readTextFile(`${folder}/v.json`)) as {
      kernels: { plan: string }[];
    };
    assert.ok(kernels.some(({ plan }) => plan.includes(`images of ${side} px`)));
    const none = await seal("verify", "--data", `${folder}/none`);
    assert.equal(none.code, 4);
    assert.match(none.err, /there is no such file or folder/);
    const both = await seal("verify", "--data", folder, "--against", "x");
    assert.equal(both.code, 2);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("images of another size take the nearest pixels", () => {
  const data = Uint8Array.from({ length: 4 * 2 * 3 }, (_, i) => i);
  const images = imagesFrom([{ width: 4, height: 2, data }]);
  assert.deepEqual([...images(1, 2)], [3, 4, 5, 9, 10, 11, 15, 16, 17, 21, 22, 23]);
  assert.deepEqual([...images(2, 1)], [18, 19, 20, 18, 19, 20]);
});
