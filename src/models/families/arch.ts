/**
 * Sizes of an encoder from the shapes of its tensors, which is more reliable than its `config.json`. Only the number of
 * heads leaves no trace.
 *
 * @module
 */

import { WeightsError } from "../../core/errors.ts";
import { formatShape, type Shape } from "../../core/shape.ts";
import type { EncoderArch, PoolerArch } from "../encoder_spec.ts";
import type { Family } from "./names.ts";

/** A tensor of a file under its name in timm. */
export interface Renamed {
  /** Name in the file. */
  readonly source: string;
  readonly shape: Shape;
}

/** What is known besides the tensors. */
export interface ArchHints {
  /** Attention heads, from a spec, a configuration or the user. */
  readonly heads?: number;
  /** Those of the architecture a configuration begins from: taken if the width is a multiple. */
  readonly usualHeads?: number;
  /** Rows of the position table before those of the patches. */
  readonly prefixPositions?: number;
  /** Side of the image the position table is made for, px: chooses where its rows could mean several grids. */
  readonly imageSize?: number;
  /** Of the normalisations. */
  readonly eps?: number;
  /** Activation of the MLP; of a gated one that of its gate, by default SiLU. */
  readonly activation?: "gelu" | "silu";
}

/** What the tensors say. */
export interface FoundArch extends EncoderArch {
  /** Rows and columns of the position table. */
  readonly grid: number;
  /** The attentional pooler, where the family has one. */
  readonly pooler?: PoolerArch;
}

/** Widths whose networks all have heads of 64 features; 1280 is ViT-H with 16 heads of 80. */
const USUAL_HEADS: Readonly<Record<number, number>> = { 192: 3, 384: 6, 512: 8, 768: 12, 1024: 16, 1280: 16, 1536: 24 };
/** CONCH's poolers, both with eight heads, have PyTorch's default eps. */
const POOLER = { heads: 8, eps: 1e-5 } as const;

function unclear(file: string, what: string, hint: string): WeightsError {
  return new WeightsError(`Cannot tell the architecture of ${file}: ${what}`, {
    code: "weights-ambiguous",
    hint,
    context: { file },
  });
}

function headsOf(width: number, hints: ArchHints, file: string): number {
  const { usualHeads = 0 } = hints;
  const heads = hints.heads ?? (width % usualHeads === 0 ? usualHeads : USUAL_HEADS[width]);
  if (heads === undefined) {
    throw unclear(
      file,
      `width ${width} does not say how many attention heads there are`,
      "Give the number of heads, or the encoder's name",
    );
  }
  if (width % heads !== 0) {
    throw unclear(file, `width ${width} is no multiple of ${heads} heads`, "Give the right number of heads");
  }
  return heads;
}

function square(n: number): number | undefined {
  const root = Math.round(Math.sqrt(n));
  return n > 0 && root * root === n ? root : undefined;
}

/** Which rows of the position table are the grid: all, all but the class token's, or all but those of every prefix token. */
function positionsOf(
  rows: number,
  registers: number,
  patch: number,
  hints: ArchHints,
  file: string,
): { prefixPositions: number; grid: number } {
  const prefixes = hints.prefixPositions === undefined ? [0, 1, 1 + registers] : [hints.prefixPositions];
  const layouts = [...new Set(prefixes)].flatMap((prefixPositions) => {
    const grid = square(rows - prefixPositions);
    return grid === undefined ? [] : [{ prefixPositions, grid }];
  });
  const found = layouts.length > 1 && hints.imageSize !== undefined
    ? layouts.filter(({ grid }) => grid * patch === hints.imageSize)
    : layouts;
  if (found.length === 1) return found[0]!;
  if (layouts.length > 1) {
    const choices = layouts.map(({ prefixPositions, grid }) => `${prefixPositions} and ${grid} x ${grid}`).join(" or ");
    throw unclear(file, `${rows} position rows are ${choices}`, "Give the encoder's name, or the side of its images");
  }
  throw new WeightsError(
    `Cannot read the positions in ${file}: ${rows} rows, wanted a square and ${
      [...new Set(prefixes)].join(" or ")
    } more`,
    { context: { file, rows, registers } },
  );
}

/** The shape of a tensor that carries sizes. */
type ShapeOf = (name: string, rank: number) => Shape;

function shapesIn(tensors: ReadonlyMap<string, Renamed>, file: string): ShapeOf {
  return (name, rank) => {
    const tensor = tensors.get(name);
    if (tensor?.shape.length === rank) return tensor.shape;
    const given = tensor === undefined ? "missing" : formatShape(tensor.shape);
    throw new WeightsError(
      `Cannot read the sizes of ${file}: ${tensor?.source ?? name} is ${given}, wanted ${rank} dimensions`,
      { context: { file, keys: [tensor?.source ?? name] } },
    );
  };
}

function patchOf(conv: Shape, file: string): number {
  if (conv[1] === 3 && conv[2] === conv[3]) return conv[2]!;
  throw new WeightsError(`Cannot load ${file}: patches are ${formatShape(conv)}, wanted squares of 3 channels`, {
    context: { file, given: conv },
  });
}

/** Blocks: the highest index and one. */
function depthOf(tensors: ReadonlyMap<string, Renamed>, file: string): number {
  let depth = 0;
  for (const name of tensors.keys()) {
    const index = /^(?:trunk\.)?blocks\.(\d+)\./.exec(name)?.[1];
    if (index !== undefined) depth = Math.max(depth, Number(index) + 1);
  }
  if (depth <= tensors.size) return depth;
  throw new WeightsError(
    `Cannot load ${file}: block ${depth - 1} is among ${tensors.size} tensors, wanted all before it`,
    {
      context: { file, depth },
    },
  );
}

