/**
 * `convert visium`: output of Space Ranger, of Visium or Visium HD, to the layout of HEST.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import type { Converted } from "../data/convert/convert_sample.ts";
import { convertVisium } from "../data/convert/visium_convert.ts";
import { findVisium, SLIDE_ENDINGS, type VisiumFolder } from "../data/convert/visium_folder.ts";
import { disk, openFile, openFolder } from "../io/fs.ts";
import { readMex } from "../io/mtx.ts";
import type { RandomAccess } from "../io/random_access.ts";
import { openTenx, type TenxFile } from "../io/tenx_h5.ts";
import { readTenxSpatial } from "../io/tenx_spatial.ts";
import type { Args, Flags } from "./args.ts";
import { contentHash } from "../run/content_hash.ts";
import { checkConvertFolder } from "./convert_folder.ts";
import {
  checkId,
  checkOut,
  COUNTS_FLAG,
  lineOf,
  makeFolders,
  optionsOf,
  SECTION_FLAGS,
  sectionFolder,
  sectionPaths,
  tellWarnings,
  writeCatalogue,
} from "./convert_section.ts";
import { Progress } from "./progress.ts";
import { printJson } from "./terminal.ts";

/** What follows the name. */
export const usage = "FOLDER [--image FILE] --out DIR";
/** Its flags. */
export const flags = {
  counts: COUNTS_FLAG,
  genome: { kind: "text", value: "NAME", help: "whose genes, of counts of two genomes; all of files with one" },
  ...SECTION_FLAGS,
  "under-tissue": { kind: "switch", help: "only spots that Space Ranger calls under tissue; so of raw counts anyway" },
} as const satisfies Flags;

/** Side of the squares that bins of Visium HD are pooled to, as HEST does, µm. */
const HD_SIDE = 128;

/** Runs the conversion. */
export async function run({ flags: given, words }: Args<typeof flags>): Promise<void> {
  const { out, quiet, json } = given;
  const folder = words[0]?.replace(/(?<=.)[/\\]+$/, "");
  if (folder === undefined || words.length > 1 || out === undefined) {
    throw new ConfigError(`Cannot convert Visium: wanted ${usage}`, { context: { words } });
  }
  const found = findVisium(disk, folder, given.counts);
  if (given.genome !== undefined && found.counts.kind !== "h5") {
    throw new ConfigError(
      `Cannot choose genome ${given.genome}: ${found.counts.path} holds text, which names no genomes`,
      {
        hint: "Pass --counts with an .h5 file, or with the folder of that genome",
        context: { given: given.genome, path: found.counts.path },
      },
    );
  }
  const image = given.image ?? pictureOf(folder, found);
  const id = given.id ?? nameOf(folder);
  checkId(id);
  const inputs = [found.counts.path, found.spatial, image];
  checkOut(out, inputs, folder);
  checkConvertFolder({ out, paths: sectionPaths }, [id], given.overwrite);
  (await openFile(image)).close?.();
  // Small and quickly read, unlike the slide, whose content is looked at next.
  await readTenxSpatial(openFolder(found.spatial));
  const progress = new Progress(quiet);
  using place = sectionFolder(out, "visium", [{ id, input: await contentHash(inputs) }], given);
  const converted = await place.convert(
    id,
    progress,
    () => convert(found, { image, out, id }, given, progress),
    lineOf,
  );
  tellWarnings([converted], progress);
  writeCatalogue(out, [converted]);
  if (json) printJson({ out, rule: given.rule ?? "current", ...converted }, 2);
}

async function convert(
  found: VisiumFolder,
  { image, out, id }: { image: string; out: string; id: string },
  given: Args<typeof flags>["flags"],
  progress: Progress,
): Promise<Converted> {
  const opened: (RandomAccess | TenxFile)[] = [];
  const open = async <T extends RandomAccess | TenxFile>(what: Promise<T>): Promise<T> => {
    opened.push(await what);
    return await what;
  };
  try {
    const spatial = await readTenxSpatial(openFolder(found.spatial));
    const { kind, path, raw } = found.counts;
    const counts = kind === "h5"
      ? await open(openTenx(disk.open(path, "read"), given.genome))
      : await readMex(openFolder(path));
    const lattice = spatial.scale?.binSize === undefined ? { pitch: 100, spot: 55 } : { pitch: HD_SIDE, spot: HD_SIDE };
    const sources = {
      counts,
      spatial,
      image: await open(openFile(image)),
      hires: found.small.hires === undefined ? undefined : await open(openFile(found.small.hires)),
      lowres: found.small.hires !== undefined || found.small.lowres === undefined
        ? undefined
        : await open(openFile(found.small.lowres)),
    };
    makeFolders(out, id, given.wsi);
    const options = { ...optionsOf(id, given, lattice, progress), underTissue: raw || given["under-tissue"] };
    return await convertVisium(disk, out, sources, options);
  } finally {
    for (const file of opened) file.close?.();
  }
}

/** The slide where none was named: the only picture of the folder, else Space Ranger's small one. */
function pictureOf(folder: string, { pictures, small, spatial }: VisiumFolder): string {
  if (pictures.length === 1) return pictures[0]!;
  if (pictures.length === 0 && small.hires !== undefined) return small.hires;
  const context = { folder, found: pictures };
  if (pictures.length > 0) {
    throw new ConfigError(`Cannot convert ${folder}: it has the pictures ${pictures.join(", ")}, one slide wanted`, {
      hint: `Pass --image with the slide in full resolution, such as --image ${pictures[0]}`,
      context,
    });
  }
  throw new ConfigError(
    `Cannot convert ${folder}: no picture in it (*${SLIDE_ENDINGS.join(", *")}), nor ${spatial}/tissue_hires_image.png`,
    {
      hint: "Pass --image FILE, the slide that Space Ranger was given: TIFF, SVS, JPEG or PNG in full resolution; " +
        "patches of a small picture are blurred, and taken with --coarse",
      context,
    },
  );
}

/** The sample's name: of the folder, or of the one Space Ranger's own names lie in. */
function nameOf(folder: string): string {
  const parts = Deno.realPathSync(folder).split(/[/\\]/);
  return parts.findLast((part) => !/^(?:outs|spatial|binned_outputs|square_\d+um)$/.test(part)) ?? "";
}
