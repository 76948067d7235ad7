/**
 * Bulk RNA through pixels: the demo's encoder trained by bags of patches of synthetic slides, one of each donor, and the sum of a
 * slide's counts as its donor's bulk RNA.
 *
 *     deno run -A scripts/methods/bulk/pixels.ts --folder DIR [--slides 120] [--steps 100] [--bags 16] [--tiles 8] [--spots] [seed ...]
 *
 * Each arm (contrastive, direct, contrastive on exchanged donors) is a run of `train method=bulk train=encoder` in DIR; what is
 * there is not made again. Prints probes of donors on mean features (signs of six fields that show, expression) as differences to
 * the encoder before with intervals over donors; with `--spots` also HEST's probe of spots on the donors that were held out,
 * beside colours and what the true fields give. Exits with 1 where contrastive training does not gain, or not more than the control.
 */

import { signed } from "../../../src/core/fixed.ts";
import { Fields } from "../../../src/data/synth/fields.ts";
import { drawExpression, geneModel, GENES } from "../../../src/data/synth/genes.ts";
import { planSynth, sampleId, slidesOf } from "../../../src/data/synth/plan.ts";
import { writeSynth } from "../../../src/data/synth/write.ts";
import { disk } from "../../../src/io/fs.ts";
import { exec } from "../../exec.ts";
import { denoFlags, permissionsOf } from "../../../src/cli/permissions.ts";

const ROOT = new URL("../../../", import.meta.url).pathname;
const ENCODER = `${ROOT}data/demo/encoder`;
const ARMS = ["contrastive", "direct", "shuffled"] as const;
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
const slides = Number(flag("slides", "120"));
const numbers = Deno.args.filter((arg, i) => /^\d+$/.test(arg) && !Deno.args[i - 1]?.startsWith("--"));
const seeds = numbers.length > 0 ? numbers.map(Number) : [0, 1, 2];
const data = `${folder}/hest`;

async function seal(...words: string[]): Promise<string> {
  const args = ["run", ...denoFlags(await permissionsOf(words)), `${ROOT}src/cli/main.ts`, ...words];
  const { code, output } = await exec("deno", args, { quiet: true });
  if (code !== 0 && code !== 3) throw new Error(`${words.slice(0, 2).join(" ")}: status ${code}\n${output}`);
  return output;
}

/** Slides, their summed counts, and the signs of what their donors have more of. */
async function prepare(): Promise<void> {
  const plan = planSynth({ profile: "smoke", slides, rows: 3, cols: 6, donorFields: 1 });
  await writeSynth(disk, data, plan, { makeFolder: (path) => Deno.mkdirSync(path, { recursive: true }) });
  const model = geneModel(plan.seed);
  const all = slidesOf(plan);
  const sums = all.map((slide) => {
    const { counts } = drawExpression(slide, new Fields(slide), model);
    const sum = new Float64Array(GENES);
    counts.forEach((value, i) => sum[i % GENES]! += value);
    return sum;
  });
  const rows = model.names.map((gene, g) => [gene, ...sums.map((sum) => sum[g])].join("\t"));
  disk.write(`${folder}/rna.tsv`, [["gene", ...all.map(sampleId)].join("\t"), ...rows].join("\n") + "\n");
  const lines = all.map((slide) => {
    const { offsets } = new Fields(slide);
    const signs = Array.from({ length: SHOWN }, (_, f) => (offsets[f]! > 0 ? "more" : "less"));
    // A hole leaves small slides without patches: they take no part.
    const part = slide.hole > 0 ? "" : slide.slide % 3 === 2 ? "test" : "train";
    return [sampleId(slide), sampleId(slide), part, ...signs].join("\t");
  });
  const fields = Array.from({ length: SHOWN }, (_, f) => `field${f}`);
  disk.write(
    `${folder}/slides.tsv`,
    [["slide_id", "case_id", "fold_0", ...fields].join("\t"), ...lines].join("\n") + "\n",
  );
}

interface Delta {
  readonly id: string;
  readonly task: number;
  readonly value: number;
  readonly low?: number;
  readonly high?: number;
}

/** An interval, where there is one. */
function range({ low, high }: Delta): string {
  return low === undefined || high === undefined ? "(no interval)" : `(${signed(low, 3)} to ${signed(high, 3)})`;
}

await prepare();
const gains = new Map<string, Delta[]>(ARMS.map((arm) => [arm, []]));
for (const seed of seeds) {
  for (const arm of ARMS) {
    const out = `${folder}/${arm}_${seed}`;
    await seal(
      ...["train", "--quiet", "method=bulk", "train=encoder", `encoder=${ENCODER}`, `patches=${data}`, `arms=${arm}`],
      ...[
        `expression=${folder}/rna.tsv`,
        "bulk_unit=counts",
        `slides=${folder}/slides.tsv`,
        "labels=[field0,field1,field2,field3,field4,field5]",
      ],
      ...[`steps=${flag("steps", "100")}`, `batch_size=${flag("bags", "16")}`, `tiles=${flag("tiles", "8")}`],
      ...[
        "lr=1e-3",
        "encoder_lr=1e-3",
        "rna_hidden=128",
        "width=32",
        "partial_blocks=2",
        "eval_every=0",
        "lora_dropout=0",
      ],
      ...["cache=disk", `cache_dir=${folder}/cache`, `seed=${seed}`, "--out", out],
    );
    const probes = JSON.parse(Deno.readTextFileSync(`${out}/evaluation/probes.json`)) as {
      readonly tasks: readonly { readonly name: string }[];
      readonly rows: readonly { readonly id: string; readonly values: readonly (number | null)[] }[];
      readonly deltas: readonly Delta[];
    };
    const all = probes.deltas.find(({ task }) => task === probes.tasks.length)!;
    gains.get(arm)!.push(all);
    const show = (values: readonly (number | null)[]) => values.map((value) => value?.toFixed(3) ?? "-").join(" ");
    if (arm === ARMS[0]) {
      console.log(
        `seed ${seed}, tasks ${probes.tasks.map(({ name }) => name).join(" ")}\n  before       ${
          show(probes.rows[0]!.values)
        }`,
      );
    }
    const shown = show(probes.rows[1]!.values);
    console.log(`  ${arm.padEnd(12)} ${shown}  mean ${signed(all.value, 3)} ${range(all)}`);
  }
}
const mean = (arm: string) => gains.get(arm)!.reduce((sum, { value }) => sum + value, 0) / seeds.length;
let failed = 0;
/** Says whether something holds. */
function must(name: string, holds: boolean): void {
  console.log(`${holds ? "holds" : "FAILS"}: ${name}`);
  if (!holds) failed++;
}
for (const arm of ARMS) console.log(`${arm}: ${signed(mean(arm), 3)} over ${seeds.length} seeds`);
must(
  "contrastive gains, with its interval above 0 on each seed",
  gains.get("contrastive")!.every(({ low = -1 }) => low > 0),
);
must("contrastive gains more than on exchanged donors", mean("contrastive") > mean("shuffled"));
if (Deno.args.includes("--spots")) {
  const runs = seeds.flatMap((seed) => ARMS.flatMap((arm) => ["--run", `${folder}/${arm}_${seed}`]));
  const sources = ["--encoder", ENCODER, "--encoder", "colour", "--encoder", "oracle:visible"];
  console.log(await seal("evaluate", "--data", data, ...sources, ...runs, "--out", `${folder}/spots`));
}
if (failed > 0) Deno.exit(1);
