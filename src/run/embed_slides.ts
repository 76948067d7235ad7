/**
 * `embed --job`: slides to features in TRIDENT's tree, one after another.
 *
 * @module
 */

import type { SealError } from "../core/errors.ts";
import { openSlide } from "../data/image/slide.ts";
import { judgeFeatures } from "../embed/slide_job.ts";
import type { Embedder } from "../embed/embedder.ts";
import { madeBy } from "../embed/made_by.ts";
import { disk, openFile } from "../io/fs.ts";
import { checkFolder, endsAll } from "../io/output.ts";
import { licenceOf, type OpenedEncoder, sayEncoder } from "../models/opened_encoder.ts";
import { encoderFolder } from "../slides/names.ts";
import { planSlide } from "../slides/plan.ts";
import { findSlides, type SlideInput } from "../slides/slide_inputs.ts";
import { exitStatusOf, type SlideState } from "../slides/states.ts";
import { contentHashAhead } from "./content_hash.ts";
import { slidePaths } from "../slides/tree.ts";
import { adapterName, type EmbedMachine, type EmbedResult, shareOf, withEmbedder } from "./embed.ts";
import { writeConfigs, writeSummary } from "./embed_job_files.ts";
import { embedOne, type EmbedSlidesOptions, givenOf, none, record, type SlideWork } from "./embed_slide.ts";

/** The slides of this run's share, and how many there are in all. */
export function slidesOf(
  { paths, manifest, nameFrom, shard }: EmbedSlidesOptions,
): { slides: readonly SlideInput[]; of: number } {
  const all = findSlides(disk, paths, manifest, nameFrom);
  return { slides: shareOf(all, shard), of: all.length };
}

/** Refuses what is wrong with a slide before the encoder is loaded. */
async function checkSlide({ path, name, mpp }: SlideInput, { settings, mpp: flag }: EmbedSlidesOptions): Promise<void> {
  const slide = await openSlide(await openFile(path));
  try {
    await planSlide(slide, name, { ...settings, everywhere: true }, { flag, manifest: mpp });
  } finally {
    slide.close();
  }
}

/**
 * Embeds all slides, or judges the features that are there; slides that cannot be used are listed where there are others.
 *
 * @throws {ConfigError} If the job's folder cannot be written.
 * @throws {ConfigError | DataError | FormatError} If the only slide cannot be used.
 */
export async function embedSlides(options: EmbedSlidesOptions, machine: EmbedMachine): Promise<EmbedResult> {
  const { slides, of } = slidesOf(options);
  checkFolder(options.job, "--job");
  if (of === 1 && slides.length === 1 && !options.verify) await checkSlide(slides[0]!, options);
  return await withEmbedder(options, machine, async (embedder, opened) => {
    const work = workOf(options, opened, embedder, machine);
    const states = options.verify ? await verifyAll(work, slides) : await embedAll(work, slides, of, opened);
    machine.signal.throwIfAborted();
    return { json: jsonOf(work, states, opened), status: exitStatusOf(states) };
  });
}

function workOf(
  options: EmbedSlidesOptions,
  opened: OpenedEncoder,
  embedder: Embedder,
  machine: EmbedMachine,
): SlideWork {
  const { job, settings, precision } = options;
  const adapter = adapterName(options);
  const by = madeBy(opened, { adapter, precision });
  const hash = opened.adapterHash;
  const folder = encoderFolder(
    opened.name,
    adapter === undefined || hash === undefined ? undefined : { name: adapter, hash },
  );
  const licence = licenceOf(opened.name, opened.encoder.spec);
  return { job, options, settings, by, licence, folder, embedder, machine };
}

function jsonOf({ job, folder, licence }: SlideWork, slides: readonly SlideState[], opened: OpenedEncoder) {
  const { name: encoder, encoder: { dim }, preparation, assumed } = opened;
  return { job, encoder, dim, licence, features: `features_${folder}`, preparation, assumed, slides };
}

async function embedAll(
  work: SlideWork,
  slides: readonly SlideInput[],
  of: number,
  opened: OpenedEncoder,
): Promise<SlideState[]> {
  const { options, machine } = work;
  const { reporter, signal } = machine;
  sayEncoder(opened, reporter);
  writeConfigs(work, options.tissue !== undefined);
  const states: SlideState[] = [];
  for (const [i, slide] of slides.entries()) {
    if (signal.aborted) break;
    if (i + 1 < slides.length) contentHashAhead([slides[i + 1]!.path]);
    try {
      const state = await machine.gracefully(() => embedOne(work, slide));
      if (state !== undefined) states.push(state);
    } catch (error) {
      const reason = (error as Error).message;
      const state: SlideState = { ...none(slide.name, work), status: "failed", reason };
      if (!endsAll(error)) await record(work, state);
      if (of === 1 || endsAll(error)) throw error;
      reporter.warn(`${slide.name}: ${reason}${(error as SealError).hint ? `; ${(error as SealError).hint}` : ""}`);
      states.push(state);
    }
    reporter.update("slides", states.length, slides.length, "slides");
  }
  writeSummary(work);
  for (const { name, status, reason } of states) {
    if (status === "empty") reporter.warn(`${name}: ${reason}`);
  }
  if (options.settings.choice.most !== undefined) {
    reporter.say(`A preview: at most ${options.settings.choice.most} tiles of each slide`);
  }
  return states;
}

/** Judges the outputs of slides, changing nothing. */
async function verifyAll(work: SlideWork, slides: readonly SlideInput[]): Promise<SlideState[]> {
  const states: SlideState[] = [];
  for (const slide of slides) {
    const path = `${work.job}/${slidePaths(slide.name, work.settings, work.folder).features}`;
    const { facts } = await givenOf(work, slide);
    const found = await judgeFeatures(disk, path, facts, work.by.dim);
    const complete = found.verdict === "complete";
    const why = found.verdict === "stale" ? `: ${found.why}` : "";
    work.machine.reporter.say(`${slide.name}: ${found.verdict}${why}`);
    states.push({
      ...none(slide.name, work),
      ...(complete && { tiles: found.tiles, damaged: found.damaged }),
      status: complete ? "done" : "failed",
      ...(!complete && { reason: `${found.verdict}${why}` }),
    });
  }
  return states;
}
