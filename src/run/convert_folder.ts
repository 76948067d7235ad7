/**
 * A folder that samples or slides are converted into: one writer at a time, resumed when the same command is given again.
 *
 * `convert.json` says of each sample what it was made from and how, and whether it is finished; it is written before the first
 * file of a sample and behind the last.
 *
 * @module
 */

import { ConfigError, DataError } from "../core/errors.ts";
import { type Facts, notOwn, sameFacts } from "../core/facts.ts";
import type { Reporter } from "../core/reporter.ts";
import { VERSION } from "../core/version.ts";
import { readBytes } from "../io/disk.ts";
import { disk } from "../io/fs.ts";
import { type Lock, lockFolder } from "../io/lock.ts";
import { looksOwn } from "../io/made_output.ts";
import { isTyped } from "../io/system_error.ts";

const RECORD = "convert.json";

/** A sample to be made. */
export interface SampleRequest {
  readonly id: string;
  /** Hash of its inputs. */
  readonly input: string;
}

/** What is converted. */
export interface ConvertRequest<T> {
  readonly out: string;
  /** The conversion's name. */
  readonly what: string;
  readonly samples: readonly SampleRequest[];
  /** Settings as the record keeps them. */
  readonly settings: Facts;
  readonly overwrite: boolean;
  /** Paths that files of a sample can have below the folder. The last says whether what was made before is untouched. */
  paths(id: string): readonly string[];
  /** Paths without which a sample is not whole. */
  needed(id: string, converted: T): readonly string[];
}

/** Where a folder's files are looked for. */
type Places = Pick<ConvertRequest<unknown>, "out" | "paths">;

interface Entry {
  readonly made: Facts;
  /** What was made; missing while it is not finished. */
  readonly converted?: unknown;
}

/** The folder while it is written to. @typeParam T What is kept of a finished sample. */
export class ConvertFolder<T> {
  readonly #finished = new Map<string, T>();
  /** The record as it was. */
  readonly #before: ReadonlyMap<string, Entry>;

  private constructor(
    private readonly request: ConvertRequest<T>,
    private readonly samples: Map<string, Entry>,
    private readonly made: ReadonlyMap<string, Facts>,
    private readonly lock: Lock,
  ) {
    this.#before = new Map(samples);
  }

  /**
   * Takes the folder.
   *
   * @throws {ConfigError} If another process writes there, or it holds what is not to be replaced.
   */
  static open<T>(request: ConvertRequest<T>): ConvertFolder<T> {
    const { out, what, samples, overwrite } = request;
    const settings = { software: `seal-webgpu ${VERSION}`, conversion: what, ...request.settings };
    const lock = lockFolder(out, `convert ${what}`);
    try {
      const made = new Map(samples.map(({ id, input }) => [id, { ...settings, input_sha256: input }]));
      const folder = new ConvertFolder(request, readRecord(out), made, lock);
      if (!overwrite) { for (const { id } of samples) folder.#look(id); }
      return folder;
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /**
   * Converts a sample unless it is finished; one that fails leaves no trace in the record.
   *
   * @param told What is said of it.
   */
  async convert(id: string, reporter: Reporter, convert: () => Promise<T>, told: (converted: T) => string): Promise<T> {
    const before = this.#finished.get(id);
    if (before !== undefined) {
      reporter.say(`${id}: is there`);
      return before;
    }
    this.lock.check();
    this.samples.set(id, { made: this.made.get(id)! });
    this.#write();
    let converted: T;
    try {
      converted = await convert();
    } catch (error) {
      this.#forget(id);
      throw error;
    }
    this.samples.set(id, { made: this.made.get(id)!, converted });
    this.#write();
    reporter.say(told(converted));
    return converted;
  }

  /** Takes a sample back that failed; of one that was made before nothing stays that could be taken for whole. */
  #forget(id: string): void {
    const before = this.#before.get(id);
    const paths = this.request.paths(id).map((path) => `${this.request.out}/${path}`);
    // It goes first: while it is there, nothing else was touched.
    const untouched = disk.look(paths.at(-1)!) !== undefined;
    if (before !== undefined && untouched) this.samples.set(id, before);
    else this.samples.delete(id);
    if (before !== undefined && !untouched) {
      for (const path of paths) disk.remove(path);
    }
    if (this.samples.size > 0) this.#write();
    else disk.remove(`${this.request.out}/${RECORD}`);
  }

  #write(): void {
    const record = { format: 1, samples: Object.fromEntries(this.samples) };
    disk.write(`${this.request.out}/${RECORD}`, `${JSON.stringify(record, null, 2)}\n`);
  }

  #look(id: string): void {
    const { out, needed } = this.request;
    const entry = this.samples.get(id);
    if (entry === undefined) return refuseForeign(this.request, id);
    const now = this.made.get(id)!;
    const dropped = Object.keys(entry.made).filter((key) => !(key in now)).map((key) => [key, "not given"]);
    sameFacts(`${id} in ${out}`, entry.made, { ...Object.fromEntries(dropped), ...now });
    if (entry.converted === undefined) return;
    const converted = entry.converted as T;
    if (needed(id, converted).every((path) => disk.look(`${out}/${path}`) !== undefined)) {
      this.#finished.set(id, converted);
    }
  }

  [Symbol.dispose](): void {
    this.lock.release();
  }
}

/** Refuses files of a sample that are there although the record does not name it. */
function refuseForeign({ out, paths }: Places, id: string): void {
  const foreign = paths(id).map((path) => `${out}/${path}`).find((path) => disk.look(path) !== undefined);
  if (foreign !== undefined) throw notOwn(foreign, "it is there already, and not of this command");
}

/**
 * Refuses a folder that holds what is not to be replaced, as far as it is known before the inputs are read.
 *
 * @throws {ConfigError} If it does.
 * @throws {DataError} If its record is damaged.
 */
export function checkConvertFolder(places: Places, ids: readonly string[], overwrite: boolean): void {
  const known = readRecord(places.out);
  if (!overwrite) { for (const id of ids) if (!known.has(id)) refuseForeign(places, id); }
}

function readRecord(out: string): Map<string, Entry> {
  const path = `${out}/${RECORD}`;
  if (disk.look(path) === undefined) return new Map();
  try {
    const { format, samples } = JSON.parse(new TextDecoder().decode(readBytes(disk, path)));
    if (format === 1 && typeof samples === "object" && samples !== null) return new Map(Object.entries(samples));
  } catch (cause) {
    if (isTyped(cause)) throw cause;
    if (looksOwn(disk, path)) {
      throw new DataError(`Cannot use ${path}: it is damaged (${(cause as Error).message})`, {
        code: "output-damaged",
        hint: "Bring it back from a copy, or pass another --out",
        context: { file: path },
        cause,
      });
    }
  }
  throw new ConfigError(`Cannot write to ${out}: ${path} is no record of this command`, {
    code: "output-exists",
    hint: "Move it away, or pass another --out",
    context: { path },
  });
}
