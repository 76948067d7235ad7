/**
 * The serial-section table: what of a section's expression can be said from the section beside it, from colour and texture,
 * from the frozen encoder, and from runs of SEAL. Correlations per gene over the spots of the section tested, mean over 50 genes.
 *
 *   deno run -A scripts/her2st/table.ts --data data/cache/her2st_public \
 *     --runs "SEAL, best=runs/best_1/features.safetensors,runs/best_2/features.safetensors" [--test C5 --train C2,C3,C4]
 *
 * Protocol: ln(1 + counts per ten thousand) over all genes of a section; the 50 genes of `panel.txt`, which
 * panel.ts chose. Every feature is z-scored in its section, targets are centred in
 * theirs; ridge with intercept, its penalty from 10 to 30,000 by least squared error on each training section left out, the same
 * rule for all rows. `neighbours` adds the mean of the features of the eight spots around. `copy` adds what the nine nearest
 * spots of the training section beside it have, with weight .3 (src/eval/section_copy.ts). Intervals: of the mean over runs less the
 * frozen row of the same kind, 2,000 bootstrap draws of genes, paired, 95 %.
 */

import { parseArgs } from "node:util";
import { Rng } from "../../src/core/rng.ts";
import type { NearPairs } from "../../src/data/sampler.ts";
import { withAround } from "../../src/eval/around.ts";
import { pearson } from "../../src/eval/correlation.ts";
import type { PlanePoint as Place } from "../../src/core/rigid.ts";
import { copyNearest, mixCopy } from "../../src/eval/section_copy.ts";
import { column, type Table } from "../../src/eval/linalg/table.ts";
import { disk } from "../../src/io/fs.ts";
import { openPatches } from "../../src/io/patches.ts";
import { readSafetensorsF32 } from "../../src/io/torch/safetensors.ts";
import { columnsOf, type Features, type Section, sectionOf, sectionRidge, stack, zScored } from "./ridge.ts";
import { textureStatistics } from "./texture.ts";

const { values } = parseArgs({
  options: {
    data: { type: "string", default: "data/cache/her2st_public" },
    frozen: { type: "string", default: "data/cache/her2st_public/frozen.safetensors" },
    runs: { type: "string", multiple: true, default: [] },
    train: { type: "string", default: "C2,C3,C4" },
    test: { type: "string", default: "C5" },
    beside: { type: "string", default: "C4" },
    out: { type: "string" },
  },
});

/** Weight of the copy and its spots, widest distance of the spots around, µm, draws of a bootstrap, side of a patch. */
const [COPY, NEAREST, AROUND, DRAWS, SIDE] = [0.3, 9, 375, 2000, 224];

/** Spots around each. */
function around(places: readonly Place[]): NearPairs {
  const near = places.map(([px, py], i) =>
    places.flatMap(([u, v], j) => j !== i && Math.hypot(u - px, v - py) <= AROUND ? [j] : [])
  );
  const ends = near.reduce((all, { length }) => [...all, all.at(-1)! + length], [0]);
  return { indptr: Uint32Array.from(ends), indices: Uint32Array.from(near.flat()) };
}

/** The penalty that predicts training sections left out best, and what it says of the section tested. */
function ridge(features: Features, neighbours = false): { prediction: Table; alpha: number } {
  const x = new Map([...features].map(([id, table]) => {
    const z = zScored(table);
    return [id, neighbours ? withAround(z, around(sections.get(id)!.places)) : z];
  }));
  return sectionRidge({ x, y: target, trained, test: test.id });
}

/** Share of rows whose own partner is among the 10 nearest by cosine, both ways. */
function recallOf(a: Table, b: Table): readonly [i2g: number, g2i: number] {
  const unit = ({ rows, columns, data }: Table) => {
    const out = Float64Array.from(data);
    for (let i = 0; i < rows; i++) {
      const row = out.subarray(i * columns, (i + 1) * columns);
      const length = Math.hypot(...row) || 1;
      row.forEach((value, j) => row[j] = value / length);
    }
    return out;
  };
  const [u, v, n, d] = [unit(a), unit(b), a.rows, a.columns];
  const cosine = (i: number, j: number) => {
    let sum = 0;
    for (let f = 0; f < d; f++) sum += u[i * d + f]! * v[j * d + f]!;
    return sum;
  };
  const hits = (score: (i: number, j: number) => number) => {
    let found = 0;
    for (let i = 0; i < n; i++) {
      const own = score(i, i);
      let above = 0;
      for (let j = 0; j < n; j++) if (j !== i && score(i, j) > own) above++;
      found += Number(above < 10);
    }
    return found / n;
  };
  return [hits(cosine), hits((i, j) => cosine(j, i))];
}

