/** Conversion of volumes: voxels and spacing go round through every format, and what cannot be used is named and leaves nothing. */

import assert from "node:assert/strict";
import { ConfigError, DataError, FormatError, LimitError, type SealError } from "../../src/core/errors.ts";
import { SILENT } from "../../src/core/reporter.ts";
import { disk, makeFolder } from "../../src/io/fs.ts";
import { convertVolume, type VolumeRequest } from "../../src/run/convert_volume.ts";
import { OmeZarrWriter } from "../../src/volumes/ome_zarr_write.ts";
import { openVolume, type VolumeOptions } from "../../src/volumes/open.ts";
import { rawSink } from "../../src/volumes/raw.ts";
import {
  memoryVolume,
  type Volume,
  type Voxels,
  voxelsOf,
  type VoxelType,
  type Zyx,
} from "../../src/volumes/volume.ts";
import { FIXTURES } from "./fixtures.ts";

const REQUEST: Omit<VolumeRequest, "input" | "output"> = {
  ...{ options: {}, labels: false, mask: false, keepNonFinite: false, zarrVersion: "0.5", overwrite: false },
};
const convert = (input: string, output: string, more: Partial<VolumeRequest> = {}) =>
  convertVolume({ ...REQUEST, input, output, ...more }, SILENT);

async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Writes a volume as raw voxels. */
async function writeRaw(path: string, volume: Volume): Promise<void> {
  await rawSink(path, volume).fill(
    { ...disk, makeFolder },
    (async function* () {
      const [depth, height, width] = volume.shape;
      yield { from: [0, 0, 0] as Zyx, to: volume.shape, voxels: await volume.readBox(0, depth, 0, height, 0, width) };
    })(),
  );
}

async function whole(path: string, options: VolumeOptions = {}): Promise<Volume & { voxels: Voxels }> {
  const volume = await openVolume(disk, path, options);
  const [depth, height, width] = volume.shape;
  const voxels = await volume.readBox(0, depth, 0, height, 0, width);
  volume.close();
  return { ...volume, voxels };
}

const SHAPE: Zyx = [19, 33, 271];
const sample = (dtype: VoxelType, channels: string[]) => {
  const voxels = voxelsOf(dtype, 19 * 33 * 271 * channels.length);
  for (let i = 0; i < voxels.length; i++) voxels[i] = i * 7 % 251 - (dtype.startsWith("u") ? 0 : 100);
  return memoryVolume(voxels, { shape: SHAPE, spacing: [4, 0.5, 0.5], channels });
};

for (
  const [dtype, channels] of [["u8", ["a"]], ["i16", ["a", "b", "c"]], ["f64", ["a", "b"]], ["u32", ["a"]]] as const
) {
  Deno.test(`convert volume: ${dtype} of ${channels.length} channels goes round through every format unchanged`, () =>
    inFolder(async (folder) => {
      const source = sample(dtype, [...channels]);
      await writeRaw(`${folder}/a.json`, source);
      const before = await whole(`${folder}/a.json`);
      let last = `${folder}/a.json`;
      for (const [i, ending] of ["ome.zarr", "nii", "zarr", "ome.tif", "json"].entries()) {
        const next = `${folder}/${i}.${ending}`;
        await convert(last, next, { zarrVersion: ending === "zarr" ? "0.4" : "0.5" });
        const after = await whole(next);
        assert.deepEqual(after.shape, before.shape);
        assert.deepEqual(after.spacing, [4, 0.5, 0.5]);
        assert.equal(after.dtype, dtype);
        // NIfTI has no names for channels.
        if (i === 0) assert.deepEqual(after.channels, channels);
        assert.ok(before.voxels.every((value: number, at: number) => value === after.voxels[at]), next);
        last = next;
      }
    }));
}

