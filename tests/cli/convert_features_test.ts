/** `convert features` as users run it. */

import assert from "node:assert/strict";
import { openFeatures } from "../../src/io/features.ts";
import { disk } from "../../src/io/fs.ts";
import { run } from "../../src/cli/convert_features.ts";
import { lockFolder } from "../../src/io/lock.ts";
import { FIXTURES, inFolder, seal, tree } from "./shared.ts";

const convert = (...words: string[]) => seal("convert", "features", ...words);

Deno.test("convert features writes CLAM's, STAMP's, eva's and plain forms, and TRIDENT's from them", async () => {
  await inFolder(async (folder) => {
    Deno.mkdirSync(`${folder}/in`);
    for (const name of ["a", "b ü"]) {
      Deno.copyFileSync(`${FIXTURES}slide_features/trident.h5`, `${folder}/in/${name}.h5`);
    }
    for (
      const [form, files] of Object.entries({
        clam: ["h5_files/a.h5", "h5_files/b ü.h5", "pt_files/a.pt", "pt_files/b ü.pt"],
        stamp: ["a.h5", "b ü.h5"],
        npy: ["a.npy", "a_coords.npy", "b ü.npy"],
        eva: ["a.pt", "b ü.pt", "manifest.csv"],
      })
    ) {
      const { code, out, err } = await convert(
        `${folder}/in`,
        `${folder}/${form}`,
        "--to",
        form,
        "--mpp",
        "0.5",
        "--json",
      );
      assert.equal(code, 0, err);
      assert.deepEqual(
        JSON.parse(out).slides.map((
          { name, rows, dim }: { name: string; rows: number; dim: number },
        ) => [name, rows, dim]),
        [
          ["a", 12, 5],
          ["b ü", 12, 5],
        ],
      );
      for (const file of files) assert.equal(disk.look(`${folder}/${form}/${file}`)?.kind, "file", file);
    }
    const back = await convert("--to=trident", "--mpp=0.5", `${folder}/stamp`, `${folder}/back`, "--strict-trident");
    assert.equal(back.code, 0, back.err);
    const [before, after] = [`${folder}/in/a.h5`, `${folder}/back/a.h5`].map((path) => disk.open(path, "read"));
    const [one, other] = [await openFeatures(before!), await openFeatures(after!)];
    assert.deepEqual([await one.read(), one.coords], [await other.read(), other.coords]);
    one.close();
    other.close();
    const plain = await convert(`${folder}/npy`, `${folder}/plain`, "--to", "trident");
    assert.equal(plain.code, 3);
    assert.match(plain.err, /the side of a tile is wanted.*--tile-side/s);
    const sided = await convert(`${folder}/npy`, `${folder}/plain`, "--to=trident", "--mpp=0.5", "--tile-side=512");
    assert.equal(sided.code, 0, sided.err);
    const third = await openFeatures(disk.open(`${folder}/plain/a.h5`, "read"));
    assert.deepEqual(third.coords, one.coords);
    third.close();
    // The side is kept: STAMP's form asks for it.
    const round = await convert(`${folder}/plain`, `${folder}/round`, "--to=stamp", "--mpp=0.5");
    assert.equal(round.code, 0, round.err);
    const again = await convert(`${folder}/clam`, `${folder}/back`, "--to", "trident");
    assert.equal(again.code, 2);
    assert.match(
      again.err,
      /Cannot write a in .*back: it was made with other inputs or settings \(--mpp 0\.5, now not given/,
    );
    assert.match(again.err, /^hint: .*pass another OUT, or --overwrite/m);
    assert.equal((await convert(`${folder}/clam`, `${folder}/back`, "--to", "trident", "--overwrite")).code, 0);
  });
});

Deno.test("convert features says what files lack, lists those that fail, and refuses wrong usage", async () => {
  await inFolder(async (folder) => {
    const trident = `${FIXTURES}slide_features/trident.h5`;
    const lacking = await convert(trident, `${folder}/out`, "--to", "stamp");
    assert.equal(lacking.code, 4);
    assert.match(lacking.err, /trident: the pixel size is wanted.*--mpp/s);
    Deno.mkdirSync(`${folder}/in`);
    Deno.copyFileSync(trident, `${folder}/in/a.h5`);
    Deno.writeTextFileSync(`${folder}/in/b.h5`, "damaged");
    const some = await convert(`${folder}/in`, `${folder}/some`, "--to", "npy", "--json");
    assert.equal(some.code, 3);
    assert.equal(JSON.parse(some.out).failed.length, 1);
    assert.match(some.err, /b\.h5/);
    for (
      const words of [[], [trident], [trident, `${folder}/o`], [trident, `${folder}/o`, "more", "--to", "npy"], [
        trident,
        `${folder}/o`,
        "--to",
        "x",
      ]]
    ) {
      const { code, err } = await convert(...words);
      assert.equal(code, 2, err);
    }
    assert.equal((await convert(`${folder}/none`, `${folder}/o`, "--to", "npy")).code, 4);
    assert.equal(disk.look(`${folder}/o`), undefined);
  });
});

Deno.test("convert features given again goes on after a kill to the same bytes; one writer, and nothing of others", () =>
  inFolder(async (folder) => {
    const [from, out] = [`${folder}/in`, `${folder}/out`];
    Deno.mkdirSync(from);
    for (const name of ["a", "b"]) Deno.copyFileSync(`${FIXTURES}slide_features/trident.h5`, `${from}/${name}.h5`);
    const again = (to = "clam", overwrite = false) => {
      const flags = {
        to,
        mpp: undefined,
        "tile-side": undefined,
        "strict-trident": false,
        overwrite,
        quiet: true,
        json: false,
      } as const;
      return run({ flags, words: [from, out], overrides: [] });
    };
    assert.equal(await again(), 0);
    const whole = tree(out);
    // Killed between the two files of the second.
    const record = JSON.parse(Deno.readTextFileSync(`${out}/convert.json`));
    delete record.samples.b.converted;
    Deno.writeTextFileSync(`${out}/convert.json`, JSON.stringify(record));
    Deno.removeSync(`${out}/pt_files/b.pt`);
    assert.equal(await again(), 0);
    assert.deepEqual(tree(out), whole);
    Deno.removeSync(`${out}/h5_files/a.h5`);
    assert.equal(await again(), 0);
    assert.deepEqual(tree(out), whole);
    {
      using _held = lockFolder(out, "convert features");
      await assert.rejects(again(), new RegExp(`process ${Deno.pid} \\(convert features\\) writes there`));
    }
    await assert.rejects(again("npy"), /Cannot write a in .*: it was made with .*--to clam, now npy/);
    Deno.copyFileSync(`${FIXTURES}slide_features/whole_numbers.pt`, `${from}/b.pt`);
    await assert.rejects(again(), /Cannot name two slides b: .*b\.h5 and .*b\.pt/);
    Deno.removeSync(`${from}/b.pt`);
    Deno.removeSync(`${out}/convert.json`);
    await assert.rejects(again(), /h5_files\/a\.h5: it is there already, and not of this command/);
    assert.equal(await again("clam", true), 0);
    assert.deepEqual(tree(out), whole);
  }));

Deno.test("convert features compares what this program wrote with its checksum", () =>
  inFolder(async (folder) => {
    const convert = (from: string, out: string, to: string) => {
      const flags = {
        to,
        mpp: undefined,
        "tile-side": undefined,
        "strict-trident": false,
        overwrite: false,
        quiet: true,
        json: false,
      };
      return run({ flags, words: [from, out], overrides: [] });
    };
    const own = `${folder}/own`;
    assert.equal(await convert(`${FIXTURES}slide_features/trident.h5`, own, "trident"), 0);
    const path = `${own}/trident.h5`;
    const features = await openFeatures(disk.open(path, "read"));
    const row = new Uint8Array((await features.read(1, 2)).buffer);
    features.close();
    const bytes = Deno.readFileSync(path);
    const at = bytes.findIndex((_, i) => row.every((byte, k) => bytes[i + k] === byte));
    assert.ok(at > 0, "the row stands in the file");
    assert.equal(await convert(path, `${folder}/whole`, "eva"), 0);
    bytes[at + 2]! ^= 1;
    Deno.writeFileSync(path, bytes);
    await assert.rejects(convert(path, `${folder}/damaged`, "eva"), /trident\.h5.*the file was changed or damaged/);
    assert.equal(disk.look(`${folder}/damaged/trident.pt`), undefined);
  }));