/** What a row says of one run. */
interface Scored {
  /** By gene. */
  readonly genes: readonly number[];
  readonly recall: readonly [number, number];
  readonly alpha?: number | undefined;
}

/** Correlation of each gene; recall of measured by predicted expression unless there is a joint space. */
function scored(prediction: Table, alpha?: number, joint?: readonly [number, number]): Scored {
  return {
    genes: Array.from({ length: truth.columns }, (_, g) => pearson(column(prediction, g), column(truth, g)).value ?? 0),
    recall: joint ?? recallOf(zScored(prediction), zScored(truth)),
    alpha,
  };
}

/** A prediction with the copy's part. */
const withCopy = (prediction: Table): Table => mixCopy(prediction, copied, COPY);

const rows = new Map<string, Scored[]>();
const add = (name: string, one: Scored) => rows.set(name, [...(rows.get(name) ?? []), one]);

function addFeatures(name: string, one: Features, mean: Features, joint?: readonly [number, number]): void {
  const [single, all, around] = [ridge(one), ridge(mean), ridge(mean, true)];
  add(`${name}: one view`, scored(single.prediction, single.alpha, joint));
  add(`${name}: ${MEAN}`, scored(all.prediction, all.alpha, joint));
  add(`${name}: ${MEAN}, neighbours`, scored(around.prediction, around.alpha, joint));
  add(`${name}: ${MEAN}, copy`, scored(withCopy(all.prediction), all.alpha));
  add(`${name}: ${MEAN}, neighbours, copy`, scored(withCopy(around.prediction), around.alpha));
}

const trained = values.train.split(",");
const sections = new Map<string, Section>();
for (const id of new Set([...trained, values.test, values.beside])) sections.set(id, await sectionOf(values.data, id));
const panel = Deno.readTextFileSync(`${values.data}/panel.txt`).trim().split("\n");
const target = new Map([...sections.values()].map((section) => {
  const place = new Map(section.genes.map((gene, g) => [gene, g]));
  return [section.id, columnsOf(section.expression, panel.map((gene) => place.get(gene)!))];
}));
const test = sections.get(values.test)!;
const truth = target.get(test.id)!;
const copied = copyNearest(target.get(values.beside)!, sections.get(values.beside)!.places, test.places, NEAREST);
const used = [...trained, test.id];

const readFile = (path: string) => readSafetensorsF32(Deno.readFileSync(path), path);
/** How many flips and rotations means are of, and what a row of means is called. */
const views = readFile(values.frozen).metadata["views"]!;
const MEAN = `${views} views`;

function readFeatures(path: string) {
  const { tensors, metadata } = readFile(path);
  for (const id of used) {
    if (metadata[`barcodes.${id}`] === sections.get(id)!.barcodes.join(" ")) continue;
    throw new Error(`${path}: features of ${id} are not of its spots, in their order`);
  }
  if (metadata["views"] !== views) {
    throw new Error(`${path}: means of ${metadata["views"]} views, those of the frozen encoder are of ${views}`);
  }
  const table = (name: string): Table | undefined => {
    const found = tensors.get(name);
    return found && { rows: found.shape[0]!, columns: found.shape[1]!, data: Float64Array.from(found.data) };
  };
  const of = (what: string): Features => new Map(used.map((id) => [id, table(`${what}.${id}`)!]));
  return { genes: metadata["genes"]!.split(" "), table, of };
}

async function texture(): Promise<Features> {
  const found = new Map<string, Table>();
  for (const id of used) {
    const file = await openPatches(disk.open(`${values.data}/patches/${id}.h5`, "read"));
    const each = Array.from({ length: file.count }, (_, i) => textureStatistics(file.read(i, i + 1), SIDE));
    file.close();
    found.set(id, stack(each.map((data) => ({ rows: 1, columns: data.length, data }))));
  }
  return found;
}

