/** Bulk expression in all its forms, and its pairs with slides: what is there is counted, what is damaged is refused. */

import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import type { DataError } from "../../src/core/errors.ts";
import { type BulkExpression, readBulk } from "../../src/data/cohort/bulk.ts";
import { pairBulk, pairNotes, patientOf, sampleType } from "../../src/data/cohort/bulk_pairs.ts";
import { disk } from "../../src/io/fs.ts";
import { H5Writer } from "../../src/io/hdf5/h5_write.ts";
import { encode, writeH5ad } from "../../src/io/hdf5/h5ad_write.ts";

const folder = Deno.makeTempDirSync({ prefix: "bulk_" });
Deno.test.afterAll(() => Deno.removeSync(folder, { recursive: true }));

const GENES = ["TP53", "EPCAM", "KRT8"];

/** A file of STAR as GDC has it; TPM of a gene is given. */
function star(tpm: readonly number[], genes = GENES): string {
  return [
    "# gene-model: GENCODE v36",
    "gene_id\tgene_name\tgene_type\tunstranded\tstranded_first\tstranded_second\ttpm_unstranded\tfpkm_unstranded\tfpkm_uq_unstranded",
    ...["N_unmapped", "N_multimapping", "N_noFeature", "N_ambiguous"].map((name) => `${name}\t\t\t100\t1\t1\t\t\t`),
    ...genes.map((gene, i) => `ENSG0000000000${i}.5\t${gene}\tprotein_coding\t${10 * i}\t1\t1\t${tpm[i]}\t0.1\t0.1`),
  ].join("\n") + "\n";
}

const place = (name: string) => `${folder}/${name}`;

Deno.test("a folder of STAR with its sample sheet: three duplicates, two slides without RNA, one patient without slide", async () => {
  Deno.mkdirSync(place("star"));
  const barcodes = [
    ...["A1-0001-01A", "A1-0002-01A", "A1-0003-01A", "A1-0004-01A"],
    // Another portion, a metastasis and another aliquot of patients that are there.
    ...["A1-0001-01B", "A1-0002-06A", "A1-0003-01C"],
    ...["A1-0004-11A", "A1-0009-01A"],
  ].map((name) => `TCGA-${name}`);
  const sheet = ["File ID\tFile Name\tData Category\tCase ID\tSample ID\tSample Type"];
  barcodes.forEach((barcode, i) => {
    const name = `f${i}.rna_seq.augmented_star_gene_counts.tsv`;
    disk.write(place(`star/${name}`), star([i, 2 * i, 7]));
    sheet.push(`f${i}\t${name}\tTranscriptome\t${patientOf(barcode)}\t${barcode}\tPrimary`);
  });
  disk.write(place("star/gdc_sample_sheet.2024-01-01.tsv"), sheet.join("\n") + "\n");
  const bulk = await readBulk(disk, place("star"));
  assert.deepEqual([bulk.genes, bulk.unit, bulk.samples.length], [GENES, "log2(1 + TPM)", 9]);
  assert.deepEqual([...bulk.samples[3]!.values], [2, Math.fround(Math.log2(7)), 3]);
  const slides = [
    "0001-01Z-00-DX1",
    "0001-01Z-00-DX2",
    "0002-01Z-00-DX1",
    "0003-01Z-00-DX1",
    "0004-01Z-00-DX1",
    "0005-01Z-00-DX1",
    "0006-01Z-00-DX1",
  ]
    .map((name) => `TCGA-A1-${name}.8A0B`);
  const pairs = pairBulk(slides, bulk);
  assert.deepEqual(pairs.patients.map(({ patient, slides, sample }) => [patient, slides.length, sample.name]), [
    ["TCGA-A1-0001", 2, "TCGA-A1-0001-01A"],
    ["TCGA-A1-0002", 1, "TCGA-A1-0002-01A"],
    ["TCGA-A1-0003", 1, "TCGA-A1-0003-01A"],
    ["TCGA-A1-0004", 1, "TCGA-A1-0004-01A"],
  ]);
  assert.deepEqual(
    [pairs.duplicates.length, pairs.normal.length, pairs.slidesWithoutRna.length, pairs.patientsWithoutSlide],
    [3, 1, 2, ["TCGA-A1-0009"]],
  );
  const notes = pairNotes(pairs);
  assert.equal(notes.length, 4);
  assert.match(notes[0]!, /^3 samples left out.*TCGA-A1-0001-01B \(TCGA-A1-0001-01A\)/);
});

