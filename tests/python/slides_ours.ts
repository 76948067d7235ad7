/**
 * Regions of a slide as this program reads them, for `slides.py`: takes the file's path and, on standard input, a JSON list of
 * `[level, x, y, width, height]`; writes their RGB bytes one after the other.
 *
 *     deno run -A tests/python/slides_ours.ts FILE < regions.json > regions.rgb
 */

import { openSlide } from "../../src/data/image/slide.ts";
import { openFile } from "../../src/io/fs.ts";

const slide = await openSlide(await openFile(Deno.args[0]!));
const regions: number[][] = JSON.parse(await new Response(Deno.stdin.readable).text());
for (const [level, x, y, width, height] of regions) {
  const { data } = await slide.read(level!, x!, y!, width!, height!);
  for (let at = 0; at < data.length;) at += Deno.stdout.writeSync(data.subarray(at));
}
slide.close();
