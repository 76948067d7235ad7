/**
 * Compiles `src/io/h5_lzf.c` to a side module of Emscripten and writes it into `src/io/h5_lzf.gen.ts`. Needed only when the
 * source changes; clang 14 and lld 14 (Debian: `apt install clang-14 lld-14`) give the bytes that are committed.
 *
 *     deno run -A scripts/build_lzf.ts
 *
 * @module
 */

import { exec, ROOT } from "./exec.ts";

const SOURCE = `${ROOT}src/io/h5_lzf.c`;
const COMPILE = "--target=wasm32-unknown-emscripten -O2 -fPIC -fvisibility=hidden -ffreestanding -fno-builtin " +
  "-Wall -Wextra -Werror -c";
const LINK = "-shared --experimental-pic --no-entry --strip-all --allow-undefined";

/** Runs a tool of LLVM 14 under its own name or the one with a version. */
async function tool(name: string, args: readonly string[]): Promise<void> {
  for (const command of [`${name}-14`, name]) {
    try {
      if ((await exec(command, args)).code === 0) return;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      continue;
    }
    break;
  }
  throw new Error(`Cannot run ${name}: install clang-14 and lld-14, or see above`);
}

if (import.meta.main) {
  const folder = await Deno.makeTempDir();
  try {
    await tool("clang", [...COMPILE.split(" "), SOURCE, "-o", `${folder}/lzf.o`]);
    await tool("wasm-ld", [...LINK.split(" "), `${folder}/lzf.o`, "-o", `${folder}/lzf.wasm`]);
    const module = (await Deno.readFile(`${folder}/lzf.wasm`)).toBase64();
    const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(SOURCE));
    const text = `// Written by scripts/build_lzf.ts from h5_lzf.c; do not edit.
// deno-fmt-ignore-file
/** SHA-256 of the source. */
export const LZF_SOURCE: string = "${new Uint8Array(digest).toHex()}";
/** The module, in base64. */
export const LZF_MODULE: string =
  "${module.match(/.{1,110}/g)!.join('" +\n  "')}";
`;
    await Deno.writeTextFile(`${ROOT}src/io/h5_lzf.gen.ts`, text);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
