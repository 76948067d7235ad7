import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { DataError, FormatError, LimitError } from "../../src/core/errors.ts";
import { Rng } from "../../src/core/rng.ts";
import { disk, openFolder } from "../../src/io/fs.ts";
import { MemoryStorage } from "../../src/io/hdf5/h5_library.ts";
import { H5Writer } from "../../src/io/hdf5/h5_write.ts";
import { readMex, readTurnedMtx } from "../../src/io/mtx.ts";
import { fromBytes, fromMap } from "../../src/io/random_access.ts";
import { toDense } from "../../src/io/sparse.ts";
import { type FeatureCounts, openTenx } from "../../src/io/tenx_h5.ts";
import { parsePositions, readTenxSpatial, type SpotPlaces } from "../../src/io/tenx_spatial.ts";
import { mutate } from "./mutate.ts";

const path = (name: string) => new URL(`../fixtures/spatial/${name}`, import.meta.url).pathname;
const expected = JSON.parse(Deno.readTextFileSync(path("expected.json"))) as {
  x: number[][];
  barcodes: string[];
  genes: string[];
};
const utf8 = (text: string) => new TextEncoder().encode(text);
const folder = (files: Record<string, string | Uint8Array>) =>
  fromMap(new Map(Object.entries(files).map(([k, v]) => [k, typeof v === "string" ? utf8(v) : v])), "in");

function check({ barcodes, names, ids, counts }: FeatureCounts): void {
  assert.deepEqual([[...barcodes], names], [expected.barcodes, expected.genes]);
  assert.equal(ids[2], "ENSG00000000002");
  assert.deepEqual([...toDense(counts.read(0, 7), 5)], expected.x.flat());
  assert.deepEqual([...toDense(counts.read(4, 6), 5)], expected.x.slice(4, 6).flat());
}

Deno.test("openTenx() reads versions 2 and 3", async () => {
  for (const version of ["v2", "v3"]) {
    using file = await openTenx(disk.open(path(`tenx_${version}.h5`), "read"));
    check(file);
    assert.equal(file.types[4], version === "v2" ? "Gene Expression" : "Antibody Capture");
  }
});

Deno.test("openTenx() asks for one of several genomes, and says what it finds instead of counts", async () => {
  async function file(...genomes: string[]): Promise<MemoryStorage> {
    const sink = new MemoryStorage("two.h5");
    const h5 = await H5Writer.create(sink);
    for (const genome of genomes) {
      h5.group(`/${genome}`);
      for (const list of ["genes", "gene_names"]) h5.strings(`/${genome}/${list}`, [genome]);
      h5.strings(`/${genome}/barcodes`, ["b"]);
      h5.dataset(`/${genome}/shape`, "i4", [2], Int32Array.of(1, genome === "bad" ? 3 : 1));
      h5.dataset(`/${genome}/data`, "i4", [1], Int32Array.of(7));
      h5.dataset(`/${genome}/indices`, "i8", [1], BigInt64Array.of(0n));
      h5.dataset(`/${genome}/indptr`, "i8", [2], BigInt64Array.of(0n, 1n));
    }
    h5.close();
    return new MemoryStorage("two.h5", sink.content());
  }
  await assert.rejects(
    openTenx(await file("hg19", "mm10")),
    (e: DataError) => e instanceof DataError && /two\.h5: it has the genomes hg19, mm10, one is wanted/.test(e.message),
  );
  using chosen = await openTenx(await file("hg19", "mm10"), "mm10");
  assert.deepEqual([chosen.names, ...chosen.counts.read(0, 1).values], [["mm10"], 7]);
  await assert.rejects(openTenx(await file("bad")), /:\/bad\/shape: 1x3, expected 1x1, features by barcodes/);
  await assert.rejects(openTenx(await file()), /two\.h5:\/: nothing, expected a group matrix/);
});

