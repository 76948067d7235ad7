/**
 * JPEG: baseline, extended and progressive Huffman images of 8 bits with one, three or four components, decoded to the
 * same bytes as libjpeg-turbo with its defaults, which is what PIL gives. Tiles of TIFF files decode with shared tables.
 *
 * Source: ITU-T T.81; component meaning as libjpeg guesses it (JFIF and Adobe markers, else component names).
 *
 * @module
 */

import { FormatError } from "../../core/errors.ts";
import { type Component, type Frame, type FrameContext, readFrame } from "./jpeg_frame.ts";
import { rowReader } from "./jpeg_samples.ts";
import { COMPONENT_BYTES, decodeScan, markerAfter, ScanError } from "./jpeg_scan.ts";
import { HUFFMAN_COUNTS, readHuffman, readQuantisation, STANDARD_AC, STANDARD_DC } from "./jpeg_tables.ts";
import { exifOrientation, type Orientation } from "./orientation.ts";
import { type ImageLimit, MAX_PIXELS, WHOLE } from "./rgb_image.ts";

/** A decoded JPEG. */
export interface Jpeg {
  readonly width: number;
  readonly height: number;
  /** 1 grey, 3 RGB, 4 CMYK as stored: Adobe's programs store it inverted. */
  readonly channels: 1 | 3 | 4;
  /** How the image is to be turned, by its EXIF; samples are as stored. */
  readonly orientation: Orientation;
  /** Whether some component was stored with fewer samples than the image has pixels. */
  readonly subsampled: boolean;
  /** Interleaved samples. */
  readonly data: Uint8Array<ArrayBuffer>;
}

/** What a container knows better than the JPEG inside it. */
export interface JpegOptions {
  /** Stream with tables only, such as TIFF's JPEGTables. */
  readonly tables?: Uint8Array;
  /** Whether three components are YCbCr; by default the markers tell. */
  readonly ycc?: boolean;
  /** Pixels the image may have; by default as many as PIL reads. */
  readonly most?: number;
  /** Bytes it may take as RGB or, where rows are put together on demand, as kept for that. */
  readonly limit?: ImageLimit;
  readonly byRows?: boolean;
}

interface State extends FrameContext {
  readonly quantisation: (Uint16Array | undefined)[];
  /** Counts of codes of each length, and symbols. */
  readonly dc: (Uint8Array | undefined)[];
  readonly ac: (Uint8Array | undefined)[];
  restartInterval: number;
  jfif: boolean;
  adobe: number | undefined;
  orientation: Orientation | undefined;
  frame: Frame | undefined;
  scanned: Set<number>;
  scans: number;
}

/** Scans an image may have: each goes over all of it, however few bytes it has. */
const MAX_SCANS = 100;

/** Kinds of frame that are refused, by marker. */
const REFUSED: Readonly<Record<number, string>> = {
  0xc3: "lossless",
  0xc5: "hierarchical",
  0xc6: "hierarchical",
  0xc7: "hierarchical",
  0xc9: "arithmetic coding",
  0xca: "arithmetic coding",
  0xcb: "arithmetic coding",
};

/**
 * Decodes a JPEG.
 *
 * @param name Name of the file for error messages.
 * @throws {FormatError} Naming the byte, what was found and what was expected.
 */
export function decodeJpeg(bytes: Uint8Array, name: string, options: JpegOptions = {}): Jpeg {
  const { readRows, ...jpeg } = readJpeg(bytes, name, options, false);
  const { width, height, channels } = jpeg;
  const data = new Uint8Array(width * height * channels);
  readRows(0, height, data, 0);
  return { ...jpeg, data };
}

/** A JPEG whose samples are decoded and whose rows are put together on demand: half the memory of RGB, mostly. */
export interface JpegRows extends Omit<Jpeg, "data"> {
  /** Writes `count` rows from `y` on, interleaved, to `out` at `at`. */
  readonly readRows: (y: number, count: number, out: Uint8Array | Uint8ClampedArray, at: number) => void;
}

/**
 * Decodes a JPEG for reading by rows.
 *
 * @param name Name of the file for error messages.
 * @throws {FormatError} Naming the byte, what was found and what was expected.
 */
export function openJpeg(bytes: Uint8Array, name: string, options: JpegOptions = {}): JpegRows {
  return readJpeg(bytes, name, options, true);
}

