/**
 * Formats of slides and images that are recognised and not read: each is refused by its name, with the command that mends it.
 *
 * @module
 */

import { FormatError } from "../../core/errors.ts";
import { readJpeg2000Header } from "./jpeg2000.ts";
import { type Ifd, TAG, tiffError } from "./tiff_ifd.ts";

/** What makes a pyramid of everything OpenSlide reads. */
const OPENSLIDE = "Convert it with libvips that has OpenSlide: " +
  "vips tiffsave IN OUT.tif --tile --pyramid --compression jpeg --Q 90 --bigtiff";
/** What makes a pyramid of everything Bio-Formats reads. */
const BIO_FORMATS =
  "Convert it with Bio-Formats: bioformats2raw IN OUT.zarr, then raw2ometiff --rgb OUT.zarr OUT.ome.tif";
const PNG = "Convert it to PNG, which loses nothing";

interface Format {
  readonly name: string;
  readonly hint: string;
}

/** First bytes, at an offset. */
const MAGIC: readonly (Format & { readonly at?: number; readonly magic: string })[] = [
  { magic: "DICM", at: 128, name: "DICOM", hint: `${OPENSLIDE} (of a pyramid the file of its largest level)` },
  { magic: "ZISRAWFILE", name: "Zeiss CZI", hint: BIO_FORMATS },
  { magic: "SQLite format 3\0", name: "Sakura SVSLIDE", hint: OPENSLIDE },
  { magic: "<DataObject", name: "Philips iSyntax", hint: "Export it as TIFF from Philips' software" },
  { magic: "[Virtual Microscope Specimen]", name: "Hamamatsu VMS", hint: OPENSLIDE },
  { magic: "[Uncompressed Virtual Microscope Specimen]", name: "Hamamatsu VMU", hint: OPENSLIDE },
  { magic: "GIF8", name: "GIF", hint: PNG },
  { magic: "BM", name: "BMP", hint: PNG },
  { magic: "RIFF", name: "WebP", hint: PNG },
  { magic: "\xff\x0a", name: "JPEG XL", hint: `${PNG}: djxl IN OUT.png` },
  { magic: "\0\0\0\x0cJXL ", name: "JPEG XL", hint: `${PNG}: djxl IN OUT.png` },
  { magic: "\0\0\0\x0cjP", name: "JPEG 2000", hint: `${PNG}: opj_decompress -i IN -o OUT.png` },
  { magic: "\xff\x4f\xff\x51", name: "JPEG 2000", hint: `${PNG}: opj_decompress -i IN -o OUT.png` },
];

/** Ends of names whose files begin with anything, or hold the image elsewhere. */
const ENDINGS: readonly (Format & { readonly ending: string })[] = [
  { ending: "mrxs", name: "MIRAX", hint: OPENSLIDE },
  { ending: "ndpi", name: "Hamamatsu NDPI", hint: OPENSLIDE },
  { ending: "ndpis", name: "Hamamatsu NDPIS", hint: OPENSLIDE },
  { ending: "vms", name: "Hamamatsu VMS", hint: OPENSLIDE },
  { ending: "vmu", name: "Hamamatsu VMU", hint: OPENSLIDE },
  { ending: "bif", name: "Ventana BIF", hint: OPENSLIDE },
  { ending: "dcm", name: "DICOM", hint: OPENSLIDE },
  { ending: "svslide", name: "Sakura SVSLIDE", hint: OPENSLIDE },
  { ending: "czi", name: "Zeiss CZI", hint: BIO_FORMATS },
  { ending: "vsi", name: "Olympus VSI", hint: BIO_FORMATS },
  { ending: "ets", name: "Olympus ETS", hint: BIO_FORMATS },
  { ending: "lif", name: "Leica LIF", hint: BIO_FORMATS },
  { ending: "zarr", name: "OME-Zarr", hint: "Convert it: raw2ometiff --rgb IN.zarr OUT.ome.tif" },
  { ending: "isyntax", name: "Philips iSyntax", hint: "Export it as TIFF from Philips' software" },
  { ending: "i2syntax", name: "Philips iSyntax", hint: "Export it as TIFF from Philips' software" },
  { ending: "sdpc", name: "SDPC", hint: "Export it as TIFF or SVS from the scanner's software" },
  { ending: "kfb", name: "KFB", hint: "Export it as TIFF or SVS from the scanner's software" },
  { ending: "tron", name: "TRON", hint: "Export it as TIFF or SVS from the scanner's software" },
];

