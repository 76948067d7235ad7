/**
 * `predict`: gene expression by a trained run, its linear probe, decoder or head, for the patches of data folders or over
 * slides in a grid.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { INCOMPLETE } from "../core/exit_status.ts";
import { writtenGenes } from "../data/genes/vocabulary.ts";
import { checkShown } from "../eval/prediction_maps.ts";
import { namesOf } from "../run/data.ts";
import { hostOf } from "../run/host.ts";
import { originOf } from "../run/open.ts";
import { flagFacts } from "../run/output_folder.ts";
import { predict, type PredictOptions, predictRequest } from "../run/predict.ts";
import { drawPredictions } from "../run/predict_maps.ts";
import type { Args, Flags } from "./args.ts";
import { gpuOpener, tuningFacts } from "./gpu.ts";
import type { Job } from "./interrupt.ts";
import { Progress } from "./progress.ts";
import { predictSlides } from "../run/predict_slides.ts";
import { predictVolume } from "../run/predict_volume.ts";
import { encodersOf, RUN_FLAGS } from "./run_flags.ts";
import { SLIDE_FLAGS } from "./slide_flags.ts";
import { printJson } from "./terminal.ts";
import { parseZyx, VOLUME_FLAGS, volumeOptions } from "./volume_flags.ts";

/** Name of the command. */
export const name = "predict";
/** What it does. */
export const summary = "gene expression for patches or whole slides from a trained run, to h5ad";
/** An example. */
export const example = "predict --run runs/conch --data data/hest --out predictions";

/** Flags of the command. */
export const flags = {
  ...RUN_FLAGS,
  features: {
    kind: "list",
    value: "DIR",
    help:
      "stored features of slides, for a run that tells classes, risk or numbers of them: predictions.csv, and attention of every tile",
  },
  slide: { kind: "list", value: "FILE", help: "a slide (pyramidal TIFF, SVS, JPEG, PNG) to be covered by a grid" },
  grid: {
    kind: "number",
    value: "UM",
    min: 1,
    help: "µm between cells; 112 for --slide; with --data covers wsis/*.tif",
  },
  volume: {
    kind: "text",
    value: "PATH",
    help: "a volume, for a run of method=vortex: expression.ome.zarr on a grid in its tissue, NaN outside",
  },
  serial: {
    kind: "switch",
    help: "the volume is a table of serial sections, for a run of method=vortex with serial=true",
  },
  "grid-z": { kind: "number", value: "UM", min: 0.01, help: "volume: µm between places along z; the run's slice_step" },
  box: { kind: "text", value: "BOX", help: "volume: only places within X0,Y0,Z0,X1,Y1,Z1 (µm)" },
  refine: {
    kind: "number",
    value: "UM",
    min: 0.01,
    help: "volume: all of it at --grid first, then within --box every UM µm: refined.ome.zarr",
  },
  resample: {
    kind: "text",
    value: "Z,Y,X",
    help: "volume: µm between voxels of the result, between places by trilinear interpolation",
  },
  beside: {
    kind: "list",
    value: "DIR",
    help: "volume: further runs, of other seeds: the mean of all, and their spread: spread.ome.zarr",
  },
  ...VOLUME_FLAGS,
  blend: {
    kind: "choice",
    of: ["centre", "gaussian"],
    default: "centre",
    help: "volume: what a place's own patch says, or the mean of those around it within a patch",
  },
  "pixel-size": {
    kind: "number",
    value: "UM",
    min: 0.05,
    max: 10,
    help: "µm a pixel of the slides, where they do not say",
  },
  with: {
    kind: "choice",
    of: ["auto", "probe", "decoder", "head", "retrieval"],
    default: "auto",
    help:
      "linear probe on the run's features, its image decoder, or the head on the frozen encoder (control_head); auto: the best by its training donors; of a volume its head, or retrieval: the measured spots nearest in the joint space",
  },
  everywhere: { kind: "switch", help: "with a grid, also where there is no tissue" },
  "min-tissue": SLIDE_FLAGS["min-tissue"],
  tissue: SLIDE_FLAGS.tissue,
  regions: SLIDE_FLAGS.regions,
  classes: SLIDE_FLAGS.classes,
  "bad-tiles": SLIDE_FLAGS["bad-tiles"],
  workers: SLIDE_FLAGS.workers,
  show: {
    kind: "text",
    value: "GENES",
    help: "draw these, A,B, over the slide: NAME.GENE.png, and NAME.geojson for QuPath",
  },
  out: { kind: "text", value: "DIR", default: "predictions", help: "folder of NAME.h5ad" },
} as const satisfies Flags;

/** Flags that the output says by content, or not at all. */
const OTHERWISE_SAID = ["run", "data", "encoder", "slide", "samples", "with", "show", "tissue", "regions", "workers"];

/** Encoders that are opened. */
export const encoders = encodersOf;

