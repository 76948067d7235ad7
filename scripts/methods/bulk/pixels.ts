/**
 * Bulk RNA through pixels: the demo's encoder trained by bags of patches of synthetic slides, one of each donor, and the sum of a
 * slide's counts as its donor's bulk RNA.
 *
 *     deno run -A scripts/methods/bulk/pixels.ts --folder DIR [--slides 720] [--steps 400] [--bags 16] [--tiles 8] [--world 12]
 *       [--arms contrastive,direct,shuffled] [--spots] [seed ...]
 *
 * Each arm (contrastive, direct, contrastive on exchanged donors) is a run of `train method=bulk train=encoder` in DIR; what is
 * there is not made again. Prints probes of donors on mean features (which of six fields that show a donor's tissue has more of than
 * half of the training donors, and expression) as differences to the encoder before with intervals over donors, beside those of
 * colours and of the true fields; with `--spots` also HEST's probe of spots, on donors that no run has seen. Exits with 1 where
 * contrastive training does not gain, or not more than the control. `--world` is the seed of slides and donors; `--arms ""` makes
 * slides and tables alone, which `pixels_torch.py` trains on too.
 */

import { signed } from "../../../src/core/fixed.ts";
import { isControl } from "../../../src/data/genes/genes.ts";
import { Fields, PROGRAMS } from "../../../src/data/synth/fields.ts";
import { drawExpression, type GeneModel, geneModel, GENES } from "../../../src/data/synth/genes.ts";
import { planSynth, sampleId, slidesOf } from "../../../src/data/synth/plan.ts";
import { PANEL_GENES } from "../../../src/data/synth/panel.ts";
import type { Slide } from "../../../src/data/synth/slide.ts";
import { writeSynth } from "../../../src/data/synth/write.ts";
import { syntheticFeatures } from "../../../src/eval/synthetic.ts";
import { mean } from "../../../src/eval/linalg/statistics.ts";
import { column, type Table } from "../../../src/eval/linalg/table.ts";
import { disk } from "../../../src/io/fs.ts";
import { judge } from "../../../src/methods/bulk/probes.ts";
import { exec } from "../../exec.ts";
import { denoFlags, permissionsOf } from "../../../src/cli/permissions.ts";

const ROOT = new URL("../../../", import.meta.url).pathname;
const ENCODER = `${ROOT}data/demo/encoder`;
/** Fields that an image shows. */
const SHOWN = 6;

/** Value of a flag. */
function flag(name: string, fallback?: string): string {
  const at = Deno.args.indexOf(`--${name}`);
  const value = at < 0 ? fallback : Deno.args[at + 1];
  if (value === undefined) throw new Error(`--${name} is wanted`);
  return value;
}

const folder = flag("folder");
const numbers = Deno.args.filter((arg, i) => /^\d+$/.test(arg) && !Deno.args[i - 1]?.startsWith("--"));
const seeds = numbers.length > 0 ? numbers.map(Number) : [0, 1, 2];
const arms = flag("arms", "contrastive,direct,shuffled").split(",").filter((arm) => arm !== "");
const data = `${folder}/hest`;
const plan = planSynth({
  ...{ profile: "smoke", slides: Number(flag("slides", "720")), rows: 3, cols: 6, donorFields: 1 },
  seed: Number(flag("world", "12")),
});

async function seal(...words: string[]): Promise<string> {
  const args = ["run", ...denoFlags(await permissionsOf(words)), `${ROOT}src/cli/main.ts`, ...words];
  const { code, output } = await exec("deno", args, { quiet: true });
  if (code !== 0 && code !== 3) throw new Error(`${words.slice(0, 2).join(" ")}: status ${code}\n${output}`);
  return output;
}

/** A donor: its part, its bulk RNA, the mean of its tissue's fields, and which of them it has more of than the middle donor. */
interface Donor {
  readonly id: string;
  readonly part: "train" | "test" | "";
  readonly counts: Float64Array;
  readonly fields: readonly number[];
  readonly labels: readonly string[];
}

/** Columns of the table of slides. */
const LABELS = Array.from({ length: SHOWN }, (_, f) => `field${f}`);

function donorOf(slide: Slide, model: GeneModel): Omit<Donor, "labels"> {
  const { counts, fields } = drawExpression(slide, new Fields(slide), model);
  const sum = new Float64Array(GENES);
  counts.forEach((value, i) => sum[i % GENES]! += value);
  const means = Array.from({ length: SHOWN }, (_, f) => {
    return slide.spots.reduce((all, _, i) => all + fields[i * PROGRAMS + f]!, 0) / slide.spots.length;
  });
  const tested = plan.folds[0]!.includes(slide.slide);
  // A hole leaves two patches of a small slide: these take no part.
  return { id: sampleId(slide), part: slide.hole > 0 ? "" : tested ? "test" : "train", counts: sum, fields: means };
}

