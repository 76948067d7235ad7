/**
 * Samples of JPEG 2000 codestreams for `jpeg2000.py`: writes `OUT/NAME.raw` for each file, or says why there are none.
 *
 *     deno run -A tests/python/jpeg2000_ours.ts OUT FILE...
 */

import { openSlide } from "../../src/data/image/slide.ts";
import { decodeJpeg2000, loadJpeg2000 } from "../../src/io/image/jpeg2000.ts";
import { fromBytes } from "../../src/io/random_access.ts";

const [out, ...files] = Deno.args;
await loadJpeg2000();
for (const [i, path] of files.entries()) {
  const bytes = Deno.readFileSync(path);
  const name = path.split("/").at(-1)!;
  try {
    const { data } = decodeJpeg2000(bytes, name);
    Deno.writeFileSync(`${out}/${i}.raw`, new Uint8Array(data.buffer));
    console.log(JSON.stringify({ name, file: `${i}.raw` }));
  } catch {
    const error = await openSlide(fromBytes(bytes, name)).catch((error: Error) => error.message);
    console.log(JSON.stringify({ name, error }));
  }
}
