/**
 * Writes SEAL checkpoints with our writer, for `python tests/python/seal_files.py --ours DIR` to load strictly.
 *
 *     deno run -A tests/python/seal_ours.ts DIR
 */

import { openGpu } from "../gpu/shared.ts";
import { OURS, oursFile } from "../models/seal_ours.ts";

const [folder] = Deno.args;
if (folder === undefined) {
  console.error("Cannot write: no folder given, wanted DIR");
  Deno.exit(2);
}
Deno.mkdirSync(folder, { recursive: true });
const gpu = await openGpu();
for (const name of Object.keys(OURS)) Deno.writeFileSync(`${folder}/${name}.pth`, await oursFile(gpu, name));
gpu.destroy();
