/**
 * The serial-section table: what of a section's expression can be said from the section beside it, from colour and texture,
 * from the encoder before SEAL, and from SEAL. Correlations per gene over the spots of the section tested, mean over 50 genes.
 *
 *   deno run -A scripts/her2st/table.ts --in her2st --data data/cache/her2st_dense \
 *     --features runs/her2st_1/features.safetensors,runs/her2st_2/features.safetensors,runs/her2st_3/features.safetensors
 *
 * Protocol: ln(1 + counts per ten thousand) over all genes of a section; the 50 genes of highest variance among those that more
 * than a tenth of the spots of C2 and C3 show. Every feature is z-scored in its section, ridge with penalty 100. `context`
 * adds the mean of the features of the eight spots around. `together` adds the copy to the prediction. The probe with the
 * names of `evaluate` follows: hest-bench/1, and hest-bench-cv/1 with a cross-validated penalty.
 */

import { parseArgs } from "node:util";
import { joinSection } from "../../src/data/convert/legacy_st.ts";
import { visitRow } from "../../src/data/matrix.ts";
import { logNormalize } from "../../src/data/genes/normalise.ts";
import { loadMatrix } from "../../src/data/sample.ts";
import { openSlide } from "../../src/data/image/slide.ts";
import { pearson } from "../../src/eval/correlation.ts";
import { probe } from "../../src/eval/probe.ts";
import { fitRidge, predictLinear } from "../../src/eval/ridge.ts";
import { applyStandardizer, fitCentring, fitStandardizer } from "../../src/eval/linalg/standardize.ts";
import { type Table, takeRows } from "../../src/eval/linalg/table.ts";
import { disk, openFile } from "../../src/io/fs.ts";
import { openPatches } from "../../src/io/patches.ts";
import { readSafetensorsF32 } from "../../src/io/torch/safetensors.ts";
import { readSpotCounts, readSpotSelection } from "../../src/io/spots_tsv.ts";
import { copyOver, type Place } from "./copy.ts";
import { textureStatistics } from "./texture.ts";

const { values } = parseArgs({
  options: {
    in: { type: "string", default: "her2st" },
    data: { type: "string", default: "data/cache/her2st_dense" },
    features: { type: "string" },
    train: { type: "string", default: "C2,C3,C4" },
    test: { type: "string", default: "C5" },
    beside: { type: "string", default: "C4" },
    out: { type: "string" },
  },
});

/** Penalty of the ridge, deviation of the copy's weights, widest distance of the spots around, µm. */
const [PENALTY, SIGMA, AROUND] = [100, 140, 375];
const PITCH = 200;

interface Section {
  readonly id: string;
  readonly barcodes: readonly string[];
  readonly places: readonly Place[];
  readonly genes: readonly string[];
  /** ln(1 + counts per ten thousand), `[spots, genes]`. */
  readonly expression: Table;
}

/** What a row of the table says of one seed. */
interface Row {
  readonly pcc: number;
  readonly recall?: Recall | undefined;
}

interface Recall {
  /** Image to gene and gene to image, at 5 and 10. */
  readonly i2g: readonly [number, number];
  readonly g2i: readonly [number, number];
}

async function readSection(id: string): Promise<Section> {
  const counted = await readSpotCounts(await openFile(`${values.in}/counts/${id}.tsv.gz`));
  const selection = await readSpotSelection(await openFile(`${values.in}/spots/${id}_selection.tsv`));
  const { width, height } = (await openSlide(await openFile(`${values.in}/images/${id}.jpg`))).levels[0]!;
  const { barcodes, spatial, pixels, counts } = joinSection(id, counted, selection, PITCH, { width, height });
  const matrix = logNormalize(loadMatrix(counts));
  const data = new Float64Array(matrix.rows * matrix.columns);
  for (let i = 0; i < matrix.rows; i++) visitRow(matrix, i, (g, value) => data[i * matrix.columns + g] = value);
  return {
    id,
    barcodes,
    genes: counted.genes,
    places: barcodes.map((_, i) => [spatial[2 * i]! * pixels.size, spatial[2 * i + 1]! * pixels.size] as const),
    expression: { rows: matrix.rows, columns: matrix.columns, data },
  };
}

