/** Hints of the command line as options of the module's functions. */

import assert from "node:assert/strict";
import { DataError } from "../../src/core/errors.ts";
import { forPrograms, optionsOf } from "../../src/module/hints.ts";

Deno.test("keys and flags of a hint become options, commands stay", () => {
  const wanted = {
    "drop_missing=true leaves them out": "config: { drop_missing: true } leaves them out",
    "val_fraction=0.1, or early_stop_patience=0":
      "config: { val_fraction: 0.1 }, or config: { early_stop_patience: 0 }",
    "expression=FILE.csv gene_sets=FILE.gmt": 'config: { expression: "FILE.csv", gene_sets: "FILE.gmt" }',
    "Bring them back, or begin anew with --overwrite": "Bring them back, or begin anew with overwrite: true",
    "case_slides=mean takes each slide by itself": 'config: { case_slides: "mean" } takes each slide by itself',
    "Divide cases: deno task split --by case": "Divide cases: deno task split --by case",
    "No tissue was found on that slide": "No tissue was found on that slide",
    "Pass --data DIR, or no argument at all for the demo": 'Pass data: "DIR", or no argument at all for the demo',
    "Make room on the disk, or pass another --out": "Make room on the disk, or pass another out",
    "Convert it: vips tiffsave IN OUT.tif --tile --compression jpeg --Q 90":
      "Convert it: vips tiffsave IN OUT.tif --tile --compression jpeg --Q 90",
  };
  for (const [hint, own] of Object.entries(wanted)) assert.equal(optionsOf(hint, { config: true }), own);
});

Deno.test("where nothing is trained flags become options of the call", () => {
  const wanted = {
    "It has --checkpoint last": 'It has checkpoint: "last"',
    "Train again, or use --with decoder": 'Train again, or use with: "decoder"',
    "Use --checkpoint best, or --with decoder": 'Use checkpoint: "best", or with: "decoder"',
    "Train with control_head=true and a gene_loss that fixes levels, or use --with probe":
      'Train with config: { control_head: true } and a gene_loss that fixes levels, or use with: "probe"',
    "Give the folder that train wrote, as --run runs/NAME": 'Give the folder that train wrote, as openRun("runs/NAME")',
    "Give the run itself, --run runs/a; its checkpoints are found in it":
      'Give the run itself, openRun("runs/a"); its checkpoints are found in it',
    "Name the weights it was trained on with --encoder": "Name the weights it was trained on with encoder",
    "Embed that slide again with --overwrite": "Embed that slide again with overwrite: true",
    "drop_bad_spots=true of train, --drop-bad-spots of evaluate and retrieve, leaves such spots out":
      "config: { drop_bad_spots: true } of train, dropBadSpots: true of evaluate and retrieve, leaves such spots out",
    "Cut it into tiles: vips dzsave IN TILES --suffix .png, or pass a smaller --batch-size":
      "Cut it into tiles: vips dzsave IN TILES --suffix .png, or pass a smaller batchSize",
  };
  for (const [hint, own] of Object.entries(wanted)) assert.equal(optionsOf(hint), own);
  assert.equal(
    optionsOf("Use --precision f32 (precision=f32 in training)", { names: { precision: "dtype" } }),
    'Use dtype: "f32" (config: { precision: "f32" } in training)',
  );
});

Deno.test("an error keeps everything but its hint; what is not typed is left alone", () => {
  const error = new DataError("Cannot read it", { code: "damaged", hint: "fold=0", context: { file: "a" } });
  const { message, code, context, stack } = error;
  assert.equal(forPrograms(error), error);
  assert.deepEqual([error.message, error.code, error.context, error.stack], [message, code, context, stack]);
  assert.equal(error.hint, "config: { fold: 0 }");
  const plain = new Error("other");
  assert.equal(forPrograms(plain), plain);
  assert.equal(forPrograms(undefined), undefined);
});
