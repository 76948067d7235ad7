/**
 * `convert`: files in other formats. The first word says what is converted; one row of {@linkcode CONVERSIONS} each.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import type { Args, Flags } from "./args.ts";
import * as anndata from "./convert_anndata.ts";
import * as features from "./convert_features.ts";
import * as patches from "./convert_patches.ts";
import * as merge from "./convert_merge.ts";
import * as overlay from "./convert_overlay.ts";
import * as scores from "./convert_scores.ts";
import * as spatialdata from "./convert_spatialdata.ts";
import * as st from "./convert_st.ts";
import * as visium from "./convert_visium.ts";
import * as volume from "./convert_volume.ts";
import * as xenium from "./convert_xenium.ts";
import * as weights from "./convert_weights.ts";
import * as zarr from "./convert_zarr.ts";

/** One thing that can be converted. */
interface Conversion {
  readonly flags: Flags;
  /** What follows its name. */
  readonly usage: string;
  // deno-lint-ignore no-explicit-any -- each takes the flags of its own table
  readonly run: (args: Args<any>) => Promise<number | void>;
}

/** Conversions by the first word. */
const CONVERSIONS: Readonly<Record<string, Conversion>> = {
  weights,
  merge,
  st,
  visium,
  xenium,
  zarr,
  patches,
  spatialdata,
  anndata,
  scores,
  features,
  overlay,
  volume,
};

/** Name of the command. */
export const name = "convert";
/** What it does. */
export const summary =
  "write weights as safetensors, add an adapter to its base, bring sections into HEST's layout, cut patches again, write SpatialData, copy tables of anndata between HDF5 and zarr, score gene sets, features and volumes into others, draw scores";
/** Its words. */
export const words: string = Object.entries(CONVERSIONS).map(([what, { usage }]) => `${what} ${usage}`).join(" | ");
/** One example. */
export const example = "convert weights pytorch_model.bin model.safetensors --dtype f16";
/** Flags of all conversions; each refuses those of the others. */
export const flags: Flags = Object.assign({}, ...Object.values(CONVERSIONS).map((conversion) => conversion.flags));

/** Some conversions name their output by a word. */
export function elsewhere(argv: readonly string[]): string | undefined {
  return argv.includes("--out") || argv.some((word) => word.startsWith("--out=")) ? undefined : "another OUT";
}

/** Runs the command. */
export async function run({ flags: given, overrides, words: [what, ...rest] }: Args): Promise<number | void> {
  const names = Object.keys(CONVERSIONS);
  const conversion = what !== undefined && Object.hasOwn(CONVERSIONS, what) ? CONVERSIONS[what] : undefined;
  if (conversion === undefined) {
    const near = what === undefined ? undefined : nearest(what, names);
    throw new ConfigError(
      what === undefined
        ? `Cannot convert: given nothing, wanted one of ${names.join(", ")}`
        : `Cannot convert ${JSON.stringify(what)}: no such conversion`,
      {
        hint: near === undefined ? `Conversions: ${names.join(", ")}` : `Did you mean convert ${near}?`,
        context: { given: what ?? null, ...(near === undefined ? {} : { nearest: near }) },
      },
    );
  }
  for (const [flag, value] of Object.entries(given)) {
    const unset = value === undefined || value === false || (Array.isArray(value) && value.length === 0);
    if (unset || Object.hasOwn(conversion.flags, flag)) continue;
    throw new ConfigError(`Cannot use --${flag} with convert ${what}: it takes ${listFlags(conversion.flags)}`, {
      context: { given: flag },
    });
  }
  return await conversion.run({ flags: given, overrides, words: rest });
}

function listFlags(table: Flags): string {
  return Object.keys(table).map((flag) => `--${flag}`).join(", ");
}
