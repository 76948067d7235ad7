/**
 * Polygons in well-known binary, as GeoParquet keeps them: both byte orders, with or without heights, which are left out.
 *
 * Source: OGC 06-103r4, section 8; https://libgeos.org/specifications/wkb/
 *
 * @module
 */

/** Rings of a polygon, `[n, 2]` each, closed. */
export interface Rings {
  readonly exterior: Float64Array;
  readonly holes: readonly Float64Array[];
}

const KINDS: Readonly<Record<number, string>> = {
  1: "a point",
  2: "a line",
  3: "a polygon",
  4: "points",
  5: "lines",
  6: "several polygons",
  7: "a collection",
};

/**
 * Reads a polygon or several.
 *
 * @param fail Makes an error of what was found and what was expected.
 */
export function polygonsOfWkb(bytes: Uint8Array, fail: (found: string, expected: string) => Error): Rings[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const take = (count: number): number => {
    if (at + count > bytes.length) {
      throw fail(`${bytes.length} bytes of geometry`, `${at + count} or more`);
    }
    at += count;
    return at - count;
  };
  const begin = (): { little: boolean; kind: number; width: number } => {
    const order = view.getUint8(take(1));
    if (order > 1) throw fail(`byte order ${order}`, "0 or 1");
    const little = order === 1;
    const code = view.getUint32(take(4), little);
    // EWKB marks height, measure and reference system by bits, ISO by thousands.
    if (code & 0x20000000) take(4);
    const [plain, thousands] = [(code & 0x0fffffff) % 1000, Math.floor((code & 0x0fffffff) / 1000)];
    if (thousands > 3) throw fail(`geometry of type ${code}`, "a polygon");
    const heights = (code & 0x80000000 ? 1 : 0) + (code & 0x40000000 ? 1 : 0);
    return { little, kind: plain, width: 2 + heights + [0, 1, 1, 2][thousands]! };
  };
  const polygon = ({ little, width }: { little: boolean; width: number }): Rings => {
    const count = view.getUint32(take(4), little);
    const rings: Float64Array[] = [];
    for (let ring = 0; ring < count; ring++) {
      const points = view.getUint32(take(4), little);
      const from = take(points * width * 8);
      const out = new Float64Array(2 * points);
      for (let i = 0; i < points; i++) {
        out[2 * i] = view.getFloat64(from + i * width * 8, little);
        out[2 * i + 1] = view.getFloat64(from + i * width * 8 + 8, little);
      }
      if (!out.every(Number.isFinite)) throw fail("a corner that is not finite", "numbers");
      if (points < 4) throw fail(`a ring of ${points} points`, "4 or more, the last as the first");
      rings.push(out);
    }
    if (rings.length === 0) throw fail("a polygon without rings", "an outline");
    return { exterior: rings[0]!, holes: rings.slice(1) };
  };
  const first = begin();
  if (first.kind === 3) return [polygon(first)];
  if (first.kind !== 6) throw fail(KINDS[first.kind] ?? `geometry of type ${first.kind}`, "a polygon");
  const count = view.getUint32(take(4), first.little);
  const out: Rings[] = [];
  for (let i = 0; i < count; i++) {
    const part = begin();
    if (part.kind !== 3) throw fail(KINDS[part.kind] ?? `geometry of type ${part.kind}`, "a polygon");
    out.push(polygon(part));
  }
  return out;
}

/**
 * Reads a point; undefined where the geometry is another.
 *
 * @param fail As for {@linkcode polygonsOfWkb}.
 */
export function pointOfWkb(
  bytes: Uint8Array,
  fail: (found: string, expected: string) => Error,
): [x: number, y: number] | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 5) throw fail(`${bytes.length} bytes of geometry`, "5 or more");
  const little = view.getUint8(0) === 1;
  // Kinds with heights and measures differ by thousands, or in their upper bits.
  if ((view.getUint32(1, little) & 0x0fffffff) % 1000 !== 1) return undefined;
  if (bytes.length < 21) throw fail(`${bytes.length} bytes of a point`, "21 or more");
  const [x, y] = [view.getFloat64(5, little), view.getFloat64(13, little)];
  if (!Number.isFinite(x) || !Number.isFinite(y)) throw fail("a point that is not finite", "numbers");
  return [x, y];
}

/** A polygon in well-known binary, little-endian. */
export function wkbOfPolygon({ exterior, holes }: Rings): Uint8Array {
  const rings = [exterior, ...holes];
  const out = new DataView(new ArrayBuffer(rings.reduce((sum, ring) => sum + 4 + 8 * ring.length, 9)));
  out.setUint8(0, 1);
  out.setUint32(1, 3, true);
  out.setUint32(5, rings.length, true);
  let at = 9;
  for (const ring of rings) {
    out.setUint32(at, ring.length / 2, true);
    at += 4;
    for (const value of ring) {
      out.setFloat64(at, value, true);
      at += 8;
    }
  }
  return new Uint8Array(out.buffer);
}

/** A point in well-known binary, little-endian. */
export function wkbOfPoint(x: number, y: number): Uint8Array {
  const out = new DataView(new ArrayBuffer(21));
  out.setUint8(0, 1);
  out.setUint32(1, 1, true);
  out.setFloat64(5, x, true);
  out.setFloat64(13, y, true);
  return new Uint8Array(out.buffer);
}
