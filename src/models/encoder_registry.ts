/**
 * The encoders this project knows, by name.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import {
  type EncoderArch,
  type EncoderOutput,
  type EncoderSpec,
  type FamilyName,
  pooledDim,
  type Pooling,
} from "./encoder_spec.ts";
import { index } from "./encoders/index.gen.ts";

/** Every encoder, in the order of the file names. */
export const ENCODERS: readonly EncoderSpec[] = Object.values(index);

/** Spellings differ in case and in what separates words. */
function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[-_./ ]/g, "");
}

function spellings({ name, aliases, source }: EncoderSpec): string[] {
  return [name, ...aliases, source.repo, ...(source.mirrors ?? [])];
}

/** Names of the encoders that can be loaded. */
export function encoderNames(): string[] {
  return ENCODERS.filter(({ refused }) => refused === undefined).map(({ name }) => name);
}

/**
 * An encoder by name, alias or Hugging Face repository.
 *
 * @throws {ConfigError} If none has the name (`hint` offers the nearest one), or it is known but cannot be loaded.
 */
export function findEncoder(name: string): EncoderSpec {
  const wanted = plain(name);
  const found = ENCODERS.find((spec) => spellings(spec).some((spelling) => plain(spelling) === wanted));
  if (found === undefined) {
    // The name that was nearly typed, not the one the registry prefers.
    const words = ENCODERS.filter(({ refused }) => refused === undefined).flatMap(spellings);
    const near = nearest(wanted, words.map(plain));
    const meant = near === undefined ? undefined : words.find((word) => plain(word) === near);
    // A repository has one slash, without a dot before it.
    const isPath = /^[.~/\\]|[/\\].*[/\\]/.test(name);
    throw new ConfigError(`Cannot find encoder "${name}": no such ${isPath ? "file or folder" : "name"}`, {
      code: "encoder-unknown",
      hint: isPath
        ? "Give the path of a folder with weights, or the name of an encoder"
        : meant
        ? `Did you mean ${meant}?`
        : `Known are ${encoderNames().join(", ")}; a folder with weights works as well`,
      context: { given: name, ...(meant && { nearest: meant }) },
    });
  }
  if (found.refused !== undefined) {
    throw new ConfigError(`Cannot load encoder "${found.name}": ${found.refused}`, {
      code: "encoder-refused",
      hint: `Known are ${encoderNames().join(", ")}`,
      context: { given: name },
    });
  }
  return found;
}

/** Sizes that tell encoders apart; the position table may be on another grid. */
const TELLING = ["width", "depth", "hidden", "mlp", "patch", "registers", "prefixPositions", "layerScale"] as const;

/** Encoders a file may hold, from its sizes: several were trained on the same architecture. Those of its family come first. */
export function matchingEncoders(family: FamilyName, arch: EncoderArch): EncoderSpec[] {
  const same = ENCODERS.filter((spec) => TELLING.every((key) => spec.arch[key] === arch[key]));
  return [...same.filter((spec) => spec.family === family), ...same.filter((spec) => spec.family !== family)];
}

/** An encoder that a file was taken for. */
export interface Recognised {
  /** The known encoder. */
  readonly spec: EncoderSpec;
  /** Whether its path names it, or its sizes alone speak for it. */
  readonly by: "path" | "sizes";
}

/**
 * The encoder that a file of one's own most likely is: that of its path, if the architecture agrees, else the only one of this
 * family and architecture.
 *
 * @param path Path of file or folder; also one in the cache of Hugging Face, `models--org--name`.
 * @returns Undefined where several encoders share the architecture and the path names none of them.
 */
export function recogniseEncoder(family: FamilyName, arch: EncoderArch, path: string): Recognised | undefined {
  const matching = matchingEncoders(family, arch).filter(({ refused }) => refused === undefined);
  // From the end: the file, its folder, the folders above.
  const parts = path.split(/[/\\]/).reverse().flatMap((
    part,
  ) => [part.replace(/\.[a-z]+$/i, ""), part.replace(/^models--/, "")]);
  for (const part of parts) {
    const spec = matching.find((spec) => spellings(spec).some((spelling) => plain(spelling) === plain(part)));
    if (spec) return { spec, by: "path" };
  }
  const own = matching.filter((spec) => spec.family === family);
  return own.length === 1 ? { spec: own[0]!, by: "sizes" } : undefined;
}

/**
 * The output of an encoder under another pooling than its own: SEAL and TRIDENT disagree on some.
 *
 * @throws {ConfigError} If the encoder cannot pool so.
 */
export function outputWith(spec: EncoderSpec, pooling: Pooling = spec.output.pooling): EncoderOutput {
  if (pooling === spec.output.pooling) return spec.output;
  if (pooling === "attn_pool" || spec.output.pooling === "attn_pool") {
    throw new ConfigError(`Cannot pool ${spec.name} by ${pooling}: wanted ${spec.output.pooling}`, {
      context: { key: "pooling", given: pooling },
    });
  }
  return { pooling, dim: pooledDim(pooling, spec.arch.width) };
}
