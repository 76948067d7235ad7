/**
 * Flags of `embed` for slides, and what they ask for.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { TISSUE, type TissueOptions } from "../data/image/tissue.ts";
import type { SlideSettings } from "../embed/slide_job.ts";
import type { GridKind } from "../slides/grid.ts";
import type { GeoJsonFlavour } from "../slides/outlines.ts";
import type { BadTiles, CutOptions } from "../slides/tile_reader.ts";
import { namesOf } from "../run/data.ts";
import type { Args, Flags } from "./args.ts";

/** Flags for slides; `--job` says that inputs are slides. */
export const SLIDE_FLAGS = {
  job: { kind: "text", value: "DIR", help: "inputs are slides, or folders of them: folder of the job, as TRIDENT's" },
  manifest: { kind: "text", value: "FILE", help: "list of slides: wsi[,mpp], or slide2vec's columns" },
  mpp: { kind: "number", value: "UM", min: 0.01, max: 100, help: "µm a pixel of the slides' largest level" },
  mag: { kind: "number", value: "X", min: 0.1, max: 100, help: "grid by magnification, as TRIDENT's, such as 20" },
  "patch-size": {
    kind: "number",
    value: "N",
    integer: true,
    min: 1,
    max: 4096,
    help: "side of a tile, px; with --mag 512, else 224",
  },
  overlap: { kind: "number", value: "N", min: 0, help: "what neighbours share: px with --mag, else µm; default 0" },
  "tile-um": { kind: "number", value: "UM", min: 1, help: "grid in true micrometres: side of a tile; default 112" },
  "mpp-target": { kind: "number", value: "UM", min: 0.05, max: 10, help: "µm a pixel of tiles; default 0.5" },
  "min-tissue": {
    kind: "number",
    value: "SHARE",
    default: 0,
    min: 0,
    max: 1,
    help: "of a tile; 0: touching is enough",
  },
  tissue: {
    kind: "text",
    value: "DIR|FILE",
    help: "tissue by NAME.geojson or an image NAME.png instead of by colour",
  },
  regions: { kind: "text", value: "DIR|FILE", help: "only within these polygons or images, by the slides' names" },
  classes: { kind: "text", value: "A,B", help: "classes of polygons that are taken, by default all" },
  everywhere: { kind: "switch", help: "also where there is no tissue" },
  holes: { kind: "choice", of: ["fill", "keep"], default: "fill", help: "small holes in tissue" },
  "keep-pen": { kind: "switch", help: "ink of pens may be tissue" },
  "tissue-set": { kind: "list", value: "NAME=N", help: `numbers of the method: ${Object.keys(TISSUE).join(", ")}` },
  "bad-tiles": {
    kind: "choice",
    of: ["skip", "white", "fail"],
    default: "skip",
    help: "tiles whose pixels are damaged",
  },
  edge: { kind: "choice", of: ["white", "black"], default: "white", help: "what lies beyond a slide's edge" },
  "max-tiles": { kind: "number", value: "N", integer: true, min: 1, help: "preview: so many tiles a slide, by chance" },
  seed: { kind: "number", value: "N", integer: true, min: 0, help: "of --max-tiles; default 0" },
  workers: {
    kind: "number",
    value: "N",
    integer: true,
    min: 0,
    max: 256,
    help: "that decode; one less than processors",
  },
  "dry-run": { kind: "switch", help: "says tiles, bytes, memory and time, of the encoder too, and writes nothing" },
  verify: { kind: "switch", help: "judges the features that are there: complete, missing, stale" },
  "name-from": {
    kind: "choice",
    of: ["file", "relative"],
    default: "file",
    help: "slides are named by their files, or with their folders",
  },
  "strict-trident": { kind: "switch", help: "a row a chunk, as TRIDENT stores features" },
  geojson: {
    kind: "choice",
    of: ["trident", "qupath", "qupath04"],
    default: "trident",
    help: "form of the outlines; with QuPath's (04: before 0.5) also tiles, in tiles_geojson",
  },
} as const satisfies Flags;

