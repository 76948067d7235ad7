/**
 * `embed --job`: slides to features in TRIDENT's tree.
 *
 * @module
 */

import { ConfigError, type SealError } from "../core/errors.ts";
import { readBytes } from "../data/data_folder.ts";
import { openSlide, type Slide } from "../data/image/slide.ts";
import { Embedder } from "../embed/embedder.ts";
import {
  embedTiles,
  judgeFeatures,
  removeSlidePartial,
  slideFacts,
  type SlideSettings,
  slideTable,
} from "../embed/slide_job.ts";
import type { MadeBy } from "../embed/feature_table.ts";
import { FeatureWriter } from "../embed/writer.ts";
import { disk, makeFolder, openFile } from "../io/fs.ts";
import { openFeatures } from "../io/features.ts";
import { licenceOf, type OpenedEncoder, sayEncoder } from "../models/opened_encoder.ts";
import { fileFor } from "../slides/given.ts";
import { encoderFolder, gridFolder } from "../slides/names.ts";
import { type GivenFile, type PlanGiven, planSlide, type SlidePlan, writePlan } from "../slides/plan.ts";
import { exitStatusOf, type SlideState } from "../slides/states.ts";
import { slidePaths } from "../slides/tree.ts";
import { openTiles } from "../worker/tile_pool.ts";
import { contentHash } from "../run/content_hash.ts";
import { openEncoder } from "../run/encoder.ts";
import { lockIfFree, lockInTurn } from "../run/slide_locks.ts";
import { readState, writeState } from "../run/slide_states.ts";
import { openGpu } from "./gpu.ts";
import type { Job } from "./interrupt.ts";
import { madeBy } from "../embed/made_by.ts";
import { checkFolder, checkSpace, endsAll, parentOf } from "../io/output.ts";
import { Progress } from "./progress.ts";
import { flavourOf, slideSettings, type SlideValues } from "./slide_flags.ts";
import { findSlides, shareOf, type SlideInput } from "./slide_inputs.ts";
import { dryRun } from "./slide_dry_run.ts";
import { writeConfigs, writeSummary } from "./slide_files.ts";
import { printJson } from "./terminal.ts";

/** Values of the flags that pictures and slides share. */
export interface EmbedValues extends SlideValues {
  readonly encoder: string | undefined;
  readonly adapter: string | undefined;
  readonly pooling: string | undefined;
  readonly "image-size": number | undefined;
  readonly "batch-size": number | undefined;
  readonly shard: string | undefined;
  readonly precision: string | undefined;
  readonly overwrite: boolean;
  readonly software: boolean;
  readonly quiet: boolean;
  readonly json: boolean;
}

