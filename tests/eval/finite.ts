/** JSON would turn a NaN into null without a word: this looks before. */

import assert from "node:assert/strict";

/** Asserts that no number anywhere in a plain value is NaN or infinite. */
export function assertFinite(value: unknown): void {
  JSON.stringify(value, (key, part) => {
    assert.ok(typeof part !== "number" || Number.isFinite(part), `${key} is ${part}`);
    return part;
  });
}
