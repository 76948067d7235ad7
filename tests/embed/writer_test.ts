import assert from "node:assert/strict";
import { ConfigError, DataError, FormatError, NumericsError } from "../../src/core/errors.ts";
import { folderSource } from "../../src/run/evaluate_sources.ts";
import { FEATURE_FORMATS, type FeatureFormat, type FeatureTable } from "../../src/embed/formats.ts";
import { FeatureWriter } from "../../src/embed/writer.ts";
import { parseCsv } from "../../src/io/csv.ts";
import { checkContent, ContentSum, openFeatures, readBeside } from "../../src/io/features.ts";
import { disk } from "../../src/io/fs.ts";
import { H5File } from "../../src/io/hdf5/h5.ts";
import { exampleRows, exampleTable } from "./example.ts";

const FORMATS = Object.keys(FEATURE_FORMATS) as FeatureFormat[];
const table = exampleTable();
const values = exampleRows(0, table.count);

async function inFolder(act: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await act(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

type Json = Record<string, unknown>;

const names = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();

/** Writes rows up to `stop` in batches, as a run that may end early. */
function run(path: string, format: FeatureFormat, what: FeatureTable, stop: number, batch = 7): FeatureWriter {
  const writer = FeatureWriter.open(disk, path, format, what);
  while (writer.rows < stop) writer.append(exampleRows(writer.rows, Math.min(what.count, writer.rows + batch)));
  return writer;
}

async function whole(path: string, format: FeatureFormat, what: FeatureTable = table): Promise<Uint8Array> {
  const writer = run(path, format, what, what.count);
  await writer.finish();
  return Deno.readFileSync(path);
}

for (const format of FORMATS) {
  Deno.test(`FeatureWriter writes ${format} that reads back, the same bytes each time and after a stop`, () =>
    inFolder(async (folder) => {
      const path = `${folder}/a.${format}`;
      const bytes = await whole(path, format);
      const beside = format === "npy" || format === "csv" ? [`a.${format}.json`] : [];
      assert.deepEqual(names(folder), [`a.${format}`, ...beside]);
      if (format !== "csv") {
        const features = await openFeatures(disk.open(path, "read"));
        assert.deepEqual([...await features.read()], [...values]);
        if (format !== "npy") {
          assert.deepEqual(features.barcodes, table.rowNames!.values);
          const shift = format === "h5ad" ? 14.5 : 0;
          assert.deepEqual([...features.coords!], [...table.coords!].map((v) => v + shift));
        }
        features.close();
      }
      const stopped = run(`${folder}/b.${format}`, format, table, 14);
      stopped.close();
      assert.ok(!names(folder).includes(`b.${format}`));
      const resumed = FeatureWriter.open(disk, `${folder}/b.${format}`, format, table);
      assert.equal(resumed.rows, 14);
      resumed.close();
      assert.deepEqual(await whole(`${folder}/b.${format}`, format), bytes);
      assert.deepEqual(names(folder).length, 2 + 2 * beside.length);
    }));
}

Deno.test("FeatureWriter writes TRIDENT's form: names, types, attributes", () =>
  inFolder(async (folder) => {
    await whole(`${folder}/a.h5`, "h5");
    using file = await H5File.open(disk.open(`${folder}/a.h5`, "read"));
    assert.deepEqual(file.keys(), ["barcode", "coords", "features"]);
    const { shape, dtype } = file.info("/features");
    assert.deepEqual([shape, dtype], [[table.count, table.dim], "f4"]);
    assert.deepEqual([file.info("/coords").dtype, file.info("/barcode").shape], ["i4", [table.count, 1]]);
    const { content_sha256, ...attributes } = file.attributes("/features");
    assert.match(String(content_sha256), /^[0-9a-f]{64}$/);
    assert.deepEqual(attributes, table.attributes);
    assert.deepEqual({ ...file.attributes("/coords") }, table.coordsAttributes);
  }));

/** Place of bytes in others. */
function placeOf(bytes: Uint8Array, part: Uint8Array): number {
  for (let at = 0; at + part.length <= bytes.length; at++) {
    if (part.every((byte, i) => bytes[at + i] === byte)) return at;
  }
  throw new Error("Cannot find the bytes");
}

const bytesOf = (part: ArrayBufferView) => new Uint8Array(part.buffer, part.byteOffset, part.byteLength);

for (const format of ["h5", "h5ad", "safetensors"] as const) {
  for (const kind of ["barcode", "file"] as const) {
    Deno.test(`A flipped bit in features, places, names (${kind}) or facts of ${format} is noticed`, () =>
      inFolder(async (folder) => {
        const what = { ...table, rowNames: { kind, values: table.rowNames!.values } };
        const path = `${folder}/a.${format}`;
        const bytes = await whole(path, format, what);
        const check = async (read: boolean) => {
          const features = await openFeatures(disk.open(path, "read"));
          try {
            await checkContent(features, read ? await features.read() : undefined);
          } finally {
            features.close();
          }
        };
        for (const read of [true, false]) await check(read);
        const spatial = format === "h5ad" ? Float64Array.from(table.coords!, (v) => v + 14.5) : table.coords!;
        const places = [
          placeOf(bytes, bytesOf(values.slice(-4))),
          placeOf(bytes, bytesOf(spatial.slice(-2))) + spatial.BYTES_PER_ELEMENT,
          placeOf(bytes, new TextEncoder().encode(table.rowNames!.values.at(-1)!)),
          placeOf(bytes, new TextEncoder().encode(String(table.attributes["encoder"]))),
          placeOf(bytes, new TextEncoder().encode("encoder")) + 6,
        ];
        for (const place of places) {
          const other = bytes.slice();
          other[place]! ^= 1;
          Deno.writeFileSync(path, other);
          for (const read of [true, false]) {
            await assert.rejects(check(read), (error: DataError) => {
              assert.ok(error.message.includes(path), error.message);
              // HDF5 itself notices a name that is not where its own tables have it.
              const typed = error instanceof FormatError || error instanceof DataError;
              return place === places.at(-1) ? typed : error.code === "checksum";
            });
          }
        }
      }));
  }
}

for (const format of ["npy", "csv"] as const) {
  Deno.test(`A flipped bit in ${format} or in what stands beside it is noticed, of which versions before had no sums`, () =>
    inFolder(async (folder) => {
      const path = `${folder}/a.${format}`;
      const bytes = await whole(path, format);
      const beside = Deno.readFileSync(`${path}.json`);
      assert.equal((readBeside(disk, path)!["attributes"] as Json)["encoder"], table.attributes["encoder"]);
      assert.equal(readBeside(disk, `${folder}/none.npy`), undefined);
      const source = folderSource({ name: "made", features: folder }, () => "task");
      const sample = { id: "a", folder, expression: "", patches: undefined, metadata: undefined };
      for (const [file, whole] of [[path, bytes], [`${path}.json`, beside]] as const) {
        for (let at = 3; at < whole.length - 1; at += Math.ceil(whole.length / 40)) {
          const other = whole.slice();
          other[at]! ^= 1;
          Deno.writeFileSync(file, other);
          assert.throws(
            () => readBeside(disk, path),
            (error: DataError) => error.message.includes(file) && error.code === "checksum",
            `${file} ${at}`,
          );
        }
        if (format === "npy") await assert.rejects(source.load(sample), { code: "checksum" });
        Deno.writeFileSync(file, whole);
      }
      const { checksum: _, file: __, ...before } = JSON.parse(new TextDecoder().decode(beside));
      Deno.writeTextFileSync(`${path}.json`, JSON.stringify(before));
      assert.deepEqual(readBeside(disk, path), before);
      Deno.writeTextFileSync(`${path}.json`, '{"of": "another program"}');
      assert.equal(readBeside(disk, path), undefined);
    }));
}

Deno.test("Features of versions before, whose checksum leaves facts out, are read", () =>
  inFolder(async (folder) => {
    const path = `${folder}/a.safetensors`;
    const bytes = await whole(path, "safetensors");
    const sum = new ContentSum().add(values).finish({ coords: table.coords, names: table.rowNames!.values });
    const place = placeOf(bytes, new TextEncoder().encode('"content_sha256":"')) + 18;
    assert.notEqual(new TextDecoder().decode(bytes.subarray(place, place + 64)), sum);
    bytes.set(new TextEncoder().encode(sum), place);
    Deno.writeFileSync(path, bytes);
    const features = await openFeatures(disk.open(path, "read"));
    await checkContent(features);
    features.close();
  }));

Deno.test("FeatureWriter writes CSV with names, places and numbers that read back as the same f32", () =>
  inFolder(async (folder) => {
    await whole(`${folder}/a.csv`, "csv");
    const [head, ...rows] = parseCsv(Deno.readTextFileSync(`${folder}/a.csv`), "a.csv");
    assert.deepEqual(head!.fields, ["barcode", "x", "y", ...Array.from({ length: table.dim }, (_, i) => `f${i}`)]);
    assert.deepEqual(rows.map(({ fields }) => fields[0]), table.rowNames!.values);
    assert.deepEqual(rows.flatMap(({ fields }) => fields.slice(1, 3).map(Number)), [...table.coords!]);
    assert.deepEqual(rows.flatMap(({ fields }) => fields.slice(3).map((v) => Math.fround(Number(v)))), [...values]);
    const facts = JSON.parse(Deno.readTextFileSync(`${folder}/a.csv.json`));
    assert.equal(facts.attributes.encoder, table.attributes["encoder"]);
  }));

Deno.test("FeatureWriter writes inputs without names or places, of one row and of none", () =>
  inFolder(async (folder) => {
    for (const format of FORMATS) {
      for (const count of [0, 1]) {
        const path = `${folder}/${count}.${format}`;
        await whole(path, format, { count, dim: table.dim, attributes: { encoder: "e" } });
        if (format === "csv") continue;
        const features = await openFeatures(disk.open(path, "read"));
        assert.deepEqual([features.count, features.dim, features.coords], [count, table.dim, undefined]);
        assert.deepEqual(
          [...await features.read()],
          [...exampleRows(0, count)],
        );
        features.close();
      }
    }
  }));

Deno.test("FeatureWriter goes on only with rows of the same input, encoder and form", () =>
  inFolder((folder) => {
    const path = `${folder}/a.h5`;
    const rowsAfter = (format: FeatureFormat, what: FeatureTable): number => {
      run(path, "h5", table, 14).close();
      const writer = FeatureWriter.open(disk, path, format, what);
      writer.close();
      return writer.rows;
    };
    assert.equal(rowsAfter("h5", exampleTable()), 14);
    assert.equal(rowsAfter("h5ad", table), 0);
    assert.equal(rowsAfter("h5", { ...table, attributes: { ...table.attributes, weights_sha256: "other" } }), 0);
    assert.equal(rowsAfter("h5", { ...table, coords: table.coords!.map((v) => v + 1) }), 0);
    // Rows that were damaged on the disk are not trusted, nor is a state that is.
    run(path, "h5", table, 14).close();
    const rows = disk.open(`${path}.partial`, "update");
    rows.write(100, Uint8Array.of(1, 2, 3));
    rows.close();
    const damaged = FeatureWriter.open(disk, path, "h5", table);
    assert.equal(damaged.rows, 0);
    damaged.close();
    run(path, "h5", table, 14).close();
    Deno.writeTextFileSync(`${path}.partial.json`, '{"version":1,');
    const lost = FeatureWriter.open(disk, path, "h5", table);
    assert.equal(lost.rows, 0);
    lost.close();
    // More rows than the state knows are those of a batch that was cut off.
    run(path, "h5", table, 14).close();
    Deno.writeFileSync(`${path}.partial`, new Uint8Array(50), { append: true });
    const cut = FeatureWriter.open(disk, path, "h5", table);
    assert.equal(cut.rows, 14);
    cut.close();
    return Promise.resolve();
  }));

Deno.test("FeatureWriter refuses numbers that are not finite, and keeps the rows before", () =>
  inFolder((folder) => {
    const writer = run(`${folder}/a.h5`, "h5", table, 7);
    const rows = exampleRows(7, 10);
    rows[table.dim + 2] = NaN;
    assert.throws(() => writer.append(rows), (error: NumericsError) => {
      assert.match(error.message, /features of row 8 \(SPOT8-1\): NaN, expected finite numbers/);
      return error instanceof NumericsError;
    });
    assert.equal(writer.rows, 7);
    rows[table.dim + 2] = -Infinity;
    assert.throws(() => writer.append(rows), NumericsError);
    writer.close();
    return Promise.resolve();
  }));

Deno.test("FeatureWriter replaces an output only when told, and only when the new one is whole", () =>
  inFolder(async (folder) => {
    const path = `${folder}/a.npy`;
    const bytes = await whole(path, "npy");
    assert.throws(() => FeatureWriter.open(disk, path, "npy", table), (error: ConfigError) => {
      return error instanceof ConfigError && error.code === "output-exists" && error.hint!.includes("--overwrite");
    });
    const other = { ...table, attributes: { encoder: "other" } };
    const writer = FeatureWriter.open(disk, path, "npy", other, { overwrite: true });
    writer.append(exampleRows(1, 8));
    assert.deepEqual(Deno.readFileSync(path), bytes);
    writer.append(exampleRows(8, table.count + 1));
    await writer.finish();
    assert.notDeepEqual(Deno.readFileSync(path), bytes);
    assert.deepEqual(names(folder), ["a.npy", "a.npy.json"]);
  }));

Deno.test("FeatureWriter cleans up after a run that ended between its last two steps", () =>
  inFolder(async (folder) => {
    const path = `${folder}/a.h5`;
    run(path, "h5", table, table.count).close();
    const kept = [`${path}.partial`, `${path}.partial.json`].map((name) => [name, Deno.readFileSync(name)] as const);
    const bytes = await whole(path, "h5");
    for (const [name, data] of kept) Deno.writeFileSync(name, data);
    assert.throws(() => FeatureWriter.open(disk, path, "h5", table), ConfigError);
    assert.deepEqual(names(folder), ["a.h5"]);
    assert.deepEqual(Deno.readFileSync(path), bytes);
  }));

for (const format of ["h5", "csv"] as const) {
  Deno.test(`FeatureWriter gives the same bytes of ${format} after kill -9 in the middle`, () =>
    inFolder(async (folder) => {
      const bytes = await whole(`${folder}/whole.${format}`, format);
      const path = `${folder}/killed.${format}`;
      const script = new URL("./writer_run.ts", import.meta.url).pathname;
      const start = (delay: number) =>
        new Deno.Command(Deno.execPath(), {
          args: [
            "run",
            "--no-prompt",
            "--allow-read",
            `--allow-write=${folder}`,
            "--no-check",
            script,
            path,
            format,
            String(delay),
          ],
          stdout: "piped",
          stderr: "inherit",
        }).spawn();
      let seen = 0;
      for (let kills = 0; kills < 2; kills++) {
        const child = start(30);
        const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
        // It prints the rows it has after each batch.
        let text = "";
        while (text.split("\n").length < 3) text += (await reader.read()).value ?? "";
        child.kill("SIGKILL");
        await child.status;
        await reader.cancel();
        const rows = text.split("\n").filter(Boolean).map(Number);
        assert.ok(rows[0]! > seen, `goes on after row ${seen}: ${rows}`);
        seen = rows.at(-1)!;
        assert.equal(disk.look(path), undefined);
      }
      const last = start(0);
      await last.stdout.cancel();
      assert.equal((await last.status).code, 0);
      assert.deepEqual(Deno.readFileSync(path), bytes);
      assert.ok(!names(folder).some((name) => name.includes("partial") || name.endsWith(".tmp")));
    }));
}
