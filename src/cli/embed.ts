/**
 * `embed`: patches, picture folders and slides to features.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { Embedder } from "../embed/embedder.ts";
import { FEATURE_FORMATS, type FeatureFormat, type FeatureTable } from "../embed/formats.ts";
import { type EmbedInput, findInputs, hashInput, type InputFiles, openInput } from "../embed/inputs.ts";
import { lookForMade, madeFacts } from "../embed/made.ts";
import { embedInput } from "../embed/run.ts";
import { featureTable } from "../embed/feature_table.ts";
import { FeatureWriter, removePartial } from "../embed/writer.ts";
import type { Gpu } from "../gpu/device.ts";
import { disk, makeFolder } from "../io/fs.ts";
import { lockFile } from "../io/lock.ts";
import { TURNS } from "../io/image/orientation.ts";
import type { Picture } from "../io/image/picture.ts";
import { DecodePool } from "../worker/decode_pool.ts";
import { type Args, COMMON, type Flags } from "./args.ts";
import { checkEncoder, openEncoder } from "../run/encoder.ts";
import { type OpenedEncoder, sayEncoder } from "../models/opened_encoder.ts";
import { openGpu } from "./gpu.ts";
import type { Job } from "./interrupt.ts";
import { madeBy } from "../embed/made_by.ts";
import { checkFile, checkSpace, endsAll, isSame, parentOf } from "../io/output.ts";
import { embedSlides } from "./embed_slides.ts";
import { Progress } from "./progress.ts";
import { SLIDE_FLAGS, strayFlag } from "./slide_flags.ts";
import { parseShard, shardSlides } from "../slides/shards.ts";
import { printJson } from "./terminal.ts";

/** Name of the command. */
export const name = "embed";
/** What it does. */
export const summary = "turn patches, pictures and slides into features with an encoder";
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

/** Slides go into the folder of their job. */
export function elsewhere(argv: readonly string[]): string | undefined {
  return argv.some((word) => /^--job(=|$)/.test(word)) ? "another --job" : undefined;
}

/** Runs the command. */
export async function run(args: Args<typeof flags>, job: Job): Promise<number> {
  const { flags: values, words: paths } = args;
  if (values.encoder === undefined) {
    throw new ConfigError("Cannot embed: no --encoder is given", { hint: "For example --encoder uni2-h" });
  }
  if (values.job !== undefined) return await embedSlides(values, paths, job);
  const stray = strayFlag(values);
  if (stray !== undefined) {
    throw new ConfigError(`Cannot embed pictures with --${stray}, which is of slides`, {
      hint: "Pass --job DIR to embed slides",
    });
  }
  if (!paths.length) throw new ConfigError("Cannot embed: no input is given", { hint: "Name patch files or folders" });
  const all = findInputs(disk, paths);
  const inputs = values.shard === undefined
    ? all
    : shardSlides(all, parseShard(values.shard, (name) => Deno.env.get(name)));
  const folders = paths.filter((path) => disk.look(path)?.kind === "folder");
  for (const input of inputs) checkPlace(outputOf(values, input, all), all, folders);
  const progress = new Progress(values.quiet);
  await checkEncoder(values.encoder, values.adapter);
  if (!values.overwrite) await checkThere(values, inputs, all);
  // Of several, one that cannot be read is listed when its turn comes.
  if (all.length === 1 && inputs.length === 1) (await openInput(disk, inputs[0]!)).close();
  const gpu = await openGpu(values.software);
  const precision = values.precision === "f16" ? "f16" : "f32";
  const opened = await openEncoder(gpu, {
    encoder: values.encoder,
    adapter: values.adapter,
    pooling: values.pooling as "cls" | "mean" | "cls+mean" | undefined,
    imageSize: values["image-size"],
    dtype: precision,
    onProgress: (what, done, total) => progress.update(what, done, total, "bytes"),
  });
  sayEncoder(opened, progress);
  const work = { gpu, opened, values, precision, progress, signal: job.signal } as const;
  const outcomes = await embedAll(work, inputs, all, job);
  opened.encoder.parameters.destroy();
  gpu.destroy();
  job.signal.throwIfAborted();
  const { name: encoder, encoder: { dim }, preparation, assumed } = opened;
  if (values.json) printJson({ encoder, dim, preparation, assumed, outputs: outcomes });
  return outcomes.some(({ status }) => status === "failed") ? 3 : 0;
}

/**
 * Refuses an output that cannot be written, that would take the place of an input, or that would be found as one when the
 * command is given again.
 */
function checkPlace(output: string, inputs: readonly InputFiles[], folders: readonly string[]): void {
  checkFile(output);
  const among = folders.flatMap((folder) => [folder, `${folder}/patches`]).find((folder) =>
    isSame(folder, parentOf(output)) && inputs.some(({ paths: [path] }) => isSame(folder, parentOf(path!)))
  );
  if (among !== undefined) {
    throw new ConfigError(`Cannot write ${output}: ${among} is read for inputs, wanted a folder that is not`, {
      code: "output-path",
      hint: "Pass --out with another folder",
      context: { path: output, inputs: among },
    });
  }
  const own = inputs.flatMap(({ paths }) => paths).find((path) => isSame(path, output));
  if (own === undefined) return;
  throw new ConfigError(`Cannot write ${output}: it is the input`, {
    code: "output-path",
    hint: "Pass --out with another folder",
    context: { path: output },
  });
}

