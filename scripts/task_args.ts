/**
 * Tasks of `deno.json` as arguments of `deno`, for whoever starts one without a shell.
 *
 * @module
 */

import config from "../deno.json" with { type: "json" };

const ROOT = new URL("../", import.meta.url);
const TASKS: Readonly<Record<string, { command: string } | undefined>> = config.tasks;

/** Arguments of `deno` that a task declares, from its permissions to its script and what follows that. */
export function taskArgs(name: string): string[] {
  const { command } = TASKS[name] ?? { command: "" };
  const [deno, ...words] = command.replaceAll('"$(deno run --no-prompt scripts/exec_path.ts)"', Deno.execPath()).split(
    " ",
  );
  const script = words.findIndex((word) => word.endsWith(".ts"));
  if (deno !== "deno" || script < 0) throw new Error(`The task ${name} is not "deno … SCRIPT.ts …" but: ${command}`);
  return words.map((word, i) => (i === script ? new URL(word, ROOT).pathname : word));
}
