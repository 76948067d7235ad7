/**
 * `train method=vortex` through the command line: kills, what a run leaves, refusals that leave nothing.
 *
 * @seconds 60
 */

import assert from "node:assert/strict";
import { SILENT } from "../../../src/core/reporter.ts";
import { disk } from "../../../src/io/fs.ts";
import { VORTEX_CONFIG } from "../../../src/methods/vortex/config.ts";
import { openData } from "../../../src/methods/vortex/open_data.ts";
import { hostOf } from "../../../src/run/host.ts";
import { isUnderWay, timelessOfRun } from "../../../scripts/kill_jobs.ts";
import { killAndResume, runWhole } from "../../../scripts/kill_resume.ts";
import { makePhantom, PHANTOM_GENES } from "../../../scripts/methods/vortex/phantom.ts";
import { ended, launched } from "../../cli/command.ts";
import { fewSpots, voxelsOf, writeSection, writeVolume } from "./files.ts";

const folder = Deno.makeTempDirSync({ prefix: "vortex_run_" });
Deno.test.afterAll(() => Deno.removeSync(folder, { recursive: true }));

const main = async (...words: string[]) => await ended((await launched(words)).output());

const phantoms = ["a", "b", "voi"].map((name, i) => makePhantom(name, 5, i % 2 ? -1 : 1, [10, 24, 24]));
const HEAD = "volume\tpath\tpatient\texpression\tz\tpart";
const rows: string[] = [];
for (const phantom of phantoms) {
  const { name } = phantom;
  writeVolume(folder, phantom, await voxelsOf(phantom));
  for (const [z, part] of name === "voi" ? [[3, "train"], [6, "test"]] as const : [[4, "train"]] as const) {
    // Volume b lacks a gene, and its places have no depth of their own.
    const genes = name === "b" ? PHANTOM_GENES.slice(1) : PHANTOM_GENES;
    const expression = `${name}_${z}.h5ad`;
    await writeSection(`${folder}/${expression}`, phantom, fewSpots(phantom, z, 12), { depth: name !== "b", genes });
    rows.push([name, `${name}.json`, `p${name}`, expression, name === "b" ? z * 8 : "", part].join("\t"));
  }
}
const table = `${folder}/volumes.tsv`;
const write = (path: string, lines: readonly string[], head = HEAD) =>
  disk.write(path, [head, ...lines].join("\n") + "\n");
write(table, rows);

const KEYS: readonly string[] = [
  ...["voi=voi", "encoder=random:vit_small_patch16_224?dim=16&depth=1&heads=2&patch=4&img=8&seed=1", "field=64"],
  ...["slices=4", "use_lora=false", "partial_blocks=-1", "depth_blocks=1", "width=16", "pool_heads=2", "gene_hidden=8"],
  ...[
    "epochs_2d=1",
    "epochs_3d=1",
    "voi_steps=2",
    "batch_2d=8",
    "batch_3d=8",
    "batch_voi=6",
    "log_every=1",
    "eval_every=1",
  ],
  ...["save_every_steps=2", "n_genes=10", "near=48"],
];
const args = (out: string, ...more: string[]) => [
  ...["train", "--quiet", "method=vortex", "--out", out, `volumes=${table}`, ...KEYS, ...more],
];

Deno.test("killed at random moments and resumed, the same bytes; then reported and checked", async () => {
  const job = {
    prepare: () => Promise.resolve(),
    args: (_: string, out: string) => args(out),
    isStray: isUnderWay,
    timeless: timelessOfRun,
  };
  const setting = { job, inputs: folder, out: `${folder}/run` };
  const whole = await runWhole(setting);
  const { kills, wrong } = await killAndResume(setting, whole, { kills: 2, seed: 3, rounds: 2 });
  assert.deepEqual([kills, wrong], [2, []]);
  const { code, err } = await main(...args(setting.out));
  assert.equal(code, 0, err);
  assert.equal((await main("inspect", setting.out, "--checksums")).code, 0);
  const found = JSON.parse(Deno.readTextFileSync(`${setting.out}/evaluation/volumes.json`));
  assert.deepEqual(found.rows.map(({ id }: { id: string }) => id), ["shared", "voi", "retrieval"]);
  assert.equal(found.sections[0].away_um, 24);
  assert.equal(found.genes.length, 10);
  const page = Deno.readTextFileSync(`${setting.out}/report.html`);
  assert.match(page, /Head of the volume, ridge and steps/);
  assert.match(
    page,
    /Made of.{0,60}encoder random:vit_small_patch16_224\S*, [0-9a-f]{12}; genes [0-9a-f]{12}, split [0-9a-f]{12} \(SHA-256\); seed 42;/,
  );
});

