/** `--backend dawn`: the package is taken when it is asked for, and whatever is missing of it is a line and no failure. */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { readdirSync } from "node:fs";
import { DAWN, dawnIn, INSTALL_DAWN } from "../../src/cli/backend.ts";
import { dawnText, findings, type Report } from "../../src/cli/doctor.ts";
import { requestGpu } from "../../src/gpu/device.ts";
import { describeMatrix, MATRIX_FEATURE, matrixConfigs } from "../../src/gpu/matrix_units.ts";
import { type Ended, ended, launched, task } from "./command.ts";
import { inFolder, patchFile } from "./shared.ts";

const ENCODER = "random:vit_small_patch16_224?dim=32&depth=1&heads=2&patch=8&img=32&seed=3";
const POSIX = Deno.build.os !== "windows";

/** A package that gives Deno's own WebGPU as Dawn's, if it is asked for what is an experiment, and says so. */
const STAND_IN = `export const globals = { GPUBufferUsage: {}, ofDawn: true };
export function create(options) {
  if (options.join() !== "enable-dawn-features=allow_unsafe_apis") throw new Error("other options: " + options);
  if (GPUBufferUsage.STORAGE === undefined || !globalThis.ofDawn) throw new Error("Deno's names were overwritten");
  console.error("Dawn is asked");
  return navigator.gpu;
}`;

/** A package of which only this module is there. */
async function planted(folder: string, module: string): Promise<string> {
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(`${folder}/index.js`, module);
  await Deno.writeTextFile(`${folder}/package.json`, '{ "name": "webgpu", "type": "module" }');
  return folder;
}

async function embed(folder: string, out: string, env: Record<string, string>, flags: string[] = []): Promise<Ended> {
  const argv = ["embed", `${folder}/a.h5`, "--encoder", ENCODER, "--out", `${folder}/${out}`, ...flags];
  return await ended((await launched(argv, { env })).output());
}

Deno.test("every command that opens a device takes --backend", async () => {
  for (const entry of readdirSync(new URL("../../src/cli/", import.meta.url))) {
    const { flags } = await import(`../../src/cli/${entry}`) as { flags?: Record<string, { of?: string[] }> };
    if (flags && "software" in flags) deepEqual(flags["backend"]?.of, ["deno", "dawn"], entry);
  }
});

Deno.test("without Dawn, or with one that is of no use, --backend dawn says so and computes as ever", () =>
  inFolder(async (folder) => {
    await patchFile(`${folder}/a.h5`, 3);
    const own = await embed(folder, "own", {});
    equal(own.code, 0, own.err);
    const features = await Deno.readFile(`${folder}/own/a.h5`);
    const none = "export const globals = {}; export const create = () => ({ requestAdapter: () => null });";
    const hardware = none.replace("=> null", "=> ({ info: { isFallbackAdapter: false } })");
    const cases: [name: string, env: Record<string, string>, flags: string[], line: RegExp][] = [
      [
        "missing",
        {},
        [],
        new RegExp(`package ${DAWN} is not installed\\. Deno's own WebGPU computes instead\\nhint: ${INSTALL_DAWN}\\n`),
      ],
      [
        "broken",
        { SEAL_DAWN: await planted(`${folder}/b`, "throw new Error('no library')") },
        [],
        /cannot be loaded: no library/,
      ],
      ["bare", { SEAL_DAWN: await planted(`${folder}/n`, none) }, [], /it finds no adapter/],
      ["hard", { SEAL_DAWN: await planted(`${folder}/h`, hardware) }, ["--software"], /its adapter is no software one/],
    ];
    for (const [name, env, flags, line] of cases) {
      const { code, err } = await embed(folder, name, env, ["--backend", "dawn", ...flags]);
      equal(code, 0, err);
      match(err, line);
      equal(err.match(/Dawn is not used/g)!.length, 1, err);
      deepEqual(await Deno.readFile(`${folder}/${name}/a.h5`), features, name);
    }
  }));

Deno.test("Dawn is loaded with its experiments when it is asked for, and not otherwise", () =>
  inFolder(async (folder) => {
    await patchFile(`${folder}/a.h5`, 3);
    const env = { SEAL_DAWN: await planted(`${folder}/package`, STAND_IN) };
    const asked = await embed(folder, "dawn", env, ["--backend", "dawn"]);
    equal(asked.code, 0, asked.err);
    match(asked.err, /^Dawn is asked$/m);
    match(asked.err, /^No matrix units: its WebGPU offers none\. The ordinary kernels compute$/m);
    ok(!asked.err.includes("not used"), asked.err);
    const other = await embed(folder, "deno", env);
    ok(!other.err.includes("Dawn"), other.err);
    deepEqual(await Deno.readFile(`${folder}/dawn/a.h5`), await Deno.readFile(`${folder}/deno/a.h5`));
  }));

