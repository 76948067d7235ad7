/**
 * The 50 genes that the serial-section table is of: those of most variance of ln(1 + counts per ten thousand) over the spots of
 * `--from`, of those that more than a tenth of these spots show and all sections have. Writes `panel.txt` into the folder.
 *
 *   deno task convert st her2st --out data/cache/her2st_public --mpp 1 --wsi none --title HER2ST --patient C
 *   deno run --allow-read --allow-write=data/cache scripts/her2st/panel.ts [--data data/cache/her2st_public] [--sections C2,C3,C4,C5] [--from C2,C3,C4]
 */

import { parseArgs } from "node:util";
import { visitRow } from "../../src/data/matrix.ts";
import { disk } from "../../src/io/fs.ts";
import { readSection } from "./section.ts";

const { values } = parseArgs({
  options: {
    data: { type: "string", default: "data/cache/her2st_public" },
    sections: { type: "string", default: "C2,C3,C4,C5" },
    from: { type: "string", default: "C2,C3,C4" },
  },
});

const MOST = 50;
const figures = new Map<string, { times: number; sum: number; squares: number }>();
const measured: ReadonlySet<string>[] = [];
let spots = 0;
for (const id of values.sections.split(",")) {
  const { genes, matrix } = await readSection(values.data, id);
  measured.push(new Set(genes));
  if (!values.from.split(",").includes(id)) continue;
  for (let i = 0; i < matrix.rows; i++) {
    visitRow(matrix, i, (g, value) => {
      if (value === 0) return;
      const { times, sum, squares } = figures.get(genes[g]!) ?? { times: 0, sum: 0, squares: 0 };
      figures.set(genes[g]!, { times: times + 1, sum: sum + value, squares: squares + value * value });
    });
  }
  spots += matrix.rows;
}
const panel = [...figures]
  .filter(([gene, { times }]) => times > spots / 10 && measured.every((genes) => genes.has(gene)))
  .map(([gene, { sum, squares }]) => [gene, squares / spots - (sum / spots) ** 2] as const)
  .sort((a, b) => b[1] - a[1]).slice(0, MOST).map(([gene]) => gene);
disk.write(`${values.data}/panel.txt`, `${panel.join("\n")}\n`);
