/**
 * HER2ST patient C as a stack: sections C2 to C5 laid on C3 by the footprints of their spots, at 2 µm a pixel, 16 µm apart. Writes
 * `stack.json` with its voxels, and `places.json` with the spots of each section in µm of the stack.
 *
 *   deno task convert st her2st --out data/cache/her2st_public --mpp 1 --wsi none --title HER2ST --patient C
 *   deno run --allow-read --allow-write=data/cache scripts/methods/vortex/her2st_stack.ts --images her2st/images \
 *     [--data data/cache/her2st_public] [--out data/cache/her2st_stack]
 */

import { parseArgs } from "node:util";
import { fitRigid, move, type PlanePoint as Place, type Rigid } from "../../../src/core/rigid.ts";
import { disk } from "../../../src/io/fs.ts";
import { openJpegRgb } from "../../../src/io/image/raster.ts";
import { namedSamples } from "../../../src/run/named_samples.ts";
import { readSection } from "../../her2st/section.ts";

const { values } = parseArgs({
  options: {
    images: { type: "string" },
    data: { type: "string", default: "data/cache/her2st_public" },
    out: { type: "string", default: "data/cache/her2st_stack" },
  },
});

/** Sections in their order, and the one the others are laid on. */
const SECTIONS = ["C2", "C3", "C4", "C5"];
const BASE = 1;
/** µm of a pixel, between sections, and around the spots. */
const [PIXEL, APART, MARGIN] = [2, 16, 400];
/** Points of a pixel along an axis, of which it is the mean. */
const POINTS = 3;

type Move = Pick<Rigid, "angle" | "shift">;

/** One move behind another. */
const after = (second: Move, first: Move): Move => ({
  angle: first.angle + second.angle,
  shift: move(second, first.shift),
});

const sections = await Promise.all(SECTIONS.map((id) => readSection(values.data, id)));
const places = sections.map(({ places }) =>
  Array.from({ length: places.length / 2 }, (_, i): Place => [places[2 * i]!, places[2 * i + 1]!])
);
// Each is laid on its neighbour towards the base.
const moves: Move[] = places.map(() => ({ angle: 0, shift: [0, 0] }));
for (const i of [BASE - 1, BASE + 1, BASE + 2]) {
  const next = i < BASE ? i + 1 : i - 1;
  const fit = fitRigid(places[i]!, places[next]!);
  moves[i] = after(moves[next]!, fit);
  console.error(
    `${SECTIONS[i]} on ${SECTIONS[next]}: ${(fit.angle * 180 / Math.PI).toFixed(1)} degrees, ` +
      `spots ${Math.sqrt(fit.cost / 2).toFixed(0)} µm off the nearest`,
  );
}
const laid = places.map((of, i) => of.map((place) => move(moves[i]!, place)));
const all = laid.flat();
const axis = (a: 0 | 1) => all.map((place) => place[a]);
const corner: Place = [Math.min(...axis(0)) - MARGIN, Math.min(...axis(1)) - MARGIN];
const extent = ([0, 1] as const).map((a) => Math.ceil((Math.max(...axis(a)) + MARGIN - corner[a]) / PIXEL));
const [width, height] = extent as [number, number];

/** A section's picture on the grid of the stack. */
function laidPicture(id: string, { angle, shift }: Move): Uint8Array<ArrayBuffer> {
  const name = `${values.images}/${id}.jpg`;
  const { width: columns, height: rows, readRows } = openJpegRgb(Deno.readFileSync(name), name, 2 ** 28);
  const data = new Uint8Array(columns * rows * 3);
  readRows(0, rows, data, 0);
  const { pixelSize } = namedSamples(values.data, [id])[0]!.metadata!;
  const [cos, sin] = [Math.cos(angle) / pixelSize, Math.sin(angle) / pixelSize];
  const out = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let [red, green, blue] = [0, 0, 0];
      for (let p = 0; p < POINTS * POINTS; p++) {
        const u = corner[0] + (x + (p % POINTS - (POINTS - 1) / 2) / POINTS) * PIXEL - shift[0];
        const v = corner[1] + (y + (Math.floor(p / POINTS) - (POINTS - 1) / 2) / POINTS) * PIXEL - shift[1];
        const column = Math.min(columns - 1, Math.max(0, Math.round(cos * u + sin * v)));
        const row = Math.min(rows - 1, Math.max(0, Math.round(cos * v - sin * u)));
        const at = (row * columns + column) * 3;
        red += data[at]!;
        green += data[at + 1]!;
        blue += data[at + 2]!;
      }
      [red, green, blue].forEach((sum, c) => out[(y * width + x) * 3 + c] = Math.round(sum / POINTS ** 2));
    }
  }
  return out;
}

Deno.mkdirSync(values.out, { recursive: true });
const voxels = new Uint8Array(SECTIONS.length * width * height * 3);
SECTIONS.forEach((id, z) => {
  voxels.set(laidPicture(id, moves[z]!), z * width * height * 3);
  console.error(`${id} laid: ${new Date().toISOString()}`);
});
Deno.writeFileSync(`${values.out}/stack.raw`, voxels);
const header = {
  ...{ data: "stack.raw", shape: [SECTIONS.length, height, width], spacing_um: [APART, PIXEL, PIXEL], dtype: "u8" },
  channels: ["red", "green", "blue"],
};
disk.write(`${values.out}/stack.json`, JSON.stringify(header, undefined, 2) + "\n");
const spots = laid.map((of) =>
  of.map(([x, y]) => [x - corner[0], y - corner[1]].map((um) => Math.round(um * 100) / 100))
);
disk.write(
  `${values.out}/places.json`,
  JSON.stringify(Object.fromEntries(SECTIONS.map((id, i) => [id, spots[i]]))) + "\n",
);
