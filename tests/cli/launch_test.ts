/** The launcher: statuses and signals pass through it, it leaves nobody behind, and gets what a command lacks. */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { createHash } from "node:crypto";
import { DEFAULT_METHOD, loadMethod } from "../../src/methods/index.ts";
import { STOP_SIGNALS } from "../../src/cli/stop_signals.ts";
import { ended, type Options, seal, task, taskArgs } from "./command.ts";
import { LOOPBACK, serve } from "../models/local_server.ts";
import { inFolder, patchFile } from "./shared.ts";

const POSIX = Deno.build.os !== "windows";
const ENCODER = "random:vit_small_patch16_224?dim=32&depth=1&heads=2&patch=8&img=32&seed=3";
/** A machine without any adapter. */
const BARE = { DENO_WEBGPU_BACKEND: "vulkan", VK_DRIVER_FILES: "/nonexistent", VK_ICD_FILENAMES: "/nonexistent" };

async function run(argv: readonly string[], options: Options = {}) {
  return await ended(task(argv, options).output());
}

async function appears(path: string): Promise<void> {
  while (!await Deno.lstat(path).then(() => true, () => false)) await new Promise((done) => setTimeout(done, 5));
}

Deno.test("exit statuses pass through", () =>
  inFolder(async (folder) => {
    equal((await seal("synth", "--out", `${folder}/a`, "--profile", "smoke", "--slides", "2", "--quiet")).code, 0);
    equal((await seal("embed", "--bogus")).code, 2);
    equal((await seal("inspect", `${folder}/none`)).code, 4);
    const { code, err } = await run([
      "embed",
      `${folder}/a/patches/SYN0.h5`,
      "--encoder",
      "uni",
      "--out",
      `${folder}/f`,
    ], {
      env: { HF_HUB_OFFLINE: "1", HF_HOME: `${folder}/hf` },
    });
    equal(code, 5, err);
    match(
      err,
      /^WeightsError: Cannot find pytorch_model\.bin of MahmoodLab\/UNI .*downloads are off\nhint: Unset HF_HUB_OFFLINE/,
    );
  }));

Deno.test({
  name: "signals pass through once, however often a terminal and wrappers give them",
  ignore: !POSIX,
  fn: () =>
    inFolder(async (folder) => {
      for (const signal of STOP_SIGNALS) {
        const args = ["synth", "--profile", "smoke", "--slides", "40", "--out", `${folder}/${signal}`];
        const child = task(args).spawn();
        await appears(`${folder}/${signal}/synth.partial.json`);
        child.kill(signal);
        child.kill(signal);
        const { code, err } = await ended(child.output());
        equal(code, 75, err);
        equal(err.match(/Stopping/g)!.length, 1, err);
        ok(err.includes(`go on with: deno task ${args.join(" ")}\n`), err);
      }
    }),
});

Deno.test({
  name: "a command ends when its launcher is killed",
  ignore: !POSIX,
  fn: () =>
    inFolder(async (folder) => {
      const child = task(["synth", "--profile", "smoke", "--slides", "150", "--out", `${folder}/a`]).spawn();
      await appears(`${folder}/a/synth.partial.json`);
      child.kill("SIGKILL");
      // The command has the same pipes: they close when it ends.
      const { err } = await ended(child.output());
      match(err, /Interrupted; go on with: deno task synth/);
    }),
});

Deno.test({
  name: "variables of the dynamic linker reach the command",
  ignore: Deno.build.os !== "linux",
  fn: () =>
    inFolder(async (folder) => {
      // Set by a program: Deno starts none with them unless it may start any.
      const args = [
        `LD_LIBRARY_PATH=${folder}/no such`,
        "LD_BIND_NOW=1",
        Deno.execPath(),
        ...taskArgs("doctor"),
        "--json",
      ];
      const command = new Deno.Command("env", { args, stdin: "null", stdout: "piped", stderr: "piped" });
      const { code, out, err } = await ended(command.output());
      equal(code, 0, err);
      equal(JSON.parse(out).device.selfTest, 0);
    }),
});

Deno.test("without an adapter the command says so once, with the line to type", () =>
  inFolder(async (folder) => {
    await patchFile(`${folder}/a.h5`, 3);
    const args = ["embed", `${folder}/a.h5`, "--encoder", ENCODER, "--out", `${folder}/f`];
    const { code, err } = await run(args, { env: BARE });
    equal(code, 6, err);
    match(err, /^DeviceError: Cannot find a WebGPU adapter: [^\n]*\nhint: [^\n]+\n$/);
    const json = await run([...args, "--json"], { env: BARE });
    equal(json.code, 6);
    equal(JSON.parse(json.out).error.code, "no-adapter");
    // What is wrong with the words comes first.
    equal(
      (await run(["embed", `${folder}/a.h5`, "--encoder", "conhc", "--out", `${folder}/f`], { env: BARE })).code,
      2,
    );
  }));

/** Whether a driver could be installed here at all. */
function isDebian(): boolean {
  try {
    return /^ID(?:_LIKE)?=.*(?:debian|ubuntu)/m.test(Deno.readTextFileSync("/etc/os-release"));
  } catch {
    return false;
  }
}

