/** How tests start the command line: as its tasks do, with the permissions they declare and no others. */

import { denoFlags, permissionsOf } from "../../src/cli/permissions.ts";
import { taskArgs } from "../../scripts/task_args.ts";

export { taskArgs };

const ROOT = new URL("../../", import.meta.url);

/** What a process of a test is given, and what becomes of its streams. */
export type Options = Omit<Deno.CommandOptions, "args">;

const QUIET: Options = { stdin: "null", stdout: "piped", stderr: "piped" };

/** A command line as `deno task` starts it. Signals reach the command by way of the launcher. */
export function task(argv: readonly string[], options: Options = {}): Deno.Command {
  const [name, ...rest] = argv;
  return new Deno.Command(Deno.execPath(), { ...QUIET, ...options, args: [...taskArgs(name!), ...rest] });
}

/** A command line as the launcher starts it, without the launcher: a process that can be killed, under the same permissions. */
export async function launched(argv: readonly string[], options: Options = {}): Promise<Deno.Command> {
  const main = new URL("src/cli/main.ts", ROOT).pathname;
  const args = ["run", ...denoFlags(await permissionsOf(argv)), main, ...argv];
  return new Deno.Command(Deno.execPath(), { ...QUIET, ...options, args });
}

/** Waits, as long as it takes on a busy machine, until something is so; fails if the process ends before. */
export async function until(child: Deno.ChildProcess, isSo: () => unknown): Promise<void> {
  let over = false;
  child.status.then(() => over = true);
  while (!isSo()) {
    if (over) throw new Error("The process ended before what was waited for");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** How a process ended and what it said. */
export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Waits for the end of a process. */
export async function ended(output: Promise<Deno.CommandOutput>): Promise<Ended> {
  const { code, stdout, stderr } = await output;
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: text(stderr) };
}

/** Runs a command line as `deno task` does. */
export async function seal(...argv: string[]): Promise<Ended> {
  return await ended(task(argv).output());
}