/** Classes of slides from stored features. */
async function runSlides(
  values: Args<typeof flags>["flags"] & { readonly run: string },
  signal: AbortSignal,
): Promise<number> {
  const { run, checkpoint, features, out, overwrite } = values;
  for (const flag of ["data", "slide"] as const) {
    if (values[flag].length === 0) continue;
    throw new ConfigError(`Cannot predict with --features and --${flag}: features are of slides that were embedded`, {
      hint: "Give one of them",
      context: { key: flag },
    });
  }
  const { json, status } = await predictSlides(
    {
      run,
      features,
      out,
      overwrite,
      checkpoint: checkpoint as "best" | "last",
      settings: { "--checkpoint": checkpoint },
    },
    { reporter: new Progress(values.quiet), signal, openGpu: gpuOpener(values) },
  );
  if (values.json) printJson(json);
  return status;
}

/** Six numbers of a box. */
function boxOf(text: string | undefined): number[] | undefined {
  if (text === undefined) return undefined;
  const box = text.split(",").map(Number);
  const rising = [0, 1, 2].every((axis) => box[axis]! <= box[axis + 3]!);
  if (box.length === 6 && box.every(Number.isFinite) && rising) return box;
  throw new ConfigError(`Cannot predict within --box ${text}: wanted X0,Y0,Z0,X1,Y1,Z1 in µm, the lower corner first`, {
    context: { key: "box", given: text },
  });
}

/** Expression of a volume. */
async function runVolume(
  values: Args<typeof flags>["flags"] & { readonly run: string; readonly volume: string },
  signal: AbortSignal,
): Promise<number> {
  for (const flag of ["data", "slide"] as const) {
    if (values[flag].length === 0) continue;
    throw new ConfigError(`Cannot predict with --volume and --${flag}: they are of different kinds`, {
      hint: "Give one of them",
      context: { key: flag },
    });
  }
  if (["probe", "decoder"].includes(values.with)) {
    throw new ConfigError(`Cannot predict a volume with --with ${values.with}: wanted head or retrieval`, {
      context: { key: "with", given: values.with },
    });
  }
  const { run, checkpoint, volume, out, overwrite, grid, "grid-z": gridZ, everywhere, blend, encoder } = values;
  const { refine, beside, serial } = values;
  const host = hostOf(new Progress(values.quiet), signal);
  const { json, status } = await predictVolume(
    {
      ...{ run, volume, out, overwrite, grid, gridZ, everywhere, encoder },
      checkpoint: checkpoint as "best" | "last",
      open: volumeOptions(values),
      ...{ refine, beside, serial, by: values.with === "retrieval" ? "retrieval" as const : "head" as const },
      resample: parseZyx("resample", values.resample),
      box: boxOf(values.box),
      blend: blend as "centre" | "gaussian",
      precision: values.precision as "f32" | "f16" | undefined,
      settings: { ...flagFacts(values, ["run", "volume", "encoder", "beside"]), ...tuningFacts(values) },
    },
    { host, openGpu: gpuOpener(values, (text) => host.reporter.say(text)) },
  );
  if (values.json) printJson(json);
  return status;
}

/** Runs the command. */
export async function run({ flags: values }: Args<typeof flags>, { signal }: Job): Promise<number> {
  const { run, "pixel-size": pixelSize, "batch-size": batchSize, slide: slides, with: source, samples } = values;
  if (run === undefined) {
    throw new ConfigError("Cannot predict: no --run is given", { hint: "Give the folder that train wrote" });
  }
  if (values.features.length > 0) return await runSlides({ ...values, run }, signal);
  const { volume } = values;
  if (volume !== undefined) return await runVolume({ ...values, run, volume }, signal);
  if (values.with === "retrieval") {
    throw new ConfigError("Cannot predict patches with --with retrieval: it is of volumes", {
      hint: "The command retrieve finds expression of patches",
      context: { key: "with", given: values.with },
    });
  }
  const request = await predictRequest({
    ...values,
    run,
    checkpoint: values.checkpoint as "best" | "last",
    precision: values.precision as "f32" | "f16" | undefined,
    batchSize,
    slides,
    samples: namesOf(samples),
    pixelSize,
    minTissue: values["min-tissue"],
    classes: namesOf(values.classes),
    badTiles: values["bad-tiles"] as "skip" | "white" | "fail",
    source: source as PredictOptions["source"],
    settings: { ...flagFacts(values, OTHERWISE_SAID), ...tuningFacts(values) },
  });
  const shown = namesOf(values.show) ?? [];
  checkShown(shown, writtenGenes(request.known.vocabulary));
  const host = hostOf(new Progress(values.quiet), signal);
  const outputs = await predict(request, { host, openGpu: gpuOpener(values, (text) => host.reporter.say(text)) });
  const drawn = await drawPredictions(request.jobs, outputs, shown, host.reporter);
  if (values.json) {
    const { known, source } = request;
    printJson({ ...originOf(run, values.checkpoint, known), checked: known.checked, ...source.facts, outputs });
  }
  return drawn && outputs.every(({ status }) => status === "done") ? 0 : INCOMPLETE;
}
