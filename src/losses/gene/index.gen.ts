// Written by scripts/gen_kernels.ts from the file names of this folder; do not edit.
// deno-fmt-ignore-file
import { entry as barlow } from "./barlow.ts";
import { entry as barlow_mse } from "./barlow_mse.ts";
import { entry as barlow_soft } from "./barlow_soft.ts";
import { entry as barlow_std_mse } from "./barlow_std_mse.ts";
import { entry as huber } from "./huber.ts";
import { entry as l1 } from "./l1.ts";
import { entry as mmd } from "./mmd.ts";
import { entry as mse } from "./mse.ts";
import { entry as negbin } from "./negbin.ts";
import { entry as pcc } from "./pcc.ts";
import { entry as pcc_genes } from "./pcc_genes.ts";
import { entry as pls } from "./pls.ts";
import { entry as standardized_mse } from "./standardized_mse.ts";

/** Every file of this folder, by name. */
export const index: {
  readonly barlow: typeof barlow;
  readonly barlow_mse: typeof barlow_mse;
  readonly barlow_soft: typeof barlow_soft;
  readonly barlow_std_mse: typeof barlow_std_mse;
  readonly huber: typeof huber;
  readonly l1: typeof l1;
  readonly mmd: typeof mmd;
  readonly mse: typeof mse;
  readonly negbin: typeof negbin;
  readonly pcc: typeof pcc;
  readonly pcc_genes: typeof pcc_genes;
  readonly pls: typeof pls;
  readonly standardized_mse: typeof standardized_mse;
} = { barlow, barlow_mse, barlow_soft, barlow_std_mse, huber, l1, mmd, mse, negbin, pcc, pcc_genes, pls, standardized_mse };

/** Their names. */
export const names = ["barlow", "barlow_mse", "barlow_soft", "barlow_std_mse", "huber", "l1", "mmd", "mse", "negbin", "pcc", "pcc_genes", "pls", "standardized_mse"] as const;
