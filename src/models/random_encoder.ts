/**
 * Encoders with a seeded random start, for tests and demos: `random:ARCH[?dim=..&depth=..&heads=..&patch=..&img=..&seed=..]`;
 * with `fan=1` weights of blocks begin with deviation 1/sqrt(inputs), for narrow ones that are to be trained from there.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import { findEncoder } from "./encoder_registry.ts";
import { type EncoderSpec, pooledDim } from "./encoder_spec.ts";

/** Prefix of the names of random encoders. */
export const RANDOM_PREFIX = "random:";

const KEYS = ["dim", "depth", "heads", "patch", "img", "seed", "fan"] as const;
type Key = typeof KEYS[number];

/** What a random name says. */
export interface RandomEncoder {
  /** Name, sizes and preparation; the name is the one given, so that every output says what it is. */
  readonly spec: EncoderSpec;
  /** Seed of all parameters. */
  readonly seed: number;
  /** Whether blocks begin by their inputs. */
  readonly fanIn: boolean;
}

function parseQuery(name: string, query: string): Partial<Record<Key, number>> {
  const values: Partial<Record<Key, number>> = {};
  for (const pair of query.split("&").filter(Boolean)) {
    const [key = "", text = ""] = pair.split("=", 2);
    if (!(KEYS as readonly string[]).includes(key)) {
      const near = nearest(key, KEYS);
      throw new ConfigError(`Cannot read encoder ${name}: it has no option "${key}"`, {
        hint: near ? `Did you mean ${near}?` : `Options are ${KEYS.join(", ")}`,
        context: { key, given: name },
      });
    }
    const value = Number(text);
    if (!Number.isInteger(value) || value < (key === "seed" || key === "fan" ? 0 : 1) || value >= 2 ** 32) {
      throw new ConfigError(`Cannot read encoder ${name}: ${key} is "${text}", wanted a whole number`, {
        context: { key, given: text },
      });
    }
    values[key as Key] = value;
  }
  return values;
}

/**
 * Reads a random encoder's name. Widths scale the MLP with them; heads default to as many as keep their width.
 *
 * @param name Such as `random:vit_small_patch16_224?depth=2&seed=7`; ARCH is any encoder of the registry.
 * @throws {ConfigError} If the architecture or an option is not known.
 */
export function randomEncoder(name: string): RandomEncoder {
  const [base = "", query = ""] = name.slice(RANDOM_PREFIX.length).split("?", 2);
  const spec = findEncoder(base);
  const { dim = spec.arch.width, depth = spec.arch.depth, patch = spec.arch.patch, img, seed = 0, fan = 0, heads } =
    parseQuery(
      name,
      query,
    );
  const headWidth = spec.arch.width / spec.arch.heads;
  const imageSize = img ?? spec.input.size;
  const { resize: _resize, cropPct: _cropPct, squash: _squash, ...input } = spec.input;
  const { pooling } = spec.output;
  const { inputSize: _inputSize, ...lora } = spec.lora;
  return {
    seed,
    fanIn: fan > 0,
    spec: {
      ...spec,
      name,
      aliases: [],
      arch: {
        ...spec.arch,
        width: dim,
        depth,
        patch,
        heads: heads ?? Math.max(1, Math.round(dim / headWidth)),
        hidden: Math.max(1, Math.round(spec.arch.hidden * dim / spec.arch.width)),
        imageSize,
      },
      lora,
      input: { ...input, size: imageSize, resize: imageSize, tile: imageSize },
      output: pooling === "attn_pool" ? spec.output : { pooling, dim: pooledDim(pooling, dim) },
    },
  };
}
