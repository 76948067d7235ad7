/** Turned, enlarged, coloured, blurred images in float64, each step over the whole image, written from the formulas. */

/** What is done to an image, as plain numbers. */
export interface AugmentRef {
  readonly side: number;
  readonly turn: number;
  readonly sigma: number;
  readonly jitter?: readonly (readonly ["brightness" | "contrast" | "saturation" | "hue", number])[] | undefined;
  readonly hed?: { readonly scale: readonly number[]; readonly shift: readonly number[] } | undefined;
}

/** `at(y, x, c)` of an image. */
type RgbImage = (y: number, x: number, c: number) => number;

/** An image computed once. */
function kept(size: number, image: RgbImage): RgbImage {
  const values = new Float64Array(size * size * 3);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) for (let c = 0; c < 3; c++) values[(y * size + x) * 3 + c] = image(y, x, c);
  }
  return (y, x, c) => values[(y * size + x) * 3 + c]!;
}

/** `rot90(image)`, numpy's: the last column becomes the first row. */
function quarter(size: number, image: RgbImage): RgbImage {
  return kept(size, (y, x, c) => image(x, size - 1 - y, c));
}

function turned(size: number, image: RgbImage, k: number): RgbImage {
  let out = k < 4 ? image : kept(size, (y, x, c) => image(y, size - 1 - x, c));
  for (let i = 0; i < k % 4; i++) out = quarter(size, out);
  return out;
}

function zoomed(size: number, image: RgbImage, side: number): RgbImage {
  const place = (o: number) => {
    const at = (size - size * side) / 2 + (o + 0.5) * side - 0.5;
    const low = Math.max(0, Math.floor(at));
    return [low, Math.min(size - 1, low + 1), at - low] as const;
  };
  return kept(size, (y, x, c) => {
    const [top, bottom, t] = place(y);
    const [left, right, u] = place(x);
    return (1 - t) * ((1 - u) * image(top, left, c) + u * image(top, right, c)) +
      t * ((1 - u) * image(bottom, left, c) + u * image(bottom, right, c));
  });
}

const unit = (v: number) => Math.min(1, Math.max(0, v));
const greyOf = (p: RgbImage, y: number, x: number) => 0.2989 * p(y, x, 0) + 0.587 * p(y, x, 1) + 0.114 * p(y, x, 2);

/** Hue in turns, saturation and value to RGB, and back: colorsys'. */
function hueTurned([r, g, b]: readonly [number, number, number], shift: number): [number, number, number] {
  const [most, least] = [Math.max(r, g, b), Math.min(r, g, b)];
  if (most === least) return [r, g, b];
  const s = (most - least) / most;
  const [rc, gc, bc] = [r, g, b].map((v) => (most - v) / (most - least)) as [number, number, number];
  const hue = ((r === most ? bc - gc : g === most ? 2 + rc - bc : 4 + gc - rc) / 6 + shift + 2) % 1;
  const i = Math.floor(hue * 6);
  const f = hue * 6 - i;
  const [p, q, t] = [most * (1 - s), most * (1 - s * f), most * (1 - s * (1 - f))];
  return ([[most, t, p], [q, most, p], [p, most, t], [p, q, most], [t, p, most], [most, p, q]] as const)[
    i as 0
  ].slice() as [number, number, number];
}

function jittered(size: number, image: RgbImage, name: string, factor: number): RgbImage {
  if (name === "brightness") return kept(size, (y, x, c) => unit(image(y, x, c) * factor));
  if (name === "hue") {
    return kept(size, (y, x, c) => hueTurned([image(y, x, 0), image(y, x, 1), image(y, x, 2)], factor)[c]!);
  }
  let mean = 0;
  for (let y = 0; y < size; y++) for (let x = 0; x < size; x++) mean += greyOf(image, y, x) / size ** 2;
  const grey = (y: number, x: number) => (name === "contrast" ? mean : greyOf(image, y, x));
  return kept(size, (y, x, c) => unit(factor * image(y, x, c) + (1 - factor) * grey(y, x)));
}

const STAINS = [[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]] as const;

/** Determinant of three rows. */
function det([a, b, c]: readonly (readonly number[])[]): number {
  return a![0]! * (b![1]! * c![2]! - b![2]! * c![1]!) - a![1]! * (b![0]! * c![2]! - b![2]! * c![0]!) +
    a![2]! * (b![0]! * c![1]! - b![1]! * c![0]!);
}

function stained(size: number, image: RgbImage, scale: readonly number[], shift: readonly number[]): RgbImage {
  return kept(size, (y, x, c) => {
    const density = [0, 1, 2].map((from) => -Math.log10(Math.max(image(y, x, from), 1e-6)));
    // Concentrations by Cramer's rule: density = concentration times STAINS.
    const amount = [0, 1, 2].map((stain) =>
      det(STAINS.map((row, i) => (i === stain ? density : row))) / det(STAINS) * scale[stain]! + shift[stain]!
    );
    return Math.min(1, 10 ** -[0, 1, 2].reduce((sum, stain) => sum + amount[stain]! * STAINS[stain as 0][c as 0], 0));
  });
}

function blurred(size: number, image: RgbImage, sigma: number): RgbImage {
  const radius = Math.floor(4 * sigma + 0.5);
  const weight = (d: number) => Math.exp(-d * d / (2 * sigma * sigma));
  let total = 0;
  for (let d = -radius; d <= radius; d++) total += weight(d);
  /** Walks and turns round at the ends. */
  const within = (at: number): number =>
    size === 1 ? 0 : at < 0 ? within(-at) : at >= size ? within(2 * (size - 1) - at) : at;
  const along = (p: RgbImage, dy: number, dx: number) =>
    kept(size, (y, x, c) => {
      let sum = 0;
      for (let d = -radius; d <= radius; d++) sum += weight(d) * p(within(y + d * dy), within(x + d * dx), c);
      return sum / total;
    });
  return along(along(image, 0, 1), 1, 0);
}

/** Images `[n, size, size, 3]` of bytes, changed one by one. */
export function augmentRef(bytes: Float64Array, size: number, changes: readonly AugmentRef[]): Float64Array {
  const out = new Float64Array(bytes.length);
  changes.forEach(({ side, turn, sigma, jitter = [], hed }, n) => {
    let image: RgbImage = (y, x, c) => bytes[((n * size + y) * size + x) * 3 + c]! / 255;
    image = turned(size, image, turn);
    if (side !== 1) image = zoomed(size, image, side);
    for (const [name, factor] of jitter) image = jittered(size, image, name, factor);
    if (hed) image = stained(size, image, hed.scale, hed.shift);
    if (sigma > 0) image = blurred(size, image, sigma);
    for (let i = 0; i < size * size * 3; i++) {
      const pixel = Math.floor(i / 3);
      const v = image(Math.floor(pixel / size), pixel % size, i % 3);
      out[n * size * size * 3 + i] = Math.floor(unit(v) * 255 + 0.5);
    }
  });
  return out;
}
