/** What commands read beside weights, say of it, and store with features. */

import assert from "node:assert/strict";
import { openEncoderSource } from "../../src/run/encoder.ts";
import { openFeatures } from "../../src/io/features.ts";
import { disk } from "../../src/io/fs.ts";
import { FIXTURES, inFolder, seal } from "./shared.ts";

const CONFIGS = `${FIXTURES}configs/`;

async function attributesOf(path: string): Promise<Record<string, unknown>> {
  const file = await openFeatures(disk.open(path, "read"));
  try {
    return file.attributes as Record<string, unknown>;
  } finally {
    file.close();
  }
}

Deno.test("embed prints and stores how tiles were prepared and what was assumed", async () => {
  await inFolder(async (folder) => {
    const bare = `${folder}/bare`;
    Deno.mkdirSync(bare);
    for (const name of ["model.safetensors", "config.json"]) {
      Deno.copyFileSync(`${CONFIGS}vit_squash/${name}`, `${bare}/${name}`);
    }
    const image = `${FIXTURES}h5/v1.h5`;
    const embed = async (encoder: string, ...rest: string[]) => {
      const answer = await seal(
        "embed",
        image,
        "--encoder",
        encoder,
        "--out",
        `${folder}/f.h5`,
        "--overwrite",
        ...rest,
      );
      return { ...answer, read: () => attributesOf(`${folder}/f.h5`) };
    };
    const assumed = await embed(bare, "--quiet", "--json");
    assert.equal(assumed.code, 0, assumed.err);
    assert.match(assumed.err, /warning: bare: assumed: mean and standard deviation are ImageNet's; the input is 32 px/);
    const stored = await assumed.read();
    assert.match(String(stored["assumed"]), /ImageNet's/);
    assert.match(String(stored["preparation"]), /^shorter side to 32 px, bicubic; crop of 32 px; mean 0\.485/);
    assert.deepEqual(JSON.parse(assumed.out).assumed.length, 4);
    // With the preprocessor's file nothing is left to assume.
    const told = await embed(`${CONFIGS}vit_squash`);
    assert.equal(told.code, 0, told.err);
    assert.ok(!told.err.includes("assumed"), told.err);
    assert.match(told.err, /vit_squash: cls, 24 features; both sides to 32 px, bilinear/);
    const known = await told.read();
    assert.deepEqual([known["assumed"], known["input_size"]], ["nothing", 32]);
    const larger = await embed(`${CONFIGS}vit_squash`, "--image-size", "48");
    assert.equal(larger.code, 0, larger.err);
    assert.equal((await larger.read())["input_size"], 48);
    const odd = await embed(`${CONFIGS}vit_squash`, "--image-size", "47");
    assert.equal(odd.code, 2);
    assert.match(odd.err, /images of 47 px: its patches are 8 px, wanted a multiple[^]*40 and 48/);
  });
});

Deno.test("embed stops at a configuration it cannot follow, naming file and key, and writes nothing", async () => {
  await inFolder(async (folder) => {
    const cases: [string, string, Record<string, unknown>, number, RegExp][] = [
      ["vit_squash", "config.json", { hidden_act: "relu" }, 5, /config\.json: hidden_act is "relu"/],
      ["vit_squash", "preprocessor_config.json", { resample: 1 }, 5, /preprocessor_config\.json: resample is 1/],
      [
        "vit_squash",
        "preprocessor_config.json",
        { image_std: [1, 2] },
        4,
        /image_std is \[1,2\], wanted three numbers/,
      ],
      ["timm_avg", "config.json", { model_args: { global_pool: "max" } }, 5, /global_pool is "max"/],
    ];
    const answers = await Promise.all(cases.map(async ([name, file, change], i) => {
      const encoder = `${folder}/${i}`;
      Deno.mkdirSync(encoder);
      for (const { name: each } of Deno.readDirSync(`${CONFIGS}${name}`)) {
        Deno.copyFileSync(`${CONFIGS}${name}/${each}`, `${encoder}/${each}`);
      }
      const config = JSON.parse(Deno.readTextFileSync(`${encoder}/${file}`));
      Deno.writeTextFileSync(`${encoder}/${file}`, JSON.stringify({ ...config, ...change }));
      return await seal("embed", `${FIXTURES}h5/v1.h5`, "--encoder", encoder, "--out", `${folder}/out/f.h5`);
    }));
    cases.forEach(([, , , status, message], i) => {
      assert.equal(answers[i]!.code, status, answers[i]!.err);
      assert.match(answers[i]!.err, message);
    });
    assert.equal(disk.look(`${folder}/out/f.h5`), undefined);
    Deno.writeTextFileSync(`${folder}/0/config.json`, "{");
    const broken = await seal("inspect", `${folder}/0`);
    assert.equal(broken.code, 4);
    assert.match(broken.err, /Cannot read .*config\.json/);
  });
});

Deno.test("inspect prints preparation, embedding and what is assumed", async () => {
  const [text, json] = await Promise.all([
    seal("inspect", `${CONFIGS}timm_fc_norm`),
    seal("inspect", `${CONFIGS}dinov2_bit`, "--json"),
  ]);
  assert.match(text.out, /embedding +mean, 24 features/);
  assert.match(text.out, /preparation +shorter side to 40 px, bilinear; crop of 32 px; mean 0\.7 0\.58 0\.7/);
  const { encoder } = JSON.parse(json.out);
  assert.deepEqual([encoder.assumed, encoder.pooling, encoder.input.size], [[], "cls", 32]);
  assert.match(encoder.preparation, /^shorter side to 37 px, bicubic; crop of 32 px \(place rounded down\)/);
});

Deno.test("of the hub's encoders both configurations are read where they are there", async () => {
  await inFolder(async (cache) => {
    const commit = "0123456789abcdef0123456789abcdef01234567";
    const repo = `${cache}/models--facebook--dinov2-small`;
    const snapshot = `${repo}/snapshots/${commit}`;
    Deno.mkdirSync(`${repo}/refs`, { recursive: true });
    Deno.mkdirSync(snapshot, { recursive: true });
    Deno.writeTextFileSync(`${repo}/refs/main`, commit);
    const put = (name: string) => Deno.copyFileSync(`${CONFIGS}dinov2_bit/${name}`, `${snapshot}/${name}`);
    const before = ["HF_HUB_CACHE", "HF_HUB_OFFLINE"].map((name) => [name, Deno.env.get(name)] as const);
    Deno.env.set("HF_HUB_CACHE", cache);
    Deno.env.set("HF_HUB_OFFLINE", "1");
    try {
      put("model.safetensors");
      const alone = await openEncoderSource("dinov2-s");
      alone.weights.close();
      assert.deepEqual(alone.facts, []);
      put("config.json");
      put("preprocessor_config.json");
      const { facts, weights, spec } = await openEncoderSource("dinov2-s");
      weights.close();
      assert.equal(spec?.name, "dinov2-s");
      assert.deepEqual([facts[0]?.heads, facts[0]?.input?.size, facts[0]?.input?.resize], [3, 32, 37]);
    } finally {
      for (const [name, value] of before) value === undefined ? Deno.env.delete(name) : Deno.env.set(name, value);
    }
  });
});
