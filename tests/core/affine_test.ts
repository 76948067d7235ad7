import assert from "node:assert/strict";
import {
  type Affine,
  anisotropyOf,
  fitAffine,
  inverseOf,
  mapPoint,
  type PointPair,
  stretchOf,
} from "../../src/core/affine.ts";

const MAP: Affine = [0.3, -2, 700, 1.5, 0.4, -90];
const POINTS = [[0, 0], [1000, 20], [-30, 800], [512, 512], [77, -300]] as const;

const near = (found: readonly number[], wanted: readonly number[], most = 1e-9) =>
  found.forEach((value, k) => assert.ok(Math.abs(value - wanted[k]!) <= most, `${found} and ${wanted}`));

Deno.test("fitAffine() finds the map of exact points, and none of points on a line or fewer than three", () => {
  const pairs = POINTS.map(([x, y]): PointPair => [x, y, ...mapPoint(MAP, x, y)]);
  const fit = fitAffine(pairs.length, (i) => pairs[i]!)!;
  near(fit.map, MAP);
  near([fit.residual], [0], 1e-4);
  assert.equal(fitAffine(2, (i) => pairs[i]!), undefined);
  assert.equal(fitAffine(4, (i) => [i, 2 * i, i, i * i]), undefined);
  assert.equal(fitAffine(4, () => [7, 7, 7, 7]), undefined);
  assert.equal(fitAffine(4, () => [NaN, 7, 7, 7]), undefined);
});

Deno.test("fitAffine() is least squares: any other map is farther off, and the residual is its distance", () => {
  const noise = [[3, -1], [-2, 2], [1, 4], [-5, 0], [2, -3]];
  const pairs = POINTS.map(([x, y], i): PointPair => {
    const [u, v] = mapPoint(MAP, x, y);
    return [x, y, u + noise[i]![0]!, v + noise[i]![1]!];
  });
  const off = (map: Affine) =>
    Math.sqrt(
      pairs.reduce((sum, [x, y, u, v]) => {
        const [p, q] = mapPoint(map, x, y);
        return sum + (p - u) ** 2 + (q - v) ** 2;
      }, 0) / pairs.length,
    );
  const { map, residual } = fitAffine(pairs.length, (i) => pairs[i]!)!;
  near([residual], [off(map)], 1e-6);
  for (let k = 0; k < 6; k++) {
    for (const step of [-1e-3, 1e-3]) {
      const other = map.map((value, j) => j === k ? value + step * (j % 3 === 2 ? 1000 : 1) : value);
      assert.ok(off(other as unknown as Affine) > residual);
    }
  }
});

Deno.test("stretch, anisotropy and the way back", () => {
  const turned: Affine = [2 * Math.cos(1), -2 * Math.sin(1), 5, 2 * Math.sin(1), 2 * Math.cos(1), 6];
  near([stretchOf(turned), anisotropyOf(turned)], [2, 1], 1e-7);
  near([stretchOf([6, 0, 1, 0, -1.5, 1]), anisotropyOf([6, 0, 1, 0, -1.5, 1])], [3, 4]);
  assert.ok(!(anisotropyOf([1, 1, 0, 1, 1, 0]) < 1e6));
  for (const map of [MAP, turned]) {
    for (const [x, y] of POINTS) near(mapPoint(inverseOf(map), ...mapPoint(map, x, y)), [x, y]);
  }
});
