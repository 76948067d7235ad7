/**
 * `embed`: patches, image folders and slides to features.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { FEATURE_FORMATS, type FeatureFormat } from "../embed/formats.ts";
import { trimmed } from "../io/output.ts";
import type { Pooling } from "../models/encoder_spec.ts";
import type { EmbedMachine, EmbedOptions, EmbedResult } from "../run/embed.ts";
import { dryRun } from "../run/embed_dry_run.ts";
import { embedFeatures } from "../run/embed_features.ts";
import { embedImages } from "../run/embed_images.ts";
import { embedSlides } from "../run/embed_slides.ts";
import { type Args, COMMON, type Flags } from "./args.ts";
import { gpuOpener } from "./gpu.ts";
import type { Job } from "./interrupt.ts";
import { askedOfLauncher } from "./launched.ts";
import { Progress } from "./progress.ts";
import { flavourOf, SLIDE_FLAGS, slideSettings, strayFlag } from "./slide_flags.ts";
import { printJson } from "./terminal.ts";

/** Name of the command. */
export const name = "embed";
/** What it does. */
export const summary = "turn patches, images and slides into features with an encoder";
/** An example. */
export const example = "embed patches/TENX95.h5 --encoder uni2-h --out features";
/** How the words are called. */
export const words = "INPUT…";

/** Flags of the command. */
export const flags = {
  encoder: { kind: "text", value: "NAME|PATH", help: "registry name, folder, weights file, or random:ARCH" },
  adapter: { kind: "text", value: "PATH", help: "PEFT LoRA folder or SEAL .pth" },
  run: {
    kind: "text",
    value: "DIR",
    help: "instead of an encoder: a run that makes features of others (spade, bulk); inputs are folders of features",
  },
  form: { kind: "text", value: "FORM", help: "what --run makes: routed (default) or concat of spade, an arm of bulk" },
  out: { kind: "text", value: "DIR|FILE", default: "features", help: "folder, or a file for a single input" },
  format: { kind: "choice", of: Object.keys(FEATURE_FORMATS), default: "h5", help: "form of the output" },
  pooling: { kind: "choice", of: ["cls", "mean", "cls+mean"], help: "instead of the encoder's own" },
  "image-size": COMMON["image-size"],
  "batch-size": COMMON["batch-size"],
  shard: { kind: "text", value: "I/N|auto", help: "share I of N, counted from 0; auto: SLURM's or Kubernetes' own" },
  precision: COMMON.precision,
  overwrite: COMMON.overwrite,
  software: COMMON.software,
  backend: COMMON.backend,
  tuning: COMMON.tuning,
  quiet: COMMON.quiet,
  json: COMMON.json,
  ...SLIDE_FLAGS,
} as const satisfies Flags;

type Values = Args<typeof flags>["flags"];

/** Slides go into the folder of their job. */
export function elsewhere(argv: readonly string[]): string | undefined {
  return argv.some((word) => /^--job(=|$)/.test(word)) ? "another --job" : undefined;
}

async function runImages(values: Values, shared: EmbedOptions, machine: EmbedMachine): Promise<EmbedResult> {
  const stray = strayFlag(values);
  if (stray !== undefined) {
    throw new ConfigError(`Cannot embed images with --${stray}, which is of slides`, {
      hint: "Pass --job DIR to embed slides",
    });
  }
  if (!shared.paths.length) {
    throw new ConfigError("Cannot embed: no input is given", { hint: "Name patch files or folders" });
  }
  return await embedImages({ ...shared, out: values.out, format: values.format as FeatureFormat }, machine);
}

async function runSlides(values: Values, shared: EmbedOptions, machine: EmbedMachine): Promise<EmbedResult> {
  const { manifest, mpp, tissue, regions, workers, verify } = values;
  if (!shared.paths.length && manifest === undefined) {
    throw new ConfigError("Cannot embed: no slide is given", {
      hint: "Name slides or folders of them, or a --manifest",
    });
  }
  const options = {
    ...shared,
    ...{ manifest, mpp, tissue, regions, workers, verify },
    job: trimmed(values.job!),
    nameFrom: values["name-from"] as "file" | "relative",
    settings: slideSettings(values),
    outlines: flavourOf(values),
  };
  if (!values["dry-run"]) return await embedSlides(options, machine);
  return await dryRun(options, machine, (error) => askedOfLauncher(error) !== undefined);
}

/** Flags that say something of features that a run makes. */
const OF_RUN: ReadonlySet<string> = new Set(
  ["run", "form", "out", "format", "overwrite", "software", "quiet", "json", "precision", "name-from"],
);

/** Stored features through a run. */
async function runFeatures(values: Values, paths: readonly string[], machine: EmbedMachine): Promise<EmbedResult> {
  const { run, form, out, format, overwrite } = values;
  const half = values.precision === "f16";
  const defaults = Object.fromEntries(
    Object.entries(flags).map(([name, flag]) => [name, "default" in flag ? flag.default : undefined]),
  );
  const stray = Object.entries(values).find(([name, value]) =>
    !OF_RUN.has(name) && value !== undefined && value !== false && value !== defaults[name] &&
    !(Array.isArray(value) && value.length === 0)
  );
  if (stray) {
    throw new ConfigError(`Cannot embed with --run and --${stray[0]}, which is of images`, {
      hint: `Leave --${stray[0]} out: a run makes features of those that are there`,
    });
  }
  const settings = { format, ...(half && { precision: "f16" }) };
  return await embedFeatures(
    { run: run!, features: paths, form, half, format: format as FeatureFormat, out, overwrite, settings },
    machine,
  );
}

/** Runs the command. */
export async function run({ flags: values, words: paths }: Args<typeof flags>, job: Job): Promise<number> {
  const { encoder, adapter, shard, overwrite } = values;
  const reporter = new Progress(values.quiet);
  const machine: EmbedMachine = {
    reporter,
    signal: job.signal,
    openGpu: gpuOpener(values, (text) => reporter.say(text)),
    gracefully: (act) => job.gracefully(act),
  };
  if (values.run !== undefined) {
    const { json, status } = await runFeatures(values, paths, machine);
    if (values.json) printJson(json);
    return status;
  }
  if (values.form !== undefined) {
    throw new ConfigError("Cannot embed images with --form, which is of --run", { hint: "Leave --form out" });
  }
  if (encoder === undefined) {
    throw new ConfigError("Cannot embed: no --encoder is given", {
      hint: "For example --encoder uni2-h; --run for features of features",
    });
  }
  const shared: EmbedOptions = {
    ...{ paths, encoder, adapter, shard, overwrite },
    pooling: values.pooling as Pooling | undefined,
    imageSize: values["image-size"],
    batchSize: values["batch-size"],
    precision: values.precision === "f16" ? "f16" : "f32",
  };
  const { json, status } = await (values.job === undefined ? runImages : runSlides)(values, shared, machine);
  if (values.json) printJson(json);
  return status;
}
