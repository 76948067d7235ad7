/** A section of the folder that `convert st` makes of HER2ST, as the table and its choice of genes take it. */

import { logNormalize } from "../../src/data/genes/normalise.ts";
import { readSampleTable } from "../../src/data/sample.ts";
import { disk } from "../../src/io/fs.ts";
import { H5ad } from "../../src/io/hdf5/h5ad.ts";
import { namedSamples } from "../../src/run/named_samples.ts";

/** Names, ln(1 + counts per ten thousand) over all genes, `[spots, genes]`, and centres in µm, x then y. */
export async function readSection(data: string, id: string) {
  const { expression, metadata } = namedSamples(data, [id])[0]!;
  const file = await H5ad.open(disk.open(expression, "read"));
  try {
    const { counts: { spots, genes, matrix }, spatial } = readSampleTable(id, file, metadata);
    const places = spatial!.xy.map((pixels) => pixels * metadata!.pixelSize);
    return { id, barcodes: spots, genes, places, matrix: logNormalize(matrix) };
  } finally {
    file.close();
  }
}
