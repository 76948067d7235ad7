/**
 * Products by matrix units under Deno with Dawn, on a software adapter that has them (`matrix_adapter.ts`): all cases of matmul,
 * linear and attention in f16, whole encoders, 50 steps of training, texts for units of other sizes. Minutes.
 * `--only OP|encoders|steps|texts|without` narrows, `--part 1/4` takes a fourth of the cases, `--case TEXT` those whose names begin
 * so, `--archive URL` names Debian's archive, `--record FILE` writes what was printed, with paths and hosts removed.
 *
 * @module
 */

import { findDawn, INSTALL_DAWN } from "../src/cli/backend.ts";
import { exec, ROOT } from "./exec.ts";
import { matrixAdapter } from "./matrix_adapter.ts";

/** What a transcript holds: no place of this machine, no host of a network. */
export function transcript(output: string): string {
  return output.replaceAll(ROOT, "").replaceAll(/(?:file|https?):\/\/\S+/g, "…").replaceAll(
    /(?<![\w.])\/[\w.-]+\/\S*/g,
    "…",
  )
    .split("\n").filter((line) => !line.startsWith("Warning: ")).join("\n");
}

function valueOf(name: string): string | undefined {
  const at = Deno.args.indexOf(name);
  return at < 0 ? undefined : Deno.args[at + 1];
}

if (import.meta.main) {
  const dawn = await findDawn();
  if (dawn === undefined) {
    console.error(`Cannot run the tests of matrix units: Dawn is not installed\nhint: ${INSTALL_DAWN}`);
    Deno.exit(6);
  }
  const { command: [loader, ...before], env, version } = await matrixAdapter(valueOf("--archive"));
  const narrowed = ["--only", "--part", "--case"].flatMap((flag) =>
    valueOf(flag) === undefined ? [] : [flag, valueOf(flag)!]
  );
  const permissions = ["--no-prompt", "--no-check", "--quiet", "--allow-read", `--allow-ffi=${dawn}`];
  const rest = ["tests/platform/matrix_main.ts", dawn, ...narrowed];
  const args = [...before, Deno.execPath(), "run", ...permissions, "--allow-env=LOG_STREAM,LOG_TOKENS", ...rest];
  console.log(`Mesa ${version}`);
  const { code, output } = await exec(loader!, args, { env: { ...env } });
  const record = valueOf("--record");
  if (record !== undefined) {
    const words = narrowed.map((word) => (word.includes(" ") ? `"${word}"` : word));
    const command = ["deno task test:matrix", ...words].join(" ");
    await Deno.writeTextFile(record, `$ ${command}\nMesa ${version}\n${transcript(output)}`);
  }
  Deno.exit(code);
}
