/**
 * Which encoder made features, as their files say: features of one run come from one.
 *
 * @module
 */

import { WeightsError } from "../core/errors.ts";
import type { Features } from "../io/features.ts";

/** What features were made by, as far as their file says. */
export type FeatureFacts = Readonly<Record<string, string>>;

/** Attributes of features that say which encoder made them of what tiles. */
const IDENTITY = ["encoder", "weights_sha256", "adapter_sha256", "pooling", "preparation"] as const;

/** What a file says of the encoder that made its features. */
export function featureFacts({ attributes }: Pick<Features, "attributes">): FeatureFacts {
  return Object.fromEntries(
    IDENTITY.flatMap((name) => attributes[name] === undefined ? [] : [[name, String(attributes[name])]]),
  );
}

/**
 * Refuses features that another encoder made; what only one side says is not compared.
 *
 * @throws {WeightsError} Naming the attribute that differs.
 */
export function checkFacts(wanted: FeatureFacts, found: FeatureFacts, file: string): void {
  // Of a weights' hash the name says nothing more.
  const names = IDENTITY.filter((name) => wanted[name] !== undefined && found[name] !== undefined);
  const name = names.find((one) => wanted[one] !== found[one]);
  if (name === undefined) return;
  throw new WeightsError(
    `Cannot use features of ${file}: their ${name} is ${found[name]}, expected ${wanted[name]}`,
    {
      code: "encoder-mismatch",
      hint: "Embed with the encoder, adapter and pooling of the features the run was trained on",
      context: { file, attribute: name, found: found[name], expected: wanted[name] },
    },
  );
}
