/**
 * Bulk RNA on a world of patients (`tests/methods/bulk/kw1.ts`): an encoder of tiles that was trained to restore them, then by
 * bags and RNA: contrastive, direct with either start of its head, both on exchanged patients, kept near its start, and with a
 * further vector of patients.
 *
 *     deno run -A scripts/methods/bulk/world.ts [--steps 1500] [--arms contrastive,direct,…] [--patience 0] [--rows FILE] [--backend dawn] [seed ...]
 *
 * Prints six probes by arm and seed as differences to the encoder before, means over seeds with intervals over tasks and seeds,
 * and what must hold of them; exits with 1 where something does not. With `--rows` each arm of a seed is a line of the file, and
 * what it has is not made again: arms and seeds may be run apart and judged together.
 *
 * Direct arms are judged with a head that starts as torch's layers do (`direct_torch`), as the reference's very probably did; the
 * order of the arms is that of their heads' starts (`bench/results/bulk.md`).
 */

import { fixed, signed } from "../../../src/core/fixed.ts";
import { Rng } from "../../../src/core/rng.ts";
import { alignRows } from "../../../src/core/text_table.ts";
import { paired } from "../../../src/eval/paired.ts";
import type { Gpu } from "../../../src/gpu/device.ts";
import type { Arm } from "../../../src/methods/bulk/model.ts";
import {
  baseEncoder,
  dataOf,
  KW1,
  makeKw1,
  type Patients,
  scoresOf,
  TASKS,
  trainArm,
} from "../../../tests/methods/bulk/kw1.ts";
import { configOf, times } from "../../../tests/methods/bulk/world.ts";
import { worldGpu } from "../world_gpu.ts";

/** Value of a flag. */
function flag(name: string, fallback: string): string {
  const at = Deno.args.indexOf(`--${name}`);
  return at < 0 ? fallback : Deno.args[at + 1]!;
}

const steps = Number(flag("steps", "1500"));
/** Evaluations without better probes that end an arm; 0 trains all steps, as the reference does. */
const patience = Number(flag("patience", "0"));
const KINDS = ["contrastive", "direct_torch", "direct", "shuffled", "shuffled_direct_torch", "kept", "further"];
/** Arms by kinds that are other settings of one. */
const ARM_OF: Readonly<Record<string, Arm>> = {
  ...{ kept: "contrastive", further: "contrastive" },
  ...{ direct_torch: "direct", shuffled_direct_torch: "shuffled_direct" },
};
const BASE = "before";
const kinds = flag("arms", KINDS.join(",")).split(",");
const numbers = Deno.args.filter((arg, i) => /^\d+$/.test(arg) && !Deno.args[i - 1]?.startsWith("--"));
const seeds = numbers.length > 0 ? numbers.map(Number) : [0, 1, 2];

/** What is known of an arm of a seed. */
interface Row {
  readonly seed: number;
  readonly arm: string;
  readonly steps: number;
  /** Scores of the tasks. */
  readonly scores: readonly number[];
  /** Least smooth rank in training. */
  readonly rank?: number;
  readonly drift: number;
  readonly seconds: number;
  readonly adapter: string;
}

const kept = flag("rows", "");
const rows: Row[] = [];
try {
  if (kept !== "") {
    rows.push(...Deno.readTextFileSync(kept).trim().split("\n").filter(Boolean).map((line) => JSON.parse(line)));
  }
} catch (cause) {
  if (!(cause instanceof Deno.errors.NotFound)) throw cause;
}
const rowOf = (seed: number, arm: string) =>
  rows.find((row) => row.seed === seed && row.arm === arm && row.steps === steps);

/** 32 numbers of a patient that say z, as a report might. */
function reports(
  seed: number,
  { z, count }: Patients,
): { readonly width: 32; readonly values: Float32Array<ArrayBuffer> } {
  const map = new Rng(seed, 31).normals(KW1.factor * 32, 1 / Math.sqrt(KW1.factor));
  const all = Array.from(
    { length: count },
    (_, p) => [...times(z.subarray(p * KW1.factor, (p + 1) * KW1.factor), map, 32)],
  );
  return { width: 32, values: Float32Array.from(all.flat()) };
}

/** Trains what is missing of a seed. */
async function runSeed(gpu: Gpu, seed: number, missing: readonly string[]): Promise<void> {
  const world = makeKw1(seed);
  const base = await baseEncoder(gpu, world, seed);
  for (const kind of missing) {
    const arm = kind === BASE ? undefined : ARM_OF[kind] ?? kind as Arm;
    const begun = performance.now();
    const config = configOf({
      ...{ train: "encoder", features: "[]", patches: "p", arms: arm ?? "direct", steps, batch_size: 64, tiles: 16 },
      ...{ lr: 5e-4, encoder_lr: 5e-4, rna_hidden: 128, width: 32, seed, eval_every: 10, log_every: 100 },
      early_stop_patience: patience,
      ...(kind === "kept" && { lambda_kd: 0.1 }),
      ...(kind.endsWith("_torch") && { head_start: "torch" }),
    });
    const data = dataOf(world, kind === "further" ? reports(seed, world.tuned) : undefined);
    const trained = await trainArm(gpu, { base, data, config, arm });
    const row: Row = {
      ...{ seed, arm: kind, steps, scores: await scoresOf(world, trained.embed) },
      ...(trained.ranks.length > 0 && { rank: Math.min(...trained.ranks) }),
      ...{ drift: trained.drift, seconds: (performance.now() - begun) / 1000, adapter: gpu.description },
    };
    trained.close();
    rows.push(row);
    if (kept !== "") Deno.writeTextFileSync(kept, `${JSON.stringify(row)}\n`, { append: true });
    console.log(shownAs(row).join("  "));
  }
}

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