/** Values of these flags. */
export type SlideValues = Args<typeof SLIDE_FLAGS>["flags"];

/** Flags that mean nothing without `--job`. */
export function strayFlag(argv: SlideValues): string | undefined {
  return Object.entries(SLIDE_FLAGS).find(([name, flag]) => {
    if (name === "job") return false;
    const value = argv[name as keyof SlideValues];
    const initial = flag.kind === "switch" ? false : "default" in flag ? flag.default : undefined;
    return flag.kind === "list" ? (value as readonly string[]).length > 0 : value !== initial;
  })?.[0];
}

/**
 * What the flags ask for.
 *
 * @throws {ConfigError} If flags exclude each other, or one is of no number of the method.
 */
export function slideSettings(values: SlideValues): SlideSettings {
  const { everywhere, edge, seed, classes } = values;
  const most = values["max-tiles"];
  return {
    kind: gridKind(values),
    choice: {
      minTissue: values["min-tissue"],
      ...(most === undefined ? {} : { most, seed: seed ?? 0 }),
    },
    tissue: tissueOptions(values),
    everywhere,
    classes: namesOf(classes),
    edge: edge as CutOptions["edge"],
    badTiles: values["bad-tiles"] as BadTiles,
    strict: values["strict-trident"],
  };
}

/** Form of the outlines. */
export function flavourOf({ geojson }: SlideValues): GeoJsonFlavour {
  return geojson as GeoJsonFlavour;
}

function gridKind(values: SlideValues): GridKind {
  const { mag, overlap = 0 } = values;
  const [patch, tile, target] = [values["patch-size"], values["tile-um"], values["mpp-target"]];
  if (mag !== undefined) {
    const other = tile !== undefined ? "--tile-um" : target !== undefined ? "--mpp-target" : undefined;
    if (other !== undefined) {
      throw new ConfigError(`Cannot lay a grid by --mag ${mag} and by ${other}: one of them wanted`, {
        hint: `Leave out --mag for true micrometres, or ${other} for TRIDENT's grid`,
      });
    }
    return { scale: "nominal", magnification: mag, patch: patch ?? 512, overlap };
  }
  const pixelSize = target ?? (tile !== undefined && patch !== undefined ? tile / patch : 0.5);
  const side = tile ?? (patch ?? 224) * pixelSize;
  if (patch !== undefined && Math.round(side / pixelSize) !== patch) {
    throw new ConfigError(`Cannot lay a grid: ${side} µm at ${pixelSize} µm a pixel are not ${patch} pixels`, {
      hint: "Leave out one of --tile-um, --mpp-target and --patch-size",
    });
  }
  return { scale: "physical", tile: side, pixelSize, overlap };
}

function tissueOptions(values: SlideValues): Partial<TissueOptions> {
  const options: Record<string, number | boolean | readonly number[]> = {};
  if (values.holes === "keep") options.keepHoles = true;
  if (values["keep-pen"]) options.keepPen = true;
  for (const text of values["tissue-set"]) {
    const [, name = "", value = ""] = /^(\w+)=(.+)$/.exec(text) ?? [];
    const usual = TISSUE[name as keyof TissueOptions] as unknown;
    const numbers = value.split(",").map(Number);
    const wanted = Array.isArray(usual) ? usual.length : typeof usual === "number" ? 1 : 0;
    if (wanted === 0 || numbers.length !== wanted || !numbers.every(Number.isFinite)) {
      const names = Object.entries(TISSUE).filter(([, usual]) => typeof usual !== "boolean");
      throw new ConfigError(
        `Cannot set ${text}: ${names.map(([name, usual]) => `${name}=${usual}`).join(" ")} wanted`,
        {
          context: { key: "tissue-set", given: text },
        },
      );
    }
    options[name] = wanted === 1 ? numbers[0]! : numbers;
  }
  return options as Partial<TissueOptions>;
}
