/**
 * The bundled demo: the default method on synthetic data, from nothing to a report.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import type { Reporter } from "../core/reporter.ts";
import { readBytes } from "../io/disk.ts";
import { planSynth, type SynthPlan } from "../data/synth/plan.ts";
import { writeSynth } from "../data/synth/write.ts";
import { disk, makeFolder } from "../io/fs.ts";
import { lockFolder } from "../io/lock.ts";
import { DEFAULT_METHOD, loadMethod, METHOD_NAMES } from "../methods/index.ts";
import type { AnyMethod, AnyRunConfig, MethodDemo } from "../methods/method.ts";

/** Where the demo's data are made. */
const DATA = "data/cache/demo";

/** What the demo is run with. */
export interface DemoOptions {
  readonly out?: string | undefined;
  readonly seed?: number | undefined;
  readonly precision?: string | undefined;
}

/** The demo, ready to be trained. */
export interface DemoRun {
  readonly method: AnyMethod;
  readonly config: AnyRunConfig;
  readonly folder: string;
  /** Makes its data if they are not there. @returns False when it was stopped. */
  prepare(progress: Reporter, signal: AbortSignal): Promise<boolean>;
}

/**
 * The demo of a method.
 *
 * @throws {ConfigError} If it brings none.
 */
export async function demoOf(
  { out = "runs/demo", seed, precision }: DemoOptions,
  name: string = DEFAULT_METHOD,
): Promise<DemoRun> {
  const method = await loadMethod(name);
  const { demo } = method;
  if (demo === undefined) {
    throw new ConfigError(`Cannot train: nothing is said of what, and method ${name} has no demo`, {
      code: "no-demo",
      hint: `Give keys: deno task train method=${METHOD_NAMES.join("|")} --help lists them`,
      context: { method: name },
    });
  }
  const given = Object.entries({ out, seed, precision }).filter(([, value]) => value !== undefined);
  const { config } = method.config.read(
    [{ name: "demo", text: demo.config(DATA) }],
    given.map(([key, value]) => [key, String(value)]),
  );
  return { method, config, folder: out, prepare: (progress, signal) => prepare(demo, progress, signal) };
}

/** Whether a folder holds the finished data set of a plan. */
function holds(folder: string, plan: SynthPlan): boolean {
  const path = `${folder}/synth.json`;
  if (!disk.look(path)) return false;
  const { plan: made } = JSON.parse(new TextDecoder().decode(readBytes(disk, path))) as { plan?: unknown };
  return JSON.stringify(made) === JSON.stringify(plan);
}

async function prepare(demo: MethodDemo, progress: Reporter, signal: AbortSignal): Promise<boolean> {
  const folder = DATA;
  const plan = planSynth(demo.data);
  if (holds(folder, plan)) return true;
  using _lock = lockFolder(folder, "synth");
  const record = await writeSynth(disk, folder, plan, {
    makeFolder,
    overwrite: disk.look(`${folder}/synth.json`) !== undefined,
    signal,
    onSamples: (done, total) => progress.update("synthetic slides", done, total, "slides"),
  });
  return record !== undefined;
}
