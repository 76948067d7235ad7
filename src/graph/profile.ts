/**
 * Device time of every dispatch of a step. With timestamps each dispatch has a pass of its own, and all passes one submit:
 * what lies between two dispatches is seen too. Without them each dispatch is run alone, repeated in one submit until that is
 * long beside a wait, and the wait is subtracted; gaps are then not seen. Replaying a program is not touched by any of it.
 *
 * @module
 */

import type { Gpu } from "../gpu/device.ts";
import { readRanges } from "../gpu/readback.ts";
import type { Dispatch } from "./plan.ts";
import type { Program } from "./program.ts";

/** When a dispatch ran, ms from the start of the first one. */
export interface Span {
  /** When it began. */
  readonly begin: number;
  /** When it ended. */
  readonly end: number;
}

/** Times of the dispatches of some programs, in order. */
export interface Profile {
  /** How they were taken: by the device's clock, or each dispatch alone by the host's. */
  readonly method: "timestamps" | "alone";
  /** What ran. */
  readonly dispatches: readonly Dispatch[];
  /** Spans of all dispatches, for each run. */
  readonly runs: readonly (readonly Span[])[];
}

/** Options of {@linkcode profile}. */
export interface ProfileOptions {
  /** Times the programs are run; default 1. */
  readonly runs?: number;
  /** By the host's clock even where the device can write timestamps. */
  readonly alone?: boolean;
}

/** Dispatches a query set has two timestamps for: 4096 queries are the most a set may have. */
const SET = 2048;
/** Wanted length of a dispatch that runs alone, ms, and its most repetitions. */
const ALONE_MS = 20;
const REPEATS = 200;

interface Place {
  readonly program: Program;
  readonly index: number;
}

/**
 * Runs programs, in order, and times their dispatches. Waits for the device.
 *
 * @param programs One or more programs of one device; one that runs several times stands there as often.
 * @throws {DeviceError} If the device was lost or refused an earlier command.
 */
export async function profile(programs: readonly Program[], options: ProfileOptions = {}): Promise<Profile> {
  const { runs = 1, alone = false } = options;
  const places = programs.flatMap((program) => program.dispatches.map((_, index) => ({ program, index })));
  const dispatches = places.map(({ program, index }) => program.dispatches[index]!);
  const gpu = programs[0]?.gpu;
  if (!gpu || places.length === 0) return { method: alone ? "alone" : "timestamps", dispatches, runs: [] };
  gpu.check();
  const stamped = gpu.caps.timestamps && !alone;
  return {
    method: stamped ? "timestamps" : "alone",
    dispatches,
    runs: stamped ? await timeStamped(gpu, places, runs) : await timeAlone(gpu, places, runs),
  };
}

async function timeStamped(gpu: Gpu, places: readonly Place[], runs: number): Promise<Span[][]> {
  const sets = Array.from({ length: Math.ceil(places.length / SET) }, (_, i) => {
    const count = 2 * Math.min(SET, places.length - i * SET);
    return { set: gpu.device.createQuerySet({ type: "timestamp", count }), count };
  });
  const bytes = places.length * 16;
  const usage = GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC;
  const resolved = gpu.buffer("timestamps", bytes, usage);
  try {
    const times: Span[][] = [];
    for (let run = 0; run < runs; run++) {
      const encoder = gpu.device.createCommandEncoder();
      places.forEach(({ program, index }, i) => {
        const at = 2 * (i % SET);
        const querySet = sets[Math.floor(i / SET)]!.set;
        const pass = encoder.beginComputePass({
          timestampWrites: { querySet, beginningOfPassWriteIndex: at, endOfPassWriteIndex: at + 1 },
        });
        program.encodeOne(pass, index);
        pass.end();
      });
      sets.forEach(({ set, count }, i) => encoder.resolveQuerySet(set, 0, count, resolved, i * SET * 16));
      gpu.queue.submit([encoder.finish()]);
      const [read] = await readRanges(gpu, [{ buffer: resolved, offset: 0, bytes }]);
      times.push(spansOf(new BigUint64Array(read!.buffer as ArrayBuffer, read!.byteOffset, places.length * 2)));
    }
    return times;
  } finally {
    resolved.destroy();
    for (const { set } of sets) set.destroy();
  }
}

/** Device time of passes, one at a time: what benches divide work by. */
export class PassClock {
  readonly #set: GPUQuerySet;
  readonly #resolved: GPUBuffer;

  /** @param gpu Must be able to write timestamps. */
  constructor(readonly gpu: Gpu) {
    this.#set = gpu.device.createQuerySet({ type: "timestamp", count: 2 });
    this.#resolved = gpu.buffer("timestamps", 16, GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC);
  }

  /** Runs one pass and returns its time, ms. Waits for the device. */
  async time(encode: (pass: GPUComputePassEncoder) => void): Promise<number> {
    this.gpu.check();
    const encoder = this.gpu.device.createCommandEncoder();
    const timestampWrites = { querySet: this.#set, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 };
    const pass = encoder.beginComputePass({ timestampWrites });
    encode(pass);
    pass.end();
    encoder.resolveQuerySet(this.#set, 0, 2, this.#resolved, 0);
    this.gpu.queue.submit([encoder.finish()]);
    const [read] = await readRanges(this.gpu, [{ buffer: this.#resolved, offset: 0, bytes: 16 }]);
    return spansOf(new BigUint64Array(read!.buffer as ArrayBuffer, read!.byteOffset, 2))[0]!.end;
  }

  destroy(): void {
    this.#resolved.destroy();
    this.#set.destroy();
  }
}

/** Spans from pairs of timestamps, ns. */
function spansOf(ticks: BigUint64Array): Span[] {
  const first = ticks[0]!;
  const ms = (i: number) => Number(ticks[i]! - first) / 1e6;
  return Array.from({ length: ticks.length / 2 }, (_, i) => ({ begin: ms(2 * i), end: ms(2 * i + 1) }));
}

/** Shortest time that a wait for an idle queue takes, ms. */
async function idleMs(gpu: Gpu): Promise<number> {
  let least = Infinity;
  for (let i = 0; i < 5; i++) {
    const start = performance.now();
    gpu.queue.submit([]);
    await gpu.queue.onSubmittedWorkDone();
    least = Math.min(least, performance.now() - start);
  }
  return least;
}

async function timeAlone(gpu: Gpu, places: readonly Place[], runs: number): Promise<Span[][]> {
  await gpu.queue.onSubmittedWorkDone();
  const idle = await idleMs(gpu);
  const once = async ({ program, index }: Place, repeats: number): Promise<number> => {
    const start = performance.now();
    const encoder = gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (let i = 0; i < repeats; i++) program.encodeOne(pass, index);
    pass.end();
    gpu.queue.submit([encoder.finish()]);
    await gpu.queue.onSubmittedWorkDone();
    return Math.max(1e-4, performance.now() - start - idle) / repeats;
  };
  const times: Span[][] = [];
  for (let run = 0; run < runs; run++) {
    let end = 0;
    const spans: Span[] = [];
    for (const place of places) {
      const repeats = Math.max(1, Math.min(REPEATS, Math.round(ALONE_MS / await once(place, 1))));
      const begin = end;
      end += await once(place, repeats);
      spans.push({ begin, end });
    }
    times.push(spans);
  }
  return times;
}
