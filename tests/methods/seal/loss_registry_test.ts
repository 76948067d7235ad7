/** Registries of losses: each has a case, and its keys are those of the configuration. */

import assert from "node:assert/strict";
import { type Key, type Keys, ordered, withKeysOf } from "../../../src/core/config_key.ts";
import { ConfigError } from "../../../src/core/errors.ts";
import { CONTRASTIVE_LOSSES, CONTRASTIVE_NAMES, GENE_LOSS_NAMES, GENE_LOSSES } from "../../../src/losses/registry.ts";
import { SEAL_CONFIG, type SealConfig } from "../../../src/methods/seal/config.ts";
import { index } from "../../cases/index.gen.ts";

/** Whether two types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;

Deno.test("every loss has a row in a table of cases that starts with its name", () => {
  const rows = Object.values(index).flatMap((cases) => cases.map(({ name }) => name));
  for (const name of [...GENE_LOSS_NAMES, ...CONTRASTIVE_NAMES]) {
    assert.ok(rows.some((row) => row.startsWith(`${name} `)), `no case of ${name}`);
  }
});

Deno.test("choices and keys of the configuration are those of the registries, and typed as they are", () => {
  const { gene_loss, contrast_method } = SEAL_CONFIG.table.loss;
  assert.deepEqual([gene_loss.of, contrast_method.of], [Object.keys(GENE_LOSSES), Object.keys(CONTRASTIVE_LOSSES)]);
  const keys: Keys = SEAL_CONFIG.table.loss;
  for (const entry of [...Object.values(GENE_LOSSES), ...Object.values(CONTRASTIVE_LOSSES)]) {
    for (const [name, key] of Object.entries(entry.keys as Keys)) assert.equal(keys[name], key, name);
  }
  type Loss = SealConfig["loss"];
  const typed: [
    Same<Loss["contrast_method"], keyof typeof CONTRASTIVE_LOSSES>,
    Same<Loss["gene_loss"], keyof typeof GENE_LOSSES>,
    Same<Loss["cca_form"], "nuclear" | "trace">,
    Same<Loss["target_temperature"], number | null>,
  ] = [true, true, true, true];
  assert.equal(typed.length, 4);
});

Deno.test("rows of a written configuration keep their order, wherever they come from", () => {
  assert.deepEqual(Object.keys(SEAL_CONFIG.read().config.loss).slice(0, 16), [
    ...["gene_loss", "contrast_method", "lambda_contrast", "lambda_recon_gene", "lambda_recon_img", "lambda_cca"],
    ...["lambda_da", "l2_norm", "temperature", "trainable_temperature", "target_temperature", "detach_targets"],
    ...["s2l_squared", "cca_reg", "cca_form", "barlow_lambda"],
  ]);
  const key: Key = { kind: "flag", default: true, doc: "" };
  assert.deepEqual(Object.keys(ordered(["c", "a"], { a: key, b: key, c: key, d: key })), ["c", "a", "b", "d"]);
});

Deno.test("a key that is there already is refused by name", () => {
  const key: Key = { kind: "flag", default: true, doc: "" };
  const one = { keys: { width: key } };
  assert.deepEqual(Object.keys(withKeysOf({ depth: key }, { one })), ["depth", "width"]);
  for (const make of [() => withKeysOf({ width: key }, { one }), () => withKeysOf({}, { zero: one, one })]) {
    assert.throws(make, (error) => error instanceof ConfigError && /the key width of one/.test(error.message));
  }
});
