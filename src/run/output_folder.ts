/**
 * The folder of a command that writes several files and last the one that says all is there: one writer at a time, continued
 * when the same command is given again, never over what other inputs, other settings or other programs made.
 *
 * The last file, the result, holds under `made` what it was made from and how, and the command's status. From the first file
 * on until then `COMMAND.partial.json` says the same of what is begun.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { type Facts, notOwn, sameFacts } from "../core/facts.ts";
import { VERSION } from "../core/version.ts";
import { readBytes } from "../io/disk.ts";
import { entryAt } from "../host/files.ts";
import { disk, makeFolder } from "../io/fs.ts";
import { type Lock, lockFolder } from "../io/lock.ts";
import { unreadable } from "../io/made_output.ts";
import { checkFolder, trimmed } from "../io/output.ts";

/** What is to be written. */
export interface OutputRequest {
  readonly out: string;
  readonly command: string;
  /** Name of the result. */
  readonly result: string;
  /** Names at the top of the folder that the command writes before it. */
  readonly names: readonly string[];
  /** What it is made from and how. */
  readonly facts: Facts;
  readonly overwrite: boolean;
}

/** A finished result of the same inputs and settings. */
export interface Finished {
  readonly json: Readonly<Record<string, unknown>>;
  readonly status: number;
}

/** Flags that say where and how loud, not what. */
const NO_FACTS: ReadonlySet<string> = new Set(["out", "overwrite", "quiet", "json"]);

/** Settings as facts: every flag that was given but those of `without`. */
export function flagFacts(values: Readonly<Record<string, unknown>>, without: readonly string[] = []): Facts {
  const said = Object.entries(values).filter(([name, value]) =>
    !NO_FACTS.has(name) && !without.includes(name) && value !== undefined && value !== false &&
    !(Array.isArray(value) && value.length === 0)
  );
  return Object.fromEntries(
    said.map(([name, value]) => [`--${name}`, Array.isArray(value) ? value.join(" ") : String(value)]),
  );
}

/** All facts of both: a flag that only one of two commands has differs too. */
function union(before: Readonly<Record<string, unknown>>, now: Facts): Facts {
  return { ...Object.fromEntries(Object.keys(before).map((key) => [key, "not given"])), ...now };
}

/** The object in a JSON file. @throws {SyntaxError} If there is none. */
function objectIn(path: string): Record<string, unknown> {
  const value = JSON.parse(new TextDecoder().decode(readBytes(disk, path)));
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw new SyntaxError("no JSON object");
}

/** A result that is there. @throws {DataError | ConfigError} If it is damaged, or of another program. */
function parsed(path: string): Record<string, unknown> {
  try {
    return objectIn(path);
  } catch (error) {
    throw unreadable(disk, path, error);
  }
}

function readJson(path: string): Record<string, unknown> | undefined {
  try {
    return objectIn(path);
  } catch {
    return undefined;
  }
}

/** The folder while it is written to. */
export class OutputFolder {
  #begun = false;

  private constructor(
    readonly path: string,
    /** The result, if it is finished already. */
    readonly finished: Finished | undefined,
    private readonly request: OutputRequest,
    private readonly facts: Facts,
    private readonly lock: Lock,
  ) {}

  /**
   * Takes the folder.
   *
   * @throws {ConfigError} If it cannot be written, another process writes there, or it holds what is not to be replaced.
   */
  static open(request: OutputRequest): OutputFolder {
    const path = trimmed(request.out);
    checkFolder(path);
    const facts = { software: `seal-webgpu ${VERSION}`, ...request.facts };
    const lock = lockFolder(path, request.command);
    try {
      const finished = request.overwrite ? undefined : look(path, request, facts);
      const folder = new OutputFolder(path, finished, request, facts, lock);
      if (finished !== undefined) disk.remove(folder.#partial);
      return folder;
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  get #partial(): string {
    return partialOf(this.path, this.request);
  }

  /** Says what is begun; to be called before the first file is written. */
  begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    makeFolder(this.path);
    disk.write(this.#partial, `${JSON.stringify({ command: this.request.command, made: this.facts }, null, 2)}\n`);
  }

  /** Writes the result, behind which nothing is missing. */
  finish(json: Readonly<Record<string, unknown>>, status: number): Record<string, unknown> {
    this.begin();
    this.lock.check();
    // First, so that a file that was cut short still says whose it is.
    const result = { made: { ...this.facts, status }, ...json };
    disk.write(`${this.path}/${this.request.result}`, `${JSON.stringify(result, null, 2)}\n`);
    disk.remove(this.#partial);
    return result;
  }

  [Symbol.dispose](): void {
    // What failed before its first file left nothing to go on with.
    const { names, result } = this.request;
    if (this.#begun && ![result, ...names].some((name) => entryAt(`${this.path}/${name}`))) disk.remove(this.#partial);
    this.lock.release();
  }
}

function partialOf(path: string, { command }: OutputRequest): string {
  return `${path}/${command}.partial.json`;
}

function look(path: string, request: OutputRequest, facts: Facts): Finished | undefined {
  const [result, partial] = [`${path}/${request.result}`, partialOf(path, request)];
  if (disk.look(result) !== undefined) {
    const json = parsed(result);
    const { made } = json;
    if (typeof made !== "object" || made === null) {
      throw notOwn(result, "it is there already and does not say what it was made from");
    }
    const { status, ...before } = made as Record<string, unknown>;
    sameFacts(result, before, union(before, facts));
    return { json, status: typeof status === "number" ? status : 0 };
  }
  if (disk.look(partial) !== undefined) {
    const { made, command } = readJson(partial) ?? {};
    if (command !== request.command || typeof made !== "object" || made === null) {
      throw new ConfigError(`Cannot write to ${path}: ${partial} is no file of this command`, {
        code: "output-exists",
        hint: "Move it away, or pass another --out",
        context: { path: partial },
      });
    }
    sameFacts(path, made as Record<string, unknown>, union(made as Record<string, unknown>, facts));
    return undefined;
  }
  const foreign = request.names.find((name) => entryAt(`${path}/${name}`) !== undefined);
  if (foreign !== undefined) throw notOwn(`${path}/${foreign}`, "it is there already, and not of this command");
  return undefined;
}
