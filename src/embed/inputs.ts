/**
 * What is embedded: HEST patch files, folders or lists of images, npy arrays. An input is a row of RGB images in a fixed
 * order with what is known of each; slides are embedded by `slide_job.ts`.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import { type Disk, type HostFile, randomAccess } from "../io/disk.ts";
import { checkFileSize, decodeImage, IMAGE_ENDINGS } from "../io/image/image.ts";
import { readNpy, readNpyHeader } from "../io/npy.ts";
import { openPatches, type Patches } from "../io/patches.ts";
import type { RgbImage } from "../io/image/rgb_image.ts";
import type { DigestPart } from "../io/checksum.ts";

/** An input by its files; nothing is opened yet. */
export interface InputFiles {
  /** Name of the output, without ending. */
  readonly name: string;
  readonly kind: "patches" | "images" | "npy";
  /** One file, or the images in order. */
  readonly paths: readonly string[];
}

/** An open input. */
export interface EmbedInput extends InputFiles {
  /** Number of images. */
  readonly count: number;
  /** What names the rows: spots or files. */
  readonly rowNames: { readonly kind: "barcode" | "file"; readonly values: readonly string[] } | undefined;
  /** `[count, 2]`, x then y, in pixels of the slide's largest level: top-left corners, unless `coordsOf` says otherwise. */
  readonly coords: Int32Array | undefined;
  readonly coordsOf: "top-left" | "centre" | "unknown" | undefined;
  /** Width and height in pixels where all images have the same. */
  readonly size: readonly [width: number, height: number] | undefined;
  /** Micrometres a pixel of the images, where the input tells. */
  readonly pixelSize: number | undefined;
  /** Side of a patch in pixels of the slide's largest level, where the input tells. */
  readonly sizeOnSlide: number | undefined;
  /** Generation of a HEST patch file. */
  readonly generation: Patches["generation"] | undefined;
  /** Images `from` up to `to`. Those of a patch file or npy are views of one array. */
  read(from: number, to: number): Promise<RgbImage[]>;
  close(): void;
}

/** Endings of slides, for the hint. */
const SLIDES = /\.(tiff?|svs|ndpi|mrxs|scn|bif|czi)$/i;

function endsAs(path: string, endings: readonly string[]): boolean {
  return endings.some((ending) => path.toLowerCase().endsWith(ending));
}

function lastOf(path: string): string {
  return path.replace(/[/\\]+$/, "").split(/[/\\]/).at(-1) ?? "";
}

/** Name of a file without folder and ending. */
function stem(path: string): string {
  return lastOf(path).replace(/\.[^.]+$/, "");
}

function kindOf(path: string): InputFiles["kind"] | undefined {
  if (endsAs(path, [".h5", ".hdf5"])) return "patches";
  if (endsAs(path, [".npy"])) return "npy";
  return endsAs(path, IMAGE_ENDINGS) ? "images" : undefined;
}

/**
 * Finds the inputs behind paths: a HEST layout (its `patches/*.h5`), a folder of patch files or of images, files. Images
 * given one by one make one input, in the order given; those of a folder come in order of their names.
 *
 * @throws {DataError} If a path does not exist, holds nothing to embed, or two inputs would have the same name.
 */
export function findInputs(disk: Disk, paths: readonly string[]): InputFiles[] {
  const found: InputFiles[] = [];
  const single = paths.filter((path) => disk.look(path)?.kind === "file" && kindOf(path) === "images");
  if (single.length > 0) {
    const folder = lastOf(single[0]!.slice(0, -lastOf(single[0]!).length));
    found.push({
      name: single.length === 1 ? stem(single[0]!) : folder || "images",
      kind: "images",
      paths: single,
    });
  }
  for (const path of paths) if (!single.includes(path)) found.push(...inputsAt(disk, path));
  const names = new Set<string>();
  for (const { name, paths: [first] } of found) {
    if (names.has(name)) {
      throw new DataError(`Cannot embed two inputs called ${name}: the second is ${first}, expected different names`, {
        code: "input-name",
        hint: "Embed them into different folders",
        context: { name, path: first },
      });
    }
    names.add(name);
  }
  return found;
}

function inputsAt(disk: Disk, path: string): InputFiles[] {
  const entry = disk.look(path);
  const refuse = (why: string, hint: string) =>
    new DataError(`Cannot embed ${path}: ${why}`, { code: "input", hint, context: { path } });
  const wanted = "Give HEST patch files (.h5), a folder of PNG or JPEG tiles, or an npy array [n, h, w, 3]";
  const slide = "Embed slides into a job's folder: pass --job DIR; " +
    "expression over a whole slide: deno task predict --run RUN --slide FILE";
  if (entry === undefined) throw refuse("there is no such file or folder", wanted);
  if (entry.kind === "file") {
    const kind = kindOf(path);
    if (kind !== undefined) return [{ name: stem(path), kind, paths: [path] }];
    if (SLIDES.test(path)) throw refuse("it is a slide, expected tiles", slide);
    throw refuse("its ending is of no kind of input", wanted);
  }
  const inside = (names: readonly string[], folder: string) =>
    names.map((name) => `${folder.replace(/[/\\]+$/, "")}/${name}`);
  if (entry.names.includes("patches") && disk.look(`${path}/patches`)?.kind === "folder") {
    return inputsAt(disk, `${path}/patches`);
  }
  const named = (...kinds: InputFiles["kind"][]) =>
    entry.names.filter((name) => !name.startsWith(".") && kinds.some((kind) => kindOf(name) === kind));
  const files = inside(named("patches", "npy"), path).flatMap((file) => inputsAt(disk, file));
  // Images beside patch files are previews of them; beside arrays they are to be embedded as well.
  const images = named("patches").length > 0 ? [] : inside(named("images"), path);
  if (images.length > 0) files.unshift({ name: lastOf(path) || "images", kind: "images", paths: images });
  if (files.length === 0) throw refuse("the folder holds no patch files, images or arrays", wanted);
  return files;
}

