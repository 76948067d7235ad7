/**
 * Patch files and folders of images to features: a file an input, made whole or resumed after its last batch.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { INCOMPLETE } from "../core/exit_status.ts";
import type { Reporter } from "../core/reporter.ts";
import type { Embedder } from "../embed/embedder.ts";
import { FEATURE_FORMATS, type FeatureFormat, type FeatureTable } from "../embed/formats.ts";
import { digestAhead, digestOf } from "../worker/digest_pool.ts";
import { type EmbedInput, findInputs, type InputFiles, inputParts, openInput } from "../embed/inputs.ts";
import { lookForMade, madeFacts } from "../embed/made.ts";
import { madeBy } from "../embed/made_by.ts";
import { embedInput } from "../embed/run.ts";
import { featureTable } from "../embed/feature_table.ts";
import { FeatureWriter, removePartial } from "../embed/writer.ts";
import { disk, makeFolder } from "../io/fs.ts";
import { TURNS } from "../io/image/orientation.ts";
import type { RgbImage } from "../io/image/rgb_image.ts";
import { lockFile } from "../io/lock.ts";
import { checkFile, checkSpace, endsAll, isSame, parentOf } from "../io/output.ts";
import { type OpenedEncoder, sayEncoder } from "../models/opened_encoder.ts";
import { DecodePool } from "../worker/decode_pool.ts";
import { adapterName, type EmbedMachine, type EmbedOptions, type EmbedResult, shareOf, withEmbedder } from "./embed.ts";

/** What is asked for. */
export interface EmbedImagesOptions extends EmbedOptions {
  /** Folder, or a file for a single input. */
  readonly out: string;
  /** Of outputs in a folder; a file's own ending decides. */
  readonly format: FeatureFormat;
}

/** What became of one input. */
interface Outcome {
  readonly input: string;
  readonly output: string;
  readonly status: "done" | "failed" | "interrupted";
  readonly rows?: number;
  readonly error?: string;
}

function outputOf({ out, format }: EmbedImagesOptions, input: InputFiles, inputs: readonly InputFiles[]): string {
  const asFile = Object.keys(FEATURE_FORMATS).some((ending) => out.endsWith(`.${ending}`));
  if (asFile && inputs.length > 1) {
    throw new ConfigError(`Cannot write ${inputs.length} inputs to the file ${out}`, {
      hint: "Pass a folder as --out",
    });
  }
  return asFile ? out : `${out.replace(/[/\\]+$/, "")}/${input.name}.${format}`;
}

function formatOf({ out, format }: EmbedImagesOptions): FeatureFormat {
  const ending = Object.keys(FEATURE_FORMATS).find((ending) => out.endsWith(`.${ending}`));
  return (ending ?? format) as FeatureFormat;
}

/**
 * Embeds all inputs; those that cannot be used are listed where there are others.
 *
 * @throws {ConfigError} If an output cannot be written, or is of another input, encoder or setting.
 * @throws {DataError | FormatError} If the only input cannot be used.
 */
