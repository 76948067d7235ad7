/**
 * Slides of `predict`: the same grid in true micrometres, tissue and states as `embed` has them, and outlines of tissue for
 * QuPath beside their predictions.
 *
 * @module
 */

import type { Reporter } from "../core/reporter.ts";
import { PATCH_PIXEL_SIZE } from "../data/image/windows.ts";
import type { PassOptions, TrainedModel } from "../eval/inference.ts";
import { predictSlide, type SlidePrediction } from "../eval/predict.ts";
import { disk } from "../io/fs.ts";
import { contoursGeoJson } from "../slides/outlines.ts";
import { type PlanGiven, type PlanSettings, planSlide } from "../slides/plan.ts";
import { type SlideState, statesJson, summaryMarkdown } from "../slides/states.ts";
import { type BadTiles, CUT } from "../slides/tile_reader.ts";
import { openTiles } from "../worker/tile_pool.ts";
import { givenFor, type GivenPaths, openWhole, readGiven } from "./slide_files.ts";
import { readState, readStates, writeState } from "./slide_states.ts";

/** µm between the tiles of a slide where nothing is said: the side of a patch. */
const STEP = 112;
/** Pixels of a patch. */
const PATCH = 224;

/** How slides are covered with tiles. */
export interface CoverOptions extends GivenPaths {
  /** µm between tiles. */
  readonly grid?: number | undefined;
  /** µm a pixel of slides, by the user. */
  readonly pixelSize?: number | undefined;
  /** Also where there is no tissue. */
  readonly everywhere: boolean;
  /** Share of a tile that must be tissue; with 0 touching is enough. */
  readonly minTissue: number;
  readonly classes?: readonly string[] | undefined;
  readonly badTiles: BadTiles;
  readonly workers?: number | undefined;
}

/** A slide to be predicted. */
export interface SlideOf {
  readonly id: string;
  readonly slide: string;
  /** By the sample's metadata. */
  readonly pixelSize: number | undefined;
}

/** Files given for a slide, which its prediction is made from, too. */
export function givenFiles(id: string, options: CoverOptions): string[] {
  return Object.values(givenFor(options, id)).filter((path) => path !== undefined);
}

function settingsOf({ grid: step = STEP, minTissue, everywhere, classes }: CoverOptions): PlanSettings {
  const tile = PATCH * PATCH_PIXEL_SIZE;
  return {
    kind: { scale: "physical", tile, pixelSize: PATCH_PIXEL_SIZE, overlap: tile - step },
    choice: { minTissue },
    tissue: {},
    everywhere,
    ...(classes && { classes }),
  };
}

function givenOf({ id, pixelSize }: SlideOf, options: CoverOptions): PlanGiven {
  const said = { flag: options.pixelSize, metadata: pixelSize, flagName: "--pixel-size" };
  return { ...said, ...readGiven(givenFor(options, id)) };
}

/**
 * Refuses what is wrong with a slide before the device is opened.
 *
 * @throws {DataError} If its pixel size is not known, or it cannot be read.
 * @throws {ConfigError} If no grid can be laid.
 */
export async function checkSlide(of: SlideOf, options: CoverOptions): Promise<void> {
  const slide = await openWhole(of.slide, options.badTiles);
  try {
    const { tissue: _, regions: __, ...given } = givenOf(of, options);
    await planSlide(slide, of.id, { ...settingsOf(options), everywhere: true }, given);
  } finally {
    slide.close();
  }
}

/** Predicts over a slide, and writes the outlines of its tissue for QuPath. @param outlines Where they go. */
export async function predictOverSlide(
  model: TrainedModel,
  of: SlideOf,
  options: CoverOptions,
  pass: PassOptions,
  reporter: Reporter,
  outlines: string,
): Promise<SlidePrediction> {
  const slide = await openWhole(of.slide, options.badTiles);
  try {
    const plan = await planSlide(slide, of.id, settingsOf(options), givenOf(of, options));
    for (const note of plan.notes) reporter.warn(`${of.slide}: ${note}`);
    disk.write(outlines, contoursGeoJson(plan.outlines ?? [], "qupath"));
    const tiles = await openTiles(of.slide, plan.grid, plan.tiles.coords, {
      ...CUT,
      batch: pass.batchSize ?? 64,
      badTiles: options.badTiles,
      workers: options.workers,
    });
    try {
      return await predictSlide(model, slide, plan, tiles.queue, pass);
    } finally {
      for (const message of tiles.queue.tally.damage) reporter.warn(`${of.slide}: ${message}`);
      tiles.close();
    }
  } finally {
    slide.close();
  }
}

/**
 * Records how a slide ended, unless that stands there already.
 *
 * @param origin What its prediction says of itself.
 */
export function recordSlide(
  out: string,
  id: string,
  rows: number,
  origin: Readonly<Record<string, unknown>>,
): "done" | "empty" {
  const damaged = Number(origin["damaged_tiles"] ?? 0);
  const status = rows + damaged === 0 ? "empty" : "done";
  const state: SlideState = {
    ...{ name: id, status, tiles: rows, damaged },
    ...(status === "empty" && { reason: "no tile lies on tissue" }),
    facts: JSON.parse(String(origin["slide"] ?? "{}")),
  };
  const before = readState(out, id);
  if (before === undefined || statesJson([before]) !== statesJson([state])) writeState(out, state);
  return status;
}

/** Records that something is wrong with a slide. */
export function recordFailed(out: string, id: string, reason: string): void {
  writeState(out, { name: id, status: "failed", tiles: 0, damaged: 0, reason, facts: {} });
}

/** Writes the summary of all slides of a folder of predictions, those of earlier commands among them. */
export function writeSummary(out: string, about: Readonly<Record<string, string>>): void {
  const states = readStates(out);
  if (states.length === 0) return;
  disk.write(`${out}/summary.md`, summaryMarkdown(new Map([["", { states, about: Object.entries(about) }]])));
}
