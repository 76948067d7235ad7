/**
 * Slides on the host, on a generated pyramid of 40,000 x 30,000 px in JPEG: tiles a second without an encoder, by wall clock and by
 * time of the processor (on a busy machine the latter counts), and the memory of `embed --job` over 100,000 tiles with a tiny
 * encoder, whose peak is compared with that of its first tiles. Appends records to `bench/results/slides.jsonl`.
 *
 * ```sh
 * deno run -A bench/slides.ts [--part read|embed] [--pyramid FILE] [--tiles 4000] [--dry]
 * ```
 *
 * @module
 */

import { Rng } from "../src/core/rng.ts";
import { cpuUsage } from "node:process";
import { disk } from "../src/io/fs.ts";
import { writeTiff } from "../src/io/image/tiff_write.ts";
import { openFile } from "../src/io/fs.ts";
import { openSlide } from "../src/data/image/slide.ts";
import { chooseTiles, layGrid } from "../src/slides/grid.ts";
import { CUT } from "../src/slides/tile_reader.ts";
import { openTiles } from "../src/worker/tile_pool.ts";
import { flag, origin } from "./harness.ts";

const [WIDTH, HEIGHT, UM] = [40_000, 30_000, 0.5];
const path = flag("--pyramid") ?? `${Deno.makeTempDirSync({ prefix: "slides_" })}/pyramid.tif`;

/** Stained texture, a band of it shifted for each band of the slide, so that tiles differ. */
function makePyramid(): void {
  const rng = new Rng(1);
  const noise = Uint8Array.from(rng.normals(1 << 20), (value) => 128 + 12 * value);
  const rows = (top: number, count: number): Uint8Array => {
    const data = new Uint8Array(count * WIDTH * 3);
    for (let y = 0, to = 0; y < count; y++) {
      for (let x = 0; x < WIDTH; x++) {
        const at = noise[((top + y) * 7919 + (x >> 2) * 13) & 0xfffff]!;
        data[to++] = 60 + at;
        data[to++] = at - 20;
        data[to++] = 40 + at;
      }
    }
    return data;
  };
  writeTiff(disk, path, { width: WIDTH, height: HEIGHT, pixelSize: UM, packing: "jpeg", rows });
}

/** Tiles a second from the slide to batches, nothing done with them. */
async function read(magnification: number, patch: number, workers: number, most: number) {
  const slide = await openSlide(await openFile(path));
  const extent = { name: "pyramid", levels: slide.levels, um: UM };
  const grid = layGrid(extent, { scale: "nominal", magnification, patch, overlap: 0 });
  const { coords } = chooseTiles(extent, grid, undefined, { minTissue: 0, atEdge: false });
  slide.close();
  const options = { ...CUT, batch: 32, workers };
  const tiles = await openTiles(path, grid, coords.subarray(0, 2 * most), options);
  try {
    let [count, from, cpu] = [0, 0, cpuUsage()];
    for await (const batch of tiles.queue.batches()) {
      // The first batch starts the workers.
      if (count === 0) [from, cpu] = [performance.now(), cpuUsage()];
      count += batch.tiles.length;
    }
    const seconds = (performance.now() - from) / 1000;
    const used = cpuUsage(cpu);
    const processor = (used.user + used.system) / 1e6;
    const counted = count - 32;
    return {
      case: `read ${patch} px at ${magnification}x, level ${grid.level}, ${workers} workers`,
      tiles: counted,
      tilesPerSecond: counted / seconds,
      processorMsPerTile: 1000 * processor / counted,
      // What cores that do nothing else would give.
      tilesPerSecondOfCores: counted / processor * navigator.hardwareConcurrency,
      boundBytes: tiles.bytes,
    };
  } finally {
    tiles.close();
  }
}

/** Peak memory of an embedding, bytes: of its first twentieth, and of all. */
async function embed(patch: number) {
  const job = Deno.makeTempDirSync({ prefix: "slides_job_" });
  const encoder = "random:vit_small_patch16_224?dim=32&depth=1&patch=16&img=32&seed=3";
  const allowed = ["--no-prompt", "--allow-read", `--allow-write=${job}`, "--allow-env", "--allow-sys"];
  const main = new URL("../src/cli/main.ts", import.meta.url).pathname;
  const args = ["run", ...allowed, "--no-check", main, "embed", path];
  const grid = ["--mag", "20", "--patch-size", String(patch), "--everywhere", "--batch-size", "256"];
  const started = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args, "--encoder", encoder, "--job", job, ...grid],
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const text = child.stderr.pipeThrough(new TextDecoderStream());
  let said = "";
  const reading = (async () => {
    for await (const piece of text) said += piece;
  })();
  let over = false;
  child.status.then(() => over = true);
  const seen: { done: number; rss: number }[] = [];
  while (!over) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    try {
      const status = Deno.readTextFileSync(`/proc/${child.pid}/status`);
      const rss = 1024 * Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0);
      const done = Number(([...said.matchAll(/pyramid: ([\d,]+) of/g)].at(-1)?.[1] ?? "0").replaceAll(",", ""));
      if (rss > 0) seen.push({ done, rss });
    } catch { /* it has ended */ }
  }
  await reading;
  const { code } = await child.status;
  const tiles = Number(/pyramid: (\d+) tiles of/.exec(said)?.[1] ?? 0);
  const peak = (of: typeof seen) => Math.max(...of.map(({ rss }) => rss));
  const first = seen.filter(({ done }) => done > 0 && done <= tiles / 20);
  Deno.removeSync(job, { recursive: true });
  const seconds = (performance.now() - started) / 1000;
  return {
    case: `embed ${patch} px, ${tiles} tiles, batches of 256`,
    code,
    tiles,
    seconds,
    peakBytes: { firstTwentieth: first.length > 0 ? peak(first) : null, all: peak(seen) },
    said: said.split("\n").filter((line) => /MiB|\.h5: /.test(line)).map((line) => line.replaceAll(job, "JOB")),
  };
}

if (disk.look(path) === undefined) makePyramid();
const records: Record<string, unknown>[] = [];
const part = flag("--part");
const tiles = Number(flag("--tiles") ?? 4000);
if (part !== "embed") {
  for (const workers of [1, 2]) records.push(await read(20, 256, workers, tiles));
  records.push(await read(10, 256, 2, tiles));
  // No level has this size: tiles are resized.
  records.push(await read(20 / 1.5, 256, 2, tiles >> 1));
}
if (part !== "read") records.push(await embed(109));
for (const record of records) {
  const line = JSON.stringify({ ...record, slide: `${WIDTH}x${HEIGHT} JPEG, tiles of 256`, ...await origin() });
  console.log(line);
  if (!Deno.args.includes("--dry")) {
    Deno.writeTextFileSync("bench/results/slides.jsonl", `${line}\n`, { append: true, create: true });
  }
}
