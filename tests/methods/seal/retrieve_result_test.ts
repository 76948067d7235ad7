/** What `retrieve` says, with a model whose answers are known: against all cosines, both pools, gene-set queries. */

import assert from "node:assert/strict";
import { type RetrieveOptions, retrieveResult } from "../../../src/run/retrieve_result.ts";
import { geneLines, kindLines, lines } from "../../../src/cli/retrieve.ts";
import { donorKinds } from "../../../src/run/retrieve_donors.ts";
import type { TrainingSet } from "../../../src/data/training_set.ts";
import { openTrainingSet } from "../../../src/data/open_training_set.ts";
import { PatchReader } from "../../../src/data/patch_reader.ts";
import { embedPairs } from "../../../src/eval/inference.ts";
import { disk } from "../../../src/io/fs.ts";
import { patchBytes, writeSmallSample } from "../../data/pair_folder.ts";
import { fakeModel, keyOf, WIDTH } from "../../eval/fake_model.ts";
import { assertFinite } from "../../eval/finite.ts";
import { openGpu } from "../../gpu/shared.ts";

const gpu = await openGpu();
const root = Deno.makeTempDirSync();
const genes = Array.from({ length: 12 }, (_, g) => `G${g}`);
await writeSmallSample(root, { id: "A", genes });
await writeSmallSample(root, { id: "B", genes, rows: 3, columns: 5 });
const set = await openTrainingSet(disk, { folders: [root], genes: { size: "all" }, findDuplicates: false });
const reader = new PatchReader(disk, set.patchTable());
const known = new Map(Array.from({ length: set.count }, (_, pair) => {
  const { sample, row } = set.locate(pair);
  const { id, barcodes } = set.samples[sample]!;
  const bytes = patchBytes(id, Number(barcodes[row]!.split("AC")[1]), 8);
  return [keyOf(bytes), set.expression(pair)] as const;
}));
const model = fakeModel(set.vocabulary, known, { noise: 2 });
const embedded = await embedPairs(model, set, reader, { batchSize: 7 });
const options: RetrieveOptions = {
  gpu,
  ks: [1, 5],
  shown: 4,
  queries: 5,
  pool: "all",
  genes: ["G3+3,G5"],
  trained: { samples: new Set(["B"]), donors: undefined },
  storage: "f32",
};
Deno.test.afterAll(() => {
  reader.close();
  gpu.destroy();
  Deno.removeSync(root, { recursive: true });
});

const side = (data: Float32Array, row: number) => [...data.subarray(row * WIDTH, (row + 1) * WIDTH)];
function cosine(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, v, i) => sum + v * b[i]!, 0) / Math.hypot(...a) / Math.hypot(...b);
}

interface ShownQuery {
  sample: string;
  barcode: string;
  rank: number;
  pool: number;
  found: { sample: string; barcode: string; score: number; correct: boolean }[];
}

function pairOf({ sample, barcode }: { sample: string; barcode: string }): number {
  const own = set.samples.find(({ id }) => id === sample)!;
  return own.first + own.barcodes.indexOf(barcode);
}

for (const pool of ["all", "slide"] as const) {
  Deno.test(`shown queries find what all cosines say, pool ${pool}`, async () => {
    const { json, report, sections } = await retrieveResult(model, set, reader, embedded, { ...options, pool });
    const { gene_to_image, image_to_gene } = json["shown"] as Record<string, ShownQuery[]>;
    const ways = [[gene_to_image!, embedded.gene, embedded.image], [
      image_to_gene!,
      embedded.image,
      embedded.gene,
    ]] as const;
    for (const [queries, from, to] of ways) {
      assert.equal(queries.length, 5);
      for (const query of queries) {
        const own = pairOf(query);
        const rows = embedded.slides.map((_, pair) => pair).filter((pair) =>
          pool === "all" || embedded.slides[pair] === query.sample
        );
        const scores = rows.map((pair) => ({ pair, score: cosine(side(from, own), side(to, pair)) }));
        scores.sort((a, b) => b.score - a.score);
        assert.equal(query.pool, rows.length);
        assert.equal(query.rank, scores.findIndex(({ pair }) => pair === own) + 1);
        assert.deepEqual(query.found.map(pairOf), scores.slice(0, 4).map(({ pair }) => pair));
        query.found.forEach((hit, i) => {
          assert.ok(Math.abs(hit.score - scores[i]!.score) < 1e-5);
          assert.equal(hit.correct, pairOf(hit) === own);
        });
      }
    }
    const recall = Array.from({ length: set.count }, (_, i) => {
      const own = cosine(side(embedded.gene, i), side(embedded.image, i));
      return embedded.slides.filter((_, j) => cosine(side(embedded.gene, i), side(embedded.image, j)) > own + 1e-9)
        .length;
    }).filter((above) => above < 5).length / set.count;
    assert.ok(Math.abs(report.across.geneToImage.recall[5]! - recall) < 1e-9);
    assert.ok(recall > 0.3 && recall < 1, `${recall}`);
    const shown = json["across_slides"] as { gene_to_image: { recall: Record<string, number> } };
    assert.equal(shown.gene_to_image.recall[5], report.across.geneToImage.recall[5]);
    assert.deepEqual(Object.keys((json["within_slides"] as { by_slide: object }).by_slide), ["A", "B"]);
    // The gallery's images are the patches of what the numbers name.
    const first = sections[0]!.rows[0]!;
    assert.deepEqual(
      [...first.found[1]!.image.data],
      [...patchBytes(
        gene_to_image![0]!.found[1]!.sample,
        Number(gene_to_image![0]!.found[1]!.barcode.split("AC")[1]),
        8,
      )],
    );
    assert.equal(first.rank, gene_to_image![0]!.rank);
  });
}

