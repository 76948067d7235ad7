/**
 * `convert` given again: finished, killed between its files, with other settings, over files of others, by two at once.
 *
 * @seconds 19
 */

import assert from "node:assert/strict";
import { lockFile, lockFolder } from "../../src/io/lock.ts";
import { inFolder, seal, tree } from "./shared.ts";
import { make, writeOuts } from "./space_ranger.ts";
import { writeSection } from "./st_section.ts";

Deno.test("convert st given again goes on after a kill to the same bytes, and refuses what is of others", () =>
  inFolder(async (folder) => {
    for (const id of ["S1", "S2"]) writeSection(`${folder}/in`, id);
    const args = ["convert", "st", `${folder}/in`];
    const [out, whole] = [`${folder}/out`, `${folder}/whole`];
    assert.equal((await seal(...args, "--out", whole)).code, 0);
    const files = tree(whole);
    const again = await seal(...args, "--out", whole);
    assert.equal(again.code, 0, again.err);
    assert.match(again.err, /S1: is there/);
    assert.deepEqual(tree(whole), files);

    // Killed in the middle of the second: its record is begun, its last file and the catalogue are missing.
    Deno.renameSync(whole, out);
    const record = JSON.parse(Deno.readTextFileSync(`${out}/convert.json`));
    delete record.samples.S2.converted;
    Deno.writeTextFileSync(`${out}/convert.json`, JSON.stringify(record));
    for (const path of ["metadata/S2.json", "HEST_v1_1_0.csv"]) Deno.removeSync(`${out}/${path}`);
    const other = await seal(...args, "--out", out, "--rule", "v1");
    assert.equal(other.code, 2, other.err);
    assert.match(other.err, /--rule not given, now v1/);
    const gone = await seal(...args, "--out", out);
    assert.equal(gone.code, 0, gone.err);
    assert.deepEqual(tree(out), files);

    // Other inputs, another process, and a sample that this command did not make.
    Deno.writeTextFileSync(
      `${folder}/in/counts/S2.tsv`,
      Deno.readTextFileSync(`${folder}/in/counts/S2.tsv`).replace("3", "4"),
    );
    const changed = await seal(...args, "--out", out);
    assert.equal(changed.code, 2);
    assert.match(changed.err, /input_sha256 [0-9a-f]{12}…, now/);
    {
      using _held = lockFolder(out, "convert st");
      const second = await seal(...args, "--out", out, "--overwrite");
      assert.equal(second.code, 2);
      assert.ok(second.err.includes(`process ${Deno.pid}`), second.err);
    }
    assert.deepEqual(tree(out), files);
    Deno.removeSync(`${out}/convert.json`);
    const foreign = await seal(...args, "--out", out);
    assert.equal(foreign.code, 2);
    assert.match(foreign.err, /not of this command/);
    Deno.writeTextFileSync(`${out}/convert.json`, "mine");
    assert.equal((await seal(...args, "--out", out, "--overwrite")).code, 2);
    assert.equal(Deno.readTextFileSync(`${out}/convert.json`), "mine");
  }));

Deno.test("convert weights given again is done; of another input, setting or program it is refused; one writer", () =>
  inFolder(async (folder) => {
    const weights = new URL("../fixtures/weights/types.pth", import.meta.url).pathname;
    const out = `${folder}/a.safetensors`;
    const args = ["convert", "weights", weights, out, "--dtype", "f32"];
    const first = await seal(...args, "--json");
    assert.equal(first.code, 0, first.err);
    const bytes = Deno.readFileSync(out);
    const again = await seal(...args, "--json");
    assert.equal(again.code, 0, again.err);
    const { output, tensors, parameters, bytes: size, types } = JSON.parse(first.out);
    assert.deepEqual(JSON.parse(again.out), { output, tensors, parameters, bytes: size, types });
    const other = await seal("convert", "weights", weights, out, "--dtype", "f16");
    assert.equal(other.code, 2);
    assert.match(other.err, /--dtype f32, now f16/);
    assert.deepEqual(Deno.readFileSync(out), bytes);
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["a.safetensors"]);
    using _held = lockFile(`${folder}/b.safetensors`, "convert weights");
    const second = await seal("convert", "weights", weights, `${folder}/b.safetensors`);
    assert.equal(second.code, 2);
    assert.ok(second.err.includes(`process ${Deno.pid}`), second.err);
  }));

