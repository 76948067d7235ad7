/**
 * Trains on a data folder, is stopped and goes on, and uses the run: a program of the package, the same under Node and Deno.
 * `DATA OUT` prints what came of it as JSON. With `others` behind, it starts processes of itself: one with `try`, which tries to
 * train in a folder that is written to, and one with `die`, which kills itself while it trains.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import process from "node:process";
import { openHest, openRun, train, type TrainingEvent } from "../../mod.ts";

const [data, out, mode] = process.argv.slice(2) as [string, string, string | undefined];
const encoder = "random:vit_small_patch16_224?dim=32&depth=2&heads=2&img=32&seed=3";
const config = {
  epochs: 1,
  steps: 4,
  batch_size: 8,
  hidden_dims: [16],
  warmup_epochs: 0,
  log_every: 1,
  save_every_steps: 1,
  workers: 1,
} as const;
const sha = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const told = (error: Error): string => `${error.name}: ${error.message}`;

const pairs = await (await openHest(data)).pairs({ genes: 32, panelGenes: 4, holdOut: { donors: 1 } });

/** Runs this program in a process of its own; what it printed. */
function another(out: string, mode: string): string {
  const args = [...process.execArgv, process.argv[1]!, data, out, mode];
  const { stdout, stderr, signal } = spawnSync(process.execPath, args);
  return stdout.length > 0 ? JSON.parse(String(stdout)) : signal ?? String(stderr);
}

if (mode === "try" || mode === "die") {
  const onStep = () => mode === "die" && process.kill(process.pid, "SIGKILL");
  const said = await train("seal", { data: pairs, encoder, out, config, onStep }).then(() => "trained", told);
  console.log(JSON.stringify(said));
  process.exit(0);
}

const read = createHash("sha256");
for await (const { barcodes, expression, images } of pairs.batches()) {
  read.update(barcodes.join());
  read.update(new Uint8Array(expression.buffer));
  for (const image of images) read.update(image.data);
}

const losses: number[] = [];
const stop = new AbortController();
let tried: string | undefined;
function onStep({ step, loss }: TrainingEvent): void {
  losses[step - 1] = loss!;
  if (step !== 2) return;
  if (mode === "others") tried = another(out, "try");
  stop.abort();
}
const stopped = await train("seal", { data: pairs, encoder, out, config, signal: stop.signal, onStep }).then(
  () => "trained",
  told,
);
const run = await train("seal", { data: pairs, encoder, out, config, onStep });
const killed = `${out}_killed`;
const died = mode === "others" ? another(killed, "die") : undefined;
if (died !== undefined) await train("seal", { data: pairs, encoder, out: killed, config });
await run.saveAdapter(`${out}_lora`);
await using used = await openRun(out, { checkpoint: "last" });
const sample = await (await openHest(data)).sample(pairs.samples[0]!.id);
const { data: predicted } = await used.predict([await sample.patch(0), await sample.patch(1)]);
const found = await used.retrieve({ genes: { [used.genes[0]!]: 2 } }, { among: sample, k: 3 });
const { pearson, spots } = await used.evaluate(sample);
const files = (run: string) =>
  ["heads.safetensors", "omics.safetensors", "adapter_model.safetensors"].map((name) =>
    sha(readFileSync(`${run}/checkpoints/last/${name}`))
  );
console.log(JSON.stringify({
  data: read.digest("hex"),
  pairs: pairs.count,
  losses,
  stopped,
  tried,
  died,
  resumed: died !== undefined && files(killed).join() === files(out).join(),
  steps: run.result.steps,
  genes: used.genes,
  predicted: [...predicted],
  found: found.map(({ barcode }) => barcode),
  spots,
  pearson: pearson.mean,
}));
process.exit(0);
