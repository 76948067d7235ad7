/**
 * A small task in the layout of HEST-Benchmark and two sets of features for it, the same on every machine.
 *
 * `deno run -A tests/eval/bench_inputs.ts DIR` writes them for `tests/python/hest_bench.py`.
 */

import { planSynth } from "../../src/data/synth/plan.ts";
import { writeSynth } from "../../src/data/synth/write.ts";
import { FEATURE_FORMATS } from "../../src/embed/formats.ts";
import { H5File } from "../../src/io/hdf5/h5.ts";
import { H5ad } from "../../src/io/hdf5/h5ad.ts";
import { disk } from "../../src/io/fs.ts";
import { openPatches } from "../../src/io/patches.ts";
import { noise } from "./inputs.ts";

/** Fields of a set of features, and columns of noise beside them. */
const SETS = { oracle: { fields: 8, noise: 12 }, visible: { fields: 6, noise: 90 } } as const;

/** Writes `DIR/bench/SYN` and `DIR/features/{oracle,visible}`. */
export async function writeBenchInputs(folder: string): Promise<void> {
  const makeFolder = (path: string) => Deno.mkdirSync(path, { recursive: true });
  makeFolder(`${folder}/bench`);
  const plan = planSynth({ profile: "bench", slides: 8, rows: 5, cols: 10 });
  const record = await writeSynth(disk, `${folder}/bench`, plan, { makeFolder });
  for (const [s, { id }] of record!.samples.entries()) {
    const patches = await openPatches(disk.open(`${folder}/bench/SYN/patches/${id}.h5`, "read"));
    const barcodes = [...patches.barcodes!];
    patches.close();
    const expression = await H5ad.open(disk.open(`${folder}/bench/SYN/adata/${id}.h5ad`, "read"));
    const rows = new Map(expression.obs.index.map((name, row) => [name, row]));
    expression.close();
    const truth = await H5File.open(disk.open(`${folder}/bench/truth/${id}.h5`, "read"));
    const fields = truth.numbers("/F");
    truth.close();
    for (const [name, set] of Object.entries(SETS)) {
      makeFolder(`${folder}/features/${name}`);
      const dim = set.fields + set.noise;
      const extra = noise(20 + s, barcodes.length, set.noise).data;
      const data = Float32Array.from({ length: barcodes.length * dim }, (_, at) => {
        const [row, column] = [Math.floor(at / dim), at % dim];
        return column < set.fields
          ? fields[8 * rows.get(barcodes[row]!)! + column]!
          : extra[row * set.noise + column - set.fields]!;
      });
      const table = {
        count: barcodes.length,
        dim,
        attributes: { encoder: name },
        rowNames: { kind: "barcode", values: barcodes },
      } as const;
      await FEATURE_FORMATS.h5(
        disk,
        `${folder}/features/${name}/${id}.h5`,
        table,
        (from, to) => data.subarray(from * dim, to * dim),
      );
    }
  }
}

if (import.meta.main) await writeBenchInputs(Deno.args[0]!);