Deno.test("convert visium given again is done; killed in the middle it gives the same bytes; other settings are refused", () =>
  inFolder(async (folder) => {
    await writeOuts(make(0), `${folder}/V1`);
    const args = ["convert", "visium", `${folder}/V1`, "--wsi", "deflate"];
    const [out, whole] = [`${folder}/out`, `${folder}/whole`];
    const first = await seal(...args, "--out", whole);
    assert.equal(first.code, 0, first.err);
    const files = tree(whole);
    const again = await seal(...args, "--out", whole);
    assert.equal(again.code, 0, again.err);
    assert.match(again.err, /V1: is there/);
    assert.deepEqual(tree(whole), files);

    // Killed behind its patches: the record is begun; counts are whole, the slide, metadata and the catalogue missing.
    Deno.renameSync(whole, out);
    const record = JSON.parse(Deno.readTextFileSync(`${out}/convert.json`));
    delete record.samples.V1.converted;
    Deno.writeTextFileSync(`${out}/convert.json`, JSON.stringify(record));
    const lost = files.map(([path]) => path).filter((path) => /^\/(metadata|wsis|HEST)/.test(path));
    assert.equal(lost.length, 3, lost.join());
    for (const path of lost) Deno.removeSync(`${out}${path}`);
    const left = tree(out);
    for (const [more, told] of [[["--rule", "v1"], /--rule not given, now v1/], [["--under-tissue"], /under-tissue/]]) {
      const other = await seal(...args, "--out", out, ...more as string[]);
      assert.equal(other.code, 2, other.err);
      assert.match(other.err, told as RegExp);
    }
    assert.deepEqual(tree(out), left);
    const gone = await seal(...args, "--out", out);
    assert.equal(gone.code, 0, gone.err);
    assert.deepEqual(tree(out), files);

    const positions = `${folder}/V1/outs/spatial/tissue_positions.csv`;
    Deno.writeTextFileSync(positions, Deno.readTextFileSync(positions).replace(",99,", ",98,"));
    const changed = await seal(...args, "--out", out);
    assert.equal(changed.code, 2, changed.err);
    assert.match(changed.err, /input_sha256 [0-9a-f]{12}…, now/);
    assert.deepEqual(tree(out), files);
  }));

Deno.test("convert merge given again is done; left half written it gives the same bytes; other settings are refused", () =>
  inFolder(async (folder) => {
    const lora = new URL("../fixtures/encoders/lora_uni", import.meta.url).pathname;
    const out = `${folder}/a.safetensors`;
    const args = ["convert", "merge", "--encoder", lora, "--out", out];
    const own = ["--adapter", `${lora}/adapter`];
    const first = await seal(...args, ...own);
    assert.equal(first.code, 0, first.err);
    const bytes = Deno.readFileSync(out);
    const again = await seal(...args, ...own);
    assert.equal(again.code, 0, again.err);
    assert.ok(again.err.includes(`${out}: is there`), again.err);
    for (
      const [more, told] of [
        [[...own, "--dtype", "f16"], /--dtype not given, now f16/],
        [[...own, "--timm"], /--timm/],
        [["--adapter", `${lora}/seal_vision.pth`], /input_sha256|adapter/],
      ] as const
    ) {
      const other = await seal(...args, ...more);
      assert.equal(other.code, 2, other.err);
      assert.match(other.err, told);
      assert.deepEqual(Deno.readFileSync(out), bytes);
    }
    // A process that was killed while it wrote leaves a temporary file, no output.
    Deno.removeSync(out);
    Deno.writeFileSync(`${out}.1.0123abcd.tmp`, bytes.subarray(0, bytes.length >> 1));
    const gone = await seal(...args, ...own);
    assert.equal(gone.code, 0, gone.err);
    assert.deepEqual(Deno.readFileSync(out), bytes);
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["a.safetensors"]);
  }));

