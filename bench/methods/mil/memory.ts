/**
 * Memory of the command `mil` by the size of bags: eight bags of as many tiles each, half of them tested on, with no cache of
 * rows and with one of a fixed size. Most memory of the process, of a software adapter with the device's. Appends a record a
 * run to `bench/results/mil.jsonl`.
 *
 * ```sh
 * deno run -A bench/methods/mil/memory.ts [--tiles 4000,25000,100000] [--dim 64] [--cache 0,0.0625] [--folder DIR] [--dry]
 * ```
 *
 * @module
 */

import { Rng } from "../../../src/core/rng.ts";
import { writeFeatures } from "../../../src/embed/formats.ts";
import { disk } from "../../../src/io/fs.ts";
import { flag } from "../../harness.ts";
import { commanded, record, workFolder } from "./command.ts";

const BAGS = 8;
const dim = Number(flag("--dim") ?? 64);
const numbers = (name: string, otherwise: string) => (flag(name) ?? otherwise).split(",").map(Number);

/** Writes bags that half of the tiles tell apart; rows are made again in each block, so that bags of any size can be. */
async function writeBags(folder: string, tiles: number): Promise<void> {
  Deno.mkdirSync(`${folder}/features`, { recursive: true });
  const lines = ["slide_id\tcase_id\tlabel\tfold_0"];
  const noise = new Rng(1).normals(1 << 16);
  for (let bag = 0; bag < BAGS; bag++) {
    const name = `bag${bag}`;
    lines.push(`${name}\tcase_${name}\t${bag % 2 ? "high" : "low"}\t${bag < BAGS / 2 ? "train" : "test"}`);
    const side = Math.ceil(Math.sqrt(tiles));
    const coords = Int32Array.from({ length: 2 * tiles }, (_, k) => {
      return 256 * (k % 2 ? Math.floor((k >> 1) / side) : (k >> 1) % side);
    });
    const coordsAttributes = { patch_size: 256, patch_size_level0: 256 };
    const table = { count: tiles, dim, attributes: { encoder: "made" }, coords, coordsAttributes };
    await writeFeatures(disk, `${folder}/features/${name}.h5`, "h5", table, (from, to) => {
      const at = (k: number) => noise[(k + 7919 * bag) & 0xffff]! + (k % dim === 0 ? bag % 2 : 0);
      return Float32Array.from({ length: (to - from) * dim }, (_, i) => at(from * dim + i));
    });
  }
  disk.write(`${folder}/k=all.tsv`, lines.join("\n") + "\n");
  disk.write(`${folder}/config.yaml`, "task_col: label\nsample_col: case_id\n");
}

const folder = workFolder();
for (const tiles of numbers("--tiles", "4000,25000,100000")) {
  const own = `${folder}/${tiles}`;
  await writeBags(own, tiles);
  for (const cache of numbers("--cache", "0,0.0625")) {
    const out = `${own}/out_${cache}`;
    const inputs = ["--features", `${own}/features`, "--split", `${own}/k=all.tsv`, "--task", `${own}/config.yaml`];
    const keys = ["hidden=64", "epochs=3", `cache_budget=${cache}`];
    const args = ["mil", ...inputs, "--model", "abmil", "--out", out, "--overwrite", ...keys];
    const { command, seconds, peakBytes, code } = await commanded(args, own);
    const bytes = 4 * tiles * dim;
    await record({
      case: `${BAGS} bags of ${tiles} tiles of ${dim}, cache of ${Math.round(1024 * cache)} MiB`,
      ...{ command, code, seconds, bagBytes: bytes, peakBytes, peakMiB: Math.round(peakBytes / 2 ** 20) },
    });
  }
  Deno.removeSync(own, { recursive: true });
}
