/** `convert visium` of slides that lie another way up than Space Ranger's small image, with and without a tag that says so. */

import assert from "node:assert/strict";
import { disk } from "../../src/io/fs.ts";
import { type Orientation, turned } from "../../src/io/image/orientation.ts";
import { openPatches } from "../../src/io/patches.ts";
import type { RgbImage } from "../../src/io/image/rgb_image.ts";
import { Sha256 } from "../../src/host/zlib.ts";
import { makeTiff } from "../io/tiff_maker.ts";
import { inFolder, seal } from "./shared.ts";
import { HIRES, make, smaller, writeImage, writeOuts } from "./space_ranger.ts";

const made = make(0);

/** Writes the slide as it has to be stored to be shown right after `turn`, with a tag that says `tag`. */
function writeSlide(path: string, turn: Orientation, tag: number | undefined): void {
  const undo = turn === 6 ? 8 : turn === 8 ? 6 : turn;
  const { width, height, data }: RgbImage = turned(made.image, undo);
  const more = tag === undefined ? [] : [[274, 3, [tag]]] as const;
  Deno.writeFileSync(path, makeTiff([{ width, height, samples: 3, data, more }]));
}

/** Digest of the patches, and what was warned of. */
async function convert(folder: string, out: string): Promise<{ patches: string; warnings: string[] }> {
  const words = ["--out", out, "--id", "S", "--wsi", "none", "--json", "--quiet"];
  const { code, out: text, err } = await seal("convert", "visium", folder, ...words);
  assert.equal(code, 0, err);
  const patches = await openPatches(disk.open(`${out}/patches/S.h5`, "read"));
  try {
    return { patches: new Sha256().update(patches.read(0, patches.count)).hex(), warnings: JSON.parse(text).warnings };
  } finally {
    patches.close();
  }
}

Deno.test("convert visium cuts the same patches whichever way up the slide is stored, and says what it did", async () => {
  await inFolder(async (folder) => {
    await writeOuts(made, `${folder}/V`);
    Deno.removeSync(`${folder}/V/slide.png`);
    const hires = `${folder}/V/outs/spatial/tissue_hires_image.png`;
    writeSlide(`${folder}/V/slide.tif`, 1, undefined);
    const right = await convert(`${folder}/V`, `${folder}/right`);
    assert.deepEqual(right.warnings.filter((text) => /way up|turned|mirrored/.test(text)), []);
    const of = async (turn: Orientation, tag: number | undefined, name: string): Promise<string> => {
      writeSlide(`${folder}/V/slide.tif`, turn, tag);
      const { patches, warnings } = await convert(`${folder}/V`, `${folder}/${name}`);
      assert.equal(patches, right.patches, name);
      return warnings.join("\n");
    };
    // The tag says it, and the small image agrees.
    assert.match(await of(6, 6, "tagged"), /274.* = 6 says/);
    // No tag says it; the small image tells.
    const wanted = /another way up than tissue_hires_image\.png .*: it was mirrored left to right$/m;
    assert.match(await of(2, undefined, "plain"), wanted);
    // The tag is wrong: the image that the spots were placed on is the small one's.
    assert.match(await of(1, 3, "wrong"), /it was turned by 180 degrees, against its own orientation 3/);
    // Of another section's image nothing is claimed but that.
    const small = Deno.readFileSync(hires);
    writeImage(hires, smaller(make(1), HIRES), 0);
    assert.match(
      await of(1, undefined, "other"),
      /does not show what tissue_hires_image\.png shows .*the spots were placed on\?$/m,
    );
    Deno.writeFileSync(hires, small);
    // Without the small image the smaller one tells, and without both the tag alone.
    Deno.removeSync(hires);
    assert.match(await of(4, undefined, "lowres"), /than tissue_lowres_image\.png .*: it was mirrored top to bottom/);
    Deno.removeSync(`${folder}/V/outs/spatial/tissue_lowres_image.png`);
    assert.match(await of(5, 5, "alone"), /274.* = 5 says/);
  });
});

Deno.test("convert visium refuses a stack by name, and writes nothing", async () => {
  await inFolder(async (folder) => {
    await writeOuts(made, `${folder}/V`);
    Deno.removeSync(`${folder}/V/slide.png`);
    const { width, height, data } = made.image;
    const planes = [0, 1, 2].map((c) => ({ width, height, data: data.filter((_, i) => i % 3 === c) }));
    Deno.writeFileSync(`${folder}/V/slide.tif`, makeTiff(planes));
    const { code, err } = await seal("convert", "visium", `${folder}/V`, "--out", `${folder}/out`, "--id", "S");
    assert.equal(code, 4);
    assert.match(err, /slide\.tif as one image: it has 3 directories of \d+x\d+ pixels, a stack or channels/);
    assert.equal(disk.look(`${folder}/out/st/S.h5ad`), undefined);
  });
});
