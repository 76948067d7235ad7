/**
 * `train method=spade` and `embed --run` through the command line: kills, what a run leaves, refusals that leave nothing.
 *
 * @seconds 40
 */

import assert from "node:assert/strict";
import { Rng } from "../../../src/core/rng.ts";
import { writeFeatures } from "../../../src/embed/formats.ts";
import { disk } from "../../../src/io/fs.ts";
import { openFeatures } from "../../../src/io/features.ts";
import { readEvidence } from "../../../src/report/evidence_read.ts";
import { isUnderWay, smokeData, timelessOfRun } from "../../../scripts/kill_jobs.ts";
import { killAndResume, runWhole } from "../../../scripts/kill_resume.ts";
import { ended, launched } from "../../cli/command.ts";

const folder = Deno.makeTempDirSync({ prefix: "spade_run_" });
Deno.test.afterAll(() => Deno.removeSync(folder, { recursive: true }));

const DIM = 12;
const data = `${folder}/hest`;
const features = `${folder}/features`;
await smokeData(data);

/** What is changed in the features of a sample. */
interface Change {
  readonly barcode?: (name: string, row: number) => string | undefined;
  readonly value?: (value: number, i: number) => number;
  readonly dim?: number;
  readonly attributes?: Readonly<Record<string, string>>;
}

/** Writes features of all samples by their barcodes. */
async function write(to: string, changes: Readonly<Record<string, Change | null>> = {}): Promise<void> {
  Deno.mkdirSync(to, { recursive: true });
  for (const [s, id] of ["SYN0", "SYN1", "SYN2", "SYN3"].entries()) {
    if (changes[id] === null) continue;
    const { barcode = (name: string) => name, value = (v: number) => v, dim = DIM, attributes = {} } = changes[id] ??
      {};
    const patches = await openPatchNames(`${data}/patches/${id}.h5`);
    const names = patches.flatMap((name, row) => barcode(name, row) ?? []);
    const x = new Rng(1, s).normals(names.length * dim).map((v, i) =>
      value(v + 6 * (Math.floor(i / dim) % 3 === i % 3 ? 1 : 0), i)
    );
    const table = {
      count: names.length,
      dim,
      attributes: { encoder: "made up", weights_sha256: "0a", ...attributes },
      rowNames: { kind: "barcode" as const, values: names },
    };
    await writeFeatures(disk, `${to}/${id}.h5`, "h5", table, (from, until) => x.slice(from * dim, until * dim));
  }
}

/** Barcodes of a patch file. */
async function openPatchNames(path: string): Promise<readonly string[]> {
  const { H5File } = await import("../../../src/io/hdf5/h5.ts");
  const file = await H5File.open(disk.open(path, "read"));
  try {
    return file.strings(file.find(["/barcode", "/barcodes"])!);
  } finally {
    file.close();
  }
}

const KEYS: readonly string[] = [
  ...["fine=3", "coarse=2", "width=6", "batch_size=10", "epochs=3", "lr=1e-3", "log_every=1", "save_every_steps=4"],
  ...["n_train_genes=30", "panel_genes=5", "holdout_samples=SYN3", "curve=[2,4]", "controls=single,wide,random"],
];

const args = (out: string, from: string, more: readonly string[] = []) => [
  ...["train", "--quiet", "method=spade", "--features", from, "--data", data, "--out", out],
  ...KEYS,
  ...more,
];

const main = async (...words: string[]) => await ended((await launched(words)).output());

await write(features);

