/**
 * Flags of the commands that read expression: where counts are, and what is let pass. `train` has keys of the same meaning.
 *
 * @module
 */

import type { LoadOptions } from "../data/load_sample.ts";
import type { Flags } from "./args.ts";

/** The flags. */
export const EXPRESSION_FLAGS = {
  counts: {
    kind: "text",
    value: "PLACE",
    help: "where the .h5ad files keep raw counts: X, raw, or a layer such as layers/counts; X if not given",
  },
  "drop-bad-spots": { kind: "switch", help: "leave out spots with NaN, infinite or negative counts" },
  "drop-unknown-patches": { kind: "switch", help: "leave out patches whose barcode the counts lack" },
} as const satisfies Flags;

/** What the flags say. */
export interface ExpressionValues {
  readonly counts?: string | undefined;
  readonly "drop-bad-spots": boolean;
  readonly "drop-unknown-patches": boolean;
}

/** How samples are read by the flags. */
export function expressionOptions(
  values: ExpressionValues,
): Pick<LoadOptions, "counts" | "dropBadSpots" | "dropUnknownPatches"> {
  return {
    counts: values.counts,
    dropBadSpots: values["drop-bad-spots"],
    dropUnknownPatches: values["drop-unknown-patches"],
  };
}
