/**
 * Hints name what the command that failed can take: a flag of its own, or the command or key that mends it elsewhere.
 *
 * @seconds 3
 */

import assert from "node:assert/strict";
import type { SealError } from "../../src/core/errors.ts";
import type { Command } from "../../src/cli/args.ts";
import { COMMANDS } from "../../src/cli/commands.gen.ts";
import * as scores from "../../src/cli/convert_scores.ts";
import * as volume from "../../src/cli/convert_volume.ts";
import { findSamples } from "../../src/data/data_folder.ts";
import { readSampleTable } from "../../src/data/sample.ts";
import { unitFeatures } from "../../src/eval/cohort/cohort.ts";
import { disk } from "../../src/io/fs.ts";
import { H5Writer } from "../../src/io/hdf5/h5_write.ts";
import { openAnndata } from "../../src/io/anndata.ts";
import { encode, writeH5ad } from "../../src/io/hdf5/h5ad_write.ts";
import { mapStateDict } from "../../src/models/families/keymap.ts";
import { loadMethod, METHOD_NAMES } from "../../src/methods/index.ts";
import { runSettings } from "../../src/run/open.ts";
import { layGrid } from "../../src/slides/grid.ts";
import { niftiSink } from "../../src/volumes/nifti.ts";
import { openVolume } from "../../src/volumes/open.ts";

const folder = Deno.makeTempDirSync({ prefix: "hints_" });
Deno.test.afterAll(() => Deno.removeSync(folder, { recursive: true }));

/** The hint of what a call is refused with. */
async function hintOf(act: () => unknown): Promise<string> {
  try {
    await act();
  } catch (error) {
    return (error as SealError).hint ?? "";
  }
  throw new Error("Nothing was refused");
}

/** Flags a hint names that a command lacks, but for those it says are of others. */
export function strangeFlags(hint: string, flags: Command["flags"]): string[] {
  const own = hint
    .replace(/deno task [^;]*/g, "")
    .replace(/--[\w-]+, where a command has it/g, "")
    .replace(/(?:--[\w-]+(?: [\w/.,-]+?)?(?:, | or | ))*--[\w-]+(?: [\w/.,-]+)? of (?:[a-z]+(?:, | and ))*[a-z]+/g, "");
  return [...own.matchAll(/--([a-z][\w-]*)/g)].map(([, name]) => name!).filter((name) => !Object.hasOwn(flags, name));
}

/** Of the commands that a call may be of. */
async function fits(act: () => unknown, tables: readonly Command["flags"][], wanted: RegExp): Promise<void> {
  const hint = await hintOf(act);
  assert.match(hint, wanted);
  for (const flags of tables) assert.deepEqual(strangeFlags(hint, flags), [], hint);
}

const flagsOf = async (...names: string[]) =>
  await Promise.all(names.map(async (name) => (await COMMANDS[name]!()).flags));

function header(name: string, spacing: readonly number[] | undefined, shape: readonly number[] = [3, 4, 5]): string {
  const path = `${folder}/${name}.json`;
  const voxels = shape.reduce((a, b) => a * b, 1);
  Deno.writeFileSync(`${folder}/${name}.raw`, new Uint8Array(voxels));
  disk.write(path, JSON.stringify({ data: `${name}.raw`, shape, spacing_um: spacing, dtype: "u8" }));
  return path;
}

Deno.test("volumes of a table: its columns and convert volume, not the flags of predict", async () => {
  const [train] = await flagsOf("train");
  const table = "v.tsv, line 2";
  const opened = (path: string, spacing?: [number, number, number]) => () => openVolume(disk, path, { table, spacing });
  const [swapped, none, known] = [header("swapped", [1, 1, 4]), header("none", undefined), header("known", [4, 1, 1])];
  await fits(opened(swapped), [train!], /^deno task convert volume \S*swapped\.json OUT\.ome\.zarr --axes xyz if/);
  await fits(opened(none), [train!], /^Fill the column spacing of v\.tsv, line 2: Z,Y,X in µm/);
  await fits(opened(none, [4e4, 1, 1]), [train!], /column spacing of v\.tsv, line 2/);
  await fits(
    opened(known, [8, 1, 1]),
    [train!],
    /^Leave the column spacing of v\.tsv, line 2, empty.*--override-spacing/,
  );
  await fits(
    opened(header("metres", [4e-6, 1e-6, 1e-6])),
    [train!],
    /^The unit of the file is wrong: deno task convert/,
  );
  await assert.rejects(
    opened(known, [8, 1, 1]),
    /known\.json: spacing 8,1,1 µm of v\.tsv, line 2, contradicts the file/,
  );
});

