/** `verify` with SEAL's keys: what they choose is in the plans that are proved. @seconds 15 */

import assert from "node:assert/strict";
import { readOwnData } from "../../../src/cli/verify_data.ts";
import { seal } from "../../cli/command.ts";
import { FIXTURES, inFolder } from "../../cli/shared.ts";

Deno.test("verify proves the loss that a key chooses, with the genes of a HEST folder", () =>
  inFolder(async (folder) => {
    const made = await seal("synth", "--out", `${folder}/data`, "--profile", "smoke", "--quiet");
    assert.equal(made.code, 0, made.err);
    const { genes } = await readOwnData(`${folder}/data`);
    const words = ["--encoder", `${FIXTURES}configs/timm_avg`, "--batch-size", "2", "--kernels", "gpu", "--quiet"];
    const more = ["gene_loss=mmd", "--data", `${folder}/data`, "--out", `${folder}/v.json`];
    const { code, out, err } = await seal("verify", ...words, ...more);
    assert.equal(code, 0, err + out);
    assert.match(out, /^SEAL beside PyTorch\n {2}gpu kernels: losses of 30 steps within/m);
    assert.match(out, /^ {2}mmd_kernel .* f64 .* ok$/m);
    const { kernels } = JSON.parse(await Deno.readTextFile(`${folder}/v.json`)) as { kernels: { shapes: string }[] };
    assert.ok(kernels.some(({ shapes }) => new RegExp(`\\b${genes}\\b`).test(shapes)));
  }));

Deno.test("verify refuses a key of SEAL that is misspelt, and the one that a flag stands for", async () => {
  const key = await seal("verify", "gene_los=mmd");
  assert.equal(key.code, 2);
  assert.match(key.err, /did you mean gene_loss/);
  const twice = await seal("verify", "encoder=uni");
  assert.equal(twice.code, 2);
  assert.match(twice.err, /--encoder NAME/);
});
