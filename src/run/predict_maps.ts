/**
 * Maps of predicted genes, with the tiles of the highest and lowest values as the slide or the patch file has them.
 *
 * @module
 */

import type { Reporter } from "../core/reporter.ts";
import { openSlide } from "../data/image/slide.ts";
import { drawPrediction, type TileOf } from "../eval/prediction_maps.ts";
import { disk, openFile } from "../io/fs.ts";
import { openPatches } from "../io/patches.ts";
import { resizeImage } from "../slides/resize.ts";
import { cutSmall } from "../slides/tile_reader.ts";
import type { PredictJob, PredictOutcome } from "./predict.ts";

/** Draws genes of all that was predicted. @returns Whether each had an image to draw them on. */
export async function drawPredictions(
  jobs: readonly PredictJob[],
  outcomes: readonly PredictOutcome[],
  genes: readonly string[],
  reporter: Reporter,
): Promise<boolean> {
  let all = true;
  for (const { output, status } of genes.length > 0 ? outcomes : []) {
    if (status === "failed") continue;
    const tiles = await openTilesOf(jobs.find((job) => job.output === output)!);
    try {
      for (const path of await drawPrediction(disk, output, genes, tiles.of)) reporter.say(path);
    } catch (error) {
      if ((error as { code?: string }).code !== "no-image") throw error;
      reporter.warn((error as Error).message);
      all = false;
    } finally {
      tiles.close();
    }
  }
  return all;
}

/** The tiles of a job, small. */
async function openTilesOf({ slide: path, patches }: PredictJob): Promise<{ of: TileOf; close(): void }> {
  if (path === undefined) {
    const file = await openPatches(disk.open(patches!.patches, "read"));
    const { width, height } = file;
    const of: TileOf = ({ row }, size) =>
      Promise.resolve(resizeImage({ width, height, data: file.read(row, row + 1) }, size, size));
    return { of, close: () => file.close() };
  }
  const slide = await openSlide(await openFile(path), { damagedTiles: "white" });
  const of: TileOf = ({ x, y, side }, size) => cutSmall(slide, [x - side / 2, y - side / 2], side, size);
  return { of, close: () => slide.close() };
}
