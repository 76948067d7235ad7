/**
 * The package as its users have it: the published files alone, in a folder of their own, imported by the package's name under
 * Deno's default options. All examples of the documentation and the programs of `clients/` are checked and run so.
 *
 * @seconds 40
 */

import assert from "node:assert/strict";
import config from "../../deno.json" with { type: "json" };
import { disk } from "../../src/io/fs.ts";
import { inFolder } from "../cli/shared.ts";
import { examples, publishedCopy } from "./published.ts";

const folder = Deno.makeTempDirSync({ prefix: "published_" });
Deno.test.afterAll(() => Deno.removeSync(folder, { recursive: true }));
const home = `${folder}/package`;
publishedCopy(home);
const map = `${folder}/import_map.json`;
const target = (path: string) => `file://${home}/${path.replace(/^\.\//, "")}`;
Deno.writeTextFileSync(
  map,
  JSON.stringify({
    imports: {
      ...config.imports,
      ...Object.fromEntries(
        Object.entries(config.exports).map(([name, path]) => [config.name + name.slice(1), target(path)]),
      ),
    },
  }),
);

/** What an example needs: files, the device's environment, and nothing else. */
const RUN = ["--no-prompt", "--allow-read", "--allow-write", "--allow-env", "--no-check", "--cached-only"];

/** Runs Deno in `cwd`; what it printed. */
async function deno(cwd: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [args[0]!, "--quiet", "--no-config", "--no-lock", `--import-map=${map}`, ...args.slice(1)],
    cwd,
    stdin: "null",
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder();
  assert.equal(code, 0, text.decode(stdout) + text.decode(stderr));
  return text.decode(stdout);
}

Deno.test("every example of the documentation checks and runs with the published files, under default options", async () => {
  const all = examples();
  assert.ok(all.length >= 5, `${all.length} examples`);
  assert.ok(all.some(({ from }) => from === "README.md"));
  await inFolder(async (cwd) => {
    const names = all.map(({ from, code }, i) => {
      const name = `${String(i).padStart(2, "0")}_${from.replace(/\W+/g, "_")}.ts`;
      Deno.writeTextFileSync(`${cwd}/${name}`, code);
      return name;
    });
    await deno(cwd, "check", "--cached-only", ...names);
    Deno.mkdirSync(`${cwd}/data`);
    Deno.writeTextFileSync(`${cwd}/make.ts`, MAKE.replaceAll("$HOME", home));
    await deno(cwd, "run", ...RUN, "make.ts");
    // One process: an adapter opens once.
    Deno.writeTextFileSync(
      `${cwd}/all.ts`,
      names.map((name) => `console.log("${name}");\nawait import("./${name}");`).join("\n"),
    );
    const out = await deno(cwd, "run", ...RUN, "all.ts");
    for (const name of names) assert.match(out, new RegExp(name));
  });
});

