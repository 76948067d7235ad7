/**
 * `convert overlay`: scores of tiles, of this program or another, as colours over their slides and as squares for QuPath.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { INCOMPLETE } from "../core/exit_status.ts";
import { drawOverlays, type OverlayRequest } from "../run/convert_overlay.ts";
import { flagFacts } from "../run/output_folder.ts";
import { COLOUR_MAPS, type ColourMap } from "../core/colour_maps.ts";
import { trimmed } from "../io/output.ts";
import { parseRange } from "../slides/fit_scores.ts";
import { SCORE_STYLE, type ScoreStyle } from "../slides/score_map.ts";
import { type Args, COMMON, type Flags } from "./args.ts";
import { Progress } from "./progress.ts";
import { MPP_FLAG, TILE_SIDE_FLAG } from "./section_flags.ts";
import { SLIDE_FLAGS } from "./slide_flags.ts";
import { printJson } from "./terminal.ts";

/** What follows the name of the conversion. */
export const usage = "SCORES --slide SLIDE --out DIR";

/** Flags of the conversion. */
export const flags = {
  slide: { kind: "list", value: "FILE|DIR", help: "overlay: slides; with a folder of scores, files of one name" },
  coords: {
    kind: "text",
    value: "FILE|DIR",
    help: "overlay: coordinates of the tiles (NAME_patches.h5, the features), where scores have none",
  },
  score: { kind: "list", value: "NAME", help: "overlay: which of several scores; by default all, at most 16" },
  scale: {
    kind: "choice",
    of: ["percentile", "minmax"],
    help: "overlay: colours by rank (percentile, the default), or linearly from the lowest to the highest score",
  },
  range: { kind: "text", value: "LOW,HIGH", help: "overlay: scores of the ends of the colours, linear between" },
  cmap: { kind: "choice", of: COLOUR_MAPS, help: "overlay: colours, as matplotlib's; coolwarm" },
  opacity: { kind: "number", value: "A", min: 0, max: 1, help: "overlay: share of the colours; 0.4" },
  smooth: {
    kind: "number",
    value: "N",
    min: 0,
    max: 20,
    help: "overlay: deviation of a Gaussian, in sides of a tile; off if not given",
  },
  tiles: {
    kind: "number",
    value: "N",
    min: 0,
    max: 40,
    integer: true,
    help: "overlay: tiles of the highest, and of the lowest scores below the map; 8",
  },
  "long-side": {
    kind: "number",
    value: "PX",
    min: 100,
    max: 8000,
    integer: true,
    help: "overlay: of the map, at most; 4000",
  },
  "tile-side": TILE_SIDE_FLAG,
  missing: {
    kind: "choice",
    of: ["fail", "skip"],
    help: "overlay: what is done with tiles whose score is no finite number; fail",
  },
  geojson: {
    kind: "choice",
    of: ["qupath", "qupath04", "none"],
    help: "overlay: squares with scores as measurements (04: before 0.5); qupath",
  },
  "name-from": {
    kind: "choice",
    of: SLIDE_FLAGS["name-from"].of,
    help: "overlay: slides are named by their files (file, the default), or with their folders",
  },
  mpp: MPP_FLAG,
  out: COMMON.out,
  overwrite: COMMON.overwrite,
  quiet: COMMON.quiet,
  json: COMMON.json,
} as const satisfies Flags;

/** Runs the conversion. */
export async function run({ flags: values, words }: Args<typeof flags>): Promise<number> {
  const [scores, ...more] = words.map(trimmed);
  const { slide: slides, out, range } = values;
  if (scores === undefined || more.length > 0 || slides.length === 0 || out === undefined) {
    throw new ConfigError(`Cannot draw scores: wanted ${usage}`, {
      hint: "For example: convert overlay predictions/attention --slide slides --out maps",
      context: { words },
    });
  }
  const request: OverlayRequest = {
    ...{ scores, slides, out, coords: values.coords, wanted: values.score },
    ...{ strip: values.tiles ?? 8, longSide: values["long-side"] ?? 4000, side: values["tile-side"], mpp: values.mpp },
    style: {
      scale: (values.scale ?? SCORE_STYLE.scale) as ScoreStyle["scale"],
      range: range === undefined ? undefined : parseRange(range),
      colours: (values.cmap ?? SCORE_STYLE.colours) as ColourMap,
      opacity: values.opacity ?? SCORE_STYLE.opacity,
      smooth: values.smooth ?? SCORE_STYLE.smooth,
    },
    nameFrom: (values["name-from"] ?? "file") as "file" | "relative",
    missing: (values.missing ?? "fail") as "fail" | "skip",
    geojson: (values.geojson ?? "qupath") as OverlayRequest["geojson"],
    overwrite: values.overwrite,
    settings: flagFacts(values, ["slide", "coords"]),
  };
  const result = await drawOverlays(request, new Progress(values.quiet));
  if (values.json) printJson({ out, ...result });
  return result.failed.length > 0 ? INCOMPLETE : 0;
}
