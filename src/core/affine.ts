/**
 * Affine maps of the plane: where they put points, how they stretch, and the one that fits pairs of points best.
 *
 * @module
 */

/** A map: x' = a x + b y + c, y' = d x + e y + f. */
export type Affine = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

/** A point, and where a map is to put it. */
export type PointPair = readonly [x: number, y: number, u: number, v: number];

/** The map that fits pairs of points best. */
export interface AffineFit {
  readonly map: Affine;
  /** How far it puts the points from where they are to be, root mean square. */
  readonly residual: number;
}

/** Where a map puts a point. */
export function mapPoint([a, b, c, d, e, f]: Affine, x: number, y: number): [x: number, y: number] {
  return [a * x + b * y + c, d * x + e * y + f];
}

/** Side of the unit square as the map stretches it: the root of the area of its image. */
export function stretchOf([a, b, , d, e]: Affine): number {
  return Math.sqrt(Math.abs(a * e - b * d));
}

/** Larger over smaller stretch: 1 where both axes have one scale, infinite or NaN where the plane is folded to a line. */
export function anisotropyOf(map: Affine): number {
  const [a, b, , d, e] = map;
  // Singular values p >= q: p q = area, p² + q² = squares.
  const area = stretchOf(map) ** 2;
  const squares = a * a + b * b + d * d + e * e;
  const spread = Math.sqrt(Math.max(0, squares * squares - 4 * area * area));
  return Math.sqrt((squares + spread) / (squares - spread));
}

/** The way back. The map must not fold the plane. */
export function inverseOf([a, b, c, d, e, f]: Affine): Affine {
  const determinant = a * e - b * d;
  const [p, q, r, s] = [e / determinant, -b / determinant, -d / determinant, a / determinant];
  return [p, q, -(p * c + q * f), r, s, -(r * c + s * f)];
}

/**
 * Least squares over pairs of points; undefined where there are fewer than three points, or all lie on one line.
 *
 * @param pair The i-th of `count` pairs; it is asked twice for each.
 */
export function fitAffine(count: number, pair: (i: number) => PointPair): AffineFit | undefined {
  let [mx, my, mu, mv] = [0, 0, 0, 0];
  for (let i = 0; i < count; i++) {
    const [x, y, u, v] = pair(i);
    mx += x / count;
    my += y / count;
    mu += u / count;
    mv += v / count;
  }
  let [xx, xy, yy, xu, yu, xv, yv, uv] = [0, 0, 0, 0, 0, 0, 0, 0];
  for (let i = 0; i < count; i++) {
    const at = pair(i);
    const [x, y, u, v] = [at[0] - mx, at[1] - my, at[2] - mu, at[3] - mv];
    xx += x * x;
    xy += x * y;
    yy += y * y;
    xu += x * u;
    yu += y * u;
    xv += x * v;
    yv += y * v;
    uv += u * u + v * v;
  }
  const determinant = xx * yy - xy * xy;
  if (count < 3 || !(determinant > 1e-9 * xx * yy)) return undefined;
  const [a, b] = [(xu * yy - yu * xy) / determinant, (yu * xx - xu * xy) / determinant];
  const [d, e] = [(xv * yy - yv * xy) / determinant, (yv * xx - xv * xy) / determinant];
  return {
    map: [a, b, mu - a * mx - b * my, d, e, mv - d * mx - e * my],
    residual: Math.sqrt(Math.max(0, uv - (a * xu + b * yu + d * xv + e * yv)) / count),
  };
}
