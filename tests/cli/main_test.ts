import { deepEqual, equal, match, ok } from "node:assert/strict";
import config from "../../deno.json" with { type: "json" };
import { findings } from "../../src/cli/doctor.ts";
import { DEFAULT_METHOD, loadMethod } from "../../src/methods/index.ts";
import { ended, launched, task, taskArgs } from "./command.ts";

async function seal(argv: string[], env: Record<string, string> = {}) {
  const command = Object.hasOwn(config.tasks, argv[0]!) ? task(argv, { env }) : await launched(argv, { env });
  const { code, out: stdout, err: stderr } = await ended(command.output());
  return { code, stdout, stderr };
}

/** A machine without any adapter, on which nothing may be installed. */
const BARE = { DENO_WEBGPU_BACKEND: "vulkan", VK_DRIVER_FILES: "/nonexistent", VK_ICD_FILENAMES: "/nonexistent" };

Deno.test("the command line offers the nearest command and exits with 2", async () => {
  const { code, stderr } = await seal(["docter"]);
  equal(code, 2);
  match(stderr, /^ConfigError: Cannot run "docter": no such command\nhint: Did you mean doctor\?/);
});

Deno.test("the command line offers the nearest flag and exits with 2", async () => {
  const { code, stderr } = await seal(["doctor", "--instal"]);
  equal(code, 2);
  match(stderr, /hint: Did you mean --install\?/);
});

Deno.test("the command line prints an error as JSON when asked for JSON", async () => {
  const { code, stdout } = await seal(["doctor", "--json", "--instal"]);
  equal(code, 2);
  equal(JSON.parse(stdout).error.code, "config");
});

Deno.test("--help lists commands and flags and exits with 0", async () => {
  const [all, one] = await Promise.all([seal(["--help"]), seal(["doctor", "--help"])]);
  deepEqual([all.code, one.code], [0, 0]);
  match(all.stdout, /^ {2}doctor /m);
  for (const flag of ["--install", "--software", "--json", "--help"]) ok(one.stdout.includes(`  ${flag} `), flag);
  ok(one.stdout.includes("Example: deno task doctor"));
});

Deno.test("doctor reports an adapter that computes, with its limits", async () => {
  const { code, stdout, stderr } = await seal(["doctor", "--json"]);
  equal(code, 0, stderr);
  const report = JSON.parse(stdout);
  equal(report.runtime.deno, Deno.version.deno);
  equal(report.device.selfTest, 0);
  ok(report.device.caps.limits.maxStorageBuffersPerShaderStage >= 8);
  ok(report.disk.freeBytes > 0);
  ok(report.device.numerics.functions.length > 5);
  const { proof } = await loadMethod(DEFAULT_METHOD);
  const { steps, error } = report.steps;
  if (proof === undefined) deepEqual([steps, error], [0, 0]);
  else ok(steps >= 10 && error < 1e-3, JSON.stringify(report.steps));
  // The same machine whose losses are not PyTorch's, or which cannot train.
  const fatal = (changes: object) => findings({ ...report, ...changes }, "").filter((finding) => finding.fatal);
  deepEqual(fatal({}), []);
  const [wrong] = fatal({ steps: { steps: 10, error: Number.MAX_VALUE, worst: "loss of step 3" } });
  match(wrong!.what, /^Losses of 10 training steps are not PyTorch's: loss of step 3 is off by 1\.8e\+308/);
  match(wrong!.mend, /deno task verify/);
  match(fatal({ steps: undefined, error: "lost" })[0]!.what, /could not be tried: lost/);
});

Deno.test("doctor exits with 6 and names the mend where there is no adapter", async () => {
  const { code, stdout } = await seal(["doctor"], BARE);
  equal(code, 6);
  match(stdout, /MISSING: No WebGPU adapter\n +\S/);
});

Deno.test("doctor never prints the token", async () => {
  const { stdout } = await seal(["doctor", "--json"], { ...BARE, HF_TOKEN: "hf_secret" });
  equal(JSON.parse(stdout).token, "HF_TOKEN");
  ok(!stdout.includes("hf_secret"));
});

Deno.test("tests and benches exit with 6 and the line to type where there is no adapter", async () => {
  for (const name of ["test", "bench"]) {
    const command = new Deno.Command(Deno.execPath(), {
      args: taskArgs(name),
      env: { ...BARE, SEAL_NO_INSTALL: "1" },
    });
    const { code, stderr } = await command.output();
    equal(code, 6);
    match(new TextDecoder().decode(stderr), /^Cannot find a WebGPU adapter: .*\nhint: \S/);
  }
});
