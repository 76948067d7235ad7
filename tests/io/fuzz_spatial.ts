/**
 * Damaged spatial data, seeded: what a reader does with each must be a read that hangs together or a typed error that names the
 * file, the place in it, what was found and what was expected. Used by the tests with few mutants and by
 * `scripts/fuzz_spatial.ts` with many.
 */

import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { DataError, FormatError, LimitError } from "../../src/core/errors.ts";
import type { Rng } from "../../src/core/rng.ts";
import { convertSection } from "../../src/data/convert/legacy_convert.ts";
import { readSampleTable } from "../../src/data/sample.ts";
import { openSlide, type Slide } from "../../src/data/image/slide.ts";
import type { Disk } from "../../src/io/disk.ts";
import { parseGeoJson } from "../../src/io/geojson.ts";
import { MemoryStorage } from "../../src/io/hdf5/h5_library.ts";
import { H5Writer } from "../../src/io/hdf5/h5_write.ts";
import { H5ad } from "../../src/io/hdf5/h5ad.ts";
import { decodeImage } from "../../src/io/image/image.ts";
import { decodeJpeg2000, loadJpeg2000 } from "../../src/io/image/jpeg2000.ts";
import { parseCatalogue, parseMetadata } from "../../src/io/metadata.ts";
import { readMex } from "../../src/io/mtx.ts";
import { npyHeader } from "../../src/io/npy.ts";
import { readNuclei } from "../../src/io/nuclei.ts";
import { omeDirectories, readOme } from "../../src/io/image/ome.ts";
import { openPatches } from "../../src/io/patches.ts";
import { encodePng } from "../../src/io/image/png_write.ts";
import { fromBytes, fromMap } from "../../src/io/random_access.ts";
import { blocks, type Matrix } from "../../src/io/sparse.ts";
import { readSpotCounts, readSpotSelection } from "../../src/io/spots_tsv.ts";
import { openTenx } from "../../src/io/tenx_h5.ts";
import { readTenxSpatial } from "../../src/io/tenx_spatial.ts";
import { fitScores } from "../../src/slides/fit_scores.ts";
import { parseManifest } from "../../src/slides/manifest.ts";
import { readOutlines } from "../../src/slides/outlines.ts";
import { Coverage } from "../../src/data/image/polygons.ts";
import { HEST_PATCH } from "../../src/data/image/windows.ts";
import { simplify } from "../../src/slides/simplify.ts";
import { readTileScores } from "../../src/slides/tile_scores.ts";
import type { Target } from "./fuzz.ts";
import { xeniumTarget, xeniumTextTarget } from "./fuzz_xenium.ts";
import { anndataTarget, zarrTarget } from "./fuzz_zarr.ts";
import { mutate } from "./mutate.ts";
import { type Directory, exif, makeTiff, withSegment } from "./tiff_maker.ts";

const FIXTURES = new URL("../fixtures/", import.meta.url).pathname;
const bytesOf = (path: string) => Deno.readFileSync(`${FIXTURES}${path}`);
const utf8 = (text: string) => new TextEncoder().encode(text);

/** Files of a folder by the ends of their names. */
function filesIn(folder: string, ...ends: string[]): Uint8Array[] {
  const names = [...Deno.readDirSync(`${FIXTURES}${folder}`)].map(({ name }) => name).sort();
  return names.filter((name) => ends.some((end) => name.endsWith(end))).map((name) => bytesOf(`${folder}/${name}`));
}

/** Runs a reader on a mutant; an error must be typed and complete. */
function target(name: string, read: (rng: Rng) => Promise<void>): Target {
  return {
    name,
    async run(rng) {
      try {
        await read(rng);
      } catch (error) {
        checkError(error);
        throw error;
      }
      return undefined;
    },
  };
}

function checkError(error: unknown): void {
  if (![FormatError, DataError, LimitError].some((kind) => error instanceof kind)) return;
  const { message, context } = error as FormatError;
  assert.ok(message.includes("mutant"), `no file in: ${message}`);
  if (!(error instanceof FormatError)) return;
  for (const key of ["file", "found", "expected"]) assert.ok(key in context, `no ${key} in the context of: ${message}`);
  assert.ok(["path", "offset", "line"].some((key) => key in context), `no place in the context of: ${message}`);
}

