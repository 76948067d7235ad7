/** What a model says of bags without rows, and what is shown of attention over slides. */

import assert from "node:assert/strict";
import { Rng } from "../../../src/core/rng.ts";
import { DataError } from "../../../src/core/errors.ts";
import { writeFeatures } from "../../../src/embed/formats.ts";
import { disk } from "../../../src/io/fs.ts";
import { decodeImage } from "../../../src/io/image/image.ts";
import { encodePng } from "../../../src/io/image/png_write.ts";
import { MIL_CONFIG } from "../../../src/methods/mil/config.ts";
import { openData } from "../../../src/methods/mil/data.ts";
import { method } from "../../../src/methods/mil/index.ts";
import { type BagRows, MilInference } from "../../../src/methods/mil/inference.ts";
import { DRAWS, LeaveOut, leftOutRows, SHARES } from "../../../src/methods/mil/leave_out.ts";
import { createMil, type MilOptions } from "../../../src/methods/mil/model.ts";
import type { AttentionFile } from "../../../src/report/attention_evidence.ts";
import { EVIDENCE } from "../../../src/report/run_evidence.ts";
import { hostOf } from "../../../src/run/host.ts";
import { Progress } from "../../../src/cli/progress.ts";
import { openGpu } from "../../gpu/shared.ts";

const gpu = await openGpu();
const folder = Deno.makeTempDirSync({ prefix: "mil_shown_" });
Deno.test.afterAll(() => {
  gpu.destroy();
  Deno.removeSync(folder, { recursive: true });
});

const DIM = 8;

function bagOf(rows: number, ends?: readonly number[]): BagRows {
  const x = new Rng(rows, 3).normals(rows * DIM, 2);
  const read = (from: number, to: number) => Promise.resolve(x.slice(from * DIM, to * DIM));
  return { name: "bag", count: rows, read, ...(ends && { ends }) };
}

for (const [kind, heads, ends] of [["abmil", 1], ["gated", 2], ["clam", 1], ["gated", 2, [9, 30, 50]]] as const) {
  Deno.test(`what ${kind} says without rows is what it says where they are masked${ends ? ", slide by slide" : ""}`, async () => {
    const options: MilOptions = { kind, dim: DIM, outputs: 3, hidden: 6, heads, seed: 5 };
    const model = createMil(gpu, options);
    model.parameters.allocate();
    const inference = await MilInference.compile(model, 7);
    const bag = bagOf(50, ends);
    const result = await inference.run(bag);
    const choices = [[], [3], [0, 1, 2, 10, 49], Array.from({ length: 49 }, (_, i) => i), [
      ...bag.ends ? [0, 1, 2, 3, 4, 5, 6, 7, 8] : [7],
    ]];
    const without = await LeaveOut.compile(model, 7);
    const outputs = await without.run(bag, result, choices.map((choice) => Uint32Array.from(choice)));
    for (const [i, choice] of choices.entries()) {
      const mask = Array.from({ length: 50 }, (_, row) => choice.includes(row) ? 0 : 1);
      const wanted = (await inference.run(bag, mask)).output;
      outputs[i]!.forEach((value, k) => {
        assert.ok(Math.abs(value - wanted[k]!) < 2e-6, `${choice}: ${value}, ${wanted[k]} wanted`);
      });
    }
    const all = Uint32Array.from({ length: 50 }, (_, row) => row);
    assert.deepEqual(await without.run(bag, result, [all]), [undefined]);
    without.destroy();
    inference.destroy();
    model.parameters.destroy();
  });
}

Deno.test("rows are left out by attention and at random, at least one of each share, the same ones of a seed", () => {
  const attention = Float64Array.from({ length: 40 }, (_, i) => (i * 7 % 40 + 1) / 820);
  const found = leftOutRows({ attention } as Parameters<typeof leftOutRows>[0], 40, 3);
  assert.deepEqual(found.highest.map((rows) => rows.length), [0, 1, 2, 4, 8]);
  assert.deepEqual([...found.highest[2]!], [17, 34]);
  assert.deepEqual([...found.lowest[1]!], [0]);
  assert.ok(found.random.every((draws) => draws.length === DRAWS) && found.random.length === SHARES.length);
  for (const rows of found.random[4]!) assert.equal(new Set(rows).size, 8);
  assert.deepEqual(leftOutRows({ attention } as Parameters<typeof leftOutRows>[0], 40, 3), found);
});