Deno.test("convert volume: coarser levels of OME-Zarr are means, where fill has no part, and lie where they should", () =>
  inFolder(async (folder) => {
    const shape: Zyx = [4, 6, 600];
    const writer = new OmeZarrWriter({ ...disk, makeFolder }, `${folder}/p.ome.zarr`, {
      ...{ shape, spacing: [4, 1, 1], channels: ["EPCAM", "KRT8"], dtype: "f32" },
    });
    const voxels = new Float32Array(4 * 6 * 600 * 2).fill(NaN);
    for (let z = 0; z < 4; z++) {
      for (let y = 0; y < 6; y++) {
        for (let x = 0; x < 300; x++) voxels[((z * 6 + y) * 600 + x) * 2] = x + 1000 * y;
      }
    }
    writer.write([0, 0, 0], shape, voxels);
    const chunk = (c: number) => disk.look(`${folder}/p.ome.zarr/0/c/${c}/0/0/0`)?.kind;
    assert.deepEqual([chunk(0), chunk(1)], ["file", undefined], "the second channel is all NaN and is left out");
    await assert.rejects(() => whole(`${folder}/p.ome.zarr`), DataError, "it is no image before it is finished");
    await writer.finish();
    const full = await whole(`${folder}/p.ome.zarr`);
    assert.deepEqual([...full.voxels], [...voxels]);
    assert.deepEqual(full.channels, ["EPCAM", "KRT8"]);
    const level = await whole(`${folder}/p.ome.zarr`, { level: 2 });
    assert.deepEqual(level.shape, [4, 2, 150]);
    assert.deepEqual(level.spacing, [4, 4, 4]);
    // Four by four voxels, of which rows end at six.
    assert.deepEqual([...level.voxels.slice(0, 4)], [1.5 + 1500, NaN, 5.5 + 1500, NaN]);
    assert.ok(Number.isNaN(level.voxels[2 * 80]!));
    // Files are the same whenever they are written.
    const bytes = Deno.readFileSync(`${folder}/p.ome.zarr/0/c/0/0/0/0`);
    assert.deepEqual([...bytes.subarray(0, 10)], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255]);
  }));

Deno.test("convert volume: windows, masks, channels, axes and another spacing", () =>
  inFolder(async (folder) => {
    const voxels = Float32Array.from({ length: 6 * 8 * 10 * 2 }, (_, i) =>
      i % 2 ? 500 : 100 * (Math.floor(i / 2 / 80) > 2 ? 9 : 1));
    await writeRaw(
      `${folder}/a.json`,
      memoryVolume(voxels, { shape: [6, 8, 10], spacing: [4, 2, 2], channels: ["dna", "flat"] }),
    );
    const windowed = await convert(`${folder}/a.json`, `${folder}/w.nii`, {
      window: [0, 1000],
      options: { channels: ["dna"] },
    });
    assert.deepEqual(windowed.windows, [[0, 1000]]);
    assert.deepEqual([...new Set((await whole(`${folder}/w.nii`)).voxels)], [26, 230]);
    const masked = await convert(`${folder}/a.json`, `${folder}/m.ome.zarr`, { mask: true });
    assert.equal(masked.tissue, 0.5);
    const mask = await whole(`${folder}/m.ome.zarr`);
    assert.equal(mask.dtype, "u8");
    const finer = await convert(`${folder}/a.json`, `${folder}/f.ome.tif`, { resample: [2, 2, 2] });
    assert.deepEqual(finer.shape, [11, 8, 10]);
    const turned = await whole(`${folder}/a.json`, { axes: "xyz", spacing: [4, 2, 2], overrideSpacing: true });
    assert.deepEqual(turned.shape, [10, 8, 6]);
    const of = (z: number, y: number, x: number) =>
      voxels[((x * 8 + y) * 10 + z) * 2];
    assert.equal(turned.voxels[((7 * 8 + 3) * 6 + 5) * 2], of(7, 3, 5));
    assert.equal(turned.voxels[((7 * 8 + 3) * 6 + 1) * 2], of(7, 3, 1));
  }));

