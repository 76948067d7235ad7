import assert from "node:assert/strict";
import { DataError, FormatError, ShapeError } from "../../src/core/errors.ts";
import { disk } from "../../src/io/fs.ts";
import { readEvidence } from "../../src/report/evidence_read.ts";
import { FileNames, metricLines, type RunFolder, writeEvidence } from "../../src/report/evidence_write.ts";
import { renderReport } from "../../src/report/report.ts";
import type { RunEvidence } from "../../src/report/run_evidence.ts";
import { inFolder } from "../cli/shared.ts";
import { exampleEvidence, TINY } from "./example_run.ts";

const example = exampleEvidence(TINY);

function folderOf(path: string): RunFolder {
  return { path, disk, makeFolder: (folder) => Deno.mkdirSync(folder, { recursive: true }) };
}

async function withRun(evidence: Partial<RunEvidence>, act: (folder: RunFolder) => Promise<void>): Promise<void> {
  await inFolder(async (path) => {
    await writeEvidence(folderOf(path), evidence);
    await act(folderOf(path));
  });
}

Deno.test("writeEvidence() and readEvidence() keep every number, text and pixel", async () => {
  await withRun(example, async (folder) => {
    const { missing, errors, unchecked, ...found } = await readEvidence(folder);
    assert.match(unchecked.join(), /has no manifest\.json/);
    assert.deepEqual([missing, errors], [{}, []]);
    assert.deepEqual(found.maps, example.maps);
    assert.deepEqual(found.gallery, example.gallery);
    assert.deepEqual(found, example);
  });
});

