/**
 * `embed`: patches and picture folders to features.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { VERSION } from "../core/version.ts";
import { Embedder } from "../embed/embedder.ts";
import { FEATURE_FORMATS, type FeatureFormat } from "../embed/formats.ts";
import { findInputs, hashInput, type InputFiles, openInput } from "../embed/inputs.ts";
import { embedInput } from "../embed/run.ts";
import { featureTable } from "../embed/table.ts";
import { FeatureWriter } from "../embed/writer.ts";
import type { Gpu } from "../gpu/device.ts";
import { disk, makeFolder } from "../io/fs.ts";
import { DecodePool } from "../worker/decode_pool.ts";
import { type Args, COMMON, type Flags } from "./args.ts";
import { type OpenedEncoder, openEncoder } from "./encoder.ts";
import { openGpu } from "./gpu.ts";
import type { Job } from "./interrupt.ts";
import { checkFile } from "./output.ts";
import { Progress } from "./progress.ts";
import { printJson } from "./terminal.ts";

/** Name of the command. */
export const name = "embed";
/** What it does. */
export const summary = "turn patches and pictures into features with an encoder";
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
  pooling: { kind: "choice", of: ["cls", "cls+mean"], help: "instead of the encoder's own" },
  "batch-size": {
    kind: "number",
    value: "N",
    integer: true,
    min: 1,
    max: 4096,
    help: "tiles a batch; 32, on software 8",
  },
  shard: { kind: "text", value: "I/N", help: "only inputs I, I+N, … of N shards, counted from 0" },
  precision: COMMON.precision,
  overwrite: COMMON.overwrite,
  software: COMMON.software,
  quiet: COMMON.quiet,
  json: COMMON.json,
} as const satisfies Flags;

type Values = Args<typeof flags>["flags"];

/** Name of a file or folder without those above it. */
function lastOf(path: string): string {
  return path.replace(/[/\\]+$/, "").split(/[/\\]/).at(-1) ?? path;
}

/** What became of one input. */
interface Outcome {
  readonly input: string;
  readonly output: string;
  readonly status: "done" | "failed" | "interrupted";
  readonly rows?: number;
  readonly error?: string;
}

function shardOf(text: string | undefined): [number, number] {
  if (text === undefined) return [0, 1];
  const [index, count] = /^(\d+)\/(\d+)$/.exec(text)?.slice(1).map(Number) ?? [];
  if (index === undefined || count === undefined || count < 1 || index >= count) {
    throw new ConfigError(`Cannot read --shard ${text}: wanted I/N with I from 0 to N-1, as in 0/4`, {
      context: { key: "shard", given: text },
    });
  }
  return [index, count];
}

function outputOf({ out, format }: Values, input: InputFiles, inputs: readonly InputFiles[]): string {
  const asFile = Object.keys(FEATURE_FORMATS).some((ending) => out!.endsWith(`.${ending}`));
  if (asFile && inputs.length > 1) {
    throw new ConfigError(`Cannot write ${inputs.length} inputs to the file ${out}`, {
      hint: "Pass a folder as --out",
    });
  }
  return asFile ? out! : `${out!.replace(/[/\\]+$/, "")}/${input.name}.${format}`;
}

function formatOf({ out, format }: Values): FeatureFormat {
  const ending = Object.keys(FEATURE_FORMATS).find((ending) => out!.endsWith(`.${ending}`));
  return (ending ?? format) as FeatureFormat;
}

/** Runs the command. */
export async function run(args: Args<typeof flags>, job: Job): Promise<number> {
  const { flags: values, words: paths } = args;
  if (values.encoder === undefined) {
    throw new ConfigError("Cannot embed: no --encoder is given", { hint: "For example --encoder uni2-h" });
  }
  if (!paths.length) throw new ConfigError("Cannot embed: no input is given", { hint: "Name patch files or folders" });
  const [index, count] = shardOf(values.shard);
  const all = findInputs(disk, paths);
  const inputs = all.filter((_, i) => i % count === index);
  for (const input of inputs) checkFile(outputOf(values, input, all));
  const progress = new Progress(values.quiet);
  const gpu = await openGpu(values.software);
  const precision = values.precision === "f16" ? "f16" : "f32";
  const opened = await openEncoder(gpu, {
    encoder: values.encoder,
    adapter: values.adapter,
    pooling: values.pooling as "cls" | "cls+mean" | undefined,
    dtype: precision,
    onProgress: (what, done, total) => progress.update(what, done, total, "bytes"),
  });
  const outcomes = await job.gracefully(() =>
    embedAll(gpu, opened, inputs, all, values, precision, progress, job.signal)
  );
  opened.encoder.parameters.destroy();
  gpu.destroy();
  job.signal.throwIfAborted();
  if (values.json) printJson({ encoder: opened.name, dim: opened.encoder.dim, outputs: outcomes });
  return outcomes.some(({ status }) => status === "failed") ? 3 : 0;
}

async function embedAll(
  gpu: Gpu,
  opened: OpenedEncoder,
  inputs: readonly InputFiles[],
  all: readonly InputFiles[],
  values: Values,
  precision: "f32" | "f16",
  progress: Progress,
  signal: AbortSignal,
): Promise<Outcome[]> {
  const batchSize = values["batch-size"] ?? (gpu.caps.software ? 8 : 32);
  const embedder = new Embedder(gpu, opened.encoder, { batchSize });
  const pool = new DecodePool();
  const outcomes: Outcome[] = [];
  try {
    for (const input of inputs) {
      if (signal.aborted) break;
      const output = outputOf(values, input, all);
      try {
        outcomes.push(await embedOne(embedder, opened, input, output, values, precision, pool, signal, progress));
      } catch (error) {
        // One input: its own error and exit status. Several: the others go on.
        if (all.length === 1) throw error;
        outcomes.push({ input: input.name, output, status: "failed", error: (error as Error).message });
        progress.say(`${input.name}: ${(error as Error).message}`);
      }
    }
  } finally {
    pool.close();
    embedder.destroy();
  }
  return outcomes;
}

async function embedOne(
  embedder: Embedder,
  opened: OpenedEncoder,
  files: InputFiles,
  output: string,
  values: Values,
  precision: "f32" | "f16",
  pool: DecodePool,
  signal: AbortSignal,
  progress: Progress,
): Promise<Outcome> {
  const input = await openInput(disk, files, (path) => pool.decode(path));
  try {
    const { encoder, name, weightsHash, adapterHash } = opened;
    const table = featureTable(input, hashInput(disk, files), {
      encoder: name,
      dim: encoder.dim,
      weightsHash,
      adapter: values.adapter && lastOf(values.adapter),
      adapterHash,
      precision,
      pooling: encoder.pooling,
      inputSize: encoder.spec.input.size,
      software: `seal-webgpu ${VERSION}`,
    });
    makeFolder(output.replace(/[/\\]?[^/\\]*$/, "") || ".");
    const writer = FeatureWriter.open(disk, output, formatOf(values), table, { overwrite: values.overwrite });
    if (writer.rows) progress.say(`${files.name}: going on after ${writer.rows} of ${input.count}`);
    try {
      const done = await embedInput(embedder, input, writer, {
        signal,
        onProgress: (rows, total) => progress.update(files.name, rows, total, "tiles"),
      });
      if (done) progress.say(`${output}: ${input.count} x ${opened.encoder.dim}`);
      return { input: files.name, output, status: done ? "done" : "interrupted", rows: writer.rows };
    } catch (error) {
      writer.close();
      throw error;
    }
  } finally {
    input.close();
  }
}