Deno.test("readMex() reads both versions, packed or not, with a prefix", async () => {
  check(await readMex(openFolder(path("mex"))));
  const names = (ids: string[]) => ids.map((id, i) => `${id}\tname${i}\n`).join("");
  const matrix = "%%MatrixMarket matrix coordinate integer general\n%\n2 3 3\n1 1 5\n2 3 1\n1 3 2\n";
  const old = folder({
    "GSM1_genes.tsv": names(["a", "b"]),
    "GSM1_barcodes.tsv": "x\ny\nz\n",
    "GSM1_matrix.mtx": matrix,
  });
  const read = await readMex(old);
  assert.deepEqual([read.names, read.types[0], [...read.barcodes]], [["name0", "name1"], "Gene Expression", [
    "x",
    "y",
    "z",
  ]]);
  assert.deepEqual([...toDense(read.counts.read(0, 3), 2)], [5, 0, 0, 0, 2, 1]);
  const files = { "genes.tsv": names(["a", "b"]), "barcodes.tsv": "x\ny\n", "matrix.mtx": matrix };
  await assert.rejects(
    readMex(folder(files)),
    /in\/barcodes\.tsv, line 2: 2 lines, expected 3, as in\/matrix\.mtx has columns/,
  );
  await assert.rejects(readMex(folder({ ...files, "genes.tsv": "" })), /genes\.tsv, line 0: 0 lines, expected 2/);
  await assert.rejects(
    readMex(folder({ "matrix.mtx": matrix })),
    (e: DataError) =>
      e instanceof DataError && /in: it has no features\.tsv\.gz, features\.tsv, genes\.tsv/.test(e.message),
  );
});

Deno.test("readTurnedMtx() names the line of what it refuses", async () => {
  const head = "%%MatrixMarket matrix coordinate integer general\n2 2 1\n";
  const cases: [string, RegExp][] = [
    ["", /line 1: no header/],
    ["%%MatrixMarket matrix coordinate integer symmetric\n", /line 1: .*, expected %%MatrixMarket matrix coordinate/],
    ["%%MatrixMarket matrix coordinate pattern general\n", /line 1: .*, expected %%MatrixMarket matrix coordinate/],
    ["%%MatrixMarket matrix coordinate unsigned-integer general\n2 2 5\n", /line 2: 5 entries, expected at most 2 x 2/],
    ["%%MatrixMarket matrix array real general\n", /line 1: "%%MatrixMarket matrix array real general", expected/],
    ["%%MatrixMarket matrix coordinate real general\n2 -2 1\n", /line 2: "2 -2 1", expected rows, columns/],
    [
      "%%MatrixMarket matrix coordinate integer general\n2 2 1\n1 0x1 5\n",
      /line 3: "1 0x1 5", expected row, column and value/,
    ],
    [
      "%%MatrixMarket matrix coordinate integer general\n2 2 1\n1 1 0x10\n",
      /line 3: "1 1 0x10", expected row, column and value/,
    ],
    ["%%MatrixMarket matrix coordinate real general\n2 999999999 1\n", /at most 33554432 rows/],
    [`${head}3 1 1\n`, /line 3: place 3, 1, expected 1, 1 to 2, 2/],
    [`${head}0 1 1\n`, /place 0, 1/],
    [`${head}1 1\n`, /line 3: "1 1", expected row, column and value/],
    [`${head}1 1 x\n`, /"1 1 x", expected/],
    [`${head}1 1 1\n1 2 1\n`, /line 4: yet another entry, expected 1, as the header says/],
    [head, /0 entries, expected 1/],
  ];
  for (const [text, pattern] of cases) {
    await assert.rejects(
      readTurnedMtx(fromBytes(utf8(text), "m")),
      (e: FormatError) => e instanceof FormatError && pattern.test(e.message),
      String(pattern),
    );
  }
});

const HEADER = "barcode,in_tissue,array_row,array_col,pxl_row_in_fullres,pxl_col_in_fullres\n";
const ROWS = "AAA-1,1,0,2,100,250\nCCC-1,0,1,3,186.5,300\n";

/** Places with their barcodes as a list. */
const listed = (spots: SpotPlaces) => ({ ...spots, barcodes: [...spots.barcodes] });