/** Rows hang together: columns ascend and exist. */
function checkRows(matrix: Matrix): void {
  let next = 0;
  for (const { from, indptr, indices, values } of blocks(matrix)) {
    assert.equal(from, next);
    next += indptr.length - 1;
    assert.equal(indptr.at(-1), values.length);
    for (let row = 0; row + 1 < indptr.length; row++) {
      for (let i = indptr[row]!; i < indptr[row + 1]!; i++) {
        assert.ok(indices[i]! < matrix.columns && (i === indptr[row]! || indices[i]! > indices[i - 1]!));
      }
    }
  }
  assert.equal(next, matrix.rows);
}

function h5adTarget(): Target {
  const names = ["csr", "csc_gzip", "dense_gzip", "dense_u2", "anndata06", "anndata07", "handmade", "lzf"];
  const seeds = names.map((name) => bytesOf(`spatial/${name}.h5ad`));
  return target("h5ad", async (rng) => {
    const bytes = mutate(seeds[rng.below(seeds.length)]!, rng, 8192);
    using file = await H5ad.open(new MemoryStorage("mutant", bytes));
    checkRows(file.x);
    for (const frame of [file.obs, file.var]) {
      for (const column of frame.columns) {
        assert.equal((frame.strings(column) ?? frame.index).length, frame.index.length);
      }
    }
    const { counts, array, spatial } = readSampleTable("mutant", file);
    assert.equal(counts.spots.length, array.rows.length);
    if (spatial !== undefined) assert.equal(spatial.xy.length, 2 * counts.spots.length);
  });
}

function patchesTarget(): Target {
  const seeds = filesIn("h5", ".h5");
  return target("patch h5", async (rng) => {
    const patches = await openPatches(new MemoryStorage("mutant", mutate(seeds[rng.below(seeds.length)]!, rng, 4096)));
    try {
      const { count, width, height, barcodes, coords } = patches;
      for (let i = 0; i < count; i++) assert.equal(patches.read(i, i + 1).length, width * height * 3);
      if (barcodes !== undefined) assert.equal(barcodes.length, count);
      if (coords !== undefined) assert.equal(coords.length, 2 * count);
    } finally {
      patches.close();
    }
  });
}

/** Images of several directories with OME-XML, turned, and streams that tags contradict. */
function madeTiffs(): Uint8Array[] {
  const pixels =
    '<Pixels SizeX="16" SizeY="12" SizeC="3" PhysicalSizeX="0.25" PhysicalSizeXUnit="&#181;m"><TiffData IFD="0" PlaneCount="3"/></Pixels>';
  const description = `<?xml version="1.0"?><o:OME xmlns:o="urn:o"><o:Image>${
    pixels.replaceAll(/<(\/?)/g, "<$1o:")
  }</o:Image></o:OME>`;
  const plane = (c: number, more: Partial<Directory> = {}): Directory => ({
    width: 16,
    height: 12,
    data: Uint8Array.from({ length: 192 }, (_, i) => i * (c + 1)),
    more: [[274, 3, [6]]],
    ...more,
  });
  const small = { width: 8, height: 6, data: new Uint8Array(48), tiled: true, more: [[274, 3, [6]]] } as const;
  const streams = filesIn("jpeg_streams", ".jpg").filter((_, i) => i % 3 === 0);
  return [
    makeTiff([plane(0, { description }), plane(1), plane(2)]),
    makeTiff([0, 1, 2].map((c) => plane(c, { tiled: true, children: [small], ...(c === 0 && { description }) }))),
    ...streams.map((data) =>
      makeTiff([{ width: 32, height: 32, samples: 3, photometric: 6, data, tiled: true, compression: 7 }])
    ),
  ];
}

