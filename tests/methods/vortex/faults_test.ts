/**
 * Volumes that cannot be trained on, by the command: each is named, and nothing is written. Spots outside, voxels that are no
 * numbers and the patient's other volumes are in `run_test.ts`, what `predict` refuses in `dense_test.ts`.
 *
 * @seconds 15
 */

import assert from "node:assert/strict";
import { disk } from "../../../src/io/fs.ts";
import { encodePng } from "../../../src/io/image/png_write.ts";
import { makePhantom } from "../../../scripts/methods/vortex/phantom.ts";
import { ended, launched } from "../../cli/command.ts";
import { fewSpots, voxelsOf, writeSection, writeVolume } from "./files.ts";

const folder = Deno.makeTempDirSync({ prefix: "vortex_faults_" });
Deno.test.afterAll(() => Deno.removeSync(folder, { recursive: true }));
const voi = makePhantom("voi", 5, 1, [10, 24, 24]);
writeVolume(folder, voi, await voxelsOf(voi));
const header = JSON.parse(Deno.readTextFileSync(`${folder}/voi.json`));
await writeSection(`${folder}/s.h5ad`, voi, fewSpots(voi, 3, 12));
await writeSection(`${folder}/flat.h5ad`, voi, fewSpots(voi, 3, 12), { depth: false });

const ENCODER = "encoder=random:vit_small_patch16_224?dim=16&depth=1&heads=2&patch=4&img=8&seed=1";

/** Another header of the same voxels. */
const other = (name: string, change: Record<string, unknown>) =>
  disk.write(`${folder}/${name}.json`, JSON.stringify({ ...header, ...change }));

type Columns = Readonly<Record<string, string>>;

/** @param others Lines beside that of the volume of interest, by what differs from it. */
async function refused(
  code: number,
  wanted: RegExp,
  path: string,
  columns: Columns = {},
  { others = [], keys = [] }: { others?: readonly Columns[]; keys?: readonly string[] } = {},
) {
  const table = { volume: "voi", path, patient: "p", expression: "s.h5ad", ...columns };
  const lines = [table, ...others.map((other) => ({ ...table, ...other }))].map((line) => Object.values(line));
  disk.write(`${folder}/v.tsv`, [Object.keys(table), ...lines].map((line) => line.join("\t")).join("\n") + "\n");
  const { code: found, err } = await ended(
    (await launched([
      "train",
      "--quiet",
      "method=vortex",
      `volumes=${folder}/v.tsv`,
      "voi=voi",
      ENCODER,
      ...keys,
      "--out",
      `${folder}/run`,
    ]))
      .output(),
  );
  assert.match(err, wanted);
  assert.equal(found, code, err);
  assert.equal(disk.look(`${folder}/run/config.yaml`), undefined, "a run was begun");
}

Deno.test("spacing that is missing, wrong or contradicted; axes swapped", async () => {
  other("none", { spacing_um: undefined });
  await refused(4, /none\.json as a volume: it does not say how far apart its voxels are, expected µm/, "none.json");
  await refused(2, /spacing 4,8,8 µm of .*v\.tsv, line 2, contradicts the file, which says 8,8,8/, "voi.json", {
    spacing: "4,8,8",
  });
  other("metres", { spacing_um: [8e-6, 8e-6, 8e-6] });
  await refused(4, /voxels are 0\.000008 µm apart along z, expected 0\.01 to 2000/, "metres.json");
  other("swapped", { spacing_um: [1, 1, 4] });
  await refused(4, /its axes seem to be swapped, x alone has another spacing/, "swapped.json");
});

Deno.test("a slice that is missing; landmarks on a line", async () => {
  Deno.mkdirSync(`${folder}/slices`);
  const grey = encodePng({ width: 24, height: 24, data: new Uint8Array(24 * 24 * 3).fill(90) });
  for (const z of [1, 2, 3, 5, 6]) Deno.writeFileSync(`${folder}/slices/s${z}.png`, grey);
  await refused(4, /1 slice is missing between s3\.png and s5\.png, expected numbers 1 apart/, "slices", {
    spacing: "8,8,8",
  });
  const line = [0, 40, 80, 120].map((x) => `${x},${x},${x},${x},24`);
  disk.write(`${folder}/line.csv`, ["section_x,section_y,volume_x,volume_y,volume_z", ...line].join("\n"));
  const columns = { landmarks: "line.csv", expression: "flat.h5ad" };
  await refused(4, /line\.csv: they lie on one line of the section, expected landmarks that span/, "voi.json", columns);
});

Deno.test("one slice only: of interest, or where no stage trains on single slices", async () => {
  other("one", { shape: [1, 240, 24] });
  const flat = { expression: "flat.h5ad", z: "0" };
  await refused(4, /volume of interest voi: .*one\.json has 1 slice, expected 2 or more/, "one.json", flat);
  const others = [{ volume: "a", path: "one.json", patient: "q", expression: "flat.h5ad", z: "0" }];
  await refused(4, /one\.json: it has 1 slice and epochs_2d is 0, expected 2 slices or more/, "voi.json", { z: "" }, {
    others,
    keys: ["epochs_2d=0"],
  });
});

Deno.test("the volume of interest among those trained on, under another name and patient; a section that is there twice", async () => {
  Deno.copyFileSync(`${folder}/voi.raw`, `${folder}/copy.raw`);
  other("copy", { data: "copy.raw" });
  for (const path of ["voi.json", "copy.json"]) {
    const others = [{ volume: "a", path, patient: "q" }];
    await refused(4, /volume a \(.*\.json\) has the voxels of .*voi\.json, expected volumes of/, "voi.json", {}, {
      others,
    });
  }
  const others = [{ part: "test" }];
  await refused(
    4,
    /line 3 has expression .*s\.h5ad of volume voi, expected each section once, it is in line 2/,
    "voi.json",
    {
      part: "train",
    },
    { others },
  );
});

Deno.test("spacing by which a volume is smaller than a patch", async () => {
  other("fine", { spacing_um: [0.8, 0.8, 0.8] });
  const columns = { expression: "flat.h5ad", landmarks: "good.csv" };
  const corners = [[0, 0], [200, 0], [0, 200], [200, 200]];
  disk.write(
    `${folder}/good.csv`,
    "section_x,section_y,volume_x,volume_y,volume_z\n" +
      corners.map(([x, y]) => `${x},${y},${x! / 20},${y! / 20},4`).join("\n"),
  );
  await refused(
    4,
    /fine\.json: it is 19\.2 x 19\.2 µm \(y, x\), expected more than a patch, 112 µm/,
    "fine.json",
    columns,
  );
});