Deno.test("readTenxSpatial() reads positions with and without a header, x before y, and scale factors", async () => {
  const scale = JSON.stringify({
    spot_diameter_fullres: 89.4,
    tissue_hires_scalef: 0.17,
    microns_per_pixel: 0.5,
    other: "x",
  });
  const turned =
    "pxl_col_in_fullres,barcode,in_tissue,array_row,array_col,pxl_row_in_fullres\r\n250,AAA-1,1,0,2,100\r\n300,CCC-1,0,1,3,186.5\r\n";
  const dialects: Record<string, string>[] = [
    { "tissue_positions.csv": HEADER + ROWS, "scalefactors_json.json": scale },
    { "tissue_positions_list.csv": ROWS, "scalefactors_json.json": scale },
    { "tissue_positions.csv": turned, "scalefactors_json.json": scale, "tissue_positions_list.csv": "old" },
  ];
  for (const files of dialects) {
    const { spots, scale: factors } = await readTenxSpatial(folder(files));
    assert.deepEqual(listed(spots), {
      barcodes: ["AAA-1", "CCC-1"],
      inTissue: Uint8Array.of(1, 0),
      arrayRow: Int32Array.of(0, 1),
      arrayCol: Int32Array.of(2, 3),
      spatial: Float64Array.of(250, 100, 300, 186.5),
    });
    assert.deepEqual([factors!.spotDiameter, factors!.hires, factors!.pixelSize, factors!.lowres], [
      89.4,
      0.17,
      0.5,
      undefined,
    ]);
  }
  assert.equal((await readTenxSpatial(folder({ "tissue_positions.csv": HEADER + ROWS }))).scale, undefined);
});

Deno.test("readTenxSpatial() reads Visium HD's parquet, packed files, and GEO's prefixes where they are one of a kind", async () => {
  const parquet = Deno.readFileSync(new URL("../fixtures/parquet/tissue_positions.parquet", import.meta.url).pathname);
  const bins = JSON.parse(
    Deno.readTextFileSync(new URL("../fixtures/parquet/expected.json", import.meta.url).pathname),
  ).positions;
  const scale = '{"microns_per_pixel": 0.5, "bin_size_um": 16}';
  const hd = await readTenxSpatial(folder({ "tissue_positions.parquet": parquet, "scalefactors_json.json": scale }));
  const of = (i: number) => {
    const { barcodes, inTissue, arrayRow, arrayCol, spatial } = hd.spots;
    return [barcodes.at(i), inTissue[i], arrayRow[i], arrayCol[i], spatial[2 * i + 1], spatial[2 * i]];
  };
  assert.deepEqual([of(0), of(575), hd.spots.barcodes.length], [bins.first, bins.last, 576]);
  assert.deepEqual([hd.scale!.binSize, hd.scale!.pixelSize], [16, 0.5]);
  const packed = { "GSM1_tissue_positions_list.csv.gz": Uint8Array.from(gzipSync(utf8(ROWS))) };
  assert.deepEqual([...(await readTenxSpatial(folder(packed))).spots.barcodes], ["AAA-1", "CCC-1"]);
  const two = { ...packed, "GSM2_tissue_positions_list.csv.gz": new Uint8Array() };
  await assert.rejects(readTenxSpatial(folder(two)), /it has GSM1_tissue/);
  const damaged = Uint8Array.from(parquet);
  damaged.fill(255, 4, 60);
  await assert.rejects(
    readTenxSpatial(folder({ "tissue_positions.parquet": damaged })),
    (e: FormatError) => e instanceof FormatError && /in\/tissue_positions\.parquet:group 0, barcode/.test(e.message),
  );
});

Deno.test("parsePositions() reads what a spreadsheet saves of it, and refuses a decimal comma by line", () => {
  const wanted = listed(parsePositions(`${HEADER}${ROWS}`, "p.csv"));
  for (const separator of [";", "\t"]) {
    const text = `\uFEFF${`${HEADER}${ROWS}`.replaceAll(",", separator).replaceAll("\n", "\r\n")}`;
    assert.deepEqual(listed(parsePositions(text, "p.csv")), wanted);
  }
  assert.throws(
    () => parsePositions(`${HEADER.replaceAll(",", ";")}A;1;0;2;100,5;1\n`, "p.csv"),
    /line 2: "100,5" as pxl_row_in_fullres, expected a number/,
  );
});

