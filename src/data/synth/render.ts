/**
 * The image of a synthetic slide: fibres, nuclei and lumens where the fields put them, in the slide's stain.
 *
 * Every pixel is a function of its place only: a window cut from the slide equals the window rendered alone. All in f64.
 *
 * @module
 */

import { FIELD, type Fields, NODE, squash } from "./fields.ts";
import { onTissue, type Slide, STREAM } from "./slide.ts";

/** Sides of the cells that hold at most one nucleus or lumen, and how far beyond it one may reach, µm. */
const NUCLEUS = { cell: 10, reach: 12 } as const;
const LUMEN = { cell: 40, reach: 14 } as const;
/** Grey of the bare slide. */
const BARE = 245;

type Three = readonly [number, number, number];

/** Stain of a slide. */
export interface Stain {
  /** Directions of haematoxylin and eosin in optical density, unit length. */
  readonly haematoxylin: Three;
  readonly eosin: Three;
  readonly gainH: number;
  readonly gainE: number;
  /** Direction of fibres, radians. */
  readonly angle: number;
}

/** Draws the stain of a donor. */
export function drawStain({ donorRandom: r }: Pick<Slide, "donorRandom">): Stain {
  const [u0, u1] = r.uniforms(0, 0, 0, STREAM.stain);
  const direction = (mean: Three, block: number): Three => {
    const n = r.normals(0, 0, block, STREAM.stain);
    const [a, b, c] = mean.map((m, i) => Math.max(0.02, m + 0.03 * n[i]!)) as [number, number, number];
    const length = Math.sqrt(a * a + b * b + c * c);
    return [a / length, b / length, c / length];
  };
  return {
    haematoxylin: direction([0.650, 0.704, 0.286], 1),
    eosin: direction([0.072, 0.990, 0.105], 2),
    gainH: 0.85 + 0.3 * u0,
    gainE: 0.85 + 0.3 * u1,
    angle: Math.PI * r.uniforms(0, 0, 3, STREAM.stain)[0],
  };
}

interface Nucleus {
  x: number;
  y: number;
  /** Semi-axes, µm. */
  a: number;
  b: number;
  cos: number;
  sin: number;
  amplitude: number;
  granularity: number;
  phases: readonly [number, number];
}

interface Lumen {
  x: number;
  y: number;
  radius: number;
}

/** Objects of a lattice of cells, made when first looked at. */
class Lattice<T> {
  readonly #cells = new Map<number, T | undefined>();
  constructor(
    private readonly size: { cell: number; reach: number },
    private readonly make: (i: number, j: number) => T | undefined,
  ) {}

  /** Objects that may reach a region in µm. */
  *near(x0: number, y0: number, x1: number, y1: number): Generator<T> {
    const { cell, reach } = this.size;
    for (let j = Math.floor((y0 - reach) / cell); j * cell <= y1 + reach; j++) {
      for (let i = Math.floor((x0 - reach) / cell); i * cell <= x1 + reach; i++) {
        const key = (j + 1024) * 2 ** 20 + i + 1024;
        let object = this.#cells.get(key);
        if (object === undefined && !this.#cells.has(key)) this.#cells.set(key, object = this.make(i, j));
        if (object !== undefined) yield object;
      }
    }
  }
}

/** Fields at the nodes around a slide, interpolated for pixels. */
class Nodes {
  readonly #across: number;
  readonly #values: readonly Float64Array[];

