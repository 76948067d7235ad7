/** What a script of one's own sees of `mod.ts`: it checks under Deno's default options, without this project's configuration. */

import assert from "node:assert/strict";
import { inFolder } from "../cli/shared.ts";

const MOD = new URL("../../mod.ts", import.meta.url).href;

Deno.test("a script that imports mod.ts type-checks without this project's options and import map", async () => {
  await inFolder(async (folder) => {
    const script = [
      `import { decodeRaster, Embedder, loadEncoder, openWeights, readEncoderConfig, requestGpu } from "${MOD}";`,
      `import type { ConfigFacts, DecodedImage, Encoder } from "${MOD}";`,
      "const facts: ConfigFacts[] = [readEncoderConfig({ num_attention_heads: 3 }, { image_mean: [0.5, 0.5, 0.5] })];",
      "const picture = (bytes: Uint8Array): DecodedImage => decodeRaster(bytes, 'tile.png');",
      "const load = async (): Promise<Encoder> =>",
      "  await loadEncoder(await requestGpu(navigator.gpu), await openWeights({ size: 0, name: 'x', read: () => { throw 0; } }), { facts });",
      "console.log(picture, load, Embedder);",
    ].join("\n");
    const path = `${folder}/script.ts`;
    Deno.writeTextFileSync(path, script);
    const args = ["check", "--quiet", "--no-config", "--no-remote", "--no-npm", path];
    const { code, stderr } = await new Deno.Command(Deno.execPath(), { args, cwd: folder, stdin: "null" }).output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
  });
});
