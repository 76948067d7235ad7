/**
 * The only timer of the benches. A sample encodes a program many times in one pass and waits once. Where the device grants
 * timestamps they tell the pass's time; elsewhere, and for what encodes no pass of its own, the host's clock does, less the
 * wait's own constant (about 10 ms on Deno). `clock` of a row says which. Each bench reports the median and the interquartile range of at least
 * twenty samples, with GFLOP/s and GB/s from the op's own cost.
 *
 * Flags after `--`: `--record [FOLDER]` appends one JSON line a case to `<subject>.jsonl` in the folder, `bench/results` by
 * default; `--only TEXT` keeps cases whose name contains it. Numbers of a software adapter are marked as such.
 *
 * @module
 */

import { type Gpu, requestGpu } from "../src/gpu/device.ts";
import { PassClock } from "../src/graph/profile.ts";
import type { Program } from "../src/graph/program.ts";
import type { Cost } from "../src/ops/cost.ts";

/** One measured case. */
export interface BenchRow {
  case: string;
  medianMs: number;
  iqrMs: number;
  samples: number;
  /** Replays in a sample. */
  replays: number;
  /** What told the time. */
  clock: "timestamps" | "host";
  gflops?: number;
  gbps?: number;
  /** Bytes a second by those of a plain copy in the same run. */
  copyRatio?: number;
  /** Of whole encoders. */
  imagesPerSecond?: number;
}

/** What a case replays; with `encode` a pass can be timed on the device. */
export type Benched = Pick<Program, "run" | "destroy"> & Partial<Pick<Program, "encode">>;

/** A case to measure; `open` is called when its turn comes. */
export interface BenchCase {
  readonly name: string;
  readonly group: string;
  readonly cost?: Cost;
  /** With a cost where only the program knows it. */
  readonly open: (gpu: Gpu) => Promise<{ program: Benched; close: () => void; cost?: Cost }>;
}

const SAMPLES = 20;
/** Wanted length of a sample, ms, and the most a case may take. */
const SAMPLE_MS = 40;
const CASE_MS = 8000;

/** The value below which a part `q` of sorted numbers lies. */
export function quantile(sorted: readonly number[], q: number): number {
  const at = (sorted.length - 1) * q;
  const low = sorted[Math.floor(at)]!;
  return low + (sorted[Math.ceil(at)]! - low) * (at - Math.floor(at));
}

/** Value of a flag after `--`. */
export function flag(name: string): string | undefined {
  const at = Deno.args.indexOf(name);
  return at < 0 ? undefined : Deno.args[at + 1] ?? "";
}

/** Milliseconds that waiting for an idle queue takes. */
async function idleWait(gpu: Gpu): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < 5; i++) {
    const start = performance.now();
    await gpu.queue.onSubmittedWorkDone();
    times.push(performance.now() - start);
  }
  return quantile(times.sort((a, b) => a - b), 0.5);
}

/** What tells the time of a sample. */
interface Timer {
  /** Where the device grants timestamps. */
  readonly clock: PassClock | undefined;
  /** What waiting for an idle queue takes, ms. */
  readonly idle: number;
}

async function sample(gpu: Gpu, program: Benched, replays: number, { clock, idle }: Timer): Promise<number> {
  if (clock && program.encode) {
    return Math.max(
      1e-6,
      await clock.time((pass) => {
        for (let i = 0; i < replays; i++) program.encode!(pass);
      }),
    );
  }
  const start = performance.now();
  program.run(replays);
  await gpu.queue.onSubmittedWorkDone();
  return Math.max(1e-3, performance.now() - start - idle);
}

/** What a program prints; nothing where it is missing. */
export async function output(command: string, args: string[]): Promise<string> {
  try {
    const { stdout } = await new Deno.Command(command, { args, stdout: "piped", stderr: "null" }).output();
    return new TextDecoder().decode(stdout).trim();
  } catch {
    return "";
  }
}

/** When, of what, and on what machine a record is. */
export async function origin(): Promise<Record<string, unknown>> {
  return {
    date: new Date().toISOString(),
    commit: await output("git", ["rev-parse", "--short", "HEAD"]),
    dirty: (await output("git", ["status", "--porcelain", "--untracked-files=no"])) !== "",
    deno: Deno.version.deno,
    os: `${Deno.build.os} ${Deno.build.arch}`,
    cores: navigator.hardwareConcurrency,
  };
}