/** Genes of the probe of spots. HEST's rule, a tenth of each slide's spots, has none left for so many slides of so few spots. */
function writePanel(donors: readonly Omit<Donor, "labels">[], names: readonly string[]): void {
  const spread = names.map((gene, g) => {
    const values = donors.filter(({ part }) => part === "train").map(({ counts }) => Math.log1p(counts[g]!));
    const middle = mean(values);
    return { gene, variance: isControl(gene) ? 0 : values.reduce((sum, value) => sum + (value - middle) ** 2, 0) };
  });
  const genes = spread.sort((a, b) => b.variance - a.variance).slice(0, PANEL_GENES).map(({ gene }) => gene);
  disk.write(`${data}/var_50genes.json`, JSON.stringify({ genes }) + "\n");
}

/** A folder with the slides of the donors that no run has seen: whole folds of these are judged, where runs ask for a fold a donor. */
function testedFolder(donors: readonly Donor[]): string {
  const tested = `${folder}/tested`;
  for (const { id } of donors.filter(({ part }) => part === "test")) {
    for (const name of [`st/${id}.h5ad`, `patches/${id}.h5`, `metadata/${id}.json`, `truth/${id}.h5`]) {
      Deno.mkdirSync(`${tested}/${name.split("/")[0]}`, { recursive: true });
      if (!disk.look(`${tested}/${name}`)) Deno.linkSync(`${data}/${name}`, `${tested}/${name}`);
    }
  }
  Deno.copyFileSync(`${data}/var_50genes.json`, `${tested}/var_50genes.json`);
  return tested;
}

/** Slides, their summed counts, and what their tissue has more of than that of half of the training donors. */
async function prepare(): Promise<Donor[]> {
  await writeSynth(disk, data, plan, { makeFolder: (path) => Deno.mkdirSync(path, { recursive: true }) });
  const model = geneModel(plan.seed);
  const all = slidesOf(plan).map((slide) => donorOf(slide, model));
  writePanel(all, model.names);
  const rows = model.names.map((gene, g) => [gene, ...all.map(({ counts }) => counts[g])].join("\t"));
  disk.write(`${folder}/rna.tsv`, [["gene", ...all.map(({ id }) => id)].join("\t"), ...rows].join("\n") + "\n");
  const middle = Array.from({ length: SHOWN }, (_, f) => {
    const values = all.filter(({ part }) => part === "train").map(({ fields }) => fields[f]!).sort((a, b) => a - b);
    return values[Math.floor(values.length / 2)]!;
  });
  const donors = all.map((donor) => ({
    ...donor,
    labels: donor.fields.map((value, f) => (value > middle[f]! ? "more" : "less")),
  }));
  const lines = donors.map(({ id, part, labels }) => [id, id, part, ...labels].join("\t"));
  disk.write(
    `${folder}/slides.tsv`,
    [["slide_id", "case_id", "fold_0", ...LABELS].join("\t"), ...lines].join("\n") + "\n",
  );
  return donors;
}

interface Delta {
  readonly id: string;
  readonly task: number;
  readonly value: number;
  readonly low?: number;
  readonly high?: number;
}

/** Values of tasks, as they are printed. */
const show = (values: readonly (number | null)[]) => values.map((value) => value?.toFixed(3) ?? "-").join(" ");

/** An interval, where there is one. */
function range({ low, high }: Delta): string {
  return low === undefined || high === undefined ? "(no interval)" : `(${signed(low, 3)} to ${signed(high, 3)})`;
}

/** Features of donors by a way that needs no encoder: means over a slide's patches. */
async function plainMeans(name: string, donors: readonly Donor[]): Promise<Table> {
  const means: Float64Array[] = [];
  for (const { id } of donors) {
    const files = {
      id,
      folder: data,
      metadata: undefined,
      patches: `${data}/patches/${id}.h5`,
      expression: `${data}/st/${id}.h5ad`,
    };
    const { features } = await syntheticFeatures(disk, name, files);
    means.push(Float64Array.from({ length: features.columns }, (_, j) => mean(column(features, j))));
  }
  const columns = means[0]!.length;
  return { rows: donors.length, columns, data: Float64Array.from(means.flatMap((row) => [...row])) };
}

