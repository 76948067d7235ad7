/**
 * Training that was stopped and resumed leaves the bytes of training that was not, whatever is trained and however.
 *
 * @seconds 50
 */

import assert from "node:assert/strict";
import { dirname } from "node:path";
import type { Gpu } from "../../../src/gpu/device.ts";
import { openAdapter } from "../../../src/run/adapter.ts";
import { ConfigError } from "../../../src/core/errors.ts";
import { SILENT } from "../../../src/core/reporter.ts";
import { findCheckpoint, writeCheckpoint } from "../../../src/run/checkpoints.ts";
import { completeManifest } from "../../../src/run/start.ts";
import { lookAtRun } from "../../../src/run/open.ts";
import { hostOf } from "../../../src/run/host.ts";
import { openData } from "../../../src/methods/seal/data.ts";
import { openSession } from "../../../src/methods/seal/session.ts";
import { sealTraining } from "../../../src/methods/seal/training.ts";
import { checkSettings, trainingSettings } from "../../../src/train/settings.ts";
import { planSynth } from "../../../src/data/synth/plan.ts";
import { writeSynth } from "../../../src/data/synth/write.ts";
import { sealJson } from "../../../src/io/checksum.ts";
import { disk } from "../../../src/io/fs.ts";
import { SEAL_CONFIG, type SealConfig } from "../../../src/methods/seal/config.ts";
import { isUnderWay, JOBS, resultsOf, timelessOfRun } from "../../../scripts/kill_jobs.ts";
import { differences, killAndResume, runWhole, train } from "../../../scripts/kill_resume.ts";
import { until } from "../../cli/command.ts";
import { openGpu } from "../../gpu/shared.ts";
import { prepareRun } from "../../cli/begun_run.ts";
import { trainIn, Watched } from "../../train/driver.ts";

const gpu = await openGpu();
const folder = Deno.makeTempDirSync({ prefix: "train_resume_" });
Deno.test.afterAll(() => {
  gpu.destroy();
  Deno.removeSync(folder, { recursive: true });
});
const data = `${folder}/data`;
await writeSynth(disk, data, planSynth({ profile: "smoke" }), {
  makeFolder: (path) => Deno.mkdirSync(path, { recursive: true }),
});

type Overrides = Readonly<Record<string, string | number | boolean>>;

const COMMON: Overrides = {
  encoder: "random:vit_small_patch16_224?dim=32&depth=2&heads=2&patch=32&seed=3",
  holdout_samples: "SYN3",
  n_train_genes: 40,
  hidden_dims: "[16, 8]",
  epochs: 2,
  batch_size: 20,
  cache_views: 1,
  augment: "soft",
  log_every: 1,
  workers: 0,
};

function configOf(overrides: Overrides, run: string): SealConfig {
  const all = { ...COMMON, data: JSON.stringify([data]), ...overrides, out: `${folder}/${run}` };
  return SEAL_CONFIG.read([], Object.entries(all).map(([key, value]): [string, string] => [key, String(value)])).config;
}

/** Every variant has the same data. */
const set = await openData(configOf({}, "data"), hostOf(SILENT));

/** Trains from what the folder holds, for `steps` logged steps. @param onStep Called after each. */
async function go(
  config: SealConfig,
  steps = Infinity,
  of = set,
  onStep?: (step: number) => void,
  on = gpu,
): Promise<string> {
  const run = config.input.out!;
  const progress = new Watched(steps, onStep);
  prepareRun(run, SEAL_CONFIG.write(config), false);
  const session = await openSession(on, config, of, hostOf(progress));
  try {
    const { reason } = await trainIn(run, sealTraining(session, [0, 1, 2, 3]), progress);
    return reason;
  } finally {
    session.close();
  }
}

/** Files without what names the folder. */
function filesOf(run: string): Map<string, Uint8Array> {
  const job = { isStray: isUnderWay, timeless: timelessOfRun };
  const { results, strays } = resultsOf(job, `${folder}/${run}`);
  assert.deepEqual(strays, []);
  results.delete("config.yaml");
  return results;
}