Deno.test("a folder a file, as GDC's client leaves them; a sample that was sequenced twice is counted", async () => {
  const sheet = ["File ID\tFile Name\tSample ID"];
  const barcodes = ["TCGA-A1-0001-01A", "TCGA-A1-0002-01A", "TCGA-A1-0001-01A", "TCGA-A1-0002-06A"];
  barcodes.forEach((barcode, i) => {
    const name = `f${i}.rna_seq.augmented_star_gene_counts.tsv`;
    Deno.mkdirSync(place(`cart/id${i}/logs`), { recursive: true });
    disk.write(place(`cart/id${i}/${name}`), star([i, 2 * i, 7]));
    disk.write(place(`cart/id${i}/annotations.txt`), "id\tsubmitter_id\tentity_type\n");
    disk.write(place(`cart/id${i}/logs/${name}.parcel`), "0");
    sheet.push(`id${i}\t${name}\t${barcode}`);
  });
  disk.write(place("cart/MANIFEST.txt"), "id\tfilename\tmd5\tsize\tstate\n");
  disk.write(place("cart/gdc_manifest.2026-01-31.123456.txt"), "id\tfilename\tmd5\tsize\tstate\n");
  disk.write(place("cart/gdc_sample_sheet.2024-01-01.tsv"), sheet.join("\n") + "\n");
  const bulk = await readBulk(disk, place("cart"));
  assert.equal(bulk.files.length, 5);
  const pairs = pairBulk(["TCGA-A1-0001-01Z-00-DX1", "TCGA-A1-0002-01Z-00-DX1"], bulk);
  assert.deepEqual(pairs.patients.map(({ sample }) => sample.name), barcodes.slice(0, 2));
  assert.deepEqual(pairNotes(pairs), [
    "2 samples left out where the patient has another: TCGA-A1-0001-01A.f2 (TCGA-A1-0001-01A), " +
    "TCGA-A1-0002-06A (TCGA-A1-0002-01A)",
  ]);
});

Deno.test("HTSeq in gzip, a matrix of logarithms, one of TPM, and h5ad say the same of the same samples", async () => {
  Deno.mkdirSync(place("htseq"));
  const counts = [[10, 0, 30], [1, 2, 1]];
  counts.forEach((own, i) => {
    const text = [...own.map((n, g) => `${GENES[g]}\t${n}`), "__no_feature\t99", "__ambiguous\t7"].join("\n");
    disk.write(place(`htseq/s${i}.htseq.counts.gz`), gzipSync(text));
  });
  const wanted = counts.map((own) => own.map((n) => Math.fround(Math.log2(1 + 1e6 * n / own.reduce((a, b) => a + b)))));
  const values = ({ samples }: BulkExpression) => samples.map(({ values }) => [...values]);
  const htseq = await readBulk(disk, place("htseq"));
  assert.deepEqual([htseq.samples.map(({ name }) => name), htseq.unit], [["s0", "s1"], "log2(1 + counts per million)"]);
  assert.deepEqual(values(htseq), wanted);
  const matrix = (rows: readonly (readonly number[])[]) =>
    ["sample\ts0\ts1", ...GENES.map((gene, g) => [gene, ...rows.map((row) => row[g])].join("\t"))].join("\n");
  disk.write(place("log.tsv"), matrix(wanted));
  assert.deepEqual(values(await readBulk(disk, place("log.tsv"))), wanted);
  disk.write(place("counts.tsv"), matrix(counts));
  assert.deepEqual(values(await readBulk(disk, place("counts.tsv"), "counts")), wanted);
  const begin = await H5Writer.prepare();
  const data = Float32Array.from(counts.flat());
  disk.writeAnywhere(place("x.h5ad"), (file) => {
    const h5 = begin(file);
    writeH5ad(h5, {
      obs: { index: ["s0", "s1"] },
      var: { index: GENES },
      x: {
        name: "x",
        rows: 2,
        columns: 3,
        layout: "dense",
        stored: 6,
        read: (from: number, to: number) => ({
          from,
          indptr: Uint32Array.from({ length: to - from + 1 }, (_, i) => 3 * i),
          indices: Uint32Array.from({ length: 3 * (to - from) }, (_, i) => i % 3),
          values: data.subarray(3 * from, 3 * to),
        }),
      },
    }, { dense: true });
    h5.close();
  });
  assert.deepEqual(values(await readBulk(disk, place("x.h5ad"), "counts")), wanted);
  // A gene that stands twice is the row with the greater sum.
  disk.write(place("twice.tsv"), `${matrix(counts)}\nTP53\t100\t200`);
  const twice = await readBulk(disk, place("twice.tsv"), "tpm");
  assert.deepEqual([twice.twice, twice.genes.length], [["TP53"], 3]);
  assert.equal(twice.samples[0]!.values[twice.genes.indexOf("TP53")], Math.fround(Math.log2(101)));
});

Deno.test("barcodes are cut to patients, other names are their own, a table may say whose a slide is", () => {
  assert.equal(patientOf("tcga-a1-a0sb-01Z-00-DX1.B34C"), "TCGA-A1-A0SB");
  assert.equal(patientOf("TCGA-A1-A0SB"), "TCGA-A1-A0SB");
  assert.equal(patientOf("TCGA-A1-A0SBX"), "TCGA-A1-A0SB");
  assert.equal(patientOf("patient 7"), "patient 7");
  assert.deepEqual(["TCGA-A1-A0SB-01A-11R", "TCGA-A1-A0SB-11", "TCGA-A1-A0SB", "x"].map(sampleType), [
    1,
    11,
    undefined,
    undefined,
  ]);
  const sample = (name: string) => ({ name, file: "f", values: new Float32Array(1) });
  const bulk = { samples: [sample("p1"), sample("p2")] };
  const owner = { file: "s.csv", of: new Map([["a", "p1"], ["b", "p2"], ["c", "p2"]]) };
  assert.deepEqual(pairBulk(["a", "b", "c"], bulk, owner).patients.map(({ slides }) => slides), [["a"], ["b", "c"]]);
  assert.throws(() => pairBulk(["a", "z"], bulk, owner), /z not in the table of slides s\.csv, expected every slide/);
  assert.throws(
    () => pairBulk(["p1"], bulk),
    /1 of 1 patients with slides and 2 with RNA have both, expected two or more/,
  );
});

