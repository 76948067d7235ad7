/**
 * Where the parts of a sample lie in a folder of Space Ranger's, of all versions, or in one of files downloaded one by one.
 *
 * @module
 */

import { DataError } from "../../core/errors.ts";
import type { Disk } from "../../io/disk.ts";
import { IMAGE_ENDINGS } from "../../io/image/image.ts";
import { poolsTo } from "./visium_hd.ts";
import { findFile } from "../../io/tenx_spatial.ts";

/** Parts of a sample. */
export interface VisiumFolder {
  /** Folder with positions and scale factors. */
  readonly spatial: string;
  /** Counts: an HDF5 file, or a folder of `matrix.mtx`. */
  readonly counts: { readonly kind: "h5" | "mex"; readonly path: string; readonly raw: boolean };
  /** Images that may be the slide in full resolution. */
  readonly images: readonly string[];
  /** The small images beside the positions, and what share of the full size they have by the scale factors. */
  readonly small: { readonly hires?: string; readonly lowres?: string };
}

const POSITIONS = ["tissue_positions.parquet", "tissue_positions.csv", "tissue_positions_list.csv"];
/** Endings of files that may be the slide. */
export const SLIDE_ENDINGS: readonly string[] = [...IMAGE_ENDINGS, ".svs", ".btf", ".ome.tif"];

type Look = Pick<Disk, "look">;

function namesIn(disk: Look, folder: string): string[] {
  const entry = disk.look(folder);
  return entry?.kind === "folder" ? entry.names : [];
}

/**
 * Finds the parts of a sample.
 *
 * @param side Side of the squares that bins of Visium HD are to be pooled to, µm.
 * @param counts Counts that were named, in place of those of the folder.
 * @throws {DataError} If there is no folder, or positions or counts are missing.
 */
export function findVisium(disk: Look, folder: string, side: number, counts?: string): VisiumFolder {
  if (disk.look(folder)?.kind !== "folder") {
    throw new DataError(`Cannot convert ${folder}: no folder, Space Ranger's output wanted`, {
      code: "file-missing",
      context: { folder },
    });
  }
  const root = rootOf(disk, folder, side);
  const spatial = [`${root}/spatial`, root].find((place) => findFile(namesIn(disk, place), POSITIONS) !== undefined);
  if (spatial === undefined) {
    throw new DataError(`Cannot convert ${folder}: no ${POSITIONS.join(", ")} in it or in its folder spatial`, {
      code: "file-missing",
      hint: "Give the folder outs/ of Space Ranger, or one of binned_outputs/ of Visium HD",
      context: { folder, found: namesIn(disk, root).slice(0, 20) },
    });
  }
  const names = namesIn(disk, spatial);
  const [hires, lowres] = ["hires", "lowres"].map((size) => findFile(names, [`tissue_${size}_image.png`]));
  const at = (name: string) => `${spatial}/${name}`;
  return {
    spatial,
    counts: counts === undefined ? findCounts(disk, folder, root) : namedCounts(disk, counts),
    images: imagesOf(disk, folder, root, spatial),
    small: {
      ...(hires === undefined ? {} : { hires: at(hires) }),
      ...(lowres === undefined ? {} : { lowres: at(lowres) }),
    },
  };
}

/** The folder with `spatial`: the one given, its `outs`, or the bins of Visium HD in either. */
function rootOf(disk: Look, folder: string, side: number): string {
  const roots = namesIn(disk, folder).includes("outs") ? [`${folder}/outs`, folder] : [folder];
  for (const root of roots) {
    if (!namesIn(disk, root).includes("binned_outputs")) continue;
    const bins = namesIn(disk, `${root}/binned_outputs`);
    const sizes = bins.flatMap((name) => {
      const um = Number(/^square_(\d+)um$/.exec(name)?.[1]);
      return um > 0 && poolsTo(um, side) ? [{ name, um, whole: side % um === 0 }] : [];
    });
    // The largest of which squares are made of whole ones; half a bin is less of a square the smaller bins are.
    const [best] = sizes.sort((a, b) => Number(b.whole) - Number(a.whole) || (a.whole ? b.um - a.um : a.um - b.um));
    if (best !== undefined) return `${root}/binned_outputs/${best.name}`;
    throw new DataError(
      `Cannot convert ${folder}: binned_outputs has ${bins.join(", ") || "nothing"}, bins that squares of ${side} µm ` +
        "are made of wanted",
      {
        code: "file-missing",
        hint: "Pass another --pitch-um, a multiple of one of them",
        context: { folder, found: bins, side },
      },
    );
  }
  return roots[0]!;
}

function namedCounts(disk: Look, path: string): VisiumFolder["counts"] {
  const entry = disk.look(path);
  if (entry === undefined) {
    throw new DataError(`Cannot open ${path}: no such file`, { code: "file-missing", context: { file: path } });
  }
  return { kind: entry.kind === "folder" ? "mex" : "h5", path, raw: /raw_/.test(path.replace(/^.*[/\\]/, "")) };
}

/** Counts in HEST's order: filtered before raw, HDF5 before text; text also loose in the folder. */
function findCounts(disk: Look, folder: string, root: string): VisiumFolder["counts"] {
  const names = namesIn(disk, root);
  for (const [kind, raw] of [["filtered", false], ["raw", true]] as const) {
    const file = findFile(names, [`${kind}_feature_bc_matrix.h5`]);
    if (file !== undefined) return { kind: "h5", path: `${root}/${file}`, raw };
    const list = names.find((name) =>
      name.endsWith(`${kind}_feature_bc_matrix`) && namesIn(disk, `${root}/${name}`).length > 0
    );
    if (list !== undefined) return { kind: "mex", path: `${root}/${list}`, raw };
  }
  if (findFile(names, ["matrix.mtx"]) !== undefined) return { kind: "mex", path: root, raw: false };
  throw new DataError(`Cannot convert ${folder}: no filtered_feature_bc_matrix.h5 or folder of that name, one wanted`, {
    code: "file-missing",
    hint: "Pass --counts with an .h5 file of Space Ranger, or a folder with matrix.mtx",
    context: { folder, found: names.slice(0, 20) },
  });
}

function imagesOf(disk: Look, folder: string, root: string, spatial: string): string[] {
  const places = [...new Set([folder, root])].filter((place) => place !== spatial || spatial === root);
  return places.flatMap((place) =>
    namesIn(disk, place)
      .filter((name) => SLIDE_ENDINGS.some((end) => name.toLowerCase().endsWith(end)))
      .filter((name) => !/tissue_(?:hires|lowres)_image|aligned_|detected_|cytassist/i.test(name))
      .map((name) => `${place}/${name}`)
  );
}
