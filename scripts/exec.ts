/**
 * Running child processes for the other scripts: output shown while it comes and kept for reading afterwards.
 *
 * @module
 */

import { commandOf } from "../src/cli/process.ts";
import { stripVTControlCharacters } from "node:util";

/** How a child ended and everything it printed, stdout and stderr in order of arrival, without colours. */
export interface Outcome {
  code: number;
  output: string;
}

/** The three numbers every test command of this project ends with. */
export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

/** The repository root, with a slash at the end. */
export const ROOT: string = decodeURIComponent(new URL("../", import.meta.url).pathname);

/**
 * Runs a program in the repository root without stdin.
 *
 * @param command Program; `deno` is the running binary.
 * @param options `env` on top of the own one; `quiet` keeps the output from the terminal.
 */
export async function exec(
  command: string,
  args: readonly string[],
  options: { env?: Record<string, string>; quiet?: boolean; cwd?: string } = {},
): Promise<Outcome> {
  const colours = Deno.stdout.isTerminal() && !options.quiet ? { FORCE_COLOR: "1" } : { NO_COLOR: "1" };
  const child = commandOf(command === "deno" ? Deno.execPath() : command, args, {
    cwd: options.cwd ?? ROOT,
    env: { ...colours, ...options.env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const parts: string[] = [];
  async function drain(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>)) {
      parts.push(text);
      if (!options.quiet) Deno.stdout.writeSync(new TextEncoder().encode(text));
    }
  }
  const [status] = await Promise.all([child.status, drain(child.stdout), drain(child.stderr)]);
  return { code: status.code, output: stripVTControlCharacters(parts.join("")) };
}

/** `N passed, N failed`, with `, N skipped` where something was. */
export function tallyLine({ passed, failed, skipped }: Tally): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

/** Reads {@linkcode tallyLine} back from the last line of an output; undefined if that is something else. */
export function readTally(output: string): Tally | undefined {
  const last = output.trimEnd().split("\n").pop() ?? "";
  const match = /^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/.exec(last);
  if (match === null) return undefined;
  return { passed: Number(match[1]), failed: Number(match[2]), skipped: Number(match[3] ?? 0) };
}