/** What all slides of a job share. */
interface Work {
  readonly job: string;
  readonly values: EmbedValues;
  readonly settings: SlideSettings;
  readonly by: MadeBy;
  readonly licence: string;
  /** Name of the encoder's folder. */
  readonly folder: string;
  readonly embedder: Embedder;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** Runs `embed` on slides. @returns The exit status. */
export async function embedSlides(values: EmbedValues, paths: readonly string[], job: Job): Promise<number> {
  const folder = values.job!.replace(/(?<=.)[/\\]+$/, "");
  if (!paths.length && values.manifest === undefined) {
    throw new ConfigError("Cannot embed: no slide is given", {
      hint: "Name slides or folders of them, or a --manifest",
    });
  }
  const settings = slideSettings(values);
  const all = findSlides(disk, paths, values.manifest, values["name-from"] as "file" | "relative");
  const slides = shareOf(all, values.shard);
  const progress = new Progress(values.quiet);
  if (values["dry-run"]) return await dryRun(values, settings, slides, progress);
  checkFolder(folder, "--job");
  // Of one slide what is wrong with it is said before the encoder is loaded.
  if (all.length === 1 && slides.length === 1 && !values.verify) {
    const slide = await openSlide(await openFile(slides[0]!.path));
    try {
      await planSlide(slide, slides[0]!.name, { ...settings, everywhere: true }, {
        flag: values.mpp,
        manifest: slides[0]!.mpp,
      });
    } finally {
      slide.close();
    }
  }
  const gpu = await openGpu(values.software);
  const precision = values.precision === "f16" ? "f16" : "f32";
  const opened = await openEncoder(gpu, {
    encoder: values.encoder!,
    adapter: values.adapter,
    pooling: values.pooling as "cls" | "mean" | "cls+mean" | undefined,
    imageSize: values["image-size"],
    dtype: precision,
    onProgress: (what, done, total) => progress.update(what, done, total, "bytes"),
  });
  const embedder = new Embedder(gpu, opened.encoder, {
    batchSize: values["batch-size"] ?? (gpu.caps.software ? 8 : 32),
  });
  const work = workOf(values, folder, settings, opened, embedder, progress, job.signal, precision);
  try {
    const states = values.verify
      ? await verifyAll(work, slides)
      : await embedAll(work, slides, all.length, job, opened);
    job.signal.throwIfAborted();
    return finish(work, states, opened);
  } finally {
    embedder.destroy();
    opened.encoder.parameters.destroy();
    gpu.destroy();
  }
}

function workOf(
  values: EmbedValues,
  job: string,
  settings: SlideSettings,
  opened: OpenedEncoder,
  embedder: Embedder,
  progress: Progress,
  signal: AbortSignal,
  precision: "f32" | "f16",
): Work {
  const adapter = values.adapter?.replace(/[/\\]+$/, "").split(/[/\\]/).at(-1);
  const by = madeBy(opened, { adapter, precision });
  const hash = opened.adapterHash;
  const folder = encoderFolder(
    opened.name,
    adapter === undefined || hash === undefined ? undefined : { name: adapter, hash },
  );
  const licence = licenceOf(opened.name, opened.encoder.spec);
  return { job, values, settings, by, licence, folder, embedder, progress, signal };
}

/** What was asked for, said in output and exit status. */
function finish({ values, job, folder, licence }: Work, states: readonly SlideState[], opened: OpenedEncoder): number {
  if (values.json) {
    const { name: encoder, encoder: { dim }, preparation, assumed } = opened;
    printJson({ job, encoder, dim, licence, features: `features_${folder}`, preparation, assumed, slides: states });
  }
  return exitStatusOf(states);
}

async function embedAll(
  work: Work,
  slides: readonly SlideInput[],
  of: number,
  job: Job,
  opened: OpenedEncoder,
): Promise<SlideState[]> {
  const { progress, signal, values } = work;
  sayEncoder(opened, progress);
  writeConfigs(work, values.tissue !== undefined);
  const states: SlideState[] = [];
  for (const slide of slides) {
    if (signal.aborted) break;
    try {
      const state = await job.gracefully(() => embedOne(work, slide));
      if (state !== undefined) states.push(state);
    } catch (error) {
      const reason = (error as Error).message;
      const state: SlideState = { ...none(slide.name), status: "failed", reason };
      if (!endsAll(error)) writeState(work.job, state);
      if (of === 1 || endsAll(error)) throw error;
      progress.warn(`${slide.name}: ${reason}${(error as SealError).hint ? `; ${(error as SealError).hint}` : ""}`);
      states.push(state);
    }
    progress.update("slides", states.length, slides.length, "slides");
  }
  writeSummary(work);
  for (const { name, status, reason } of states) {
    if (status === "empty") progress.warn(`${name}: ${reason}`);
  }
  if (values["max-tiles"] !== undefined) progress.say(`A preview: at most ${values["max-tiles"]} tiles of each slide`);
  return states;
}

function none(name: string): Omit<SlideState, "status"> {
  return { name, tiles: 0, damaged: 0, facts: {} };
}

/** A file that is given for a slide, with its checksum. */
async function givenFile(path: string | undefined): Promise<(GivenFile & { readonly hash: string }) | undefined> {
  if (path === undefined) return undefined;
  return { path, bytes: readBytes(disk, path), hash: await contentHash([path]) };
}

/** What is given for a slide, and what that decides. */
async function givenOf({ values, settings, by, licence }: Work, slide: SlideInput) {
  const tissue = await givenFile(slide.mask ?? fileFor(disk, values.tissue, slide.name, "tissue"));
  const regions = await givenFile(fileFor(disk, values.regions, slide.name, "regions"));
  const hashes = {
    ...{ input: await contentHash([slide.path]), tissue: tissue?.hash, regions: regions?.hash },
    mpp: values.mpp ?? slide.mpp,
  };
  return {
    given: { flag: values.mpp, manifest: slide.mpp, tissue, regions },
    facts: slideFacts(slide.name, by, licence, settings, hashes),
  };
}

/** Opens a slide to be looked at as a whole, which damaged parts do not hinder unless that was asked for. */
async function openWhole({ settings }: Work, { path }: SlideInput): Promise<Slide> {
  return await openSlide(await openFile(path), { damagedTiles: settings.badTiles === "fail" ? "fail" : "white" });
}

/** Embeds a slide. @returns How it ended; undefined if the signal stopped it. */
async function embedOne(work: Work, slide: SlideInput): Promise<SlideState | undefined> {
  const { job, settings, folder, progress, values } = work;
  const paths = slidePaths(slide.name, settings, folder);
  for (const [key, path] of Object.entries(paths)) {
    if (key !== "tilesGeojson" || values.geojson !== "trident") makeFolder(parentOf(`${job}/${path}`));
  }
  const output = `${job}/${paths.features}`;
  const lock = lockIfFree(output);
  if (lock === undefined) {
    progress.say(`${slide.name}: another process works on it, as ${output}.lock says`);
    return { ...none(slide.name), status: "skipped", reason: "another process works on it" };
  }
  using _lock = lock;
  const { given, facts } = await givenOf(work, slide);
  const verdict = await judgeFeatures(disk, output, facts, work.by.dim);
  if (verdict.verdict === "complete" && !values.overwrite) {
    removeSlidePartial(disk, output);
    progress.say(`${output}: is there`);
    return ended(work, slide, await factsOf(work, slide, given, output), verdict);
  }
  if (verdict.verdict === "stale" && !values.overwrite) {
    throw new ConfigError(
      `Cannot write ${output}: it is there, of other inputs or settings, or damaged (${verdict.why})`,
      {
        code: "output-exists",
        hint: "Give the command it was made with, pass another --job, or --overwrite to replace it",
        context: { path: output, why: verdict.why },
      },
    );
  }
  const opened = await openWhole(work, slide);
  try {
    const plan = await planSlide(opened, slide.name, settings, given, (share) => {
      progress.update(`${slide.name}: tissue`, Math.round(1000 * share), 1000, "steps");
    });
    sayPlan(work, slide.name, plan);
    {
      const shared = [`${job}/${paths.contours}`, `${job}/${paths.patches}`];
      using free = await lockInTurn(shared, work.signal, (path) => progress.say(`Waiting for ${path}.lock`));
      if (free === undefined) return undefined;
      await writePlan(disk, job, opened, plan, paths, flavourOf(values));
    }
    return await embedPlanned(work, slide, opened, plan, output, facts);
  } finally {
    opened.close();
  }
}

/** Facts of a slide that was finished: as they were written, or, where a run was killed before it could, found again. */
async function factsOf(work: Work, slide: SlideInput, given: PlanGiven, output: string): Promise<SlideState["facts"]> {
  const before = readState(work.job, slide.name);
  if (before?.status === "done" || before?.status === "empty") return before.facts;
  const opened = await openWhole(work, slide);
  const features = await openFeatures(disk.open(output, "read"));
  try {
    const { facts, tiles } = await planSlide(opened, slide.name, work.settings, given);
    const places = new Set(Array.from({ length: features.count }, (_, i) => placeOf(features.coords!, i)));
    const missing = Array.from(tiles.cells.keys()).filter((tile) => !places.has(placeOf(tiles.coords, tile)));
    return { ...facts, damaged: missing.map(String) };
  } finally {
    features.close();
    opened.close();
  }
}

function placeOf(coords: ArrayLike<number>, i: number): string {
  return `${coords[2 * i]} ${coords[2 * i + 1]}`;
}

async function embedPlanned(
  work: Work,
  slide: SlideInput,
  opened: Slide,
  plan: SlidePlan,
  output: string,
  facts: Readonly<Record<string, string | number>>,
): Promise<SlideState | undefined> {
  const { by, settings, embedder, progress, signal, values, folder } = work;
  const { tiles, grid } = plan;
  const table = slideTable(plan, by, facts, `${gridFolder(settings.kind)}/features_${folder}`, settings.strict);
  checkSpace(output, 8 * table.count * table.dim);
  const writer = FeatureWriter.open(disk, output, "h5", table, { overwrite: values.overwrite });
  if (writer.rows > 0) progress.say(`${slide.name}: going on after ${writer.rows} of ${tiles.count}`);
  let said = false;
  const open = async (from: number) => {
    const found = await openTiles(slide.path, grid, tiles.coords.subarray(2 * from), {
      batch: embedder.batchSize,
      workers: values.workers,
      edge: settings.edge,
      badTiles: settings.badTiles,
    });
    const mb = Math.round(found.bytes / 2 ** 20);
    if (!said) progress.say(`${slide.name}: read by ${found.workers || "no"} workers in at most ${mb} MiB`);
    said = true;
    return {
      queue: found.queue,
      close() {
        for (const message of found.queue.tally.damage) progress.warn(`${opened.name}: ${message}`);
        found.close();
      },
    };
  };
  try {
    const skipped = await embedTiles(disk, embedder, writer, tiles.count, grid.patch, by.dim, open, {
      signal,
      onProgress: (done, total) => progress.update(slide.name, done, total, "tiles"),
    });
    if (skipped === undefined) return undefined;
    const count = { tiles: tiles.count - skipped.length, damaged: skipped.length };
    progress.say(
      `${output}: ${count.tiles} x ${by.dim}${skipped.length ? `, ${skipped.length} damaged left out` : ""}`,
    );
    return ended(work, slide, { ...plan.facts, damaged: skipped.map(String) }, count);
  } finally {
    writer.close();
  }
}

function sayPlan({ progress }: Work, name: string, { tiles, grid, facts, notes }: SlidePlan): void {
  for (const note of notes) progress.warn(`${name}: ${note}`);
  const share = facts["tissue_share"];
  const tissue = typeof share === "number"
    ? `, tissue ${(100 * share).toFixed(1)} % in ${facts["tissue_pieces"]} pieces`
    : "";
  progress.say(
    `${name}: ${tiles.count} tiles of ${grid.patch} px, from ${grid.levelSide} px of level ${grid.level}, ` +
      `${facts["mpp"]} µm a pixel by ${facts["mpp_source"]}${tissue}`,
  );
}

/** Records that a slide has its features. */
function ended(
  work: Work,
  slide: SlideInput,
  facts: SlideState["facts"],
  { tiles, damaged }: { readonly tiles: number; readonly damaged: number },
): SlideState {
  const empty = tiles + damaged === 0;
  const state: SlideState = {
    ...{ name: slide.name, status: empty ? "empty" : "done", tiles, damaged, facts },
    ...(empty && { reason: "no tile lies on tissue" }),
  };
  writeState(work.job, state);
  return state;
}

/** Judges the outputs of slides, changing nothing. */
async function verifyAll(work: Work, slides: readonly SlideInput[]): Promise<SlideState[]> {
  const states: SlideState[] = [];
  for (const slide of slides) {
    const path = `${work.job}/${slidePaths(slide.name, work.settings, work.folder).features}`;
    const { facts } = await givenOf(work, slide);
    const found = await judgeFeatures(disk, path, facts, work.by.dim);
    const complete = found.verdict === "complete";
    const why = found.verdict === "stale" ? `: ${found.why}` : "";
    work.progress.say(`${slide.name}: ${found.verdict}${why}`);
    states.push({
      ...none(slide.name),
      ...(complete && { tiles: found.tiles, damaged: found.damaged }),
      status: complete ? "done" : "failed",
      ...(!complete && { reason: `${found.verdict}${why}` }),
    });
  }
  return states;
}
