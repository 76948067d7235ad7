/**
 * Files of a slide that is to be planned: its own, and those of tissue and regions that are given for it.
 *
 * @module
 */

import { readBytes } from "../io/disk.ts";
import { openSlide, type Slide } from "../data/image/slide.ts";
import { disk, openFile } from "../io/fs.ts";
import { fileFor } from "../slides/given.ts";
import type { PlanGiven } from "../slides/plan.ts";
import type { BadTiles } from "../slides/tile_reader.ts";

/** Files or folders of polygons and images: tissue, and regions outside of which nothing is wanted. */
export interface GivenPaths {
  readonly tissue?: string | undefined;
  readonly regions?: string | undefined;
}

/** Opens a slide to be looked at as a whole, which damaged parts do not hinder unless that was asked for. */
export async function openWhole(path: string, badTiles: BadTiles): Promise<Slide> {
  return await openSlide(await openFile(path), { damagedTiles: badTiles === "fail" ? "fail" : "white" });
}

/** The files for a slide, of the files or folders given. @param mask Tissue that a list of slides names for it. */
export function givenFor({ tissue, regions }: GivenPaths, name: string, mask?: string): GivenPaths {
  return { tissue: mask ?? fileFor(disk, tissue, name, "tissue"), regions: fileFor(disk, regions, name, "regions") };
}

/** Reads them. */
export function readGiven({ tissue, regions }: GivenPaths): Pick<PlanGiven, "tissue" | "regions"> {
  const file = (path: string | undefined) => path === undefined ? undefined : { path, bytes: readBytes(disk, path) };
  return { tissue: file(tissue), regions: file(regions) };
}