const VARIANTS: readonly (readonly [name: string, set: Overrides, ending: string])[] = [
  ["a warm-up, then a frozen gene model", { warmup_epochs: 1, two_stage_training: true }, "finished"],
  ["a noisy warm-up, batches added up, dropout", {
    warmup_epochs: 1,
    warmup_noise: 0.2,
    grad_accum: 2,
    vae_dropout: 0.1,
    dec_dropout: 0.2,
    kl_loss: true,
  }, "finished"],
  ["micro-batches, a checkpoint every step, a cache on disk", {
    micro_batch: 10,
    save_every_steps: 1,
    cache: "disk",
    cache_views: 2,
    dec_dropout: 0.1,
  }, "finished"],
  [
    "hard augmentation without a cache, neighbours apart",
    { cache: "off", augment: "hard", neighbour_cap: 3 },
    "finished",
  ],
  ["early stopping", { early_stop_patience: 1, early_stop_min_delta: 2, epochs: 4 }, "early"],
  ["a part of the pairs, the last block unfrozen, clipping, colours", {
    subsample_frac: 0.6,
    use_lora: false,
    clip_norm: 0.5,
    augment: "hard",
    cache_colour_views: 1,
  }, "finished"],
  ["a running mean of the weights, batches of one sample, expression centred, correlation of genes, a warm-up", {
    ema: 0.8,
    batch_samples: "one",
    gene_centre: true,
    gene_loss: "pcc_genes",
    lambda_contrast: 0.2,
    lambda_recon_img: 2,
    warmup_epochs: 1,
    save_every_steps: 1,
  }, "finished"],
];

for (const [i, [name, set, ending]] of VARIANTS.entries()) {
  Deno.test(`stopped and resumed, the same bytes: ${name}`, async () => {
    assert.equal(await go(configOf(set, `whole${i}`)), ending);
    const stopped = configOf(set, `stopped${i}`);
    // In the middle of an epoch, after one, in the warm-up and behind it.
    assert.equal(await go(stopped, 2 + i % 4), "interrupted");
    assert.equal(await go(stopped), ending);
    const whole = filesOf(`whole${i}`);
    assert.ok(whole.size >= 12, `${whole.size} files`);
    assert.deepEqual(differences(whole, filesOf(`stopped${i}`)), []);
  });
}

/** What differs between the kernel paths, and the width of real encoders, which picks a kernel's tiles. */
const ON_GPUS: Readonly<Record<string, Overrides>> = {
  "everything that draws": { vae_dropout: 0.1, dec_dropout: 0.2, kl_loss: true },
  "gradient caching": { micro_batch: 7, dec_dropout: 0.1 },
  "gradient caching from pixels, a block of full width": {
    encoder: "random:vit_small_patch16_224?depth=1&img=64&patch=32",
    cache: "off",
    micro_batch: 10,
    epochs: 1,
  },
};

for (const [i, [name, overrides]] of Object.entries(ON_GPUS).entries()) {
  Deno.test(`stopped or dead, and resumed, the same bytes, on kernels for GPUs: ${name}`, async () => {
    const on = gpu.withCaps({ flat: false });
    const own = { save_every_steps: 2, ...overrides };
    assert.equal(await go(configOf(own, `gpu_whole${i}`), Infinity, set, undefined, on), "finished");
    const again = configOf(own, `gpu_again${i}`);
    if (i === 0) assert.equal(await go(again, 2, set, undefined, on), "interrupted");
    else {
      // As if killed: behind the last checkpoint, and nothing is saved on the way out.
      const die = (step: number) => {
        if (step === 3) throw new Error("dead");
      };
      await assert.rejects(go(again, Infinity, set, die, on), /^Error: dead$/);
    }
    assert.equal(await go(again, Infinity, set, undefined, on), "finished");
    const whole = filesOf(`gpu_whole${i}`);
    assert.ok(whole.size >= 12, `${whole.size} files`);
    assert.deepEqual(differences(whole, filesOf(`gpu_again${i}`)), []);
  });
}

Deno.test("a run goes on with the measured kernels it was begun with, and with no others", async () => {
  const own: Overrides = { epochs: 1, save_every_steps: 1 };
  const measured = (file: string, mark: string) => gpu.withTuning({ file, mark, picks: new Map() });
  const goOn = (run: string, on: Gpu, steps?: number) => go(configOf(own, run), steps, set, undefined, on);
  assert.equal(await goOn("tuned_whole", measured("a.json", "0a")), "finished");
  assert.equal(await goOn("tuned", measured("a.json", "0a"), 2), "interrupted");
  const before = filesOf("tuned");
  for (const [on, now] of [[gpu, "without --tuning"], [measured("b.json", "0b"), "with b.json (mark 0b)"]] as const) {
    await assert.rejects(goOn("tuned", on), (error: ConfigError) => {
      assert.ok(error instanceof ConfigError && error.exitCode === 2);
      assert.ok(error.message.endsWith(`with kernels as measured (mark 0a), the command is ${now}`), error.message);
      assert.match(error.hint!, /--tuning the file it was begun with.*--show.*--overwrite/);
      return true;
    });
  }
  assert.deepEqual(differences(before, filesOf("tuned")), []);
  // The same picks in a file of another name.
  assert.equal(await goOn("tuned", measured("moved/a.json", "0a")), "finished");
  assert.deepEqual(differences(filesOf("tuned_whole"), filesOf("tuned")), []);
  assert.equal(await goOn("untuned", gpu, 2), "interrupted");
  await assert.rejects(goOn("untuned", measured("b.json", "0b")), (error: ConfigError) => {
    assert.match(error.message, /it was trained without --tuning, the command is with b\.json/);
    return error.hint!.startsWith("Leave --tuning out");
  });
});