Deno.test("killed at random moments and resumed, the same bytes; then reported, checked and used", async () => {
  const job = {
    prepare: () => Promise.resolve(),
    args: (_: string, out: string) => args(out, features),
    isStray: isUnderWay,
    timeless: timelessOfRun,
  };
  const setting = { job, inputs: folder, out: `${folder}/run` };
  const whole = await runWhole(setting);
  assert.ok(whole.results.size >= 14, `${[...whole.results.keys()]}`);
  const { kills, wrong } = await killAndResume(setting, whole, { kills: 3, seed: 11, rounds: 3 });
  assert.deepEqual([kills, wrong], [3, []]);
  assert.equal((await main(...args(setting.out, features))).code, 0);
  const again = await main(...args(setting.out, features), "--json");
  assert.equal(again.code, 0, again.err);
  assert.deepEqual(Object.keys(JSON.parse(again.out).encoders), [
    "base",
    "spade",
    "concat",
    "single",
    "wide",
    "random",
    "depth",
    "mean",
  ]);
  assert.equal((await main("inspect", setting.out, "--checksums")).code, 0);
  const evidence = await readEvidence({ path: setting.out, disk });
  const { experts } = evidence;
  assert.deepEqual(evidence.errors, []);
  assert.deepEqual(experts!.compared.map(({ id }) => id), ["base", "spade", "concat", "single", "wide", "random"]);
  assert.ok(
    experts!.compared.slice(1).every(({ difference }) => difference?.reason !== undefined),
    "one section has no interval",
  );
  assert.equal(experts!.sections.length, 1);
  assert.equal(experts!.experts.reduce((sum, { held }) => sum + held, 0), experts!.sections[0]!.x.length);
  const page = Deno.readTextFileSync(`${setting.out}/report.html`);
  const titles = [
    "What the experts add.",
    "Experts on held-out sections.",
    "Inertia and silhouette by the number of clusters.",
  ];
  for (const text of titles) assert.ok(page.includes(text), text);

  const embed = (out: string, ...more: string[]) =>
    main("embed", "--quiet", "--run", setting.out, "--out", out, ...more);
  const routed = await embed(`${folder}/routed`);
  assert.equal(routed.code, 0, routed.err);
  assert.equal((await embed(`${folder}/both`, features, "--form", "concat", "--json")).code, 0);
  const [given, made, both] = await Promise.all(["features", "routed", "both"].map(async (name) => {
    const file = await openFeatures(disk.open(`${folder}/${name}/SYN3.h5`, "read"));
    try {
      return { dim: file.dim, names: file.barcodes!, rows: await file.read(), attributes: file.attributes };
    } finally {
      file.close();
    }
  }));
  assert.deepEqual([made!.dim, both!.dim], [6, DIM + 6]);
  assert.deepEqual(made!.names, given!.names);
  assert.equal(made!.attributes["encoder"], "made up");
  given!.names.forEach((_, r) => {
    const row = both!.rows.subarray(r * (DIM + 6), (r + 1) * (DIM + 6));
    assert.deepEqual(row.subarray(0, DIM), given!.rows.subarray(r * DIM, (r + 1) * DIM));
    assert.deepEqual(row.subarray(DIM), made!.rows.subarray(r * 6, (r + 1) * 6));
  });
  const lines = Deno.readTextFileSync(`${folder}/routed/rows/SYN3.csv`).trim().split("\n");
  assert.equal(lines[0], "row,expert,weight,entropy,centroid,organ,distance,out_of_distribution");
  assert.equal(lines.length, 1 + given!.names.length);
  assert.equal((await embed(`${folder}/halves`, "--precision", "f16")).code, 0);
  const finished = await embed(`${folder}/routed`);
  assert.equal(finished.code, 0, finished.err);

  const refused = async (code: number, wanted: RegExp, out: string, ...more: string[]) => {
    const { code: found, err } = await embed(out, ...more);
    assert.match(err, wanted);
    assert.equal(found, code, err);
  };
  await refused(2, /Cannot make mean of features: wanted routed or concat/, `${folder}/x`, "--form", "mean");
  await refused(2, /Cannot embed with --run and --encoder/, `${folder}/x`, "--encoder", "uni");
  await write(`${folder}/foreign`, {
    SYN0: null,
    SYN1: null,
    SYN2: null,
    SYN3: { attributes: { weights_sha256: "0b" } },
  });
  await refused(5, /SYN3\.h5: their weights_sha256 is 0b, expected 0a/, `${folder}/x`, `${folder}/foreign`);
  await write(`${folder}/wide`, { SYN0: null, SYN1: null, SYN2: null, SYN3: { dim: 7 } });
  await refused(4, /rows of 7 numbers, expected 12 as the run was trained on/, `${folder}/x`, `${folder}/wide`);
  assert.equal(disk.look(`${folder}/x/SYN3.h5`), undefined);
});

Deno.test("what cannot be trained on is refused with its place, and leaves nothing", async () => {
  const refused = async (
    name: string,
    code: number,
    wanted: RegExp,
    change: Record<string, Change | null>,
    ...more: string[]
  ) => {
    const from = `${folder}/${name}`;
    await write(from, change);
    const out = `${folder}/${name} run`;
    const { code: found, err } = await main(...args(out, from, more));
    assert.match(err, wanted);
    assert.equal(found, code, err);
    assert.equal(disk.look(`${out}/config.yaml`), undefined, `${name} left a run`);
  };
  await refused("missing", 4, /1 of 4 samples have no file \(SYN2\), expected one each/, { SYN2: null });
  await refused("fewer", 4, /no row of barcode \S+ of SYN1, expected one for every pair/, {
    SYN1: { barcode: (name, row) => (row === 3 ? undefined : name) },
  });
  await refused("twice", 4, /barcode same stands twice, expected each once/, {
    SYN1: { barcode: (name, row) => (row < 2 ? "same" : name) },
  });
  await refused("nan", 4, /row 0, column 5 is NaN, expected a finite number/, {
    SYN2: { value: (value, i) => (i === 5 ? NaN : value) },
  });
  await refused("width", 4, /rows of 7 numbers, expected 12 as in/, { SYN2: { dim: 7 } });
  await refused("encoders", 5, /their encoder is another, expected made up/, {
    SYN2: { attributes: { encoder: "another" } },
  });
  await refused("control", 2, /control twice is unknown, wanted single, wide, random/, {}, "controls=twice");
  await refused(
    "few",
    4,
    /Cannot train experts: \d+ training pairs, expected 8000, two batches, or more/,
    {},
    "batch_size=4000",
  );
  const alike = Object.fromEntries(["SYN0", "SYN1", "SYN2"].map((id) => [id, { value: () => 1 }]));
  await refused(
    "alike",
    4,
    /Cannot cluster Synthetic: 1 different rows of \d+ training rows, expected 3 or more/,
    alike,
  );
});