/** Eight slides of 80 x 60 px in tiles of 20, whose class a number of each tile tells; one image is of another size. */
async function writeTask(): Promise<void> {
  const lines = ["slide_id,label,fold_0"];
  for (const part of ["features", "slides"]) Deno.mkdirSync(`${folder}/${part}`);
  for (let i = 0; i < 8; i++) {
    const [name, label] = [`s ${i}`, i % 2];
    lines.push(`${name},${label ? "yes" : "no"},${i < 4 ? "train" : "test"}`);
    const coords = Int32Array.from({ length: 24 }, (_, k) => 20 * (k % 2 ? Math.floor(k / 8) : (k >> 1) % 4));
    const x = new Rng(i, 1).normals(12 * DIM, 0.5);
    for (let row = 0; row < 12; row++) x[row * DIM]! += label ? 2 : -2;
    const table = {
      ...{ count: 12, dim: DIM, attributes: {}, coords },
      coordsAttributes: { patch_size_level0: 20, name, level0_width: 80, level0_height: 60 },
    };
    await writeFeatures(
      disk,
      `${folder}/features/${name}.h5`,
      "h5",
      table,
      (from, to) => x.slice(from * DIM, to * DIM),
    );
    const [width, height] = i === 7 ? [40, 30] : [80, 60];
    const data = new Uint8Array(width! * height! * 3).fill(150 + i);
    if (i !== 6) {
      Deno.writeFileSync(`${folder}/slides/${name}.png`, encodePng({ width: width!, height: height!, data }));
    }
  }
  disk.write(`${folder}/labels.csv`, lines.join("\n") + "\n");
}

/** Squares that are made when they are written. */
function squaresOf(content: unknown): { features: { properties: { measurements: { attention: number } } }[] } {
  return JSON.parse([...(content as () => Iterable<string>)()].join(""));
}

Deno.test("the report's attention: maps over slides that are there, places alone elsewhere, tiles, squares, and why", async () => {
  await writeTask();
  const config = MIL_CONFIG.read([], [
    ...[["features", `${folder}/features`], ["labels", `${folder}/labels.csv`], ["slides", `${folder}/slides`]],
    ...[["hidden", "6"], ["epochs", "1"], ["sample_col", "slide_id"]],
  ] as [string, string][]).config;
  const host = hostOf(new Progress(true));
  const data = await openData(config, host);
  const opened = await method.open(gpu, config, data, host);
  try {
    const end = { reason: "finished", state: { step: 0 } } as never;
    const { files, parts } = await opened.evidence({ folder, best: undefined, end, demo: false });
    const found = JSON.parse(files!.get(EVIDENCE.attentionCases) as string) as AttentionFile;
    assert.equal(found.cases.length, 4);
    const by = new Map(found.cases.map((one) => [one.case, one]));
    assert.deepEqual([4, 5, 6, 7].map((i) => by.get(`s ${i}`)!.slides[0]!.over), [true, true, false, false]);
    const image = (path: string) => decodeImage(files!.get(path) as Uint8Array<ArrayBuffer>, path);
    for (const one of found.cases) {
      const map = image(`${EVIDENCE.attentionImages}/${one.slides[0]!.map!}`);
      assert.deepEqual([map.width, map.height], [80, 60]);
      for (const tile of [...one.highest, ...one.lowest]) {
        assert.equal(tile.image !== undefined, one.slides[0]!.over);
        if (tile.image) assert.equal(image(`${EVIDENCE.attentionImages}/${tile.image}`).width, 96);
      }
      assert.ok(one.highest[0]!.attention >= one.highest[1]!.attention && one.highest.length === 4);
      assert.ok(one.lowest[0]!.attention <= one.lowest[1]!.attention);
      assert.equal(typeof one.right, "boolean");
      const squares = squaresOf(files!.get(`${EVIDENCE.attentionMaps}/${one.case}.geojson`)).features;
      assert.equal(squares.length, 12);
      const sum = squares.reduce(
        (all: number, { properties }) =>
          all + (properties as { measurements: { attention: number } }).measurements.attention,
        0,
      );
      assert.ok(Math.abs(sum - 1) < 1e-6, `${sum}`);
      assert.equal(files!.has(`${EVIDENCE.attentionMaps}/${one.case}.png`), one.slides[0]!.over);
    }
    // Twelve tiles are too few to leave shares of them out.
    assert.equal(found.leave_out, undefined);
    assert.match(
      JSON.stringify(parts.results!.notes),
      /No map of s 7 over .*s 7\.png: it has 40x30 pixels, its tiles are of 80x60/,
    );
  } finally {
    opened.close();
  }
  const wrong = MIL_CONFIG.read([], [
    ...[["features", `${folder}/features`], ["labels", `${folder}/labels.csv`], ["slides", `${folder}/none`]],
  ] as [string, string][]).config;
  await assert.rejects(
    method.check(wrong, host),
    (error: DataError) =>
      error instanceof DataError &&
      /Cannot draw attention over .*none: there is no such file or folder/.test(error.message),
  );
});
