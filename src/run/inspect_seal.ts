/**
 * What is in SEAL's own checkpoints, which carry no configuration.
 *
 * @module
 */

import { formatShape } from "../core/shape.ts";
import { normalizeSealNames, SEAL_ALPHA, sealAdapter, splitSeal } from "../io/torch/seal_checkpoint.ts";
import type { WeightTensor } from "../io/torch/weight_tensor.ts";
import type { Weights } from "../io/torch/weights.ts";
import type { Inspection, InspectOptions } from "./inspection.ts";
import { moduleJson, moduleListing } from "./inspect_adapter.ts";
import { count } from "../core/text_table.ts";

/** Whether the names are those of a SEAL checkpoint. */
export function isSeal(names: Iterable<string>): boolean {
  const marks =
    /^(module\.)*(encoder\.base_model\.model\.|decoder\.decoder\.|fc_(mu|logvar)\.|projection_head\.|transformer_encoder\.)/;
  for (const name of names) if (marks.test(name)) return true;
  return false;
}

/** What wrappers and older versions of SEAL did to names, and the files in which it is undone. */
const QUIRKS: readonly (readonly [what: string, test: (original: string, plain: string) => boolean])[] = [
  ["module. in front", (name) => name.startsWith("module.")],
  ["the adapter's name behind lora_A and lora_B", (name) => /\.lora_[AB]\.[^.]+\.weight$/.test(name)],
  ["encoder. for model. at the root of the backbone", (name) => /encoder\.base_model\.model\.encoder\.\D/.test(name)],
  ["projection_head.0. for projection_head.", (name) => /(^|\.)projection_head\.0\./.test(name)],
  ["base_layer. in the names of adapted layers", (name) => /\.base_layer\.(weight|bias)$/.test(name)],
];

function shapesOf(tensors: ReadonlyMap<string, WeightTensor>): Record<string, readonly number[]> {
  return Object.fromEntries([...tensors].map(([name, { shape }]) => [name, shape]));
}

function brief(tensors: ReadonlyMap<string, WeightTensor>): string {
  return [...tensors].map(([name, { shape }]) => `${name} ${formatShape(shape)}`).join(", ");
}

/** Looks into a checkpoint. */
export function inspectSeal(weights: Weights, { limit }: InspectOptions): Inspection {
  const { file, tensors } = weights;
  const parts = splitSeal(tensors, file);
  const names = [...normalizeSealNames(tensors.keys(), file)];
  const quirks = QUIRKS.map(([what, test]) => ({
    what,
    names: names.filter(([old, plain]) => test(old, plain)).length,
  }))
    .filter(({ names }) => names > 0);
  const whole = parts.lora.size > 0 && parts.missing.length === 0;
  const modules = whole ? moduleJson(sealAdapter(parts, file)) : [];
  const { kind, rank, blocks, backbones, missing } = parts;
  return {
    json: {
      kind: "seal",
      seal: {
        kind,
        lora: parts.lora.size === 0
          ? null
          : { rank, alpha: null, assumedAlpha: SEAL_ALPHA, blocks, backbones, modules },
        missing,
        base: parts.base.size,
        head: shapesOf(parts.head),
        decoder: shapesOf(parts.decoder),
        adapter: shapesOf(parts.adapter),
        organ: parts.organ?.shape ?? null,
        omics: shapesOf(parts.omics),
        other: shapesOf(parts.other),
        quirks,
      },
    },
    facts: [
      ["SEAL checkpoint", kind === "vision" ? "image model" : "gene model"],
      [
        "LoRA",
        parts.lora.size === 0
          ? ""
          : `rank ${rank} on ${count(parts.lora.size, "module")} of blocks ${blocks.join(", ")}; ` +
            `alpha is not stored, SEAL's is ${SEAL_ALPHA}`,
      ],
      ["backbone", parts.lora.size === 0 ? "" : backbones.join(" or ") || "none of SEAL's, by root, width and depth"],
      ["lacks", missing.join(", ")],
      ["base weights", kind === "vision" ? count(parts.base.size, "tensor") : ""],
      ["projection head", brief(parts.head)],
      ["decoder", brief(parts.decoder)],
      ["bottleneck", brief(parts.adapter)],
      ["organs", parts.organ ? formatShape(parts.organ.shape) : ""],
      ["gene model", parts.omics.size ? count(parts.omics.size, "tensor") : ""],
      ["not known", brief(parts.other)],
      ["normalised", quirks.map(({ what, names }) => `${what} (${count(names, "name")})`).join("; ")],
    ],
    listings: [moduleListing(modules, limit)],
  };
}
