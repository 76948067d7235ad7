/**
 * `convert merge`: the weights of an encoder with a LoRA adapter added, W + s B A.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import type { Facts } from "../core/facts.ts";
import type { Adapter } from "../io/peft.ts";
import { castTensor, type FloatDtype } from "../io/weight_views.ts";
import { encoderMetadata } from "../models/encoder_config.ts";
import { recogniseEncoder } from "../models/encoder_registry.ts";
import { mapStateDict } from "../models/families/keymap.ts";
import { identifyWeights } from "../models/identify.ts";
import { mergedTensors } from "../models/merge.ts";
import { RANDOM_PREFIX } from "../models/random_encoder.ts";
import { openAdapter, type OpenedAdapter } from "../run/adapter.ts";
import { type Args, COMMON, type Flags } from "./args.ts";
import { type EncoderSource, hashOf, openEncoderAtHand, openEncoderSource } from "../run/encoder.ts";
import { Progress } from "./progress.ts";
import { printJson } from "./terminal.ts";
import { count, formatBytes } from "../core/text_table.ts";
import { checkOutput, FLOATS, weightsFacts, writeWeights, writtenBefore } from "./weights_output.ts";

/** What follows the name. */
export const usage = "--encoder X --adapter DIR --out OUT.safetensors";
/** Its flags. */
export const flags = {
  encoder: { kind: "text", value: "X", help: "the base: name of an encoder, folder or weights file" },
  adapter: { kind: "text", value: "DIR", help: "PEFT folder, or SEAL's .pth of an image model" },
  out: COMMON.out,
  alpha: { kind: "number", value: "A", help: "alpha of a SEAL .pth, which does not store it; 8 if not given" },
  dtype: {
    kind: "choice",
    of: Object.keys(FLOATS),
    help: "type of floating-point tensors; without it each keeps its own",
  },
  timm: { kind: "switch", help: "names as timm's instead of the file's, q, k and v joined, and all else left out" },
  overwrite: COMMON.overwrite,
  quiet: COMMON.quiet,
  json: COMMON.json,
} as const satisfies Flags;

/** Runs the conversion. */
export async function run(args: Args<typeof flags>): Promise<void> {
  const { words } = args;
  const { encoder, adapter: path, out, alpha, dtype, quiet, json, overwrite, timm } = args.flags;
  if (encoder === undefined || path === undefined || out === undefined || words.length > 0) {
    throw new ConfigError(`Cannot merge: wanted ${usage}`, { context: { words } });
  }
  if (encoder.startsWith(RANDOM_PREFIX)) {
    throw new ConfigError(`Cannot merge into ${encoder}: a random encoder has no file`, {
      context: { given: encoder },
    });
  }
  checkOutput(out);
  const progress = new Progress(quiet);
  const naming = { timm, float: dtype === undefined ? undefined : FLOATS[dtype]! };
  // The adapter first: it is small, and may be what is wrong.
  const opened = await openAdapter(path, alpha);
  let source: EncoderSource | undefined;
  try {
    await check(encoder, opened, naming);
    const made = await weightsFacts([encoder, path], args.flags, ["encoder", "adapter"]);
    const before = overwrite ? undefined : await writtenBefore(out, made);
    if (before !== undefined) {
      progress.say(`${out}: is there`);
      if (json) printJson(before, 2);
      return;
    }
    source = await openEncoderSource(encoder, (what, done, total) => progress.update(what, done, total, "bytes"));
    const { written, changed, notes } = await merge(source, encoder, opened, out, naming, made, progress);
    const modules = opened.adapter.modules.size;
    const result = { encoder: source.name, adapter: opened.file, modules, ...written, changed, notes };
    if (json) printJson(result, 2);
    for (const note of notes) progress.say(note);
    progress.say(
      `${out}: ${count(modules, "module")} of the adapter added to ${count(changed.length, "tensor")} of ` +
        `${source.name}; ${count(written.tensors, "tensor")}, ${formatBytes(written.bytes)}`,
    );
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
  progress: Progress,
) {
  const { weights, spec, facts } = source;
  const { keymap, heads, wrapped, all, changed, leftOut } = await plan(source, adapter, naming);
  const recognised = recogniseEncoder(keymap.family, keymap.arch, given);
  const named = spec ?? (recognised?.by === "path" ? recognised.spec : undefined);
  const metadata = {
    ...weights.metadata,
    format: "pt",
    ...encoderMetadata({ ...keymap.arch, heads }, facts, named?.name, adapter.imageSize),
    seal_base: `${source.name} sha256:${source.hash}`,
    seal_adapter: `sha256:${await hashOf(file)}`,
  };
  const written = await writeWeights(out, all, metadata, made, progress);
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
