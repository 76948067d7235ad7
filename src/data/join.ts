/**
 * Pairs of patch and expression, joined by barcode text and nothing else, with a test that the coordinates of both sides
 * mean the same.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import { type Centre, type Places, toCentre } from "./coordinates.ts";

/** Rows compared by the self-test. */
const SELF_TEST_ROWS = 1000;
/** Median distance beyond which the convention is wrong: a pixel along each axis, which truncation alone may cost. */
const TOLERANCE = Math.SQRT2;

/** One sample's two sides. */
export interface JoinInput {
  readonly sample: string;
  /** Barcodes of the patches, in file order. */
  readonly patches: readonly string[];
  /** Names of the table's rows (`obs_names`). */
  readonly spots: readonly string[];
  /** Places of the patches and the side of a patch on the slide; without them there is no self-test. */
  readonly places?: Places | undefined;
  readonly sizeOnSlide?: number | undefined;
  /** Centres of the spots (`obsm/spatial`). */
  readonly spatial?: Centre | undefined;
  /** Rows that preprocessing kept (its `keep`); the others are dropped here, counted as `filtered`. */
  readonly kept?: ArrayLike<number> | undefined;
}

/** How a join behaves. */
export interface JoinOptions {
  /** Drop patches whose barcode the table lacks, instead of refusing the sample. */
  readonly dropUnknownPatches?: boolean | undefined;
  /** What the self-test does when it fails; `error` by default. */
  readonly selfTest?: "error" | "warn" | "off";
}

/** Pair `i` is patch `patch[i]` of the file and row `spot[i]` of the table. */
export interface Joined {
  readonly sample: string;
  readonly patch: Uint32Array;
  readonly spot: Uint32Array;
  /** Row among the `kept` ones, of the preprocessed table; equal to `spot` where all were kept. */
  readonly row: Uint32Array;
  readonly report: JoinReport;
}

/** What was joined and what was dropped, and why. */
export interface JoinReport {
  readonly pairs: number;
  readonly patches: number;
  readonly spots: number;
  readonly dropped: {
    /** Rows of the table without a patch: usual, off the tissue or the slide. */
    readonly spotWithoutPatch: number;
    /** Patches whose row preprocessing dropped. */
    readonly filtered: number;
    /** Patches whose barcode the table lacks. */
    readonly patchWithoutSpot: number;
  };
  readonly selfTest: SelfTest;
  readonly warnings: readonly string[];
}

/** Outcome of comparing coordinates. */
export interface SelfTest {
  readonly verdict: "passed" | "failed" | "skipped";
  /** Rows compared. */
  readonly rows: number;
  /** Median distance in pixels between patch and spot centre. */
  readonly median: number | undefined;
  /** What is wrong, or why nothing was compared. */
  readonly text: string | undefined;
}

/**
 * Joins the patches and the expression of a sample, in the order of the patch file.
 *
 * @throws {DataError} If barcodes occur twice on a side, a patch has no row, nothing is left, or coordinates disagree.
 */
export function join(input: JoinInput, options: JoinOptions = {}): Joined {
  const { sample, patches, spots } = input;
  const rows = uniqueIndex(sample, "rows of the table", spots);
  uniqueIndex(sample, "patches", patches);
  const kept = input.kept === undefined ? undefined : new Map(Array.from(input.kept, (row, i) => [row, i]));
  const [patch, spot, keptRow]: [number[], number[], number[]] = [[], [], []];
  const unknown: string[] = [];
  let filtered = 0;
  patches.forEach((barcode, i) => {
    const row = rows.get(barcode);
    if (row === undefined) unknown.push(barcode);
    else if (kept !== undefined && !kept.has(row)) filtered++;
    else {
      patch.push(i);
      spot.push(row);
      keptRow.push(kept?.get(row) ?? row);
    }
  });
  refuseUnknown(input, unknown, options);
  const selfTest = options.selfTest === "off" ? skipped("switched off") : testPlaces(input, patch, spot);
  const warnings = unknown.length > 0 ? [`${sample}: ${unknown.length} patches without expression were dropped`] : [];
  if (selfTest.verdict === "failed") {
    if (options.selfTest !== "warn") throw placesError(sample, selfTest);
    warnings.push(`${sample}: ${selfTest.text}`);
  }
  const withPatch = patch.length + filtered;
  return {
    sample,
    patch: Uint32Array.from(patch),
    spot: Uint32Array.from(spot),
    row: Uint32Array.from(keptRow),
    report: {
      pairs: patch.length,
      patches: patches.length,
      spots: spots.length,
      dropped: { spotWithoutPatch: spots.length - withPatch, filtered, patchWithoutSpot: unknown.length },
      selfTest,
      warnings,
    },
  };
}

