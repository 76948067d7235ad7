/**
 * The demo: a small encoder that has seen synthetic slides of another seed, fine-tuned on ten slides and judged on two.
 *
 * @module
 */

import type { MethodDemo } from "../method.ts";

/** The bundled encoder, a vision transformer of width 96. */
const ENCODER = "data/demo/encoder";

/** Ten slides to learn from, two held out, each of a donor of its own. */
export const demo: MethodDemo = {
  data: { profile: "small", slides: 12 },
  config: (data) => `
data: [${data}]
encoder: ${ENCODER}
holdout_samples: [SYN10, SYN11]
n_train_genes: 50          # those that are judged
gene_centre: true
gene_loss: pcc_genes       # regression does most of it: bench/results/demo.md
lambda_recon_img: 2
lambda_contrast: 0.2
hidden_dims: [256, 128]
epochs: 16
batch_size: 32
batch_samples: one
cache_views: 2
augment: soft
r: 64
lora_alpha: 128
lora_dropout: 0.1
img_lr: 2.0e-3
gene_lr: 2.0e-3
weight_decay: 0.05
ema: 0.97
eval_every: 0              # the last checkpoint is the one that is judged: none is chosen on the held-out donors
`,
};
