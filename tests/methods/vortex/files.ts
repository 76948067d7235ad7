/** Phantoms as files: raw voxels with their header, a section an h5ad, the table of volumes. */

import { H5Writer } from "../../../src/io/hdf5/h5_write.ts";
import { encode, writeH5ad } from "../../../src/io/hdf5/h5ad_write.ts";
import { disk } from "../../../src/io/fs.ts";
import { type Phantom, PHANTOM_GENES, type PhantomSpot, sectionOf } from "../../../scripts/methods/vortex/phantom.ts";

/** Writes a volume's voxels and header; gives the header's path. */
export function writeVolume(folder: string, { name, volume }: Phantom, voxels: Float32Array): string {
  Deno.writeFileSync(`${folder}/${name}.raw`, new Uint8Array(voxels.buffer as ArrayBuffer));
  const header = { data: `${name}.raw`, shape: volume.shape, spacing_um: volume.spacing, dtype: "f32" };
  Deno.writeTextFileSync(`${folder}/${name}.json`, JSON.stringify(header));
  return `${folder}/${name}.json`;
}

/** Voxels of a phantom. */
export async function voxelsOf({ volume }: Phantom): Promise<Float32Array> {
  const [depth, rows, columns] = volume.shape;
  return await volume.readBox(0, depth, 0, rows, 0, columns) as Float32Array;
}

/** Writes a section's spots as counts, with places in µm. @param depth Whether places have z. */
export async function writeSection(
  path: string,
  { volume: { spacing } }: Phantom,
  spots: readonly PhantomSpot[],
  { depth = true, genes = PHANTOM_GENES, shift = 0 }: { depth?: boolean; genes?: readonly string[]; shift?: number } =
    {},
): Promise<void> {
  const places = spots.flatMap(({ at: [z, y, x] }) => [
    ...[x * spacing[2] + shift, y * spacing[1]],
    ...depth ? [z * spacing[0]] : [],
  ]);
  const values = Float32Array.from(
    spots.flatMap(({ values }) =>
      genes.map((gene) => Math.round(100 * Math.exp(0.3 * values[PHANTOM_GENES.indexOf(gene)]!)))
    ),
  );
  const begin = await H5Writer.prepare();
  disk.writeAnywhere(path, (file) => {
    const h5 = begin(file);
    writeH5ad(h5, {
      obs: { index: spots.map((_, i) => `spot${i}`) },
      var: { index: genes },
      x(h5, place) {
        h5.dataset(place, "f4", [spots.length, genes.length], values);
        encode(h5, place, "array", "0.2.0");
      },
      obsm: { spatial: { shape: [spots.length, depth ? 3 : 2], values: Float64Array.from(places) } },
    });
    h5.close();
  });
}

/** Some spots of a section. */
export function fewSpots(phantom: Phantom, z: number, every: number): PhantomSpot[] {
  return sectionOf(phantom, z, 0.5, 1).filter((_, i) => i % every === 0);
}
