/** `verify` from the command line: one page, one JSON file, exit statuses. */

import assert from "node:assert/strict";
import { seal } from "./command.ts";

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
    assert.match(stdout, /gpu kernels: losses of 30 steps within \d\.\de-\d+/);
    assert.match(stdout, /^ {2}matmul_nt .* barrier-free, f64 .* ok$/m);
    const record = JSON.parse(await Deno.readTextFile(`${folder}/v.json`));
    assert.equal(record.ok, true);
    assert.ok(record.kernels.length > 40);
    assert.ok(record.numerics.functions.length > 5 && record.rates.copyBytesPerSecond > 0 && record.version);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("verify refuses what it does not know before it opens a device", async () => {
  const unknown = await seal("verify", "--encoder", "conhc");
  assert.equal(unknown.code, 2);
  assert.match(unknown.err, /Did you mean conch/);
  const nowhere = await seal("verify", "--out", "/dev/null/v.json");
  assert.equal(nowhere.code, 2);
});