Deno.test({
  name: "only the demo, the tests and doctor --install install a driver, and not where that is refused",
  ignore: !isDebian(),
  fn: () =>
    inFolder(async (folder) => {
      await patchFile(`${folder}/a.h5`, 3);
      const log = `${folder}/apt.log`;
      Deno.mkdirSync(`${folder}/bin`);
      const program = (name: string, text: string) => {
        Deno.writeTextFileSync(`${folder}/bin/${name}`, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
      };
      program("apt-get", `echo "$@" >>'${log}'; echo "Setting up mesa-vulkan-drivers (1.0) ..."`);
      program("sudo", `[ "$1" = -n ] && shift; exec "$@"`);
      // Of a default method that has none the command refuses to run it.
      const { demo } = await loadMethod(DEFAULT_METHOD);
      const demos = demo === undefined ? [] : [["train"], ["train", "--out", "demo"]];
      const env = { ...BARE, PATH: `${folder}/bin:${Deno.env.get("PATH")}` };
      const asked = async (argv: string[], more: Record<string, string> = {}) => {
        Deno.writeTextFileSync(log, "");
        const { code, err } = await run(argv, { env: { ...env, ...more }, cwd: folder });
        equal(code, 6, `${argv}: ${err}`);
        return [Deno.readTextFileSync(log), err] as const;
      };
      for (const argv of [...demos, ["doctor", "--install"]]) {
        const [apt, err] = await asked(argv);
        match(apt, /^install -y --no-install-recommends .* mesa-vulkan-drivers libvulkan1\n$/, argv.join(" "));
        match(err, /^No WebGPU adapter found\. Installing Mesa's software Vulkan driver: apt-get install/m);
        equal((await asked([...argv, "--no-install"]))[0], "");
        equal((await asked(argv, { SEAL_NO_INSTALL: "1" }))[0], "");
      }
      for (const argv of [["doctor"], ["embed", "a.h5", "--encoder", ENCODER], ["test", "none"]]) {
        const [apt] = await asked(argv, argv[0] === "test" ? { SEAL_NO_INSTALL: "1" } : {});
        equal(apt, "", argv.join(" "));
      }
      equal((await asked(["test", "none", "--no-install"]))[0], "");
      match((await asked(["test", "none"]))[0], /^install /);
      ok(
        !Deno.lstatSync(folder).isFile && !(await Deno.lstat(`${folder}/data`).catch(() => undefined)),
        "no data were made",
      );
    }),
});

/** A hub on this machine that serves one file of every repository, and what it was asked. */
function hub(content: Uint8Array<ArrayBuffer>) {
  const asked: string[] = [];
  const sha256 = createHash("sha256").update(content).digest("hex");
  const server = serve(({ method, url, headers }) => {
    asked.push(`${method} ${new URL(url).pathname} ${headers.get("authorization")}`);
    if (!url.endsWith("/pytorch_model.bin")) return new Response(null, { status: 404 });
    const about = {
      "x-repo-commit": "a".repeat(40),
      "x-linked-etag": `"${sha256}"`,
      "x-linked-size": `${content.length}`,
    };
    return new Response(method === "HEAD" ? null : content, { headers: about });
  });
  return { asked, ...server };
}

Deno.test({
  name: "weights that a command lacks are downloaded by a process of its own, once, after its words were looked at",
  // Another process is asked, which only a network reaches.
  ignore: !LOOPBACK,
  fn: () =>
    inFolder(async (folder) => {
      await patchFile(`${folder}/a.h5`, 3);
      const content = Uint8Array.from({ length: 4000 }, (_, i) => i & 255);
      const server = hub(content);
      try {
        const env = { HF_HOME: `${folder}/hf home`, HF_ENDPOINT: server.address, HF_TOKEN: "hf_secret" };
        const args = ["embed", `${folder}/a.h5`, "--encoder", "uni", "--out", `${folder}/f`];
        for (const wrong of [["--bogus"], ["--shard", "2/1"]]) equal((await run([...args, ...wrong], { env })).code, 2);
        equal((await run(["embed", `${folder}/none.h5`, ...args.slice(2)], { env })).code, 4);
        equal(server.asked.length, 0);
        // The file is no PyTorch file: that is what the command ends with, once it is there.
        const first = await run(args, { env });
        ok([4, 5].includes(first.code), first.err);
        match(first.err, /pytorch_model\.bin|[0-9a-f]{64}/);
        ok(!/network|hf_secret/.test(first.err), first.err);
        const path = `${folder}/hf home/hub/models--MahmoodLab--UNI/snapshots/${"a".repeat(40)}/pytorch_model.bin`;
        deepEqual(Deno.readFileSync(path), content);
        deepEqual(server.asked.map((line) => line.replace(/\/[0-9a-f]{40}\//, "/COMMIT/")), [
          "HEAD /MahmoodLab/UNI/resolve/main/pytorch_model.bin Bearer hf_secret",
          "GET /MahmoodLab/UNI/resolve/COMMIT/pytorch_model.bin Bearer hf_secret",
          "HEAD /MahmoodLab/UNI/resolve/main/config.json Bearer hf_secret",
          "HEAD /MahmoodLab/UNI/resolve/main/preprocessor_config.json Bearer hf_secret",
        ]);
        // The cache has it now: nobody is asked.
        equal((await run(args, { env })).code, first.code);
        equal(server.asked.length, 4);
        // One the server has not.
        const { code, err } = await run(["embed", `${folder}/a.h5`, "--encoder", "phikon-v2", "--out", `${folder}/g`], {
          env,
        });
        equal(code, 5, err);
        match(err, /^WeightsError: Cannot download .*: the repository has no such file/);
        equal(err.match(/Error: /g)!.length, 1, err);
      } finally {
        await server.close();
      }
    }),
});