/** What is refused: the volume by its header, options, and what is said. */
Deno.test("convert volume: what cannot be used is named, with a mend, and nothing is written", () =>
  inFolder(async (folder) => {
    const header = { data: "v.raw", shape: [4, 6, 6], spacing_um: [4, 1, 1], dtype: "f32" };
    const finite = new Float32Array(144).map((_, i) => i);
    const odd = finite.slice();
    odd[(2 * 6 + 3) * 6 + 4] = NaN;
    const cases: [
      change: Record<string, unknown>,
      options: VolumeOptions,
      voxels: Float32Array,
      wanted: RegExp,
      hint: RegExp,
    ][] = [
      [{ spacing_um: undefined }, {}, finite, /does not say how far apart/, /--spacing Z,Y,X/],
      [{ spacing_um: [4, 0, 1] }, {}, finite, /spacing_um is 4, 0, 1/, /--spacing/],
      [
        { spacing_um: [4000, 1000, 1000] },
        {},
        finite,
        /4000 µm apart along z, expected 0.01 to 2000/,
        /--override-spacing/,
      ],
      [
        {},
        { spacing: [5, 1, 1] },
        finite,
        /--spacing 5,1,1 µm contradicts the file, which says 4,1,1/,
        /--override-spacing/,
      ],
      [{ spacing_um: [1, 1, 4] }, {}, finite, /axes seem to be swapped, x alone/, /--axes xyz/],
      [{ spacing_um: [1, 4, 1] }, {}, finite, /axes seem to be swapped, y alone/, /--axes yzx/],
      [{ shape: [1, 24, 6] }, {}, finite, /it has 1 slice, expected 2 or more/, /predict --run RUN --slide FILE/],
      [{ shape: [4, 6, 7] }, {}, finite, /has 576 bytes, expected 672/, /cut short/],
      [{ shape: [4, 6, 5] }, {}, finite, /has 576 bytes, expected 480/, /another's/],
      [{ dtype: "f16" }, {}, finite, /"dtype" is "f16"/, /.*/],
      [{ spacing: [4, 1, 1] }, {}, finite, /key "spacing" is not known/, /Did you mean "spacing_um"/],
      [{ data: "../v.raw" }, {}, finite, /"data" is "..\/v.raw"/, /.*/],
      [{}, {}, odd, /voxel at z 2, y 3, x 4 is NaN, expected finite/, /--keep-non-finite/],
      [{}, { channels: ["dapi"] }, finite, /channel "dapi" .* it has intensity/, /number them/],
      [{}, { level: 1 }, finite, /level 1 .* its format has one/, /--level/],
    ];
    for (const [change, options, voxels, wanted, hint] of cases) {
      Deno.writeTextFileSync(`${folder}/v.json`, JSON.stringify({ ...header, ...change }));
      Deno.writeFileSync(`${folder}/v.raw`, new Uint8Array(voxels.buffer));
      for (const output of ["out.ome.zarr", "out.nii", "out.ome.tif"]) {
        await assert.rejects(
          () => convert(`${folder}/v.json`, `${folder}/${output}`, { options }),
          (error: SealError) => {
            assert.ok(
              [DataError, FormatError, ConfigError, LimitError].some((kind) => error instanceof kind),
              `${error}`,
            );
            assert.match(error.message, wanted);
            assert.match(error.hint ?? "", hint);
            assert.ok(error.message.includes("v.json") || error.message.includes("v.raw"));
            return true;
          },
        );
        assert.deepEqual(
          [...Deno.readDirSync(folder)].map(({ name }) => name).sort(),
          ["v.json", "v.raw"],
          `${wanted}`,
        );
      }
    }
  }));

Deno.test("convert volume: voxels that are no numbers are named through a window, a mask, another spacing and labels too", () =>
  inFolder(async (folder) => {
    const voxels = Float32Array.from({ length: 4 * 6 * 6 }, (_, i) => i % 7);
    voxels[(2 * 6 + 3) * 6 + 4] = Infinity;
    Deno.writeFileSync(`${folder}/v.raw`, new Uint8Array(voxels.buffer));
    Deno.writeTextFileSync(
      `${folder}/v.json`,
      JSON.stringify({ data: "v.raw", shape: [4, 6, 6], spacing_um: [4, 1, 1], dtype: "f32" }),
    );
    const changes: Partial<VolumeRequest>[] = [
      ...[{ window: [0, 6] as const }, { window: "auto" as const }, { mask: true }],
      ...[{ resample: [8, 2, 2] as const }, { resample: [8, 2, 2] as const, labels: true }],
    ];
    for (const change of changes) {
      await assert.rejects(
        () => convert(`${folder}/v.json`, `${folder}/out.nii`, change),
        /Cannot convert .*v\.json: the voxel at z 2, y 3, x 4 is Infinity, expected finite numbers/,
        JSON.stringify(change),
      );
      assert.equal(disk.look(`${folder}/out.nii`), undefined);
    }
    await convert(`${folder}/v.json`, `${folder}/out.nii`, { window: [0, 6], keepNonFinite: true });
  }));

Deno.test("convert volume: a missing slice, two of one number, one of another size and one that is damaged are named", () =>
  inFolder(async (folder) => {
    const slices = `${folder}/slices`;
    const begin = () => {
      Deno.mkdirSync(slices);
      for (const { name } of Deno.readDirSync(`${FIXTURES}/slices16`)) {
        Deno.copyFileSync(`${FIXTURES}/slices16/${name}`, `${slices}/${name}`);
      }
    };
    const cases: [harm: () => void, wanted: RegExp][] = [
      [
        () => Deno.removeSync(`${slices}/section_10.png`),
        /1 slice is missing between section_9.png and section_11.png/,
      ],
      [
        () => Deno.copyFileSync(`${slices}/section_9.png`, `${slices}/again_9.png`),
        /section_9.png have the same number/,
      ],
      [() => Deno.copyFileSync(`${slices}/section_9.png`, `${slices}/legend.png`), /legend.png has no number/],
      [
        () => Deno.copyFileSync(`${FIXTURES}/slices8/section_9.png`, `${slices}/section_9.png`),
        /section_9.png .*channels of u8/,
      ],
      [() => Deno.truncateSync(`${slices}/section_11.png`, 60), /section_11.png/],
      [() => Deno.removeSync(`${slices}/volume.json`), /does not say how far apart/],
    ];
    for (const [harm, wanted] of cases) {
      begin();
      harm();
      for (const output of ["o.ome.zarr", "o.nii", "o.json"]) {
        await assert.rejects(() => convert(slices, `${folder}/${output}`), wanted);
      }
      Deno.removeSync(slices, { recursive: true });
      const left = [...Deno.readDirSync(folder)].map(({ name }) => name);
      // Of OME-Zarr, empty folders may stay until the process ends.
      for (const name of left) assert.deepEqual(filesIn(`${folder}/${name}`), [], `${wanted}`);
      for (const name of left) Deno.removeSync(`${folder}/${name}`, { recursive: true });
    }
  }));

function filesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isFile }) => isFile ? [name] : filesIn(`${folder}/${name}`));
}

Deno.test("convert volume: outputs that are there, endings of no format and the input itself are refused", () =>
  inFolder(async (folder) => {
    const input = `${FIXTURES}/u16_big.nii`;
    await convert(input, `${folder}/a.nii`);
    await assert.rejects(() => convert(input, `${folder}/a.nii`), /a.nii exists/);
    await convert(input, `${folder}/a.nii`, { overwrite: true });
    await convert(input, `${folder}/a.zarr`);
    await assert.rejects(() => convert(input, `${folder}/a.zarr`, { overwrite: true }), /it is a folder/);
    await assert.rejects(() => convert(input, `${folder}/a.mha`), /ending names no format/);
    await assert.rejects(() => convert(`${folder}/a.nii`, `${folder}/a.nii`, { overwrite: true }), /it is the input/);
  }));
