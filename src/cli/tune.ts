/**
 * `tune`: measures kernel variants on this machine's adapter for the shapes of an encoder, and keeps the fastest in a file.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { alignRows, count } from "../core/text_table.ts";
import { markOfPicks, type TunedClass, type TuningFile, tuningFor } from "../gpu/tuning.ts";
import { tuningOf } from "../gpu/tuning_of.ts";
import { disk } from "../io/fs.ts";
import { checkFile } from "../io/output.ts";
import { DEFAULT_METHOD, loadMethod } from "../methods/index.ts";
import { findEncoder } from "../models/encoder_registry.ts";
import { RANDOM_PREFIX, randomEncoder } from "../models/random_encoder.ts";
import type { EncoderSpec } from "../models/encoder_spec.ts";
import { embedPlan, type RecordedPlan } from "../verify/plans.ts";
import { classesOf, tune, type TuneOptions } from "../verify/tune.ts";
import { deviceClock } from "../verify/tune_clock.ts";
import { type Args, COMMON, type Flags } from "./args.ts";
import { openGpu, readTuning } from "./gpu.ts";
import type { Job } from "./interrupt.ts";
import { Progress } from "./progress.ts";
import { print, printJson } from "./terminal.ts";

/** Name of the command. */
export const name = "tune";
/** What it does. */
export const summary = "time kernel variants on this machine's adapter and keep the fastest in a file, or show one";
/** An example. */
export const example = "tune --encoder uni2-h --out tuning.json";
/** Its flags. */
export const flags = {
  encoder: {
    kind: "text",
    value: "NAME",
    default: "vit-b16",
    help: "whose shapes are measured: a name of the registry or random:ARCH; no weights are read",
  },
  precision: COMMON.precision,
  "batch-size": {
    ...COMMON["batch-size"],
    help: "images at a time and pairs of a step; 32, on a software adapter 4",
  },
  out: { kind: "text", value: "FILE", help: "where the file goes; embed, train and others take it with --tuning" },
  show: { kind: "text", value: "FILE", help: "show a file and whether it is of this machine; measures nothing" },
  software: COMMON.software,
  backend: COMMON.backend,
  overwrite: COMMON.overwrite,
  quiet: COMMON.quiet,
  json: COMMON.json,
} as const satisfies Flags;

type Values = Args<typeof flags>["flags"];

/** Genes of the training plans, which have little to do with its shapes. */
const GENES = 2000;
/** Images at a time by default. */
const BATCH = { software: 4, gpu: 32 };

/** Runs the command. */
export async function run({ flags: values }: Args<typeof flags>, { signal }: Job): Promise<number> {
  const { out, show } = values;
  if ((out === undefined) === (show === undefined)) {
    throw new ConfigError("Cannot tune: wanted --out FILE to make a file, or --show FILE to look at one", {
      hint: `For example: ${example}`,
    });
  }
  if (show !== undefined) return await showFile(values, show);
  checkFile(out!);
  if (disk.look(out!) !== undefined && !values.overwrite) {
    throw new ConfigError(`Cannot write ${out}: it exists`, { hint: "--overwrite replaces it, --show FILE shows it" });
  }
  const spec = specOf(values.encoder);
  const progress = new Progress(values.quiet || values.json);
  const of = { software: values.software, backend: values.backend };
  const gpu = await openGpu({ ...of, subgroups: true });
  const clock = deviceClock(gpu);
  const plain: TuneOptions["plain"] = async (use) => {
    const other = await openGpu(of);
    const timed = { gpu: other, clock: deviceClock(other) };
    try {
      return await use(timed);
    } finally {
      timed.clock.destroy();
      other.destroy();
    }
  };
  try {
    const batch = values["batch-size"] ?? (gpu.caps.software ? BATCH.software : BATCH.gpu);
    const dtype = values.precision === "f16" ? "f16" : "f32";
    const proof = await (await loadMethod(DEFAULT_METHOD)).proof?.();
    const classes = classesOf(gpu, (on) => {
      const embeds = embedPlan(on, spec, dtype, batch, spec.input.tile);
      const common = { batch, genes: GENES, images: undefined, keys: [], dtype } as const;
      const trains = proof?.plans(on, spec, common).flatMap((plans): RecordedPlan[] => plans()) ?? [];
      return [...embeds ? [embeds] : [], ...trains];
    });
    progress.say(`${gpu.description}: ${count(classes.length, "class", "classes")} of shapes`);
    if (!gpu.caps.subgroups) progress.say(`None is computed by subgroups: ${gpu.withoutSubgroups}`);
    const made = await tune(gpu, classes, clock, {
      signal,
      plain,
      onClass: (one, done, total) => progress.say(`${done}/${total} ${line(one).join("  ")}`),
    });
    disk.write(out!, `${JSON.stringify(made, null, 1)}\n`);
    if (values.json) printJson({ ...made });
    else print(page(made, out!));
    return 0;
  } finally {
    clock.destroy();
    gpu.destroy();
  }
}

function specOf(name: string): EncoderSpec {
  return name.startsWith(RANDOM_PREFIX) ? randomEncoder(name).spec : findEncoder(name);
}

async function showFile(values: Values, path: string): Promise<number> {
  const made = readTuning(path);
  const gpu = await openGpu({ software: values.software, backend: values.backend });
  try {
    if (values.json) printJson({ ...made, mark: markOfPicks(made), of: tuningOf(gpu) });
    else print(page(made, path));
    tuningFor(made, path, tuningOf(gpu));
    return 0;
  } finally {
    gpu.destroy();
  }
}

/** A class in a line: what is taken, and by how much it is faster than the rule's. */
function line({ class: of, pick, rule, ms }: TunedClass): string[] {
  const gain = ms[rule]! / ms[pick]!;
  return [of, pick, `${ms[pick]} ms`, pick === rule ? "as by the rule" : `${gain.toFixed(2)} times as fast as ${rule}`];
}

function page(made: TuningFile, path: string): string {
  const { adapter, driver, kernels, classes, subgroups } = made;
  const of = `${path}: ${adapter}, driver ${driver}, kernels ${kernels}, mark ${markOfPicks(made)}`;
  const asked = subgroups
    ? [
      `Subgroups: ${subgroups.with} ms a call of each with them, ${subgroups.without} ms on a device not asked for them`,
    ]
    : [];
  return [of, ...alignRows(classes.map(line)), ...asked].join("\n");
}
