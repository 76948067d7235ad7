/**
 * One slide of `embed --job`: planned, its outlines and places written, its tiles to features in TRIDENT's tree.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import type { Slide } from "../data/image/slide.ts";
import type { Embedder } from "../embed/embedder.ts";
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
import { openFeatures } from "../io/features.ts";
import { disk, makeFolder } from "../io/fs.ts";
import { checkSpace, parentOf } from "../io/output.ts";
import { gridFolder } from "../slides/names.ts";
import type { GeoJsonFlavour } from "../slides/outlines.ts";
import { type PlanGiven, planSlide, type SlidePlan, writePlan } from "../slides/plan.ts";
import type { SlideInput } from "../slides/slide_inputs.ts";
import type { SlideState } from "../slides/states.ts";
import { slidePaths } from "../slides/tree.ts";
import { openTiles } from "../worker/tile_pool.ts";
import { contentHash } from "./content_hash.ts";
import type { EmbedMachine, EmbedOptions } from "./embed.ts";
import { givenFor, type GivenPaths, openWhole, readGiven } from "./slide_files.ts";
import { lockIfFree, lockInTurn } from "./slide_locks.ts";
import { readState, statePath, writeState } from "./slide_states.ts";

/** What is asked for. */
export interface EmbedSlidesOptions extends EmbedOptions, GivenPaths {
  /** Folder of the job. */
  readonly job: string;
  /** Path of a list of slides. */
  readonly manifest?: string | undefined;
  /** Whether slides are named by their files, or with their folders. */
  readonly nameFrom: "file" | "relative";
  /** µm a pixel of the slides, by the user. */
  readonly mpp?: number | undefined;
  readonly settings: SlideSettings;
  /** Form of the outlines. */
  readonly outlines: GeoJsonFlavour;
  /** Workers that decode. */
  readonly workers?: number | undefined;
  /** Judges the features that are there, instead of embedding. */
  readonly verify: boolean;
}

/** What all slides of a job share. */
export interface SlideWork {
  readonly job: string;
  readonly options: EmbedSlidesOptions;
  readonly settings: SlideSettings;
  readonly by: MadeBy;
  readonly licence: string;
  /** Name of the encoder's folder. */
  readonly folder: string;
  readonly embedder: Embedder;
  readonly machine: EmbedMachine;
}

/** Folder of the features, below the job's. */
export function featuresFolder({ settings, folder }: Pick<SlideWork, "settings" | "folder">): string {
  return `${gridFolder(settings.kind)}/features_${folder}`;
}

/** Of a slide without features. */
export function none(name: string, work: Pick<SlideWork, "settings" | "folder">): Omit<SlideState, "status"> {
  return { name, features: featuresFolder(work), tiles: 0, damaged: 0, facts: {} };
}

/** Writes how a slide ended, unless the signal came while another process, of another encoder, wrote its own. */
export async function record({ job, machine: { signal } }: SlideWork, state: SlideState): Promise<void> {
  const path = statePath(job, state.name);
  makeFolder(parentOf(path));
  using lock = await lockInTurn([path], signal);
  if (lock !== undefined) writeState(job, state);
}

/** What is given for a slide, and what that decides. */
export async function givenOf({ options, settings, by, licence }: SlideWork, slide: SlideInput) {
  const paths = givenFor(options, slide.name, slide.mask);
  const given = readGiven(paths);
  const hashOf = async (path: string | undefined) => path === undefined ? undefined : await contentHash([path]);
  const hashes = {
    input: await contentHash([slide.path]),
    tissue: await hashOf(paths.tissue),
    regions: await hashOf(paths.regions),
    mpp: options.mpp ?? slide.mpp,
  };
  return {
    given: { flag: options.mpp, manifest: slide.mpp, ...given },
    facts: slideFacts(slide.name, by, licence, settings, hashes),
  };
}