Deno.test("sections of donors seen in training have numbers of their own, and are marked wherever they are shown", async () => {
  const { json, kinds, sections } = await retrieveResult(model, set, reader, embedded, options);
  assert.deepEqual(
    (json["samples"] as { sample: string; donor: string }[]).map(({ sample, donor }) => [sample, donor]),
    [["A", "unknown"], ["B", "seen"]],
  );
  const donors = json["donors"] as Record<string, { sections: string[]; across_slides: unknown }>;
  assert.deepEqual(Object.keys(donors), ["seen", "unknown"]);
  assert.deepEqual(donors["seen"]!.sections, ["B"]);
  // One section of a kind: among it is within it.
  const within = json["within_slides"] as { by_slide: Record<string, unknown> };
  assert.deepEqual(donors["seen"]!.across_slides, within.by_slide["B"]);
  assert.deepEqual(donors["unknown"]!.across_slides, within.by_slide["A"]);
  const told = kindLines(kinds);
  assert.deepEqual(told.filter((line) => !line.startsWith(" ")), [
    "seen donors: 1 section (B)",
    "unknown donors: 1 section (A)",
  ]);
  for (const { query } of sections[0]!.rows) {
    assert.match(query!.label, /^A .*, unknown donor$|^B .*, seen donor$/);
  }
});

Deno.test("donorKinds() calls a donor unseen only where all training donors are named", () => {
  const sample = (id: string, donor: string, patient?: string) => ({
    id,
    donor,
    files: { metadata: { text: () => patient } },
  });
  const of = { samples: [sample("X", "d / 1", "1"), sample("Y", "d / 2", "2"), sample("Z", "d / unnamed")] };
  const kinds = (donors: Set<string> | undefined) => [
    ...donorKinds(of as unknown as TrainingSet, { samples: new Set(), donors }).values(),
  ];
  assert.deepEqual(kinds(new Set(["d / 1"])), ["seen", "unseen", "unknown"]);
  assert.deepEqual(kinds(undefined), ["unknown", "unknown", "unknown"]);
});

Deno.test("a gene-set query ranks patches by the profile with those genes raised", async () => {
  const { json, sections, genes, report } = await retrieveResult(model, set, reader, embedded, options);
  const [answer] = json["gene_queries"] as {
    query: string;
    raised: {
      gene: string;
      training_mean: number;
      asked: number;
      measured_in_found: number;
      measured_in_all: number;
    }[];
    found: { sample: string; barcode: string; score: number }[];
  }[];
  const { mean, std } = set.vocabulary;
  const [three, five] = ["G3", "G5"].map((gene) => set.vocabulary.genes.indexOf(gene)) as [number, number];
  const x = Float32Array.from(mean);
  x[three] = mean[three]! + 3 * std[three]!;
  x[five] = mean[five]! + 2 * std[five]!;
  const query = [...await model.encodeGenes(x)];
  const best = embedded.slides.map((_, pair) => ({ pair, score: cosine(query, side(embedded.image, pair)) }))
    .sort((a, b) => b.score - a.score).slice(0, 4);
  assert.deepEqual(answer!.found.map(pairOf), best.map(({ pair }) => pair));
  const [g3] = answer!.raised;
  assert.deepEqual([g3!.gene, g3!.training_mean], ["G3", mean[three]]);
  const found = best.reduce((sum, { pair }) => sum + set.expression(pair)[three]!, 0) / 4;
  assert.ok(Math.abs(g3!.measured_in_found - found) < 1e-6);
  assert.equal(sections.at(-1)!.rows[0]!.found[0]!.correct, undefined);
  const { medianRank } = report.across.geneToImage;
  assert.match(lines(report).find((line) => /^across, gene/.test(line))!, new RegExp(` ${medianRank} +0\\.`));
  const table = geneLines(genes[0]!);
  assert.match(table[0]!, /^genes G3\+3,G5: [AB] \S+ first, cosine -?\d\.\d{3}$/);
  assert.match(table[1]!, /^ {2}gene +training mean +asked for +in the first +mean of 4 found +mean of all$/);
  const numbers = [mean[three]!, x[three]!, set.expression(best[0]!.pair)[three]!, found].map((v) => v.toFixed(2));
  assert.ok(table[2]!.startsWith("  G3 ") && numbers.every((text) => table[2]!.includes(text)), table[2]);
  assert.equal(table.length, 4);
  await assert.rejects(retrieveResult(model, set, reader, embedded, { ...options, genes: ["NOGENE"] }), {
    name: "ConfigError",
  });
});

Deno.test("embeddings that have collapsed have no numbers, but reasons", async () => {
  const flat = { ...embedded, image: new Float32Array(embedded.image.length).fill(0.5) };
  const { json } = await retrieveResult(model, set, reader, flat, { ...options, genes: [] });
  const across = json["across_slides"] as { gene_to_image: { recall: unknown; reason: string } };
  assert.deepEqual(across.gene_to_image.recall, { 1: null, 5: null });
  assert.match(across.gene_to_image.reason, /collapsed/);
  const none = { ...embedded, image: new Float32Array(embedded.image.length) };
  const { json: zero, sections } = await retrieveResult(model, set, reader, none, options);
  const [query] = (zero["shown"] as { gene_to_image: { rank: unknown; reason: string }[] }).gene_to_image;
  assert.deepEqual([query!.rank, query!.reason], [null, "an embedding of the pair has length zero or is not finite"]);
  assert.equal(sections[0]!.rows[0]!.found.length, 0);
  assertFinite([json, zero]);
});
