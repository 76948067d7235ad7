/**
 * `convert zarr`: a store of SpatialData, or a table of anndata in zarr and its slide, to the layout of HEST.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { trimmed } from "../io/output.ts";
import { convertZarr } from "../run/convert_zarr.ts";
import type { Args, Flags } from "./args.ts";
import { Progress } from "./progress.ts";
import { SECTION_FLAGS, sectionOptions } from "./section_flags.ts";
import { printJson } from "./terminal.ts";

/** What follows the name. */
export const usage = "STORE.zarr [--image SLIDE] --out DIR";
/** Its flags. */
export const flags = {
  ...SECTION_FLAGS,
  "slide-mpp": {
    kind: "number",
    value: "UM",
    min: 0.01,
    max: 100,
    help: "zarr: µm a pixel of the image, where neither the store nor the lattice of the spots says",
  },
} as const satisfies Flags;

/** Runs the conversion. */
export async function run({ flags: given, words }: Args<typeof flags>): Promise<void> {
  const { out, quiet, json, id, image } = given;
  const [store, ...more] = words.map(trimmed);
  if (store === undefined || more.length > 0 || out === undefined) {
    throw new ConfigError(`Cannot convert a store: wanted ${usage}`, { context: { words } });
  }
  const options = sectionOptions(out, given);
  const request = { store, id, image, pixelSize: given["slide-mpp"] };
  const converted = await convertZarr(request, options, new Progress(quiet));
  if (json) printJson({ out, rule: given.rule ?? "current", ...converted }, 2);
}