/** The driver and its version, as far as the system tells: NVIDIA's, or Mesa's package for software adapters; else null. */
export async function driverOf(adapter: string): Promise<string | null> {
  if (/nvidia/i.test(adapter)) {
    const version = await output("nvidia-smi", ["--query-gpu=driver_version", "--format=csv,noheader"]);
    return version ? `NVIDIA ${version.split("\n")[0]}` : null;
  }
  if (!/llvmpipe/i.test(adapter)) return null;
  try {
    const [, version] = /^Package: mesa-vulkan-drivers\n(?:\S.*\n| .*\n)*?Version: (.*)$/m.exec(
      await Deno.readTextFile("/var/lib/dpkg/status"),
    ) ?? [];
    return version ? `Mesa ${version}` : null;
  } catch {
    return null;
  }
}

/** Where a record of a device comes from. */
export async function provenance(gpu: Gpu): Promise<Record<string, unknown>> {
  return {
    ...await origin(),
    adapter: gpu.description,
    driver: await driverOf(gpu.description),
    software: gpu.caps.software,
    path: gpu.caps.flat ? "flat" : "gpu",
    precision: "f32",
  };
}

/**
 * Registers the cases of one subject with `Deno.bench`; rows are printed and recorded when the process ends.
 *
 * @param choose The cases, which may depend on the device.
 * @param relate Told all rows before they are printed, to add what depends on several.
 */
export async function benchSubject(
  subject: string,
  choose: (gpu: Gpu) => readonly BenchCase[],
  relate?: (rows: BenchRow[]) => void,
): Promise<void> {
  const gpu = await requestGpu(navigator.gpu);
  const cases = choose(gpu);
  const source = await provenance(gpu);
  const only = flag("--only") ?? "";
  const rows: BenchRow[] = [];
  let timer: Timer | undefined;
  for (const { name, group, cost, open } of cases) {
    if (!name.includes(only)) continue;
    const times: number[] = [];
    let opened: Awaited<ReturnType<typeof open>> | undefined;
    let replays = 1;
    Deno.bench({ name, group, n: SAMPLES, warmup: 0 }, async (b) => {
      if (!opened) {
        opened = await open(gpu);
        timer ??= { clock: gpu.caps.timestamps ? new PassClock(gpu) : undefined, idle: await idleWait(gpu) };
        await sample(gpu, opened.program, 1, timer);
        const once = await sample(gpu, opened.program, 1, timer);
        replays = Math.max(1, Math.min(2000, Math.round(SAMPLE_MS / once)));
        if (once * replays * SAMPLES > CASE_MS) replays = Math.max(1, Math.floor(CASE_MS / SAMPLES / once));
      }
      b.start();
      times.push(await sample(gpu, opened.program, replays, timer!) / replays);
      b.end();
      if (times.length < SAMPLES) return;
      const sorted = times.slice(-SAMPLES).sort((x, y) => x - y);
      const medianMs = quantile(sorted, 0.5);
      const iqrMs = quantile(sorted, 0.75) - quantile(sorted, 0.25);
      const work = cost ?? opened.cost;
      const rates = work ? { gflops: work.flops / medianMs / 1e6, gbps: work.bytes / medianMs / 1e6 } : {};
      const clock = timer!.clock && opened.program.encode ? "timestamps" : "host";
      rows.push({ case: name, medianMs, iqrMs, samples: SAMPLES, replays, clock, ...rates });
      opened.program.destroy();
      opened.close();
      opened = undefined;
      times.length = 0;
    });
  }
  globalThis.addEventListener("unload", () => {
    relate?.(rows);
    printRows(subject, gpu, rows);
    const folder = flag("--record");
    if (folder !== undefined) {
      const own = new URL("results/", import.meta.url).pathname;
      const path = `${folder && !folder.startsWith("--") ? folder : own}/${subject}.jsonl`;
      const lines = rows.map((row) => JSON.stringify({ ...row, ...source }) + "\n").join("");
      Deno.writeTextFileSync(path, lines, { append: true });
    }
  });
}

function printRows(subject: string, gpu: Gpu, rows: readonly BenchRow[]): void {
  const mark = gpu.caps.software ? " (software adapter: a correctness device, not a product number)" : "";
  console.log(`\n${subject} on ${gpu.description}${mark}, f32, median of ${SAMPLES}`);
  console.log(
    `${"case".padEnd(52)}${"ms".padStart(10)}${"iqr".padStart(9)}${"GFLOP/s".padStart(10)}${"GB/s".padStart(9)}` +
      (rows.some(({ copyRatio }) => copyRatio) ? "by copy".padStart(9) : ""),
  );
  for (const { case: name, medianMs, iqrMs, gflops, gbps, copyRatio } of rows) {
    const cell = (value: number | undefined, width: number) =>
      (value === undefined ? "-" : value.toFixed(2)).padStart(width);
    console.log(
      name.padEnd(52) + medianMs.toFixed(4).padStart(10) + iqrMs.toFixed(4).padStart(9) + cell(gflops, 10) +
        cell(gbps, 9) + (copyRatio === undefined ? "" : cell(copyRatio, 9)),
    );
  }
}