/** Programs of a user, by name, those of the methods that are here among them; what they import is the package's. */
function clients(): Map<string, string> {
  const entry = new Map(Object.entries(config.exports).map(([name, path]) => [path.slice(2), name.slice(1)]));
  const tests = new URL("../", import.meta.url).pathname;
  const folders = [...Deno.readDirSync(`${tests}methods`)].map(({ name }) => `${tests}methods/${name}/clients`);
  const paths = [`${tests}scripts/clients`, ...folders.filter((path) => disk.look(path))]
    .flatMap((folder) => [...Deno.readDirSync(folder)].map(({ name }) => `${folder}/${name}`));
  return new Map(paths.map((path) => {
    const text = Deno.readTextFileSync(path);
    const code = text.replace(/"(?:\.\.\/)+(\w+\.ts)"/g, (_, file) => `"${config.name}${entry.get(file)!}"`);
    return [path.replace(/.*\//, ""), code];
  }));
}

Deno.test("a walk through the module, and a method of one's own in 60 lines, are programs of the published files", async () => {
  const programs = clients();
  const own = programs.get("own_method.ts")!;
  assert.ok(own.trimEnd().split("\n").length <= 60);
  assert.doesNotMatch([...programs.values()].join("\n"), /from "\./);
  await inFolder(async (cwd) => {
    for (const [name, code] of programs) Deno.writeTextFileSync(`${cwd}/${name}`, code);
    await deno(cwd, "check", "--cached-only", ...programs.keys());
    Deno.mkdirSync(`${cwd}/data`);
    Deno.writeTextFileSync(`${cwd}/make.ts`, MAKE.replaceAll("$HOME", home));
    await deno(cwd, "run", ...RUN, "make.ts");
    // The walk trains SEAL, and is gone with it.
    if (programs.has("use.ts")) assert.match(await deno(cwd, "run", ...RUN, "use.ts"), /\nused\n$/);
    const [, mse, predicted] = /^mse (\S+) (\d+)$/m.exec(await deno(cwd, "run", ...RUN, "own_method.ts")) ?? [];
    assert.ok(Number(mse) > 0 && Number(predicted) === 16, `${mse}, ${predicted}`);
  });
});

/** What examples find in their folder: an image, and a data folder. */
const MAKE = `
import { encodePng, disk } from "@seal-webgpu/seal/io";
import { planSynth } from "$HOME/src/data/synth/plan.ts";
import { writeSynth } from "$HOME/src/data/synth/write.ts";
const data = Uint8Array.from({ length: 256 * 256 * 3 }, (_, i) => (i * 31) & 255);
Deno.writeFileSync("patch.png", encodePng({ width: 256, height: 256, data }));
await writeSynth(disk, "data/hest", planSynth({ profile: "smoke" }), { makeFolder: (p) => Deno.mkdirSync(p, { recursive: true }) });
`;

Deno.test("importing the package asks for no device and loads neither HDF5 nor kernels nor decoders", async () => {
  await inFolder(async (cwd) => {
    Deno.writeTextFileSync(
      `${cwd}/touch.ts`,
      [
        `import fs from "node:fs";`,
        "let asked = 0;",
        `const { gpu } = navigator;`,
        `Object.defineProperty(navigator, "gpu", { get() { asked++; return gpu; } });`,
        `const read: string[] = [];`,
        `for (const name of ["open", "openSync", "readFile", "readFileSync"] as const) {`,
        `  const real = fs[name] as (...args: unknown[]) => unknown;`,
        `  (fs as unknown as Record<string, unknown>)[name] = (...args: unknown[]) => (read.push(String(args[0])), real(...args));`,
        `}`,
        `const m = await import("${config.name}");`,
        `console.log(JSON.stringify({ asked, read, names: m.listEncoders().length }));`,
      ].join("\n"),
    );
    const { asked, read, names } = JSON.parse(await deno(cwd, "run", ...RUN, "touch.ts"));
    assert.deepEqual([asked, read], [0, []]);
    assert.ok(names > 20);
  });
  const graph = JSON.parse(await deno(folder, "info", "--json", "--no-remote", "--no-npm", target("mod.ts"))) as {
    modules: { specifier: string; dependencies?: { code?: { specifier?: string }; isDynamic?: boolean }[] }[];
  };
  const byName = new Map(graph.modules.map((module) => [module.specifier, module]));
  const loaded = new Set<string>();
  const visit = (specifier: string): void => {
    if (loaded.has(specifier)) return;
    loaded.add(specifier);
    for (const { code, isDynamic } of byName.get(specifier)?.dependencies ?? []) {
      if (code?.specifier && !isDynamic) visit(code.specifier);
    }
  };
  visit(target("mod.ts"));
  const heavy = [...loaded].filter((name) => /^npm:|kernels|\/ops\/|\/run\/|\/io\/(h5|jpeg|tiff)/.test(name));
  assert.deepEqual(heavy, []);
  assert.ok(loaded.size < 80, `${loaded.size} modules`);
});