function columnsOf({ rows, columns, data }: Table, chosen: readonly number[]): Table {
  const out = new Float64Array(rows * chosen.length);
  for (let i = 0; i < rows; i++) chosen.forEach((g, k) => out[i * chosen.length + k] = data[i * columns + g]!);
  return { rows, columns: chosen.length, data: out };
}

function stack(tables: readonly Table[]): Table {
  const { columns } = tables[0]!;
  const data = new Float64Array(tables.reduce((sum, { rows }) => sum + rows * columns, 0));
  let at = 0;
  for (const table of tables) {
    data.set(table.data, at);
    at += table.data.length;
  }
  return { rows: data.length / columns, columns, data };
}

function beside(a: Table, b: Table): Table {
  const columns = a.columns + b.columns;
  const data = new Float64Array(a.rows * columns);
  for (let i = 0; i < a.rows; i++) {
    data.set(a.data.subarray(i * a.columns, (i + 1) * a.columns), i * columns);
    data.set(b.data.subarray(i * b.columns, (i + 1) * b.columns), i * columns + a.columns);
  }
  return { rows: a.rows, columns, data };
}

/** The 50 genes, of C2 and C3 whatever is tested, restricted to genes that all sections have. */
function panelOf(sections: readonly Section[]): string[] {
  const chosen = sections.filter(({ id }) => id === "C2" || id === "C3");
  const all = sections.map(({ genes }) => new Set(genes));
  const spots = chosen.reduce((sum, { expression }) => sum + expression.rows, 0);
  const scored = chosen[0]!.genes.filter((gene) => all.every((genes) => genes.has(gene))).flatMap((gene) => {
    const column = chosen.flatMap(({ genes, expression: { rows, columns, data } }) => {
      const g = genes.indexOf(gene);
      return Array.from({ length: rows }, (_, i) => data[i * columns + g]!);
    });
    if (column.filter((value) => value > 0).length <= spots / 10) return [];
    const mean = column.reduce((a, b) => a + b, 0) / spots;
    return [{ gene, variance: column.reduce((sum, value) => sum + (value - mean) ** 2, 0) }];
  });
  return scored.sort((a, b) => b.variance - a.variance).slice(0, 50).map(({ gene }) => gene);
}

/** Means of the features of the spots around. */
function context(places: readonly Place[], x: Table): Table {
  const data = new Float64Array(x.data.length);
  places.forEach(([px, py], i) => {
    const around = places.flatMap(([u, v], j) => j !== i && Math.hypot(u - px, v - py) <= AROUND ? [j] : []);
    for (const j of around.length ? around : [i]) {
      for (let f = 0; f < x.columns; f++) {
        data[i * x.columns + f]! += x.data[j * x.columns + f]! / (around.length || 1);
      }
    }
  });
  return { ...x, data };
}

function zScored(x: Table): Table {
  return applyStandardizer(x, fitStandardizer(x));
}

function correlation(prediction: Table, truth: Table): number {
  const column = ({ rows, columns, data }: Table, g: number) =>
    Float64Array.from({ length: rows }, (_, i) => data[i * columns + g]!);
  let sum = 0;
  for (let g = 0; g < truth.columns; g++) sum += pearson(column(prediction, g), column(truth, g)).value ?? 0;
  return sum / truth.columns;
}

/** Share of rows whose own partner is among the k nearest by cosine, both ways. */
function recallOf(a: Table, b: Table): Recall {
  const unit = ({ rows, columns, data }: Table) => {
    const out = Float64Array.from(data);
    for (let i = 0; i < rows; i++) {
      const row = out.subarray(i * columns, (i + 1) * columns);
      const length = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0)) || 1;
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
  const hits = (score: (i: number, j: number) => number) =>
    [5, 10].map((k) => {
      let found = 0;
      for (let i = 0; i < n; i++) {
        const own = score(i, i);
        let above = 0;
        for (let j = 0; j < n; j++) if (j !== i && score(i, j) > own) above++;
        found += Number(above < k);
      }
      return found / n;
    }) as [number, number];
  return { i2g: hits(cosine), g2i: hits((i, j) => cosine(j, i)) };
}

