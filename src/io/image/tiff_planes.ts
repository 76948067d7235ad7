/**
 * Which directories of a TIFF make its image: one, or three of one colour each. Stacks are refused: what is a channel, a
 * focal plane or a time cannot be seen, and the first of them is not the image.
 *
 * @module
 */

import { DataError } from "../../core/errors.ts";
import { type Ome, type OmeChannel, omeDirectories, type OmeImage, readOme } from "./ome.ts";
import { type Ifd, TAG } from "./tiff_ifd.ts";

/** The image of a file. */
export interface TiffImage {
  /** One directory, or those of red, green and blue. */
  readonly planes: readonly Ifd[];
  /** What the description says, where it is OME-XML. */
  readonly ome: Ome | undefined;
  /** The image of it that is read. */
  readonly image: OmeImage | undefined;
  /** What a reader ought to know, in words. */
  readonly notes: readonly string[];
}

const SPLIT =
  'Write one colour image. Channels: vips bandjoin "IN.tif[page=0] IN.tif[page=1] IN.tif[page=2]" OUT.tif; ' +
  'one page of a stack: vips copy "IN.tif[page=0]" OUT.tif';

/**
 * Finds the image.
 *
 * @throws {DataError} If the largest directory is one of several that belong together and cannot be put together.
 */
export function tiffImage(ifds: readonly Ifd[], name: string): TiffImage {
  const first = largest(ifds);
  const samples = first.number(TAG.samples) ?? 1;
  const ome = readOme(ifds[0]!.bytes(TAG.description));
  const image = ome?.images.find((image) => holds(image, ifds.indexOf(first), samples)) ?? ome?.images[0];
  const pages = ifds.filter((ifd) => ifd === first || isPageLike(ifd, first));
  const refuse = (found: string): DataError =>
    new DataError(`Cannot read ${name} as one image: ${found}, expected one directory with all colours`, {
      code: "image-stack",
      hint: SPLIT,
      context: { file: name, directories: ifds.length, found },
    });
  const before = first === ifds[0] ? [] : [`its largest image is taken, ${sizeOf(first)}, which is not its first`];
  const one = (): TiffImage => ({ planes: [first], ome, image, notes: before });
  const hidden = pages.length === 1 ? hiddenPlanes(first, samples) : undefined;
  if (hidden !== undefined) throw refuse(hidden);
  const channels = image === undefined ? 1 : Math.ceil(image.channels / samples);
  // A file of one colour image may still carry the description of what it was made from.
  if (pages.length === 1 && (channels === 1 || samples >= 3)) return one();
  if (image === undefined) throw refuse(`it has ${pages.length} directories of ${sizeOf(first)}, a stack or channels`);
  const { focalPlanes, times } = image;
  if (pages.length > 1 && focalPlanes * times > 1) {
    throw refuse(`it is a stack of ${focalPlanes} focal planes, ${times} times and ${channels} channels`);
  }
  if (channels === 1) throw refuse(`it has ${pages.length} directories of ${sizeOf(first)} and one channel in OME-XML`);
  if (samples !== 1 || image.channels !== 3) {
    throw refuse(`one directory is ${samples} of ${image.channels} channels`);
  }
  const away = image.tiffData.find((data) => isElsewhere(data, ome!, name));
  if (away !== undefined) throw refuse(`its channels lie in several files, such as ${away.file ?? away.uuid}`);
  const planes = threePlanes(ifds, pages, image);
  if (typeof planes === "string") throw refuse(`one directory is one channel of three, and ${planes}`);
  const notes = [...before, `its colours are three directories, taken as red, green and blue`];
  return { planes, ome, image, notes };
}

/** The directory with the most pixels; some scanners' programs put labels and overviews first. */
function largest(ifds: readonly Ifd[]): Ifd {
  const pixels = (ifd: Ifd) =>
    ((ifd.number(TAG.subfileType) ?? 0) & 4) !== 0 ? 0 : (ifd.number(TAG.width) ?? 0) * (ifd.number(TAG.height) ?? 0);
  return ifds.reduce((best, ifd) => pixels(ifd) > pixels(best) ? ifd : best);
}

/** Whether a directory holds planes of an image of OME-XML. */
function holds(image: OmeImage, directory: number, samples: number): boolean {
  return omeDirectories({ ...image, channels: Math.ceil(image.channels / samples) }).includes(directory);
}