Deno.test({
  name: "the launcher permits Dawn's library alone; doctor looks at what Dawn offers",
  ignore: !POSIX,
  fn: () =>
    inFolder(async (folder) => {
      await patchFile(`${folder}/a.h5`, 3);
      const permits = STAND_IN.replace(
        "console.error(",
        `for (const path of [import.meta.dirname + "/dist/x.node", "/usr/lib/x.so"]) {
          console.error("ffi", Deno.permissions.querySync({ name: "ffi", path }).state);
        }
        console.error(`,
      );
      const env = { SEAL_DAWN: await planted(`${folder}/package`, permits) };
      const args = ["embed", `${folder}/a.h5`, "--encoder", ENCODER, "--out", `${folder}/f`, "--backend=dawn"];
      const { code, err } = await ended(task(args, { env }).output());
      equal(code, 0, err);
      match(err, /^ffi granted\nffi (?:denied|prompt)\nDawn is asked$/m);
      const doctor = await ended(task(["doctor", "--backend", "dawn", "--json"], { env }).output());
      equal(doctor.code, 0, doctor.err);
      const { backend, dawn, device, steps, findings: said } = JSON.parse(doctor.out) as Report;
      equal(backend, "dawn");
      equal(dawn.folder, `${folder}/package`);
      deepEqual([dawn.matrix, dawn.error, device!.selfTest], [[], null, 0]);
      ok(steps!.error < 1e-3 && said.every(({ fatal }) => !fatal));
    }),
});

Deno.test("Dawn is found in Deno's cache, of whichever registry", () =>
  inFolder(async (folder) => {
    equal(dawnIn(`${folder}/none`), undefined);
    await planted(`${folder}/a.registry/webgpu/0.1.0`, "");
    await Deno.mkdir(`${folder}/b.registry/${DAWN.replace("@", "/")}`, { recursive: true });
    equal(dawnIn(folder), undefined);
    const whole = await planted(`${folder}/c.mirror/${DAWN.replace("@", "/")}`, "");
    equal(dawnIn(folder), whole);
  }));

Deno.test("doctor says whether Dawn would help", () => {
  const report = {
    runtime: { deno: Deno.version.deno },
    backend: "deno",
    adapter: { software: false },
    device: { selfTest: 0 },
    steps: { steps: 0, error: 0 },
    disk: { freeBytes: 1e12 },
    token: "t",
  };
  const config = { M: 16, N: 16, K: 16, operands: "f16", sums: "f32" };
  const found = { folder: "f", adapter: "Card", matrix: [config], readbackMs: 1, error: null };
  const about = (changes: object) =>
    findings({ ...report, ...changes } as unknown as Report, "").map(({ what, mend }) => `${what}: ${mend}`).join();
  match(about({ dawn: found }), /^Dawn offers matrix units of Card.*: Add --backend dawn --precision f16 /);
  match(
    about({ dawn: { ...found, folder: null } }),
    new RegExp(`unknown: only Dawn offers them: ${INSTALL_DAWN}, then`),
  );
  equal(about({ dawn: found, backend: "dawn" }), "");
  equal(about({ dawn: { ...found, matrix: [] } }), "");
  equal(about({ dawn: { ...found, error: "lost" } }), "");
  // A software adapter computes matrix units no sooner.
  for (const dawn of [found, { ...found, folder: null }]) {
    ok(!about({ dawn, adapter: { software: true } }).includes("Dawn"));
  }
  equal(dawnText({ ...found, folder: null }), `not installed (${INSTALL_DAWN})`);
  equal(dawnText(found), `${DAWN} on Card: matrix units of 16x16x16 f16 to f32; idle readback 1.0 ms`);
  equal(dawnText({ ...found, matrix: [], readbackMs: null }), `${DAWN} on Card: no matrix units`);
  equal(dawnText({ ...found, adapter: null, error: "too old" }), `${DAWN} cannot be used: too old`);
});

Deno.test("shapes of matrix units are read from adapters that offer them", () => {
  const offered = [{ M: 8, N: 16, K: 32, componentType: "f16", resultComponentType: "f32" }];
  const adapter = (features: string[], info: object) =>
    ({ features: new Set(features), info }) as unknown as GPUAdapter;
  const found = matrixConfigs(adapter([MATRIX_FEATURE], { subgroupMatrixConfigs: offered }));
  deepEqual(found, [{ M: 8, N: 16, K: 32, operands: "f16", sums: "f32" }]);
  equal(describeMatrix(found[0]!), "8x16x32 f16 to f32");
  deepEqual(matrixConfigs(adapter([], { subgroupMatrixConfigs: offered })), []);
  deepEqual(matrixConfigs(adapter([MATRIX_FEATURE], {})), []);
});

Deno.test("what is measured on Dawn is of Dawn", async () => {
  const gpu = await requestGpu(navigator.gpu, { runtime: `Dawn of ${DAWN}` });
  match(gpu.driver, new RegExp(` Dawn of ${DAWN}$`));
  gpu.destroy();
});
