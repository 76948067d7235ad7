import assert from "node:assert/strict";
import { ConfigError } from "../../src/core/errors.ts";
import { EarlyStop } from "../../src/train/early_stop.ts";

/** Verdicts of a series: `b` better, `.` not, `!` not and stop. */
function verdicts(stop: EarlyStop, values: readonly number[]): string {
  return values.map((value, step) => {
    const { better, stop: end } = stop.update(value, step);
    assert.ok(!(better && end));
    return better ? "b" : end ? "!" : ".";
  }).join("");
}

Deno.test("EarlyStop stops after as many evaluations without a better one as it has patience", () => {
  const stop = new EarlyStop({ patience: 3 });
  assert.equal(verdicts(stop, [0.1, 0.3, 0.2, 0.3, 0.31, 0.1, 0.1, 0.1, 0.1]), "bb..b..!!");
  assert.deepEqual(stop.state, { best: 0.31, bestStep: 4, bad: 4 });
  assert.equal(verdicts(new EarlyStop({ patience: 1 }), [1, 1]), "b!");
  assert.equal(verdicts(new EarlyStop(), [1, 0, 0, 0, 0, 0]), "b.....");
  assert.equal(verdicts(new EarlyStop({ mode: "min", patience: 2 }), [3, 2, 2.5, 1, 1, 1]), "bb.b.!");
});

Deno.test("EarlyStop wants the difference, from the best and not from the last", () => {
  assert.equal(verdicts(new EarlyStop({ minDelta: 0.5, patience: 4 }), [1, 1.4, 1.5, 1.51, 2.01, 2.02]), "b..b.b");
  assert.equal(verdicts(new EarlyStop({ minDelta: 0.5, mode: "min" }), [2, 1.5, 1.4]), "b.b");
});

Deno.test("EarlyStop never takes NaN for the best, and takes the first number", () => {
  const stop = new EarlyStop({ patience: 3 });
  assert.equal(verdicts(stop, [NaN, NaN, -5, NaN, -4]), "..b.b");
  assert.equal(verdicts(new EarlyStop({ patience: 2 }), [NaN, NaN]), ".!");
  assert.equal(verdicts(new EarlyStop({ mode: "min" }), [Infinity, 3, -Infinity]), "bbb");
});

Deno.test("EarlyStop goes on from its state as if it had never stopped", () => {
  const values = [0.1, NaN, 0.3, 0.2, 0.3, 0.31, 0.1, 0.2];
  const whole = verdicts(new EarlyStop({ patience: 3 }), values);
  for (let cut = 0; cut <= values.length; cut++) {
    const first = new EarlyStop({ patience: 3 });
    const head = verdicts(first, values.slice(0, cut));
    const second = new EarlyStop({ patience: 3 }, JSON.parse(JSON.stringify(first.state)));
    assert.equal(head + verdicts(second, values.slice(cut)), whole);
  }
  for (const options of [{ patience: -1 }, { patience: 1.5 }, { minDelta: -1 }, { minDelta: NaN }]) {
    assert.throws(() => new EarlyStop(options), ConfigError);
  }
});
