/**
 * The npm package as its users have it: packed, installed into an empty folder, type-checked by TypeScript's own rules, run under
 * Node 22 with Dawn, training included; its file for pages type-checked with the browser's library alone and run in headless Chromium. Both embed
 * patches of a synthetic sample with the demo's encoder, and their features are compared with those of the command.
 *
 * Needs npm's registry, or what an earlier run left in data/cache/platform; without either the tests are skipped, and so is the
 * page where there is no Chromium (`CHROMIUM` names one). `--keep` takes the package that is installed already.
 *
 * @module
 */

import { openFeatures } from "../src/io/features.ts";
import { disk } from "../src/io/fs.ts";
import { encodePng } from "../src/io/image/png_write.ts";
import { openPatches } from "../src/io/patches.ts";
import { build, COMPILERS, OUT } from "./build_npm.ts";
import { exec, ROOT, type Tally, tallyLine } from "./exec.ts";
import { taskArgs } from "./task_args.ts";
import { DAWN } from "../src/cli/backend.ts";
import { driver, installDawn } from "./test_platform.ts";

const CACHE = `${ROOT}data/cache/platform/packages`;
const APP = `${CACHE}/app`;
const ENCODER = `${ROOT}data/demo/encoder`;
/** Patches that are embedded. */
const PATCHES = 12;
/** Most by which a feature may differ. */
const TOLERANCE = 1e-5;
const NODE = "22.23.3";
/** Milliseconds the page has. */
const PAGE_MS = 240_000;

const total: Tally = { passed: 0, failed: 0, skipped: 0 };

async function test(name: string, act: () => Promise<string | void>): Promise<void> {
  try {
    const said = await act();
    total.passed++;
    console.log(`ok    ${name}${said ? `: ${said}` : ""}`);
  } catch (error) {
    if (error instanceof Skipped) {
      total.skipped++;
      console.log(`skip  ${name}: ${error.message}`);
      return;
    }
    total.failed++;
    console.error(`FAIL  ${name}: ${(error as Error).message}`);
  }
}

class Skipped extends Error {}

