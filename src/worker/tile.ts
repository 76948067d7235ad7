/**
 * Worker: cuts tiles out of one slide, so that the thread of the GPU never decodes.
 *
 * @module
 */

import { openSlide, type Slide } from "../data/image/slide.ts";
import { answering } from "../host/threads.ts";
import { openFile } from "../io/fs.ts";
import { type Failure, failureOf } from "./failure.ts";
import { type CutGrid, type CutOptions, type CutTiles, cutTiles } from "../slides/tile_reader.ts";

/** The worker's first message, then its requests. */
export type TileQuestion =
  | { readonly path: string; readonly grid: CutGrid; readonly options: CutOptions; readonly cacheBytes: number }
  | { readonly id: number; readonly coords: Int32Array };

/** What it answers: tiles, their bytes moved and not copied, or why there are none. */
export type TileAnswer =
  | (CutTiles & { readonly id: number })
  | { readonly id: number; readonly error: Failure };

let task: { readonly slide: Promise<Slide>; readonly grid: CutGrid; readonly options: CutOptions } | undefined;
/** Tiles are cut one request after another: they share a cache. */
let last: Promise<void> = Promise.resolve();

const scope = answering<TileQuestion, TileAnswer>((question) => {
  if ("path" in question) task = begin(question);
  else last = last.then(() => answer(question.id, question.coords));
});

function begin({ path, grid, options, cacheBytes }: Extract<TileQuestion, { path: string }>) {
  const slide = openFile(path).then((file) =>
    openSlide(file, { cacheBytes, damagedTiles: options.badTiles === "white" ? "white" : "fail" })
  );
  // Told with the first answer.
  slide.catch(() => {});
  return { slide, grid, options };
}

async function answer(id: number, coords: Int32Array): Promise<void> {
  try {
    const { slide, grid, options } = task!;
    const cut = await cutTiles(await slide, grid, coords, options);
    scope.post({ id, ...cut }, [cut.data.buffer]);
  } catch (error) {
    scope.post({ id, error: failureOf(error) }, []);
  }
}
