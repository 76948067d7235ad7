/**
 * What is in slides and images: levels, pixel size and who says so, how they are turned, what lies beside the pyramid.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import { openSlide, type Slide } from "../data/image/slide.ts";
import { openFile } from "../io/fs.ts";
import { TURNS } from "../io/image/orientation.ts";
import { isTiff } from "../io/image/tiff.ts";
import { inspect as inspectVolume } from "./inspect_volume.ts";
import { first, type Inspection, type InspectOptions, type Target } from "./inspection.ts";
import { count, formatBytes } from "../core/text_table.ts";

/** Who says how large a pixel is. */
const SOURCES = {
  ome: "OME-XML",
  aperio: "Aperio's description",
  "resolution-tag": "the resolution tags",
  none: "nothing",
} as const;

/** Looks into a slide. */
export async function inspect(target: Target, options: InspectOptions): Promise<Inspection> {
  const { path, head, bytes } = target;
  const { limit } = options;
  const format = isTiff(head) ? "TIFF" : head[0] === 0xff ? "JPEG" : "PNG";
  let slide: Slide;
  try {
    slide = await openSlide(await openFile(path));
  } catch (error) {
    // A stack is no slide and may be a volume.
    if (!(error instanceof DataError) || error.code !== "image-stack") throw error;
    return await inspectVolume(target, options);
  }
  try {
    const { levels, pixelSize, associated, orientation, notes } = slide;
    const { width, height } = levels[0]!;
    const { um, claimed, source, problem } = pixelSize;
    const size = um === undefined
      ? `unknown: ${problem ?? "the file does not say"}; give --mpp to embed, --pixel-size to predict`
      : `${Number(um.toPrecision(6))} µm, by ${SOURCES[source]}`;
    return {
      json: {
        kind: "slide",
        format,
        bytes,
        width,
        height,
        pixelSize: { um: um ?? null, claimed: claimed ?? null, source, problem: problem ?? null },
        orientation,
        levels,
        associated,
        notes,
      },
      facts: [
        ["file", path],
        ["format", `${format}, ${formatBytes(bytes)}`],
        ["pixels", `${width} x ${height}, ${count(levels.length, "level")}`],
        ["pixel size", size],
        ["orientation", orientation === 1 ? "" : `${orientation}: ${TURNS[orientation]}`],
        ["beside it", associated.map(({ width, height }) => `${width} x ${height}`).join(", ")],
        ["note", notes.join("; ")],
      ],
      listings: [{
        title: ["level", "pixels", "smaller by"],
        rows: first(levels, limit).map(({ width, height, downsample }, i) => [
          String(i),
          `${width} x ${height}`,
          String(Number(downsample.toPrecision(5))),
        ]),
        total: levels.length,
      }],
    };
  } finally {
    slide.close();
  }
}