Deno.test("volumes of the command line: the flags of predict and convert volume", async () => {
  const tables = [...await flagsOf("predict"), volume.flags];
  const opened = (path: string, spacing?: [number, number, number]) => () => openVolume(disk, path, { spacing });
  await fits(opened(header("swapped", [1, 1, 4])), tables, /^Pass --axes xyz/);
  await fits(opened(header("none", undefined)), tables, /--spacing 4,1,1/);
  await fits(opened(header("known", [4, 1, 1]), [8, 1, 1]), tables, /--override-spacing/);
  await fits(opened(header("one", [4, 1, 1], [1, 4, 5])), [volume.flags], /^A slide of its own/);
  const long = {
    name: "long",
    shape: [2, 40_000, 2],
    spacing: [1, 1, 1],
    channels: ["a"],
    dtype: "u8",
    chunk: [1, 1, 1],
  };
  const nifti = async () => {
    const sink = niftiSink(`${folder}/long.nii`, long as never);
    await sink.fill(disk as never, (async function* () {})());
  };
  await fits(nifti, [volume.flags], /^Write OUT\.ome\.zarr/);
});

Deno.test("grids, cases, adapters, runs, samples: hints of every command that says them", async () => {
  const extent = { name: "a.svs", um: 2, levels: [{ width: 100, height: 100, downsample: 1 }] };
  const kind = { scale: "physical", tile: 112, pixelSize: 0.5, overlap: 111 } as const;
  await fits(() => layGrid(extent, kind), await flagsOf("embed", "predict"), /--grid of predict/);
  const slide = (tileSize: number) => ({ mean: Float64Array.of(1), count: 1, tileSize: [tileSize] });
  const slides = new Map([["a", slide(256)], ["b", slide(512)]]);
  const units = [{ name: "c", case: "c", slides: ["a", "b"] }];
  const combined = (...mend: string[]) => () =>
    unitFeatures({ dim: 1, slides } as never, units as never, "combine", ...mend as []);
  await fits(combined(), await flagsOf("mil", "evaluate"), /^--case-slides mean takes/);
  await fits(combined("case_slides=mean"), await flagsOf("train"), /^case_slides=mean takes/);
  const lora = new Map(
    ["lora_A.weight", "lora_B.weight"].map((name) => [`base_model.model.blocks.0.attn.qkv.${name}`, [4, 4]]),
  );
  await fits(() => mapStateDict(lora, {}), await flagsOf("predict", "retrieve", "train", "embed"), /--adapter of/);
  Deno.mkdirSync(`${folder}/run/checkpoints/best`, { recursive: true });
  disk.write(`${folder}/run/config.yaml`, "method: seal\n");
  disk.write(`${folder}/run/checkpoints/best/genes.json`, "{}");
  await fits(
    () => runSettings(`${folder}/run/checkpoints/best`),
    await flagsOf("predict", "retrieve", "embed", "evaluate"),
    /^Give the run itself, --run \S*run;/,
  );
  Deno.mkdirSync(`${folder}/nothing`);
  const none = await flagsOf("embed", "inspect", "verify");
  await fits(
    () => findSamples(disk, [`${folder}/nothing`]),
    [...none, scores.flags],
    /^Name a folder in HEST's layout/,
  );
});

Deno.test("commands that texts spell out take the flags they are given there", async () => {
  const root = new URL("../../src", import.meta.url).pathname;
  const walk = (folder: string): string[] =>
    [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
      isDirectory ? walk(`${folder}/${name}`) : name.endsWith(".ts") ? [`${folder}/${name}`] : []
    );
  const wrong: string[] = [];
  for (const file of walk(root)) {
    for (const [text, name, rest] of Deno.readTextFileSync(file).matchAll(/deno task ([a-z]+)([^;,"`\n]*)/g)) {
      if (!Object.hasOwn(COMMANDS, name!)) continue;
      const [flags] = await flagsOf(name!);
      const lacks = [...rest!.matchAll(/(?<![\w-])--([a-z][a-z-]*)/g)].some(([, flag]) =>
        flag !== "help" && !Object.hasOwn(flags!, flag!)
      );
      if (lacks) wrong.push(`${file.slice(root.length)}: ${text}`);
    }
  }
  assert.deepEqual(wrong, []);
});

Deno.test("a key that a method lacks: the help that lists its keys, not another method's", async () => {
  for (const name of METHOD_NAMES) {
    const { config } = await loadMethod(name);
    const hint = await hintOf(() => config.read([], [["no_such_key_at_all", "1"]]));
    assert.match(hint, new RegExp(`deno task train method=${name} --help lists all keys$`));
  }
});

Deno.test("counts that are none: who leaves such spots out", async () => {
  const begin = await H5Writer.prepare();
  disk.writeAnywhere(`${folder}/S.h5ad`, (file) => {
    const h5 = begin(file);
    writeH5ad(h5, {
      obs: { index: ["a", "b"] },
      var: { index: ["X"] },
      x(h5, place) {
        h5.dataset(place, "f4", [2, 1], Float32Array.of(1, NaN));
        encode(h5, place, "array", "0.2.0");
      },
      obsm: { spatial: { shape: [2, 2], values: new Float64Array(4) } },
    });
    h5.close();
  });
  using file = await openAnndata(disk, `${folder}/S.h5ad`);
  const tables = [...await flagsOf("evaluate", "retrieve", "train"), scores.flags];
  await fits(
    () => readSampleTable("S", file, undefined as never, {}),
    tables,
    /--drop-bad-spots of evaluate and retrieve/,
  );
});
