/**
 * Serial sections by the commands: trained on one measured section, judged on others beside copy, ridge and the encoder of single
 * slices, predicted and reported; what crosses patients or kinds is refused.
 *
 * @seconds 40
 */

import assert from "node:assert/strict";
import { disk } from "../../../src/io/fs.ts";
import { copyOf } from "../../../src/methods/vortex/serial_rows.ts";
import { openVolume } from "../../../src/volumes/open.ts";
import { ended, launched } from "../../cli/command.ts";
import { STEP, writeStack, writeStackTable } from "./serial_files.ts";

const folder = Deno.makeTempDirSync({ prefix: "vortex_serial_" });
Deno.test.afterAll(() => Deno.removeSync(folder, { recursive: true }));
const main = async (...words: string[]) => await ended((await launched(words)).output());
const json = (path: string) => JSON.parse(Deno.readTextFileSync(`${folder}/${path}`));

Deno.test("a copy is the mean around a place of the nearest sections of the same volume, of no other", () => {
  const pair = (volume: number, x: number, z: number) => ({
    ...{ volume, section: `${volume} ${z}`, part: "train" as const, place: [x, 0, z] as const },
  });
  const pairs = [pair(0, 0, 0), pair(0, 100, 0), pair(0, 0, 32), pair(1, 50, 16), pair(0, 50, 16), pair(0, 90, 48)];
  const data = { pairs, genes: ["A"], x: Float32Array.of(1, 3, 11, 1000, 0, 0) };
  const near = (a: number, b: number) => assert.ok(Math.abs(a - b) < 1e-5, `${a} ${b}`);
  const weight = (d: number) => Math.exp(-d * d / 2 / 140 / 140);
  // Both sides are as near; the other volume has a section at that very depth.
  const [both, below] = copyOf(data, [0, 1, 2, 3], [4, 5]);
  near(both!, (1 + 3 + 11) / 3);
  near(below!, 11);
  const [far] = copyOf({ ...data, pairs: pairs.with(4, pair(0, 30, 0)) }, [0, 1, 3], [4]);
  near(far!, (weight(30) * 1 + weight(70) * 3) / (weight(30) + weight(70)));
});

const HEAD = "volume\tpath\tpatient\texpression\tz\tpart";
const row = (name: string, k: number, part: string, patient = `p${name}`) =>
  [name, `${name}.tsv`, patient, `${name}${k}.h5ad`, 100 + STEP * k, part].join("\t");
const rows = [row("a", 2, "train"), row("v", 1, "train"), row("v", 3, "test"), row("v", 4, "test")];
const write = (name: string, lines: readonly string[]) => {
  disk.write(`${folder}/${name}.tsv`, [HEAD, ...lines].join("\n") + "\n");
  return `volumes=${folder}/${name}.tsv`;
};
const args = (out: string, table: string, ...more: string[]) => [
  ...["train", "--quiet", "method=vortex", "serial=true", "--out", `${folder}/${out}`, table, "voi=v"],
  ...["encoder=random:vit_small_patch16_224?dim=16&depth=1&heads=2&patch=4&img=8&seed=1", "use_lora=false"],
  ...["partial_blocks=-1", "field=64", "slices=3", `slice_step=${STEP}`, "depth_blocks=1", "width=16", "pool_heads=2"],
  ...["gene_hidden=8", "epochs_2d=0", "epochs_3d=2", "batch_3d=16", "gene_norm=none", "n_genes=3", "near=30", ...more],
];
const predict = (out: string, ...more: string[]) => [
  ...["predict", "--run", `${folder}/run`, "--volume", `${folder}/v.tsv`, "--out", `${folder}/${out}`],
  ...["--checkpoint", "last", ...more],
];

Deno.test("train, predict and report of serial sections", async () => {
  await writeStack(folder, "a", 1, 4);
  const lines = await writeStack(folder, "v", 2, 5);
  const table = write("volumes", rows);
  const trained = await main(...args("run", table));
  assert.equal(trained.code, 0, trained.err);
  const found = json("run/evaluation/volumes.json");
  assert.deepEqual(found.rows.map(({ id }: { id: string }) => id), [
    ...["shared", "voi", "retrieval", "copy", "ridge", "encoder", "pictures", "together"],
  ]);
  assert.deepEqual(found.sections.map(({ away_um }: { away_um: number }) => away_um), [32, 48]);
  const mean = (id: string, gene: string) =>
    found.rows.find((one: { id: string }) => one.id === id).scores[0][found.genes.indexOf(gene)];
  // What follows the own section is told of its colours, nothing tells noise.
  assert.ok(mean("ridge", "OWN") > 0.8, `${mean("ridge", "OWN")}`);
  assert.ok(Math.abs(mean("ridge", "NOISE")) < 0.4);
  assert.equal(found.differences.length, 8);
  // A sum of what errs differently; a mean of z-scored predictions is never far below the better one.
  assert.ok(mean("pictures", "OWN") > mean("ridge", "OWN") - 0.15, `${mean("pictures", "OWN")}`);
  for (const { mean, low, high } of found.differences) assert.ok(low <= mean && mean <= high, `${low} ${mean} ${high}`);
  const page = Deno.readTextFileSync(`${folder}/run/report.html`);
  for (const text of ["Copy of the measured sections", "2D encoder, own section", "an extension, not VORTEX"]) {
    assert.ok(page.includes(text), text);
  }
  const told = await main(...predict("out", "--serial", "--grid", "32"));
  assert.equal(told.code, 0, told.err);
  const made = await openVolume(disk, `${folder}/out/expression.ome.zarr`);
  assert.deepEqual([made.shape, made.spacing], [[5, 15, 15], [STEP, 32, 32]]);
  const voxels = await made.readBox(0, 5, 0, 15, 0, 15);
  const share = voxels.filter((value: number) => !Number.isNaN(value)).length / voxels.length;
  assert.ok(share > 0.15 && share < 0.6, `${share} is tissue`);
  assert.match(json("out/volume.json").serial, /an extension, not VORTEX/);
  const refused = async (code: number, wanted: RegExp, words: readonly string[], left: string) => {
    const { code: given, err } = await main(...words);
    assert.match(err, wanted);
    assert.equal(given, code, err);
    assert.equal(disk.look(`${folder}/${left}`), undefined, `${left} is there`);
  };
  await refused(2, /it is serial sections, wanted --serial/, predict("no"), "no");
  const train = (wanted: RegExp, code: number, name: string, lines: readonly string[], ...more: string[]) =>
    refused(code, wanted, args("no", write(name, lines), ...more), "no/config.yaml");
  await train(/is of serial sections, which are no continuous volume/, 2, "kind", rows, "serial=false");
  await train(/slice_step is 8 µm, wanted 16/, 2, "step", rows, "slice_step=8");
  const other = [row("v", 1, "train", "px"), row("v", 3, "test", "px")];
  await train(/sections are of patient pv, expected px as line 2/, 4, "patient", other);
  await train(/has no section at z 108 µm, expected one of 100, 116/, 4, "depth", [
    rows[1]!.replace("\t116\t", "\t108\t"),
  ]);
  writeStackTable(`${folder}/mixed.tsv`, [lines[0]!, lines[1]!.replace("\tpv\t", "\tpa\t")]);
  await train(/is of patient pa, expected pv/, 4, "across", rows.map((line) => line.replace("v.tsv", "mixed.tsv")));
  const leak = [row("a", 2, "train", "pv"), ...rows.slice(1)];
  await train(/volume a of the same patient pv would be trained on before/, 4, "leak", leak);
});
