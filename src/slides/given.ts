/**
 * Files of tissue and regions that are given for slides, by the slides' names.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import type { Disk } from "../io/disk.ts";

/** Files of polygons and images of masks, by the names they may have. */
const MASKS = [".geojson", ".json", ".png", ".jpg", ".jpeg", ".tif", ".tiff"];

/**
 * The file for a slide: the one given, or in a folder that of the slide's name.
 *
 * @throws {DataError} If a folder has none for it.
 */
export function fileFor(
  disk: Pick<Disk, "look">,
  given: string | undefined,
  name: string,
  flag: string,
): string | undefined {
  if (given === undefined) return undefined;
  const entry = disk.look(given);
  if (entry?.kind === "file") return given;
  const folder = given.replace(/[/\\]+$/, "");
  const found = entry?.kind === "folder" ? MASKS.find((ending) => entry.names.includes(`${name}${ending}`)) : undefined;
  if (found !== undefined) return `${folder}/${name}${found}`;
  const why = entry === undefined ? "there is no such file or folder" : `it has no ${name}.geojson or ${name}.png`;
  throw new DataError(`Cannot take --${flag} ${given} for ${name}: ${why}`, {
    code: "input",
    context: { path: given, slide: name },
  });
}
