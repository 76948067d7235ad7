/** What gather, scatter, slices, concatenations, permutations, tokens and dropout refuse, before anything is dispatched. */

import assert from "node:assert/strict";
import { ConfigError, DtypeError, LimitError, ShapeError } from "../../src/core/errors.ts";
import { requestGpu } from "../../src/gpu/device.ts";
import { Plan } from "../../src/graph/plan.ts";
import { concat } from "../../src/ops/concat.ts";
import { dropout } from "../../src/ops/dropout.ts";
import { gather, gatherColumns } from "../../src/ops/gather.ts";
import { permute, transpose } from "../../src/ops/permute.ts";
import { random } from "../../src/ops/random.ts";
import { scatterAdd } from "../../src/ops/scatter.ts";
import { select, slice } from "../../src/ops/slice.ts";
import { meanTokens, prependTokens } from "../../src/ops/token.ts";

const gpu = await requestGpu(navigator.gpu);
Deno.test.afterAll(() => gpu.destroy());

type ErrorClass = new (message: string) => Error;

/** What is refused, the error, a part of its message, the call. */
const ROWS: [string, ErrorClass, RegExp, (g: Plan) => unknown][] = [
  [
    "slice() refuses a range that leaves the dimension",
    LimitError,
    /3 elements from 3 on/,
    (g) => slice(g, g.tensor([2, 5]), 1, 3, 3),
  ],
  ["slice() refuses an empty range", LimitError, /0 elements/, (g) => slice(g, g.tensor([2, 5]), 1, 0, 0)],
  [
    "slice() refuses a dimension that does not exist",
    ShapeError,
    /no such dimension/,
    (g) => slice(g, g.tensor([2, 5]), 2, 0, 1),
  ],
  ["select() refuses a position that does not exist", LimitError, /it has 5/, (g) => select(g, g.tensor([2, 5]), 1, 5)],
  ["concat() refuses nothing", ShapeError, /at least one/, (g) => concat(g, [], 0)],
  [
    "concat() refuses other extents",
    ShapeError,
    /dimension 1/,
    (g) => concat(g, [g.tensor([2, 5]), g.tensor([3, 5])], 1),
  ],
  [
    "concat() refuses mixed types",
    DtypeError,
    /f32 and f16/,
    (g) => concat(g, [g.tensor([2]), g.tensor([2], "f16")], 0),
  ],
  ["permute() refuses too few axes", ShapeError, /1 axes, wanted 2/, (g) => permute(g, g.tensor([2, 5]), [0])],
  ["permute() refuses a repeated axis", ConfigError, /each axis once/, (g) => permute(g, g.tensor([2, 5]), [1, 1])],
  [
    "permute() refuses seven moving dimensions",
    LimitError,
    /at most 6/,
    (g) => permute(g, g.tensor([2, 2, 2, 2, 2, 2, 2]), [6, 5, 4, 3, 2, 1, 0]),
  ],
  ["transpose() refuses a vector", ShapeError, /two dimensions/, (g) => transpose(g, g.tensor([5]))],
  [
    "gather() refuses a host index out of range",
    LimitError,
    /index 1 is 5, .* below 5/,
    (g) => gather(g, g.tensor([5, 2]), [0, 5]),
  ],
  ["gather() refuses a host index that is not whole", LimitError, /0.5/, (g) => gather(g, g.tensor([5, 2]), [0.5])],
  ["gather() refuses a float index", DtypeError, /index is f32/, (g) => gather(g, g.tensor([5, 2]), g.tensor([3]))],
  [
    "gatherColumns() refuses an index of two dimensions",
    ShapeError,
    /index is \[2, 2\]/,
    (g) => gatherColumns(g, g.tensor([5, 2]), g.tensor([2, 2], "u32")),
  ],
  [
    "gatherColumns() refuses a host index out of range",
    LimitError,
    /below 2/,
    (g) => gatherColumns(g, g.tensor([5, 2]), [2]),
  ],
  [
    "scatterAdd() refuses x and an index of different lengths",
    ShapeError,
    /index \[3\]/,
    (g) => scatterAdd(g, g.tensor([4, 2]), g.tensor([3], "u32"), 5),
  ],
  [
    "scatterAdd() refuses no rows",
    LimitError,
    /0 rows/,
    (g) => scatterAdd(g, g.tensor([3, 2]), g.tensor([3], "u32"), 0),
  ],
  ["scatterAdd() refuses a float index", DtypeError, /f32/, (g) => scatterAdd(g, g.tensor([3, 2]), g.tensor([3]), 4)],
  [
    "prependTokens() refuses another width",
    ShapeError,
    /tokens is \[1, 4\]/,
    (g) => prependTokens(g, g.tensor([1, 4]), g.tensor([2, 3, 8])),
  ],
  [
    "prependTokens() refuses x without a batch",
    ShapeError,
    /x is \[3, 8\]/,
    (g) => prependTokens(g, g.tensor([1, 8]), g.tensor([3, 8])),
  ],
  [
    "meanTokens() refuses a range that leaves the sequence",
    LimitError,
    /there are 3/,
    (g) => meanTokens(g, g.tensor([2, 3, 8]), { start: 1, count: 3 }),
  ],
  ["dropout() refuses p = 1", ConfigError, /p is 1/, (g) => dropout(g, g.tensor([4]), 1, "d")],
  ["dropout() refuses p = NaN", ConfigError, /p is NaN/, (g) => dropout(g, g.tensor([4]), NaN, "d")],
  [
    "dropout() refuses a plan without random state",
    ConfigError,
    /random state/,
    (g) => dropout(g, g.tensor([4]), 0.5, "d"),
  ],
  ["random() refuses a plan without random state", ConfigError, /random state/, (g) => random(g, "r", [4])],
  [
    "random() refuses a rate of 1",
    ConfigError,
    /rate is 1/,
    (g) => random(g, "r", [4], { kind: "bernoulli", rate: 1 }),
  ],
];

for (const [name, type, message, call] of ROWS) {
  Deno.test(name, () => {
    const g = new Plan(gpu);
    assert.throws(() => call(g), (error) => error instanceof type && message.test(error.message));
    assert.equal(g.dispatches.length, 0);
  });
}

Deno.test("dropout() at 0 and a whole slice are the tensor itself, without a dispatch", () => {
  const g = new Plan(gpu);
  const x = g.tensor([4, 3]);
  assert.equal(dropout(g, x, 0, "d"), x);
  assert.equal(slice(g, x, 0, 0, 4), x);
  assert.equal(concat(g, [x], 0), x);
  assert.equal(g.dispatches.length, 0);
});
