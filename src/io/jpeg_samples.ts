/**
 * From JPEG coefficients to samples: the accurate integer inverse DCT, "fancy" chroma upsampling and the fixed-point
 * YCbCr conversion of libjpeg-turbo, which is what PIL shows: equal to the bit.
 *
 * Source: libjpeg-turbo 3, jidctint.c, jdsample.c, jdcolor.c (formulas and rounding).
 *
 * @module
 */

/** Samples of one component, `stride` bytes a row; only `width` by `height` of them belong to the picture. */
export interface Plane {
  readonly data: Uint8ClampedArray;
  readonly stride: number;
  readonly width: number;
  readonly height: number;
}

const workspace = new Int32Array(64);

/** Inverse DCT of eight numbers `step` apart, in place, without descaling; `bias` rides on the even part. */
function transform(ws: Int32Array, at: number, step: number, bias: number, shift: number): void {
  const i1 = at + step, i2 = i1 + step, i3 = i2 + step, i4 = i3 + step, i5 = i4 + step, i6 = i5 + step, i7 = i6 + step;
  const w0 = ws[at]!, w2 = ws[i2]!, w4 = ws[i4]!, w6 = ws[i6]!;
  const o0 = ws[i7]!, o1 = ws[i5]!, o2 = ws[i3]!, o3 = ws[i1]!;
  const even = Math.imul(w2 + w6, 4433);
  const t2 = even - Math.imul(w6, 15137);
  const t3 = even + Math.imul(w2, 6270);
  const t0 = ((w0 + w4) << 13) + bias;
  const t1 = ((w0 - w4) << 13) + bias;
  const z5 = Math.imul(o0 + o2 + o1 + o3, 9633);
  const z1 = Math.imul(o0 + o3, -7373);
  const z2 = Math.imul(o1 + o2, -20995);
  const z3 = z5 - Math.imul(o0 + o2, 16069);
  const z4 = z5 - Math.imul(o1 + o3, 3196);
  const p0 = Math.imul(o0, 2446) + z1 + z3;
  const p1 = Math.imul(o1, 16819) + z2 + z4;
  const p2 = Math.imul(o2, 25172) + z2 + z3;
  const p3 = Math.imul(o3, 12299) + z1 + z4;
  ws[at] = (t0 + t3 + p3) >> shift;
  ws[i7] = (t0 + t3 - p3) >> shift;
  ws[i1] = (t1 + t2 + p2) >> shift;
  ws[i6] = (t1 + t2 - p2) >> shift;
  ws[i2] = (t1 - t2 + p1) >> shift;
  ws[i5] = (t1 - t2 - p1) >> shift;
  ws[i3] = (t0 - t3 + p0) >> shift;
  ws[i4] = (t0 - t3 - p0) >> shift;
}

/** Inverse DCT of the block at `from`, dequantised by `q` (row-major), into `out` at `to`. */
function idct(
  block: Int16Array,
  from: number,
  q: Uint16Array,
  out: Uint8ClampedArray,
  to: number,
  stride: number,
): void {
  const ws = workspace;
  let rest = 0;
  for (let i = 0; i < 64; i++) {
    const value = block[from + i]!;
    ws[i] = value * q[i]!;
    if (i > 0) rest |= value;
  }
  if (rest === 0) {
    const flat = 128 + (((ws[0]! << 2) + 16) >> 5);
    for (let r = 0; r < 8; r++, to += stride) out.fill(flat, to, to + 8);
    return;
  }
  for (let c = 0; c < 8; c++) transform(ws, c, 8, 1024, 11);
  // Half a step for rounding, and the level shift of 128.
  for (let r = 0; r < 64; r += 8, to += stride) {
    transform(ws, r, 1, (1 << 17) + (128 << 18), 18);
    for (let i = 0; i < 8; i++) out[to + i] = ws[r + i]!;
  }
}

/** Room for the samples of a component whose picture is `width` by `height`. */
export function emptyPlane(blocksPerLine: number, width: number, height: number): Plane {
  const stride = blocksPerLine * 8;
  return { data: new Uint8ClampedArray(stride * Math.ceil(height / 8) * 8), stride, width, height };
}

/** Samples of `lines` lines of blocks, of which `coefficients` begins with the first, `line`. */
export function fillPlane(
  plane: Plane,
  coefficients: Int16Array,
  quantisation: Uint16Array,
  line: number,
  lines: number,
): void {
  const { data, stride, height } = plane;
  const end = Math.min(line + lines, Math.ceil(height / 8));
  for (let y = line, from = 0; y < end; y++) {
    for (let x = 0; x < stride; x += 8, from += 64) {
      idct(coefficients, from, quantisation, data, y * 8 * stride + x, stride);
    }
  }
}