const trained = values.train.split(",");
const ids = [...new Set([...trained, values.test, values.beside, "C2", "C3"])];
const sections = new Map<string, Section>();
for (const id of ids) sections.set(id, await readSection(id));
const panel = panelOf([...sections.values()]);
const target = new Map([...sections.values()].map((section) => {
  const place = new Map(section.genes.map((gene, g) => [gene, g]));
  return [section.id, columnsOf(section.expression, panel.map((gene) => place.get(gene)!))];
}));
const test = sections.get(values.test)!;
const truth = target.get(test.id)!;
const copied = copyOver(target.get(values.beside)!, sections.get(values.beside)!.places, test.places, SIGMA);

/** Recall of the measured expression by a predicted one: both centred, genes in units of their deviation. */
function scored(prediction: Table): Row {
  return { pcc: correlation(prediction, truth), recall: recallOf(zScored(prediction), zScored(truth)) };
}

function together(prediction: Table): Row {
  return scored({ ...prediction, data: prediction.data.map((value, i) => value + copied.data[i]!) as Float64Array });
}

/** Features of a section's spots; some may have no patch. */
interface Spots {
  readonly features: Table;
  /** Their numbers among the section's. */
  readonly spots: readonly number[];
}

type Features = ReadonlyMap<string, Spots>;

function ridge(features: Features, around = false): Table {
  const of = (id: string) => {
    const { features: x, spots } = features.get(id)!;
    const z = zScored(x);
    return around ? beside(z, context(spots.map((i) => sections.get(id)!.places[i]!), z)) : z;
  };
  // A section's own level says nothing of its spots.
  const y = stack(trained.map((id) => {
    const chosen = takeRows(target.get(id)!, features.get(id)!.spots);
    return applyStandardizer(chosen, fitCentring(chosen));
  }));
  return predictLinear(fitRidge(stack(trained.map(of)), y, { alpha: PENALTY, intercept: true }), of(test.id));
}

async function named(features: Features, protocol: string): Promise<Row> {
  const { predictions } = await probe({
    train: {
      features: stack(trained.map((id) => features.get(id)!.features)),
      targets: stack(trained.map((id) => takeRows(target.get(id)!, features.get(id)!.spots))),
      slides: trained.flatMap((id) => features.get(id)!.spots.map(() => id)),
    },
    test: { features: features.get(test.id)!.features, targets: truth },
    genes: panel,
  }, protocol);
  return scored(predictions);
}

/** Numbers of a section's spots by their names. */
function spotsOf(id: string, barcodes: readonly string[]): number[] {
  const place = new Map(sections.get(id)!.barcodes.map((barcode, i) => [barcode, i]));
  const found = barcodes.map((barcode) => place.get(barcode) ?? -1);
  const whole = id !== test.id || found.every((spot, i) => spot === i) && found.length === truth.rows;
  if (found.includes(-1) || !whole) throw new Error(`${id}: features are not of its spots, in their order`);
  return found;
}

async function texture(): Promise<Features> {
  const found = new Map<string, Spots>();
  for (const id of [...trained, test.id]) {
    const file = await openPatches(disk.open(`${values.data}/patches/${id}.h5`, "read"));
    const each = Array.from({ length: file.count }, (_, i) => textureStatistics(file.read(i, i + 1), 112));
    const spots = spotsOf(id, file.barcodes!);
    file.close();
    found.set(id, { features: stack(each.map((data) => ({ rows: 1, columns: data.length, data }))), spots });
  }
  return found;
}

const rows = new Map<string, Row[]>();
const add = (name: string, row: Row) => rows.set(name, [...(rows.get(name) ?? []), row]);

add(`copy of ${values.beside}`, scored(copied));
const colours = await texture();
add("colour and texture, ridge", scored(ridge(colours)));
add("colour and texture, ridge, context", scored(ridge(colours, true)));
add("colour and texture, ridge, together with copy", together(ridge(colours)));
add("colour and texture, ridge, context, together with copy", together(ridge(colours, true)));

