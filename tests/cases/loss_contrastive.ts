/** Cases of the contrastive losses: primes, one pair, sharp temperatures, learned scales. Worked numbers are in tests/losses. */

import { barlowTwins } from "../../src/losses/contrastive/barlow.ts";
import { cca } from "../../src/losses/contrastive/cca.ts";
import { clip } from "../../src/losses/contrastive/clip.ts";
import { s2l } from "../../src/losses/contrastive/s2l.ts";
import { softClip } from "../../src/losses/contrastive/soft_clip.ts";
import { given, normal, type OpCase } from "../case.ts";
import {
  barlowRef,
  canonicalRef,
  clipRef,
  rowsOf,
  s2lRef,
  s2lWeightsRef,
  softClipRef,
  softTargetsRef,
} from "../ref/losses.ts";

type Row = Pick<OpCase, "name" | "run" | "ref"> & Partial<OpCase>;

function of(B: number, E: number, row: Row): OpCase {
  return { inputs: { a: normal([B, E]), b: normal([B, E]) }, wrt: ["a", "b"], ...row };
}

const one = (value: number) => Float64Array.of(value);
const trace = (v: readonly number[]) => -v.reduce((sum, c) => sum + c * c, 0);
const nuclear = (v: readonly number[]) => -v.reduce((sum, c) => sum + c, 0);

function clipCase(B: number, E: number, temperature: number): OpCase {
  return of(B, E, {
    name: `clip ${B}x${E} at ${temperature}`,
    run: (g, t) => clip(g, t.a!, t.b!, { temperature }),
    ref: (v) => one(clipRef(rowsOf(v.a!, B), rowsOf(v.b!, B), 1 / temperature)),
  });
}

function learned(t: number, wrt: readonly string[]): OpCase {
  const [B, E] = [7, 5];
  return of(B, E, {
    name: `clip 7x5, learned scale e^${t}`,
    inputs: { a: normal([B, E]), b: normal([B, E]), t: given([1], [t]) },
    run: (g, v) => clip(g, v.a!, v.b!, { logScale: v.t }),
    ref: (v) => one(clipRef(rowsOf(v.a!, B), rowsOf(v.b!, B), Math.min(100, Math.exp(v.t![0]!)))),
    wrt,
  });
}

function softCase(B: number, E: number, detachTargets: boolean, wrt: readonly string[] = ["a", "b"]): OpCase {
  return of(B, E, {
    name: `soft_clip ${B}x${E}${detachTargets ? ", targets held" : ""}`,
    run: (g, t) => softClip(g, t.a!, t.b!, { temperature: 0.3, targetTemperature: 0.5, detachTargets }),
    ref: (v) => {
      const [a, b] = [rowsOf(v.a!, B), rowsOf(v.b!, B)];
      return one(softClipRef(a, b, 0.3, softTargetsRef(a, b, 0.5)));
    },
    wrt,
  });
}

function s2lCase(squared: boolean): OpCase {
  const [B, E] = [7, 5];
  // Rows close to one direction, so that pairs have weights.
  const inputs = {
    a: normal([B, E], 0.15, 1),
    b: normal([B, E], 0.1, 1),
    scale: given([1], [4]),
    bias: given([1], [-3]),
  };
  return of(B, E, {
    name: `s2l ${B}x${E}${squared ? "" : ", plain distances"}`,
    inputs,
    run: (g, t) => s2l(g, t.a!, t.b!, { scale: t.scale, bias: t.bias, squared }),
    ref: (v) => {
      const [a, b] = [rowsOf(v.a!, B), rowsOf(v.b!, B)];
      return one(s2lRef(a, b, v.scale![0]!, v.bias![0]!, s2lWeightsRef(b, squared)));
    },
    // Weights are held fixed, so the gradient of b is not that of this reference.
    wrt: ["a", "scale", "bias"],
  });
}

function ccaCase(B: number, E: number, form: "nuclear" | "trace"): OpCase {
  return of(B, E, {
    name: `cca ${B}x${E}, ${form}`,
    run: (g, t) => cca(g, t.a!, t.b!, { form, regularisation: 0.05 }),
    ref: (v) => {
      const found = canonicalRef(rowsOf(v.a!, B), rowsOf(v.b!, B), 0.05);
      return one(form === "trace" ? trace(found) : nuclear(found));
    },
  });
}

function barlowCase(B: number, E: number): OpCase {
  return of(B, E, {
    name: `barlow ${B}x${E}`,
    run: (g, t) => barlowTwins(g, t.a!, t.b!),
    ref: (v) => one(barlowRef(rowsOf(v.a!, B), rowsOf(v.b!, B), 1, 5e-3, 1e-5)),
  });
}

/** Case table. */
export const cases: readonly OpCase[] = [
  clipCase(1, 3, 0.05),
  clipCase(13, 7, 0.05),
  learned(2, ["a", "b", "t"]),
  learned(6, []),
  softCase(1, 4, false),
  softCase(11, 6, false),
  // Held targets change with the inputs in the reference: only the value is compared.
  softCase(5, 3, true, []),
  s2lCase(true),
  s2lCase(false),
  ccaCase(23, 4, "nuclear"),
  ccaCase(23, 4, "trace"),
  // Fewer pairs than columns.
  ccaCase(5, 9, "trace"),
  barlowCase(17, 6),
  barlowCase(4, 9),
];