Deno.test("readTenxSpatial() says what it finds instead of positions, and names the line of damage", async () => {
  await assert.rejects(
    readTenxSpatial(folder({ "a.csv": "" })),
    (e: DataError) =>
      e instanceof DataError && /spots of in: it has a\.csv, one of tissue_positions\.parquet/.test(e.message),
  );
  await assert.rejects(readTenxSpatial(folder({})), /it has nothing, one of tissue_positions\.parquet/);
  const cases: [string, RegExp][] = [
    ["", /line 1: no spots/],
    ["barcode,in_tissue\nA,1\n", /line 1: columns barcode, in_tissue, expected a column array_row/],
    [`${HEADER}A,1,0,2,100\n`, /line 2: 5 fields, expected 6/],
    [`${HEADER}A,1,0,2,x,1\n`, /line 2: "x" as pxl_row_in_fullres, expected a number/],
    [`${HEADER}A,1,0.5,2,1,1\n`, /line 2: place 0\.5, 2, expected whole numbers/],
    [`${ROWS}${ROWS}`, /line 3: barcode AAA-1 again/],
  ];
  for (const [text, pattern] of cases) {
    assert.throws(
      () => parsePositions(text, "p.csv"),
      (e: FormatError) => e instanceof FormatError && pattern.test(e.message),
    );
  }
  const scale = (text: string) =>
    readTenxSpatial(folder({ "tissue_positions.csv": ROWS, "scalefactors_json.json": text }));
  await assert.rejects(scale("{"), /in\/scalefactors_json\.json: byte 0 begins no JSON/);
  await assert.rejects(scale('{"tissue_hires_scalef": -1}'), /:tissue_hires_scalef: -1, expected a positive number/);
});

Deno.test("readMex() closes its files, also when a packed one is refused early", async () => {
  const long = `${"x\n".repeat(1 << 20)}`;
  const path = await Deno.makeTempDir();
  for (const name of ["matrix.mtx", "features.tsv", "barcodes.tsv"]) {
    const bytes = Array.from({ length: 1 << 21 }, (_, i) => i * 2654435761 >>> 24 & 63 | 64);
    await Deno.writeFile(
      `${path}/${name}.gz`,
      gzipSync(name === "matrix.mtx" ? Uint8Array.from([10, ...bytes]) : utf8(long)),
    );
  }
  // The test runner complains of files left open.
  await assert.rejects(readMex(openFolder(path)), /matrix\.mtx\.gz, line 1: "", expected %%MatrixMarket/);
  await Deno.remove(path, { recursive: true });
});

Deno.test("openTenx() and readMex() answer 300 mutations with a typed error or a read", async () => {
  const h5 = Deno.readFileSync(path("tenx_v3.h5"));
  const files = ["matrix.mtx.gz", "features.tsv.gz", "barcodes.tsv.gz"].map((name) =>
    [name, Deno.readFileSync(path(`mex/${name}`))] as const
  );
  const plain = "%%MatrixMarket matrix coordinate integer general\n5 7 2\n1 1 5\n2 3 1\n";
  let refused = 0;
  for (let i = 0; i < 300; i++) {
    const rng = new Rng(9, i);
    try {
      if (i % 3 === 0) {
        using file = await openTenx(new MemoryStorage("mutant", mutate(h5, rng, 4096)));
        file.counts.read(0, file.counts.rows);
      } else {
        const chosen = files.map(([name, bytes], j) =>
          [name, rng.below(3) === j ? mutate(bytes, rng) : bytes] as const
        );
        if (i % 3 === 1) chosen[0] = ["matrix.mtx.gz", Uint8Array.from(gzipSync(mutate(utf8(plain), rng)))];
        await readMex(fromMap(new Map(chosen), "mutant"));
      }
    } catch (error) {
      const typed = [FormatError, LimitError, DataError].some((kind) => error instanceof kind);
      assert.ok(typed && (error as Error).message.includes("mutant"), `${i}: ${error}\n${(error as Error).stack}`);
      refused++;
    }
  }
  assert.ok(refused > 50 && refused < 300, `${refused} refused`);
});
