/**
 * What those who look into files receive and give.
 *
 * @module
 */

/** A path to look into. */
export interface Target {
  readonly path: string;
  /** First bytes of a file, at most {@linkcode HEAD_BYTES}; none of a folder. */
  readonly head: Uint8Array;
  /** Length of a file, bytes; 0 of a folder. */
  readonly bytes: number;
  /** Names in a folder, sorted; undefined for a file. */
  readonly names: readonly string[] | undefined;
}

/** Bytes of a file that say what it is. */
export const HEAD_BYTES = 4096;

/** How it is looked into. */
export interface InspectOptions {
  /** Most items of a list; 0 for all. */
  readonly limit: number;
  /** Lets unknown classes of a PyTorch checkpoint stand as placeholders. */
  readonly tolerant: boolean;
}

/** A list of which only the beginning is shown. */
export interface Listing {
  readonly title: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Items in all. */
  readonly total: number;
}

/** What was found. */
export interface Inspection {
  /** As `--json` prints it. */
  readonly json: Readonly<Record<string, unknown>>;
  /** Facts by name, in order. */
  readonly facts: readonly (readonly [name: string, value: string])[];
  readonly listings?: readonly Listing[];
  /** Parts that are damaged or cannot be read, told where they are listed. */
  readonly failed?: number;
}

/** One kind of thing that can be looked into. */
export interface Inspector {
  /** Looks into it. */
  inspect(target: Target, options: InspectOptions): Promise<Inspection>;
}

/** The first `limit` of a list; all for a limit of 0. */
export function first<T>(items: Iterable<T>, limit: number): T[] {
  const all = [...items];
  return limit === 0 ? all : all.slice(0, limit);
}