  constructor(fields: Fields, which: readonly number[], [width, height]: readonly [number, number]) {
    this.#across = Math.ceil(width / NODE) + 3;
    const down = Math.ceil(height / NODE) + 3;
    this.#values = which.map((f) =>
      Float64Array.from(
        { length: this.#across * down },
        (_, at) => fields.at(f, NODE * (at % this.#across - 1), NODE * (Math.floor(at / this.#across) - 1)),
      )
    );
  }

  /** Interpolates all fields at a place. */
  at(x: number, y: number, into: Float64Array): void {
    const [a, b] = [Math.floor(x / NODE), Math.floor(y / NODE)];
    const [s, t] = [x / NODE - a, y / NODE - b];
    const at = (b + 1) * this.#across + a + 1;
    for (let f = 0; f < into.length; f++) {
      const v = this.#values[f]!;
      const top = v[at]! * (1 - s) + v[at + 1]! * s;
      const bottom = v[at + this.#across]! * (1 - s) + v[at + this.#across + 1]! * s;
      into[f] = top * (1 - t) + bottom * t;
    }
  }
}

/** Renders regions of one slide. */
export class Renderer {
  /** The slide's stain. */
  readonly stain: Stain;
  readonly #cos: number;
  readonly #sin: number;
  readonly #nuclei: Lattice<Nucleus>;
  readonly #lumens: Lattice<Lumen>;
  readonly #nodes: Nodes;

  /** Prepares a slide; objects are made when a region needs them. */
  constructor(readonly slide: Slide, fields: Fields) {
    this.stain = drawStain(slide);
    [this.#cos, this.#sin] = [Math.cos(this.stain.angle), Math.sin(this.stain.angle)];
    this.#nuclei = new Lattice(NUCLEUS, (i, j) => nucleus(slide, fields, this.stain.angle, i, j));
    this.#lumens = new Lattice(LUMEN, (i, j) => lumen(slide, fields, i, j));
    this.#nodes = new Nodes(fields, [FIELD.fibrosis, FIELD.fibrePhase, FIELD.haematoxylin, FIELD.eosin], slide.extent);
  }

  /**
   * RGB bytes `[height, width, 3]` of a region whose left upper pixel is (left, top); beyond the slide they are black.
   *
   * @param pixelSize µm a pixel, the slide's own unless given.
   */
  render(
    left: number,
    top: number,
    width: number,
    height: number,
    pixelSize: number = this.slide.pixelSize,
  ): Uint8Array {
    const { slide } = this;
    const out = new Uint8Array(width * height * 3);
    const right = Math.ceil(slide.extent[0] / pixelSize);
    const bottom = Math.ceil(slide.extent[1] / pixelSize);
    const x0 = Math.max(left, 0);
    const y0 = Math.max(top, 0);
    const [w, h] = [Math.min(left + width, right) - x0, Math.min(top + height, bottom) - y0];
    if (w <= 0 || h <= 0) return out;
    const region = { x0, y0, w, h, s: pixelSize };
    const density = this.#density(region);
    const cavity = this.#cavity(region);
    const values = new Float64Array(4);
    for (let v = 0; v < h; v++) {
      for (let u = 0; u < w; u++) {
        const [x, y] = [(x0 + u + 0.5) * pixelSize, (y0 + v + 0.5) * pixelSize];
        const to = ((y0 + v - top) * width + x0 + u - left) * 3;
        if (onTissue(slide, x, y)) {
          this.#nodes.at(x, y, values);
          this.#colour(x, y, values, density[v * w + u]!, cavity[v * w + u]!, out, to);
        } else out.fill(BARE, to, to + 3);
      }
    }
    return out;
  }

  #colour(x: number, y: number, f: Float64Array, density: number, cavity: number, out: Uint8Array, to: number): void {
    const { haematoxylin: H, eosin: E, gainH, gainE } = this.stain;
    const phase = 2 * Math.PI * (x * this.#cos + y * this.#sin) / 6 + 6 * f[1]!;
    const fibres = 0.22 + (0.02 + 0.38 * squash(f[0]!)) * (0.5 + 0.5 * Math.cos(phase));
    const h = (0.03 + density) * (1 - cavity) * Math.exp(0.12 * f[2]!) * gainH;
    const e = fibres * (1 - 0.5 * Math.min(density, 1)) * (1 - 0.9 * cavity) * Math.exp(0.12 * f[3]!) * gainE;
    for (let c = 0; c < 3; c++) out[to + c] = Math.floor(BARE * Math.exp(-1.6 * (h * H[c]! + e * E[c]!)) + 0.5);
  }

  /** Nuclear density of each pixel: the darkest nucleus counts. */
  #density({ x0, y0, w, h, s }: Region): Float64Array {
    const out = new Float64Array(w * h);
    for (const n of this.#nuclei.near(x0 * s, y0 * s, (x0 + w) * s, (y0 + h) * s)) {
      const reach = 1.15 * n.a;
      const [u0, u1] = span(n.x, reach, x0, w, s);
      const [v0, v1] = span(n.y, reach, y0, h, s);
      for (let v = v0; v <= v1; v++) {
        for (let u = u0; u <= u1; u++) {
          const [dx, dy] = [(x0 + u + 0.5) * s - n.x, (y0 + v + 0.5) * s - n.y];
          const p = dx * n.cos + dy * n.sin;
          const t = dy * n.cos - dx * n.sin;
          const rho = Math.sqrt((p / n.a) ** 2 + (t / n.b) ** 2);
          if (rho >= 1.15) continue;
          const mask = Math.min((1.15 - rho) / 0.3, 1);
          const texture = n.granularity === 0 ? 1 : 1 + n.granularity *
              Math.cos(2 * Math.PI * (p / 2.4 + n.phases[0])) * Math.cos(2 * Math.PI * (t / 2.4 + n.phases[1]));
          const value = n.amplitude * mask * texture;
          if (value > out[v * w + u]!) out[v * w + u] = value;
        }
      }
    }
    return out;
  }

  /** How much of each pixel is lumen. */
  #cavity({ x0, y0, w, h, s }: Region): Float64Array {
    const out = new Float64Array(w * h);
    for (const lumen of this.#lumens.near(x0 * s, y0 * s, (x0 + w) * s, (y0 + h) * s)) {
      const reach = lumen.radius + 0.5;
      const [u0, u1] = span(lumen.x, reach, x0, w, s);
      const [v0, v1] = span(lumen.y, reach, y0, h, s);
      for (let v = v0; v <= v1; v++) {
        for (let u = u0; u <= u1; u++) {
          const distance = Math.sqrt(((x0 + u + 0.5) * s - lumen.x) ** 2 + ((y0 + v + 0.5) * s - lumen.y) ** 2);
          const value = Math.min(Math.max(reach - distance, 0), 1);
          if (value > out[v * w + u]!) out[v * w + u] = value;
        }
      }
    }
    return out;
  }
}

interface Region {
  x0: number;
  y0: number;
  w: number;
  h: number;
  s: number;
}

/** First and last of `count` pixels from `from` on whose centres may lie within `reach` of `centre`. */
function span(centre: number, reach: number, from: number, count: number, s: number): [number, number] {
  return [
    Math.max(0, Math.floor((centre - reach) / s - 0.5) - from),
    Math.min(count - 1, Math.ceil((centre + reach) / s - 0.5) - from),
  ];
}

function nucleus({ random }: Slide, fields: Fields, fibres: number, i: number, j: number): Nucleus | undefined {
  const a = random.uniforms(i, j, 0, STREAM.nuclei);
  const [x, y] = [(i + a[0]) * NUCLEUS.cell, (j + a[1]) * NUCLEUS.cell];
  const strength = (field: number) => fields.squashed(field, x, y);
  if (!(a[2] < 0.08 + 0.80 * strength(FIELD.cellularity))) return undefined;
  const b = random.uniforms(i, j, 1, STREAM.nuclei);
  const n = random.normals(i, j, 2, STREAM.nuclei);
  const lymphocyte = a[3] < 0.02 + 0.70 * strength(FIELD.lymphocytes);
  const fibrosis = strength(FIELD.fibrosis);
  const chromatin = strength(FIELD.chromatin);
  const radius = lymphocyte ? 2.0 : (2.3 + 2.2 * strength(FIELD.nuclearSize)) * Math.exp(0.1 * n[0]);
  const aspect = lymphocyte ? 1 : 1.1 + 1.2 * fibrosis;
  const angle = b[1] < 0.2 + 0.7 * fibrosis ? fibres + Math.PI / 2 + 0.2 * n[1] : Math.PI * b[0];
  return {
    x,
    y,
    a: radius * Math.sqrt(aspect),
    b: radius / Math.sqrt(aspect),
    cos: Math.cos(angle),
    sin: Math.sin(angle),
    amplitude: (lymphocyte ? 1.20 : 0.45 + 0.55 * chromatin) * Math.exp(0.1 * n[2]),
    granularity: lymphocyte ? 0 : 0.6 * (1 - chromatin),
    phases: [b[2], b[3]],
  };
}

function lumen({ random }: Slide, fields: Fields, i: number, j: number): Lumen | undefined {
  const u = random.uniforms(i, j, 0, STREAM.lumens);
  const [x, y] = [(i + 0.3 + 0.4 * u[0]) * LUMEN.cell, (j + 0.3 + 0.4 * u[1]) * LUMEN.cell];
  return u[2] < 0.02 + 0.75 * fields.squashed(FIELD.lumens, x, y) ? { x, y, radius: 6 + 6 * u[3] } : undefined;
}
