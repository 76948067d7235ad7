/**
 * Training at odd moments: stopped in any callback, by a callback that throws, by a device that goes, beside other work on one
 * device. The same call always ends with the bytes of a run that nothing disturbed.
 *
 * @seconds 25
 */

import assert from "node:assert/strict";
import { planSynth } from "../../../src/data/synth/plan.ts";
import { writeSynth } from "../../../src/data/synth/write.ts";
import { disk } from "../../../src/io/fs.ts";
import { loadEncoder, openHest, openRun, train, type TrainOptions } from "../../../mod.ts";
import { openGpu } from "../../gpu/shared.ts";

const gpu = await openGpu();
const folder = Deno.makeTempDirSync({ prefix: "module_odd_" });
Deno.test.afterAll(() => {
  gpu.destroy();
  Deno.removeSync(folder, { recursive: true });
});
const data = `${folder}/hest`;
await writeSynth(disk, data, planSynth({ profile: "smoke" }), {
  makeFolder: (path) => Deno.mkdirSync(path, { recursive: true }),
});
const encoder = "random:vit_small_patch16_224?dim=32&depth=2&heads=2&img=32&seed=3";
const config = {
  steps: 3,
  batch_size: 8,
  n_train_genes: 32,
  panel_genes: 4,
  hidden_dims: [16],
  warmup_epochs: 0,
  log_every: 1,
  save_every_steps: 1,
  workers: 0,
} as const;

type More = Partial<TrainOptions<object>>;

/** Trains in a folder of that name. */
async function learn(name: string, more: More = {}): Promise<string> {
  const done = await train("seal", { gpu, data, encoder, out: `${folder}/${name}`, config, ...more });
  return done.folder;
}

function bytesOf(run: string): Uint8Array[] {
  return ["heads.safetensors", "omics.safetensors", "adapter_model.safetensors"].map((file) =>
    Deno.readFileSync(`${run}/checkpoints/last/${file}`)
  );
}

/** All callbacks as one. */
const callbacks = (call: () => void): More => ({
  onStep: call,
  onEpoch: call,
  onMessage: call,
  onProgress: call,
  onWarning: call,
});

let calls = 0;
const whole = bytesOf(await learn("whole", callbacks(() => calls++)));

Deno.test("a run that is stopped in whatever callback resumes to the same bytes", async () => {
  assert.ok(calls > 20);
  for (const at of [1, 7, Math.floor(calls / 2), Math.floor(0.8 * calls)]) {
    const stop = new AbortController();
    let n = 0;
    const more = callbacks(() => ++n === at && stop.abort(at % 2 ? new Error("a reason of its own") : undefined));
    await learn(`at${at}`, { ...more, signal: stop.signal }).catch((error: Error) => {
      assert.equal(error.name, "InterruptedError", `${at}: ${error.message}`);
    });
    assert.deepEqual(bytesOf(await learn(`at${at}`)), whole, `stopped in callback ${at}`);
  }
});

Deno.test("a callback that throws and a device that goes end a run as they are, and it resumes", async () => {
  const onStep = () => {
    throw new RangeError("of the callback");
  };
  await assert.rejects(learn("thrown", { onStep }), { name: "RangeError", message: "of the callback" });
  assert.deepEqual(bytesOf(await learn("thrown")), whole);
  const own = await openGpu();
  await assert.rejects(learn("lost", { gpu: own, onStep: () => own.destroy() }), {
    name: "DeviceError",
    hint: /again/,
  });
  assert.deepEqual(bytesOf(await learn("lost")), whole);
  gpu.check();
});

Deno.test("two runs and two encoders share a device, two runs no folder", async () => {
  const [one, other] = await Promise.allSettled([learn("twice"), learn("twice")]);
  const rejected = [one, other].filter(({ status }) => status === "rejected") as PromiseRejectedResult[];
  assert.equal(rejected.length, 1);
  assert.match(String(rejected[0]!.reason), /ConfigError: Cannot write to .*writes there/);
  using a = await loadEncoder(encoder, { gpu });
  using b = await loadEncoder(`${encoder}1`, { gpu });
  const image = { width: 40, height: 40, data: new Uint8Array(4800).fill(77) };
  const wanted = [(await a.embed(image)).data, (await b.embed(image)).data];
  assert.notDeepEqual(wanted[0], wanted[1]);
  const embed = async () => {
    for (let i = 0; i < 20; i++) {
      const got = await Promise.all([a.embed(image), b.embed(image)]);
      assert.deepEqual(got.map(({ data }) => data), wanted);
    }
  };
  const [first, second] = await Promise.all([learn("a"), learn("b"), embed()]);
  assert.deepEqual([bytesOf(first), bytesOf(second)], [whole, whole]);
  gpu.check();
});

Deno.test("signals end reading, scoring and judging; options that are not known are refused", async () => {
  await using run = await openRun(`${folder}/whole`, { gpu, checkpoint: "last" });
  const soon = () => {
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 1);
    return stop.signal;
  };
  const aborted = { name: "AbortError" };
  await assert.rejects(run.evaluate(data, { signal: soon() }), aborted);
  await assert.rejects(run.evaluate(data, { signal: soon(), protocol: "hest-bench/1" }), aborted);
  await assert.rejects(run.retrieve({ genes: { [run.genes[0]!]: 1 } }, { among: data, signal: soon() }), aborted);
  // deno-lint-ignore no-explicit-any
  const any = run as any;
  const unknown = (message: RegExp) => ({ name: "ConfigError", message });
  await assert.rejects(any.evaluate(data, { protcol: "hest-bench/1" }), unknown(/protcol is not .*protocol$/));
  await assert.rejects(any.evaluate(data, { protocol: "hest-bench/1", genes: [] }), unknown(/genes is not/));
  await assert.rejects(any.evaluate(data, null), unknown(/options is null/));
  await assert.rejects(any.retrieve({ genes: {} }, { amongst: data }), unknown(/amongst is not .*among, k, signal$/));
  await assert.rejects(any.predict([], { organs: "Breast" }), unknown(/organs is not .*organ, signal$/));
  const hest = await openHest(data);
  await assert.rejects(hest.pairs({ genes: 16, panelGenes: 2, signal: soon() }), aborted);
  const pairs = await hest.pairs({ genes: 16, panelGenes: 2 });
  await assert.rejects(Array.fromAsync(pairs.batches({ signal: soon() })), aborted);
});
