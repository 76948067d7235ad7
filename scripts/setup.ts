/**
 * Looks for a WebGPU adapter; with `-- ARGS` then runs `deno ARGS` in the environment the adapter was found in.
 *
 * @module
 */

import { denoCommand } from "../src/cli/process.ts";
import { ensureAdapter } from "../src/cli/setup.ts";

if (import.meta.main) {
  const { env, probe, mend } = await ensureAdapter();
  if (!probe.adapter) {
    console.error(`Cannot find a WebGPU adapter: ${probe.error ?? "the system offers none"}\nhint: ${mend}`);
    Deno.exit(6);
  }
  const at = Deno.args.indexOf("--");
  if (at < 0) {
    console.log(`WebGPU adapter: ${probe.adapter.description}${probe.adapter.software ? " (software)" : ""}`);
  } else {
    const child = denoCommand(Deno.args.slice(at + 1), { env, stdout: "inherit", stderr: "inherit" });
    Deno.exit((await child.spawn().status).code);
  }
}
