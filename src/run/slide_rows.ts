/**
 * Stored features of slides, as models of slides read them.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import { type AttentionPlaces, placesOf } from "../io/attention.ts";
import type { Disk } from "../io/disk.ts";
import { checkContent, openFeatures } from "../io/features.ts";
import { endsAll } from "../io/output.ts";
import { isTyped } from "../io/system_error.ts";
import type { SlideRows } from "../methods/method.ts";
import type { Machine } from "./machine.ts";

/** Rows of a slide, and where its tiles lie. */
export interface OpenedSlide {
  readonly rows: SlideRows;
  readonly places: AttentionPlaces | undefined;
  /** Closes the file. */
  close(): void;
}

function refusal(name: string): (code: string, found: string, expected: string, hint: string) => DataError {
  return (code, found, expected, hint) =>
    new DataError(`Cannot use features of ${name}: ${found}, expected ${expected}`, {
      code,
      hint,
      context: { file: name, found, expected },
    });
}

/**
 * Rows that are read when they are needed, each a finite number.
 *
 * @param dim Width the run was trained on.
 * @throws {DataError} If there are none, or rows of another width; where they are read, if a number is not finite.
 */
export function slideRows(features: Pick<SlideRows, "name" | "count" | "read">, width: number, dim: number): SlideRows {
  const { name, count } = features;
  const refuse = refusal(name);
  if (width !== dim) {
    const hint = "Embed with the encoder whose features the run was trained on";
    throw refuse("features-width", `rows of ${width} numbers`, `${dim} as the run was trained on`, hint);
  }
  if (count === 0) {
    throw refuse("features-empty", "it has no rows", "at least one", "No tissue was found on that slide");
  }
  return {
    name,
    count,
    async read(from, to) {
      const rows = await features.read(from, to);
      const at = rows.findIndex((value) => !Number.isFinite(value));
      if (at < 0) return rows;
      const place = `row ${from + Math.floor(at / dim)}, column ${at % dim} is ${rows[at]}`;
      throw refuse("features-nan", place, "a finite number", "Embed that slide again with --overwrite");
    },
  };
}

/**
 * Opens a feature file, and compares it with its checksum.
 *
 * @throws {DataError | FormatError} As {@linkcode slideRows}, and if the file is damaged.
 */
export async function openSlideRows(disk: Pick<Disk, "open">, path: string, dim: number): Promise<OpenedSlide> {
  const file = await openFeatures(disk.open(path, "read"));
  try {
    const { count } = file;
    const rows = slideRows({ name: path, count, read: (from, to) => file.read(from, to) }, file.dim, dim);
    await checkContent(file);
    return { rows, places: placesOf(file), close: () => file.close() };
  } catch (error) {
    file.close();
    throw error;
  }
}

/** What became of a slide, or why nothing did. */
export type OutcomeOf<T> =
  & { readonly slide: string }
  & ((T & { readonly error?: undefined }) | {
    readonly error: string;
  });

/**
 * Does something with each slide in turn. A slide that cannot be used is listed with the reason where there are others.
 *
 * @param files Paths by slide.
 * @throws {SealError} Of the only slide, and of what ends all.
 */
export async function eachSlide<T extends object>(
  files: ReadonlyMap<string, string>,
  { reporter, signal }: Pick<Machine, "reporter" | "signal">,
  act: (slide: string, path: string) => Promise<T>,
): Promise<{ readonly outcomes: readonly OutcomeOf<T>[]; readonly failed: number }> {
  const outcomes: OutcomeOf<T>[] = [];
  let failed = 0;
  for (const [slide, path] of files) {
    signal.throwIfAborted();
    try {
      outcomes.push({ slide, ...await act(slide, path) });
    } catch (error) {
      if (files.size === 1 || endsAll(error) || !isTyped(error)) throw error;
      reporter.warn(error.message);
      outcomes.push({ slide, error: error.message });
      failed++;
    }
    reporter.update("slides", outcomes.length, files.size, "slides");
  }
  return { outcomes, failed };
}
