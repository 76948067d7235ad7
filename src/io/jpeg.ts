/**
 * JPEG: baseline, extended and progressive Huffman pictures of 8 bits with one, three or four components, decoded to the
 * same bytes as libjpeg-turbo with its defaults, which is what PIL gives. Tiles of TIFF files decode with shared tables.
 *
 * Source: ITU-T T.81; component meaning as libjpeg guesses it (JFIF and Adobe markers, else component names).
 *
 * @module
 */

import { FormatError } from "../core/errors.ts";
import { emptyPlane, fillPlane, type Plane, type RowReader, rowToRgb, upsampler } from "./jpeg_samples.ts";
import { decodeScan, type HuffmanTable, huffmanTable, markerAfter, ScanError, ZIGZAG } from "./jpeg_scan.ts";
import { type HuffmanCodes, STANDARD_AC, STANDARD_DC } from "./jpeg_tables.ts";
import { exifOrientation, type Orientation } from "./orientation.ts";
import { MAX_PIXELS, overLimit, type PictureLimit, WHOLE } from "./picture.ts";

/** A decoded JPEG. */
export interface Jpeg {
  readonly width: number;
  readonly height: number;
  /** 1 grey, 3 RGB, 4 CMYK as stored: Adobe's programs store it inverted. */
  readonly channels: 1 | 3 | 4;
  /** How the picture is to be turned, by its EXIF; samples are as stored. */
  readonly orientation: Orientation;
  /** Whether some component was stored with fewer samples than the picture has pixels. */
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
  /** Pixels the picture may have; by default as many as PIL reads. */
  readonly most?: number;
  /** Bytes it may take as RGB or, where rows are put together on demand, as kept for that. */
  readonly limit?: PictureLimit;
  readonly byRows?: boolean;
}

interface Component {
  readonly id: number;
  readonly h: number;
  readonly v: number;
  readonly quantisation: number;
  readonly blocksPerLine: number;
  readonly blockLines: number;
  /** Samples, filled line by line in sequential pictures and at the end in progressive ones. */
  readonly plane: Plane;
  /** Coefficients of all scans so far, in progressive pictures. */
  coefficients: Int16Array | undefined;
}

interface Frame {
  readonly width: number;
  readonly height: number;
  readonly progressive: boolean;
  readonly components: readonly Component[];
  readonly hMax: number;
  readonly vMax: number;
  readonly mcusPerLine: number;
  readonly mcuLines: number;
}

interface State {
  readonly data: Uint8Array;
  readonly most: number;
  readonly limit: PictureLimit;
  readonly byRows: boolean;
  readonly quantisation: (Uint16Array | undefined)[];
  readonly dc: (HuffmanTable | undefined)[];
  readonly ac: (HuffmanTable | undefined)[];
  restartInterval: number;
  jfif: boolean;
  adobe: number | undefined;
  orientation: Orientation | undefined;
  frame: Frame | undefined;
  scanned: Set<number>;
  scans: number;
}

/** Scans a picture may have: each goes over all of it, however few bytes it has. */
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
  const { readRow, ...jpeg } = openJpeg(bytes, name, options);
  const { width, height, channels } = jpeg;
  const data = new Uint8ClampedArray(width * height * channels);
  for (let y = 0, at = 0; y < height; y++, at += width * channels) readRow(y, data, at);
  return { ...jpeg, data: new Uint8Array(data.buffer) };
}

/** A JPEG whose samples are decoded and whose rows are put together on demand: half the memory of RGB, mostly. */
export interface JpegRows extends Omit<Jpeg, "data"> {
  /** Writes row `y`, interleaved, to `out` at `at`. */
  readonly readRow: (y: number, out: Uint8ClampedArray, at: number) => void;
}

/**
 * Decodes a JPEG for reading by rows.
 *
 * @param name Name of the file for error messages.
 * @throws {FormatError} Naming the byte, what was found and what was expected.
 */
export function openJpeg(bytes: Uint8Array, name: string, options: JpegOptions = {}): JpegRows {
  const state: State = {
    data: bytes,
    most: options.most ?? MAX_PIXELS,
    limit: options.limit ?? WHOLE,
    byRows: options.byRows ?? false,
    quantisation: [],
    dc: [],
    ac: [],
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
    for (const { id } of frame.components) {
      if (!state.scanned.has(id)) throw new ScanError(bytes.length, `comes before component ${id}`, "a scan of it");
    }
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

/** Walks the markers up to the end of the picture. Tables are shared through the arrays of `state`. */
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
    if ((marker >= 0xd0 && marker <= 0xd8) || marker === 1) continue;
    const length = at + 1 < data.length ? data[at]! << 8 | data[at + 1]! : 0;
    if (length < 2 || at + length > data.length) {
      throw new ScanError(at, `gives segment FF${marker.toString(16)} ${length} bytes`, `2 to ${data.length - at}`);
    }
    at = readSegment(state, marker, at + 2, at + length);
  }
}

