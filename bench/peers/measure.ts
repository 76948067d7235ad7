/**
 * One case in one peer: numerics gate, warm-up, timed repeats, and the check that no work was skipped.
 *
 * @module
 */

import { cpuMs } from "../../src/host/process.ts";
import { type Case, SETS } from "./cases.ts";
import type { Reference } from "./reference.ts";
import { seen } from "./spy.ts";
import type { Row, Work } from "./types.ts";

/** How long to measure. */
export interface Effort {
  /** Least duration of one repeat, seconds. */
  readonly seconds: number;
  readonly repeats: number;
  /** Time by which to be done, as of `Date.now()`; work that cannot make it is not measured. */
  readonly deadline: number;
}

/** What {@link measure} adds to a row. */
export type Measured = Omit<Row, "case" | "peer" | "version" | "adapter" | "software">;

/**
 * Largest absolute error of each output by the root mean square of its reference, and the worst of them. Not a number
 * where an output is missing, has another size or holds a NaN.
 */
export function largestError(got: Readonly<Record<string, Float32Array>>, wanted: Reference) {
  let worst = { output: "", error: 0 };
  for (const [output, reference] of Object.entries(wanted)) {
    const values = got[output];
    let error = NaN;
    if (values?.length === reference.length) {
      let max = 0, squares = 0;
      for (let i = 0; i < reference.length; i++) {
        const difference = Math.abs(values[i]! - reference[i]!);
        if (!(difference <= max)) max = difference; // also keeps a NaN
        squares += reference[i]! ** 2;
      }
      error = max / Math.sqrt(squares / reference.length);
    }
    if (!(error <= worst.error)) worst = { output, error };
    if (Number.isNaN(error)) break;
  }
  return worst;
}

/** Quantile `q` of sorted values, linear between neighbours. */
export function quantile(sorted: readonly number[], q: number): number {
  const at = q * (sorted.length - 1), low = Math.floor(at);
  return sorted[low]! + (at - low) * ((sorted[low + 1] ?? sorted[low]!) - sorted[low]!);
}

/** Milliseconds for `n` iterations and one wait. The operand sets rotate; the last is always set 0. */
async function time(work: Work, n: number): Promise<number> {
  const start = performance.now();
  for (let i = n - 1; i >= 0; i--) {
    const promise = work.run(i % SETS);
    if (promise !== undefined) await promise;
  }
  await work.wait();
  return performance.now() - start;
}

/**
 * Checks and times `work`.
 *
 * @param reference Float64 outputs for operand set 0.
 */
export async function measure(work: Work, testCase: Case, reference: Reference, effort: Effort): Promise<Measured> {
  const gate = async (when: string): Promise<Measured | number> => {
    const { output, error } = largestError(await work.read(), reference);
    if (error <= testCase.tolerance) return error;
    const reason = `${when}: error ${error.toExponential(1)} in ${output}, at most ${testCase.tolerance} wanted`;
    return { status: "mismatch", reason, maxRelErr: error };
  };
  await time(work, testCase.slow ? 1 : SETS); // warm-up, compiles
  const before = await gate("before timing");
  if (typeof before !== "number") return before;

  // One iteration costs this many dispatches and submits.
  let start = { ...seen };
  let elapsed = await time(work, 1);
  const dispatches = seen.dispatches - start.dispatches;
  // Long enough that the constant cost of the wait does not count.
  let n = 1;
  while (elapsed < 200 * effort.seconds) elapsed = await time(work, n *= elapsed < 40 ? 4 : 2);
  n = Math.max(1, Math.ceil(n * 1000 * effort.seconds / elapsed));

  const need = effort.repeats * Math.max(1000 * effort.seconds, elapsed);
  if (Date.now() + need > effort.deadline) {
    return { status: "skipped", reason: `time budget: ${effort.repeats} repeats need ${Math.round(need / 1000)} s` };
  }
  start = { ...seen };
  const cpuStart = cpuMs();
  const times: number[] = [];
  for (let r = 0; r < effort.repeats; r++) times.push(await time(work, n) / n);
  const total = n * effort.repeats;
  const cpu = (cpuMs() - cpuStart) / total;
  const done = seen.dispatches - start.dispatches;
  if (done < total * dispatches || dispatches === 0) {
    return { status: "elided", reason: `${done} dispatches in ${total} iterations, ${total * dispatches} wanted` };
  }
  const waits = (seen.waits - start.waits) / effort.repeats;
  const after = await gate("after timing");
  if (typeof after !== "number") return after;
  if (seen.errors.length > 0) return { status: "error", reason: seen.errors[0]! };
  times.sort((a, b) => a - b);
  const medianMs = quantile(times, 0.5);
  return {
    status: "ok",
    maxRelErr: Math.max(before, after),
    medianMs,
    iqrMs: quantile(times, 0.75) - quantile(times, 0.25),
    cpuMs: cpu,
    gflops: testCase.flops / medianMs / 1e6,
    iterations: n,
    repeats: effort.repeats,
    dispatches,
    waits,
    submits: Math.round((seen.submits - start.submits) / total * 100) / 100,
  };
}
