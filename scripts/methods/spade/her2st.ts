/**
 * A run of SPADE on serial sections, by the protocol of `scripts/her2st/table.ts`: the given features, a single expert, SPADE,
 * experts on a random partition, and the given features beside SPADE's, by ridge on the section that was held out.
 *
 *     deno task embed DATA --encoder ENCODER --image-size 224 --out FEATURES
 *     deno task train method=spade --features FEATURES --data DATA --out RUN holdout_samples=[C5] fine=12 coarse=3 batch_size=32 …
 *     deno run -A scripts/methods/spade/her2st.ts --run RUN [--data DATA] [--train C2,C3,C4] [--test C5]
 *
 * Prints r of the genes of DATA/panel.txt, their mean, and what each row has more than the given features and than the single
 * expert: 2,000 bootstrap draws of spots, paired, 95 %.
 */

import { parseArgs } from "node:util";
import { Rng } from "../../../src/core/rng.ts";
import { fixed, signed } from "../../../src/core/fixed.ts";
import { pearson } from "../../../src/eval/correlation.ts";
import { column, type Table } from "../../../src/eval/linalg/table.ts";
import { percentile } from "../../../src/eval/linalg/statistics.ts";
import { requestGpu } from "../../../src/gpu/device.ts";
import { loadState } from "../../../src/methods/spade/checkpoint.ts";
import { SPADE_CONFIG } from "../../../src/methods/spade/config.ts";
import { openData } from "../../../src/methods/spade/data.ts";
import { embedAll } from "../../../src/methods/spade/evidence.ts";
import { openSession, shapeOf } from "../../../src/methods/spade/session.ts";
import { findCheckpoint } from "../../../src/run/checkpoints.ts";
import { hostOf } from "../../../src/run/host.ts";
import { SILENT } from "../../../src/core/reporter.ts";
import { columnsOf, type Features, sectionOf, sectionRidge, zScored } from "../../her2st/ridge.ts";

const { values } = parseArgs({
  options: {
    run: { type: "string", default: "runs/her2st_spade" },
    data: { type: "string", default: "data/cache/her2st_public" },
    train: { type: "string", default: "C2,C3,C4" },
    test: { type: "string", default: "C5" },
  },
});
const DRAWS = 2000;
const [trained, test] = [values.train.split(","), values.test];
const path = `${values.run}/config.yaml`;
const { config } = SPADE_CONFIG.read([{ name: path, text: Deno.readTextFileSync(path) }], []);
const host = hostOf(SILENT);
const data = await openData(config, host);
const gpu = await requestGpu(navigator.gpu);
const session = openSession(gpu, config, data, host);
const found = findCheckpoint(values.run, "last")!;
loadState(session, found.read, found.path);

const panel = Deno.readTextFileSync(`${values.data}/panel.txt`).trim().split("\n");
const expression = new Map<string, Table>();
for (const id of [...trained, test]) {
  const section = await sectionOf(values.data, id);
  const place = new Map(section.genes.map((gene, g) => [gene, g]));
  const own = data.set.samples.find((sample) => sample.id === id)!;
  if (own.barcodes.join() !== section.barcodes.join()) throw new Error(`Spots of ${id} are not those of the run`);
  expression.set(id, columnsOf(section.expression, panel.map((gene) => place.get(gene)!)));
}
const truth = expression.get(test)!;

/** Rows of sections out of those of all pairs. */
function bySection(all: Float32Array, width: number): Features {
  return new Map([...trained, test].map((id) => {
    const { first, count } = data.set.samples.find((sample) => sample.id === id)!;
    const rows = Float64Array.from(all.subarray(first * width, (first + count) * width));
    return [id, { rows: count, columns: width, data: rows }];
  }));
}

/** Features side by side. */
function beside(a: Features, b: Features): Features {
  return new Map([...a].map(([id, left]) => {
    const right = b.get(id)!;
    const columns = left.columns + right.columns;
    const out = new Float64Array(left.rows * columns);
    for (let r = 0; r < left.rows; r++) {
      out.set(left.data.subarray(r * left.columns, (r + 1) * left.columns), r * columns);
      out.set(right.data.subarray(r * right.columns, (r + 1) * right.columns), r * columns + left.columns);
    }
    return [id, { rows: left.rows, columns, data: out }];
  }));
}

const base = bySection(data.features, data.dim);
const rows = new Map<string, Features>([["features as given", base]]);
for (const bank of [...session.banks].sort((a) => (a.name === "single" ? -1 : 1))) {
  const { features } = await embedAll(session, bank);
  rows.set(bank.name, bySection(features, shapeOf(session, bank.name).width));
}
rows.set("given and spade", beside(base, rows.get("spade")!));
session.close();
gpu.destroy();

/** Mean over genes of their correlation over some spots. */
function scoreOf(said: Table, spots: readonly number[]): number {
  const pick = (of: Table, g: number) => {
    const all = column(of, g);
    return Float64Array.from(spots, (spot) => all[spot]!);
  };
  return panel.reduce((sum, _, g) => sum + (pearson(pick(said, g), pick(truth, g)).value ?? 0), 0) / panel.length;
}

const everyone = Array.from({ length: truth.rows }, (_, i) => i);
const rng = new Rng(1, 0);
const draws = Array.from({ length: DRAWS }, () => everyone.map(() => rng.below(truth.rows)));
const judged = [...rows].map(([name, features]) => {
  const x = new Map([...features].map(([id, one]) => [id, zScored(one)]));
  const { prediction, alpha } = sectionRidge({ x, y: expression, trained, test });
  const columns = features.get(test)!.columns;
  const drawn = draws.map((spots) => scoreOf(prediction, spots));
  return { name, columns, alpha, score: scoreOf(prediction, everyone), drawn };
});

/** What a row has more than another, with its interval. */
function more(row: (typeof judged)[number], other: (typeof judged)[number] | undefined): string {
  if (other === undefined || other === row) return "";
  const differences = Float64Array.from(row.drawn, (value, i) => value - other.drawn[i]!);
  const [low, high] = [2.5, 97.5].map((p) => signed(percentile(differences, p), 3));
  return `${signed(row.score - other.score, 3)} (${low} to ${high})`;
}

console.log(
  [
    `| trained on ${
      trained.join(", ")
    }; tested on ${test} (${truth.rows} spots) | width | r, ${panel.length} genes | ` +
    "over given | over single | penalty |",
    "| --- | --- | --- | --- | --- | --- |",
    ...judged.map((row) =>
      `| ${row.name} | ${row.columns} | ${fixed(row.score, 3)} | ${more(row, judged[0])} | ` +
      `${more(row, judged.find(({ name }) => name === "single"))} | ${row.alpha} |`
    ),
  ].join("\n"),
);
