// Written by scripts/gen_kernels.ts from the file names of this folder; do not edit.
// deno-fmt-ignore-file
import type { EncoderSpec } from "../encoder_spec.ts";
import { spec as conch_v1 } from "./conch_v1.ts";
import { spec as conch_v15 } from "./conch_v15.ts";
import { spec as dinov2_b } from "./dinov2_b.ts";
import { spec as dinov2_b_reg } from "./dinov2_b_reg.ts";
import { spec as dinov2_g } from "./dinov2_g.ts";
import { spec as dinov2_g_reg } from "./dinov2_g_reg.ts";
import { spec as dinov2_l } from "./dinov2_l.ts";
import { spec as dinov2_l_reg } from "./dinov2_l_reg.ts";
import { spec as dinov2_s } from "./dinov2_s.ts";
import { spec as dinov2_s_reg } from "./dinov2_s_reg.ts";
import { spec as gigapath } from "./gigapath.ts";
import { spec as gpfm } from "./gpfm.ts";
import { spec as h0_mini } from "./h0_mini.ts";
import { spec as h_optimus_0 } from "./h_optimus_0.ts";
import { spec as h_optimus_1 } from "./h_optimus_1.ts";
import { spec as hibou_b } from "./hibou_b.ts";
import { spec as hibou_l } from "./hibou_l.ts";
import { spec as kaiko_vitb16 } from "./kaiko_vitb16.ts";
import { spec as kaiko_vitb8 } from "./kaiko_vitb8.ts";
import { spec as kaiko_vitl14 } from "./kaiko_vitl14.ts";
import { spec as kaiko_vits16 } from "./kaiko_vits16.ts";
import { spec as kaiko_vits8 } from "./kaiko_vits8.ts";
import { spec as lunit_vits8 } from "./lunit_vits8.ts";
import { spec as musk } from "./musk.ts";
import { spec as phikon } from "./phikon.ts";
import { spec as phikon_v2 } from "./phikon_v2.ts";
import { spec as uni } from "./uni.ts";
import { spec as uni2_h } from "./uni2_h.ts";
import { spec as virchow } from "./virchow.ts";
import { spec as virchow2 } from "./virchow2.ts";
import { spec as vit_b16 } from "./vit_b16.ts";
import { spec as vit_l16 } from "./vit_l16.ts";
import { spec as vit_s16 } from "./vit_s16.ts";

/** Every file of this folder, by name. */
export const index: Readonly<Record<string, EncoderSpec>> = { conch_v1, conch_v15, dinov2_b, dinov2_b_reg, dinov2_g, dinov2_g_reg, dinov2_l, dinov2_l_reg, dinov2_s, dinov2_s_reg, gigapath, gpfm, h0_mini, h_optimus_0, h_optimus_1, hibou_b, hibou_l, kaiko_vitb16, kaiko_vitb8, kaiko_vitl14, kaiko_vits16, kaiko_vits8, lunit_vits8, musk, phikon, phikon_v2, uni, uni2_h, virchow, virchow2, vit_b16, vit_l16, vit_s16 };
