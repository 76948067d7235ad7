/**
 * Samples in f64 of the kernels that augment patches, from the numbers of their rows: see `src/ops/augment.ts`.
 *
 * @module
 */

import { CHANGE, CHANGE_WORDS } from "../ops/augment.ts";
import { type Sampler, Samples, spread, sum } from "./sample.ts";

type Rgb = readonly [number, number, number];

const clamp = (v: number): number => Math.min(1, Math.max(0, v));
const each = (f: (c: 0 | 1 | 2) => number): Rgb => [f(0), f(1), f(2)];
const greyOf = ([r, g, b]: Rgb): number => 0.2989 * r + 0.587 * g + 0.114 * b;

/** Hue turned by sixths of the circle, sector by sector. */
function turnHue(rgb: Rgb, sixths: number): Rgb {
  const [r, g, b] = rgb;
  const most = Math.max(...rgb);
  const range = most - Math.min(...rgb);
  if (range === 0) return rgb;
  const sector = most === r ? (g - b) / range : most === g ? 2 + (b - r) / range : 4 + (r - g) / range;
  const hue = ((sector + sixths) % 6 + 6) % 6;
  const [whole, part] = [Math.floor(hue), hue - Math.floor(hue)];
  const [low, falling, rising] = [most - range, most - range * part, most - range * (1 - part)];
  const sectors: Rgb[] = [
    [most, rising, low],
    [falling, most, low],
    [low, most, rising],
    [low, falling, most],
    [rising, low, most],
    [most, low, falling],
  ];
  return sectors[whole]!;
}

/** A patch as its row changes it. */
class Patch {
  readonly #numbers: Float32Array;
  readonly #words: Uint32Array;

  constructor(
    readonly bytes: ArrayLike<number>,
    changes: ArrayLike<number>,
    readonly size: number,
    readonly b: number,
  ) {
    this.#words = Uint32Array.from({ length: CHANGE_WORDS }, (_, i) => changes[b * CHANGE_WORDS + i]!);
    this.#numbers = new Float32Array(this.#words.buffer);
  }

  get radius(): number {
    return this.#words[CHANGE.radius]!;
  }

  get contrast(): boolean {
    return this.#words[CHANGE.contrast] !== 0;
  }

  /** Weight of a blur at a distance. */
  weight(distance: number): number {
    return this.#numbers[CHANGE.weights + Math.abs(distance)]!;
  }

  /** The place in the patch that a place beside it is the mirror image of. */
  mirror(at: number): number {
    const last = this.size - 1;
    let within = at;
    while (last > 0 && (within < 0 || within > last)) within = within < 0 ? -within : 2 * last - within;
    return last === 0 ? 0 : within;
  }

  #turned(y: number, x: number): Rgb {
    const [first, down, right] = [0, 1, 2].map((i) => this.#words[CHANGE.turn + i]! | 0) as [number, number, number];
    const pixel = this.b * this.size ** 2 + first + y * down + x * right;
    return each((c) => this.bytes[pixel * 3 + c]! / 255);
  }