/** Writes row `y` of a component, brought to the picture's resolution, into `out`. */
export type RowReader = (y: number, out: Uint8ClampedArray) => void;

/** How to bring a plane `h` times wider and `v` times higher, as libjpeg does by default. */
export function upsampler(plane: Plane, h: number, v: number): RowReader {
  const { data, stride, width, height } = plane;
  if (h === 1 && v === 1) return (y, out) => out.set(data.subarray(y * stride, y * stride + width));
  const near = (y: number) => (y >> 1) * stride;
  const far = (y: number) => Math.min(height - 1, Math.max(0, (y >> 1) + (y & 1 ? 1 : -1))) * stride;
  if (h === 2 && v === 1 && width > 2) return (y, out) => widen(data, y * stride, width, out);
  if (h === 1 && v === 2) {
    return (y, out) => {
      const bias = y & 1 ? 2 : 1;
      for (let x = 0, a = near(y), b = far(y); x < width; x++) out[x] = (data[a + x]! * 3 + data[b + x]! + bias) >> 2;
    };
  }
  if (h === 2 && v === 2 && width > 2) return (y, out) => widenSum(data, near(y), far(y), width, out);
  return (y, out) => {
    const from = Math.floor(y / v) * stride;
    for (let x = 0, to = 0; x < width; x++) for (let k = 0; k < h; k++) out[to++] = data[from + x]!;
  };
}

/** Twice as wide: three quarters of the nearer sample, one of the farther, rounded down and up in turn. */
function widen(data: Uint8ClampedArray, at: number, width: number, out: Uint8ClampedArray): void {
  const last = width - 1;
  out[0] = data[at]!;
  out[1] = (data[at]! * 3 + data[at + 1]! + 2) >> 2;
  for (let x = 1; x < last; x++) {
    const value = data[at + x]! * 3;
    out[2 * x] = (value + data[at + x - 1]! + 1) >> 2;
    out[2 * x + 1] = (value + data[at + x + 1]! + 2) >> 2;
  }
  out[2 * last] = (data[at + last]! * 3 + data[at + last - 1]! + 1) >> 2;
  out[2 * last + 1] = data[at + last]!;
}

/** The same in both directions: columns are first summed as 3 near + 1 far. */
function widenSum(data: Uint8ClampedArray, near: number, far: number, width: number, out: Uint8ClampedArray): void {
  let before = 0;
  let here = data[near]! * 3 + data[far]!;
  let next = data[near + 1]! * 3 + data[far + 1]!;
  out[0] = (here * 4 + 8) >> 4;
  out[1] = (here * 3 + next + 7) >> 4;
  for (let x = 1; x < width - 1; x++) {
    before = here;
    here = next;
    next = data[near + x + 1]! * 3 + data[far + x + 1]!;
    out[2 * x] = (here * 3 + before + 8) >> 4;
    out[2 * x + 1] = (here * 3 + next + 7) >> 4;
  }
  out[2 * width - 2] = (next * 3 + here + 8) >> 4;
  out[2 * width - 1] = (next * 4 + 7) >> 4;
}

const crRed = colourTable((x) => (91881 * x + 32768) >> 16);
const cbBlue = colourTable((x) => (116130 * x + 32768) >> 16);
const crGreen = colourTable((x) => -46802 * x);
const cbGreen = colourTable((x) => -22554 * x + 32768);

function colourTable(of: (x: number) => number): Int32Array {
  return Int32Array.from({ length: 256 }, (_, i) => of(i - 128));
}

/**
 * Converts a row of YCbCr in three planes to interleaved RGB.
 *
 * @param step Bytes from pixel to pixel of `out`; a fourth is left as it is.
 */
export function rowToRgb(
  y: Uint8ClampedArray,
  cb: Uint8ClampedArray,
  cr: Uint8ClampedArray,
  out: Uint8ClampedArray,
  at: number,
  width: number,
  step: number,
): void {
  for (let x = 0; x < width; x++, at += step) {
    const luma = y[x]!;
    const b = cb[x]!;
    const r = cr[x]!;
    out[at] = luma + crRed[r]!;
    out[at + 1] = luma + ((cbGreen[b]! + crGreen[r]!) >> 16);
    out[at + 2] = luma + cbBlue[b]!;
  }
}