function mlpOf(
  shape: ShapeOf,
  block: string,
  split: boolean,
  activation: ArchHints["activation"],
  file: string,
): Pick<EncoderArch, "mlp" | "hidden"> {
  const hidden = shape(`${block}.mlp.fc2.weight`, 2)[1]!;
  const rows = split ? 2 * shape(`${block}.mlp.gate.weight`, 2)[0]! : shape(`${block}.mlp.fc1.weight`, 2)[0]!;
  if (rows === 2 * hidden) return { mlp: activation === "gelu" ? "geglu" : "swiglu", hidden };
  if (rows === hidden && activation === "silu") {
    throw new WeightsError(`Cannot load ${file}: its configuration has SiLU in an MLP without a gate, wanted GELU`, {
      code: "weights-unsupported",
      context: { file },
    });
  }
  if (rows === hidden) return { mlp: "gelu", hidden };
  throw new WeightsError(
    `Cannot read the MLP of ${file}: ${rows} rows into ${hidden} columns, wanted as many or twice as many`,
    { context: { file, rows, hidden } },
  );
}

/**
 * Reads the sizes.
 *
 * @param tensors Tensors by their names in timm; layers that are kept apart are named as in `names.ts`.
 * @param hints Wins over rules; nothing else is taken on trust.
 * @param file Name for error messages.
 * @throws {WeightsError} If a tensor that carries sizes is missing or of an impossible shape, or sizes remain unclear.
 */
export function inferArch(
  tensors: ReadonlyMap<string, Renamed>,
  family: Family,
  hints: ArchHints,
  file: string,
): FoundArch {
  const { trunk } = family;
  const shape = shapesIn(tensors, file);
  const block = `${trunk}blocks.0`;
  const conv = shape(`${trunk}patch_embed.proj.weight`, 4);
  const width = conv[0]!;
  const patch = patchOf(conv, file);
  const registers = tensors.has(`${trunk}reg_token`) ? shape(`${trunk}reg_token`, 3)[1]! : 0;
  const layout = family.prefixPositions === undefined ? hints : { ...hints, prefixPositions: family.prefixPositions };
  const { prefixPositions, grid } = positionsOf(shape(`${trunk}pos_embed`, 3)[1]!, registers, patch, layout, file);
  return {
    width,
    depth: depthOf(tensors, file),
    heads: headsOf(width, hints, file),
    // The gate of transformers' Dinov2 is SiLU whatever hidden_act says.
    ...mlpOf(
      shape,
      block,
      tensors.has(`${block}.mlp.gate.weight`),
      family.name === "timm" || !family.name.startsWith("hf_") ? hints.activation : undefined,
      file,
    ),
    patch,
    imageSize: grid * patch,
    grid,
    registers,
    prefixPositions,
    layerScale: tensors.has(`${block}.ls1.gamma`),
    qkvBias: tensors.has(`${block}.attn.qkv.bias`) || tensors.has(`${block}.attn.q.bias`),
    eps: hints.eps ?? family.eps,
    ...(family.pooler && {
      pooler: {
        width: shape("attn_pool_contrast.to_q.weight", 2)[0]!,
        bias: tensors.has("attn_pool_contrast.in_proj_bias") || tensors.has("attn_pool_contrast.to_q.bias"),
        ...POOLER,
      },
    }),
  };
}

/** Names and shapes of all tensors of an encoder, as `vit.ts` and the pooler name them. */
export function expectedTensors(arch: FoundArch, trunk: "" | "trunk."): Map<string, Shape> {
  const { width, depth, hidden, mlp, patch, registers, prefixPositions, grid, layerScale, qkvBias, pooler } = arch;
  const out = new Map<string, Shape>();
  const add = (name: string, ...shape: number[]) => out.set(name, shape);
  const linear = (name: string, rows: number, columns: number, bias = true) => {
    add(`${name}.weight`, rows, columns);
    if (bias) add(`${name}.bias`, rows);
  };
  const norm = (name: string, features: number) => {
    add(`${name}.weight`, features);
    add(`${name}.bias`, features);
  };
  add(`${trunk}cls_token`, 1, 1, width);
  if (registers) add(`${trunk}reg_token`, 1, registers, width);
  add(`${trunk}pos_embed`, 1, prefixPositions + grid * grid, width);
  add(`${trunk}patch_embed.proj.weight`, width, 3, patch, patch);
  add(`${trunk}patch_embed.proj.bias`, width);
  for (let i = 0; i < depth; i++) {
    const block = `${trunk}blocks.${i}`;
    norm(`${block}.norm1`, width);
    linear(`${block}.attn.qkv`, 3 * width, width, qkvBias);
    linear(`${block}.attn.proj`, width, width);
    if (layerScale) add(`${block}.ls1.gamma`, width);
    norm(`${block}.norm2`, width);
    linear(`${block}.mlp.fc1`, mlp === "gelu" ? hidden : 2 * hidden, width);
    linear(`${block}.mlp.fc2`, width, hidden);
    if (layerScale) add(`${block}.ls2.gamma`, width);
  }
  norm(`${trunk}norm`, width);
  if (pooler) {
    add("attn_pool_contrast.query", 1, pooler.width);
    norm("attn_pool_contrast.ln_q", pooler.width);
    norm("attn_pool_contrast.ln_k", width);
    linear("attn_pool_contrast.to_q", pooler.width, pooler.width, pooler.bias);
    linear("attn_pool_contrast.to_kv", 2 * pooler.width, width, pooler.bias);
    linear("attn_pool_contrast.to_out", pooler.width, pooler.width, pooler.bias);
    norm("ln_contrast", pooler.width);
  }
  return out;
}