function tiffTarget(): Target {
  const files = filesIn("tiff", ".tif", ".svs", ".tiff").filter((bytes) => bytes.length < 200_000);
  const seeds = [...files, ...madeTiffs()];
  return target("TIFF", async (rng) => {
    const bytes = mutate(seeds[rng.below(seeds.length)]!, rng, 1024);
    const slide = await openSlide(fromBytes(bytes, "mutant"));
    for (const [i, { width, height }] of slide.levels.entries()) {
      const [w, h] = [Math.min(width, 600), Math.min(height, 600)];
      assert.equal((await slide.read(i, 0, 0, w, h)).data.length, w * h * 3);
    }
    const { width, height, data } = decodeImage(bytes, "mutant");
    assert.equal(data.length, width * height * 3);
  });
}

/** Slides in formats whose decoders are packages: damage anywhere, and codestreams by themselves. */
function slideTarget(): Target {
  const seeds = filesIn("slides", ".tif", ".svs");
  const streams = filesIn("slides", ".j2k", ".jph");
  return target("slide codecs", async (rng) => {
    if (rng.below(3) === 0) {
      const bytes = mutate(streams[rng.below(streams.length)]!, rng, rng.below(2) ? 200 : undefined);
      await loadJpeg2000();
      const { data, width, height, components } = decodeJpeg2000(bytes, "mutant");
      assert.equal(data.length, width * height * components);
      return;
    }
    const bytes = mutate(seeds[rng.below(seeds.length)]!, rng, rng.below(2) ? 1024 : undefined);
    const slide = await openSlide(fromBytes(bytes, "mutant"), { damagedTiles: rng.below(2) ? "white" : "fail" });
    for (const [i, { width, height }] of slide.levels.entries()) {
      const [w, h] = [Math.min(width, 600), Math.min(height, 600)];
      assert.equal((await slide.read(i, 0, 0, w, h)).data.length, w * h * 3);
    }
    for (const { error } of slide.damaged) checkError(error);
  });
}

/** Lists of slides, and outlines of tissue as polygons and as images. */
function listTarget(): Target {
  const lists = [
    "wsi,mpp\na b.svs,0.25\nc.ome.tif,\n",
    "sample_id,image_path,mask_path,spacing_at_level_0\nS,a.svs,a.png,0.5\n",
  ];
  const ring = [[10, 10], [90, 10], [90, 60], [10, 60], [10, 10]];
  const polygons = {
    type: "FeatureCollection",
    features: [{ type: "Feature", geometry: { type: "Polygon", coordinates: [ring] } }],
  };
  const mask = encodePng({ width: 10, height: 8, data: new Uint8Array(240).map((_, i) => i % 5 ? 255 : 0) });
  const size = { name: "mutant", width: 100, height: 80 };
  // deno-lint-ignore require-await -- errors are to reject
  return target("slide lists", async (rng) => {
    if (rng.below(2)) {
      const text = new TextDecoder().decode(mutate(utf8(lists[rng.below(lists.length)]!), rng));
      for (const { name, mpp } of parseManifest(text, "mutant")) {
        assert.ok(name !== "" && (mpp === undefined || mpp > 0));
      }
      return;
    }
    const outlines = readOutlines(mutate(rng.below(2) ? mask : utf8(JSON.stringify(polygons)), rng), "mutant", size);
    const area = new Coverage(outlines).area(0, 0, 100);
    assert.ok(area >= 0 && area <= 10_000 + 1e-6, `${area}`);
    simplify(outlines, 5);
  });
}

/** Scores beside coordinates, as CLAM has them. */
async function scoresFile(): Promise<Uint8Array> {
  const file = new MemoryStorage("seed");
  const h5 = (await H5Writer.prepare())(file as never);
  h5.dataset("/attention", "f4", [3, 1], Float32Array.of(1, 2, 3));
  h5.dataset("/coords", "i4", [3, 2], Int32Array.of(0, 0, 8, 0, 0, 8));
  for (const [name, value] of Object.entries({ patch_size_level0: 8, name: "mutant", level0_width: 100_000 })) {
    h5.attribute("/coords", name, value);
  }
  h5.close();
  const bytes = new Uint8Array(file.size());
  file.read(0, bytes);
  return bytes;
}

