/**
 * OME-XML in the description of a TIFF: sizes of pixels, and which directory holds which plane of an image.
 *
 * Source: OME schema 2016-06 and before (Image, Pixels, Channel, TiffData); units of `UnitsLength`.
 *
 * @module
 */

import { childrenOf, decodeXml, nameOf, readXml, type XmlElement, XmlProblem } from "../xml.ts";

/** What OME-XML says. */
export interface Ome {
  readonly images: readonly OmeImage[];
  /** Identifier of this file among those of a set. */
  readonly uuid: string | undefined;
  /** Why nothing more is known. */
  readonly problem: string | undefined;
}

/** An image: planes of channels, focal planes and times. */
export interface OmeImage {
  readonly channels: number;
  readonly focalPlanes: number;
  readonly times: number;
  /** Order of the planes where they are not named, for example XYCZT. */
  readonly order: string;
  /** Side of a pixel, µm: undefined where nothing is said. */
  readonly pixel: { readonly x: number; readonly y: number } | { readonly problem: string } | undefined;
  /** Distance of focal planes, µm, or why it is not known: undefined where nothing is said. */
  readonly step: number | string | undefined;
  readonly named: readonly OmeChannel[];
  readonly tiffData: readonly TiffData[];
}

/** What is said of a channel. */
export interface OmeChannel {
  readonly name: string | undefined;
  /** Red, green and blue, a byte each. */
  readonly colour: number | undefined;
  /** Whether it is said to be of fluorescence. */
  readonly fluorescence: boolean;
}

/** Which directory holds which plane. */
export interface TiffData {
  readonly ifd: number | undefined;
  readonly channel: number;
  readonly focalPlane: number;
  readonly time: number;
  readonly planes: number | undefined;
  /** Another file that holds them, and its identifier. */
  readonly file: string | undefined;
  readonly uuid: string | undefined;
}

/** Micrometres of the units of length, after compatibility normalisation, which makes one of both micro signs. */
const UNITS: Readonly<Record<string, number>> = {
  "Ym": 1e30,
  "Zm": 1e27,
  "Em": 1e24,
  "Pm": 1e21,
  "Tm": 1e18,
  "Gm": 1e15,
  "Mm": 1e12,
  "km": 1e9,
  "hm": 1e8,
  "dam": 1e7,
  "m": 1e6,
  "dm": 1e5,
  "cm": 1e4,
  "mm": 1e3,
  "μm": 1,
  "um": 1,
  "nm": 1e-3,
  "pm": 1e-6,
  "fm": 1e-9,
  "am": 1e-12,
  "zm": 1e-15,
  "ym": 1e-18,
  "Å": 1e-4,
  "thou": 25.4,
  "li": 25_400 / 12,
  "in": 25_400,
  "ft": 304_800,
  "yd": 914_400,
  "mi": 1_609_344_000,
  "ua": 1.495978707e17,
  "ly": 9.4607304725808e21,
  "pc": 3.0856775814913673e22,
  "pt": 25_400 / 72,
};

/** What a description says if it is OME-XML; undefined where it is something else. */
export function readOme(description: Uint8Array | undefined): Ome | undefined {
  if (description === undefined || description.length === 0) return undefined;
  let text = "";
  try {
    text = decodeXml(description);
    if (!text.startsWith("<")) return undefined;
    const root = readXml(text);
    return nameOf(root).local === "OME" ? readRoot(root) : undefined;
  } catch (cause) {
    if (!(cause instanceof XmlProblem)) throw cause;
    // Whatever is not evidently OME's may be anybody's.
    if (text === "") text = new TextDecoder("latin1").decode(description.subarray(0, 1 << 16));
    const meant = /<(?:[\w.-]+:)?OME[\s>/]|openmicroscopy\.org/.test(text);
    return meant ? { images: [], uuid: undefined, problem: `its OME-XML cannot be read: ${cause.message}` } : undefined;
  }
}

function readRoot(root: XmlElement): Ome {
  const own = nameOf(root).namespace;
  // Schemas before 2013 had a namespace for each part.
  const belongs = (namespace: string) => namespace === own || namespace.includes("openmicroscopy.org");
  const elsewhere = childrenOf(root, "BinaryOnly", belongs)[0];
  const images = childrenOf(root, "Image", belongs).flatMap((image) =>
    childrenOf(image, "Pixels", belongs).map((pixels) => readPixels(pixels, belongs))
  );
  const problem = elsewhere !== undefined
    ? `its OME-XML stands in another file, ${elsewhere.attributes.MetadataFile ?? "which is not named"}`
    : images.length === 0
    ? "its OME-XML has no Pixels"
    : undefined;
  return { images, uuid: root.attributes.UUID, problem };
}

