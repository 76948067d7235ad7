/**
 * What the tuner goes by: time of the device where it can be read, of the processor on a software adapter.
 *
 * @module
 */

import type { Gpu } from "../gpu/device.ts";
import { PassClock } from "../graph/profile.ts";
import type { Program } from "../graph/program.ts";
import { cpuMs } from "../host/process.ts";

/** Times dispatches. */
export interface TuneClock {
  /** Milliseconds of one run of these dispatches of a program, which was run before. */
  measure(program: Program, dispatches: readonly number[]): Promise<number>;
  /** Frees what it has on the device. */
  destroy(): void;
}

/** Wanted length of what is timed at once, ms, and most repetitions of it. */
const LENGTH = 20;
const REPEATS = 200;

/** The clock of a device. */
export function deviceClock(gpu: Gpu): TuneClock {
  const passes = gpu.caps.timestamps && !gpu.caps.software ? new PassClock(gpu) : undefined;
  const now = gpu.caps.software ? cpuMs : () => performance.now();
  let idle: number | undefined;
  /** What a wait takes by itself: on Deno 10 ms. */
  const waitMs = async (): Promise<number> => {
    let least = Infinity;
    for (let i = 0; i < 5; i++) {
      const start = now();
      gpu.queue.submit([]);
      await gpu.queue.onSubmittedWorkDone();
      least = Math.min(least, now() - start);
    }
    return least;
  };
  const once = async (program: Program, dispatches: readonly number[], repeats: number): Promise<number> => {
    const encode = (pass: GPUComputePassEncoder): void => {
      for (let i = 0; i < repeats; i++) for (const index of dispatches) program.encodeOne(pass, index);
    };
    if (passes) return await passes.time(encode) / repeats;
    const encoder = gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    encode(pass);
    pass.end();
    const commands = encoder.finish();
    await gpu.queue.onSubmittedWorkDone();
    idle ??= await waitMs();
    const start = now();
    gpu.queue.submit([commands]);
    await gpu.queue.onSubmittedWorkDone();
    return Math.max(1e-4, now() - start - idle) / repeats;
  };
  return {
    async measure(program, dispatches) {
      const single = Math.max(1e-3, await once(program, dispatches, 1));
      const repeats = Math.max(1, Math.min(REPEATS, Math.round(LENGTH / single)));
      return repeats === 1 ? single : await once(program, dispatches, repeats);
    },
    destroy: () => passes?.destroy(),
  };
}
