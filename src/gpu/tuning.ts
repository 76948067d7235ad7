/**
 * What was measured of kernel variants on one adapter: the fastest for each class of shapes. It is made once, kept in a file,
 * and taken for that adapter, its driver and these kernels alone: what was picked decides how sums are grouped, so that results
 * are the same bits for a given file.
 *
 * @module
 */

import { ConfigError, FormatError } from "../core/errors.ts";
import { streamOf } from "../core/rng.ts";

/** Whose measurements they are. */
export interface TuningOf {
  /** Name of the adapter. */
  readonly adapter: string;
  /** What the runtime tells of vendor, architecture and device, and the runtime itself. */
  readonly driver: string;
  /** Of the texts of the kernels that have variants. */
  readonly kernels: string;
}

/** One class of shapes. */
export interface TunedClass {
  /** Operation, types and extents, those that follow the batch rounded up to a power of two. */
  readonly class: string;
  /** The variant to take. */
  readonly pick: string;
  /** What the rule takes where nothing was measured. */
  readonly rule: string;
  /** Milliseconds of each variant, one call; null where it did not compile or gave other numbers. */
  readonly ms: Readonly<Record<string, number | null>>;
}

/** The file. */
export interface TuningFile extends TuningOf {
  readonly format: 1;
  readonly classes: readonly TunedClass[];
  /**
   * Where subgroups were faster: milliseconds of a call of each class with them, and on a device that was not asked for them,
   * which may be faster in all else. What was less was picked.
   */
  readonly subgroups?: { readonly with: number; readonly without: number };
}

/** What operations look up. */
export interface Tuning {
  /** Name of the file, for messages; empty where it is not kept. */
  readonly file: string;
  /** What its picks are known by: two files with the same one give the same bits. */
  readonly mark: string;
  /** Variant by class. */
  readonly picks: Pick<ReadonlyMap<string, string>, "get">;
}

/** The extent that stands for all up to it: a power of two. */
export function bucketOf(extent: number): number {
  let bucket = 1;
  while (bucket < extent) bucket *= 2;
  return bucket;
}

/** What the picks of a file are known by, whatever was measured of the others. */
export function markOfPicks({ classes, adapter, driver, kernels }: TuningFile): string {
  const picks = classes.map((each) => `${each.class}: ${each.pick}`).sort();
  return streamOf([adapter, driver, kernels, ...picks].join("\n")).toString(16).padStart(8, "0");
}

const isText = (value: unknown): value is string => typeof value === "string" && value.length > 0;

function isClass(value: unknown): value is TunedClass {
  if (typeof value !== "object" || value === null) return false;
  const { class: name, pick, rule, ms } = value as Record<string, unknown>;
  if (![name, pick, rule].every(isText) || typeof ms !== "object" || ms === null) return false;
  return Object.values(ms).every((time) => time === null || (typeof time === "number" && time >= 0));
}

/**
 * Reads a file that {@linkcode TuningFile} describes.
 *
 * @throws {FormatError} Naming what is wrong with it.
 */
export function parseTuning(text: string, file: string): TuningFile {
  const fail = (found: string): never => {
    throw new FormatError(`Cannot read ${file}: ${found}, expected what deno task tune writes`, {
      code: "tuning",
      hint: "Make it again with deno task tune --out FILE",
      context: { path: file },
    });
  };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return fail("it is no JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return fail("it is no object");
  const given = value as Record<string, unknown>;
  if (given.format !== 1) return fail(`format is ${JSON.stringify(given.format) ?? "missing"}`);
  const missing = ["adapter", "driver", "kernels"].find((key) => !isText(given[key]));
  if (missing !== undefined) return fail(`${missing} is ${JSON.stringify(given[missing]) ?? "missing"}`);
  if (!Array.isArray(given.classes)) return fail("classes is no list");
  const bad = given.classes.findIndex((each) => !isClass(each));
  if (bad >= 0) return fail(`classes[${bad}] is ${JSON.stringify(given.classes[bad])?.slice(0, 80)}`);
  const { subgroups } = given as { subgroups?: { with?: unknown; without?: unknown } };
  if (subgroups !== undefined && ![subgroups?.with, subgroups?.without].every((ms) => typeof ms === "number")) {
    return fail(`subgroups is ${JSON.stringify(subgroups)}`);
  }
  const names = given.classes.map((each: TunedClass) => each.class);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) return fail(`class "${twice}" stands there twice`);
  return given as unknown as TuningFile;
}

/**
 * What operations look up, of a file made for this device.
 *
 * @throws {ConfigError} If it was made for another, or with other kernels.
 */
export function tuningFor(made: TuningFile, file: string, own: TuningOf): Tuning {
  const what = { adapter: "the adapter", driver: "the driver", kernels: "kernels of version" } as const;
  for (const key of ["adapter", "driver", "kernels"] as const) {
    if (made[key] === own[key]) continue;
    throw new ConfigError(`Cannot use ${file}: it was made for ${what[key]} ${made[key]}, this is ${own[key]}`, {
      code: "tuning",
      hint: "Make one for this machine with deno task tune --out FILE, or go without --tuning",
      context: { path: file, key, given: made[key], wanted: own[key] },
    });
  }
  return { file, mark: markOfPicks(made), picks: new Map(made.classes.map((each) => [each.class, each.pick])) };
}
