/**
 * Bulk RNA on a world of patients (`tests/methods/bulk/kw1.ts`): an encoder of tiles that was trained to restore them, then by
 * bags and RNA: contrastive, direct, both on exchanged patients, kept near its start, and with a further vector of patients.
 *
 *     deno run -A scripts/methods/bulk/world.ts [--steps 1500] [--arms contrastive,direct,…] [seed ...]
 *
 * Prints six probes by arm and seed as differences to the encoder before, means over seeds with intervals over tasks and seeds,
 * and what must hold of them; exits with 1 where something does not.
 */

import { fixed, signed } from "../../../src/core/fixed.ts";
import { Rng } from "../../../src/core/rng.ts";
import { alignRows } from "../../../src/core/text_table.ts";
import { paired } from "../../../src/eval/paired.ts";
import type { Arm } from "../../../src/methods/bulk/model.ts";
import { DEFAULT_LIMITS, openGpu } from "../../../tests/gpu/shared.ts";
import { baseEncoder, dataOf, KW1, makeKw1, scoresOf, TASKS, trainArm } from "../../../tests/methods/bulk/kw1.ts";
import { configOf, times } from "../../../tests/methods/bulk/world.ts";

/** Value of a flag. */
function flag(name: string, fallback: string): string {
  const at = Deno.args.indexOf(`--${name}`);
  return at < 0 ? fallback : Deno.args[at + 1]!;
}

const steps = Number(flag("steps", "1500"));
const KINDS = ["contrastive", "direct", "direct_torch", "shuffled", "shuffled_direct", "kept", "further"];
/** Arms by kinds that are other settings of one. */
const ARM_OF: Readonly<Record<string, Arm>> = { kept: "contrastive", further: "contrastive", direct_torch: "direct" };
const kinds = flag("arms", KINDS.join(",")).split(",");
const numbers = Deno.args.filter((arg, i) => /^\d+$/.test(arg) && !Deno.args[i - 1]?.startsWith("--"));
const seeds = numbers.length > 0 ? numbers.map(Number) : [0, 1, 2];
const gpu = await openGpu({ limits: DEFAULT_LIMITS });
console.log(gpu.description);

const scores = new Map<string, number[][]>([["base", []], ...kinds.map((kind): [string, number[][]] => [kind, []])]);
/** How far tiles moved, a seed each. */
const drifts = new Map<string, number[]>();
const rows: string[][] = [["seed", "arm", ...TASKS, "mean", "smooth rank", "drift"]];
const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
for (const seed of seeds) {
  const world = makeKw1(seed);
  const base = await baseEncoder(gpu, world, seed);
  // 32 numbers of a patient that say z, as a report might.
  const rng = new Rng(seed, 31);
  const [map, { z, count }] = [rng.normals(KW1.factor * 32, 1 / Math.sqrt(KW1.factor)), world.tuned];
  const values = Float32Array.from(
    Array.from({ length: count }, (_, p) => [...times(z.subarray(p * KW1.factor, (p + 1) * KW1.factor), map, 32)])
      .flat(),
  );
  let before: number[] | undefined;
  for (const kind of ["base", ...kinds]) {
    const arm = kind === "base" ? undefined : ARM_OF[kind] ?? kind as Arm;
    const config = configOf({
      ...{ train: "encoder", features: "[]", patches: "p", arms: arm ?? "direct", steps, batch_size: 64, tiles: 16 },
      ...{ lr: 5e-4, encoder_lr: 5e-4, rna_hidden: 128, width: 32, seed, eval_every: 10, log_every: 100 },
      ...(kind === "kept" && { lambda_kd: 0.1 }),
      // As the published comparison's reference started its head.
      ...(kind === "direct_torch" && { head_start: "torch" }),
    });
    const data = dataOf(world, kind === "further" ? { width: 32, values } : undefined);
    const trained = await trainArm(gpu, { base, data, config, arm });
    const found = await scoresOf(world, trained.embed);
    trained.close();
    before ??= found;
    scores.get(kind)!.push(found);
    const shown = found.map((value, t) => arm === undefined ? fixed(value, 3) : signed(value - before![t]!, 3));
    const least = trained.ranks.length > 0 ? fixed(Math.min(...trained.ranks), 1) : "";
    const all = arm === undefined ? fixed(mean(found), 3) : signed(mean(found) - mean(before), 3);
    if (arm !== undefined) drifts.set(kind, [...drifts.get(kind) ?? [], trained.drift]);
    rows.push([String(seed), kind, ...shown, all, least, fixed(trained.drift, 2)]);
    console.log(rows.at(-1)!.join("  "));
  }
}
console.log(alignRows(rows).join("\n"));

let failed = 0;
/** Mean difference of an arm to the base, over tasks of all seeds, with its interval. */
function gain(kind: string, tasks: readonly number[] = TASKS.map((_, t) => t)): number {
  const of = (name: string) => scores.get(name)!.flatMap((found) => tasks.map((t) => found[t]!));
  const { mean, interval } = paired(of("base"), of(kind), { over: "tasks of seeds" });
  const range = interval === undefined ? "" : ` (${signed(interval[0], 3)} to ${signed(interval[1], 3)})`;
  console.log(
    `${kind}: ${tasks.length === TASKS.length ? "mean" : tasks.map((t) => TASKS[t]).join(", ")} ${
      signed(mean, 3)
    }${range}`,
  );
  return mean;
}

/** Says whether something holds. */
function must(name: string, holds: boolean): void {
  console.log(`${holds ? "holds" : "FAILS"}: ${name}`);
  if (!holds) failed++;
}

const has = (...names: string[]) => names.every((name) => kinds.includes(name));
const gains = new Map(kinds.map((kind) => [kind, gain(kind)]));
if (has("contrastive", "direct_torch")) {
  const lead = gains.get("contrastive")! - gains.get("direct_torch")!;
  must("contrastive leads direct whose head starts as torch's by 0.03", lead >= 0.03);
}
if (has("contrastive", "direct")) {
  must("both arms gain", gains.get("contrastive")! > 0 && gains.get("direct")! > 0);
  must("expression gains 0.05 by both", ["contrastive", "direct"].every((arm) => gain(arm, [5]) >= 0.05));
  const lead = gains.get("contrastive")! - gains.get("direct")!;
  console.log(`contrastive less direct whose head starts at zero: ${signed(lead, 3)}`);
}
if (has("shuffled")) must("contrastive on exchanged patients gains 0.05 at most", gains.get("shuffled")! <= 0.05);
if (has("shuffled_direct")) must("direct on exchanged patients gains nothing", gains.get("shuffled_direct")! <= 0);
if (has("contrastive", "kept")) {
  console.log(`kept near its start: ${signed(gains.get("kept")!, 3)} of ${signed(gains.get("contrastive")!, 3)}`);
  const [own, kept] = ["contrastive", "kept"].map((kind) => mean(drifts.get(kind)!));
  must(
    `kept near its start, tiles move less by 60 % (${fixed(kept!, 2)}, else ${fixed(own!, 2)})`,
    kept! <= 0.4 * own!,
  );
}
if (has("further")) {
  must(
    "a further vector gains 0.05 on both signs",
    [1, 2].every((t) => gain("further", [t]) >= 0.05),
  );
}
gpu.destroy();
if (failed > 0) Deno.exit(1);
