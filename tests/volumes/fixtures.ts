/** Volumes of other libraries, and what these read in them; made by tests/python/volumes.py. */

/** Where they lie. */
export const FIXTURES: string = new URL("../fixtures/volumes", import.meta.url).pathname;

/** What a library reads in a volume. */
export interface Expected {
  /** `[z, y, x, channel]`. */
  readonly shape: readonly number[];
  /** µm along z, y, x; null where the file does not say. */
  readonly spacing: readonly number[] | null;
  readonly voxels: readonly number[];
  readonly channels?: readonly string[];
  readonly origin?: readonly number[];
  /** Unit vectors of x, y, z. */
  readonly direction?: readonly (readonly number[])[];
}

/** By name and, where there are several, level. */
export const EXPECTED: Readonly<Record<string, Expected>> = JSON.parse(
  Deno.readTextFileSync(`${FIXTURES}/expected.json`),
);
