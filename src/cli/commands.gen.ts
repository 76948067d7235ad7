// Written by scripts/gen_kernels.ts from the files of this folder that export a summary; do not edit.
// deno-fmt-ignore-file
import type { Command } from "./args.ts";

/** Commands by name; each file is loaded when it is asked for. */
export const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  convert: () => import("./convert.ts") as unknown as Promise<Command>,
  doctor: () => import("./doctor.ts") as unknown as Promise<Command>,
  download: () => import("./download.ts") as unknown as Promise<Command>,
  embed: () => import("./embed.ts") as unknown as Promise<Command>,
  evaluate: () => import("./evaluate.ts") as unknown as Promise<Command>,
  inspect: () => import("./inspect.ts") as unknown as Promise<Command>,
  mil: () => import("./mil.ts") as unknown as Promise<Command>,
  predict: () => import("./predict.ts") as unknown as Promise<Command>,
  report: () => import("./report.ts") as unknown as Promise<Command>,
  retrieve: () => import("./retrieve.ts") as unknown as Promise<Command>,
  split: () => import("./split.ts") as unknown as Promise<Command>,
  synth: () => import("./synth.ts") as unknown as Promise<Command>,
  train: () => import("./train.ts") as unknown as Promise<Command>,
  tune: () => import("./tune.ts") as unknown as Promise<Command>,
  verify: () => import("./verify.ts") as unknown as Promise<Command>,
};