/** @returns Offset at which to go on. */
function readSegment(state: State, marker: number, at: number, end: number): number {
  const { data } = state;
  if (marker === 0xdb) readQuantisation(state, at, end);
  else if (marker === 0xc4) readHuffman(state, at, end);
  else if (marker === 0xdd) {
    if (end - at !== 2) throw new ScanError(at, `has a restart interval of ${end - at} bytes`, "2");
    state.restartInterval = data[at]! << 8 | data[at + 1]!;
  } else if (marker === 0xe0) state.jfif ||= end - at >= 14 && ascii(data, at, end, "JFIF\0");
  else if (marker === 0xe1 && ascii(data, at, end, "Exif\0")) {
    state.orientation ??= exifOrientation(data.subarray(at + 6, end));
  } else if (marker === 0xee && ascii(data, at, end, "Adobe") && end - at >= 12) state.adobe = data[at + 11]!;
  else if (marker <= 0xc2 && marker >= 0xc0) readFrame(state, marker, at, end);
  else if (marker === 0xda) return readScan(state, at, end);
  else if (marker >= 0xc3 && marker <= 0xcf && marker !== 0xc8 && marker !== 0xcc) {
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

function readQuantisation({ data, quantisation }: State, at: number, end: number): void {
  while (at < end) {
    const wide = data[at]! >> 4;
    const slot = data[at]! & 15;
    if (wide > 1 || slot > 3 || at + 1 + 64 * (1 + wide) > end) {
      throw new ScanError(at, "has a damaged quantisation table", "64 values for slot 0 to 3");
    }
    at++;
    const table = new Uint16Array(64);
    for (let k = 0; k < 64; k++) {
      table[ZIGZAG[k]!] = wide ? data[at]! << 8 | data[at + 1]! : data[at]!;
      at += 1 + wide;
    }
    quantisation[slot] = table;
  }
}

function readHuffman(state: State, at: number, end: number): void {
  while (at < end) {
    const kind = state.data[at]! >> 4;
    const slot = state.data[at]! & 15;
    const counts = state.data.subarray(at + 1, at + 17);
    const total = counts.reduce((a, b) => a + b, 0);
    const table = kind > 1 || slot > 3 || total > 256 || at + 17 + total > end
      ? undefined
      : huffmanTable(counts, state.data.slice(at + 17, at + 17 + total));
    if (table === undefined) throw new ScanError(at, "has a damaged Huffman table", "a prefix code for slot 0 to 3");
    (kind === 0 ? state.dc : state.ac)[slot] = table;
    at += 17 + total;
  }
}

function readFrame(state: State, marker: number, at: number, end: number): void {
  const { data } = state;
  if (state.frame !== undefined) throw new ScanError(at, "begins a second frame", "one");
  const n = data[at + 5] ?? 0;
  if (end - at !== 6 + 3 * n) throw new ScanError(at, `has a frame header of ${end - at} bytes`, `${6 + 3 * n}`);
  if (data[at] !== 8) throw new ScanError(at, `has samples of ${data[at]} bits`, "8");
  const height = data[at + 1]! << 8 | data[at + 2]!;
  const width = data[at + 3]! << 8 | data[at + 4]!;
  if (width === 0 || height === 0 || width * height > state.most) {
    throw new ScanError(at + 1, `claims ${width}x${height} pixels`, `1 to ${state.most}`);
  }
  if (n !== 1 && n !== 3 && n !== 4) throw new ScanError(at + 5, `has ${n} components`, "1, 3 or 4");
  const heads = Array.from({ length: n }, (_, i) => {
    const o = at + 6 + 3 * i;
    return { id: data[o]!, h: data[o + 1]! >> 4, v: data[o + 1]! & 15, quantisation: data[o + 2]! };
  });
  const hMax = Math.max(...heads.map(({ h }) => h));
  const vMax = Math.max(...heads.map(({ v }) => v));
  for (const { h, v } of heads) {
    if (h < 1 || h > 4 || v < 1 || v > 4 || hMax % h !== 0 || vMax % v !== 0) {
      throw new ScanError(
        at + 6,
        `has sampling factors ${h}x${v} of ${hMax}x${vMax}`,
        "1 to 4 that divide the largest",
      );
    }
  }
  const mcusPerLine = Math.ceil(width / (8 * hMax));
  const mcuLines = Math.ceil(height / (8 * vMax));
  const progressive = marker === 0xc2;
  const blocks = heads.reduce((sum, { h, v }) => sum + mcusPerLine * h * mcuLines * v, 0);
  checkSize(state, { width, height, blocks, progressive }, at, end);
  const components = heads.map(({ id, h, v, quantisation }) => {
    const [blocksPerLine, blockLines] = [mcusPerLine * h, mcuLines * v];
    const plane = emptyPlane(blocksPerLine, Math.ceil(width * h / hMax), Math.ceil(height * v / vMax));
    return { id, h, v, quantisation, blocksPerLine, blockLines, plane, coefficients: undefined };
  });
  state.frame = { width, height, progressive, components, hMax, vMax, mcusPerLine, mcuLines };
}

/** Refuses a frame whose samples take too much, or of which the file cannot hold the code, before memory is taken. */
function checkSize(
  { data, limit, byRows }: State,
  { width, height, blocks, progressive }: { width: number; height: number; blocks: number; progressive: boolean },
  at: number,
  end: number,
): void {
  // Progressive pictures keep their coefficients too, two bytes each, until the end.
  const bytes = byRows ? blocks * 64 * (progressive ? 3 : 1) : width * height * 3;
  const large = overLimit({ width, height, bytes }, limit);
  if (large !== undefined) throw new ScanError(at + 1, large.found, large.expected, limit.hint);
  // Each block has a code of at least one bit in some scan.
  if (blocks > 8 * (data.length - end)) {
    const found = `claims ${width}x${height} pixels before ${data.length - end} bytes`;
    throw new ScanError(at + 1, found, `at least ${Math.ceil(blocks / 8)} bytes of code`);
  }
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
    state.scanned.add(component.id);
    const dc = state.dc[data[o + 1]! >> 4] ?? standard(STANDARD_DC[data[o + 1]! >> 4]);
    const ac = state.ac[data[o + 1]! & 15] ?? standard(STANDARD_AC[data[o + 1]! & 15]);
    const [needsDc, needsAc] = progressive ? [from === 0 && high === 0, from > 0] : [true, true];
    if ((needsDc && dc === undefined) || (needsAc && ac === undefined)) {
      throw new ScanError(o + 1, "names a Huffman table that was not given", "a table");
    }
    const { h, v, plane, blocksPerLine, blockLines } = component;
    const blocks = { blocksAcross: Math.ceil(plane.width / 8), blocksDown: Math.ceil(plane.height / 8) };
    // Sequential scans are done with a line of blocks before the next, and need to keep one.
    const coefficients = progressive
      ? component.coefficients ??= new Int16Array(blocksPerLine * blockLines * 64)
      : new Int16Array(blocksPerLine * (n === 1 ? 1 : v) * 64);
    const quantisation = progressive ? undefined : quantisationOf(state, component, at);
    return { h, v, plane, blocksPerLine, coefficients, quantisation, predictor: 0, dc, ac, ...blocks };
  });
  const { restartInterval } = state;
  const { mcusPerLine, mcuLines } = frame;
  const scan = { components, progressive, from, to, high, low, restartInterval, mcusPerLine, mcuLines };
  return decodeScan(data, end, scan, (line) => {
    for (const { plane, coefficients, quantisation, v } of components) {
      const lines = n === 1 ? 1 : v;
      fillPlane(plane, coefficients, quantisation!, line * lines, lines);
      coefficients.fill(0);
    }
  });
}

