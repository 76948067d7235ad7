/**
 * What is in a PEFT folder.
 *
 * @module
 */

import { sizeOf } from "../core/shape.ts";
import { openFolder } from "../io/fs.ts";
import { type Adapter, readAdapter } from "../io/torch/peft.ts";
import { encodersOfAdapter } from "../models/identify.ts";
import { first, type Inspection, type InspectOptions, type Listing, type Target } from "./inspection.ts";
import { count } from "../core/text_table.ts";

/** One adapted module. */
export interface ModuleRow {
  readonly module: string;
  readonly rank: number;
  readonly scale: number;
  /** Inputs; of a convolution those of all channels and pixels of its kernel. */
  readonly input: number;
  /** Channels and sides of the kernel of a convolution. */
  readonly kernel?: readonly number[];
  readonly out: number;
  readonly dtype: string;
}

/** Adapted modules in the order of the file. */
export function moduleJson({ modules }: Adapter): ModuleRow[] {
  return [...modules].map(([module, { rank, scale, a, b }]) => ({
    module,
    rank,
    scale,
    input: sizeOf(a.shape.slice(1)),
    out: b.shape[0]!,
    dtype: a.dtype,
    ...(a.shape.length > 2 && { kernel: a.shape.slice(1) }),
  }));
}

/** Listing of adapted modules. */
export function moduleListing(modules: readonly ModuleRow[], limit: number): Listing {
  return {
    title: ["module", "rank", "scale", "in", "out", "type"],
    rows: first(modules, limit).map((row) =>
      [row.module, row.rank, Number(row.scale.toPrecision(6)), row.kernel?.join("x") ?? row.input, row.out, row.dtype]
        .map(String)
    ),
    total: modules.length,
  };
}

/** Looks into a folder. */
export async function inspect({ path, names = [] }: Target, { limit }: InspectOptions): Promise<Inspection> {
  const adapter = await readAdapter(openFolder(path));
  try {
    const { config } = adapter;
    const modules = moduleJson(adapter);
    const encoders = encodersOfAdapter(new Map(modules.map((row) => [row.module, row]))).map(({ name }) => name);
    const parameters = modules.reduce((sum, { rank, input, out }) => sum + rank * (input + out), 0);
    const patterns = { rank: Object.fromEntries(config.rankPattern), alpha: Object.fromEntries(config.alphaPattern) };
    const targets = config.targetModules;
    const { rank, alpha, dropout, rsLora, baseModel, taskType } = config;
    const scales = [...new Set(modules.map(({ scale }) => Number(scale.toPrecision(6))))];
    return {
      json: {
        kind: "adapter",
        files: names,
        adapter: {
          type: "LORA",
          rank,
          alpha,
          dropout,
          rsLora,
          patterns,
          targets,
          baseModel,
          taskType,
          parameters,
          matches: encoders,
          count: modules.length,
          modules: first(modules, limit),
        },
      },
      facts: [
        [
          "adapter",
          `LoRA of PEFT: rank ${rank}, alpha ${alpha}, dropout ${dropout}${rsLora ? ", rank-stabilised" : ""}`,
        ],
        ["scale", scales.join(", ")],
        ["base model", baseModel ?? ""],
        ["targets", targets === null ? "" : typeof targets === "string" ? `pattern ${targets}` : targets.join(", ")],
        ["other ranks", Object.entries(patterns.rank).map(([pattern, n]) => `${pattern} ${n}`).join(", ")],
        ["other alphas", Object.entries(patterns.alpha).map(([pattern, n]) => `${pattern} ${n}`).join(", ")],
        ["modules", `${modules.length}, ${count(parameters, "parameter")}`],
        ["fits", encoders.join(", ") || "none of the known encoders"],
      ],
      listings: [moduleListing(modules, limit)],
    };
  } finally {
    adapter.close();
  }
}