/** Scores of tiles: tables, NumPy's arrays, HDF5. */
function scoresTarget(): Target {
  const seeds: [name: string, bytes: Uint8Array][] = [
    ["mutant.csv", utf8("slide_id,x,y,attention\nS,0,0,.5\nS,8,0,.25\nS,0,8,1e-3\n")],
    ["mutant.npy", new Uint8Array([...npyHeader("f4", [1, 3]), ...new Uint8Array(Float32Array.of(1, 2, 3).buffer)])],
  ];
  const slide = {
    name: "mutant",
    levels: [{ width: 100_000, height: 100_000, downsample: 1 }],
    pixelSize: { um: 0.5 },
  };
  const made = scoresFile();
  return target("tile scores", async (rng) => {
    if (seeds.length < 3) seeds.push(["mutant.h5", await made], ["mutant.h5", await made]);
    const [name, seed] = seeds[rng.below(seeds.length)]!;
    const file = new MemoryStorage(name, mutate(seed, rng, 4096));
    const disk = { open: () => Object.assign(file, { close() {} }) } as unknown as Pick<Disk, "open">;
    const coords = Float64Array.of(0, 0, 8, 0, 0, 8);
    const given = { coords, unit: "px", patch: 8, side: 8, mpp: 0.5, said: {}, notes: [] } as const;
    const places = rng.below(2) ? { file: "mutant", places: given } : undefined;
    const wanted = rng.below(2) ? [] : [name === "mutant.npy" ? "score" : "attention"];
    const scores = await readTileScores(disk, name, { slide: "S", wanted, places });
    const fitted = fitScores(scores, slide as unknown as Slide, "mutant", { missing: "skip", side: 8 });
    for (const column of fitted.columns.values()) assert.equal(2 * column.length, fitted.coords.length);
  });
}

/** OME-XML, whose text is damaged and not the file around it. */
function omeTarget(): Target {
  const seeds = madeTiffs().slice(0, 1).map((bytes) => {
    const text = new TextDecoder("latin1").decode(bytes);
    return bytes.slice(text.indexOf("<?xml"), text.indexOf("</o:OME>") + 8);
  });
  // deno-lint-ignore require-await -- errors are to reject
  return target("OME-XML", async (rng) => {
    const ome = readOme(mutate(seeds[0]!, rng));
    if (ome === undefined || ome.problem !== undefined) {
      throw new DataError(`Cannot read mutant: ${ome?.problem ?? "no OME-XML"}, expected OME-XML`);
    }
    for (const image of ome.images) assert.ok(omeDirectories(image).length <= 4096);
  });
}

/** Counts of 12 spots and 5 genes, and their selection. */
function spotTables(): { counts: string; spots: string } {
  const spots = Array.from({ length: 12 }, (_, i) => [2 + i % 4, 3 + Math.floor(i / 4)] as const);
  const counts = spots.map(([x, y], i) => `${x}x${y}\t${[3, 0, i, 2 * i, 7].join("\t")}\n`).join("");
  const rows = spots.map(([x, y]) => [x, y, x + 0.01, y - 0.02, 100 * x - 120, 100 * y - 220, 1].join("\t"));
  return {
    counts: `\tA\tB\tC\tD\tE\n${counts}`,
    spots: `x\ty\tnew_x\tnew_y\tpixel_x\tpixel_y\tselected\n${rows.join("\n")}\n`,
  };
}

function tsvTarget(): Target {
  const { counts, spots } = spotTables();
  return target("TSV", async (rng) => {
    const seed = utf8(rng.below(2) ? counts : spots);
    const packed = rng.below(4) === 0;
    const inner = mutate(seed, rng);
    const bytes = packed
      ? rng.below(2) ? Uint8Array.from(gzipSync(inner)) : mutate(Uint8Array.from(gzipSync(seed)), rng)
      : inner;
    const source = fromBytes(bytes, "mutant");
    if (seed.length === utf8(counts).length) {
      const read = await readSpotCounts(source);
      checkRows(read.counts);
      assert.equal(read.spots.length, read.counts.rows);
    } else {
      for (const { pixelX, pixelY } of await readSpotSelection(source)) assert.ok(Number.isFinite(pixelX + pixelY));
    }
  });
}

