import assert from "node:assert/strict";
import { DataError, FormatError } from "../../src/core/errors.ts";
import { findInputs, type InputFiles, inputParts, openInput } from "../../src/embed/inputs.ts";
import { sha256OfParts } from "../../src/io/checksum.ts";
import { disk } from "../../src/io/fs.ts";
import { Sha256 } from "../../src/host/zlib.ts";

const fixtures = new URL("../fixtures/", import.meta.url).pathname;
const h5 = (name: string) => `${fixtures}h5/${name}`;
const imagePath = (name: string) => `${fixtures}images/${name}`;
const expected = JSON.parse(Deno.readTextFileSync(h5("expected.json")));
const expectedImages = JSON.parse(Deno.readTextFileSync(imagePath("expected.json")));

async function inFolder(act: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await act(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function one(...paths: string[]) {
  const [found, ...others] = findInputs(disk, paths);
  assert.equal(others.length, 0);
  return await openInput(disk, found!);
}

Deno.test("findInputs() finds patch files of a layout, folders of images, files", () =>
  inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/hest/patches`, { recursive: true });
    await Deno.mkdir(`${folder}/tiles`);
    for (const id of ["TENX95", "NCBI642"]) await Deno.copyFile(h5("current.h5"), `${folder}/hest/patches/${id}.h5`);
    for (const name of ["b.png", "a.JPG", ".hidden.png", "notes.txt"]) {
      await Deno.writeTextFile(`${folder}/tiles/${name}`, "");
    }
    const names = (...paths: string[]) =>
      findInputs(disk, paths).map(({ name, kind, paths }) => [name, kind, paths.length]);
    assert.deepEqual(names(`${folder}/hest`), [["NCBI642", "patches", 1], ["TENX95", "patches", 1]]);
    assert.deepEqual(names(`${folder}/hest/patches/`), names(`${folder}/hest`));
    assert.deepEqual(names(`${folder}/tiles/`, h5("images.npy")), [["tiles", "images", 2], ["images", "npy", 1]]);
    assert.deepEqual(findInputs(disk, [`${folder}/tiles`])[0]!.paths, [
      `${folder}/tiles/a.JPG`,
      `${folder}/tiles/b.png`,
    ]);
    const listed = findInputs(disk, [`${folder}/tiles/b.png`, `${folder}/tiles/a.JPG`]);
    assert.deepEqual(listed, [{
      name: "tiles",
      kind: "images",
      paths: [`${folder}/tiles/b.png`, `${folder}/tiles/a.JPG`],
    }]);
    assert.deepEqual(names(`${folder}/tiles/b.png`), [["b", "images", 1]]);
  }));

Deno.test("findInputs() says what it cannot embed", () =>
  inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/empty`);
    await Deno.mkdir(`${folder}/b`);
    await Deno.writeTextFile(`${folder}/slide.svs`, "");
    await Deno.writeTextFile(`${folder}/a.txt`, "");
    for (const name of ["x.h5", "b/x.h5"]) await Deno.writeTextFile(`${folder}/${name}`, "");
    const cases: [string[], RegExp][] = [
      [[`${folder}/none`], /none: there is no such file or folder/],
      [[`${folder}/empty`], /empty: the folder holds no patch files, images or arrays/],
      [[`${folder}/slide.svs`], /slide\.svs: it is a slide, expected tiles/],
      [[`${folder}/a.txt`], /a\.txt: its ending is of no kind of input/],
      [[`${folder}/x.h5`, `${folder}/b`], /two inputs called x: the second is .*b\/x\.h5/],
    ];
    for (const [paths, pattern] of cases) {
      assert.throws(() => findInputs(disk, paths), (error: DataError) => {
        return error instanceof DataError && pattern.test(error.message) && error.hint !== undefined;
      });
    }
  }));

Deno.test("openInput() gives the patches of a file with names, corners and pixel size", async () => {
  for (const name of ["current", "v1"]) {
    const input = await one(h5(`${name}.h5`));
    assert.deepEqual([input.name, input.count, input.size, input.sizeOnSlide], [name, 5, [12, 12], 29]);
    assert.deepEqual(input.rowNames, { kind: "barcode", values: expected[name].barcodes });
    // Corners, whichever generation: those of 2024 are turned and moved by half a window.
    assert.deepEqual([input.coordsOf, ...input.coords!.slice(0, 4)], ["top-left", 100, 2000, 107, 1997]);
    const images = await input.read(0, 5);
    const hash = new Sha256();
    for (const { width, height, data } of images) {
      assert.deepEqual([width, height, data.length], [12, 12, 432]);
      hash.update(data);
    }
    assert.equal(hash.hex(), expected[name].sha256);
    input.close();
  }
});

