/**
 * Samples of the kernels that sort rows by key and sum those that share one. All but the sums are whole numbers, which are right
 * or wrong.
 *
 * @module
 */

import { places, type Sampler, Samples, sum } from "./sample.ts";

/** Adds a whole number: one that is off by one among thousands is as wrong as any. */
function addExact(samples: Samples, name: string, got: number, right: number): void {
  samples.add(name, got === right ? 0 : 1, 0, 1);
}

const byteOf = (key: number, most: number, shift: number): number => (Math.min(key, most) >>> shift) & 255;

const count: Sampler = ({ key, count }, { dims: { n = 0, S = 1 }, options }) => {
  const [most, shift] = [options["V"] as number, options["shift"] as number];
  const samples = new Samples();
  for (const s of places(S)) {
    const right = new Uint32Array(256);
    for (let i = s * 256; i < Math.min(n, (s + 1) * 256); i++) right[byteOf(key![i]!, most, shift)]!++;
    right.forEach((value, d) => addExact(samples, "count", count![s * 256 + d]!, value));
  }
  return samples.list;
};

const scan: Sampler = (values, { dims: { S = 1 } }) => {
  const { count, total } = values;
  const before = values["count, before"]!;
  const samples = new Samples();
  for (let d = 0; d < 256; d++) {
    let run = 0;
    for (let s = 0; s < S; s++) {
      addExact(samples, "count", count![s * 256 + d]!, run);
      run = (run + before[s * 256 + d]!) >>> 0;
    }
    addExact(samples, "total", total![d]!, run);
  }
  return samples.list;
};

/** A stable sort by one byte, whatever the counts say. */
const place: Sampler = ({ key, order, sorted, placed }, { dims: { n = 0 }, options }) => {
  const [most, shift] = [options["V"] as number, options["shift"] as number];
  const byByte = Array.from({ length: 256 }, (): number[] => []);
  for (let i = 0; i < n; i++) byByte[byteOf(key![i]!, most, shift)]!.push(i);
  const samples = new Samples();
  byByte.flat().forEach((i, j) => {
    addExact(samples, "sorted", sorted![j]!, Math.min(key![i]!, most));
    addExact(samples, "placed", placed![j]!, order ? order[i]! : i);
  });
  return samples.list;
};

const bounds: Sampler = ({ sorted, bound }, { dims: { n = 0, E = 1 } }) => {
  const samples = new Samples();
  for (let v = 0, at = 0; v < E; v++) {
    while (at < n && sorted![at]! < v) at++;
    addExact(samples, "bound", bound![v]!, at);
  }
  return samples.list;
};

const segmentSums: Sampler = ({ x, order, bound, y, total }, { dims: { Y = 0, U = 1 }, options }) => {
  const D = options["D"] as number;
  const samples = new Samples();
  for (const v of places(Y / D)) {
    const [from, to] = [bound![v]!, bound![v + 1]!];
    for (let c = 0; c < D * U; c++) {
      const term = (j: number) => x![order![j]! * D * U + c]!;
      const size = Math.sqrt(sum(from, to, (j) => term(j) ** 2));
      samples.add("sum", (y ?? total)![v * D * U + c]!, sum(from, to, term), size);
    }
  }
  return samples.list;
};

/** Samplers by kernel. */
export const SEGMENTS: Readonly<Record<string, Sampler>> = {
  segments_count: count,
  segments_scan: scan,
  segments_place: place,
  segments_bounds: bounds,
  segments_sum: segmentSums,
};