/** Embeds a slide. @returns How it ended; undefined if the signal stopped it. */
export async function embedOne(work: SlideWork, slide: SlideInput): Promise<SlideState | undefined> {
  const { job, settings, folder, options, machine: { reporter, signal } } = work;
  const paths = slidePaths(slide.name, settings, folder);
  for (const [key, path] of Object.entries(paths)) {
    if (key !== "tilesGeojson" || options.outlines !== "trident") makeFolder(parentOf(`${job}/${path}`));
  }
  const output = `${job}/${paths.features}`;
  const lock = lockIfFree(output);
  if (lock === undefined) {
    reporter.say(`${slide.name}: another process works on it, as ${output}.lock says`);
    return { ...none(slide.name, work), status: "skipped", reason: "another process works on it" };
  }
  using _lock = lock;
  const { given, facts } = await givenOf(work, slide);
  const verdict = await judgeFeatures(disk, output, facts, work.by.dim);
  if (verdict.verdict === "complete" && !options.overwrite) {
    removeSlidePartial(disk, output);
    reporter.say(`${output}: is there`);
    return await ended(work, slide, await factsOf(work, slide, given, output), verdict);
  }
  if (verdict.verdict === "stale" && !options.overwrite) {
    throw new ConfigError(
      `Cannot write ${output}: it is there, of other inputs or settings, or damaged (${verdict.why})`,
      {
        code: "output-exists",
        hint: "Give the command it was made with, pass another --job, or --overwrite to replace it",
        context: { path: output, why: verdict.why },
      },
    );
  }
  const opened = await openWhole(slide.path, work.settings.badTiles);
  try {
    const plan = await planSlide(opened, slide.name, settings, given, (share) => {
      reporter.update(`${slide.name}: tissue`, Math.round(1000 * share), 1000, "steps");
    });
    sayPlan(work, slide.name, plan);
    {
      const shared = [`${job}/${paths.contours}`, `${job}/${paths.patches}`];
      using free = await lockInTurn(shared, signal, (path) => reporter.say(`Waiting for ${path}.lock`));
      if (free === undefined) return undefined;
      await writePlan(disk, job, opened, plan, paths, options.outlines);
    }
    return await embedPlanned(work, slide, opened, plan, output, facts);
  } finally {
    opened.close();
  }
}

/** Facts of a slide that was finished: as they were written, or, where a run was killed before it could, found again. */
async function factsOf(
  work: SlideWork,
  slide: SlideInput,
  given: PlanGiven,
  output: string,
): Promise<SlideState["facts"]> {
  const before = readState(work.job, slide.name, featuresFolder(work));
  if (before?.status === "done" || before?.status === "empty") return before.facts;
  const opened = await openWhole(slide.path, work.settings.badTiles);
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
  work: SlideWork,
  slide: SlideInput,
  opened: Slide,
  plan: SlidePlan,
  output: string,
  facts: Readonly<Record<string, string | number>>,
): Promise<SlideState | undefined> {
  const { by, settings, embedder, options, machine: { reporter, signal } } = work;
  const { tiles, grid } = plan;
  const table = slideTable(plan, by, facts, featuresFolder(work), settings.strict);
  checkSpace(output, 8 * table.count * table.dim);
  const writer = FeatureWriter.open(disk, output, "h5", table, { overwrite: options.overwrite });
  if (writer.rows > 0) reporter.say(`${slide.name}: going on after ${writer.rows} of ${tiles.count}`);
  let said = false;
  const open = async (from: number) => {
    const found = await openTiles(slide.path, grid, tiles.coords.subarray(2 * from), {
      batch: embedder.batchSize,
      workers: options.workers,
      edge: settings.edge,
      badTiles: settings.badTiles,
    });
    const mb = Math.round(found.bytes / 2 ** 20);
    if (!said) reporter.say(`${slide.name}: read by ${found.workers || "no"} workers in at most ${mb} MiB`);
    said = true;
    return {
      queue: found.queue,
      close() {
        for (const message of found.queue.tally.damage) reporter.warn(`${opened.name}: ${message}`);
        found.close();
      },
    };
  };
  try {
    const skipped = await embedTiles(disk, embedder, writer, tiles.count, grid.patch, by.dim, open, {
      signal,
      onProgress: (done, total) => reporter.update(slide.name, done, total, "tiles"),
    });
    if (skipped === undefined) return undefined;
    const count = { tiles: tiles.count - skipped.length, damaged: skipped.length };
    reporter.say(
      `${output}: ${count.tiles} x ${by.dim}${skipped.length ? `, ${skipped.length} damaged left out` : ""}`,
    );
    return await ended(work, slide, { ...plan.facts, damaged: skipped.map(String) }, count);
  } finally {
    writer.close();
  }
}

function sayPlan({ machine: { reporter } }: SlideWork, name: string, { tiles, grid, facts, notes }: SlidePlan): void {
  for (const note of notes) reporter.warn(`${name}: ${note}`);
  const share = facts["tissue_share"];
  const tissue = typeof share === "number"
    ? `, tissue ${(100 * share).toFixed(1)} % in ${facts["tissue_pieces"]} pieces`
    : "";
  reporter.say(
    `${name}: ${tiles.count} tiles of ${grid.patch} px, from ${grid.levelSide} px of level ${grid.level}, ` +
      `${facts["mpp"]} µm a pixel by ${facts["mpp_source"]}${tissue}`,
  );
}

/** Records that a slide has its features. */
async function ended(
  work: SlideWork,
  slide: SlideInput,
  facts: SlideState["facts"],
  { tiles, damaged }: { readonly tiles: number; readonly damaged: number },
): Promise<SlideState> {
  const empty = tiles + damaged === 0;
  const state: SlideState = {
    ...{ name: slide.name, features: featuresFolder(work), status: empty ? "empty" : "done", tiles, damaged, facts },
    ...(empty && { reason: "no tile lies on tissue" }),
  };
  await record(work, state);
  return state;
}
