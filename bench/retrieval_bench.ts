/**
 * Exact retrieval over a gallery of 1,000,000 x 512: ranks and the best 50, beside a plain copy of device memory in the same
 * run. `GB/s` of a search counts one pass over the gallery and nothing else; `by copy` divides it by the copy's (bytes read
 * and written). Before anything is timed, results are compared with all products in f64 for four of the queries.
 *
 * Flags after `--`, beside the harness's: `--rows N`, 65,536 by default on a software adapter.
 *
 * ```sh
 * deno bench -A --no-check bench/retrieval_bench.ts -- --rows 1000000
 * ```
 *
 * @module
 */

import { Gallery } from "../src/eval/gallery.ts";
import { unitRows } from "../src/eval/ranks.ts";
import type { Gpu } from "../src/gpu/device.ts";
import { Plan } from "../src/graph/plan.ts";
import { Store } from "../src/graph/store.ts";
import { cosineRank } from "../src/ops/rank.ts";
import { cosineTopk } from "../src/ops/topk.ts";
import { type BenchCase, benchSubject, flag } from "./harness.ts";

const WIDTH = 512;
const K = 50;
const CHUNK = 8192;
const COPY_BYTES = 256 << 20;
/** Queries that are compared with f64. */
const SAMPLE = 4;
/** Scores that close may be in either order: the rounding of 512 f32 sums up to one. */
const CLOSE = 1e-6;

/** Uniform numbers from a counter: row r is the same however rows are divided (xorshift-multiply of Wellons' lowbias32). */
function rowsFrom(first: number, count: number): Float32Array {
  const out = new Float32Array(count * WIDTH);
  for (let i = 0, at = (first * WIDTH) >>> 0; i < out.length; i++, at++) {
    let x = at ^ (at >>> 16);
    x = Math.imul(x, 0x7feb352d);
    x ^= x >>> 15;
    x = Math.imul(x, 0x846ca68b);
    out[i] = (x ^ (x >>> 16)) / 2 ** 31;
  }
  return out;
}

/** A query is its partner and noise, so that ranks are between 1 and some thousands: queries 0, 3, 6 … are easy. */
function queriesOf(count: number, rows: number): { queries: Float32Array; partner: Uint32Array } {
  const partner = Uint32Array.from({ length: count }, (_, q) => Math.floor((q + 0.5) / count * rows));
  const queries = new Float32Array(count * WIDTH);
  partner.forEach((row, q) => {
    const [own, noise] = [rowsFrom(row, 1), rowsFrom(rows + q, 1)];
    const weight = q % 3 ? 5 + q % 7 : 1;
    for (let e = 0; e < WIDTH; e++) queries[q * WIDTH + e] = own[e]! + weight * noise[e]!;
  });
  return { queries, partner };
}

/** Unit vectors as a gallery stores them. */
function stored(rows: Float32Array, storage: "f32" | "f16"): Float32Array {
  const unit = Float32Array.from(unitRows(rows, WIDTH).unit);
  return storage === "f16" ? unit.map(Math.f16round) : unit;
}

/** What f64 says of the first queries: how many rows are surely above, how many too close to tell, and the best scores. */
class Reference {
  readonly unit: Float64Array;
  readonly own: Float64Array;
  readonly above: Uint32Array = new Uint32Array(SAMPLE);
  readonly close: Uint32Array = new Uint32Array(SAMPLE);
  readonly best: { score: number; row: number }[][] = Array.from({ length: SAMPLE }, () => []);
  constructor(queries: Float32Array, readonly partner: Uint32Array, readonly storage: "f32" | "f16") {
    this.unit = unitRows(queries, WIDTH).unit;
    this.own = Float64Array.from(partner, (row, q) => this.dot(q, stored(rowsFrom(row, 1), storage), 0));
  }
  dot(q: number, rows: Float32Array, at: number): number {
    let sum = 0;
    for (let e = 0; e < WIDTH; e++) sum += this.unit[q * WIDTH + e]! * rows[at + e]!;
    return sum;
  }
  add(first: number, rows: Float32Array): void {
    for (let q = 0; q < SAMPLE; q++) {
      for (let at = 0; at < rows.length; at += WIDTH) {
        const [score, row] = [this.dot(q, rows, at), first + at / WIDTH];
        if (row !== this.partner[q]) {
          if (score > this.own[q]! + CLOSE) this.above[q]!++;
          else if (score > this.own[q]! - CLOSE) this.close[q]!++;
        }
        const best = this.best[q]!;
        if (best.length === K && score <= best[K - 1]!.score) continue;
        best.splice(best.findLastIndex((other) => other.score >= score) + 1, 0, { score, row });
        best.length = Math.min(best.length, K);
      }
    }
  }
}

interface Prepared {
  readonly gallery: Gallery;
  readonly reference: Reference;
}

let made: Promise<Record<"f32" | "f16", Prepared>> | undefined;

/** Both galleries in one pass over the rows. */
async function makeGalleries(gpu: Gpu, rows: number): Promise<Record<"f32" | "f16", Prepared>> {
  const { queries, partner } = queriesOf(SAMPLE, rows);
  const of = (storage: "f32" | "f16"): Prepared => ({
    gallery: new Gallery(gpu, rows, WIDTH, { storage }),
    reference: new Reference(queries, partner, storage),
  });
  const both = { f32: of("f32"), f16: of("f16") };
  for (let first = 0; first < rows; first += CHUNK) {
    const block = rowsFrom(first, Math.min(CHUNK, rows - first));
    for (const storage of ["f32", "f16"] as const) {
      both[storage].gallery.write(first, block);
      both[storage].reference.add(first, stored(block, storage));
    }
    // Writes wait in host memory until the queue is idle.
    await gpu.queue.onSubmittedWorkDone();
  }
  return both;
}