Deno.test("what is damaged is refused with file and line", async () => {
  const refused = async (
    name: string,
    text: string | Uint8Array,
    wanted: RegExp,
    unit: "auto" | "tpm" | "counts" = "auto",
  ) => {
    disk.write(place(name), text);
    await assert.rejects(readBulk(disk, place(name), unit), wanted, name);
  };
  await refused("word.tsv", "g\ts0\ts1\nTP53\t1\tx", /word\.tsv, line 2: "x" as TP53 of s1, expected a number/);
  await refused("short.tsv", "g\ts0\ts1\nTP53\t1", /line 2: 2 columns, expected 3 as in the header/);
  await refused("empty.tsv", "", /it has no gene, expected a line each/);
  await refused("twin.tsv", "g\ts0\ts0\nTP53\t1\t1", /sample s0 again.*expected each sample once/);
  await refused("large.tsv", "g\ts0\nTP53\t5000", /s0 has a value of 5000, expected logarithms/);
  await refused("negative.tsv", "g\ts0\nTP53\t-1", /s0 has a value of -1, expected counts of 0 or more/, "counts");
  await refused("deep.tsv", "g\ts0\nTP53\t-5000", /s0 has a value of -5000, expected logarithms/);
  await refused("nameless.tsv", "g\ts0\nTP53\t1\n\t2", /nameless\.tsv, line 3: no gene, expected a name/);
  const many = `TP53\t1\n`.repeat(1_000_001);
  await refused("many.tsv", `g\ts0\n${many}`, /many\.tsv, line 1000002: yet more genes, expected at most 1000000/);
  const table = async (name: string, index: readonly string[], values: readonly number[]) => {
    const begin = await H5Writer.prepare();
    disk.writeAnywhere(place(name), (file) => {
      const h5 = begin(file);
      writeH5ad(h5, {
        obs: { index: ["s0"] },
        var: { index },
        x(h5, at) {
          h5.dataset(at, "f4", [1, values.length], Float32Array.from(values));
          encode(h5, at, "array", "0.2.0");
        },
      });
      h5.close();
    });
    return await readBulk(disk, place(name));
  };
  await assert.rejects(
    table("nameless.h5ad", ["TP53", ""], [1, 2]),
    /nameless\.h5ad: gene 1 of var has no name, expected/,
  );
  await assert.rejects(table("nan.h5ad", ["TP53", "KRT8"], [1, NaN]), (error: DataError) => {
    assert.match(error.message, /nan\.h5ad: s0 has NaN for KRT8, expected a finite number/);
    assert.equal(error.hint, undefined);
    return true;
  });
  await refused("none.tsv", "g\ts0\nTP53\t0", /s0 has no count, expected some/, "counts");
  await refused("cut.tsv", gzipSync(star([1, 2, 3])).subarray(0, 60), /cut\.tsv, line \d+: damage/);
  await assert.rejects(readBulk(disk, place("nowhere")), /there is nothing, expected a file, or a folder/);
  Deno.mkdirSync(place("mixed"));
  disk.write(place("mixed/a.tsv"), star([1, 2, 3]));
  disk.write(place("mixed/b.tsv"), star([1, 2, 3], ["TP53", "EPCAM", "KRT9"]));
  await assert.rejects(
    readBulk(disk, place("mixed")),
    /b\.tsv: no gene KRT8, expected the 3 genes of .*a\.tsv in their order/,
  );
  disk.write(place("mixed/b.tsv"), star([1, 2, 3, 4], ["TP53", "EPCAM", "KRT8", "KRT9"]));
  await assert.rejects(
    readBulk(disk, place("mixed")),
    /b\.tsv: a gene KRT9, which .*a\.tsv lacks, expected its 3 genes in their order/,
  );
  disk.write(place("mixed/b.tsv"), many);
  await assert.rejects(
    readBulk(disk, place("mixed")),
    /b\.tsv, line 1000001: yet more genes, expected at most 1000000/,
  );
  disk.write(place("mixed/b.tsv"), "TP53\t3\nEPCAM\t4\nKRT8\t5");
  await assert.rejects(readBulk(disk, place("mixed")), /b\.tsv: values in counts, expected tpm as in/);
  await assert.rejects(readBulk(disk, place("star"), "counts"), /values in tpm, expected counts, as bulk_unit says/);
});
