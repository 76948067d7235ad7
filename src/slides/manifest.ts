/**
 * Lists of slides: TRIDENT's `wsi[,mpp]`, and slide2vec's `sample_id,image_path,mask_path,spacing_at_level_0`.
 *
 * @module
 */

import { FormatError } from "../core/errors.ts";
import { parseCsv } from "../io/csv.ts";
import { slideName } from "./names.ts";

/** A line of a list. */
export interface ManifestEntry {
  readonly name: string;
  /** As the list has it. */
  readonly path: string;
  /** µm a pixel of level 0, where the list says so. */
  readonly mpp: number | undefined;
  /** An image or polygons of its tissue. */
  readonly mask: string | undefined;
  /** Of the list, counted from 1. */
  readonly line: number;
}

/** Columns by what they hold, under the names of both programs. */
const COLUMNS = {
  path: ["wsi", "image_path"],
  name: ["sample_id"],
  mask: ["mask_path", "tissue_mask_path"],
  mpp: ["mpp", "spacing_at_level_0"],
} as const;

/**
 * Reads a list of slides.
 *
 * @throws {FormatError} Naming the line, of a list without the columns, an empty path, a pixel size that is none, a name that
 * stands twice.
 */
export function parseManifest(text: string, file: string): ManifestEntry[] {
  const [head, ...records] = parseCsv(text, file);
  const fail = (line: number, found: string, expected: string): FormatError =>
    new FormatError(`Cannot read ${file} as a list of slides: line ${line} has ${found}, expected ${expected}`, {
      context: { file, line, found, expected },
    });
  const names = (head?.fields ?? []).map((field) => field.trim().toLowerCase());
  const column = (of: keyof typeof COLUMNS) => COLUMNS[of].map((name) => names.indexOf(name)).find((at) => at >= 0);
  const [path, name, mask, mpp] = [column("path"), column("name"), column("mask"), column("mpp")];
  if (path === undefined) {
    const found = names.length === 0 ? "nothing" : `columns ${names.join(", ")}`;
    throw fail(head?.line ?? 1, found, "a column wsi (TRIDENT) or image_path (slide2vec)");
  }
  const lines = new Map<string, number>();
  return records.map(({ line, fields }) => {
    const field = (at: number | undefined) => at === undefined ? undefined : fields[at]?.trim() || undefined;
    const own = field(path);
    if (own === undefined) throw fail(line, `no ${names[path]}`, "the path of a slide");
    const size = field(mpp);
    const um = size === undefined ? undefined : /^\d*\.?\d+(?:e[+-]?\d+)?$/i.test(size) ? Number(size) : NaN;
    if (um !== undefined && !(um > 0 && um < Infinity)) {
      throw fail(line, `${names[mpp!]} ${JSON.stringify(size)}`, "µm a pixel, or nothing");
    }
    const entry = { name: field(name) ?? slideName(own), path: own, mpp: um, mask: field(mask), line };
    if (/[/\\\0]|^\.{0,2}$/.test(entry.name)) {
      throw fail(line, `the name ${JSON.stringify(entry.name)}`, "a plain file name");
    }
    const before = lines.get(entry.name);
    if (before !== undefined) throw fail(line, `${entry.name} again, after line ${before}`, "every name once");
    lines.set(entry.name, line);
    return entry;
  });
}