Deno.test("writeEvidence() writes the parts it is given and leaves the others", async () => {
  await withRun({ config: "a: 1\n", metrics: [{ step: 0, loss: NaN }] }, async (folder) => {
    const before = await readEvidence(folder);
    assert.deepEqual(before.metrics, [{ step: 0, loss: null }]);
    assert.equal(before.facts, undefined);
    assert.deepEqual(Object.keys(before.missing).sort(), ["embedding", "facts", "gallery", "maps", "results"]);
    assert.match(before.missing.results!, /evaluation\/results\.json is not in the run's folder/);
    assert.deepEqual(await writeEvidence(folder, { facts: example.facts! }), ["run.json"]);
    const after = await readEvidence(folder);
    assert.deepEqual([after.config, after.facts], ["a: 1\n", example.facts]);
  });
});

Deno.test("readEvidence() refuses a folder that is no run's, and metrics that are damaged", async () => {
  await inFolder(async (path) => {
    await assert.rejects(readEvidence(folderOf(`${path}/none`)), DataError);
    await assert.rejects(
      readEvidence(folderOf(path)),
      (error: DataError) => error instanceof DataError && /has no config\.yaml/.test(error.message),
    );
    Deno.writeTextFileSync(`${path}/config.yaml`, "x: 1\n");
    for (
      const [text, complaint] of [
        ['{"step":0}\n{"step":-1}\n', /line 2:step: -1/],
        ['{"step":0,"loss":[1]}\n', /line 1:loss: a list/],
        ["[]\n", /line 1/],
        ['{"step":1,"split":3}\n', /line 1:split: 3, expected a text/],
        ['{"step":0}\nnonsense\n{"step":2}\n', /line 2/],
      ] as const
    ) {
      Deno.writeTextFileSync(`${path}/metrics.jsonl`, text);
      await assert.rejects(
        readEvidence(folderOf(path)),
        (error: Error) => error instanceof FormatError && complaint.test(error.message),
        text,
      );
    }
  });
});

Deno.test("readEvidence() passes over a last line of metrics that a kill cut off, and says so", async () => {
  await withRun({ config: "", metrics: [{ step: 0, loss: 1 }] }, async (folder) => {
    Deno.writeTextFileSync(`${folder.path}/metrics.jsonl`, '{"step":0,"loss":1}\n{"step":1,"lo');
    const { metrics, errors } = await readEvidence(folder);
    assert.deepEqual(metrics, [{ step: 0, loss: 1 }]);
    assert.match(errors[0]!.message, /line 2/);
  });
});

Deno.test("readEvidence() adds what a run logged by the clock", async () => {
  await withRun({ config: "", metrics: [{ step: 0, loss: 1 }] }, async (folder) => {
    Deno.writeTextFileSync(`${folder.path}/timing.jsonl`, '{"step":0,"samples_per_second":12.5}\n');
    const { metrics } = await readEvidence(folder);
    assert.deepEqual(metrics, [{ step: 0, loss: 1 }, { step: 0, samples_per_second: 12.5 }]);
  });
});

Deno.test("readEvidence() names what is wrong in a damaged part and keeps the others", async () => {
  await withRun(example, async (folder) => {
    const path = `${folder.path}/evaluation/results.json`;
    const whole = Deno.readTextFileSync(path);
    const damaged: [(tree: ReturnType<typeof JSON.parse>) => void, RegExp][] = [
      [
        (tree) => tree.encoders[1].probe.genes[2].pearson = "high",
        /encoders\[1\]\.probe\.genes\[2\]\.pearson: "high", expected a number/,
      ],
      [(tree) => tree.encoders[0].probe.genes[0].pearson = 1.5, /genes\[0\]\.pearson: 1\.5/],
      [(tree) => tree.encoders[1].id = tree.encoders[0].id, /encoders\[1\]\.id: frozen again/],
      [(tree) => tree.encoders[0].retrieval[0].recall[0].value = 2, /encoders\[0\]\.retrieval: 2 at 1/],
      [(tree) => tree.schema = 9, /schema: 9, expected 1/],
      [(tree) => delete tree.encoders, /encoders: nothing, expected a list/],
    ];
    for (const [damage, complaint] of damaged) {
      const tree = JSON.parse(whole);
      damage(tree);
      Deno.writeTextFileSync(path, JSON.stringify(tree));
      const { missing, errors, results, maps } = await readEvidence(folder);
      assert.equal(results, undefined);
      assert.equal(maps?.length, 1);
      assert.match(missing.results!, complaint);
      assert.ok(errors[0] instanceof FormatError);
    }
  });
});

Deno.test("readEvidence() follows no file name out of the folder, and says when a map's file is not what it claims", async () => {
  await withRun(example, async (folder) => {
    const path = `${folder.path}/evaluation/maps.json`;
    const tree = JSON.parse(Deno.readTextFileSync(path));
    const name = tree.samples[0].predictions;
    tree.samples[0].predictions = "../../config.yaml";
    Deno.writeTextFileSync(path, JSON.stringify(tree));
    assert.match((await readEvidence(folder)).missing.maps!, /no plain file name/);
    tree.samples[0].predictions = name;
    Deno.writeTextFileSync(path, JSON.stringify(tree));
    Deno.writeTextFileSync(`${folder.path}/evaluation/predictions/${name}`, "no HDF5");
    const { missing, errors } = await readEvidence(folder);
    assert.match(missing.maps!, new RegExp(name.replaceAll(".", "\\.")));
    assert.ok(errors[0] instanceof FormatError);
    const embedding = JSON.parse(Deno.readTextFileSync(`${folder.path}/evaluation/embedding_map.json`));
    embedding.sample_index[3] = 99;
    Deno.writeTextFileSync(`${folder.path}/evaluation/embedding_map.json`, JSON.stringify(embedding));
    assert.match((await readEvidence(folder)).missing.embedding!, /sample_index\[3\]: 99, expected below 3/);
  });
});

Deno.test("writeEvidence() gives hostile identifiers plain file names of their own, and reads them back", async () => {
  const map = example.maps![0]!;
  const ids = ["../../up", "..", "a/b", "A/B", "con\0trol", "<b>", ""];
  const maps = ids.map((sample) => ({ ...map, sample }));
  await withRun({ config: "", metrics: [], maps }, async (folder) => {
    assert.deepEqual((await readEvidence(folder)).maps?.map(({ sample }) => sample), ids);
    const names = [...Deno.readDirSync(`${folder.path}/evaluation/predictions`)].map(({ name }) => name);
    assert.equal(new Set(names.map((name) => name.toLowerCase())).size, ids.length);
    assert.ok(names.every((name) => /^[\w][\w.~-]*\.h5ad$/.test(name)), names.join(" "));
  });
  const names = new FileNames();
  assert.deepEqual(["x", "X", "x", "."].map((id) => names.name(id)), ["x", "X~2", "x~3", "_"]);
});

Deno.test("writeEvidence() refuses a map whose extents disagree", async () => {
  const map = example.maps![0]!;
  await inFolder(async (path) => {
    for (const part of ["measured", "predicted"] as const) {
      const maps = [{ ...map, [part]: map[part].subarray(1) }];
      await assert.rejects(writeEvidence(folderOf(path), { maps }), ShapeError);
    }
    await assert.rejects(
      writeEvidence(folderOf(path), { maps: [{ ...map, spatial: new Float64Array(2) }] }),
      ShapeError,
    );
  });
});

Deno.test("metricLines() writes a line a step, without NaN", () => {
  assert.equal(
    metricLines([{ step: 1, loss: Infinity }, { step: 2, loss: 0.5 }]),
    '{"step":1,"loss":null}\n{"step":2,"loss":0.5}\n',
  );
});

Deno.test("readEvidence() reads the roles of runs before 0.2, whose pages say the same", async () => {
  await withRun(example, async (folder) => {
    const path = `${folder.path}/evaluation/results.json`;
    const page = await renderReport(await readEvidence(folder));
    const text = Deno.readTextFileSync(path);
    const earlier = text.replaceAll('"role": "before"', '"role": "frozen"').replaceAll(
      '"role": "after"',
      '"role": "seal"',
    );
    assert.notEqual(earlier, text);
    Deno.writeTextFileSync(path, earlier);
    const found = await readEvidence(folder);
    assert.deepEqual(found.results, example.results);
    assert.equal(await renderReport(found), page);
    Deno.writeTextFileSync(path, text.replace('"role": "before"', '"role": "toString"'));
    assert.match((await readEvidence(folder)).missing.results!, /role: "toString", expected before or after or other/);
  });
});