Deno.test("a weights file that was cut short is damaged, not another's: status 4, and --overwrite makes it again", () =>
  inFolder(async (folder) => {
    const weights = new URL("../fixtures/weights/types.pth", import.meta.url).pathname;
    const out = `${folder}/a.safetensors`;
    assert.equal((await seal("convert", "weights", weights, out)).code, 0);
    const whole = Deno.readFileSync(out);
    Deno.writeFileSync(out, whole.subarray(0, whole.length - 3));
    const { code, err } = await seal("convert", "weights", weights, out);
    assert.equal(code, 4, err);
    assert.match(
      err,
      /a\.safetensors: it is there already and damaged[^]*--overwrite to make it again, or another path/,
    );
    assert.equal((await seal("convert", "weights", weights, out, "--overwrite")).code, 0);
    assert.deepEqual(Deno.readFileSync(out), whole);
  }));

Deno.test("a refused conversion leaves no folder, however deep its output lies", () =>
  inFolder(async (folder) => {
    writeSection(`${folder}/st`, "S1");
    await writeOuts(make(0), `${folder}/V1`);
    const there = tree(folder);
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
    const lora = new URL("../fixtures/encoders/lora_uni", import.meta.url).pathname;
    const out = `${folder}/new/below`;
    const cases: [string[], RegExp][] = [
      [["visium", `${folder}/V1`, "--out", out, "--image", `${folder}/V1/outs/spatial/tissue_lowres_image.png`], /V1/],
      [["visium", `${folder}/V1`, "--out", out, "--image", `${folder}/V1/outs/spatial/scalefactors_json.json`], /json/],
      [["visium", `${folder}/V1`, "--out", out, "--counts", `${folder}/st/counts/S1.tsv`], /S1/],
      [[
        "st",
        "--counts",
        `${folder}/st/spots/S1.tsv`,
        "--spots",
        `${folder}/st/counts/S1.tsv`,
        "--image",
        `${folder}/V1/outs/spatial/tissue_hires_image.png`,
        "--out",
        out,
      ], /S1/],
      [["weights", `${folder}/st/counts/S1.tsv`, `${out}/a.safetensors`], /S1\.tsv/],
      [["weights", `${lora}/config.json`, `${out}/a.safetensors`], /config\.json/],
      [
        ["merge", "--encoder", lora, "--adapter", `${lora}/expected.safetensors`, "--out", `${out}/a.safetensors`],
        /expected/,
      ],
      [["merge", "--encoder", lora, "--adapter", lora, "--out", `${out}/a.safetensors`], /adapter_config\.json/],
    ];
    for (const [args, told] of cases) {
      const { code, err } = await seal("convert", ...args);
      assert.ok([2, 4, 5].includes(code), `${args}: ${code} ${err}`);
      assert.match(err, told);
      assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), names, String(args));
    }
    assert.deepEqual(tree(folder), there);
  }));

Deno.test("convert visium without an image names what it looked for and what to give", () =>
  inFolder(async (folder) => {
    await writeOuts(make(0), `${folder}/V1`);
    const spatial = `${folder}/V1/outs/spatial`;
    for (const path of [`${spatial}/tissue_hires_image.png`, `${folder}/V1/slide.png`]) Deno.removeSync(path);
    const none = await seal("convert", "visium", `${folder}/V1`, "--out", `${folder}/out`);
    assert.equal(none.code, 2, none.err);
    assert.match(none.err, /no image in it \(.*\*\.tif.*\*\.svs.*\), nor .*spatial\/tissue_hires_image\.png/);
    assert.match(none.err, /hint: Pass --image FILE, the slide that Space Ranger was given: TIFF, SVS, JPEG or PNG/);
    for (const name of ["a.tif", "b.tif"]) Deno.writeTextFileSync(`${folder}/V1/${name}`, "");
    const two = await seal("convert", "visium", `${folder}/V1`, "--out", `${folder}/out`);
    assert.equal(two.code, 2, two.err);
    assert.match(two.err, /V1\/a\.tif, .*V1\/b\.tif, one slide wanted\nhint: .*--image .*V1\/a\.tif/);
  }));