/** A disk in memory that knows what lies on it. */
function memoryDisk(): { disk: Disk; files: Map<string, MemoryStorage> } {
  const files = new Map<string, MemoryStorage>();
  const open = (path: string) => ({ ...hostFile(new MemoryStorage(path)) });
  const hostFile = (storage: MemoryStorage) => ({
    storage,
    name: storage.name,
    size: () => storage.size(),
    read: (at: number, into: Uint8Array) => storage.read(at, into),
    write: (at: number, bytes: Uint8Array) => storage.write(at, bytes),
    truncate: (size: number) => storage.truncate(size),
    sync: () => {},
    close: () => {},
  });
  const none = (): never => {
    throw new Error("not asked for");
  };
  const disk: Disk = {
    look: (path) => files.has(path) ? { kind: "file", size: files.get(path)!.size() } : undefined,
    open: (path, mode) => mode === "read" && files.has(path) ? hostFile(files.get(path)!) : none(),
    remove: (path) => void files.delete(path),
    write(path, data) {
      const file = new MemoryStorage(path);
      file.write(0, typeof data === "string" ? utf8(data) : data);
      files.set(path, file);
    },
    writeChunks: none,
    writeAnywhere(path, fill) {
      const file = open(path);
      fill(file);
      files.set(path, file.storage);
    },
    async writeSlowly(path, fill) {
      const file = open(path);
      await fill(file);
      files.set(path, file.storage);
    },
  };
  return { disk, files };
}

/** A whole conversion: what is refused leaves nothing behind. */
function convertTarget(): Target {
  const { counts, spots } = spotTables();
  const [width, height] = [480, 420];
  const data = Uint8Array.from(
    { length: width * height * 3 },
    (_, i) => Math.floor(i / 3) % width < 430 ? [150, 80, 160][i % 3]! : 225,
  );
  const image = encodePng({ width, height, data });
  return target("convert st", async (rng) => {
    const files = [utf8(counts), utf8(spots), image];
    const chosen = rng.below(4) % 3;
    files[chosen] = mutate(files[chosen]!, rng);
    const [first, second, third] = files.map((bytes) => fromBytes(bytes, "mutant"));
    const { disk, files: written } = memoryDisk();
    const sources = { counts: first!, spots: second!, image: third! };
    const options = { id: "mutant", pitch: 100, spot: 50, rule: "current", patch: HEST_PATCH, wsi: "jpeg" } as const;
    try {
      const { pairs } = await convertSection(disk, "out", sources, options);
      assert.ok(pairs > 0 && written.size === 7 && [...written.keys()].at(-1) === "out/metadata/mutant.json");
    } catch (error) {
      assert.deepEqual([...written.keys()], []);
      throw error;
    }
  });
}

function parquetTarget(): Target {
  const kinds = [
    "cellvit",
    "cellvit_zstd",
    "cellvit_gzip",
    "cellvit_lz4",
    "cellvit_brotli",
    "cellvit_None",
    "xenium_bytes",
  ];
  const nuclei = kinds.map((name) => bytesOf(`parquet/${name}.parquet`));
  const positions = bytesOf("parquet/tissue_positions.parquet");
  return target("Parquet", async (rng) => {
    const chosen = rng.below(nuclei.length + 2);
    const seed = nuclei[chosen] ?? positions;
    // The end, where the metadata are, suffers as much as the rest.
    const cut = rng.below(2) ? Math.max(0, seed.length - 3000) : 0;
    const bytes = Uint8Array.from([...seed.subarray(0, cut), ...mutate(seed.subarray(cut), rng)]);
    if (seed === positions) {
      const { spots } = await readTenxSpatial(fromMap(new Map([["tissue_positions.parquet", bytes]]), "mutant"));
      assert.equal(spots.spatial.length, 2 * spots.barcodes.length);
      return;
    }
    for await (const group of readNuclei(fromBytes(bytes, "mutant"))) {
      for (const { exterior } of group) assert.ok(exterior.every(Number.isFinite));
    }
  });
}