/** @param keep Whether rows are read after another image may have been. */
function readJpeg(bytes: Uint8Array, name: string, options: JpegOptions, keep: boolean): JpegRows {
  const state: State = {
    data: bytes,
    most: options.most ?? MAX_PIXELS,
    limit: options.limit ?? WHOLE,
    byRows: options.byRows ?? false,
    quantisation: [],
    dc: [],
    ac: [],
    keep,
    restartInterval: 0,
    jfif: false,
    adobe: undefined,
    orientation: undefined,
    frame: undefined,
    scanned: new Set(),
    scans: 0,
  };
  try {
    if (options.tables !== undefined) readSegments({ ...state, data: options.tables });
    readSegments(state);
    const { frame } = state;
    if (frame === undefined) throw new ScanError(bytes.length, "is the end of the file", "a frame header");
    checkScanned(state, frame);
    return assemble(state, frame, options.ycc);
  } catch (cause) {
    if (!(cause instanceof ScanError)) throw cause;
    const { offset, found, expected, hint } = cause;
    throw new FormatError(`Cannot decode ${name} as JPEG: ${cause.message}`, {
      ...(hint === undefined ? {} : { hint }),
      context: { file: name, offset, found, expected },
    });
  }
}

/** Refuses an image of which libjpeg would make up what is missing, as it smooths over blocks. */
function checkScanned({ data, scanned }: State, { progressive, components }: Frame): void {
  for (const { id, lacks } of components) {
    if (!scanned.has(id)) throw new ScanError(data.length, `comes before component ${id}`, "a scan of it");
    const k = lacks.findIndex((bits, i) => bits > 0 && i > 0 && i < 10);
    if (progressive && k >= 0) {
      throw new ScanError(data.length, `comes before all of coefficient ${k} of component ${id}`, "more scans");
    }
  }
}

/** Walks the markers up to the end of the image. Tables are shared through the arrays of `state`. */
function readSegments(state: State): void {
  const { data } = state;
  if (data[0] !== 0xff || data[1] !== 0xd8) throw new ScanError(0, "begins no JPEG", "FFd8");
  for (let at = 2;;) {
    at = markerAfter(data, at);
    const marker = data[at + 1];
    if (marker === undefined) throw new ScanError(data.length, "is the end of the file", "an end-of-image marker");
    if (marker === 0xd9) return;
    at += 2;
    // Restart markers and TEM outside of a scan carry nothing.
    if ((marker >= 0xd0 && marker <= 0xd7) || marker === 1) continue;
    if (!hasSegment(marker)) {
      throw new ScanError(at - 2, `has marker FF${marker.toString(16).padStart(2, "0")}`, "one that JPEG has there");
    }
    const length = at + 1 < data.length ? data[at]! << 8 | data[at + 1]! : 0;
    if (length < 2 || at + length > data.length) {
      throw new ScanError(at, `gives segment FF${marker.toString(16)} ${length} bytes`, `2 to ${data.length - at}`);
    }
    at = readSegment(state, marker, at + 2, at + length);
  }
}

/** Frames, scans, tables, applications' data and comments; what is reserved libjpeg does not pass over either. */
function hasSegment(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xfe && !(marker >= 0xf0 && marker < 0xfe) &&
    ![0xc8, 0xd8, 0xde, 0xdf].includes(marker);
}

/** @returns Offset at which to go on. */
function readSegment(state: State, marker: number, at: number, end: number): number {
  const { data } = state;
  if (marker === 0xdb) readQuantisation(data, at, end, state.quantisation);
  else if (marker === 0xc4) readHuffman(data, at, end, state);
  else if (marker === 0xdd) {
    if (end - at !== 2) throw new ScanError(at, `has a restart interval of ${end - at} bytes`, "2");
    state.restartInterval = data[at]! << 8 | data[at + 1]!;
  } else if (marker === 0xe0) state.jfif ||= end - at >= 14 && ascii(data, at, end, "JFIF\0");
  else if (marker === 0xe1 && ascii(data, at, end, "Exif\0")) {
    state.orientation ??= exifOrientation(data.subarray(at + 6, end));
  } else if (marker === 0xee && ascii(data, at, end, "Adobe") && end - at >= 12) state.adobe = data[at + 11]!;
  else if (marker <= 0xc2 && marker >= 0xc0) {
    if (state.frame !== undefined) throw new ScanError(at, "begins a second frame", "one");
    state.frame = readFrame(state, marker === 0xc2, at, end);
  } else if (marker === 0xda) return readScan(state, at, end);
  else if (marker >= 0xc3 && marker <= 0xcf && marker !== 0xcc) {
    throw new ScanError(
      at,
      `begins a frame of ${REFUSED[marker] ?? "a kind"} not read here`,
      "baseline or progressive",
    );
  }
  return end;
}

function ascii(data: Uint8Array, at: number, end: number, text: string): boolean {
  return end - at >= text.length && [...text].every((c, i) => data[at + i] === c.charCodeAt(0));
}