/** The same probes on colours and on the true fields: what is there to be told, and what needs no encoder. */
async function plainRows(donors: readonly Donor[], run: string): Promise<void> {
  const lines = Deno.readTextFileSync(`${run}/checkpoints/best/genes.tsv`).trim().split("\n").slice(1).map((line) =>
    line.split("\t")
  );
  const names = geneModel(plan.seed).names;
  const rna = Float32Array.from(
    donors.flatMap(({ counts }) => {
      const total = counts.reduce((a, b) => a + b);
      return lines.map(([gene, mean, std]) => {
        const value = Math.log2(counts[names.indexOf(gene!)]! / total * 1e6 + 1);
        return Number(std) > 0 ? (value - Number(mean)) / Number(std) : 0;
      });
    }),
  );
  const labels = new Map(LABELS.map((name, f) => [name, donors.map((donor) => donor.labels[f]!)]));
  const of = (part: string) => donors.flatMap((donor, i) => (donor.part === part ? [i] : []));
  const sides = { train: of("train"), test: of("test") };
  for (const name of ["colour", "oracle:visible"]) {
    const features = await plainMeans(name, donors);
    const judged = judge({ rna, genes: lines.map(([gene]) => gene!), labels }, features, sides);
    console.log(`  ${name.padEnd(14)} ${show(judged.map((one) => one.score(sides.test.map((_, i) => i))))}`);
  }
}

const donors = (await prepare()).filter(({ part }) => part !== "");
const gains = new Map<string, Delta[]>(arms.map((arm) => [arm, []]));
for (const seed of seeds) {
  for (const arm of arms) {
    const out = `${folder}/${arm}_${seed}`;
    const began = performance.now();
    await seal(
      ...["train", "--quiet", "method=bulk", "train=encoder", `encoder=${ENCODER}`, `patches=${data}`, `arms=${arm}`],
      ...[`expression=${folder}/rna.tsv`, "bulk_unit=counts", `slides=${folder}/slides.tsv`],
      `labels=[${LABELS}]`,
      ...[`steps=${flag("steps", "400")}`, `batch_size=${flag("bags", "16")}`, `tiles=${flag("tiles", "8")}`],
      ...["lr=3e-3", "encoder_lr=3e-3", "r=16", "lora_alpha=32", "lora_dropout=0", "partial_blocks=2"],
      ...["rna_hidden=128", "width=32", "eval_every=0", "cache=disk", `cache_dir=${folder}/cache`, `seed=${seed}`],
      ...["--out", out],
    );
    const probes = JSON.parse(Deno.readTextFileSync(`${out}/evaluation/probes.json`)) as {
      readonly tasks: readonly { readonly name: string }[];
      readonly rows: readonly { readonly id: string; readonly values: readonly (number | null)[] }[];
      readonly deltas: readonly Delta[];
    };
    const all = probes.deltas.find(({ task }) => task === probes.tasks.length)!;
    gains.get(arm)!.push(all);
    if (arm === arms[0]) {
      console.log(`seed ${seed}, tasks ${probes.tasks.map(({ name }) => name).join(" ")}`);
      if (seed === seeds[0]) await plainRows(donors, out);
      console.log(`  before         ${show(probes.rows[0]!.values)}`);
    }
    const shown = show(probes.rows[1]!.values);
    const seconds = ((performance.now() - began) / 1000).toFixed(0);
    console.log(`  ${arm.padEnd(14)} ${shown}  mean ${signed(all.value, 3)} ${range(all)}, ${seconds} s`);
  }
}
const meanGain = (arm: string) => gains.get(arm)!.reduce((sum, { value }) => sum + value, 0) / seeds.length;
let failed = 0;
/** Says whether something holds. */
function must(name: string, holds: boolean): void {
  console.log(`${holds ? "holds" : "FAILS"}: ${name}`);
  if (!holds) failed++;
}
for (const arm of arms) console.log(`${arm}: ${signed(meanGain(arm), 3)} over ${seeds.length} seeds`);
if (gains.has("contrastive")) {
  must(
    "contrastive gains, with its interval above 0 on each seed",
    gains.get("contrastive")!.every(({ low = -1 }) => low > 0),
  );
}
if (gains.has("contrastive") && gains.has("shuffled")) {
  must("contrastive gains more than on exchanged donors", meanGain("contrastive") > meanGain("shuffled"));
}
if (Deno.args.includes("--spots")) {
  const adapters = seeds.flatMap((seed) => arms.map((arm) => `${ENCODER}+${folder}/${arm}_${seed}/checkpoints/last`));
  const sources = [ENCODER, "colour", "oracle:visible", ...adapters].flatMap((source) => ["--encoder", source]);
  const of = ["--data", testedFolder(donors), "--folds", "5"];
  console.log(await seal("evaluate", ...of, ...sources, "--out", `${folder}/spots`, "--overwrite"));
}
if (failed > 0) Deno.exit(1);