Deno.test("expression is z-scored over training spots; what a panel lacks does not count; depths of the table are used", async () => {
  const keys = { volumes: table, voi: "voi", n_genes: "12", genes_include: PHANTOM_GENES[0]! };
  const data = await openData(VORTEX_CONFIG.read([], Object.entries(keys)).config, hostOf(SILENT));
  try {
    const G = data.genes.length;
    assert.equal(G, 12);
    const g = data.genes.indexOf(PHANTOM_GENES[0]!);
    const of = (name: string) => data.pairs.flatMap((pair, p) => (data.volumes[pair.volume]!.name === name ? [p] : []));
    for (const p of of("b")) {
      assert.equal(data.measured[p * G + g], 0);
      assert.equal(data.pairs[p]!.place[2], 32);
    }
    for (const p of of("a")) assert.equal(data.measured[p * G + g], 1);
    const train = data.pairs.flatMap((pair, p) => (pair.part === "train" ? [p] : []));
    const known = train.filter((p) => data.measured[p * G + g] === 1).map((p) => data.x[p * G + g]!);
    const mean = known.reduce((a, b) => a + b, 0) / known.length;
    const variance = known.reduce((a, b) => a + (b - mean) ** 2, 0) / known.length;
    assert.ok(Math.abs(mean) < 1e-4 && Math.abs(variance - 1) < 1e-3, `${mean} ${variance}`);
    assert.match(data.notes.join("\n"), /b_4\.h5ad: 1 of 12 genes do not count/);
  } finally {
    data.close();
  }
});

Deno.test("what cannot be trained on is refused with its place, and leaves nothing", async () => {
  const refused = async (name: string, code: number, wanted: RegExp, ...more: string[]) => {
    const out = `${folder}/refused_${name}`;
    const { code: found, err } = await main(...args(out, ...more));
    assert.match(err, wanted);
    assert.equal(found, code, err);
    assert.equal(disk.look(`${out}/config.yaml`), undefined, `${name} left a run`);
  };
  const other = (name: string, lines: readonly string[], head?: string) => {
    write(`${folder}/${name}.tsv`, lines, head);
    return `volumes=${folder}/${name}.tsv`;
  };
  await refused(
    "voi",
    4,
    /volume of interest nobody: .*voi\w*\.?\w* has none of that name|has none of that name/,
    "voi=nobody",
  );
  const leak = rows.map((row) => row.replace("\tpa\t", "\tpvoi\t"));
  await refused(
    "leak",
    4,
    /volume a of the same patient pvoi would be trained on before \(line 2\), expected volumes of other patients/,
    other("leak", leak),
  );
  const [phantom] = phantoms;
  await writeSection(`${folder}/far.h5ad`, phantom!, fewSpots(phantom!, 4, 12), { shift: 120 });
  const far = rows.map((row) => row.replace("a_4.h5ad", "far.h5ad"));
  await refused(
    "far",
    4,
    /spot spot\d+ of .*far\.h5ad, one of 10 outside: it lies at x, y, z [\d., ]+ µm, expected places within/,
    other("far", far),
  );
  const flat = rows.map((row) => row.replace("\t32\t", "\t\t"));
  await refused("flat", 4, /b_4\.h5ad: places have no z, and the table has none/, other("flat", flat));
  await refused(
    "column",
    4,
    /has a column "depth", expected volume, path, patient, expression, z, part, landmarks, spacing/,
    other("column", rows, HEAD.replace("\tz", "\tdepth")),
  );
  await refused(
    "part",
    4,
    /line 2 has part "maybe", expected train or test/,
    other("part", [rows[0]!.replace("train", "maybe")]),
  );
  const voxels = (await voxelsOf(phantom!)).slice();
  voxels[3 * 576 + 5 * 24 + 7] = NaN;
  writeVolume(folder, { ...phantom!, name: "holes" }, voxels);
  const holes = rows.map((row) => row.replace("a.json", "holes.json"));
  const { code, err } = await main(...args(`${folder}/refused_holes`, other("holes", holes)));
  assert.equal(code, 4, err);
  assert.match(err, /holes\.json: a voxel at z 3, y 5, x 7 is not a finite number/);
});
