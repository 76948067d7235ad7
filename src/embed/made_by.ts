/**
 * What an opened encoder is in the files of its features.
 *
 * @module
 */

import { matrixInUse } from "../gpu/matrix_units.ts";
import { VERSION } from "../core/version.ts";
import type { MadeBy } from "./feature_table.ts";
import type { OpenedEncoder } from "../models/opened_encoder.ts";

/** @param adapter Name of the adapter in outputs. */
export function madeBy(
  { encoder, name, weightsHash, adapterHash, preparation, assumed }: OpenedEncoder,
  { adapter, precision }: Pick<MadeBy, "adapter" | "precision">,
): MadeBy {
  return {
    encoder: name,
    dim: encoder.dim,
    weightsHash,
    adapter,
    adapterHash,
    precision,
    tuning: encoder.parameters.gpu.tuning?.mark,
    matrix: matrixInUse(encoder.parameters.gpu.caps?.matrix, precision),
    pooling: encoder.pooling,
    inputSize: encoder.spec.input.size,
    preparation,
    assumed,
    software: `seal-webgpu ${VERSION}`,
  };
}
