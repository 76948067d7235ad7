/**
 * `embed`: patches, image folders and slides to features.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { FEATURE_FORMATS, type FeatureFormat } from "../embed/formats.ts";
import type { Pooling } from "../models/encoder_spec.ts";
import type { EmbedMachine, EmbedOptions, EmbedResult } from "../run/embed.ts";
import { dryRun } from "../run/embed_dry_run.ts";
import { embedImages } from "../run/embed_images.ts";
import { embedSlides } from "../run/embed_slides.ts";
import { type Args, COMMON, type Flags } from "./args.ts";
import { openGpu } from "./gpu.ts";
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
  out: { kind: "text", value: "DIR|FILE", default: "features", help: "folder, or a file for a single input" },
  format: { kind: "choice", of: Object.keys(FEATURE_FORMATS), default: "h5", help: "form of the output" },
  pooling: { kind: "choice", of: ["cls", "mean", "cls+mean"], help: "instead of the encoder's own" },
  "image-size": COMMON["image-size"],
  "batch-size": COMMON["batch-size"],
  shard: { kind: "text", value: "I/N|auto", help: "share I of N, counted from 0; auto: SLURM's or Kubernetes' own" },
  precision: COMMON.precision,
  overwrite: COMMON.overwrite,
  software: COMMON.software,
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
    job: values.job!.replace(/(?<=.)[/\\]+$/, ""),
    nameFrom: values["name-from"] as "file" | "relative",
    settings: slideSettings(values),
    outlines: flavourOf(values),
  };
  if (!values["dry-run"]) return await embedSlides(options, machine);
  return await dryRun(options, machine, (error) => askedOfLauncher(error) !== undefined);
}

/** Runs the command. */
export async function run({ flags: values, words: paths }: Args<typeof flags>, job: Job): Promise<number> {
  const { encoder, adapter, shard, overwrite } = values;
  if (encoder === undefined) {
    throw new ConfigError("Cannot embed: no --encoder is given", { hint: "For example --encoder uni2-h" });
  }
  const shared: EmbedOptions = {
    ...{ paths, encoder, adapter, shard, overwrite },
    pooling: values.pooling as Pooling | undefined,
    imageSize: values["image-size"],
    batchSize: values["batch-size"],
    precision: values.precision === "f16" ? "f16" : "f32",
  };
  const machine: EmbedMachine = {
    reporter: new Progress(values.quiet),
    signal: job.signal,
    openGpu: () => openGpu(values.software),
    gracefully: (act) => job.gracefully(act),
  };
  const { json, status } = await (values.job === undefined ? runImages : runSlides)(values, shared, machine);
  if (values.json) printJson(json);
  return status;
}
