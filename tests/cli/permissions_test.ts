/** Permissions: what tasks declare, what command lines are granted, and that code planted in them can do no more. */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { denoFlags, downloadPermissions, Line, permissionsOf, writable } from "../../src/cli/permissions.ts";
import config from "../../deno.json" with { type: "json" };
import { METHOD_NAMES } from "../../src/methods/index.ts";
import { ended, launched, seal, task, taskArgs } from "./command.ts";
import { inFolder } from "./shared.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const PLANTED = new URL("./planted.ts", import.meta.url).pathname;
/** Commands of the command line but doctor, which examines the machine. */
const COMMANDS = Object.entries(config.tasks).filter(([name, { command }]) =>
  command.includes(" src/cli/launch.ts ") && name !== "doctor"
).map(([name]) => name);

/** What is wrong with the permissions of a task's command. */
function faults(command: string): string[] {
  const found: string[] = [];
  const words = command.split(/\s+/);
  for (const [i, word] of words.entries()) {
    if (/^(?:-A|-[a-zA-Z]*A[a-zA-Z]*|--allow-all)$/.test(word) && !word.startsWith("--no")) {
      found.push(`${word} grants all`);
    }
    if (/^(?:--allow-(?:net|run|ffi)|-N)(?:=["']*)?$/.test(word)) found.push(`${word} has no list`);
    if (word === "deno" && words[i + 1] === "eval") found.push("deno eval has all permissions");
    if (/(?:^|=)(?:jsr|https?):/.test(word)) found.push(`${word} is fetched when it runs`);
  }
  if (/\bdeno (?:run|test|bench)\b/.test(command) && !words.includes("--no-prompt")) {
    found.push("it asks instead of failing");
  }
  return found;
}

Deno.test("no task is granted everything, and none asks", () => {
  for (const [name, { command }] of Object.entries(config.tasks)) deepEqual(faults(command), [], name);
  for (
    const bad of [
      "deno run -A x.ts",
      "deno run --no-prompt --allow-all x.ts",
      "deno run --no-prompt --allow-net x.ts",
      "deno run --no-prompt --allow-run x.ts",
      "deno run --no-prompt --allow-run= x.ts",
      "deno run --allow-read x.ts",
      "deno run --no-prompt jsr:@x/y",
      "deno eval 1",
      "deno run --no-prompt x.ts -- test -A",
      "deno test -RA",
    ]
  ) equal(faults(bad).length > 0, true, bad);
});

Deno.test("every command of the command line is a task that is launched", async () => {
  const { out } = await ended((await launched(["--help"])).output());
  const listed = [...out.matchAll(/^ {2}([a-z]\w*) /gm)].map(([, name]) => name!);
  ok(listed.length > 5);
  deepEqual(listed.sort(), [...COMMANDS, "doctor"].sort());
});

Deno.test("commands are launched alike, and only the demo's may start what installs a driver", () => {
  const flags = (name: string) => taskArgs(name).slice(0, -2);
  for (const name of [...COMMANDS, "doctor"]) {
    deepEqual(taskArgs(name).slice(-2), [`${ROOT}src/cli/launch.ts`, name]);
    const run = name === "train" ? [Deno.execPath(), "env", "sudo"] : [Deno.execPath(), "env"];
    equal(flags(name).at(-1), `--allow-run=${run.join(",")}`);
    deepEqual(flags(name).slice(0, -1), flags("synth").slice(0, -1));
    ok(!flags(name).some((flag) => /^--allow-(?:net|write)/.test(flag)), name);
  }
});

Deno.test("no script, test or bench starts Deno with all permissions, and nothing is imported from elsewhere", () => {
  for (const [name, target] of Object.entries(config.imports)) match(target, /^(?:npm:\/?[\w@/.-]+|\.\/.*)$/, name);
  const all = /["'](?:-A|--allow-all)["']/;
  for (const folder of ["src", "scripts", "bench", "tests"]) {
    // This file tries what is refused.
    for (const path of sources(`${ROOT}${folder}`).filter((path) => !path.endsWith("/cli/permissions_test.ts"))) {
      const text = Deno.readTextFileSync(path);
      ok(!all.test(text), path);
      ok(!/(?:from|import)\s*\(?\s*["'](?:jsr:|https?:)/.test(text), path);
    }
  }
  const shell = [...Deno.readDirSync(`${ROOT}bench`)].map(({ name }) => `bench/${name}`).filter((path) =>
    path.endsWith(".sh")
  );
  const recipes = [...Deno.readDirSync(`${ROOT}data/configs`)].map(({ name }) => `data/configs/${name}`);
  ok(shell.length > 0 && recipes.length > 0);
  for (const path of [".ci/run", "README.md", ...shell, ...recipes]) {
    ok(!/(?:^|\s)(?:-A|--allow-all)(?:\s|$)/m.test(Deno.readTextFileSync(`${ROOT}${path}`)), path);
  }
});

function sources(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory ? sources(`${folder}/${name}`) : /\.[mt]?[jt]s$/.test(name) ? [`${folder}/${name}`] : []
  );
}

Deno.test("words of a command line are told without its table of flags", () => {
  const line = new Line(["a.h5", "--out", "x y", "-encoder=uni", "--out=z", "-3", "k.v=1", "--quiet", "--", "--json"]);
  deepEqual(line.values("out"), ["x y", "z"]);
  equal(line.value("encoder"), "uni");
  deepEqual([line.has("quiet"), line.has("json")], [true, false]);
  deepEqual(line.overrides, [["k.v", "1"]]);
  ok(line.words.includes("a.h5") && line.words.includes("-3") && line.words.includes("--json"));
});

Deno.test("outputs are granted where they go, and nothing above what must be made", () =>
  inFolder(async (folder) => {
    Deno.mkdirSync(`${folder}/real/there`, { recursive: true });
    const own = Deno.realPathSync(folder);
    const at = (path: string) => writable(`${folder}/${path}`).map((each) => each.replace(own, "").replace(folder, ""));
    deepEqual(at("real/there"), ["/real/there"]);
    deepEqual(at("real/there///"), ["/real/there"]);
    deepEqual(at("real/new"), ["/real/new"]);
    deepEqual(at("new/deep/er"), ["/new"]);
    // Files in the making and locks lie beside a file.
    deepEqual(at("real/there/a.h5"), ["/real/there"]);
    deepEqual(at("new/a.safetensors"), ["/new"]);
    deepEqual(at("real/a,b/c"), ["/real"]);
    deepEqual(writable("a.h5")[0], ".");
    if (Deno.build.os !== "windows") {
      Deno.symlinkSync(`${folder}/real`, `${folder}/link`);
      deepEqual(at("link/x"), ["/link/x", "/real/x"]);
      deepEqual(at("link"), ["/link", "/real"]);
    }
    const written = async (...argv: string[]) => (await permissionsOf(argv)).write;
    for (const name of METHOD_NAMES) {
      Deno.writeTextFileSync(`${folder}/c.yaml`, `method: ${name}\nout: ${folder}/run\n`);
      const train = ["train", "--config", `${folder}/c.yaml`];
      deepEqual(await written(...train), [`${folder}/run`]);
      deepEqual(await written(...train, `out=${folder}/b`), [`${folder}/b`]);
      deepEqual(await written("train", `method=${name}`, `input.out=${folder}/d`), [`${folder}/d`]);
      // Without a place it is one that the method names.
      deepEqual((await written("train", `method=${name}`, "seed=1")).length > 0, true);
    }
    deepEqual(await written("train", "--help"), []);
    deepEqual(await written("inspect", `${folder}/real`), []);
    deepEqual(await written("doctor"), []);
    deepEqual(await written("bogus", "--out", folder), []);
    deepEqual(await written("convert", "weights", "in.safetensors", `${folder}/real/o.safetensors`, "--dtype", "f16"), [
      `${folder}/real`,
    ]);
    deepEqual(await written("convert", "volume", "v.nii", "--spacing", "4,1,1", `${folder}/real/v.ome.tif`), [
      `${folder}/real`,
    ]);
    deepEqual(await written("convert", "volume", "v.nii", `${folder}/v.ome.zarr`, "--axes", "xyz"), [
      `${folder}/v.ome.zarr`,
    ]);
    deepEqual(await written("report", `${folder}/real`, "--quiet"), [`${folder}/real`]);
    deepEqual(
      new Set(await written("evaluate", "--cache", `${folder}/f`, "--out", `${folder}/o`)),
      new Set([
        `${folder}/o`,
        `${folder}/f`,
      ]),
    );
  }));

Deno.test("every flag that names a place is known to be read or written", async () => {
  // A flag that is new here must be put on one side or the other, in OUTPUTS of permissions.ts or below.
  const read = new Set([
    "adapter",
    "against",
    "aliases",
    "alignment",
    "bench",
    "beside",
    "checkpoint",
    "config",
    "coords",
    "counts",
    "data",
    "encoder",
    "expression",
    "features",
    "gene-sets",
    "image",
    "labels",
    "manifest",
    "panel",
    "regions",
    "run",
    "show",
    "slide",
    "slides",
    "split",
    "spots",
    "task",
    "tissue",
    "tuning",
    "volume",
  ]);
  for (const name of COMMANDS) {
    const { flags } = await import(`../../src/cli/${name}.ts`) as {
      flags: Record<string, { kind: string; value?: string }>;
    };
    for (const [flag, { kind, value = "" }] of Object.entries(flags)) {
      if (!["text", "list"].includes(kind) || !/DIR|FILE|PATH|FOLDER/.test(value) || read.has(flag)) continue;
      const { write } = await permissionsOf([name, `--${flag}`, `somewhere/${flag}`]);
      ok(write.some((path) => path.startsWith("somewhere")), `${name} --${flag} ${value}`);
    }
  }
});

Deno.test("only the process that downloads has the network, of the hub alone, and the token", async () => {
  for (const name of [...COMMANDS, "doctor"]) {
    const { net, run, env, write } = await permissionsOf([name, "--encoder", "uni", "--out", "x", "--data", "y"]);
    if (name === "download") {
      deepEqual([net, run, write], [["huggingface.co", "*.huggingface.co", "*.hf.co"], undefined, ["x"]]);
      continue;
    }
    equal(net, undefined);
    if (name === "doctor") continue;
    equal(run, undefined);
    ok(!env.includes("HF_TOKEN"), name);
  }
  const flags = denoFlags(downloadPermissions(writable("cache"), "http://127.0.0.1:8080/"));
  ok(flags.includes("--allow-net=127.0.0.1:8080,huggingface.co,*.huggingface.co,*.hf.co"), flags.join(" "));
  ok(flags.includes("--allow-write=cache"));
  ok(!flags.some((flag) => flag.startsWith("--allow-run")));
  equal(denoFlags({ write: [], env: [], sys: [] }).join(" "), "--no-prompt --allow-read");
});

Deno.test("planted code can neither write elsewhere, nor reach anything, nor start a process", () =>
  inFolder(async (folder) => {
    const env = { PLANTED_SECRET: "secret" };
    const attempt = async (flags: readonly string[]) => {
      const args = ["run", "--no-lock", ...flags, PLANTED, `${folder}/outside`, "PLANTED_SECRET"];
      const { code, out, err } = await ended(
        new Deno.Command(Deno.execPath(), { args, env, stdin: "null", stdout: "piped", stderr: "piped" }).output(),
      );
      equal(code, 0, err);
      return JSON.parse(out) as string[];
    };
    for (const name of COMMANDS) {
      deepEqual(
        await attempt(denoFlags(await permissionsOf([name, "--out", `${folder}/out`, `${folder}/out`]))),
        [],
        name,
      );
    }
    // The launcher starts Deno, which the rest of its work is.
    deepEqual(await attempt(taskArgs("embed").filter((word) => word.startsWith("--"))), ["deno"]);
    deepEqual(await attempt(denoFlags(downloadPermissions(writable(`${folder}/cache`), undefined))), []);
    deepEqual([...Deno.readDirSync(folder)], []);
    // The attempts are real ones: with permission each is made.
    const all = await attempt(["--allow-all"]);
    for (const name of ["write", "mkdir", "link", "connect", "listen", "deno", "variable", "variables"]) {
      ok(all.includes(name));
    }
  }));

Deno.test("a command with a planted write or fetch fails by it", () =>
  inFolder(async (folder) => {
    const plant = (code: string) => {
      const path = `${folder}/planted.js`;
      Deno.writeTextFileSync(path, code);
      return path;
    };
    const args = [
      "synth",
      "--profile",
      "smoke",
      "--slides",
      "2",
      "--rows",
      "2",
      "--cols",
      "4",
      "--quiet",
      "--out",
      `${folder}/out`,
    ];
    for (
      const [code, wanted] of [
        [`Deno.writeTextFileSync(${JSON.stringify(`${folder}/outside`)}, "x")`, /NotCapable: Requires write access/],
        [`await fetch("https://example.org/")`, /NotCapable: Requires net access/],
        ["", undefined],
      ] as const
    ) {
      const argv = [
        "run",
        "--preload",
        plant(code),
        ...denoFlags(await permissionsOf(args)),
        `${ROOT}src/cli/main.ts`,
        ...args,
      ];
      const { code: status, err } = await ended(
        new Deno.Command(Deno.execPath(), { args: argv, stdin: "null", stdout: "piped", stderr: "piped" }).output(),
      );
      if (wanted === undefined) equal(status, 0, err);
      else {
        equal(status, 1);
        match(err, wanted);
      }
    }
    ok(!exists(`${folder}/outside`) && exists(`${folder}/out/synth.json`));
  }));

function exists(path: string): boolean {
  try {
    return Boolean(Deno.lstatSync(path));
  } catch {
    return false;
  }
}

Deno.test("outputs with spaces, commas, links and relative paths are written", () =>
  inFolder(async (folder) => {
    const small = ["--profile", "smoke", "--slides", "2", "--rows", "2", "--cols", "4", "--quiet"];
    Deno.mkdirSync(`${folder}/real`);
    Deno.symlinkSync(`${folder}/real`, `${folder}/link`);
    for (const out of ["a b/c d", "e, f/g,h", "link/x", "deep/er/still", "../" + folder.split("/").pop() + "/up"]) {
      const args = ["synth", ...small, "--out", out];
      const { code, err } = await ended(task(args, { cwd: folder }).output());
      equal(code, 0, `${out}: ${err}`);
      ok(exists(`${folder}/${out}/synth.json`), out);
    }
  }));

Deno.test("help and wrong usage need no adapter and write nothing", () =>
  inFolder(async (folder) => {
    for (const name of COMMANDS) {
      const { code, out, err } = await ended(task([name, "--help"], { cwd: folder }).output());
      equal(code, 0, err);
      match(out, new RegExp(`^${name}: `));
    }
    equal((await seal("embed", "--bogus")).code, 2);
    deepEqual([...Deno.readDirSync(folder)], []);
    equal((await ended((await launched(["bogus"])).output())).code, 2);
  }));
