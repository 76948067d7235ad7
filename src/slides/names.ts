/**
 * Names in TRIDENT's tree: of slides, of encoders' folders, of the folder of a grid.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import type { GridKind } from "./grid.ts";

/** Name of a slide: its file's without folder and ending; `.ome.tif` and `.ome.tiff` go whole. */
export function slideName(path: string): string {
  const base = path.replace(/[/\\]+$/, "").split(/[/\\]/).at(-1)!;
  return base.replace(/(?:\.ome\.tiff?|\.[^.]+)$/i, "") || base;
}

/** A slide that is to be worked on. */
export interface NamedSlide {
  readonly name: string;
  readonly path: string;
}

/**
 * Names slides, each once.
 *
 * @param paths Each with the folder it was found in.
 * @param from What names come from: the file's own, or its path below that folder, `a/b.svs` as `a__b`.
 * @returns Sorted by the bytes of their names.
 * @throws {ConfigError} If two slides have one name.
 */
export function nameSlides(
  paths: readonly { readonly path: string; readonly root?: string | undefined }[],
  from: "file" | "relative" = "file",
): NamedSlide[] {
  const named = paths.map(({ path, root }): NamedSlide => {
    const below = root === undefined ? undefined : relative(path, root);
    if (from === "file" || below === undefined) return { name: slideName(path), path };
    const folders = below.split("/").slice(0, -1);
    return { name: [...folders, slideName(path)].join("__"), path };
  }).sort((a, b) => compareBytes(a.name, b.name));
  for (const [i, { name, path }] of named.entries()) {
    const before = named[i - 1];
    if (before === undefined || before.name !== name) continue;
    const hint = from === "file"
      ? "Pass --name-from relative, which puts the folders into the names"
      : "Rename one of them";
    throw new ConfigError(`Cannot name two slides ${name}: ${before.path} and ${path}, every name once wanted`, {
      hint,
      context: { name, paths: [before.path, path] },
    });
  }
  return named;
}

function relative(path: string, root: string): string | undefined {
  const [own, folder] = [path, root].map((text) => text.replaceAll("\\", "/").replace(/\/+$/, ""));
  return own!.startsWith(`${folder}/`) ? own!.slice(folder!.length + 1) : undefined;
}

/** Order of UTF-8 bytes, the same on every machine: that of code points. */
export function compareBytes(a: string, b: string): number {
  const [x, y] = [[...a], [...b]];
  for (let i = 0; i < Math.min(x.length, y.length); i++) {
    if (x[i] !== y[i]) return x[i]!.codePointAt(0)! - y[i]!.codePointAt(0)!;
  }
  return x.length - y.length;
}

/** TRIDENT's names of encoders, by ours. */
const ENCODERS: Readonly<Record<string, string>> = {
  uni: "uni_v1",
  "uni2-h": "uni_v2",
  conch: "conch_v1",
  "conch-v1.5": "conch_v15",
  virchow: "virchow",
  virchow2: "virchow2",
  "prov-gigapath": "gigapath",
  gigapath: "gigapath",
  "h-optimus-0": "hoptimus0",
  "h-optimus-1": "hoptimus1",
  "h0-mini": "h0-mini",
  phikon: "phikon",
  "phikon-v2": "phikon_v2",
  "hibou-l": "hibou_l",
  ctranspath: "ctranspath",
  gpfm: "gpfm",
  musk: "musk",
  resnet50: "resnet50",
};

/**
 * Name of an encoder's folder. An adapter is part of it: features with and without are never mixed.
 *
 * @param adapter Hash of the adapter, hexadecimal, and what it is called.
 */
export function encoderFolder(encoder: string, adapter?: { readonly name: string; readonly hash: string }): string {
  const own = ENCODERS[encoder] ?? encoder.replaceAll(/[^A-Za-z0-9._=-]+/g, "_").replace(/^_+|_+$/g, "");
  if (adapter === undefined) return own;
  return `${own}+${adapter.name.replaceAll(/[^A-Za-z0-9._-]+/g, "_")}-${adapter.hash.slice(0, 8)}`;
}

/** Python's `format(value, "g")`. */
function general(value: number): string {
  const text = Number(value.toPrecision(6));
  return Math.abs(text) >= 1e6 || (text !== 0 && Math.abs(text) < 1e-4)
    ? text.toExponential().replace(/e([+-])(\d)$/, "e$10$2")
    : String(text);
}

/** Name of the folder of a grid: `20x_512px_0px_overlap`, or of one in true micrometres `112um_224px_0um_overlap`. */
export function gridFolder(kind: GridKind): string {
  if (kind.scale === "nominal") return `${general(kind.magnification)}x_${kind.patch}px_${kind.overlap}px_overlap`;
  return `${general(kind.tile)}um_${Math.round(kind.tile / kind.pixelSize)}px_${general(kind.overlap)}um_overlap`;
}