function readScan(state: State, at: number, end: number): number {
  const { data, frame } = state;
  if (frame === undefined) throw new ScanError(at, "begins a scan", "a frame header before it");
  if (++state.scans > MAX_SCANS) throw new ScanError(at, `begins scan ${state.scans}`, `at most ${MAX_SCANS} scans`);
  const n = data[at]!;
  if (n < 1 || n > frame.components.length || end - at !== 4 + 2 * n) {
    throw new ScanError(at, `has a scan header of ${end - at} bytes for ${n} components`, `${4 + 2 * n} bytes`);
  }
  const from = data[end - 3]!;
  const to = data[end - 2]!;
  const [high, low] = [data[end - 1]! >> 4, data[end - 1]! & 15];
  const { progressive } = frame;
  if (
    progressive && (from > to || to > 63 || low > 13 || (from === 0 ? to > 0 : n > 1) || (high > 0 && high - 1 !== low))
  ) {
    throw new ScanError(end - 3, `has band ${from} to ${to}, bits ${high} to ${low}`, "a progressive scan");
  }
  const components = Array.from({ length: n }, (_, i) => {
    const o = at + 1 + 2 * i;
    const component = frame.components.find(({ id }) => id === data[o]);
    if (component === undefined) throw new ScanError(o, `scans component ${data[o]}`, "one of the frame");
    if (!progressive && state.scanned.has(component.id)) {
      throw new ScanError(o, `scans component ${component.id} again`, "one scan of each");
    }
    if (!state.scanned.has(component.id)) latchSteps(state, frame, component, at);
    state.scanned.add(component.id);
    component.lacks.fill(low, from, to + 1);
    const [needsDc, needsAc] = progressive ? [from === 0 && high === 0, from > 0] : [true, true];
    const dc = needsDc ? tableOf(state, frame, 0, data[o + 1]! >> 4, o + 1) : 0;
    const ac = needsAc ? tableOf(state, frame, 4, data[o + 1]! & 15, o + 1) : 0;
    const { blocksPerLine, coefficients, steps, plane } = component;
    const [h, v] = n === 1 ? [1, 1] : [component.h, component.v];
    return { h, v, blocksPerLine, coefficients, steps, plane: plane.at, dc, ac, extent: plane };
  });
  const { restartInterval } = state;
  // A component by itself has no blocks that only fill up an MCU.
  const { width, height } = components[0]!.extent;
  const [across, down] = n === 1 ? [Math.ceil(width / 8), Math.ceil(height / 8)] : [frame.mcusPerLine, frame.mcuLines];
  const scan = { components, progressive, from, to, high, low, restartInterval, across, down };
  return markerAfter(data, decodeScan(frame.module, frame.memory, end, scan));
}

/** Address of a table: the stream's, or else the standard's. */
function tableOf({ dc, ac }: State, { module }: Frame, first: 0 | 4, slot: number, at: number): number {
  const codes = (first === 0 ? dc : ac)[slot] ?? (first === 0 ? STANDARD_DC : STANDARD_AC)[slot];
  if (codes === undefined) throw new ScanError(at, "names a Huffman table that was not given", "a table");
  const wide = first === 0 ? codes.subarray(HUFFMAN_COUNTS).find((bits) => bits > 15) : undefined;
  if (wide !== undefined) throw new ScanError(at, `names a table with differences of ${wide} bits`, "at most 15");
  return module.table(codes, first + slot);
}

/** A component has the steps that are given when its first scan begins. */
function latchSteps({ quantisation }: State, { module }: Frame, component: Component, at: number): void {
  const table = quantisation[component.quantisation];
  if (table === undefined) throw new ScanError(at, `has no quantisation table ${component.quantisation}`, "one");
  module.bytes(component.steps, 128).set(new Uint8Array(table.buffer));
}

/** Whether the first three components are YCbCr, as libjpeg decides it. */
function isYcc({ jfif, adobe }: State, { components }: Frame): boolean {
  // Other values than 0 and 2 are none of Adobe's; libjpeg takes them for YCCK.
  if (components.length === 4) return adobe !== undefined && adobe !== 0;
  if (jfif) return true;
  if (adobe !== undefined) return adobe !== 0;
  return components.map(({ id }) => String.fromCharCode(id)).join("") !== "RGB";
}

/** Brings the samples together. */
function assemble(state: State, frame: Frame, ycc: boolean = isYcc(state, frame)): JpegRows {
  const { width, height, progressive, components, hMax, vMax, module } = frame;
  if (progressive) {
    for (const { plane, coefficients, steps, blocksPerLine, blockLines } of components) {
      const component = module.place(COMPONENT_BYTES);
      const words = module.words(component, COMPONENT_BYTES / 4);
      words.set([1, 1, blocksPerLine, plane.at, coefficients, steps]);
      module.call.samples(component, blockLines);
    }
  }
  const channels = components.length as 1 | 3 | 4;
  const subsampled = components.some(({ h, v }) => h !== hMax || v !== vMax);
  const readRows = rowReader(module, { width, height, planes: components.map(({ plane }) => plane), ycc });
  return { width, height, channels, orientation: state.orientation ?? 1, subsampled, readRows };
}
