/**
 * The slides a command line names: files, folders, a list.
 *
 * @module
 */

import { ConfigError, DataError } from "../core/errors.ts";
import { decodeText } from "../io/csv.ts";
import { type Disk, readBytes } from "../io/disk.ts";
import { REFUSED_ENDINGS } from "../io/image/slide_formats.ts";
import { parseManifest } from "./manifest.ts";
import { compareBytes, type NamedSlide, nameSlides } from "./names.ts";

/** A slide, with what a list says of it. */
export interface SlideInput extends NamedSlide {
  readonly mpp: number | undefined;
  readonly mask: string | undefined;
}

/** Endings of slides, those that are refused by name among them. */
const ENDINGS: ReadonlySet<string> = new Set([
  "svs",
  "tif",
  "tiff",
  "btf",
  "scn",
  "jpg",
  "jpeg",
  "png",
  ...REFUSED_ENDINGS,
]);

/** Whether a path is named as a slide. */
export function isNamedSlide(path: string): boolean {
  return ENDINGS.has(/\.([^./\\]+)$/.exec(path)?.[1]?.toLowerCase() ?? "");
}

/** Slides below a folder; those of OME-Zarr are folders themselves. */
function* below(disk: Disk, folder: string): Generator<string> {
  const entry = disk.look(folder);
  if (entry?.kind !== "folder") return;
  for (const name of entry.names) {
    if (name.startsWith(".")) continue;
    const path = `${folder}/${name}`;
    if (isNamedSlide(name)) yield path;
    else if (disk.look(path)?.kind === "folder") yield* below(disk, path);
  }
}

/**
 * Finds the slides.
 *
 * @param paths Files, and folders, which are searched with those in them.
 * @param manifest Path of a list of slides.
 * @param act What cannot be done with those that are not there, for errors.
 * @throws {DataError} If a path does not exist or a folder has no slides.
 * @throws {ConfigError} If two slides have one name.
 */
export function findSlides(
  disk: Disk,
  paths: readonly string[],
  manifest: string | undefined,
  from: "file" | "relative",
  act = "embed",
): SlideInput[] {
  const refuse = (path: string, why: string, hint: string) =>
    new DataError(`Cannot ${act} ${path}: ${why}`, { code: "input", hint, context: { path } });
  const found: { path: string; root?: string }[] = [];
  for (const given of paths) {
    const path = given.replace(/(?<=.)[/\\]+$/, "");
    const entry = disk.look(path);
    if (entry === undefined) throw refuse(path, "there is no such file or folder", "Give slides or folders of slides");
    if (entry.kind === "file" || isNamedSlide(path)) {
      found.push({ path });
      continue;
    }
    const inside = [...below(disk, path)];
    if (inside.length === 0) {
      throw refuse(path, "it holds no slides", `Slides end with ${[...ENDINGS].join(", ")}`);
    }
    found.push(...inside.map((each) => ({ path: each, root: path })));
  }
  const named = nameSlides(found, from).map((slide): SlideInput => ({ ...slide, mpp: undefined, mask: undefined }));
  const listed = manifest === undefined ? [] : readList(disk, manifest, found.length === 0 ? undefined : named);
  if (manifest !== undefined && found.length > 0) return listed;
  return [...named, ...listed].sort((a, b) => compareBytes(a.name, b.name));
}

/** The slides of a list: those among the ones that were found, where some were; paths are relative to the list. */
function readList(disk: Disk, path: string, among: readonly SlideInput[] | undefined): SlideInput[] {
  const folder = path.replace(/[^/\\]*$/, "");
  const at = (own: string) => /^(?:[/\\]|[A-Za-z]:)/.test(own) ? own : `${folder}${own}`;
  return parseManifest(decodeText(readBytes(disk, path), path), path).map(({ name, path: own, mpp, mask, line }) => {
    // As TRIDENT's list, which has names below the folder of slides.
    const known = among?.find((slide) => slide.path === own || slide.path.endsWith(`/${own}`));
    if (among !== undefined && known === undefined) {
      throw new ConfigError(`Cannot find ${own} of ${path}, line ${line}: none of the slides given has that path`, {
        hint: "Leave out the folder to take the list's paths as they are",
        context: { file: path, line },
      });
    }
    return { name, path: known?.path ?? at(own), mpp, mask: mask === undefined ? undefined : at(mask) };
  }).sort((a, b) => compareBytes(a.name, b.name));
}
