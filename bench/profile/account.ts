/**
 * Accounts of a profiled step: each dispatch with where it comes from and its cost, and sums by kernel, op and module.
 *
 * @module
 */

import type { Dispatch } from "../../src/graph/plan.ts";
import type { Profile, Span } from "../../src/graph/profile.ts";
import { dispatchCost } from "../../src/ops/cost.ts";

/** Peaks that a dispatch is compared with; see `src/verify/rates.ts`. */
export interface Peaks {
  readonly copyBytesPerSecond: number;
  readonly fmaPerSecond: number;
}

/** Work and time, and what they make. */
export interface Rated {
  readonly ms: number;
  readonly flops: number;
  readonly bytes: number;
  readonly gflops: number;
  readonly gbps: number;
  /** Shares of the device's rates of multiply-adds and of copying. */
  readonly ofFma: number;
  readonly ofCopy: number;
}

/** One dispatch, in the quickest run: what disturbs a run only adds to it. */
export interface DispatchRow extends Rated {
  readonly program: string;
  readonly module: string;
  readonly op: string;
  readonly kernel: string;
  /** Extents of its card. */
  readonly dims: Readonly<Record<string, number>>;
  /** Where it lies in the run, ms. */
  readonly span: Span;
}

/** All dispatches of one name. */
export interface SumRow extends Rated {
  readonly name: string;
  readonly dispatches: number;
  /** Of the time of all dispatches. */
  readonly share: number;
}

/** A profiled step. */
export interface Account {
  readonly method: Profile["method"];
  readonly runs: number;
  /** One step as it is replayed, without timestamps, by the host's clock: the quickest. */
  readonly stepMs: number;
  /** Time of all dispatches. */
  readonly sumMs: number;
  /** First begin to last end of the profiled step; its gaps hold the passes that a replayed step does not have. */
  readonly spanMs: number;
  /** Part of the span in which no dispatch ran; null where each ran alone. */
  readonly idle: number | null;
  /** Time of all dispatches by that of the replayed step. */
  readonly sumByStep: number;
  readonly total: Rated;
  readonly byKernel: readonly SumRow[];
  readonly byOp: readonly SumRow[];
  readonly byModule: readonly SumRow[];
  readonly dispatches: readonly DispatchRow[];
}

function rated(ms: number, flops: number, bytes: number, peaks: Peaks): Rated {
  const rate = (work: number) => (ms > 0 ? (work / ms) * 1e3 : 0);
  return {
    ms,
    flops,
    bytes,
    gflops: rate(flops) / 1e9,
    gbps: rate(bytes) / 1e9,
    ofFma: rate(flops) / peaks.fmaPerSecond,
    ofCopy: rate(bytes) / peaks.copyBytesPerSecond,
  };
}

/** Time of spans in which at least one lies. */
export function busyMs(spans: readonly Span[]): number {
  let [busy, until] = [0, -Infinity];
  for (const { begin, end } of [...spans].sort((a, b) => a.begin - b.begin)) {
    busy += Math.max(0, end - Math.max(begin, until));
    until = Math.max(until, end);
  }
  return busy;
}

/** Sums of rows by a name, longest first. */
export function sumBy(rows: readonly DispatchRow[], nameOf: (row: DispatchRow) => string, peaks: Peaks): SumRow[] {
  const all = rows.reduce((sum, { ms }) => sum + ms, 0);
  const groups = Map.groupBy(rows, nameOf);
  return [...groups].map(([name, of]) => {
    const sum = (what: "ms" | "flops" | "bytes") => of.reduce((total, row) => total + row[what], 0);
    const ms = sum("ms");
    return {
      name,
      dispatches: of.length,
      share: all > 0 ? ms / all : 0,
      ...rated(ms, sum("flops"), sum("bytes"), peaks),
    };
  }).sort((a, b) => b.ms - a.ms || (a.name < b.name ? -1 : 1));
}

/** A module without its number, so that all blocks are one. */
export const moduleKind = (module: string): string => module.replace(/\.\d+(?=\/|$)/g, ".*") || "(none)";

const spanSum = (spans: readonly Span[]) => spans.reduce((sum, { begin, end }) => sum + end - begin, 0);
const extent = (spans: readonly Span[]) =>
  Math.max(0, ...spans.map(({ end }) => end)) - Math.min(...spans.map(({ begin }) => begin), Infinity);

/**
 * The account of a step.
 *
 * @param programs Name of the program of each dispatch.
 * @param stepMs Time of the step as it is replayed, beside each run.
 */
export function account(
  { method, dispatches, runs }: Profile,
  programs: readonly string[],
  stepMs: readonly number[],
  peaks: Peaks,
): Account {
  const sums = runs.map(spanSum);
  const shown = runs[sums.indexOf(Math.min(...sums))]!;
  const rows = dispatches.map((dispatch: Dispatch, i): DispatchRow => {
    const { flops, bytes } = dispatchCost(dispatch);
    const span = shown[i]!;
    return {
      program: programs[i]!,
      module: dispatch.module,
      op: dispatch.op,
      kernel: dispatch.kernel.name,
      dims: dispatch.dims,
      span,
      ...rated(span.end - span.begin, flops, bytes, peaks),
    };
  });
  const sum = (what: "ms" | "flops" | "bytes") => rows.reduce((total, row) => total + row[what], 0);
  const total = rated(sum("ms"), sum("flops"), sum("bytes"), peaks);
  const [step, length] = [Math.min(...stepMs), extent(shown)];
  return {
    method,
    runs: runs.length,
    stepMs: step,
    sumMs: total.ms,
    spanMs: length,
    idle: method === "timestamps" ? 1 - busyMs(shown) / length : null,
    sumByStep: total.ms / step,
    total,
    byKernel: sumBy(rows, ({ kernel }) => kernel, peaks),
    byOp: sumBy(rows, ({ op }) => op, peaks),
    byModule: sumBy(rows, ({ module }) => moduleKind(module), peaks),
    dispatches: rows,
  };
}
