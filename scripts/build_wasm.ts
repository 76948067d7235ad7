/**
 * Compiles the C of `src/io` to WebAssembly and writes it into the `.gen.ts` beside it: `h5_lzf.c`, a side module of
 * Emscripten that the HDF5 library loads, and `jpeg_decode.c`, which stands by itself. Needed only when a source changes;
 * clang 14 and lld 14 (Debian: `apt install clang-14 lld-14`) give the bytes that are committed, and tests compare the
 * sources' digests.
 *
 *     deno run -A scripts/build_wasm.ts
 *
 * @module
 */

import { exec, ROOT } from "./exec.ts";

const COMMON = "-ffreestanding -Wall -Wextra -Werror -c";

/** A module: the name of its source, what its constants begin with, and flags. */
const MODULES: readonly { name: string; constant: string; compile: string; link: string }[] = [
  {
    name: "h5_lzf",
    constant: "LZF",
    compile: "--target=wasm32-unknown-emscripten -O2 -fPIC -fvisibility=hidden -fno-builtin",
    link: "-shared --experimental-pic --no-entry --strip-all --allow-undefined",
  },
  {
    name: "jpeg_decode",
    constant: "JPEG",
    compile: "--target=wasm32 -O3 -msimd128 -mbulk-memory",
    link: "--no-entry --strip-all --export=__heap_base -z stack-size=16384",
  },
];

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
    for (const { name, constant, compile, link } of MODULES) {
      const source = `${ROOT}src/io/${name}.c`;
      const [object, linked] = [`${folder}/${name}.o`, `${folder}/${name}.wasm`];
      await tool("clang", [...compile.split(" "), ...COMMON.split(" "), source, "-o", object]);
      await tool("wasm-ld", [...link.split(" "), object, "-o", linked]);
      const module = (await Deno.readFile(linked)).toBase64();
      const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(source));
      const text = `// Written by scripts/build_wasm.ts from ${name}.c; do not edit.
// deno-fmt-ignore-file
/** SHA-256 of the source. */
export const ${constant}_SOURCE: string = "${new Uint8Array(digest).toHex()}";
/** The module, in base64. */
export const ${constant}_MODULE: string =
  "${module.match(/.{1,110}/g)!.join('" +\n  "')}";
`;
      await Deno.writeTextFile(`${ROOT}src/io/${name}.gen.ts`, text);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