/** A row of the table: differences to before. */
function shownAs({ seed, arm, scores, rank, drift }: Row): string[] {
  const before = rowOf(seed, BASE)!.scores;
  const cells = arm === BASE
    ? [...scores, mean(scores)].map((value) => fixed(value, 3))
    : [...scores.map((value, t) => value - before[t]!), mean(scores) - mean(before)].map((value) => signed(value, 3));
  return [String(seed), arm, ...cells, rank === undefined ? "" : fixed(rank, 1), arm === BASE ? "" : fixed(drift, 2)];
}

const wanted = seeds.map((seed) => ({ seed, missing: [BASE, ...kinds].filter((kind) => !rowOf(seed, kind)) }));
if (wanted.some(({ missing }) => missing.length > 0)) {
  const gpu = await worldGpu();
  for (const { seed, missing } of wanted) if (missing.length > 0) await runSeed(gpu, seed, missing);
  gpu.destroy();
}
console.log(
  alignRows([
    ["seed", "arm", ...TASKS, "mean", "smooth rank", "drift"],
    ...seeds.flatMap((seed) => [BASE, ...kinds].map((kind) => shownAs(rowOf(seed, kind)!))),
  ]).join("\n"),
);

let failed = 0;
/** Mean difference of an arm to another over tasks of all seeds, with its interval, and seed by seed. */
function gain(kind: string, tasks: readonly number[] = TASKS.map((_, t) => t), over = BASE): number {
  const of = (name: string) => seeds.map((seed) => tasks.map((t) => rowOf(seed, name)!.scores[t]!));
  const [a, b] = [of(over), of(kind)];
  const found = paired(a.flat(), b.flat(), { over: "tasks of seeds" });
  const range = found.interval === undefined
    ? ""
    : ` (${found.interval.map((value) => signed(value, 3)).join(" to ")})`;
  const each = seeds.map((_, i) => signed(mean(b[i]!) - mean(a[i]!), 3)).join(", ");
  const named = tasks.length === TASKS.length ? "mean" : tasks.map((t) => TASKS[t]).join(", ");
  console.log(`${kind}${over === BASE ? "" : ` less ${over}`}: ${named} ${signed(found.mean, 3)}${range}; ${each}`);
  return found.mean;
}

/** Says whether something holds. */
function must(name: string, holds: boolean): void {
  console.log(`${holds ? "holds" : "FAILS"}: ${name}`);
  if (!holds) failed++;
}

const has = (...names: string[]) => names.every((name) => kinds.includes(name));
const gains = new Map(kinds.map((kind) => [kind, gain(kind)]));
for (const arm of ["contrastive", "direct_torch", "direct"].filter((arm) => has(arm))) {
  must(`${arm} gains`, gains.get(arm)! > 0);
  must(`${arm} gains 0.05 of expression`, gain(arm, [5]) >= 0.05);
}
if (has("contrastive", "direct_torch")) {
  must(
    "contrastive leads direct whose head starts as torch's by 0.03",
    gain("contrastive", undefined, "direct_torch") >= 0.03,
  );
}
if (has("contrastive", "direct")) gain("contrastive", undefined, "direct");
if (has("shuffled")) must("contrastive on exchanged patients gains 0.05 at most", gains.get("shuffled")! <= 0.05);
for (const arm of ["shuffled_direct_torch", "shuffled_direct"].filter((arm) => has(arm))) {
  must(`${arm} gains nothing on exchanged patients`, gains.get(arm)! <= 0);
}
if (has("contrastive", "kept")) {
  console.log(`kept near its start: ${signed(gains.get("kept")!, 3)} of ${signed(gains.get("contrastive")!, 3)}`);
  const [own, kept] = ["contrastive", "kept"].map((kind) => mean(seeds.map((seed) => rowOf(seed, kind)!.drift)));
  must(
    `kept near its start, tiles move less by 60 % (${fixed(kept!, 2)}, else ${fixed(own!, 2)})`,
    kept! <= 0.4 * own!,
  );
}
if (has("further")) {
  for (const t of [1, 2]) must(`a further vector gains 0.05 of ${TASKS[t]}`, gain("further", [t]) >= 0.05);
}
if (failed > 0) Deno.exit(1);
