import assert from "node:assert/strict";
import { findEncoder } from "../../../src/models/encoder_registry.ts";
import { RANDOM_PREFIX, randomEncoder } from "../../../src/models/random_encoder.ts";
import { SEAL_CONFIG } from "../../../src/methods/seal/config.ts";
import { visionPart } from "../../../src/train/trainable.ts";

const FOLDER = new URL("../../../data/configs/", import.meta.url);
const names = [...Deno.readDirSync(FOLDER)].map(({ name }) => name).filter((name) => name.endsWith(".yaml")).sort();

Deno.test("the recipes are there", () => {
  for (const name of ["conch.yaml", "her2st.yaml", "her2st-published.yaml", "uni2-h.yaml"]) {
    assert.ok(names.includes(name), name);
  }
});

for (const name of names) {
  Deno.test(`recipe ${name} reads, says what it does and how it is run, and fits its encoder`, () => {
    const text = Deno.readTextFileSync(new URL(name, FOLDER));
    const { config, unused } = SEAL_CONFIG.read([{ name, text }]);
    assert.deepEqual(unused, []);
    const head = text.slice(0, text.search(/^[^#]/m));
    assert.match(head, new RegExp(`deno task train --config data/configs/${name.replaceAll(".", "\\.")}`));
    assert.ok(head.length > 200);
    const { encoder } = config.input;
    // A folder that a command of the head makes: what its script writes.
    const made = encoder.includes("/") && !encoder.startsWith(RANDOM_PREFIX);
    if (made) assert.match(head, new RegExp(`scripts/her2st/public_weights\\.py ${encoder}\n`));
    const spec = made
      ? findEncoder("dinov2-s")
      : encoder.startsWith(RANDOM_PREFIX)
      ? randomEncoder(encoder).spec
      : findEncoder(encoder);
    const part = visionPart(config, spec);
    assert.notEqual(part.training, "frozen");
    assert.deepEqual(SEAL_CONFIG.read([{ name, text: SEAL_CONFIG.write(config) }]).config, config);
  });
}

Deno.test("the recipes adapt as many blocks as the published weights", () => {
  const targets = (name: string) => {
    const text = Deno.readTextFileSync(new URL(name, FOLDER));
    const { config } = SEAL_CONFIG.read([{ name, text }]);
    return visionPart(config, findEncoder(config.input.encoder)).targets;
  };
  assert.deepEqual(
    targets("conch.yaml"),
    ["attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"].map((layer) => `trunk.blocks.11.${layer}`),
  );
  assert.deepEqual([...new Set(targets("uni2-h.yaml").map((layer) => layer.split(".")[1]))], ["21", "22", "23"]);
});
