/**
 * Footprints laid on each other by a rotation and a shift: what serial sections of one block share is their outline.
 *
 * @module
 */

/** A place, in any unit that both sections share. */
export type PlanePoint = readonly [x: number, y: number];

/** x -> R x + t with R by the angle. */
export interface Rigid {
  /** Radians. */
  readonly angle: number;
  readonly shift: PlanePoint;
  /** Mean squared distance to the nearest spot, both ways added, in the unit of places, squared. */
  readonly cost: number;
}

/** Moves a place. */
export function move({ angle, shift: [tx, ty] }: Pick<Rigid, "angle" | "shift">, [x, y]: PlanePoint): PlanePoint {
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  return [c * x - s * y + tx, s * x + c * y + ty];
}

function centre(places: readonly PlanePoint[]): PlanePoint {
  const sum = places.reduce(([a, b], [x, y]) => [a + x, b + y] as PlanePoint, [0, 0]);
  return [sum[0] / places.length, sum[1] / places.length];
}

function nearest(to: readonly PlanePoint[], [x, y]: PlanePoint): { index: number; squared: number } {
  let [index, squared] = [0, Infinity];
  to.forEach(([u, v], i) => {
    const d = (u - x) ** 2 + (v - y) ** 2;
    if (d < squared) [index, squared] = [i, d];
  });
  return { index, squared };
}

/** Least squares: rotation and shift from pairs of places. */
function solve(pairs: readonly (readonly [PlanePoint, PlanePoint])[]): Pick<Rigid, "angle" | "shift"> {
  const [[ax, ay], [bx, by]] = [centre(pairs.map(([a]) => a)), centre(pairs.map(([, b]) => b))];
  let [dot, cross] = [0, 0];
  for (const [[x, y], [u, v]] of pairs) {
    dot += (x - ax) * (u - bx) + (y - ay) * (v - by);
    cross += (x - ax) * (v - by) - (y - ay) * (u - bx);
  }
  const angle = Math.atan2(cross, dot);
  const [mx, my] = move({ angle, shift: [0, 0] }, [ax, ay]);
  return { angle, shift: [bx - mx, by - my] };
}

/** Spots that footprints are laid on each other by, at most: every one is compared with every other, many times. */
const FITTED = 400;

/** At most so many places, evenly in their order. */
function some(places: readonly PlanePoint[]): readonly PlanePoint[] {
  const count = Math.min(places.length, FITTED);
  return Array.from({ length: count }, (_, i) => places[Math.floor(i * places.length / count)]!);
}

/**
 * Lays one footprint on another: iterated closest points, each spot of either paired with the nearest of the other, from
 * rotations of -30 to 30 degrees; the best end wins.
 */
export function fitRigid(allFrom: readonly PlanePoint[], allTo: readonly PlanePoint[]): Rigid {
  const [from, to] = [some(allFrom), some(allTo)];
  let best: Rigid | undefined;
  for (let degrees = -30; degrees <= 30; degrees += 5) {
    const angle = degrees * Math.PI / 180;
    const [[cx, cy], [mx, my]] = [centre(to), move({ angle, shift: [0, 0] }, centre(from))];
    let now: Pick<Rigid, "angle" | "shift"> = { angle, shift: [cx - mx, cy - my] };
    for (let round = 0; round < 60; round++) {
      const moved = from.map((place) => move(now, place));
      const next = solve([
        ...from.map((place, i) => [place, to[nearest(to, moved[i]!).index]!] as const),
        ...to.map((place) => [from[nearest(moved, place).index]!, place] as const),
      ]);
      const change = Math.abs(next.angle - now.angle) +
        Math.hypot(next.shift[0] - now.shift[0], next.shift[1] - now.shift[1]);
      now = next;
      if (change < 1e-7) break;
    }
    const moved = from.map((place) => move(now, place));
    const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
    const cost = mean(moved.map((place) => nearest(to, place).squared)) +
      mean(to.map((place) => nearest(moved, place).squared));
    if (best === undefined || cost < best.cost) best = { ...now, cost };
  }
  return best!;
}