Deno.test("openInput() gives images of any size in order, here or by a decoder of the caller", async () => {
  const names = ["png_type2_depth8.png", "jpeg_420.jpg", "jpeg_cmyk.jpg"];
  const input = await one(...names.map(imagePath));
  assert.deepEqual([input.name, input.count, input.size, input.coords], ["images", 3, undefined, undefined]);
  assert.deepEqual(input.rowNames, { kind: "file", values: names });
  const images = await input.read(0, 3);
  assert.deepEqual(
    images.map(({ data }) => new Sha256().update(data).hex()),
    names.map((name) => expectedImages[name].sha256),
  );
  const asked: string[] = [];
  const other = await openInput(disk, input, (path) => {
    asked.push(path);
    return Promise.resolve({ width: 1, height: 1, data: new Uint8Array(3) });
  });
  assert.equal((await other.read(1, 3)).length, 2);
  assert.deepEqual(asked, names.slice(1).map(imagePath));
});

Deno.test("openInput() gives the images of an array", async () => {
  const input = await one(h5("images.npy"));
  assert.deepEqual([input.count, input.size, input.rowNames], [3, [5, 4], undefined]);
  const hash = new Sha256();
  for (const [from, to] of [[0, 1], [1, 3]] as const) {
    for (const { data } of await input.read(from, to)) hash.update(data);
  }
  assert.equal(hash.hex(), expected.images.sha256);
  input.close();
  await assert.rejects(one(h5("features.npy")), /it is f4 \(6, 5\), expected u1 \(n, height, width, 3\), or/);
});

Deno.test("openInput() gives the one image of an array without a row", () =>
  inFolder(async (folder) => {
    const header = "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3, 3), }".padEnd(117) + "\n";
    const pixels = Uint8Array.from({ length: 18 }, (_, i) => i);
    const start = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length, 0];
    const bytes = [...start, ...new TextEncoder().encode(header), ...pixels];
    await Deno.writeFile(`${folder}/a.npy`, Uint8Array.from(bytes));
    const input = await one(`${folder}/a.npy`);
    const [first] = await input.read(0, 1);
    assert.deepEqual([input.count, input.size, first!.width, first!.height], [1, [3, 2], 3, 2]);
    assert.deepEqual([...first!.data], [...pixels]);
    input.close();
  }));

Deno.test("findInputs() passes over no image that lies beside arrays", () =>
  inFolder(async (folder) => {
    const names = () => findInputs(disk, [folder]).map(({ kind, paths }) => [kind, paths.length]);
    for (const name of ["a.png", "b.tif", "c.npy"]) await Deno.writeTextFile(`${folder}/${name}`, "");
    assert.deepEqual(names(), [["images", 2], ["npy", 1]]);
    // Beside patch files they are previews.
    await Deno.writeTextFile(`${folder}/d.h5`, "");
    assert.deepEqual(names(), [["npy", 1], ["patches", 1]]);
  }));

Deno.test("openInput() names the file that is damaged or missing", () =>
  inFolder(async (folder) => {
    await Deno.copyFile(imagePath("jpeg_420.jpg"), `${folder}/a.jpg`);
    await Deno.writeFile(`${folder}/b.jpg`, Deno.readFileSync(imagePath("jpeg_420.jpg")).subarray(0, 500));
    const input = await one(folder);
    await assert.rejects(input.read(0, 2), (error: FormatError) =>
      error instanceof FormatError && error.message.includes("b.jpg"));
    assert.equal((await input.read(0, 1)).length, 1);
    await Deno.remove(`${folder}/a.jpg`);
    await assert.rejects(input.read(0, 1), (error: DataError) =>
      error instanceof DataError && /a\.jpg: no such file/.test(error.message));
    await Deno.writeFile(`${folder}/c.h5`, Deno.readFileSync(h5("current.h5")).subarray(0, 3000));
    await assert.rejects(one(`${folder}/c.h5`), FormatError);
  }));

Deno.test("inputParts() tell contents and names of images apart", () =>
  inFolder(async (folder) => {
    const write = (name: string, text: string) => Deno.writeTextFile(`${folder}/${name}`, text);
    const of = (files: InputFiles) => sha256OfParts(disk, inputParts(disk, files));
    const hash = () => of({ name: "", kind: "images", paths: findInputs(disk, [folder])[0]!.paths });
    await write("a.png", "12");
    await write("b.png", "3");
    const first = hash();
    assert.match(first, /^[0-9a-f]{64}$/);
    assert.equal(hash(), first);
    await write("a.png", "1");
    await write("b.png", "23");
    assert.notEqual(hash(), first);
    const file = { name: "", kind: "npy", paths: [`${folder}/b.png`] } as const;
    assert.equal(of(file), new Sha256().update(new TextEncoder().encode("23")).hex());
  }));