function sizeOf(ifd: Ifd): string {
  return `${ifd.number(TAG.width)}x${ifd.number(TAG.height)} pixels`;
}

/** Whether a directory is a further page like the first: no smaller level, no mask, and stored in the same way. */
export function isPageLike(ifd: Ifd, first: Ifd): boolean {
  const same = (tag: number, other: number) => (ifd.number(tag) ?? other) === (first.number(tag) ?? other);
  return ((ifd.number(TAG.subfileType) ?? 0) & 5) === 0 && ifd.has(TAG.tileWidth) === first.has(TAG.tileWidth) &&
    same(TAG.width, 0) && same(TAG.height, 0) && same(TAG.samples, 1) && same(TAG.bits, 1);
}

/** Planes without directories of their own, which ImageJ and tifffile write behind the first and tell in its description. */
export function hiddenPlanes(ifd: Ifd, samples: number): string | undefined {
  const text = ifd.text(TAG.description);
  if (/^ImageJ=/.test(text)) {
    const images = Number(/^images=(\d+)/m.exec(text)?.[1] ?? 1);
    if (images > 1) return `ImageJ's description says that it has ${images} planes`;
  }
  const shape = /^\{"shape": \[([\d, ]+)\]/.exec(text)?.[1]?.split(",").map(Number);
  if (shape === undefined) return undefined;
  const pixels = (ifd.number(TAG.width) ?? 0) * (ifd.number(TAG.height) ?? 0) * samples;
  const planes = shape.reduce((a, b) => a * b, 1) / pixels;
  return planes > 1 && Number.isInteger(planes) ? `its description says that it has ${planes} planes` : undefined;
}

/** Whether a plane lies in another file. */
export function isElsewhere({ file, uuid }: OmeImage["tiffData"][number], ome: Ome, name: string): boolean {
  if (ome.uuid !== undefined && uuid) return uuid !== ome.uuid;
  return file !== undefined && file !== name.replace(/^.*[/\\]/, "");
}

/** Directories of red, green and blue, or why they are none. */
function threePlanes(ifds: readonly Ifd[], pages: readonly Ifd[], image: OmeImage): Ifd[] | string {
  const found = omeDirectories({ ...image, focalPlanes: 1, times: 1 }).map((at) => at === undefined ? at : ifds[at]);
  const lacking = found.findIndex((ifd) => ifd === undefined || !pages.includes(ifd));
  if (lacking >= 0 || found.length !== 3) return `no directory of its size holds channel ${lacking}`;
  if (new Set(found).size < 3) return "two channels lie in one directory";
  if (pages.length > 3) return `${pages.length} directories have its size`;
  const order = colourOrder(image.named);
  if (typeof order === "string") return order;
  return order.map((channel) => found[channel]!);
}

/** Names that programs give to channels that nobody named. */
const NUMBERED = /^(?:channel|ch|c|image|band|plane|unnamed)?[\s:_-]*\d*(?:\/\d+)?$/i;
const NAMES = [/^r(?:ed)?$/i, /^g(?:reen)?$/i, /^b(?:lue)?$/i];
const COLOURS = [0xff0000, 0x00ff00, 0x0000ff];

/** Channels of red, green and blue by their names, else by their colours, else in their order; or why they are none. */
function colourOrder(channels: readonly OmeChannel[]): number[] | string {
  const shown = channels.map(({ name, colour }) => name ?? (colour === undefined ? "unnamed" : `#${hex(colour)}`));
  const otherwise = `its channels are ${shown.join(", ")}`;
  if (channels.some(({ fluorescence }) => fluorescence)) return `${otherwise}, of fluorescence`;
  const named = channels.some(({ name }) => !NUMBERED.test(name?.trim() ?? ""));
  const coloured = channels.some(({ colour }) => colour !== undefined && colour !== 0xffffff);
  if (channels.length !== 3 || !(named || coloured)) return [0, 1, 2];
  const order = named
    ? NAMES.map((wanted) => channels.findIndex(({ name }) => wanted.test(name?.trim() ?? "")))
    : COLOURS.map((wanted) => channels.findIndex(({ colour }) => colour === wanted));
  return order.includes(-1) ? otherwise : order;
}

function hex(colour: number): string {
  return colour.toString(16).padStart(6, "0");
}