/**
 * Opens an input.
 *
 * @param decode Decodes one image file; by default on this thread.
 * @throws {FormatError} If a file is damaged, naming it and the place.
 * @throws {DataError} If a file is missing or holds nothing to embed.
 */
export async function openInput(
  disk: Disk,
  input: InputFiles,
  decode: (path: string) => Promise<RgbImage> = (path) => decodeHere(disk, path),
): Promise<EmbedInput> {
  const [path] = input.paths;
  if (path === undefined) throw new DataError(`Cannot embed ${input.name}: no files, expected one`, { code: "input" });
  if (input.kind === "images") return imagesInput(input, decode);
  const file = disk.open(path, "read");
  try {
    return input.kind === "patches" ? patchesInput(input, await openPatches(file)) : await npyInput(input, file);
  } catch (error) {
    file.close();
    throw error;
  }
}

// deno-lint-ignore require-await
async function decodeHere(disk: Disk, path: string): Promise<RgbImage> {
  const file = disk.open(path, "read");
  try {
    checkFileSize(path, file.size());
    const bytes = new Uint8Array(file.size());
    return decodeImage(bytes.subarray(0, file.read(0, bytes)), path);
  } finally {
    file.close();
  }
}

const UNKNOWN = {
  rowNames: undefined,
  coords: undefined,
  coordsOf: undefined,
  size: undefined,
  pixelSize: undefined,
  sizeOnSlide: undefined,
  generation: undefined,
} as const;

function imagesInput(input: InputFiles, decode: (path: string) => Promise<RgbImage>): EmbedInput {
  return {
    ...input,
    ...UNKNOWN,
    count: input.paths.length,
    rowNames: { kind: "file", values: input.paths.map(lastOf) },
    read: (from, to) => Promise.all(input.paths.slice(from, to).map(decode)),
    close: () => {},
  };
}

async function npyInput(input: InputFiles, file: HostFile): Promise<EmbedInput> {
  const source = randomAccess(file);
  const header = await readNpyHeader(source);
  // One image, or a row of them.
  const [count = 0, height = 0, width = 0, channels] = header.shape.length === 3 ? [1, ...header.shape] : header.shape;
  if (header.dtype !== "u1" || ![3, 4].includes(header.shape.length) || channels !== 3 || height < 1 || width < 1) {
    throw new DataError(
      `Cannot embed ${file.name}: it is ${header.dtype} (${
        header.shape.join(", ")
      }), expected u1 (n, height, width, 3), or (height, width, 3) of one image`,
      { code: "input", context: { path: file.name, dtype: header.dtype, shape: header.shape } },
    );
  }
  return {
    ...input,
    ...UNKNOWN,
    count,
    size: [width, height],
    read: async (from, to) => {
      const rows = header.shape.length === 3 ? [from * height, to * height] as const : [from, to] as const;
      return views(await readNpy(source, header, ...rows) as Uint8Array<ArrayBuffer>, width, height);
    },
    close: () => file.close(),
  };
}

function patchesInput(input: InputFiles, patches: Patches): EmbedInput {
  const { count, width, height, barcodes, sizeOnSlide, generation } = patches;
  let { coords, coordsOf } = patches;
  if (coords !== undefined && coordsOf === "centre" && sizeOnSlide !== undefined) {
    // As the files of 2024 were brought to the current form; one slide of 28 differs by a pixel.
    const half = Math.floor(sizeOnSlide / 2);
    coords = coords.map((v) => v - half);
    coordsOf = "top-left";
  }
  return {
    ...input,
    count,
    rowNames: barcodes && { kind: "barcode", values: barcodes },
    coords,
    coordsOf: coords && coordsOf,
    size: [width, height],
    pixelSize: patches.pixelSize,
    sizeOnSlide,
    generation,
    // deno-lint-ignore require-await
    read: async (from, to) => views(patches.read(from, to), width, height),
    close: () => patches.close(),
  };
}

function views(data: Uint8Array<ArrayBuffer>, width: number, height: number): RgbImage[] {
  const bytes = width * height * 3;
  return Array.from({ length: data.length / bytes }, (_, i) => {
    return { width, height, data: data.subarray(i * bytes, (i + 1) * bytes) };
  });
}

/** What an input's checksum is of: the content of its files, in order; of images also their names and sizes. */
export function inputParts(disk: Disk, { kind, paths }: InputFiles): DigestPart[] {
  if (kind !== "images") return paths.map((path) => ({ path }));
  return paths.flatMap((path) => {
    const entry = disk.look(path);
    return [`${lastOf(path)}\0${entry?.kind === "file" ? entry.size : 0}\0`, { path }];
  });
}