function readPixels(pixels: XmlElement, belongs: (namespace: string) => boolean): OmeImage {
  const { attributes } = pixels;
  const count = (name: string) => Math.max(1, wholeOf(attributes[name]) ?? 1);
  const [channels, focalPlanes, times] = [count("SizeC"), count("SizeZ"), count("SizeT")];
  return {
    channels,
    focalPlanes,
    times,
    order: attributes.DimensionOrder ?? "XYCZT",
    pixel: pixelOf(attributes),
    step: sizeAlong("Z", attributes),
    named: childrenOf(pixels, "Channel", belongs).map(({ attributes: { Name, Color, ...more } }) => ({
      name: Name,
      colour: /^-?\d+$/.test(Color ?? "") ? Number(Color) >>> 8 & 0xffffff : undefined,
      fluorescence: more.Fluor !== undefined || more.EmissionWavelength !== undefined ||
        more.ContrastMethod === "Fluorescence",
    })),
    tiffData: childrenOf(pixels, "TiffData", belongs).map((data) => {
      const file = childrenOf(data, "UUID", belongs)[0];
      return {
        ifd: wholeOf(data.attributes.IFD),
        channel: wholeOf(data.attributes.FirstC) ?? 0,
        focalPlane: wholeOf(data.attributes.FirstZ) ?? 0,
        time: wholeOf(data.attributes.FirstT) ?? 0,
        planes: wholeOf(data.attributes.PlaneCount),
        file: file?.attributes.FileName,
        uuid: file?.text.trim(),
      };
    }),
  };
}

function wholeOf(text: string | undefined): number | undefined {
  const trimmed = text?.trim() ?? "";
  return /^\d{1,9}$/.test(trimmed) ? Number(trimmed) : undefined;
}

/** A physical size in µm, or why it is none; undefined where nothing is said. */
function sizeAlong(axis: "X" | "Y" | "Z", attributes: XmlElement["attributes"]): number | string | undefined {
  const value = attributes[`PhysicalSize${axis}`]?.trim();
  if (value === undefined) return undefined;
  const unit = attributes[`PhysicalSize${axis}Unit`]?.trim() ?? "µm";
  const scale = micrometresOf(unit);
  if (scale === undefined) {
    return /^(?:pixel|reference frame)$/.test(unit)
      ? `its PhysicalSize${axis} is in units of "${unit}", which is no length`
      : `unit "${unit}" of its PhysicalSize${axis} is not known`;
  }
  const number = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(value) ? Number(value) : NaN;
  return number > 0 && number < Infinity ? number * scale : `its PhysicalSize${axis} "${value}" is no positive number`;
}

/** Micrometres of a unit of length by its sign; undefined for what is none. */
export function micrometresOf(unit: string): number | undefined {
  const known = unit.normalize("NFKC");
  return Object.hasOwn(UNITS, known) ? UNITS[known] : undefined;
}

function pixelOf(attributes: XmlElement["attributes"]): OmeImage["pixel"] {
  const [x, y] = [sizeAlong("X", attributes), sizeAlong("Y", attributes)];
  const problem = [x, y].find((value) => typeof value === "string");
  if (typeof problem === "string") return { problem };
  const [width, height] = [x ?? y, y ?? x] as (number | undefined)[];
  return width === undefined || height === undefined ? undefined : { x: width, y: height };
}

/**
 * Directories of the planes of an image, by channel, focal plane and time, in that nesting: `[c][z][t]` flat. Undefined for
 * planes that no directory of this file holds.
 */
export function omeDirectories(image: OmeImage): (number | undefined)[] {
  const { channels, focalPlanes, times, tiffData, order } = image;
  const total = channels * focalPlanes * times;
  const found = new Array<number | undefined>(Math.min(total, 4096)).fill(undefined);
  const sizes: Record<string, number> = { C: channels, Z: focalPlanes, T: times };
  const axes = /^XY[CZT]{3}$/.test(order) ? [...order.slice(2)] : ["C", "Z", "T"];
  for (const data of tiffData.length > 0 ? tiffData : [NO_TIFF_DATA]) {
    const at: Record<string, number> = { C: data.channel, Z: data.focalPlane, T: data.time };
    // One directory where one is named, all where nothing is.
    const planes = data.planes ?? (data.ifd === undefined ? total : 1);
    for (let i = 0; i < Math.min(planes, found.length); i++) {
      const place = (at.C! * focalPlanes + at.Z!) * times + at.T!;
      if (place < found.length) found[place] = (data.ifd ?? 0) + i;
      for (const axis of axes) {
        at[axis]!++;
        if (at[axis]! < sizes[axis]!) break;
        at[axis] = 0;
      }
    }
  }
  return found;
}

const NO_TIFF_DATA: TiffData = {
  ifd: undefined,
  channel: 0,
  focalPlane: 0,
  time: 0,
  planes: undefined,
  file: undefined,
  uuid: undefined,
};