/** Rows by name. @throws {DataError} If a name comes twice. */
export function uniqueIndex(sample: string, what: string, names: readonly string[]): Map<string, number> {
  const index = new Map<string, number>();
  names.forEach((name, i) => {
    if (index.has(name)) {
      throw new DataError(`Cannot join ${sample}: two ${what} named ${name}, each once wanted`, {
        code: "barcode-twice",
        context: { sample, barcode: name, rows: [index.get(name), i] },
      });
    }
    index.set(name, i);
  });
  return index;
}

function refuseUnknown(input: JoinInput, unknown: readonly string[], options: JoinOptions): void {
  const { sample, patches, spots } = input;
  if (unknown.length === 0 || (options.dropUnknownPatches === true && unknown.length < patches.length)) return;
  throw new DataError(
    `Cannot join ${sample}: ${unknown.length} of ${patches.length} patches (${
      unknown.slice(0, 3).join(", ")
    }) have no row ` +
      `among ${spots.length} (${spots.slice(0, 3).join(", ")})`,
    {
      code: "barcode-unknown",
      hint: unknown.length === patches.length
        ? "Check that both files are of the same sample"
        : "Check that both files are of one release; drop_unknown_patches=true of train, --drop-unknown-patches of " +
          "evaluate and retrieve, leaves such patches out",
      context: { sample, unknown: unknown.length, patches: patches.length },
    },
  );
}

function skipped(text: string): SelfTest {
  return { verdict: "skipped", rows: 0, median: undefined, text };
}

/** Compares the centres of at most a thousand pairs, spread over all. */
function testPlaces(input: JoinInput, patch: readonly number[], spot: readonly number[]): SelfTest {
  const { places, sizeOnSlide, spatial } = input;
  if (places === undefined || spatial === undefined) return skipped("coordinates of one side are missing");
  if (places.of === "top-left" && sizeOnSlide === undefined) {
    return skipped("the patches' size on the slide is missing");
  }
  if (patch.length === 0) return skipped("no pairs");
  const centres = toCentre(places, sizeOnSlide ?? 0).xy;
  const rows = Math.min(SELF_TEST_ROWS, patch.length);
  const sampled = Array.from({ length: rows }, (_, i) => Math.floor(i * patch.length / rows));
  const median = (at: (pair: number) => [number, number]): number => {
    const distances = sampled.map((pair) => {
      const [x, y] = at(pair);
      return Math.hypot(x - spatial.xy[2 * spot[pair]!]!, y - spatial.xy[2 * spot[pair]! + 1]!);
    }).sort((a, b) => a - b);
    return (distances[(rows - 1) >> 1]! + distances[rows >> 1]!) / 2;
  };
  const of = (values: Float64Array, pair: number): [number, number] => [
    values[2 * patch[pair]!]!,
    values[2 * patch[pair]! + 1]!,
  ];
  const found = median((pair) => of(centres, pair));
  if (found <= TOLERANCE) return { verdict: "passed", rows, median: found, text: undefined };
  const half = Math.floor((sizeOnSlide ?? 0) / 2);
  const guesses: [string, (pair: number) => [number, number]][] = [
    ["coords are [y, x]", (pair) => of(centres, pair).reverse() as [number, number]],
    ["coords are centres", (pair) => of(places.xy, pair)],
    ["coords are centres as [y, x]", (pair) => of(places.xy, pair).reverse() as [number, number]],
    ["coords are top-left corners", (pair) => of(places.xy, pair).map((v) => v + half) as [number, number]],
  ];
  const cause = guesses.find(([, at]) => median(at) <= TOLERANCE)?.[0];
  const text = `patches lie ${found.toPrecision(4)} pixels from their spots (median of ${rows})`;
  return { verdict: "failed", rows, median: found, text: cause === undefined ? text : `${text}: ${cause}` };
}

function placesError(sample: string, test: SelfTest): DataError {
  return new DataError(`Cannot join ${sample}: ${test.text}, at most one along each axis wanted`, {
    code: "coords-disagree",
    hint: "Both files must describe the same image; to go on regardless: train … self_test=warn",
    context: { sample, median: test.median, rows: test.rows },
  });
}