function standard(codes: HuffmanCodes | undefined): HuffmanTable | undefined {
  return codes && huffmanTable(Uint8Array.from(codes.lengths), Uint8Array.from(codes.values));
}

function quantisationOf({ quantisation }: State, component: Component, at: number): Uint16Array {
  const table = quantisation[component.quantisation];
  if (table === undefined) throw new ScanError(at, `has no quantisation table ${component.quantisation}`, "one");
  return table;
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
  const { width, height, components, hMax, vMax } = frame;
  const channels = components.length as 1 | 3 | 4;
  const rows: RowReader[] = components.map((c) => {
    if (c.coefficients !== undefined) {
      fillPlane(c.plane, c.coefficients, quantisationOf(state, c, 0), 0, c.blockLines);
      c.coefficients = undefined;
    }
    return upsampler(c.plane, hMax / c.h, vMax / c.v);
  });
  // Rows are as wide as whole MCUs, so that upsampling needs no edge.
  const lines = rows.map(() => new Uint8ClampedArray(frame.mcusPerLine * 8 * hMax));
  const readRow = (y: number, data: Uint8ClampedArray, at: number): void => {
    rows.forEach((read, i) => read(y, lines[i]!));
    if (channels === 1) data.set(lines[0]!.subarray(0, width), at);
    else if (ycc) rowToRgb(lines[0]!, lines[1]!, lines[2]!, data, at, width, channels);
    else for (let i = 0; i < 3; i++) for (let x = 0, o = at + i; x < width; x++, o += channels) data[o] = lines[i]![x]!;
    if (channels === 4) {
      // YCCK holds the complement of CMY; K is stored as it is.
      if (ycc) {
        for (let o = at; o < at + width * 4; o += 4) for (let i = 0; i < 3; i++) data[o + i] = 255 - data[o + i]!;
      }
      for (let x = 0; x < width; x++) data[at + 4 * x + 3] = lines[3]![x]!;
    }
  };
  const subsampled = components.some(({ h, v }) => h !== hMax || v !== vMax);
  return { width, height, channels, orientation: state.orientation ?? 1, subsampled, readRow };
}