  /** Before colours. */
  enlarged(y: number, x: number): Rgb {
    const side = this.#words[CHANGE.side]! / 2 ** 32;
    if (side === 0) return this.#turned(y, x);
    const start = this.#words[CHANGE.start]! + this.#words[CHANGE.start + 1]! / 2 ** 32;
    const taps = (o: number): (readonly [number, number])[] => {
      const place = start + o * side;
      const low = Math.floor(place);
      return [[low, 1 - place + low], [Math.min(low + 1, this.size - 1), place - low]];
    };
    const of = taps(y).flatMap(([row, t]) => taps(x).map(([column, u]) => [this.#turned(row, column), t * u] as const));
    return each((c) => of.reduce((total, [rgb, weight]) => total + weight * rgb[c], 0));
  }

  /** The steps of a jitter; those before the contrast where `mean` is undefined. */
  jittered(start: Rgb, mean: number | undefined): Rgb {
    let v = start;
    const factors = this.#numbers.subarray(CHANGE.factors);
    for (let steps = this.#words[CHANGE.steps]!; steps > 0; steps = Math.floor(steps / 256)) {
      const step = steps % 256;
      const factor = factors[step - 1]!;
      if (step === 2 && mean === undefined) break;
      if (step === 4) v = turnHue(v, factor);
      else {
        const other = step === 1 ? 0 : (1 - factor) * (step === 2 ? mean! : greyOf(v));
        const now = v;
        v = each((c) => clamp(factor * now[c] + other));
      }
    }
    return v;
  }

  /** Before the blur. */
  coloured(y: number, x: number, grey: number): Rgb {
    const v = this.enlarged(y, x);
    const kind = this.#words[CHANGE.kind];
    if (kind === 1) return this.jittered(v, grey / this.size ** 2);
    if (kind !== 2) return v;
    const stains = this.#numbers.subarray(CHANGE.stains, CHANGE.stains + 12);
    const logs = each((c) => Math.log(Math.max(v[c], 1e-6)));
    return each((c) =>
      Math.min(1, Math.exp(stains[9 + c]! + logs.reduce((total, log, from) => total + log * stains[3 * from + c]!, 0)))
    );
  }
}

const grey: Sampler = ({ bytes, changes, sums }, { dims: { B = 0, S = 0 } }) => {
  const samples = new Samples();
  for (let b = 0; b < B; b++) {
    const patch = new Patch(bytes!, changes!, S, b);
    for (const x of [...new Set([0, S >> 1, S - 1])]) {
      const right = patch.contrast ? sum(0, S, (y) => greyOf(patch.jittered(patch.enlarged(y, x), undefined))) : 0;
      samples.add("sums", sums![b * S + x]!, right);
    }
  }
  return samples.list;
};

const columns: Sampler = (values, { dims: { G = 0, S = 0 }, options }) => {
  const { bytes, changes, grey, columns } = values as Record<"bytes" | "changes" | "grey" | "columns", number[]>;
  const samples = new Samples();
  for (let g = 0; g < G; g++) {
    const b = (options["first"] as number) + g;
    const patch = new Patch(bytes, changes, S, b);
    const { radius } = patch;
    if (radius === 0) continue;
    for (const pixel of spread(S * S).filter((_, i) => i % 7 === 0)) {
      const [y, x] = [Math.floor(pixel / S), pixel % S];
      const right = [0, 0, 0];
      for (let k = -radius; k <= radius; k++) {
        const rgb = patch.coloured(patch.mirror(y + k), x, grey[b]!);
        rgb.forEach((v, c) => right[c]! += patch.weight(k) * v);
      }
      right.forEach((v, c) => samples.add("columns", columns[(g * S * S + pixel) * 3 + c]!, v));
    }
  }
  return samples.list;
};

/** What a byte must be: the one that is there where the number is between it and the next, to rounding. */
function byteOf(got: number, v: number): number {
  const exact = 255 * clamp(v);
  return Math.abs(got - exact) <= 0.5 + 2e-3 ? got : Math.floor(exact + 0.5);
}

const apply: Sampler = (values, { dims: { S = 0 }, options }) => {
  const { bytes, changes, grey, columns, y: got } = values as Record<"bytes" | "changes" | "y", number[]> & {
    readonly grey?: number[];
    readonly columns?: number[];
  };
  const samples = new Samples();
  const [first, count] = [options["first"] as number, options["count"] as number];
  for (let b = first; b < first + count; b++) {
    const patch = new Patch(bytes, changes, S, b);
    const { radius } = patch;
    for (const pixel of spread(S * S).filter((_, i) => i % 7 === 0 || i < 8)) {
      const [y, x] = [Math.floor(pixel / S), pixel % S];
      const blurred = (c: number): number =>
        sum(
          -radius,
          radius + 1,
          (k) => patch.weight(k) * columns![(((b - first) * S + y) * S + patch.mirror(x + k)) * 3 + c]!,
        );
      const v = grey === undefined
        ? patch.enlarged(y, x)
        : columns !== undefined && radius > 0
        ? each(blurred)
        : patch.coloured(y, x, grey[b]!);
      v.forEach((value, c) => {
        const is = got[(b * S * S + pixel) * 3 + c]!;
        samples.add("y", is, byteOf(is, value));
      });
    }
  }
  return samples.list;
};

/** Samplers by kernel. */
export const AUGMENT: Readonly<Record<string, Sampler>> = {
  augment_grey: grey,
  augment_columns: columns,
  augment_apply: apply,
};