/** Refuses outputs that are damaged or of another program, before the encoder is opened. */
async function checkThere(values: Values, inputs: readonly InputFiles[], all: readonly InputFiles[]): Promise<void> {
  for (const input of inputs) {
    const output = outputOf(values, input, all);
    if (disk.look(output) !== undefined) await madeFacts(disk, output, formatOf(values));
  }
}

/** What all inputs share. */
interface Work {
  readonly gpu: Gpu;
  readonly opened: OpenedEncoder;
  readonly values: Values;
  readonly precision: "f32" | "f16";
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** An input with where it goes and what its output says. */
interface Place {
  readonly files: InputFiles;
  readonly output: string;
}

async function embedAll(
  work: Work,
  inputs: readonly InputFiles[],
  all: readonly InputFiles[],
  job: Job,
): Promise<Outcome[]> {
  const { gpu, opened, values, progress, signal } = work;
  const places = inputs.map((files): Place => ({ files, output: outputOf(values, files, all) }));
  if (!values.overwrite) await checkOutputs(work, places);
  const batchSize = values["batch-size"] ?? (gpu.caps.software ? 8 : 32);
  const embedder = new Embedder(gpu, opened.encoder, { batchSize });
  const pool = new DecodePool();
  const outcomes: Outcome[] = [];
  try {
    for (const place of places) {
      const { files, output } = place;
      if (signal.aborted) break;
      try {
        // What was read of an input so far outlasts the stop.
        outcomes.push(await job.gracefully(() => embedOne(work, place, embedder, pool)));
      } catch (error) {
        // One input: its own error and exit status. Several: the others go on.
        if (all.length === 1 || endsAll(error)) throw error;
        outcomes.push({ input: files.name, output, status: "failed", error: (error as Error).message });
        progress.say(`${files.name}: ${(error as Error).message}`);
      }
    }
  } finally {
    pool.close();
    embedder.destroy();
  }
  return outcomes;
}

/**
 * Refuses outputs of other inputs, encoders or settings before anything is embedded.
 *
 * @throws {ConfigError} If there is one.
 */
async function checkOutputs(work: Work, places: readonly Place[]): Promise<void> {
  for (const { files, output } of places) {
    const there = [output, `${output}.json`, `${output}.partial`, `${output}.partial.json`];
    if (!there.some((path) => disk.look(path) !== undefined)) continue;
    let input: EmbedInput;
    try {
      input = await openInput(disk, files);
    } catch {
      continue; // It fails when its turn comes, and is listed.
    }
    try {
      await lookForMade(disk, output, formatOf(work.values), tableOf(work, files, input));
    } finally {
      input.close();
    }
  }
}

function tableOf({ opened, values, precision }: Work, files: InputFiles, input: EmbedInput): FeatureTable {
  const adapter = values.adapter && lastOf(values.adapter);
  return featureTable(input, hashInput(disk, files), madeBy(opened, { adapter, precision }));
}

/** Decodes pictures within the limit of a batch; the first that EXIF says is to be turned is reported. */
function decoder({ limit }: Embedder, pool: DecodePool, progress: Progress): (path: string) => Promise<Picture> {
  let told = false;
  return async (path) => {
    const picture = await pool.decode(path, limit);
    if (picture.orientation !== 1 && !told) {
      told = true;
      progress.say(`${path}: EXIF says ${TURNS[picture.orientation]}; tiles are embedded as stored, as PIL opens them`);
    }
    return picture;
  };
}

async function embedOne(work: Work, { files, output }: Place, embedder: Embedder, pool: DecodePool): Promise<Outcome> {
  const { values, progress, signal } = work;
  const input = await openInput(disk, files, decoder(embedder, pool, progress));
  try {
    const table = tableOf(work, files, input);
    makeFolder(parentOf(output));
    using _lock = lockFile(output, "embed");
    const done = (rows: number): Outcome => ({ input: files.name, output, status: "done", rows });
    if (!values.overwrite && await lookForMade(disk, output, formatOf(values), table) === "made") {
      removePartial(disk, output);
      progress.say(`${output}: is there`);
      return done(table.count);
    }
    // Rows are kept beside the output until it is made of them.
    const kept = disk.look(`${output}.partial`);
    checkSpace(output, 8 * table.count * table.dim - (kept?.kind === "file" ? kept.size : 0));
    const writer = FeatureWriter.open(disk, output, formatOf(values), table, { overwrite: values.overwrite });
    if (writer.rows) progress.say(`${files.name}: going on after ${writer.rows} of ${input.count}`);
    let empty = false;
    try {
      const whole = await embedInput(embedder, input, writer, {
        signal,
        onProgress: (rows, total) => progress.update(files.name, rows, total, "tiles"),
      });
      if (whole) progress.say(`${output}: ${input.count} x ${work.opened.encoder.dim}`);
      return whole ? done(writer.rows) : { input: files.name, output, status: "interrupted", rows: writer.rows };
    } catch (error) {
      empty = writer.rows === 0;
      throw error;
    } finally {
      writer.close();
      // What failed before its first row left nothing to go on with.
      if (empty) removePartial(disk, output);
    }
  } finally {
    input.close();
  }
}
