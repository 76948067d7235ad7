/**
 * Mean + logistic on 50 folds by the command `mil`: 300 bags of 2,000 tiles of 768 numbers, of which a few files are the content, each
 * under many names. Appends a record to `bench/results/mil.jsonl`.
 *
 * ```sh
 * deno run -A bench/methods/mil/folds.ts [--bags 300] [--tiles 2000] [--folds 50] [--folder DIR] [--dry]
 * ```
 *
 * @module
 */

import { Rng } from "../../../src/core/rng.ts";
import { writeFeatures } from "../../../src/embed/formats.ts";
import { disk } from "../../../src/io/fs.ts";
import { flag } from "../../harness.ts";
import { commanded, record, workFolder } from "./command.ts";

const [bags, tiles, folds] = [["--bags", 300], ["--tiles", 2000], ["--folds", 50]].map(([name, otherwise]) =>
  Number(flag(String(name)) ?? otherwise)
) as [number, number, number];
const [DIM, FILES] = [768, 12];

const folder = workFolder();
Deno.mkdirSync(`${folder}/features`, { recursive: true });
const noise = new Rng(1).normals(1 << 20);
const lines = ["slide_id\tcase_id\tlabel"];
for (let bag = 0; bag < bags; bag++) {
  const path = `${folder}/features/bag${bag}.h5`;
  const [file, label] = [bag % FILES, bag % 2];
  if (bag < FILES) {
    const table = { count: tiles, dim: DIM, attributes: { encoder: "made" } };
    await writeFeatures(disk, path, "h5", table, (from, to) => {
      const at = (k: number) => noise[(k + 104_729 * file) & 0xfffff]! + (k % DIM < 8 ? 0.02 * label : 0);
      return Float32Array.from({ length: (to - from) * DIM }, (_, i) => at(from * DIM + i));
    });
  } else Deno.linkSync(`${folder}/features/bag${file}.h5`, path);
  // A fifth of the labels are wrong, so that there is something to fit.
  lines.push(`bag${bag}\tcase${bag}\t${bag % 5 === 0 ? 1 - label : label}`);
}
disk.write(`${folder}/labels.tsv`, lines.join("\n") + "\n");
const split = `${folder}/split`;
const drawn = ["--stratify", "label", "--folds", String(folds), "--test-fraction", "0.2"];
await commanded(["split", "--labels", `${folder}/labels.tsv`, "--task-col", "label", ...drawn, "--out", split], folder);
const inputs = ["--features", `${folder}/features`, "--split", `${split}/k=all.tsv`, "--task", `${split}/config.yaml`];
const { said: _, ...facts } = await commanded(["mil", ...inputs, "--model", "mean", "--out", `${folder}/out`], folder);
await record({ case: `mean + logistic, ${folds} folds of ${bags} bags of ${tiles} tiles of ${DIM}`, ...facts });
