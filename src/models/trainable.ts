/**
 * Which parameters of an encoder train without adapters.
 *
 * Source: mahmoodlab/SEAL, partial fine-tuning: the last blocks, the final norm and, in CONCH, the pooler. There names are
 * compared by substring, so that block 1 also frees blocks 10 to 19; here the block is read as a number.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import type { EncoderSpec } from "./encoder_spec.ts";

/**
 * Tells by name which parameters of an encoder train.
 *
 * @param blocks Last blocks, 0 for none at all, negative for everything.
 * @throws {ConfigError} If the encoder has fewer blocks.
 */
export function partialParameters(
  spec: Pick<EncoderSpec, "name" | "arch">,
  blocks: number,
): (name: string) => boolean {
  const { depth } = spec.arch;
  if (!Number.isInteger(blocks) || blocks > depth) {
    throw new ConfigError(`Cannot train ${blocks} blocks of ${spec.name}: it has ${depth}, wanted at most that`, {
      hint: "partial_blocks=-1 trains everything",
      context: { key: "partial_blocks", given: blocks, max: depth },
    });
  }
  if (blocks < 0) return () => true;
  return (name) => {
    if (blocks === 0) return false;
    const block = /^(?:trunk\.)?blocks\.(\d+)\./.exec(name);
    return block ? Number(block[1]) >= depth - blocks : /^((trunk\.)?norm|attn_pool_contrast|ln_contrast)\./.test(name);
  };
}
