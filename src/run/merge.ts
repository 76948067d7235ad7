/**
 * An adapter added to its base: weights W + s B A, as a file of their own.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import type { Facts } from "../core/facts.ts";
import type { Reporter } from "../core/reporter.ts";
import type { Adapter } from "../io/torch/peft.ts";
import { castTensor, type FloatDtype } from "../io/torch/weight_views.ts";
import { encoderMetadata } from "../models/encoder_config.ts";
import { recogniseEncoder } from "../models/encoder_registry.ts";
import { mapStateDict } from "../models/families/keymap.ts";
import { identifyWeights } from "../models/identify.ts";
import { mergedTensors } from "../models/merge.ts";
import { RANDOM_PREFIX } from "../models/random_encoder.ts";
import { openAdapter, type OpenedAdapter } from "./adapter.ts";
import type { EncoderSource } from "../models/open_source.ts";
import { hashOf, openEncoderAtHand, openEncoderSource } from "./encoder.ts";
import { checkOutput, FLOATS, weightsFacts, writeWeights, type Written, writtenBefore } from "./weights_output.ts";

/** What is merged, and how. */
export interface MergeRequest {
  /** The base: name of an encoder, folder or weights file. */
  readonly encoder: string;
  /** PEFT folder, or SEAL's `.pth` of an image model. */
  readonly adapter: string;
  /** The file, `.safetensors`. */
  readonly out: string;
  /** Alpha of a SEAL `.pth`, which does not store it; 8 if not given. */
  readonly alpha?: number | undefined;
  /** A name of {@linkcode FLOATS}; without it each tensor keeps its type. */
  readonly dtype?: string | undefined;
  /** Names as timm's instead of the file's, and all else left out. */
  readonly timm?: boolean | undefined;
  readonly overwrite?: boolean | undefined;
}

/** What was written. */
export interface Merged extends Written {
  readonly encoder: string;
  /** File of the adapter. */
  readonly adapter: string;
  readonly modules: number;
  /** Tensors that the adapter changed. */
  readonly changed: readonly string[];
  readonly notes: readonly string[];
}

/**
 * Merges, or finds that it was done: then what the file holds, without what was changed.
 *
 * @throws {ConfigError} If the encoder has no file, or what is at `out` was made of something else.
 * @throws {DataError | FormatError | WeightsError} If weights or adapter cannot be read, or do not fit.
 */
export async function mergeAdapter(request: MergeRequest, reporter: Reporter): Promise<Merged | Written> {
  const { encoder, adapter: path, out, alpha, dtype, timm = false, overwrite = false } = request;
  if (encoder.startsWith(RANDOM_PREFIX)) {
    throw new ConfigError(`Cannot merge into ${encoder}: a random encoder has no file`, {
      context: { given: encoder },
    });
  }
  checkOutput(out);
  const naming = { timm, float: dtype === undefined ? undefined : FLOATS[dtype]! };
  // The adapter first: it is small, and may be what is wrong.
  const opened = await openAdapter(path, alpha);
  let source: EncoderSource | undefined;
  try {
    await check(encoder, opened, naming);
    const made = await weightsFacts([encoder, path], { alpha, dtype, timm });
    const before = overwrite ? undefined : await writtenBefore(out, made);
    if (before !== undefined) return before;
    source = await openEncoderSource(encoder, (what, done, total) => reporter.update(what, done, total, "bytes"));
    const { written, changed, notes } = await merge(source, encoder, opened, out, naming, made, reporter);
    return {
      encoder: source.name,
      adapter: opened.file,
      modules: opened.adapter.modules.size,
      ...written,
      changed,
      notes,
    };
  } finally {
    source?.weights.close();
    opened.adapter.close();
  }
}

/** How tensors of the result are named, and of which type. */
interface Naming {
  readonly timm: boolean;
  readonly float: FloatDtype | undefined;
}

/** Refuses, by names and shapes alone, an adapter that does not fit the encoder, where its weights are on this disk. */
async function check(encoder: string, { adapter }: OpenedAdapter, naming: Naming): Promise<void> {
  const source = await openEncoderAtHand(encoder);
  try {
    if (source !== undefined) await plan(source, adapter, naming);
  } finally {
    source?.weights.close();
  }
}

/** The tensors of the result, which are made when they are read. Nothing is run: heads may stay unknown. */
async function plan({ weights, spec, facts }: Omit<EncoderSource, "hash">, adapter: Adapter, { timm, float }: Naming) {
  const shapes = new Map([...weights.tensors].map(([name, { shape }]) => [name, shape]));
  const { keymap, heads } = spec
    ? { keymap: mapStateDict(shapes, { file: weights.file, spec }), heads: spec.arch.heads }
    : identifyWeights(shapes, weights.file, facts);
  // Names of a file that PEFT wrote belong to an adapted model, which the result is not.
  const wrapped = keymap.steps.some((step) => step.startsWith("base_model."));
  const names = timm || wrapped ? "timm" : "file";
  const { tensors, changed, leftOut } = await mergedTensors(weights, keymap, adapter, { names, dtype: float });
  const all = float ? new Map([...tensors].map(([name, tensor]) => [name, castTensor(tensor, float)])) : tensors;
  return { keymap, heads, wrapped, all, changed, leftOut };
}

async function merge(
  source: EncoderSource,
  given: string,
  { adapter, file }: OpenedAdapter,
  out: string,
  naming: Naming,
  made: Facts,
  reporter: Reporter,
) {
  const { weights, spec, facts } = source;
  const { keymap, heads, wrapped, all, changed, leftOut } = await plan(source, adapter, naming);
  const recognised = recogniseEncoder(keymap.family, keymap.arch, given);
  const named = spec ?? (recognised?.by === "path" ? recognised.spec : undefined);
  const metadata = {
    ...weights.metadata,
    format: "pt",
    ...encoderMetadata({ ...keymap.arch, heads }, facts, named?.name, adapter.imageSize),
    seal_base: `${source.name} sha256:${await source.hash}`,
    seal_adapter: `sha256:${await hashOf(file)}`,
  };
  const written = await writeWeights(out, all, metadata, made, reporter);
  const rounded = new Set(changed.map((name) => all.get(name)!.dtype).filter((type) => type !== "F32"));
  const notes = [
    ...(rounded.size
      ? [`note: changed weights were rounded to ${[...rounded].join(", ")}; --dtype f32 keeps them whole`]
      : []),
    ...(leftOut.length
      ? [`note: the adapter also changes ${leftOut.join(", ")}, which is no part of the encoder and is left out`]
      : []),
    ...(wrapped ? [`note: ${weights.file} is of an adapted model; its own LoRA weights were left out`] : []),
  ];
  return { written, changed, notes };
}
