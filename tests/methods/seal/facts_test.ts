/** Facts of a SEAL run, and how its data are read. */

import assert from "node:assert/strict";
import { SEAL_CONFIG } from "../../../src/methods/seal/config.ts";
import { readOptions } from "../../../src/train/pair_data.ts";
import { stagesOf } from "../../../src/methods/seal/facts.ts";

Deno.test("stages end where logs say", () => {
  const log = '{"step":4,"stage":"warmup"}\n{"step":9,"stage":"warmup"}\n{"step":10,"stage":"align"}\n';
  assert.deepEqual(stagesOf(log, 30).map(({ from, to }) => [from, to]), [[0, 9], [9, 30]]);
  assert.deepEqual(stagesOf("", 3).map(({ from, to }) => [from, to]), [[0, 3]]);
  assert.deepEqual(stagesOf(log, 9).map(({ from, to }) => [from, to]), [[0, 9]]);
});

Deno.test("where counts are is a key, and what is said besides wins", () => {
  const { config } = SEAL_CONFIG.read([], [["counts", "layers/counts"], ["drop_bad_spots", "true"]]);
  const { counts, dropBadSpots, dropUnknownPatches } = readOptions(config).load ?? {};
  assert.deepEqual([counts, dropBadSpots, dropUnknownPatches], ["layers/counts", true, false]);
  const more = readOptions(config, { counts: "raw", dropUnknownPatches: true }).load ?? {};
  assert.deepEqual([more.counts, more.dropBadSpots, more.dropUnknownPatches], ["raw", true, true]);
});
