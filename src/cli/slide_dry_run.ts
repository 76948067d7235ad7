/**
 * `embed --dry-run`: what slides would take, before anything starts.
 *
 * @module
 */

import { openSlide } from "../data/image/slide.ts";
import type { SlideSettings } from "../embed/slide_job.ts";
import { disk, openFile } from "../io/fs.ts";
import { JPEG2000_RATE } from "../io/image/jpeg2000.ts";
import { outputWith } from "../models/encoder_registry.ts";
import { planSlide } from "../slides/plan.ts";
import type { EmbedValues } from "./embed_slides.ts";
import { checkEncoder } from "../run/encoder.ts";
import { endsAll } from "../io/output.ts";
import type { Progress } from "./progress.ts";
import { fileFor, type SlideInput } from "./slide_inputs.ts";
import { printJson } from "./terminal.ts";

/** Pixels of JPEG that a worker decodes in a second, about. */
const RATE = 4e7;
/** Bytes of the tiles of the source and of those that wait, and of three batches. */
const CACHE = (96 + 64) * 2 ** 20;

/** What a slide would take. */
interface Estimate {
  readonly name: string;
  readonly tiles: number;
  /** Pixels to be decoded, and seconds that takes the workers. */
  readonly pixels: number;
  readonly seconds: number;
  /** Bytes of the features. */
  readonly bytes: number;
  readonly error?: string;
}

/** Plans all slides and says what they would take; the encoder's own time is not known without its device. */
export async function dryRun(
  values: EmbedValues,
  settings: SlideSettings,
  slides: readonly SlideInput[],
  progress: Progress,
): Promise<number> {
  const spec = await checkEncoder(values.encoder!, values.adapter);
  const { dim } = outputWith(spec, values.pooling as "cls" | "mean" | "cls+mean" | undefined);
  const workers = Math.max(1, values.workers ?? navigator.hardwareConcurrency - 1);
  const found: Estimate[] = [];
  for (const slide of slides) {
    try {
      found.push(await estimate(values, settings, slide, dim, workers));
    } catch (error) {
      if (slides.length === 1 || endsAll(error)) throw error;
      found.push({ name: slide.name, tiles: 0, pixels: 0, seconds: 0, bytes: 0, error: (error as Error).message });
    }
    progress.say(line(found.at(-1)!));
  }
  const sum = (key: "tiles" | "pixels" | "seconds" | "bytes") => found.reduce((total, one) => total + one[key], 0);
  const total = { tiles: sum("tiles"), pixels: sum("pixels"), seconds: sum("seconds"), bytes: sum("bytes") };
  const memory = CACHE + 3 * (values["batch-size"] ?? 32) * spec.input.size ** 2 * 3;
  progress.say(line({ name: `${found.length} slides`, ...total }));
  progress.say(`Reading takes at most ${Math.round(memory / 2 ** 20)} MiB of memory with ${workers} workers`);
  if (values.json) printJson({ dryRun: true, encoder: spec.name, dim, workers, memory, ...total, slides: found });
  return found.some(({ error, tiles }) => error !== undefined || tiles === 0) ? 3 : 0;
}

function line({ name, tiles, pixels, seconds, bytes, error }: Estimate): string {
  if (error !== undefined) return `${name}: ${error}`;
  const mb = (bytes / 1e6).toFixed(1);
  return `${name}: ${tiles} tiles, ${(pixels / 1e6).toFixed(0)} Mpx to read in about ${
    seconds.toFixed(0)
  } s, ${mb} MB of features`;
}

async function estimate(
  values: EmbedValues,
  settings: SlideSettings,
  slide: SlideInput,
  dim: number,
  workers: number,
): Promise<Estimate> {
  const damagedTiles = settings.badTiles === "fail" ? "fail" : "white";
  const opened = await openSlide(await openFile(slide.path), { damagedTiles });
  try {
    const file = (path: string | undefined) =>
      path === undefined ? undefined : { path, bytes: Deno.readFileSync(path) };
    const { grid, tiles } = await planSlide(opened, slide.name, settings, {
      ...{ flag: values.mpp, manifest: slide.mpp },
      tissue: file(slide.mask ?? fileFor(disk, values.tissue, slide.name, "tissue")),
      regions: file(fileFor(disk, values.regions, slide.name, "regions")),
    });
    const pixels = tiles.count * grid.levelSide ** 2;
    const slow = opened.notes.some((note) => /JPEG 2000/.test(note));
    const seconds = pixels / (slow ? JPEG2000_RATE : RATE) / workers;
    return { name: slide.name, tiles: tiles.count, pixels, seconds, bytes: tiles.count * (dim * 4 + 16) };
  } finally {
    opened.close();
  }
}
