// Written by scripts/gen_kernels.ts from the file names of this folder; do not edit.
// deno-fmt-ignore-file
import { entry as barlow } from "./barlow.ts";
import { entry as cca } from "./cca.ts";
import { entry as clip } from "./clip.ts";
import { entry as s2l } from "./s2l.ts";
import { entry as soft_clip } from "./soft_clip.ts";

/** Every file of this folder, by name. */
export const index: {
  readonly barlow: typeof barlow;
  readonly cca: typeof cca;
  readonly clip: typeof clip;
  readonly s2l: typeof s2l;
  readonly soft_clip: typeof soft_clip;
} = { barlow, cca, clip, s2l, soft_clip };

/** Their names. */
export const names = ["barlow", "cca", "clip", "s2l", "soft_clip"] as const;
