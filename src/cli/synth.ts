/**
 * `synth`: the deterministic synthetic data set, laid out as HEST-1k or HEST-Benchmark.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { planSynth, type ProfileName, PROFILES, type Trap, TRAPS } from "../data/synth/plan.ts";
import { SYNTH_SEED } from "../data/synth/slide.ts";
import { writeSynth } from "../data/synth/write.ts";
import { disk, makeFolder } from "../io/fs.ts";
import { lockFolder } from "../io/lock.ts";
import { type Args, COMMON, type Flags } from "./args.ts";
import type { Job } from "./interrupt.ts";
import { checkFolder, trimmed } from "../io/output.ts";
import { Progress } from "./progress.ts";
import { count } from "../core/text_table.ts";
import { printJson } from "./terminal.ts";

/** Name of the command. */
export const name = "synth";
/** What it does. */
export const summary = "write a deterministic synthetic data set in the layout of HEST-1k";
/** An example. */
export const example = "synth --out data/synth --profile smoke";

const trap = (of: Trap) => ({ kind: "switch", help: `trap: ${TRAPS[of]}` }) as const;
const number = (help: string, min: number, max: number) =>
  ({ kind: "number", value: "N", integer: true, min, max, help }) as const;

/** Flags of the command. */
export const flags = {
  out: { kind: "text", value: "DIR", help: "folder of the data set; an interrupted one is continued" },
  profile: {
    kind: "choice",
    of: Object.keys(PROFILES),
    default: "small",
    help: Object.entries(PROFILES).map(([profile, { what }]) => `${profile}: ${what}`).join("; "),
  },
  seed: { ...COMMON.seed, max: 0xffffffff, default: SYNTH_SEED },
  slides: number("slides, instead of the profile's", 1, 10000),
  rows: number("rows of the spots' array, instead of the profile's", 1, 500),
  cols: number("columns of the array, of which a row uses every other", 2, 1000),
  "slides-per-donor": number("slides that share stain and batch effect; 1 unless given", 1, 10000),
  "donor-fields": {
    kind: "number",
    value: "X",
    min: 0,
    max: 10,
    help: "deviation of what donors have more or less of each field than others; 0 unless given",
  },
  wsi: { kind: "switch", help: "also the slides' images as pyramidal TIFF" },
  misalign: {
    kind: "number",
    value: "UM",
    min: -10000,
    max: 10000,
    help: "trap: spots recorded so many µm too far right; accuracy must fall",
  },
  "dup-genes": trap("dup-genes"),
  ensembl: trap("ensembl"),
  "bytes-cellid": trap("bytes-cellid"),
  "nan-x": trap("nan-x"),
  "shuffle-patches": trap("shuffle-patches"),
  "swap-coords": trap("swap-coords"),
  "px-x10": trap("px-x10"),
  "old-h5ad": trap("old-h5ad"),
  patch256: trap("patch256"),
  "mixed-barcode-len": trap("mixed-barcode-len"),
  "uint16-dense": trap("uint16-dense"),
  "json-nan": trap("json-nan"),
  "permute-counts": trap("permute-counts"),
  overwrite: COMMON.overwrite,
  quiet: COMMON.quiet,
  json: COMMON.json,
} as const satisfies Flags & Record<Trap, unknown>;

/** Runs the command. */
export async function run({ flags: values }: Args<typeof flags>, { signal }: Job): Promise<number> {
  if (values.out === undefined) {
    throw new ConfigError("Cannot write a synthetic data set: no --out is given", {
      hint: "For example --out data/synth",
    });
  }
  const plan = planSynth({
    ...values,
    profile: values.profile as ProfileName,
    slidesPerDonor: values["slides-per-donor"],
    donorFields: values["donor-fields"],
    traps: (Object.keys(TRAPS) as Trap[]).filter((key) => values[key]),
  });
  const out = trimmed(values.out);
  checkFolder(out);
  const progress = new Progress(values.quiet);
  using _lock = lockFolder(out, name);
  const record = await writeSynth(disk, out, plan, {
    makeFolder,
    overwrite: values.overwrite,
    signal,
    onSamples: (done, total) => progress.update(out, done, total, "slides"),
  });
  if (record === undefined) throw signal.reason;
  const patches = record.samples.reduce((sum, sample) => sum + sample.patches, 0);
  progress.say(
    `${out}: ${count(record.samples.length, "slide")}, ${count(patches, "patch", "patches")}, ${
      count(record.genes, "gene")
    }`,
  );
  if (values.json) printJson({ out, status: "done", ...record });
  return 0;
}