Deno.test("a run in f16 goes on with the matrix units it was begun with, and with no others; one in f32 has none", async () => {
  const own: Overrides = { epochs: 1, save_every_steps: 1 };
  const units = gpu.withCaps({ matrix: { M: 8, N: 8, K: 8, subgroup: 8 } });
  assert.equal(await go(configOf({ ...own, precision: "f16" }, "halves"), 2, set, undefined, gpu), "interrupted");
  const before = filesOf("halves");
  const goOn = (on: Gpu) => go(configOf({ ...own, precision: "f16" }, "halves"), Infinity, set, undefined, on);
  await assert.rejects(goOn(units), (error: ConfigError) => {
    assert.ok(error instanceof ConfigError && error.exitCode === 2);
    assert.match(error.message, /trained without matrix units, products are now by matrix units of 8x8x8$/);
    return error.hint!.startsWith("Leave --backend dawn out");
  });
  assert.deepEqual(differences(before, filesOf("halves")), []);
  assert.equal(await goOn(gpu), "finished");
  assert.equal(await go(configOf(own, "singles"), 2, set, undefined, gpu), "interrupted");
  assert.equal(await go(configOf(own, "singles"), Infinity, set, undefined, units), "finished");
});

const COMMAND = ["--data", data, "--quiet", ...Object.entries(COMMON).map(([key, value]) => `${key}=${value}`)];

for (const name of ["train", "train-uncached"]) {
  Deno.test(`killed at random moments, writes torn, and resumed, the same bytes: ${name}`, async () => {
    const setting = { job: JOBS[name]!, inputs: folder, out: `${folder}/killed` };
    await setting.job.prepare(folder);
    const whole = await runWhole(setting);
    assert.ok(whole.results.size >= 30 && whole.calls > 100, `${whole.results.size} files, ${whole.calls} calls`);
    const { kills, wrong } = await killAndResume(setting, whole, { kills: 2, seed: 5, rounds: 2 });
    assert.deepEqual([kills, wrong], [2, []]);
  });
}

Deno.test("SIGTERM and SIGINT leave with 75 and name the command that goes on, without --overwrite", async () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const run = `${folder}/${signal}`;
    const child = train([...COMMAND, "epochs=4000", "--out", run, "--overwrite"]);
    const metrics = () => {
      try {
        return Deno.statSync(`${run}/metrics.jsonl`).size;
      } catch {
        return 0;
      }
    };
    await until(child, () => metrics() >= 300);
    child.kill(signal);
    const { code, stderr } = await child.output();
    const text = new TextDecoder().decode(stderr);
    assert.equal(code, 75, text);
    const line = text.split("\n").find((row) => row.startsWith("Interrupted"))!;
    assert.match(line, /^Interrupted at step \d+; go on with: deno task train --data /);
    // A shell that is given the line sees the words the command was given.
    assert.ok(line.includes(`'encoder=${COMMON.encoder}'`), line);
    assert.ok(!line.includes("--overwrite"), line);
    assert.ok(Deno.statSync(`${run}/checkpoints/last/trainer_state.json`).isFile);
  }
});

