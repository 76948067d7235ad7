/**
 * What the tuner finds beside the rules: it measures as if nobody had said what kind of adapter this is (the rule then takes
 * workgroup memory), and what it finds is timed in turn with what this adapter's rule takes. By the tuner's own clock: the
 * device's, or on a software adapter the processor's. Where the adapter has subgroups, ways by them stand beside the same way
 * without, and the rule's kernel beside itself on a device that was not asked for them. One line a class; `--record` appends
 * them to `bench/results/tune.jsonl`.
 *
 * ```sh
 * deno run -A bench/tune.ts [--pairs 9] [--record]
 * ```
 *
 * @module
 */

import { requestGpu } from "../src/gpu/device.ts";
import type { TunedClass } from "../src/gpu/tuning.ts";
import { tune } from "../src/verify/tune.ts";
import { deviceClock } from "../src/verify/tune_clock.ts";
import { flag, provenance, quantile } from "./harness.ts";

const CLASSES = [
  "matmul nt f32 by f32 1x256x384x384",
  "matmul nn f32 by f32 1x256x384x384",
  "matmul tn f32 by f32 1x384x384x256",
  "attention forward f32 of 16 channels 32x33x33",
  "attention forward f32 of 64 channels 8x197x197",
];

const pairs = Number(flag("--pairs") ?? 9);
const gpu = await requestGpu(navigator.gpu, { subgroups: true });
const clock = deviceClock(gpu);
const plain = gpu.caps.subgroups && await requestGpu(navigator.gpu);
const plainClock = plain && deviceClock(plain);
const source = await provenance(gpu);

const once = async (on: typeof gpu, name: string, by = clock): Promise<TunedClass> =>
  (await tune(on, [name], by)).classes[0]!;
const spread = (values: readonly number[]): Record<"median" | "iqr", number> => {
  const sorted = values.toSorted((a, b) => a - b);
  return { median: quantile(sorted, 0.5), iqr: quantile(sorted, 0.75) - quantile(sorted, 0.25) };
};

for (const name of CLASSES) {
  const found = await once(gpu.withCaps({ flat: false }), name);
  const runs: TunedClass[] = [];
  const notAsked: TunedClass[] = [];
  for (let i = 0; i < pairs; i++) {
    runs.push(await once(gpu, name));
    if (plain) notAsked.push(await once(plain, name, plainClock));
  }
  const { rule } = runs[0]!;
  const exchanging = Object.keys(runs[0]!.ms).filter((way) => way.endsWith(", subgroups")).map((way) => {
    const [without] = way.split(", subgroups");
    return [way, spread(runs.map((run) => run.ms[way]! / run.ms[without!]!))];
  });
  const ms = { found: runs.map((run) => run.ms[found.pick]!), rule: runs.map((run) => run.ms[rule]!) };
  const line = JSON.stringify({
    ...{ class: name, found: found.pick, foundFrom: found.rule, rule, pairs },
    ms: { found: spread(ms.found), rule: spread(ms.rule) },
    // Below 1 what was found is faster.
    ratio: spread(ms.found.map((found, i) => found / ms.rule[i]!)),
    ...(plain && { bySubgroups: Object.fromEntries(exchanging) }),
    // Above 1 asking for subgroups costs.
    ...(plain && { asking: spread(runs.map((run, i) => run.ms[rule]! / notAsked[i]!.ms[rule]!)) }),
    clock: gpu.caps.software ? "processor" : gpu.caps.timestamps ? "timestamps" : "host",
    load: Deno.loadavg()[0],
    ...source,
  });
  console.log(line);
  if (Deno.args.includes("--record")) {
    Deno.writeTextFileSync(new URL("results/tune.jsonl", import.meta.url), line + "\n", { append: true });
  }
}
plainClock?.destroy();
plain?.destroy();
clock.destroy();
gpu.destroy();
