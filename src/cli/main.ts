/**
 * Entry point of the command line: finds the sub-command, parses its flags, makes sure of an adapter where one is
 * needed, and turns errors into exit statuses.
 *
 * @module
 */

import { ConfigError, exitCodeOf, type SealError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import { type Command, helpText, parseArgs } from "./args.ts";
import { prepareGpu } from "./setup.ts";

/** Commands by name; each file is loaded when it is asked for. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  convert: () => import("./convert.ts"),
  doctor: () => import("./doctor.ts"),
  embed: () => import("./embed.ts") as Promise<Command>,
  evaluate: () => import("./evaluate.ts") as Promise<Command>,
  inspect: () => import("./inspect.ts") as Promise<Command>,
  predict: () => import("./predict.ts") as Promise<Command>,
  report: () => import("./report.ts") as Promise<Command>,
  retrieve: () => import("./retrieve.ts") as Promise<Command>,
  synth: () => import("./synth.ts") as Promise<Command>,
  train: () => import("./train.ts") as Promise<Command>,
};

/**
 * Runs one command line.
 *
 * @returns The exit status: 0 done, 1 unexpected failure, 2 wrong usage, 3 some items failed, 4 unusable input,
 * 5 weights, 6 no adapter, 75 interrupted.
 */
export async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  // Hidden: the probe runs in a process of its own, which in a compiled binary can only be this one.
  if (name === "probe") return (await import("./probe.ts")).run(rest);
  try {
    if (name === undefined || name === "--help" || name === "-h" || name === "help") {
      console.log(await overview());
      return name === undefined ? 2 : 0;
    }
    const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (load === undefined) throw unknownCommand(name);
    return await runCommand(await load(), rest);
  } catch (error) {
    report(error, rest.includes("--json"));
    return exitCodeOf(error);
  }
}

async function runCommand(command: Command, argv: readonly string[]): Promise<number> {
  const own = argv.includes("--") ? argv.slice(0, argv.indexOf("--")) : argv;
  if (own.includes("--help") || own.includes("-h")) {
    console.log(helpText(command));
    return 0;
  }
  const args = parseArgs(command.flags, argv, {
    words: command.words !== undefined,
    overrides: command.overrides ?? false,
  });
  if (command.needsGpu) await prepareGpu({ software: args.flags["software"] === true });
  return await command.run(args) ?? 0;
}

async function overview(): Promise<string> {
  const commands = await Promise.all(Object.values(COMMANDS).map((load) => load()));
  const width = Math.max(...commands.map((command) => command.name.length));
  return [
    "Fine-tunes pathology encoders on spatial transcriptomics (SEAL) and embeds slides, on WebGPU.",
    "",
    "Usage: deno task COMMAND [flags]; deno task COMMAND --help lists the flags",
    "",
    ...commands.map((command) => `  ${command.name.padEnd(width)}  ${command.summary}`),
  ].join("\n");
}

function unknownCommand(name: string): ConfigError {
  const near = nearest(name, Object.keys(COMMANDS));
  return new ConfigError(`Cannot run ${JSON.stringify(name)}: no such command`, {
    hint: near === undefined ? `Commands: ${Object.keys(COMMANDS).join(", ")}` : `Did you mean ${near}?`,
    context: { given: name, ...(near === undefined ? {} : { nearest: near }) },
  });
}

function report(error: unknown, json: boolean): void {
  const { name, message, code, hint, context } = error as Partial<SealError>;
  // An error without a code is a defect of this program: its trace is what a report needs.
  console.error(code === undefined ? (error instanceof Error ? error.stack : String(error)) : `${name}: ${message}`);
  if (hint !== undefined) console.error(`hint: ${hint}`);
  if (json) console.log(JSON.stringify({ error: { name, code, message: message ?? String(error), hint, context } }));
}

if (import.meta.main) Deno.exit(await main(Deno.args));
