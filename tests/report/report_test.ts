import assert from "node:assert/strict";
import { disk } from "../../src/io/fs.ts";
import { H5ad } from "../../src/io/hdf5/h5ad.ts";
import { decodeJpeg } from "../../src/io/image/jpeg.ts";
import { toDense } from "../../src/io/sparse.ts";
import type { ReadEvidence } from "../../src/report/evidence_read.ts";
import { organScores } from "../../src/report/evidence_view.ts";
import { type RunFolder, writeEvidence } from "../../src/report/evidence_write.ts";
import { type MapsData, mapsData } from "../../src/report/maps.ts";
import { renderReport, writeReport } from "../../src/report/report.ts";
import type { EncoderResult, RunEvidence, SampleMap } from "../../src/report/run_evidence.ts";
import { inFolder } from "../cli/shared.ts";
import { classificationOf } from "../../src/evidence/classification.ts";
import { type ExampleClassification, exampleClassification } from "./example_classification.ts";
import { exampleEvidence, TINY } from "./example_run.ts";

const example = exampleEvidence(TINY);

function folderOf(path: string): RunFolder {
  return { path, disk, makeFolder: (folder) => Deno.mkdirSync(folder, { recursive: true }) };
}

function read(evidence: RunEvidence, missing: ReadEvidence["missing"] = {}): ReadEvidence {
  return { ...evidence, missing, errors: [], unchecked: [] };
}

/** JSON that the page holds for its script. */
function dataOf<T>(page: string, id: string): T {
  return JSON.parse(new RegExp(`<script type="application/json" id="data-${id}">(.*?)</script>`, "s").exec(page)![1]!);
}

/** The page without its style, script, data and images: what is read. */
function textOf(page: string): string {
  return page
    .replace(/<style>.*?<\/style>|<script.*?<\/script>/gs, "")
    .replace(/"data:image[^"]*"/g, '""')
    .replace(/<[^>]*>/g, " ");
}

async function sha256(text: string): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))).toBase64();
}

