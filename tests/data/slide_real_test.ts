/**
 * Slides from a real image, against libvips itself: runs where `vips` is installed (`apt-get install libvips-tools`) and
 * there is a large JPEG, that of SEAL_TEST_IMAGE or a section of her2st. SEAL_TEST_WHOLE=1 makes pyramids of all of it
 * instead of a part.
 */

import assert from "node:assert/strict";
import { Rng } from "../../src/core/rng.ts";
import { openSlide } from "../../src/data/image/slide.ts";
import { disk, openFile } from "../../src/io/fs.ts";

const HER2ST = new URL("../../../shared/data/her2st/images/C3.jpg", import.meta.url).pathname;
const image = Deno.env.get("SEAL_TEST_IMAGE") ?? (disk.look(HER2ST) === undefined ? undefined : HER2ST);
const whole = Deno.env.get("SEAL_TEST_WHOLE") === "1";
/** Regions compared at each level. */
const REGIONS = whole ? 4 : 2;
const ignore = image === undefined || !(await succeeds("vips", "--version"));

async function succeeds(command: string, ...args: string[]): Promise<boolean> {
  try {
    return (await new Deno.Command(command, { args, stdout: "null", stderr: "null" }).output()).success;
  } catch {
    return false;
  }
}

async function vips(...args: (string | number)[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("vips", { args: args.map(String) }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
}

const KINDS: Record<string, string[]> = {
  jpeg: ["--compression", "jpeg", "--Q", "75"],
  "jpeg without subsampling": ["--compression", "jpeg", "--Q", "95"],
  "jpeg bigtiff subifd": ["--compression", "jpeg", "--bigtiff", "--subifd"],
  lzw: ["--compression", "lzw", "--predictor", "horizontal"],
  "lzw without predictor": ["--compression", "lzw", "--predictor", "none"],
  deflate: ["--compression", "deflate", "--predictor", "horizontal"],
  "deflate bigtiff": ["--compression", "deflate", "--bigtiff"],
};

Deno.test({
  name: "Regions of a real image at every level are libvips' own, for every compression",
  ignore,
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      const part = whole ? image! : `${folder}/part.v`;
      if (!whole) await vips("crop", image!, part, 4200, 4300, 1500, 1300);
      for (const [kind, options] of Object.entries(KINDS)) {
        const path = `${folder}/${kind.replaceAll(" ", "_")}.tif`;
        const tiles = ["--tile", "--pyramid", "--tile-width", 256, "--tile-height", 256];
        await vips("tiffsave", part, path, ...tiles, ...options);
        const slide = await openSlide(await openFile(path));
        assert.equal(slide.levels.length, whole ? 7 : 4);
        let bytes = 0;
        for (const [level, { width, height }] of slide.levels.entries()) {
          for (let i = 0; i < REGIONS; i++) {
            const rng = new Rng(3 + i, level);
            const [w, h] = [1 + rng.below(Math.min(width, 3000)), 1 + rng.below(Math.min(height, 3000))];
            const [x, y] = [rng.below(width - w + 1), rng.below(height - h + 1)];
            const page = options.includes("--subifd") ? `subifd=${level - 1}` : `page=${level}`;
            await vips("crop", `${path}[${page}]`, `${folder}/region.raw`, x, y, w, h);
            const wanted = await Deno.readFile(`${folder}/region.raw`);
            const { data } = await slide.read(level, x, y, w, h);
            assert.ok(
              data.length === wanted.length && data.every((v, k) => v === wanted[k]),
              `${kind}, level ${level}`,
            );
            bytes += data.length;
          }
        }
        slide.close();
        console.log(`${kind}: ${slide.levels.length} levels, ${REGIONS} regions each, ${bytes} bytes equal`);
        await Deno.remove(path);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "A large flat JPEG is read in less than 1 GB, and equals libvips' reading",
  ignore,
  async fn() {
    const started = performance.now();
    const slide = await openSlide(await openFile(image!));
    const opened = performance.now();
    const { width, height } = slide.levels[0]!;
    for (let y = 0; y < height; y += 256) await slide.read(0, 0, y, width, 256);
    const read = performance.now();
    const folder = await Deno.makeTempDir();
    try {
      await vips("crop", image!, `${folder}/region.raw`, width - 777, height - 555, 777, 555);
      const { data } = await slide.read(0, width - 777, height - 555, 777, 555);
      assert.ok((await Deno.readFile(`${folder}/region.raw`)).every((v, i) => v === data[i]));
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
    const { rss } = Deno.memoryUsage();
    const times = `opened in ${Math.round(opened - started)} ms, all rows in ${Math.round(read - opened)} ms`;
    console.log(`${width}x${height}: ${times}, ${Math.round(rss / 1e6)} MB`);
    assert.ok(rss < 1e9, `${rss} bytes`);
  },
});