/** Ends of names, without dot, of slides that are recognised and refused: a folder's listing tells them rather than pass them over. */
export const REFUSED_ENDINGS: readonly string[] = ENDINGS.map(({ ending }) => ending);

/** The format of a file that is not read here, by its name's end alone. */
export function refusedByEnding(name: string): Format | undefined {
  const end = /\.([^./\\]+)[/\\]*$/.exec(name)?.[1]?.toLowerCase();
  return ENDINGS.find(({ ending }) => ending === end);
}

/** The format of a file that is not read here, by its first bytes; undefined where nothing tells. */
export function refusedByHead(head: Uint8Array, name: string): Format | undefined {
  const text = String.fromCharCode(...head.subarray(0, 160));
  if (isJpegLs(head)) return { name: "JPEG-LS", hint: PNG };
  const found = MAGIC.find(({ at = 0, magic }) => text.startsWith(magic, at));
  return found?.name === "JPEG 2000" ? { ...found, name: streamOf(head, name) } : found;
}

/** JPEG-LS begins as JPEG does; its frame has a marker of its own, behind segments of applications. */
function isJpegLs(head: Uint8Array): boolean {
  if (head[0] !== 0xff || head[1] !== 0xd8) return false;
  let at = 2;
  while (head[at] === 0xff && (head[at + 1]! >> 4 === 0xe || head[at + 1] === 0xfe)) {
    at += 2 + (head[at + 2]! << 8) + head[at + 3]!;
  }
  return head[at] === 0xff && head[at + 1] === 0xf7;
}

/** HTJ2K has the first bytes of JPEG 2000. */
function streamOf(head: Uint8Array, name: string): string {
  try {
    readJpeg2000Header(head, name);
    return "JPEG 2000";
  } catch (cause) {
    return /HTJ2K/.test((cause as Error).message) ? "HTJ2K" : "JPEG 2000";
  }
}

/** Bytes that {@linkcode refusedByHead} looks at. */
export const HEAD = 1024;

/** Why a file of such a format cannot be decoded. */
export function refusal(name: string, format: Format, expected: string): FormatError {
  return new FormatError(`Cannot decode ${name}: it is ${format.name}, which is not read here, expected ${expected}`, {
    hint: format.hint,
    context: { file: name, offset: 0, found: format.name, expected },
  });
}

/** Scanners' formats inside of TIFF whose tiles do not lie side by side, or whose directories are other than they seem. */
const KINDS: readonly (Format & { readonly why: string; is(ifds: readonly Ifd[], first: string): boolean })[] = [
  {
    name: "Hamamatsu NDPI",
    why: "whose levels are one JPEG each",
    hint: OPENSLIDE,
    is: (ifds) => ifds.some((ifd) => ifd.has(TAG.ndpi)),
  },
  {
    name: "Philips TIFF",
    why: "whose levels are padded to whole tiles",
    hint: OPENSLIDE,
    is: (ifds, text) => /ObjectType="DPUfsImport"/.test(text) || /^Philips/.test(ifds[0]!.text(TAG.software)),
  },
  {
    name: "Leica SCN",
    why: "which lays several regions into one canvas",
    hint: OPENSLIDE,
    is: (_, text) => /leica-microsystems\.com\/scn\//.test(text),
  },
  {
    name: "Ventana BIF",
    why: "whose tiles overlap",
    hint: OPENSLIDE,
    is: (ifds) =>
      ifds.map((ifd) => ifd.text(TAG.xmp)).some((text) => text.includes("<iScan") && text.includes("<EncodeInfo")),
  },
];

/**
 * Refuses the TIFF files of scanners that are not read here.
 *
 * @throws {FormatError} By the name of the format.
 */
export function checkScanner(ifds: readonly Ifd[], name: string): void {
  const first = ifds[0]!.text(TAG.description).slice(0, 1 << 16);
  const kind = KINDS.find(({ is }) => is(ifds, first));
  if (kind === undefined) return;
  throw tiffError(name, ifds[0]!.at, `begins ${kind.name}, ${kind.why}`, "tiles that lie side by side", kind.hint);
}