Deno.test("a report is one file that loads nothing, under 5 MB, the same bytes each time", async () => {
  const page = await renderReport(read(example));
  assert.equal(await renderReport(read(example)), page);
  assert.ok(page.length < 5e6);
  assert.ok(!/(?:src|href)="(?!data:|#)/.test(page), "an address leads out of the page");
  assert.ok(!/@import|url\((?!#)/.test(page));
  assert.ok(!/ style="| on\w+="/.test(page), "the policy forbids inline styles and handlers");
  for (const id of ["result", "genes", "maps", "retrieval", "features", "bounds", "training", "time", "methods"]) {
    assert.ok(page.includes(`<section id="${id}"`) && page.includes(`href="#${id}"`), id);
  }
  assert.ok(!page.includes('class="absent"'));
});

Deno.test("the policy of a report allows its own style and script by their hashes and nothing else", async () => {
  const page = await renderReport(read(example));
  const policy = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(page)![1]!.replaceAll("&#39;", "'");
  const style = /<style>(.*?)<\/style>/s.exec(page)![1]!;
  const script = /<script>(.*?)<\/script>/s.exec(page)![1]!;
  assert.equal(
    policy,
    `default-src 'none'; img-src data:; style-src 'sha256-${await sha256(style)}'; script-src 'sha256-${await sha256(
      script,
    )}'; base-uri 'none'; form-action 'none'`,
  );
  new Function(script); // It parses.
});

/** The example with test sections of organs, each with a correlation before and after. */
function ofOrgans(
  sections: readonly (readonly [organ: string | undefined, before: number, after: number])[],
): ReadEvidence {
  const { facts, results } = example;
  const samples = sections.map(([organ], i) => ({
    ...{ sample: `T${i}`, split: "test" as const, spots: 10 },
    ...(organ === undefined ? {} : { organ }),
  }));
  const scored = (encoder: EncoderResult, at: 1 | 2): EncoderResult => ({
    ...encoder,
    probe: {
      ...encoder.probe!,
      slides: sections.map((section, i) => ({ sample: `T${i}`, spots: 10, pearson: section[at] })),
    },
  });
  const encoders = results!.encoders.map((one) =>
    one.role === "other" ? one : scored(one, one.role === "before" ? 1 : 2)
  );
  const data = {
    ...facts!.data!,
    samples: [...facts!.data!.samples.filter(({ split }) => split !== "test"), ...samples],
  };
  return read({ ...example, facts: { ...facts!, data }, results: { ...results!, encoders } });
}

Deno.test("a report of several organs has a table by organ, in whose mean each counts once", async () => {
  const several = ofOrgans([["Breast", 0.2, 0.5], ["Skin", 0.1, 0.1], ["Breast", 0.4, 0.7], [undefined, 0.9, 0.9]]);
  assert.deepEqual(
    organScores(several).map((
      { organ, sections, before, after },
    ) => [organ, sections, before!.toFixed(2), after!.toFixed(2)]),
    [["Breast", 2, "0.30", "0.60"], ["Skin", 1, "0.10", "0.10"], [undefined, 3, "0.20", "0.35"]],
  );
  const text = textOf(await renderReport(several)).replace(/\s+/g, " ");
  assert.match(
    text,
    /By organ\. .*in the mean of organs each counts once.* 1 section without a named organ is left out\./,
  );
  assert.match(
    text,
    /Breast 2 0\.300 0\.600 \+0\.300 Skin 1 0\.100 0\.100 \+0\.000 Mean of organs 3 0\.200 0\.350 \+0\.150/,
  );
  for (const one of [ofOrgans([["Breast", 0.2, 0.5], ["Breast", 0.1, 0.1]]), read(example)]) {
    assert.deepEqual(organScores(one), []);
    assert.ok(!(await renderReport(one)).includes("By organ"));
  }
});

Deno.test("a gene map of a report holds the very numbers of the h5ad, and its r and colours follow from them", async () => {
  await inFolder(async (path) => {
    await writeEvidence(folderOf(path), example);
    const { path: written } = await writeReport(folderOf(path));
    const page = Deno.readTextFileSync(written);
    const maps = dataOf<MapsData>(page, "maps");
    assert.equal(maps.samples.length, 1);
    assert.equal(maps.genes.length, 50);
    const { values, r, x, barcodes, sample } = maps.samples[0]!;
    const floats = new Float32Array(Uint8Array.fromBase64(values).buffer);
    using file = await H5ad.open(disk.open(`${path}/evaluation/predictions/${sample}.h5ad`, "read"));
    const [rows, width] = [file.obs.index.length, file.var.index.length];
    const [predicted, measured] = [file.x, file.layer("measured")!].map((matrix) =>
      toDense(matrix.read(0, rows), width)
    );
    assert.deepEqual(barcodes, file.obs.index);
    const r64 = (a: number[], b: number[]) => {
      const mean = (v: number[]) => v.reduce((s, one) => s + one, 0) / v.length;
      const [ma, mb] = [mean(a), mean(b)];
      const dot = (u: number[], v: number[], mu: number, mv: number) =>
        u.reduce((s, one, i) => s + (one - mu) * (v[i]! - mv), 0);
      return dot(a, b, ma, mb) / Math.sqrt(dot(a, a, ma, ma) * dot(b, b, mb, mb));
    };
    for (const [g, gene] of maps.genes.entries()) {
      const column = file.var.index.indexOf(gene);
      const of = (table: Float32Array) => Array.from({ length: rows }, (_, i) => table[i * width + column]!);
      const [m, p] = [of(measured!), of(predicted!)];
      assert.deepEqual([...floats.subarray(2 * g * rows, (2 * g + 1) * rows)], m, gene);
      assert.deepEqual([...floats.subarray((2 * g + 1) * rows, (2 * g + 2) * rows)], p, gene);
      assert.ok(Math.abs(r[g]! - r64(m, p)) < 1e-9, gene);
    }
    // Drawn at first: the first gene, the same colour for the same value in both panels.
    assert.match(
      page,
      new RegExp(`${maps.genes[0]} on ${sample} \\(DONOR2\\): r = ${r[0]!.toFixed(3)} in this section`),
    );
    const panel = (kind: string) => new RegExp(`data-map="${kind}">.*?<g>(.*?)</g>`, "s").exec(page)![1]!;
    const fills = (kind: string) => [...panel(kind).matchAll(/fill="([^"]*)"/g)].map(([, fill]) => fill!);
    const [shown, guessed] = [fills("measured"), fills("predicted")];
    assert.deepEqual([shown.length, guessed.length], [x.length, x.length]);
    const [low, high] = maps.range[0]!;
    const pairs = [
      ...shown.map((fill, i) => [floats[i]!, fill] as const),
      ...guessed.map((fill, i) => [floats[rows + i]!, fill] as const),
    ];
    for (const [value, fill] of pairs) {
      if (value <= low) assert.equal(fill, "#440154");
      else if (value >= high) assert.equal(fill, "#fde725");
    }
    // Green rises with the value all along viridis.
    const green = pairs.filter(([v]) => v > low && v < high).sort((a, b) => a[0] - b[0]).map(([, fill]) =>
      parseInt(fill.slice(3, 5), 16)
    );
    assert.ok(green.length > 20 && green.every((value, i) => i === 0 || value >= green[i - 1]!));
  });
});

Deno.test("spots of a gene map lie on their own place of the image, which is cut to the tissue", () => {
  // Red tells the column of the thumbnail, green twice the row.
  const [width, height, scale] = [240, 110, 0.05];
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const [x, y] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
    return [x, 2 * y, 60][i % 3]!;
  });
  const places = [[900, 500], [1400, 520], [1930, 1480], [2600, 700], [3100, 1500]] as const;
  const map: SampleMap = {
    sample: "S",
    predicted_by: "p",
    unit: "u",
    genes: ["A"],
    barcodes: places.map((_, i) => `b${i}`),
    measured: Float32Array.of(1, 2, 3, 4, 5),
    predicted: Float32Array.of(1, 2, 3, 5, 4),
    spatial: Float64Array.from(places.flat()),
    spot_diameter: 60,
    thumbnail: { image: { width, height, data }, scale },
  };
  const drawn = mapsData({ maps: [map] }).samples[0]!;
  const { href, ...box } = drawn.image!;
  const jpeg = decodeJpeg(Uint8Array.fromBase64(href.split(",")[1]!), "image");
  assert.ok(jpeg.width < width, "cut");
  for (const [i, [x, y]] of places.entries()) {
    const u = Math.floor((drawn.x[i]! - box.x) / box.width * jpeg.width);
    const v = Math.floor((drawn.y[i]! - box.y) / box.height * jpeg.height);
    const [red, green] = jpeg.data.subarray(3 * (v * jpeg.width + u));
    assert.ok(Math.abs(red! - x * scale) <= 3 && Math.abs(green! - 2 * y * scale) <= 5, `${i}: ${red}, ${green}`);
  }
  assert.ok(Math.abs(drawn.r[0]! - 0.9) < 1e-12);
});

const HOSTILE = [
  "<img src=x onerror=alert(1)>",
  '"><script>alert(2)</script>',
  "</script><script>alert(3)</script>",
  "a'b&c\u202egnp.exe",
  "]]>-->\u2028x",
];

Deno.test("a report shows hostile names of genes, samples, spots and settings as text", async () => {
  const nasty = (text: string, i: number) => `${HOSTILE[i % HOSTILE.length]}${text}`;
  const encoders = example.results!.encoders.map((encoder): EncoderResult => ({
    ...encoder,
    label: nasty(encoder.label, 1),
    probe: {
      ...encoder.probe!,
      genes: encoder.probe!.genes.map((gene, i) => ({
        ...gene,
        gene: nasty(gene.gene, i),
        group: nasty("kind", i % 2),
      })),
    },
  }));
  const evil: RunEvidence = {
    config: HOSTILE.join("\n"),
    metrics: example.metrics.map((row) => ({ ...row, stage: HOSTILE[2]!, [HOSTILE[0]!]: 1, "loss_<b>": 2 })),
    facts: {
      ...example.facts!,
      title: HOSTILE.join(" "),
      data: {
        ...example.facts!.data!,
        samples: example.facts!.data!.samples.map((one, i) => ({ ...one, sample: nasty("s", i) })),
      },
    },
    results: { ...example.results!, encoders },
    maps: example.maps!.map((map) => ({
      ...map,
      sample: HOSTILE[1]!,
      donor: HOSTILE[0]!,
      unit: HOSTILE[2]!,
      genes: map.genes.map(nasty),
      barcodes: map.barcodes.map(nasty),
    })),
    gallery: {
      ranked_by: HOSTILE[0]!,
      chosen: HOSTILE[1]!,
      queries: example.gallery!.queries.map((query) => ({
        ...query,
        sample: HOSTILE[2]!,
        barcode: HOSTILE[0]!,
        top_genes: [{ gene: HOSTILE[1]!, value: 1 }],
      })),
    },
    embedding: {
      ...example.embedding!,
      samples: example.embedding!.samples.map(({ sample }, i) => ({
        sample: nasty(sample, i),
        donor: nasty(sample, i + 1),
      })),
      genes: example.embedding!.genes!.map((gene, i) => ({ ...gene, gene: nasty(gene.gene, i) })),
    },
  };
  const [tame, page] = [await renderReport(read(example)), await renderReport(read(evil))];
  const tags = (text: string, tag: string) => text.split(`<${tag}`).length;
  assert.equal(tags(page, "script"), tags(tame, "script"));
  assert.equal(tags(page, "img"), tags(tame, "img"));
  assert.ok(!page.includes("\u202e") && !/<img src=x|<b>\w*<\/b>gnp/.test(page));
  assert.ok(dataOf<MapsData>(page, "maps").genes.includes(evil.maps![0]!.genes[2]!));
  assert.match(page, /&lt;img src=x onerror=alert\(1\)&gt;/);
});

Deno.test("a report speaks of held-out donors only where none was trained on", async () => {
  const facts = example.facts!;
  const samples = facts.data!.samples.map((one) => ({ ...one, donor: "D" }));
  const [apart, shared] = await Promise.all([
    renderReport(read(example)),
    renderReport(read({ ...example, facts: { ...facts, data: { ...facts.data!, samples } } })),
  ]);
  assert.match(apart, /against SEAL on held-out donors/);
  assert.ok(!/held-out donors/.test(textOf(shared)));
  assert.match(shared, /Held-out sections are of donors that were trained on/);
  assert.match(shared, /Careful: 1 donor \(D\) in more than one part/);
});

Deno.test("the first sentence tells donors seen and never seen apart, each with its numbers, in runs of any version", async () => {
  const facts = example.facts!;
  const [test] = facts.data!.samples.filter(({ split }) => split === "test");
  const [trained] = facts.data!.samples.filter(({ split }) => split === "train");
  const more = { ...test!, sample: "MORE", donor: trained!.donor! };
  const slides = (encoder: EncoderResult, add: number): EncoderResult => ({
    ...encoder,
    probe: {
      ...encoder.probe!,
      slides: [{ sample: test!.sample, spots: 9, pearson: 0.2 + add }, {
        sample: "MORE",
        spots: 9,
        pearson: 0.4 + add,
      }],
    },
  });
  const [frozen, seal] = example.results!.encoders as [EncoderResult, EncoderResult];
  const of = (samples: NonNullable<typeof facts.data>["samples"]) =>
    renderReport(read({
      ...example,
      facts: { ...facts, data: { ...facts.data!, samples } },
      results: { ...example.results!, encoders: [slides(frozen, 0), slides(seal, 0.1)] },
    }));
  const plain = (page: string) => textOf(page).replaceAll(/\s+/g, " ");
  const both = plain(await of([...facts.data!.samples, more]));
  assert.match(both, /held-out sections of 1 donor that training never saw and of 1 donor that training saw other sec/);
  assert.match(
    both,
    /On 1 donor never seen it is 0\.300 , against 0\.200\. On 1 donor seen in other sections it is 0\.500 , against 0\.400\./,
  );
  assert.match(both, /Some held-out sections are of donors that training saw other sections of/);
  const apart = plain(await of(facts.data!.samples));
  assert.match(apart, /of 1 donor that training never saw \(/);
  assert.ok(!/saw other sections/.test(apart));
  // Without names nothing is claimed.
  const unnamed = plain(await of(facts.data!.samples.map(({ donor: _, ...one }) => one)));
  assert.match(unnamed, /held-out sections? of donors that are not named/);
  assert.match(unnamed, /without a named donor: whether one is in more than one part is not known/);
  assert.ok(!/No donor is in more/.test(unnamed));
  assert.ok(!/held-out donors|of 1 donor that training never saw/.test(unnamed));
});

Deno.test("the headline is on depth-normalised truth, and what sees no tissue stands beside it", async () => {
  const [frozen, seal] = example.results!.encoders as [EncoderResult, EncoderResult];
  const scores = (r: number, r2 = 0.1) => ({
    protocol: "depth-cv/1",
    truth: "ln(1 + counts per 10,000)",
    penalty: "316, cross-validated over 3 training donors",
    panel: "most variable over training samples",
    pearson: { mean: r + 0.1 },
    pearson_per_slide: { mean: r, over: "slides" },
    r2: { mean: r2 },
    genes: [{ gene: "G", pearson: r + 0.1, pearson_per_slide: r, r2 }],
  });
  const other = (id: string, label: string, r: number): EncoderResult => ({
    id,
    label,
    role: "other",
    probe: scores(r),
  });
  const reason = "2 donors, an interval takes 5";
  const page = textOf(
    await renderReport(read({
      ...example,
      results: {
        schema: 1,
        encoders: [
          {
            ...frozen,
            probe: scores(0.301),
            benchmark: { ...frozen.probe!, truth: "ln(1 + count)", penalty: "0.0078" },
          },
          { ...seal, probe: scores(0.333), benchmark: { ...seal.probe!, truth: "ln(1 + count)", penalty: "0.0078" } },
          other("depth", "Depth only", 0.151),
          other("colour", "Colour statistics", 0.119),
          { ...other("decoder", "Image decoder", 0.222), probe: { ...scores(0.222), truth: "smoothed expression" } },
        ],
        differences: [{ metric: "pearson_per_slide", mean: 0.032, over: "slides", reason }],
        checks: [{ name: "A check", wanted: "+1", found: null, passed: null }],
      },
    })),
  ).replaceAll(/\s+/g, " ");
  assert.match(
    page,
    /correlation within sections of 0\.333 , against 0\.301 of the frozen encoder \(\+0\.032; no interval: 2 donors/,
  );
  assert.match(page, /ln\(1 \+ counts per 10,000\); depth alone 0\.151, colours alone 0\.119/);
  assert.match(page, /Without a network: depth alone 0\.151, colours alone 0\.119\./);
  // Beside other methods the headline's r orders the rows; one of another truth says so.
  const beside = page.slice(page.indexOf("All that was evaluated in this run"));
  assert.match(
    beside,
    /0\.333 .*0\.301 .*Image decoder.*of smoothed expression.*0\.222 .*Depth only.*0\.151 .*Colour statistics.*0\.119/,
  );
  assert.match(page, /By HEST-Benchmark’s protocol/);
  assert.match(page, /316, cross-validated over 3 training donors/);
  assert.match(page, /Depth only/);
  assert.ok(!/A check|not decided/.test(page), "what could not be decided is not shown");
});

Deno.test("the feature map is coloured by what is known: donors, sections, or both", async () => {
  const { samples } = example.embedding!;
  const shown = async (donors: number) => {
    const some = samples.map(({ sample, donor }, i) => ({ sample, ...(i < donors && { donor: donor ?? sample }) }));
    const page = await renderReport(read({ ...example, embedding: { ...example.embedding!, samples: some } }));
    assert.equal(dataOf<{ by: string }>(page, "embedding").by, donors === 0 ? "section" : "donor");
    return textOf(page).replaceAll(/\s+/g, " ");
  };
  assert.match(await shown(samples.length), /each donor has a colour and a shape\. Clouds that part by donor/);
  const none = await shown(0);
  assert.match(none, /coloured by section .*each section has a colour and a shape\. Clouds that part by section/);
  assert.match(await shown(1), /each donor has a colour and a shape, as has each of \d+ sections? whose donor is not/);
});

Deno.test("the page names encoders, title, columns and source by what the run says of its method, and knows none itself", async () => {
  const encoders = example.results!.encoders.map((one) =>
    one.role === "after" ? { ...one, label: "Tuned" } : { ...one, label: "Plain encoder" }
  );
  const { method: _, ...facts } = example.facts!;
  const method = {
    name: "other",
    label: "OTHER",
    citation: "OTHER: a journal",
    columns: { loss: "Cross-entropy" },
    columns_note: "Of bags.",
    use: { title: "Use it", code: "run <it>" },
  };
  const { adapter: __, ...plain } = facts;
  const metrics = [{ step: 1, loss: 2, accuracy: 0.5 }, { step: 2, loss: 1, accuracy: 0.7 }];
  const of = async (facts: RunEvidence["facts"]) =>
    await renderReport(
      read({ ...example, metrics, ...(facts && { facts }), results: { schema: 1, encoders } }),
    );
  const page = await of({ ...plain, title: "A run", method });
  const text = textOf(page).replaceAll(/\s+/g, " ");
  assert.match(text, /a linear probe on OTHER’s features reaches .* of the plain encoder/);
  assert.match(text, /Plain encoder against OTHER on/);
  assert.match(text, /OTHER: a journal\. This page loads nothing/);
  assert.match(text, /Cross-entropy/);
  assert.match(text, /Of bags\./);
  assert.match(text, /Accuracy/);
  assert.match(text, /Use it/);
  assert.match(page, /run &lt;it&gt;/);
  assert.match(page, /data-label="plain"/);
  const unsaid = textOf(await of(facts)).replaceAll(/\s+/g, " ");
  assert.match(unsaid, /a linear probe on Tuned’s features/);
  assert.doesNotMatch(
    textOf(await renderReport(read({ config: "", metrics, results: { schema: 1, encoders } }))),
    /\bSEAL\b|2602/,
  );
});

Deno.test("a classification is shown beside its baselines, with intervals of one fold and none over folds", async () => {
  const shown = async (options: ExampleClassification) => {
    const evidence = exampleClassification(options);
    const { classification } = evidence.results!;
    const page = await renderReport(read(evidence));
    return { page, text: textOf(page).replaceAll(/\s+/g, " "), classification: classification! };
  };
  const one = await shown({ folds: 1, test: 60, classes: ["wild type", "mutated"] });
  const { low, high, value } = one.classification.predictors[0]!.scores.auc!;
  const three = (number: number) => number.toFixed(3).replace(".", "\\.");
  assert.match(
    one.text,
    new RegExp(
      `On 60 test cases of 30 patients, ABMIL tells PIK3CA_mutation with an area under the ROC curve of ${
        three(value!)
      } , 95.% interval ${three(low!)} to ${three(high!)} over 30 patients`,
    ),
  );
  assert.match(one.text, /Mean \+ logistic: 0\.\d{3} \([+−]0\.\d{3}, 95.% interval/);
  assert.match(one.text, /Majority class: 0\.500/);
  assert.match(one.text, /percentile bootstrap over patients/);
  assert.match(one.text, /Attention shows what the model weighed, not why/);
  assert.match(one.text, /Tiles left out: probability of the class that the whole case is given/);
  assert.match(one.text, /most attention 0\.900 0\.700 0\.500 0\.400 0\.300 at random 0\.900/);
  assert.match(one.text, /truly mutated ; said mutated with probability 0\.93 , right/);
  assert.match(one.text, /12\.0.% ?× 221/);
  assert.match(one.text, /Maps without tissue show places alone/);
  assert.equal(one.page.match(/alt="attention over /g)?.length, 2);
  assert.equal(one.page.match(/alt="tile of /g)?.length, 6);
  assert.match(one.text, /Cross-entropy/);
  assert.match(one.text, /Area under the ROC curve/);
  assert.match(one.text, /arXiv 1802\.04712/);
  assert.doesNotMatch(one.text, /standard error over folds|Gene by gene|\bSEAL\b|does not say what it was trained on/);
  const several = await shown({ folds: 5, test: 24, classes: ["1", "2", "3"], ordinal: true });
  assert.match(several.text, /Over 5 folds of 600 cases, ABMIL tells/);
  assert.match(several.text, /they are not independent: it is no interval for new patients/);
  assert.match(several.text, /24 or more test cases a fold: differences of a few hundredths are of single cases/);
  assert.match(several.text, /Quadratic κ/);
  assert.match(several.text, /better on \d, worse on \d folds/);
  assert.doesNotMatch(several.text, /95.% interval/);
  for (const { page, text } of [one, several]) {
    assert.ok(!/\bNaN\b|undefined|Infinity/.test(text), /.{60}(?:\bNaN\b|undefined|Infinity).{60}/.exec(text)?.[0]);
    assert.ok(!/="[^"]*NaN/.test(page));
  }
});

Deno.test("a classification without cases of a class gives its reason in place of a score", async () => {
  const { results, ...evidence } = exampleClassification({ folds: 1, test: 6, classes: ["no", "yes"] });
  const folds = [{
    name: "all",
    train: [],
    test: [0, 1, 2, 3, 4, 5].map((i) => ({ id: `${i}`, slides: [], label: 1 })),
  }];
  const { classification } = classificationOf({
    task: "x",
    classes: ["no", "yes"],
    ordinal: false,
    unit: "slide",
    folds,
    predictors: [{ id: "a", label: "A", role: "trained", probabilities: [new Array(12).fill(0.5)] }],
  });
  const page = await renderReport(read({ ...evidence, results: { ...results!, classification } }));
  const text = textOf(page).replaceAll(/\s+/g, " ");
  assert.match(text, /area under the ROC curve that is not defined \(no test case of no\)/);
  assert.ok(!/\bNaN\b|undefined|Infinity/.test(text));
});

Deno.test("a warning stands once, and what is said of unnamed donors is not said again", async () => {
  const unnamed = "cannot tell the donors of A, B from those trained on: name each sample's patient in metadata/";
  const facts = example.facts!;
  const samples = facts.data!.samples.map(({ donor: _, ...sample }) => sample);
  const warnings = [{ text: unnamed }, { text: unnamed }];
  const count = async (warnings: { text: string }[], of: RegExp) => {
    const page = await renderReport(read({
      ...example,
      facts: { ...facts, warnings, data: { ...facts.data!, samples } },
      results: { ...example.results!, notes: warnings },
    }));
    return textOf(page).match(of)?.length ?? 0;
  };
  assert.equal(await count(warnings, /cannot tell the donors/g), 1);
  assert.equal(await count(warnings, /Donors are not all named/g), 0);
  assert.equal(await count([], /Donors are not all named/g), 1);
});

Deno.test("an adapter that does not compute as IEEE 754 has it is told, with all that was tried", async () => {
  const good = { "1 / 0 is infinite": "yes", "a * b + c is contracted": "no", "exp of -1 to 1": "within 1.2 ulp" };
  const page = async (arithmetic: Record<string, string> | undefined) =>
    textOf(await renderReport(read({ ...example, facts: { ...example.facts!, ...(arithmetic && { arithmetic }) } })))
      .replaceAll(/\s+/g, " ");
  assert.match(await page(good), /Arithmetic as IEEE 754 in all that was tried .*exp of -1 to 1: within 1\.2 ulp/);
  const bad = await page({ ...good, "1 / 0 is infinite": "no" });
  assert.match(bad, /Arithmetic not as IEEE 754\. It does not hold: 1 \/ 0 is infinite .*contracted: no/);
  const { arithmetic: _, ...facts } = example.facts!;
  assert.ok(!/Arithmetic/.test(textOf(await renderReport(read({ ...example, facts })))), "of runs before");
});

Deno.test("a report claims no difference that its interval does not", async () => {
  const differences = [{ metric: "pearson", mean: 0.02, low: -0.01, high: 0.05, level: 0.95 }];
  const page = await renderReport(read({ ...example, results: { ...example.results!, differences } }));
  assert.match(page, /\+0\.020, 95\u202f% interval −0\.010 to \+0\.050, which includes no difference/);
});

Deno.test("a report of a run without evaluation says in one line why each part is not there", async () => {
  const page = await renderReport(
    read({ config: "a: 1", metrics: [] }, { results: "evaluation/results.json is not in the run's folder" }),
  );
  // Retrieval and features have two parts each.
  assert.equal(page.match(/class="absent"/g)!.length, 10);
  assert.match(page, /Not shown: evaluation\/results\.json is not in the run&#39;s folder\./);
  assert.match(page, /Not shown: metrics\.jsonl holds no numbers\./);
  assert.ok(!/\bNaN\b|undefined|Infinity/.test(textOf(page)));
});

Deno.test("degenerate evidence gives a dash with its reason, never NaN", async () => {
  const [frozen, seal] = example.results!.encoders as [EncoderResult, EncoderResult];
  const map = example.maps![0]!;
  const one = {
    ...map,
    barcodes: map.barcodes.slice(0, 1),
    spatial: map.spatial.slice(0, 2),
    measured: map.measured.slice(0, map.genes.length),
    predicted: map.predicted.slice(0, map.genes.length).fill(NaN),
  };
  const page = await renderReport(read({
    config: "",
    metrics: [{ step: 0, loss: null }, { step: 1, loss: 2, pearson_mean: null }],
    results: {
      schema: 1,
      encoders: [
        {
          ...frozen,
          probe: {
            ...frozen.probe!,
            pearson: { mean: null, reason: "one spot" },
            genes: [{ gene: "A", pearson: null, reason: "constant in the test spots" }],
          },
        },
        {
          ...seal,
          probe: { ...seal.probe!, pearson: { mean: null, reason: "one spot" }, genes: [{ gene: "A", pearson: null }] },
          retrieval: [{
            ...seal.retrieval![0]!,
            median_rank: null,
            reason: "all embeddings are equal",
            recall: [{ k: 1, value: null }, { k: 10, value: null }],
          }],
          slide_probe: { accuracy: null, chance: 1, slides: 1, reason: "one section" },
        },
      ],
    },
    maps: [one],
    embedding: {
      ...example.embedding!,
      panels: example.embedding!.panels.map((panel) => ({
        ...panel,
        x: panel.x.map(() => 1),
        y: panel.y.map(() => 2),
      })),
    },
  }));
  const text = textOf(page);
  assert.ok(!/\bNaN\b|undefined|Infinity/.test(text), /.{60}(?:\bNaN\b|undefined|Infinity).{60}/.exec(text)?.[0]);
  assert.ok(!/="[^"]*NaN/.test(page), /.{80}="[^"]*NaN.{20}/.exec(page)?.[0]);
  for (
    const reason of [
      "one spot",
      "constant in the test spots",
      "all embeddings are equal",
      "one section",
      "r is not defined",
    ]
  ) {
    assert.ok(text.includes(reason), reason);
  }
});

Deno.test("a report of a large run keeps under 5 MB by offering fewer genes, best, middle and worst", async () => {
  const [rows, genes] = [5000, 300];
  const map = example.maps![0]!;
  const names = Array.from({ length: genes }, (_, g) => `G${g}`);
  const maps = ["L1", "L2", "L3"].map((sample) => ({
    ...map,
    sample,
    barcodes: Array.from({ length: rows }, (_, i) => `B${i}`),
    genes: names,
    measured: Float32Array.from({ length: rows * genes }, (_, i) => i % 97),
    predicted: Float32Array.from({ length: rows * genes }, (_, i) => i % 89),
    spatial: Float64Array.from({ length: rows * 2 }, (_, i) => 20 * ((i & 1) ? Math.floor(i / 140) : (i >> 1) % 70)),
  }));
  const seal = example.results!.encoders[1]!;
  const scores = names.map((gene, g) => ({ gene, pearson: 1 - g / genes }));
  const page = await renderReport(read({
    ...example,
    maps,
    results: { ...example.results!, encoders: [{ ...seal, probe: { ...seal.probe!, genes: scores } }] },
  }));
  assert.ok(page.length < 5e6, `${page.length} bytes`);
  const { genes: offered, samples } = dataOf<MapsData>(page, "maps");
  assert.ok(offered.length >= 6 && offered.length < genes);
  assert.ok(
    offered.includes("G0") && offered.includes("G299") &&
      offered.some((gene) => Math.abs(Number(gene.slice(1)) - 150) < 5),
  );
  assert.deepEqual([samples[0]!.spots, samples[0]!.x.length], [5000, 2500]);
  assert.match(page, new RegExp(`${offered.length} of 300 genes are offered`));
});