Deno.test("a checkpoint of other weights, of changed data or of another model is refused, each by its status", async () => {
  const config = configOf({ epochs: 1 }, "foreign");
  assert.equal(await go(config), "finished");
  const path = `${config.input.out}/checkpoints/last/trainer_state.json`;
  const text = Deno.readTextFileSync(path);
  const refused = async (pattern: RegExp, status: number) => {
    await assert.rejects(
      go(config),
      (error: Error & { exitCode?: number }) => pattern.test(error.message) && error.exitCode === status,
    );
  };
  const { checksum: _, ...state } = JSON.parse(text);
  for (const data of ["0".repeat(32), "0".repeat(64)]) {
    Deno.writeTextFileSync(path, sealJson({ ...state, data }));
    await refused(/the data changed since/, 4);
  }
  Deno.writeTextFileSync(path, sealJson({ ...state, weights: "0" }));
  await refused(/the weights of random:.* changed since/, 5);
  Deno.writeTextFileSync(path, JSON.stringify({ ...JSON.parse(text), weights: "0" }));
  await refused(/trainer_state.json/, 4);
  Deno.writeTextFileSync(path, "{");
  await refused(/trainer_state.json/, 4);
  Deno.writeTextFileSync(path, text);
  const heads = path.replace("trainer_state.json", "heads.safetensors");
  const bytes = Deno.readFileSync(heads);
  Deno.writeFileSync(heads, bytes.subarray(0, bytes.length - 4));
  await refused(/heads.safetensors/, 4);
  const adapter = heads.replace("heads.safetensors", "adapter_model.safetensors");
  const matrices = Deno.readFileSync(adapter);
  (await openAdapter(dirname(adapter))).adapter.close();
  const changed = matrices.slice();
  changed[changed.length - 1]! ^= 1;
  Deno.writeFileSync(adapter, changed);
  for (const path of [dirname(adapter), adapter]) {
    await assert.rejects(
      openAdapter(path),
      (error: Error & { exitCode?: number }) =>
        error.message.includes(`${adapter}: its SHA-256`) && error.exitCode === 4,
    );
  }
  await refused(/last\/adapter_model\.safetensors: its SHA-256/, 4);
  Deno.writeFileSync(adapter, matrices);
  Deno.removeSync(heads);
  await refused(/heads.safetensors is missing/, 4);
  Deno.writeFileSync(heads, bytes);
  assert.equal(await go(config), "finished");
});

Deno.test("a whole checkpoint of another run is refused, naming what it was trained with; states of before go on", async () => {
  const [own, other] = [configOf({ epochs: 1 }, "own"), configOf({ epochs: 1, img_lr: 3e-4 }, "another")];
  for (const config of [own, other]) assert.equal(await go(config, 1), "interrupted");
  const [path, foreign] = [own, other].map(({ input }) => `${input.out}/checkpoints/last`) as [string, string];
  Deno.renameSync(path, `${folder}/kept`);
  Deno.mkdirSync(path);
  for (const { name } of Deno.readDirSync(foreign)) Deno.copyFileSync(`${foreign}/${name}`, `${path}/${name}`);
  const says = new RegExp(
    `own/checkpoints/last/trainer_state\\.json: it was trained with img_lr=0\\.0003, the run has `,
  );
  await assert.rejects(
    go(own),
    (error: Error & { exitCode?: number }) => says.test(error.message) && error.exitCode === 4,
  );
  await assert.rejects(lookAtRun({ run: own.input.out!, checkpoint: "last" }), { message: says });
  Deno.removeSync(path, { recursive: true });
  Deno.renameSync(`${folder}/kept`, path);
  // Keys that came later stand there only where they are used; without them is as before.
  const averaged = configOf({ epochs: 1, ema: 0.5 }, "own");
  for (const key of ["ema", "batch_samples", "gene_centre"]) {
    assert.ok(!(key in (findCheckpoint(own.input.out!, "last")!.state as { settings: object }).settings), key);
  }
  assert.throws(
    () => checkSettings(findCheckpoint(own.input.out!, "last")!, trainingSettings(averaged)),
    { message: /it was trained with ema=0, the run has 0\.5/ },
  );
  // A version before wrote no settings, and one may have had other keys.
  const { checksum: _, ...state } = JSON.parse(Deno.readTextFileSync(`${path}/trainer_state.json`));
  assert.equal(state.settings.img_lr, own.optim.img_lr);
  assert.ok(!("out" in state.settings || "data" in state.settings));
  const { settings, ...before } = state;
  for (const content of [{ ...before, settings: { ...settings, gone: 1 } }, before]) {
    Deno.writeTextFileSync(`${path}/trainer_state.json`, sealJson(content));
    await lookAtRun({ run: own.input.out!, checkpoint: "last" });
  }
  assert.equal(await go(own), "finished");
});

