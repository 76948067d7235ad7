/** Hints of the command line as options of `train`. */

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
    "--case-slides mean takes each slide by itself": 'config: { case_slides: "mean" } takes each slide by itself',
    "Divide cases: deno task split --by case": "Divide cases: deno task split --by case",
    "No tissue was found on that slide": "No tissue was found on that slide",
  };
  for (const [hint, own] of Object.entries(wanted)) assert.equal(optionsOf(hint), own);
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
