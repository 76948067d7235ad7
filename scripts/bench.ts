/**
 * Looks for a WebGPU adapter, then benches in the environment it was found in: `deno bench` over `bench/`, or with
 * `--profile` the profiler of `bench/profile/main.ts`, which the other arguments go to.
 *
 * @module
 */

import { denoCommand } from "../src/cli/process.ts";
import { ensureAdapter } from "../src/cli/setup.ts";

/** Folders that any bench may write to. */
const FOLDERS = ["bench/results", "data/cache"];

/** Files and folders that the profiler is told to write. */
function outputs(args: readonly string[]): string[] {
  return args.flatMap((word, i) => {
    const [, flag, value] = /^--(json|trace|record)(?:=(.*))?$/.exec(word) ?? [];
    const path = flag === undefined ? undefined : value ?? args[i + 1];
    return path && !path.startsWith("--") ? [path] : [];
  });
}

/** Arguments of `deno` for those of the task. */
export function benchArgs(args: readonly string[]): string[] {
  const profiled = args.includes("--profile");
  const rest = args.filter((word) => word !== "--profile");
  const writes = profiled ? [...FOLDERS, ...outputs(rest)] : FOLDERS;
  const permissions = [
    "--no-prompt",
    "--allow-read",
    `--allow-write=${writes.join(",")}`,
    "--allow-env",
    "--allow-sys",
    "--allow-run=git,nvidia-smi",
    "--no-check",
  ];
  return profiled
    ? ["run", "--quiet", ...permissions, "bench/profile/main.ts", ...rest]
    : ["bench", ...permissions, "bench/", ...rest];
}

if (import.meta.main) {
  const { env, probe, mend } = await ensureAdapter();
  if (!probe.adapter) {
    console.error(`Cannot find a WebGPU adapter: ${probe.error ?? "the system offers none"}\nhint: ${mend}`);
    Deno.exit(6);
  }
  const child = denoCommand(benchArgs(Deno.args), { env, stdout: "inherit", stderr: "inherit" });
  Deno.exit((await child.spawn().status).code);
}