Deno.test("patches changed between stop and resumption, or while training runs, are refused; brought back they are not", async () => {
  const other = `${folder}/other`;
  await writeSynth(disk, other, planSynth({ profile: "smoke" }), {
    makeFolder: (path) => Deno.mkdirSync(path, { recursive: true }),
  });
  const path = `${other}/patches/SYN0.h5`;
  const configFor = (run: string) => ({
    ...configOf({ cache: "off", save_every_steps: 1, epochs: 1, batch_size: 36 }, run),
    input: { ...configOf({}, run).input, data: [other] },
  });
  const config = configFor("changed");
  const own = await openData(config, hostOf(SILENT));
  /** Changes a bit of an image in place. */
  const change = () => {
    using file = Deno.openSync(path, { read: true, write: true });
    const [at, byte] = [file.statSync().size >> 1, new Uint8Array(1)];
    file.seekSync(at, Deno.SeekMode.Start);
    file.readSync(byte);
    file.seekSync(at, Deno.SeekMode.Start);
    file.writeSync(Uint8Array.of(byte[0]! ^ 1));
  };
  const refused = async (act: () => Promise<unknown>, pattern: RegExp) => {
    await assert.rejects(
      act,
      (error: Error & { exitCode?: number }) => pattern.test(error.message) && error.exitCode === 4,
    );
  };
  assert.equal(await go(config, 1, own), "interrupted");
  change();
  await refused(() => go(config, Infinity, own), /last: the data changed since, expression or images/);
  change();
  // Another time of the same content is no change.
  Deno.utimeSync(path, new Date(), new Date());
  assert.equal(await go(config, Infinity, own), "finished");
  const running = configFor("running");
  await refused(
    () => go(running, Infinity, own, (step) => step === 2 && change()),
    /other\/patches\/SYN0\.h5 changed while it was in use/,
  );
  const { loop } = findCheckpoint(running.input.out!, "last")!.state as { loop: { step: number } };
  assert.equal(loop.step, 1, "no checkpoint counts on changed images");
  change();
  assert.equal(await go(running, Infinity, own), "finished");
  assert.deepEqual(differences(filesOf("changed"), filesOf("running")), []);
});

Deno.test("a run folder: begun anew without a checkpoint, kept with one, refused when finished", () => {
  const run = `${folder}/states`;
  assert.equal(prepareRun(run, "a: 1\n", false), false);
  assert.equal(prepareRun(run, "a: 2\n", false), false, "nothing was trained yet");
  assert.equal(prepareRun(run, "a: 2\n", false), true);
  writeCheckpoint(run, "last", new Map(), { format: 1 });
  assert.throws(() => prepareRun(run, "a: 3\n", false), /begun with another configuration \(a: 2, now 3\)/);
  Deno.writeTextFileSync(`${run}/run.json`, "{}");
  assert.equal(prepareRun(run, "a: 2\n", false), true, "the manifest says what is finished");
  completeManifest(run);
  assert.throws(() => prepareRun(run, "a: 2\n", false), /finished run/);
  assert.throws(() => prepareRun(run, "a: 3\n", false), /finished run/);
  assert.equal(prepareRun(run, "a: 2\n", true), false);
  assert.equal(findCheckpoint(run, "last"), undefined);
});

Deno.test("a disk that fills leaves the checkpoint before, and says so", async () => {
  const run = `${folder}/full`;
  Deno.mkdirSync(run);
  const mount = (...args: string[]) => new Deno.Command(args[0]!, { args: args.slice(1), stderr: "null" }).output();
  const mounted = await mount("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", run).catch(() => undefined);
  if (!mounted?.success) return console.log("skipped: no file system may be mounted here");
  try {
    const bytes = (n: number, value: number) => new Map([["a.safetensors", new Uint8Array(n).fill(value)]]);
    writeCheckpoint(run, "last", bytes(300_000, 1), { step: 1 });
    assert.throws(
      () => writeCheckpoint(run, "last", bytes(2_000_000, 2), { step: 2 }),
      (error: Error & { exitCode?: number }) =>
        /the checkpoint before it is intact in/.test(error.message) && error.exitCode === 4,
    );
    const found = findCheckpoint(run, "last")!;
    assert.deepEqual(found.state, { step: 1 });
    assert.deepEqual(found.read("a.safetensors"), new Uint8Array(300_000).fill(1));
    writeCheckpoint(run, "last", bytes(300_000, 3), { step: 3 });
    assert.deepEqual(findCheckpoint(run, "last")!.state, { step: 3 });
  } finally {
    await mount("umount", run);
  }
});

Deno.test("weights that are no numbers are never saved: the checkpoint before stays", async () => {
  const config = configOf({ epochs: 2, batch_size: 108, save_every_steps: 1, save_every: 1, img_lr: 1e39 }, "diverged");
  await assert.rejects(
    go(config),
    (error: Error) =>
      error.name === "NumericsError" && /there is no checkpoint yet/.test(String(Reflect.get(error, "hint"))),
  );
  assert.equal(findCheckpoint(config.input.out!, "last"), undefined);
});
