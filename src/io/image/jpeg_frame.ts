/**
 * The frame of a JPEG: its components, checked before memory is taken, and the memory.
 *
 * Source: ITU-T T.81, section B.2.2.
 *
 * @module
 */

import { JpegModule } from "./jpeg_module.ts";
import type { Plane } from "./jpeg_samples.ts";
import { codedRoom, SCAN_BYTES, ScanError, type ScanMemory } from "./jpeg_scan.ts";
import { type ImageLimit, overLimit } from "./rgb_image.ts";

/** One component of a frame. */
export interface Component {
  readonly id: number;
  readonly h: number;
  readonly v: number;
  readonly quantisation: number;
  readonly blocksPerLine: number;
  readonly blockLines: number;
  /** Samples, filled by a sequential scan or at the end. */
  readonly plane: Plane;
  /** Address of the coefficients of all scans so far, in progressive images. */
  readonly coefficients: number;
  /** Address of the steps of quantisation. */
  readonly steps: number;
  /** Bits that each coefficient lacks, in zigzag order, in progressive images. */
  readonly lacks: Uint8Array;
}

/** An image as its frame header says it is, with room for its samples. */
export interface Frame {
  readonly width: number;
  readonly height: number;
  readonly progressive: boolean;
  readonly components: readonly Component[];
  readonly hMax: number;
  readonly vMax: number;
  readonly mcusPerLine: number;
  readonly mcuLines: number;
  /** Where the components lie. */
  readonly module: JpegModule;
  readonly memory: ScanMemory;
}

/** What a frame is checked by. */
export interface FrameContext {
  readonly data: Uint8Array;
  /** Pixels it may have. */
  readonly most: number;
  /** Bytes it may take as RGB or, where rows are put together on demand, as kept for that. */
  readonly limit: ImageLimit;
  readonly byRows: boolean;
  /** Whether rows are read after this. */
  readonly keep: boolean;
}

/**
 * Reads a frame header and makes room.
 *
 * @param at Where the segment's content begins; it goes to `end`.
 * @throws {ScanError} If the image is none that is read here, or too large.
 */
export function readFrame(state: FrameContext, progressive: boolean, at: number, end: number): Frame {
  const { data } = state;
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
  const blocks = heads.reduce((sum, { h, v }) => sum + mcusPerLine * h * mcuLines * v, 0);
  checkSize(state, { width, height, blocks, progressive }, at, end);
  const samples = 64 * blocks;
  const module = JpegModule.forImage(samples * (progressive ? 3 : 1) + 2 * data.length, state.keep);
  const components = heads.map(({ id, h, v, quantisation }): Component => {
    const [blocksPerLine, blockLines] = [mcusPerLine * h, mcuLines * v];
    const size = 64 * blocksPerLine * blockLines;
    const [plane, steps] = [module.place(size), module.place(128)];
    const coefficients = progressive ? module.zeros(2 * size) : 0;
    const extent = { width: Math.ceil(width * h / hMax), height: Math.ceil(height * v / vMax) };
    const sampled = { at: plane, stride: 8 * blocksPerLine, ...extent, h: hMax / h, v: vMax / v };
    return {
      id,
      h,
      v,
      quantisation,
      blocksPerLine,
      blockLines,
      plane: sampled,
      steps,
      coefficients,
      lacks: new Uint8Array(64).fill(255),
    };
  });
  const memory = placeFile(module, data);
  return { width, height, progressive, components, hMax, vMax, mcusPerLine, mcuLines, module, memory };
}

function placeFile(module: JpegModule, data: Uint8Array): ScanMemory {
  const file = module.place(data.length);
  module.bytes(file, data.length).set(data);
  const room = codedRoom(data.length);
  return { file, length: data.length, top: module.place(room) + room, scan: module.place(SCAN_BYTES) };
}

/** Refuses a frame whose samples take too much, or of which the file cannot hold the code, before memory is taken. */
function checkSize(
  { data, limit, byRows }: FrameContext,
  { width, height, blocks, progressive }: { width: number; height: number; blocks: number; progressive: boolean },
  at: number,
  end: number,
): void {
  // Progressive images keep their coefficients too, two bytes each, until the end.
  const bytes = byRows ? blocks * 64 * (progressive ? 3 : 1) : width * height * 3;
  const large = overLimit({ width, height, bytes }, limit);
  if (large !== undefined) throw new ScanError(at + 1, large.found, large.expected, limit.hint);
  // Each block has a code of at least one bit in some scan.
  if (blocks > 8 * (data.length - end)) {
    const found = `claims ${width}x${height} pixels before ${data.length - end} bytes`;
    throw new ScanError(at + 1, found, `at least ${Math.ceil(blocks / 8)} bytes of code`);
  }
}
