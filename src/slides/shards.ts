/**
 * Shares of a cohort for runs side by side: by a hash of the slide's name, so that a slide that is added moves no other, and the
 * shares of all runs are the cohort.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { sha256Of } from "../io/checksum.ts";

/** One share of `of`, counted from 0. */
export interface Shard {
  readonly index: number;
  readonly of: number;
}

/** Number of the share a slide belongs to, from 0. */
export function shardOf(name: string, of: number): number {
  // 48 bits are exact in a number, and far more than any cohort needs.
  return Number.parseInt(sha256Of(name).slice(0, 12), 16) % of;
}

/** The slides of a share, in the order they are given in. */
export function shardSlides<T extends { readonly name: string }>(slides: readonly T[], { index, of }: Shard): T[] {
  return slides.filter(({ name }) => shardOf(name, of) === index);
}

/** Most shares. */
const MOST = 100_000;

/**
 * Reads a share: `2/5` is the third of five, or `auto` and `auto/5`, which take the number from SLURM's array or from Kubernetes' indexed job.
 *
 * @param variable Value of a variable of the environment.
 * @throws {ConfigError} If it is no share, or the variables that `auto` needs are missing or do not fit.
 */
export function parseShard(text: string, variable: (name: string) => string | undefined): Shard {
  const match = /^(?:(\d+)\/(\d+)|auto(?:\/(\d+))?)$/.exec(text.trim());
  if (match === null) throw problem(text, "no share", "I/N such as 2/5, auto, or auto/N");
  const [, index, of, given] = match;
  if (index !== undefined) return checked(text, Number(index), Number(of));
  const number = (name: string): number | undefined => {
    const value = variable(name)?.trim();
    if (value === undefined || value === "") return undefined;
    if (!/^\d{1,9}$/.test(value)) throw problem(text, `${name}=${value}`, "a whole number");
    return Number(value);
  };
  const task = number("SLURM_ARRAY_TASK_ID");
  if (task !== undefined) return slurmShard(text, task, given, number);
  const completion = number("JOB_COMPLETION_INDEX");
  if (completion !== undefined) {
    if (given === undefined) {
      throw problem(text, "JOB_COMPLETION_INDEX tells which share this is and not of how many", "auto/N");
    }
    return checked(text, completion, Number(given));
  }
  throw problem(text, "neither SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX is set", "one of them");
}

function slurmShard(
  text: string,
  task: number,
  given: string | undefined,
  number: (name: string) => number | undefined,
): Shard {
  const [first, step] = [number("SLURM_ARRAY_TASK_MIN") ?? 0, number("SLURM_ARRAY_TASK_STEP") ?? 1];
  const last = number("SLURM_ARRAY_TASK_MAX");
  const count = given === undefined
    ? number("SLURM_ARRAY_TASK_COUNT") ?? (last === undefined ? undefined : Math.floor((last - first) / step) + 1)
    : Number(given);
  if (count === undefined) throw problem(text, "SLURM_ARRAY_TASK_COUNT is not set", "it, or auto/N");
  const index = (task - first) / step;
  if (!Number.isInteger(index) || index >= count) {
    const found = `task ${task} of an array of ${count} from ${first} by ${step}`;
    throw problem(text, found, "an array without gaps, such as --array=0-9");
  }
  return checked(text, index, count);
}

function checked(text: string, index: number, of: number): Shard {
  if (of >= 1 && of <= MOST && index >= 0 && index < of) return { index, of };
  throw problem(text, `share ${index} of ${of}`, `0 to N-1 of N, N at most ${MOST}`);
}

function problem(text: string, found: string, expected: string): ConfigError {
  return new ConfigError(`Cannot take a share by --shard ${text}: ${found}, ${expected} wanted`, {
    hint: "Shares are counted from 0: --shard 0/4 to --shard 3/4",
    context: { given: text, found, expected },
  });
}
