// Written by scripts/gen_kernels.ts from the file names of this folder; do not edit.
// deno-fmt-ignore-file
import { type Config as identity_config, entry as identity } from "./identity.ts";
import { type Config as mae_config, entry as mae } from "./mae.ts";
import { type Config as mlp_config, entry as mlp } from "./mlp.ts";
import { type Config as transformer_config, entry as transformer } from "./transformer.ts";
import { type Config as vae_config, entry as vae } from "./vae.ts";

/** Every file of this folder, by name. */
export const index: {
  readonly identity: typeof identity;
  readonly mae: typeof mae;
  readonly mlp: typeof mlp;
  readonly transformer: typeof transformer;
  readonly vae: typeof vae;
} = { identity, mae, mlp, transformer, vae };

/** Their names. */
export const names = ["identity", "mae", "mlp", "transformer", "vae"] as const;

/** The configuration of one of them, which its name tells. */
export type Config =
  | ({ readonly name: "identity" } & identity_config)
  | ({ readonly name: "mae" } & mae_config)
  | ({ readonly name: "mlp" } & mlp_config)
  | ({ readonly name: "transformer" } & transformer_config)
  | ({ readonly name: "vae" } & vae_config);
