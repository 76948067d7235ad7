/** Serial sections whose places on the first one are known: pictures, spots, tables. */

import { type Affine, inverseOf, mapPoint } from "../../../src/core/affine.ts";
import { Rng } from "../../../src/core/rng.ts";
import { disk } from "../../../src/io/fs.ts";
import { H5Writer } from "../../../src/io/hdf5/h5_write.ts";
import { encode, writeH5ad } from "../../../src/io/hdf5/h5ad_write.ts";
import { writeTiff } from "../../../src/io/image/tiff_write.ts";

/** µm between sections, µm of a pixel, pixels of a picture. */
export const [STEP, PIXEL, SIDE] = [16, 4, 120] as const;

/** Genes of the sections. */
export const SERIAL_GENES = ["OWN", "NEXT", "NOISE"];

/** Where a section's places lie on the first: turned a little, and shifted. */
export function mapOf(k: number): Affine {
  const angle = 0.06 * k;
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  return [c, -s, 9 * k, s, c, -6 * k];
}

/** Density of tissue at a place of a slice, 0 to 1; 0 where there is none. */
export function density(seed: number, x: number, y: number, k: number): number {
  const span = PIXEL * SIDE;
  if ((x - 0.5 * span) ** 2 / 0.16 + (y - 0.5 * span) ** 2 / 0.09 > span * span) return 0;
  const wave = Math.sin(x / 45 + 1.7 * k + seed) * Math.cos(y / 38 - 1.1 * k);
  return 0.5 + 0.4 * wave;
}

/** Spots of a footprint without symmetry, µm on the first section. */
function footprint(): [number, number][] {
  const places: [number, number][] = [];
  for (let j = 0; j < 12; j++) {
    for (let i = 0; i < 14; i++) {
      const [x, y] = [80 + 24 * i + (j % 2) * 12, 110 + 22 * j];
      if (density(0, x, y, 0) > 0 && !(i > 9 && j < 4)) places.push([x, y]);
    }
  }
  return places;
}

/** Writes spots of a section with what they express. */
export async function writeSerialSpots(path: string, seed: number, k: number): Promise<void> {
  const back = inverseOf(mapOf(k));
  const places = footprint();
  const rng = new Rng(seed, k);
  const values = Float32Array.from(places.flatMap(([x, y]) => [
    Math.round(100 + 200 * density(seed, x, y, k)),
    Math.round(100 + 150 * (1 + density(seed, x, y, k + 1) - density(seed, x, y, k - 1))),
    Math.round(50 + 50 * rng.uniform()),
  ]));
  const xy = places.flatMap(([x, y]) => mapPoint(back, x, y).map((um) => um / PIXEL));
  const begin = await H5Writer.prepare();
  disk.writeAnywhere(path, (file) => {
    const h5 = begin(file);
    writeH5ad(h5, {
      obs: { index: places.map((_, i) => `spot${i}`) },
      var: { index: SERIAL_GENES },
      x(h5, place) {
        h5.dataset(place, "f4", [places.length, SERIAL_GENES.length], values);
        encode(h5, place, "array", "0.2.0");
      },
      obsm: { spatial: { shape: [places.length, 2], values: Float64Array.from(xy) } },
    });
    h5.close();
  });
}

/** Writes the picture of a section: white where there is no tissue, else purple by its density. */
export function writePicture(path: string, seed: number, k: number): void {
  const map = mapOf(k);
  const rows = (top: number, count: number) => {
    const out = new Uint8Array(count * SIDE * 3);
    for (let i = 0; i < count * SIDE; i++) {
      const [x, y] = mapPoint(map, i % SIDE * PIXEL, (top + Math.floor(i / SIDE)) * PIXEL);
      const d = density(seed, x, y, k);
      out.set(d === 0 ? [255, 255, 255] : [200 - 120 * d, 150 - 100 * d, 210 - 60 * d].map(Math.round), 3 * i);
    }
    return out;
  };
  writeTiff(disk, path, { width: SIDE, height: SIDE, pixelSize: PIXEL, rows });
}

/** Writes a stack's pictures, spots and table. @returns Lines of the table. */
export async function writeStack(folder: string, name: string, seed: number, count: number): Promise<string[]> {
  const lines: string[] = [];
  for (let k = 0; k < count; k++) {
    writePicture(`${folder}/${name}${k}.tif`, seed, k);
    await writeSerialSpots(`${folder}/${name}${k}.h5ad`, seed, k);
    lines.push([`${name}${k}.tif`, 100 + STEP * k, PIXEL, `p${name}`, `${name}${k}.h5ad`].join("\t"));
  }
  writeStackTable(`${folder}/${name}.tsv`, lines);
  return lines;
}

/** Writes the table of a stack. */
export function writeStackTable(path: string, lines: readonly string[]): void {
  disk.write(path, ["image\tz\tum_per_px\tpatient\tspots", ...lines].join("\n") + "\n");
}
