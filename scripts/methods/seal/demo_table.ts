/**
 * The demo at several seeds with its negative controls, as a table: counts exchanged among the spots of a slide, from which nothing
 * can be learnt, and spots recorded 300 µm off. Each row is a training of its own, in a folder that is kept; made once, it is read.
 *
 *   deno run -A scripts/methods/seal/demo_table.ts [--seeds 1,2,3] [--runs runs/demo_table] [--out FILE] [--only demo|controls] [KEY=VALUE …]
 *
 * Keys change the recipe of all rows. Intervals are those of the run's own `evaluation/results.json`.
 */

import { parseArgs } from "node:util";
import { demo } from "../../../src/methods/seal/demo.ts";
import type { EncoderResult, Results } from "../../../src/report/run_evidence.ts";
import { exec, ROOT } from "../../exec.ts";

const { values, positionals: keys } = parseArgs({
  options: {
    seeds: { type: "string", default: "1,2,3" },
    runs: { type: "string", default: "runs/demo_table" },
    only: { type: "string" },
    out: { type: "string" },
  },
  allowPositionals: true,
});
const runs = `${ROOT}${values.runs}`;

/** Data of the demo's plan, with the flags of `synth` that spoil them. */
const CONTROLS: Readonly<Record<string, readonly string[]>> = {
  demo: [],
  "counts permuted": ["--permute-counts"],
  "300 µm off": ["--misalign", "300"],
};

async function task(args: readonly string[]): Promise<void> {
  const { code, output } = await exec("deno", ["task", ...args], { quiet: true });
  // 3 is a run with a number that is not defined, as controls have them.
  if (code !== 0 && code !== 3) {
    throw new Error(`deno task ${args.join(" ")} ended with ${code}:\n${output.slice(-2000)}`);
  }
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/** Trains where no finished run is; its results and seconds by the wall. */
async function train(name: string, seed: string): Promise<{ results: Results; seconds: number }> {
  const word = name.replaceAll(/[^a-z0-9]+/g, "_");
  const [data, out] = [`${runs}/data_${word}`, `${runs}/${word}_${seed}`];
  const { profile, slides } = demo.data;
  if (!await exists(`${data}/synth.json`)) {
    await task(["synth", "--profile", profile, "--slides", String(slides), "--out", data, ...CONTROLS[name]!]);
  }
  const took = `${out}.seconds`;
  if (!await exists(took)) {
    const config = `${runs}/${word}.yaml`;
    await Deno.writeTextFile(config, demo.config(data));
    const begun = performance.now();
    await task(["train", "--config", config, "--out", out, "--seed", seed, ...keys]);
    await Deno.writeTextFile(took, String((performance.now() - begun) / 1000));
  }
  const results = JSON.parse(await Deno.readTextFile(`${out}/evaluation/results.json`)) as Results;
  return { results, seconds: Number(await Deno.readTextFile(took)) };
}

const number = (x: number | null | undefined): string => (x ?? NaN).toFixed(3).replace("-", "−");
const signed = (x: number): string => (x < 0 ? "" : "+") + number(x);

/** Mean over the genes of a kind, spots of all sections together. */
function ofKind({ probe }: EncoderResult, kind: string): string {
  const genes = probe!.genes.filter(({ group }) => group === `${kind} program`);
  return number(genes.reduce((sum, { pearson }) => sum + (pearson ?? 0), 0) / genes.length);
}

function row(name: string, seed: string, { encoders, differences }: Results, seconds: number): string {
  const [before, after] = ["before", "after"].map((role) => encoders.find((one) => one.role === role)!) as [
    EncoderResult,
    EncoderResult,
  ];
  const depth = encoders.find(({ label }) => label === "Depth only")!;
  const gain = (wanted: string): string => {
    const { mean, low, high } = differences!.find(({ metric }) => metric === wanted)!;
    return low === undefined ? signed(mean) : `${signed(mean)} [${signed(low)}, ${signed(high!)}]`;
  };
  const kinds = (kind: string) => [before, after, depth].map((encoder) => ofKind(encoder, kind)).join(" / ");
  const frozen = [number(before.probe!.pearson.mean), number(after.probe!.pearson.mean)];
  const cells = [name, seed, ...frozen, gain("pearson"), gain("pearson_per_slide"), kinds("visible"), kinds("hidden")];
  return `| ${[...cells, String(Math.round(seconds))].join(" | ")} |`;
}

await Deno.mkdir(runs, { recursive: true });
const lines = [
  "| data | seed | frozen | SEAL | gain, over genes | within sections | genes that show: frozen / SEAL / depth | that do not | s |",
  "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
];
console.log(lines.join("\n"));
for (const name of Object.keys(CONTROLS)) {
  if (values.only !== undefined && (values.only === "demo") !== (name === "demo")) continue;
  for (const seed of values.seeds.split(",")) {
    const { results, seconds } = await train(name, seed);
    lines.push(row(name, seed, results, seconds));
    console.log(lines.at(-1));
  }
}
if (values.out !== undefined) await Deno.writeTextFile(values.out, lines.join("\n") + "\n");
