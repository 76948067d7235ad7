/**
 * Entry point of the command line: finds the sub-command, parses its flags, listens to signals, and turns errors into exit
 * statuses.
 *
 * @module
 */

import { ConfigError, exitCodeOf, InterruptedError, type SealError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import { removeEmptyMade } from "../io/fs.ts";
import { surfaced } from "../io/system_error.ts";
import { type Args, type Command, helpText, parseArgs } from "./args.ts";
import { COMMANDS } from "./commands.gen.ts";
import { Interrupt, type Job } from "./interrupt.ts";
import { askedOfLauncher } from "./launched.ts";
import { print, printJson, say, sayLines } from "./terminal.ts";

/** Characters of a message that are shown. */
const MOST_SHOWN = 4000;

/**
 * Runs one command line.
 *
 * @returns The exit status: 0 done, 1 unexpected failure, 2 wrong usage, 3 some items failed, 4 unusable input,
 * 5 weights, 6 no adapter, 75 interrupted.
 */
export async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  // Hidden: the probe runs in a process of its own, which in a compiled binary can only be this one.
  if (name === "probe") return (await import("./adapter_probe.ts")).run(rest);
  // Hidden: what the launcher starts before a command that may not look for other processes.
  if (name === "unlock") {
    (await import("./unlock.ts")).unlock(rest[0]!);
    return 0;
  }
  const json = rest.includes("--json");
  const interrupt = new Interrupt(argv, json);
  try {
    if (name === undefined || name === "--help" || name === "-h" || name === "help") {
      print(await overview());
      return name === undefined ? 2 : 0;
    }
    // Hidden: what the launcher starts to get the weights that a command lacks.
    if (name === "fetch") return await fetchFor(rest);
    return await runCommand(await find(name), rest, interrupt);
  } catch (thrown) {
    const error = surfaced(thrown);
    if (isStop(error, interrupt.signal)) return interrupt.end(error);
    const asked = askedOfLauncher(error);
    if (asked !== undefined) return asked;
    report(error, json, await elsewhereOf(name, rest));
    return exitCodeOf(error);
  } finally {
    interrupt.close();
    // What was refused or broke off leaves no folder in which nothing is.
    removeEmptyMade();
  }
}

/** Whether an error is the answer to a signal and no failure of its own. */
function isStop(error: unknown, signal: AbortSignal): error is InterruptedError {
  return error instanceof InterruptedError || (signal.aborted && error === signal.reason);
}

async function find(name: string): Promise<Command> {
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (load === undefined) throw unknownCommand(name);
  return await load();
}

async function argsOf(command: Command, argv: readonly string[]): Promise<Args> {
  const { flags, words, overrides = false } = command;
  return parseArgs(flags, argv, { words: words !== undefined, overrides, keys: await command.keys?.(argv) });
}

/** Downloads the encoders that a command line names. */
async function fetchFor([name = "", ...rest]: readonly string[]): Promise<number> {
  const command = await find(name);
  const args = await argsOf(command, rest);
  const { encoder } = args.flags;
  const named = await command.encoders?.(args) ?? [encoder].filter((value) => typeof value === "string");
  const { fetchEncoder } = await import("../run/encoder.ts");
  const { Progress } = await import("./progress.ts");
  const progress = new Progress(args.flags["quiet"] === true);
  for (const each of new Set(named)) {
    await fetchEncoder(each, (what, done, total) => progress.update(what, done, total, "bytes"));
  }
  return 0;
}

async function runCommand(command: Command, argv: readonly string[], job: Job): Promise<number> {
  const own = argv.includes("--") ? argv.slice(0, argv.indexOf("--")) : argv;
  if (own.includes("--help") || own.includes("-h")) {
    print(helpText(command, await command.details?.(own)));
    return 0;
  }
  return await command.run(await argsOf(command, argv), job) ?? 0;
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

/** What hints say for `another --out`. */
async function elsewhereOf(name: string | undefined, argv: readonly string[]): Promise<string> {
  const command = name !== undefined && Object.hasOwn(COMMANDS, name) ? await COMMANDS[name]!() : undefined;
  return command?.elsewhere?.(argv) ?? "another --out";
}

function report(error: unknown, json: boolean, elsewhere: string): void {
  const { name, message, code, context, hint: said } = error as Partial<SealError>;
  const hint = said?.replace(
    /another --out\b|--out with another folder/,
    (words) => elsewhere === "another --out" ? words : elsewhere,
  );
  const typed = typeof (error as Partial<SealError>).exitCode === "number";
  // An error of no class of ours is a defect of this program: its trace is what a report needs.
  if (typed) say(`${name}: ${shortened(message!)}`);
  else sayLines(shortened(error instanceof Error ? error.stack ?? String(error) : String(error)));
  if (typed && hint !== undefined) say(`hint: ${hint}`);
  if (json) printJson({ error: { name, code, message: message ?? String(error), hint, context } });
}

/** Content of a hostile file may stand in a message, at any length. */
function shortened(text: string): string {
  return text.length <= MOST_SHOWN ? text : `${text.slice(0, MOST_SHOWN)} … (${text.length} characters)`;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
