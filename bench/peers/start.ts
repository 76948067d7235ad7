/**
 * Time from the start of a process to its first embedding, with an empty and a filled cache of compiled shaders, and the
 * memory it takes. The model lies on disk and, read before, in the system's page cache; so do the libraries.
 *
 * @module
 */

import { paramsOf, vitReference } from "./cases.ts";
import { largestError, quantile } from "./measure.ts";
import { writeOnnx, writeWeights } from "./model_files.ts";
import { spawn } from "./spawn.ts";
import type { StartOrder, StartReport } from "./start_child.ts";
import { storedIn } from "./stored.ts";
import type { Row } from "./types.ts";
import { seededImage, VITS } from "./vit.ts";

/** Largest error admitted, as in the cases of whole models. */
const TOLERANCE = 1e-3;

/** Keys of the starts, beside those of the cases. */
export const STARTS: readonly string[] = Object.keys(VITS).map((name) => `start_${name}`);

/** How starts are measured. */
export interface StartOptions {
  readonly repeats: number;
  readonly allowSoftware: boolean;
  /** Folder for models, references and shader caches. */
  readonly folder: string;
  /** As of `Date.now()`. */
  readonly deadline: number;
}

type Measured = StartReport & { ms: number };

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/** Model and image on disk. */
async function prepare(folder: string, name: string): Promise<Omit<StartOrder, "peer" | "stages">> {
  const spec = { ...VITS[name]!, batch: 1 };
  const order = { spec, folder: `${folder}/${name}`, images: `${folder}/${name}/images.f32` };
  if (await exists(order.images)) return order;
  await writeOnnx(order.folder, spec, paramsOf(name));
  await writeWeights(order.folder, paramsOf(name));
  await Deno.writeFile(order.images, new Uint8Array(seededImage(spec, 0, 0).data.buffer));
  return order;
}

async function once(order: StartOrder, shaders: string, killAfterMs: number): Promise<Measured | Error> {
  const start = performance.now();
  let ms = 0;
  let report: StartReport | undefined;
  const { failure } = await spawn("start_child.ts", order, (text) => {
    if (text === "") ms = performance.now() - start;
    else report = JSON.parse(text) as StartReport;
  }, { killAfterMs, env: { MESA_SHADER_CACHE_DIR: shaders } });
  return failure !== undefined || !report ? new Error(failure ?? "no result") : { ...report, ms };
}

/** Rows of one peer and one key of {@link STARTS}. */
export async function measureStarts(peer: string, key: string, options: StartOptions): Promise<Row[]> {
  const { repeats, allowSoftware, folder, deadline } = options;
  const name = key.slice("start_".length);
  const cases = { filled: `start ${name}, shaders cached`, empty: `start ${name}, no shader cache` };
  const none = (status: Row["status"], reason?: string, version = ""): Row[] =>
    Object.values(cases).map((label) => ({ case: label, peer, version, status, ...(reason && { reason }) }));
  const order = { ...await prepare(folder, name), peer };
  const reference = await vitReference(name, 1, storedIn(folder));
  const filled = await Deno.makeTempDir({ dir: folder, prefix: "shaders-" });
  const left = (): number => Math.max(1000, deadline - Date.now());
  // Fills the caches: shaders, Deno's, the system's.
  const first = await once({ ...order, stages: false }, filled, left());
  if (first instanceof Error) return none(left() > 1000 ? "error" : "skipped", first.message);
  if (first.unsupported) return none("unsupported", undefined, first.version);
  if (first.software && !allowSoftware) {
    return none("skipped", "software adapter; --allow-software times it all the same", first.version);
  }
  const told = await once({ ...order, stages: true }, filled, left());
  if (told instanceof Error) return none("error", told.message, first.version);
  const runs = { filled: [first], empty: [first] };
  // By turns, so that whatever else the machine does meets both.
  for (let i = 0; i < repeats && (i === 0 || left() > 1000); i++) {
    for (const cache of ["filled", "empty"] as const) {
      const shaders = cache === "filled" ? filled : await Deno.makeTempDir({ dir: folder, prefix: "shaders-" });
      const run = await once({ ...order, stages: false }, shaders, left());
      if (run instanceof Error) return none("error", run.message, first.version);
      runs[cache].push(run);
    }
  }
  const { version } = first, { memory } = told;
  return [
    { case: cases.filled, peer, version, ...summary(runs.filled, reference), ...(memory && { memory }) },
    { case: cases.empty, peer, version, ...summary(runs.empty, reference) },
  ];
}

/** The first run is checked but not timed. */
function summary(
  runs: readonly Measured[],
  reference: Record<string, Float64Array>,
): Omit<Row, "case" | "peer" | "version"> {
  const errors = runs.map(({ y = [] }) => largestError({ y: new Float32Array(y) }, reference).error);
  const maxRelErr = errors.reduce((a, b) => (b <= a ? a : b));
  if (!(maxRelErr <= TOLERANCE)) return { status: "mismatch", maxRelErr, reason: `error ${maxRelErr}` };
  const timed = runs.slice(1);
  const sorted = (of: (run: Measured) => number): number[] => timed.map(of).sort((a, b) => a - b);
  const times = sorted(({ ms }) => ms);
  const { adapter, software } = runs[0]!;
  return {
    status: "ok",
    ...(adapter !== undefined && { adapter }),
    ...(software !== undefined && { software }),
    maxRelErr,
    medianMs: quantile(times, 0.5),
    iqrMs: quantile(times, 0.75) - quantile(times, 0.25),
    repeats: times.length,
    cpuMs: quantile(sorted(({ cpuMs = 0 }) => cpuMs), 0.5),
    peakBytes: quantile(sorted(({ peakBytes = 0 }) => peakBytes), 0.5),
  };
}