function tenxTarget(): Target {
  const h5 = ["tenx_v2.h5", "tenx_v3.h5"].map((name) => bytesOf(`spatial/${name}`));
  const mex = ["matrix.mtx.gz", "features.tsv.gz", "barcodes.tsv.gz"];
  const plain = "%%MatrixMarket matrix coordinate integer general\n5 7 2\n1 1 5\n2 3 1\n";
  return target("10x", async (rng) => {
    if (rng.below(2)) {
      using file = await openTenx(new MemoryStorage("mutant", mutate(h5[rng.below(2)]!, rng, 4096)));
      checkRows(file.counts);
      return;
    }
    const files = new Map<string, Uint8Array>(mex.map((name) => [name, bytesOf(`spatial/mex/${name}`)]));
    const chosen = mex[rng.below(3)]!;
    const inside = chosen === mex[0] && rng.below(2) === 0;
    files.set(chosen, inside ? Uint8Array.from(gzipSync(mutate(utf8(plain), rng))) : mutate(files.get(chosen)!, rng));
    const read = await readMex(fromMap(files, "mutant"));
    checkRows(read.counts);
    assert.equal(read.names.length, read.counts.columns);
  });
}

/** Texts: positions and scale factors, outlines, metadata, catalogue. */
function textTarget(): Target {
  const ring = "[[0,0],[9,0],[9,9],[0,0]]";
  const current = `{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"tissue_id":0},"geometry":` +
    `{"type":"Polygon","coordinates":[${ring},[[2,1],[3,1],[3,2],[2,1]]]}}]}`;
  const legacy = `[{"type":"Feature","properties":{"classification":{"name":"0"},"hole":[1]},"geometry":` +
    `{"type":"MultiPolygon","coordinates":[[${ring}],[[[2,1],[3,1],[3,2],[2,1]]]]}}]`;
  const positions = "AAA-1,1,0,2,100,250\nCCC-1,0,1,3,186.5,300\n";
  const scale = '{"spot_diameter_fullres": 89.4, "tissue_hires_scalef": 0.17, "microns_per_pixel": 0.5}';
  const metadata = '{"id": "S1", "patient": NaN, "pixel_size_um_estimated": 0.5, "tissue": "a \\u00fc"}';
  const catalogue = '\uFEFFdataset_title,id,patient\n"A, ""b""\nc",S1," "\nB,S2,P\n';
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const readers: ((rng: Rng) => unknown)[] = [
    (rng) => parseGeoJson(mutate(utf8(current), rng), "mutant"),
    (rng) => parseGeoJson(mutate(utf8(legacy), rng), "mutant"),
    (rng) => parseMetadata(mutate(utf8(metadata), rng), "mutant"),
    (rng) => parseCatalogue(decode(mutate(utf8(catalogue), rng)), "mutant"),
    (rng) => {
      const list: [string, Uint8Array][] = [
        ["tissue_positions_list.csv", utf8(positions)],
        ["scalefactors_json.json", utf8(scale)],
      ];
      const chosen = list[rng.below(2)]!;
      chosen[1] = mutate(chosen[1], rng);
      return readTenxSpatial(fromMap(new Map(list), "mutant"));
    },
  ];
  return target("texts", async (rng) => void await readers[rng.below(readers.length)]!(rng));
}

function imageTarget(): Target {
  const photo = bytesOf("images/jpeg_420.jpg");
  const turnedPhoto = withSegment(photo, 0xe1, Uint8Array.from([...utf8("Exif\0\0"), ...exif(6)]));
  const seeds = [...filesIn("images", ".png", ".jpg"), ...filesIn("jpeg_streams", ".jpg"), turnedPhoto];
  // deno-lint-ignore require-await -- errors are to reject
  return target("JPEG, PNG", async (rng) => {
    const { width, height, data } = decodeImage(mutate(seeds[rng.below(seeds.length)]!, rng, 256), "mutant");
    assert.equal(data.length, width * height * 3);
  });
}

/** Every reader of spatial data. */
export function spatialTargets(): Target[] {
  return [
    h5adTarget(),
    patchesTarget(),
    tiffTarget(),
    slideTarget(),
    listTarget(),
    scoresTarget(),
    omeTarget(),
    tsvTarget(),
    convertTarget(),
    parquetTarget(),
    tenxTarget(),
    textTarget(),
    imageTarget(),
    xeniumTarget(target),
    zarrTarget(target),
    anndataTarget(target),
    xeniumTextTarget(target),
  ];
}