async function must(command: string, args: readonly string[], cwd: string, env = {}): Promise<string> {
  const { code, output } = await exec(command, args, { cwd, quiet: true, env });
  if (code !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${code}:\n${output}`);
  return output;
}

/** What `packages/trainer.ts` prints. */
interface Trained {
  /** SHA-256 of pairs as they were read. */
  readonly data: string;
  readonly pairs: number;
  readonly losses: readonly number[];
  readonly stopped: string;
  /** What a process was told that tried to train in the same folder. */
  readonly tried?: string;
  /** How a process ended that killed itself. */
  readonly died?: string;
  /** Whether its run ended with the bytes of one that was not killed. */
  readonly resumed: boolean;
  readonly steps: number;
  readonly genes: readonly string[];
  readonly predicted: readonly number[];
  readonly found: readonly string[];
  readonly spots: number;
  readonly pearson: number;
}

/** Program of the package that trains. */
const TRAINER = `${ROOT}scripts/packages/trainer.ts`;

/** Trains under Deno and under Node; what differs is an error. */
async function trainBoth(env: Record<string, string>): Promise<string> {
  const runs = `${CACHE}/runs`;
  await Deno.remove(runs, { recursive: true }).catch(() => {});
  await Deno.mkdir(runs);
  const parse = (output: string) => JSON.parse(output.split("\n").find((line) => line.startsWith("{"))!) as Trained;
  const flags = ["--quiet", "--no-prompt", "--no-check", "--allow-read", "--allow-write", "--allow-env", "--allow-sys"];
  const deno = parse(await must("deno", ["run", ...flags, TRAINER, `${CACHE}/data`, `${runs}/deno`], ROOT));
  const args = ["--no", "--", "node", "--no-warnings", "trainer.js", `${CACHE}/data`, `${runs}/node`, "others"];
  const node = parse(await must("npx", args, APP, env));
  const exact = ({ data, pairs, genes, steps, spots }: Trained) => JSON.stringify({ data, pairs, genes, steps, spots });
  if (exact(node) !== exact(deno)) throw new Error(`${exact(node)}, Deno has ${exact(deno)}`);
  for (const { stopped } of [node, deno]) if (!/^InterruptedError/.test(stopped)) throw new Error(stopped);
  if (!/^ConfigError: Cannot write to .*process \d+/.test(node.tried ?? "")) throw new Error(`locked: ${node.tried}`);
  if (node.died !== "SIGKILL" || !node.resumed) throw new Error(`killed: ${node.died}, resumed ${node.resumed}`);
  const relative = (a: readonly number[], b: readonly number[]) =>
    a.length === b.length ? Math.max(...a.map((value, i) => Math.abs(value - b[i]!) / Math.abs(b[i]!))) : NaN;
  const [losses, predicted] = [relative(node.losses, deno.losses), relative(node.predicted, deno.predicted)];
  const said = `${deno.losses.length} losses at most ${losses.toExponential(1)} off, predictions ` +
    `${predicted.toExponential(1)}, r ${Math.abs(node.pearson - deno.pearson).toExponential(1)}`;
  if (!(losses <= 1e-5 && predicted <= 1e-3 && Math.abs(node.pearson - deno.pearson) <= 1e-3)) throw new Error(said);
  return said;
}

/** Patches of a synthetic sample, and their features as the command writes them. */
async function reference(): Promise<{ pngs: Uint8Array[]; features: Float32Array; dim: number }> {
  const data = `${CACHE}/data`;
  await must("deno", [...taskArgs("synth"), "--out", data, "--profile", "smoke", "--slides", "2", "--overwrite"], ROOT);
  const [{ name }] = [...Deno.readDirSync(`${data}/patches`)].filter(({ name }) => name.endsWith(".h5")) as [
    Deno.DirEntry,
  ];
  const path = `${data}/patches/${name}`;
  const out = `${CACHE}/features.h5`;
  await must("deno", [...taskArgs("embed"), "--encoder", ENCODER, "--out", out, "--overwrite", path], ROOT);
  const patches = await openPatches(disk.open(path, "read"));
  const pngs: Uint8Array[] = [];
  const { width, height } = patches;
  for (let i = 0; i < PATCHES; i++) pngs.push(encodePng({ width, height, data: patches.read(i, i + 1) }));
  patches.close();
  const features = await openFeatures(disk.open(out, "read"));
  const rows = await features.read(0, PATCHES);
  features.close();
  return { pngs, features: rows, dim: features.dim };
}

function compare(got: ArrayLike<number>, wanted: Float32Array): string {
  if (got.length !== wanted.length) throw new Error(`${got.length} features, wanted ${wanted.length}`);
  let [worst, largest] = [0, 0];
  for (let i = 0; i < wanted.length; i++) {
    const off = Math.abs(got[i]! - wanted[i]!);
    if (!(off <= worst)) worst = off;
    largest = Math.max(largest, Math.abs(wanted[i]!));
  }
  const said = `${wanted.length} features up to ${largest.toFixed(2)}, the farthest ${worst.toExponential(1)} off`;
  if (!(worst <= TOLERANCE)) throw new Error(said);
  return said;
}

const CLIENT =
  `import { loadEncoder, listEncoders, type Features, type ImageEncoder, train, openRun, openHest } from "seal-webgpu";
import { AdamW, Plan, type Tensor } from "seal-webgpu/engine";
import { fromBytes, openWeights } from "seal-webgpu/io";
import { defineMethod } from "seal-webgpu/train";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";

const pngs: Uint8Array[] = readdirSync("pngs").sort().map((name) => readFileSync("pngs/" + name));
const encoder: ImageEncoder = await loadEncoder(process.argv[2]!);
const features: Features = await encoder.embed(pngs);
const bytes = { weights: readFileSync(process.argv[2] + "/model.safetensors"), config: JSON.parse(readFileSync(process.argv[2] + "/config.json", "utf8")) };
const again = await loadEncoder(bytes, { gpu: encoder.gpu });
const same = await again.embed(pngs.map((png) => new Blob([new Uint8Array(png)])));
if (same.data.some((value, i) => value !== features.data[i])) throw new Error("files and folder differ");
writeFileSync("features.json", JSON.stringify({ dim: features.dim, data: [...features.data], hash: again.weightsHash === encoder.weightsHash }));
const weights = await openWeights(fromBytes(bytes.weights, "model.safetensors"));
console.log(listEncoders().length, weights.tensors.size, [AdamW, Plan, defineMethod, train, openRun, openHest].every((one) => typeof one === "function"));
const kept: Tensor | undefined = undefined;
console.log(kept);
again.close();
encoder.close();
process.exit(0);
`;

const PAGE_CLIENT = `import { engine, loadEncoder, type Features } from "seal-webgpu/browser";

export async function embed(files: FileList, gpu: GPU): Promise<Features> {
  const encoder = await loadEncoder({ weights: await fetch("model.safetensors"), config: { num_classes: 0 } }, { gpu });
  const { Plan } = engine;
  console.log(Plan.name, encoder.input.mean);
  return await encoder.embed([...files]);
}
`;

async function install(): Promise<void> {
  await build();
  await Deno.remove(APP, { recursive: true }).catch(() => {});
  await Deno.mkdir(APP, { recursive: true });
  const packed = (await must("npm", ["pack", "--silent", "--pack-destination", CACHE], OUT)).trim().split("\n").pop()!;
  await Deno.writeTextFile(`${APP}/package.json`, '{ "private": true, "type": "module" }\n');
  const compilers = (["typescript", "@types/node"] as const).map((name) => `${name}@${COMPILERS[name]}`);
  const wanted = [DAWN, ...compilers, `node@${NODE}`];
  const quiet = ["--no-audit", "--no-fund", "--loglevel=error", "--prefer-offline"];
  await must("npm", ["install", ...quiet, `${CACHE}/${packed}`, ...wanted], APP);
}

async function typeCheck(name: string, source: string, options: Record<string, unknown>): Promise<void> {
  await Deno.writeTextFile(`${APP}/${name}.ts`, source);
  await Deno.writeTextFile(
    `${APP}/${name}.json`,
    JSON.stringify({ files: [`${name}.ts`], compilerOptions: { strict: true, ...options } }),
  );
  await must("node", ["node_modules/typescript/bin/tsc", "-p", `${name}.json`], APP);
}

function chromium(): string | undefined {
  const given = Deno.env.get("CHROMIUM");
  if (given) return given;
  return ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) =>
    disk.look(path) !== undefined
  );
}

const PAGE = `<!doctype html><meta charset="utf-8"><title>test</title><script type="module">
const say = (path, body) => fetch(path, { method: "POST", body: JSON.stringify(body) });
try {
  const { loadEncoder, decodeImage, engine, exitCodeOf } = await import("/seal.js");
  const names = await (await fetch("/names.json")).json();
  const [weights, config] = await Promise.all([fetch("/model.safetensors"), fetch("/config.json")]);
  const encoder = await loadEncoder({ weights, config });
  const blobs = await Promise.all(names.map(async (name) => (await fetch("/" + name)).blob()));
  const { data, dim } = await encoder.embed(blobs);
  const one = await encoder.embed("/" + names[0]);
  const refused = await encoder.embed(new Uint8Array(5)).then(() => "no", (error) => error.constructor.name + exitCodeOf(error));
  await say("/done", { dim, data: [...data], one: [...one.data], hash: encoder.weightsHash, adapter: encoder.gpu.description, refused });
} catch (error) {
  await say("/done", { error: String(error?.stack ?? error) });
}
</script>`;

interface PageResult {
  readonly error?: string;
  readonly dim: number;
  readonly data: number[];
  readonly one: number[];
  readonly hash: string;
  readonly adapter: string;
  readonly refused: string;
}

/** Serves the page, opens it and waits for what it says. */
async function inChromium(program: string, pngs: readonly Uint8Array[]): Promise<PageResult> {
  const names = pngs.map((_, i) => `${i}.png`);
  const { promise, resolve, reject } = Promise.withResolvers<PageResult>();
  const type = (kind: string) => ({ headers: { "content-type": kind } });
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const path = new URL(request.url).pathname;
    if (path === "/done") {
      resolve(await request.json());
      return new Response();
    }
    if (path === "/") return new Response(PAGE, type("text/html"));
    if (path === "/names.json") return Response.json(names);
    if (path === "/seal.js") {
      return new Response(await Deno.readFile(`${OUT}/browser/seal.js`), type("text/javascript"));
    }
    const png = pngs[names.indexOf(path.slice(1))];
    if (png) return new Response(Uint8Array.from(png), type("image/png"));
    if (/^\/(model\.safetensors|config\.json)$/.test(path)) return new Response(await Deno.readFile(ENCODER + path));
    return new Response(null, { status: 404 });
  });
  const profile = await Deno.makeTempDir({ dir: CACHE });
  const flags = ["--headless=new", "--no-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];
  const quiet = ["--no-first-run", "--disable-background-networking", "--disable-dev-shm-usage"];
  const browser = new Deno.Command(program, {
    args: [...flags, ...quiet, `--user-data-dir=${profile}`, `http://127.0.0.1:${server.addr.port}/`],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const late = setTimeout(() => reject(new Error(`the page said nothing in ${PAGE_MS / 1000} s`)), PAGE_MS);
  try {
    return await promise;
  } finally {
    clearTimeout(late);
    browser.kill("SIGTERM");
    await browser.status;
    await server.shutdown();
    await Deno.remove(profile, { recursive: true }).catch(() => {});
  }
}

if (import.meta.main) {
  await Deno.mkdir(CACHE, { recursive: true });
  const online = await exec("npm", ["ping", "--silent"], { quiet: true }).then(({ code }) => code === 0, () => false);
  if (!online) {
    console.log(`skip  the npm package: npm has no registry here`);
    console.log(tallyLine({ ...total, skipped: 1 }));
    Deno.exit(0);
  }
  if (!Deno.args.includes("--keep")) await install();
  const { pngs, features, dim } = await reference();
  await Deno.mkdir(`${APP}/pngs`, { recursive: true });
  pngs.forEach((png, i) => Deno.writeFileSync(`${APP}/pngs/${String(i).padStart(3, "0")}.png`, png));

  const own = { module: "nodenext", target: "es2024", types: ["node"], outDir: "." };
  await test("a strict TypeScript client of all four entries compiles", () => typeCheck("client", CLIENT, own));
  await test("under Node 22 with Dawn, patches become the features of the command", async () => {
    await installDawn();
    // The folder's own Node.
    const args = ["--no", "--", "node", "--no-warnings", "client.js", ENCODER];
    const output = await must("npx", args, APP, await driver());
    const got = JSON.parse(await Deno.readTextFile(`${APP}/features.json`)) as { dim: number; data: number[] };
    if (got.dim !== dim || !/ true\n/.test(output)) throw new Error(output);
    return compare(got.data, features);
  });
  await test("under Node 22 data are read and runs are trained, stopped, locked, killed and resumed as under Deno", async () => {
    const source = (await Deno.readTextFile(TRAINER)).replace('"../../mod.ts"', '"seal-webgpu"');
    await typeCheck("trainer", source, own);
    return await trainBoth(await driver());
  });
  const page = {
    module: "esnext",
    moduleResolution: "bundler",
    target: "es2022",
    lib: ["es2022", "dom", "dom.iterable"],
  };
  await test(
    "a client of the page's file compiles with the browser's library alone",
    () => typeCheck("page", PAGE_CLIENT, { ...page, types: [], noEmit: true }),
  );
  await test("in headless Chromium, patches become the features of the command", async () => {
    const program = chromium();
    if (program === undefined) throw new Skipped("there is no Chromium");
    const { error, data, one, adapter, refused } = await inChromium(program, pngs);
    if (error !== undefined) throw new Error(error);
    if (refused !== "FormatError4") throw new Error(`damaged bytes: ${refused}`);
    compare(one, features.subarray(0, dim));
    return `${adapter}: ${compare(data, features)}`;
  });
  console.log(tallyLine(total));
  Deno.exit(total.failed === 0 ? 0 : 1);
}