function check(ok: boolean, what: string): void {
  if (!ok) throw new Error(`Wrong result: ${what}`);
}

async function verifyRanks({ gallery, reference }: Prepared, given: ReturnType<typeof queriesOf>): Promise<void> {
  const queries = given.queries.subarray(0, SAMPLE * WIDTH);
  const { above } = await gallery.ranks(queries, given.partner.subarray(0, SAMPLE));
  const wanted = [...reference.above].map((count, q) => `${count} to ${count + reference.close[q]!}`);
  console.log(`${gallery.rows} x ${WIDTH} ${reference.storage}: ranks above ${[...above]}, f64 ${wanted.join(", ")}`);
  above.forEach((count, q) =>
    check(
      count >= reference.above[q]! && count <= reference.above[q]! + reference.close[q]!,
      `query ${q}: ${count} rows above, f64 ${wanted[q]}`,
    )
  );
}

async function verifyNearest({ gallery, reference }: Prepared, given: ReturnType<typeof queriesOf>): Promise<void> {
  const { scores, rows } = await gallery.nearest(given.queries.subarray(0, SAMPLE * WIDTH), K);
  for (let q = 0; q < SAMPLE; q++) {
    const best = new Map(reference.best[q]!.map(({ row, score }) => [row, score]));
    const least = reference.best[q]![K - 1]!.score;
    for (let j = 0; j < K; j++) {
      const [score, row] = [scores[q * K + j]!, rows[q * K + j]!];
      check(Math.abs(score - reference.best[q]![j]!.score) < CLOSE, `query ${q}, place ${j}: score ${score}`);
      check(best.has(row) || score < least + CLOSE, `query ${q}, place ${j}: row ${row} is not among the best ${K}`);
    }
  }
  console.log(`${gallery.rows} x ${WIDTH} ${reference.storage}: best ${K} of ${SAMPLE} queries agree with f64`);
}

function searchCase(Q: number, rows: number, storage: "f32" | "f16", what: "rank" | "best"): BenchCase {
  const given = queriesOf(Q, rows);
  return {
    name: `retrieval ${what === "rank" ? "rank" : `best ${K}`} ${Q} of ${rows}x${WIDTH}` +
      (storage === "f16" ? ", gallery f16" : ""),
    group: storage,
    cost: { flops: 2 * Q * rows * WIDTH, bytes: rows * WIDTH * (storage === "f16" ? 2 : 4) },
    open: async (gpu) => {
      const prepared = (await (made ??= makeGalleries(gpu, rows)))[storage];
      const sample = queriesOf(SAMPLE, rows);
      await (what === "rank" ? verifyRanks : verifyNearest)(prepared, sample);
      const store = new Store(gpu);
      const queries = store.from("queries", "queries", [Q, WIDTH], unitRows(given.queries, WIDTH).unit);
      const partner = store.from("partner", "partner", [Q], given.partner, "u32");
      const g = new Plan(gpu);
      const { parts } = prepared.gallery;
      if (what === "rank") {
        const { above, equal } = cosineRank(g, queries, parts, partner);
        g.output(above, equal);
      } else {
        const { scores, indices } = cosineTopk(g, queries, parts, { k: K });
        g.output(scores, indices);
      }
      return { program: await g.compile(), close: () => store.destroy() };
    },
  };
}

const copyCase: BenchCase = {
  name: `copy ${COPY_BYTES >> 20} MiB`,
  group: "copy",
  cost: { flops: 0, bytes: 2 * COPY_BYTES },
  open: (gpu) => {
    const usage = GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const [from, to] = ["from", "to"].map((label) => gpu.buffer(label, COPY_BYTES, usage)) as [GPUBuffer, GPUBuffer];
    gpu.queue.writeBuffer(from, 0, new Uint8Array(COPY_BYTES).fill(7));
    const run = (times = 1) => {
      const encoder = gpu.device.createCommandEncoder();
      for (let i = 0; i < times; i++) encoder.copyBufferToBuffer(from, 0, to, 0, COPY_BYTES);
      gpu.queue.submit([encoder.finish()]);
    };
    const destroy = () => [from, to].forEach((buffer) => buffer.destroy());
    return Promise.resolve({ program: { run, destroy }, close: () => {} });
  },
};

await benchSubject("retrieval", (gpu) => {
  const rows = Number(flag("--rows") ?? (gpu.caps.software ? 65_536 : 1_000_000));
  if (!(Number.isInteger(rows) && rows >= 1024)) throw new Error(`Cannot bench ${rows} rows: wanted 1024 or more`);
  const counts = gpu.caps.software ? [16] : [8, 32, 256, 1024];
  return [
    copyCase,
    ...(["f32", "f16"] as const).flatMap((storage) => [
      ...counts.map((Q) => searchCase(Q, rows, storage, "rank")),
      searchCase(counts[0]!, rows, storage, "best"),
    ]),
  ];
}, (rows) => {
  const copy = rows.find((row) => row.case.startsWith("copy"))?.gbps;
  for (const row of rows) if (copy && row.gbps && !row.case.startsWith("copy")) row.copyRatio = row.gbps / copy;
});