add(`copy of ${values.beside}`, scored(copied));
const colours = ridge(await texture());
add("colour and texture", scored(colours.prediction, colours.alpha));
const groups = values.runs.map((text) => {
  const [name, paths] = [text.slice(0, text.indexOf("=")), text.slice(text.indexOf("=") + 1).split(",")];
  return { name, paths };
});
const frozen = readFeatures(values.frozen);
addFeatures("frozen", frozen.of("frozen.view0.embedding"), frozen.of("frozen.embedding"));
for (const { name, paths } of groups) {
  for (const path of paths) {
    const { genes, table, of } = readFeatures(path);
    const place = new Map(genes.map((gene, g) => [gene, g]));
    const said = table(`seal.expression.${test.id}`);
    const known = said && panel.every((gene) => place.has(gene));
    if (/head/i.test(name)) {
      if (!known) throw new Error(`${path}: its decoder lacks genes of the panel`);
      const own = columnsOf(said, panel.map((gene) => place.get(gene)!));
      add(`${name}: ${MEAN}`, scored(own));
      add(`${name}: ${MEAN}, copy`, scored(withCopy(own)));
      continue;
    }
    const joint = recallOf(table(`seal.projected.${test.id}`)!, table(`gene.projected.${test.id}`)!);
    addFeatures(name, of("seal.view0.embedding"), of("seal.embedding"), joint);
    if (known) add(`${name}: image decoder`, scored(columnsOf(said, panel.map((gene) => place.get(gene)!))));
  }
}

const mean = (all: readonly number[]) => all.reduce((a, b) => a + b, 0) / all.length;
const deviation = (all: readonly number[]) =>
  Math.sqrt(all.reduce((sum, v) => sum + (v - mean(all)) ** 2, 0) / (all.length - 1));
const shown = (all: readonly number[]) =>
  `${mean(all).toFixed(3)}${all.length > 1 ? ` ± ${deviation(all).toFixed(3)}` : ""}`;
/** By gene, the mean over runs. */
const genesOf = (all: readonly Scored[]) => panel.map((_, g) => mean(all.map(({ genes }) => genes[g]!)));

function gain(name: string, all: readonly Scored[]): string {
  const kind = name.slice(name.indexOf(":") + 1).trim();
  const base = rows.get(`frozen: ${kind === "image decoder" ? MEAN : kind}`);
  if (!name.includes(":") || name.startsWith("frozen") || !base) return "";
  const [a, b] = [genesOf(base), genesOf(all)];
  const differences = a.map((value, g) => b[g]! - value);
  const rng = new Rng(1, 0);
  const draws = Array.from(
    { length: DRAWS },
    () => mean(differences.map(() => differences[Math.floor(rng.u32() * 2 ** -32 * differences.length)]!)),
  ).sort((p, q) => p - q);
  const sign = (value: number) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(3)}`;
  return `${sign(mean(differences))} [${sign(draws[Math.round(0.025 * DRAWS)]!)}, ${
    sign(draws[Math.round(0.975 * DRAWS) - 1]!)
  }]`;
}

const lines = [
  `| trained on ${trained.join(", ")}; tested on ${test.id} (${truth.rows} spots) | r, 50 genes | over frozen | ` +
  "recall@10 image to gene / gene to image | penalty | runs |",
  "| --- | --- | --- | --- | --- | --- |",
  ...[...rows].map(([name, all]) =>
    `| ${name} | ${shown(all.map(({ genes }) => mean(genes)))} | ${gain(name, all)} | ` +
    `${[0, 1].map((way) => shown(all.map(({ recall }) => recall[way as 0]))).join(" / ")} | ` +
    `${[...new Set(all.flatMap(({ alpha }) => alpha ?? []))].join(", ")} | ${all.length} |`
  ),
  `| chance | 0 | | ${(10 / truth.rows).toFixed(3)} / ${(10 / truth.rows).toFixed(3)} | | |`,
];
console.log(lines.join("\n"));
if (values.out !== undefined) {
  disk.write(values.out, JSON.stringify({ panel, rows: Object.fromEntries(rows) }, null, 2) + "\n");
}