for (const path of values.features?.split(",") ?? []) {
  const { tensors, metadata } = readFeatures(path);
  const of = (what: string): Features =>
    new Map([...trained, test.id].map((id) => [id, {
      features: tensors(`${what}.${id}`),
      spots: spotsOf(id, metadata[`barcodes.${id}`]!.split(" ")),
    }]));
  for (const what of ["frozen", "seal"]) {
    const features = of(`${what}.embedding`);
    const name = what === "frozen" ? "frozen encoder" : "SEAL";
    add(`${name}, ridge`, scored(ridge(features)));
    add(`${name}, ridge, context`, scored(ridge(features, true)));
    add(`${name}, ridge, together with copy`, together(ridge(features)));
    add(`${name}, hest-bench/1`, await named(features, "hest-bench/1"));
    add(`${name}, hest-bench-cv/1`, await named(features, "hest-bench-cv/1"));
  }
  const place = new Map(metadata["genes"]!.split(" ").map((gene, g) => [gene, g]));
  const absent = panel.filter((gene) => !place.has(gene));
  if (absent.length > 0) console.error(`${path}: the decoder lacks ${absent.join(", ")}: counted as 0`);
  const decoded = tensors(`seal.expression.${test.id}`);
  const genes: Table = {
    ...decoded,
    columns: decoded.columns + 1,
    data: beside(decoded, constantColumn(decoded.rows)).data,
  };
  const said = columnsOf(genes, panel.map((gene) => place.get(gene) ?? decoded.columns));
  const joint = recallOf(tensors(`seal.projected.${test.id}`), tensors(`gene.projected.${test.id}`));
  add("SEAL, image decoder", { ...scored(said), recall: joint });
  if (absent.length > 0) {
    add(`SEAL, image decoder, the ${panel.length - absent.length} genes it has`, {
      pcc: correlation(said, truth) * panel.length / (panel.length - absent.length),
    });
  }
  add("SEAL, image decoder, together with copy", together(said));
  const probed = ridge(of("seal.embedding"));
  const both = { ...said, data: said.data.map((value, i) => value + probed.data[i]!) as Float64Array };
  add("SEAL, ridge and image decoder", scored(both));
  add("SEAL, ridge and image decoder, together with copy", together(both));
}

function constantColumn(rows: number): Table {
  return { rows, columns: 1, data: new Float64Array(rows) };
}

function readFeatures(path: string) {
  const { tensors, metadata } = readSafetensorsF32(Deno.readFileSync(path), path);
  return {
    metadata,
    tensors(name: string): Table {
      const found = tensors.get(name);
      if (!found) throw new Error(`${path}: no ${name}; it has ${[...tensors.keys()].join(", ")}`);
      return { rows: found.shape[0]!, columns: found.shape[1]!, data: Float64Array.from(found.data) };
    },
  };
}

const mean = (all: number[]) => all.reduce((a, b) => a + b, 0) / all.length;
const spread = (all: number[]) =>
  all.length < 2 ? 0 : Math.sqrt(all.reduce((s, v) => s + (v - mean(all)) ** 2, 0) / (all.length - 1));
function shown(all: number[]): string {
  if (all.length === 0) return "";
  return all.length < 2 ? mean(all).toFixed(3) : `${mean(all).toFixed(3)} ± ${spread(all).toFixed(3)}`;
}
const n = truth.rows;
const lines = [
  `| trained on ${
    trained.join(", ")
  }; tested on ${test.id} (${n} spots) | PCC, 50 genes | recall@5 / @10 image to gene | recall@5 / @10 gene to image | seeds |`,
  "| --- | --- | --- | --- | --- |",
  ...[...rows].map(([name, all]) => {
    const recall = (way: "i2g" | "g2i") =>
      [0, 1].map((k) => shown(all.flatMap((row) => row.recall ? [row.recall[way][k]!] : []))).join(" / ");
    return `| ${name} | ${shown(all.map(({ pcc }) => pcc))} | ${recall("i2g")} | ${recall("g2i")} | ${all.length} |`;
  }),
  `| chance | 0 | ${(5 / n).toFixed(3)} / ${(10 / n).toFixed(3)} | ${(5 / n).toFixed(3)} / ${(10 / n).toFixed(3)} | |`,
];
console.log(lines.join("\n"));
if (values.out !== undefined) {
  disk.write(values.out, JSON.stringify({ panel, rows: Object.fromEntries(rows) }, null, 2) + "\n");
}