export async function embedImages(options: EmbedImagesOptions, machine: EmbedMachine): Promise<EmbedResult> {
  const { paths, shard, overwrite } = options;
  const all = findInputs(disk, paths);
  const inputs = shareOf(all, shard);
  const folders = paths.filter((path) => disk.look(path)?.kind === "folder");
  for (const input of inputs) checkPlace(outputOf(options, input, all), all, folders);
  if (!overwrite) await checkThere(options, inputs, all);
  // Of several, one that cannot be read is listed when its turn comes.
  if (all.length === 1 && inputs.length === 1) (await openInput(disk, inputs[0]!)).close();
  return await withEmbedder(options, machine, async (embedder, opened) => {
    sayEncoder(opened, machine.reporter);
    const outputs = await embedAll({ embedder, opened, options, machine }, inputs, all);
    machine.signal.throwIfAborted();
    const { name: encoder, encoder: { dim }, preparation, assumed } = opened;
    const status = outputs.some(({ status }) => status === "failed") ? INCOMPLETE : 0;
    return { json: { encoder, dim, preparation, assumed, outputs }, status };
  });
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
async function checkThere(
  options: EmbedImagesOptions,
  inputs: readonly InputFiles[],
  all: readonly InputFiles[],
): Promise<void> {
  for (const input of inputs) {
    const output = outputOf(options, input, all);
    if (disk.look(output) !== undefined) await madeFacts(disk, output, formatOf(options));
  }
}

/** What all inputs share. */
interface Work {
  readonly embedder: Embedder;
  readonly opened: OpenedEncoder;
  readonly options: EmbedImagesOptions;
  readonly machine: EmbedMachine;
}

/** An input with where it goes and what its output says. */
interface Place {
  readonly files: InputFiles;
  readonly output: string;
}

async function embedAll(work: Work, inputs: readonly InputFiles[], all: readonly InputFiles[]): Promise<Outcome[]> {
  const { options, machine } = work;
  const places = inputs.map((files): Place => ({ files, output: outputOf(options, files, all) }));
  if (!options.overwrite) await checkOutputs(work, places);
  const pool = new DecodePool();
  const outcomes: Outcome[] = [];
  try {
    for (const [i, place] of places.entries()) {
      const { files, output } = place;
      if (machine.signal.aborted) break;
      if (i + 1 < places.length) digestAhead(inputParts(disk, places[i + 1]!.files));
      try {
        // What was read of an input so far outlasts the stop.
        outcomes.push(await machine.gracefully(() => embedOne(work, place, pool)));
      } catch (error) {
        // One input: its own error and exit status. Several: the others go on.
        if (all.length === 1 || endsAll(error)) throw error;
        outcomes.push({ input: files.name, output, status: "failed", error: (error as Error).message });
        machine.reporter.say(`${files.name}: ${(error as Error).message}`);
      }
    }
  } finally {
    pool.close();
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
      await lookForMade(disk, output, formatOf(work.options), await tableOf(work, files, input));
    } finally {
      input.close();
    }
  }
}

async function tableOf({ opened, options }: Work, files: InputFiles, input: EmbedInput): Promise<FeatureTable> {
  const by = madeBy(opened, { adapter: adapterName(options), precision: options.precision });
  return featureTable(input, await digestOf(inputParts(disk, files)), by);
}

/** Decodes images within the limit of a batch; the first that EXIF says is to be turned is reported. */
function decoder({ limit }: Embedder, pool: DecodePool, reporter: Reporter): (path: string) => Promise<RgbImage> {
  let told = false;
  return async (path) => {
    const image = await pool.decode(path, limit);
    if (image.orientation !== 1 && !told) {
      told = true;
      reporter.say(`${path}: EXIF says ${TURNS[image.orientation]}; tiles are embedded as stored, as PIL opens them`);
    }
    return image;
  };
}

async function embedOne(work: Work, { files, output }: Place, pool: DecodePool): Promise<Outcome> {
  const { embedder, options, machine: { reporter, signal } } = work;
  const input = await openInput(disk, files, decoder(embedder, pool, reporter));
  try {
    const table = await tableOf(work, files, input);
    makeFolder(parentOf(output));
    using _lock = lockFile(output, "embed");
    const done = (rows: number): Outcome => ({ input: files.name, output, status: "done", rows });
    if (!options.overwrite && await lookForMade(disk, output, formatOf(options), table) === "made") {
      removePartial(disk, output);
      reporter.say(`${output}: is there`);
      return done(table.count);
    }
    // Rows are kept beside the output until it is made of them.
    const kept = disk.look(`${output}.partial`);
    checkSpace(output, 8 * table.count * table.dim - (kept?.kind === "file" ? kept.size : 0));
    const writer = FeatureWriter.open(disk, output, formatOf(options), table, { overwrite: options.overwrite });
    if (writer.rows) reporter.say(`${files.name}: going on after ${writer.rows} of ${input.count}`);
    let empty = false;
    try {
      const whole = await embedInput(embedder, input, writer, {
        signal,
        onProgress: (rows, total) => reporter.update(files.name, rows, total, "tiles"),
      });
      if (whole) reporter.say(`${output}: ${input.count} x ${work.opened.encoder.dim}`);
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
