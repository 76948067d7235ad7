/**
 * A data folder that sections are converted into: one writer at a time, resumed when the same command is given again.
 *
 * `convert.json` says of each sample what it was made from and how, and whether it is finished; it is written before the first
 * file of a sample and behind the last.
 *
 * @module
 */

import { ConfigError, DataError } from "../core/errors.ts";
import { type Facts, notOwn, sameFacts } from "../core/facts.ts";
import { VERSION } from "../core/version.ts";
import { type Converted, samplePaths } from "../data/convert/convert_sample.ts";
import { readBytes } from "../data/data_folder.ts";
import { disk } from "../io/fs.ts";
import { type Lock, lockFolder } from "../io/lock.ts";
import { looksOwn } from "../io/made_output.ts";
import { isTyped } from "../io/system_error.ts";
import { flagFacts } from "../run/output_folder.ts";

const RECORD = "convert.json";

/** Flags that name inputs, which count by content, or say where and how loud. */
const BY_CONTENT = ["counts", "spots", "image", "id"] as const;

/** A sample to be made. */
export interface SampleRequest {
  readonly id: string;
  /** Hash of its inputs. */
  readonly input: string;
}

interface Entry {
  readonly made: Facts;
  /** What was made; missing while it is not finished. */
  readonly converted?: Converted;
}

/** The folder while it is written to. */
export class ConvertFolder {
  readonly #finished = new Map<string, Converted>();
  /** The record as it was. */
  readonly #before: Readonly<Record<string, Entry>>;

  private constructor(
    readonly out: string,
    private readonly samples: Record<string, Entry>,
    private readonly made: ReadonlyMap<string, Facts>,
    private readonly lock: Lock,
  ) {
    this.#before = { ...samples };
  }

  /**
   * Takes the folder.
   *
   * @param what The conversion's name.
   * @param values Its flags.
   * @throws {ConfigError} If another process writes there, or it holds what is not to be replaced.
   */
  static open(
    out: string,
    what: string,
    requests: readonly SampleRequest[],
    values: Readonly<Record<string, unknown>> & { readonly overwrite: boolean },
  ): ConvertFolder {
    const settings = { software: `seal-webgpu ${VERSION}`, conversion: what, ...flagFacts(values, BY_CONTENT) };
    const lock = lockFolder(out, `convert ${what}`);
    try {
      const made = new Map(requests.map(({ id, input }) => [id, { ...settings, input_sha256: input }]));
      const folder = new ConvertFolder(out, readRecord(out), made, lock);
      if (!values.overwrite) { for (const { id } of requests) folder.#look(id); }
      return folder;
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /** A sample that is finished already, of the same inputs and settings. */
  finished(id: string): Converted | undefined {
    return this.#finished.get(id);
  }

  /** Says that a sample is begun; to be called before its first file is written. */
  begin(id: string): void {
    this.lock.check();
    this.samples[id] = { made: this.made.get(id)! };
    this.#write();
  }

  /** Says that a sample is finished. */
  finish(id: string, converted: Converted): void {
    this.samples[id] = { made: this.made.get(id)!, converted };
    this.#write();
  }

  /** Takes a sample back that failed; of one that was made before nothing stays that could be taken for whole. */
  forget(id: string): void {
    const before = this.#before[id];
    const paths = samplePaths(id);
    // The metadata go first: while they are there, nothing else was touched.
    const untouched = disk.look(`${this.out}/${paths.metadata}`) !== undefined;
    if (before !== undefined && untouched) this.samples[id] = before;
    else delete this.samples[id];
    if (before !== undefined && !untouched) {
      for (const path of Object.values(paths)) disk.remove(`${this.out}/${path}`);
    }
    if (Object.keys(this.samples).length > 0) this.#write();
    else disk.remove(`${this.out}/${RECORD}`);
  }

  #write(): void {
    disk.write(`${this.out}/${RECORD}`, `${JSON.stringify({ format: 1, samples: this.samples }, null, 2)}\n`);
  }

  #look(id: string): void {
    const entry = this.samples[id];
    if (entry === undefined) return refuseForeign(this.out, id);
    const paths = Object.entries(samplePaths(id)).map(([file, path]) => ({ file, path: `${this.out}/${path}` }));
    const now = this.made.get(id)!;
    const dropped = Object.keys(entry.made).filter((key) => !(key in now)).map((key) => [key, "not given"]);
    sameFacts(`${id} in ${this.out}`, entry.made, { ...Object.fromEntries(dropped), ...now });
    const whole = paths.every(({ file, path }) =>
      (file === "wsi" && now["--wsi"] === "none") || disk.look(path) !== undefined
    );
    if (entry.converted !== undefined && whole) this.#finished.set(id, entry.converted);
  }

  [Symbol.dispose](): void {
    this.lock.release();
  }
}

/** Refuses files of a sample that are there although the record does not name it. */
function refuseForeign(out: string, id: string): void {
  const foreign = Object.values(samplePaths(id)).map((path) => `${out}/${path}`)
    .find((path) => disk.look(path) !== undefined);
  if (foreign !== undefined) throw notOwn(foreign, "it is there already, and not of this command");
}

/**
 * Refuses a folder that holds what is not to be replaced, as far as it is known before the inputs are read.
 *
 * @throws {ConfigError} If it does.
 * @throws {DataError} If its record is damaged.
 */
export function checkConvertFolder(out: string, ids: readonly string[], overwrite: boolean): void {
  const known = readRecord(out);
  if (!overwrite) { for (const id of ids) if (!Object.hasOwn(known, id)) refuseForeign(out, id); }
}

function readRecord(out: string): Record<string, Entry> {
  const path = `${out}/${RECORD}`;
  if (disk.look(path) === undefined) return {};
  try {
    const { format, samples } = JSON.parse(new TextDecoder().decode(readBytes(disk, path)));
    if (format === 1 && typeof samples === "object" && samples !== null) return samples;
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
