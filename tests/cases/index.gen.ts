// Written by scripts/gen_kernels.ts from the file names of this folder; do not edit.
// deno-fmt-ignore-file
import { cases as layernorm } from "./layernorm.ts";

/** Every file of this folder, by name. */
export const index = { layernorm } as const;
