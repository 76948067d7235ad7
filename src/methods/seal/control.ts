/**
 * What SEAL's gain is to be compared with: its image decoder trained alone on the features of the frozen encoder, with the
 * expression, batches, views, steps, rate and loss of the run. Without a cache of views it sees the patches as they are. What this head reaches, no adaptation of the encoder is needed for.
 *
 * @module
 */

import { GENE_LOSSES } from "../../losses/registry.ts";
import { createImageDecoder, type ImageDecoder } from "../../models/image_decoder.ts";
import { Parameters } from "../../nn/parameters.ts";
import { AdamW } from "../../optim/adamw.ts";
import { parameterGroups } from "../../optim/param_groups.ts";
import { affine } from "../../ops/scale.ts";
import { partFiles } from "../../train/checkpoint.ts";
import { adamwOptions } from "../../train/config/optim.ts";
import { RowModel } from "../../train/row_model.ts";
import { Step, stepRunner } from "../../train/step.ts";
import type { StepModel } from "../../train/step_model.ts";
import type { Schedule } from "../../train/schedule.ts";
import type { ViewOf } from "../../train/stem_cache.ts";
import { reconstruction } from "./model.ts";
import { stageRates } from "./rates.ts";
import type { SealSession } from "./session.ts";

/** Rows that are predicted at a time. */
const ROWS = 256;

/** What the control is trained on. */
export interface ControlInput {
  /** Features of all patches before training, `[pairs, D]`, of each view that is kept; the first is the patch as it is. */
  readonly views: readonly Float32Array[];
  /** Of the alignment. */
  readonly schedule: Schedule;
  /** Deviation of each gene, `[G]`. */
  readonly std: ArrayLike<number>;
}

/** The trained head. */
export interface Control {
  /** What it predicts of all pairs, `[pairs, G]`. */
  readonly said: Float32Array;
  /** Its weights, as `predict` takes them. */
  readonly file: Uint8Array;
}

/** Features of patches as they are seen, `[rows, dim]`. @param views Of all patches by view, `[pairs, dim]` each. */
export function viewRows(views: readonly Float32Array[], seen: readonly ViewOf[], dim: number): Float32Array {
  const z = new Float32Array(seen.length * dim);
  seen.forEach(({ pair, view }, i) => z.set(views[view]!.subarray(pair * dim, (pair + 1) * dim), i * dim));
  return z;
}

/** Trains the head and says what it predicts. */
export async function headControl(session: SealSession, { views, schedule, std }: ControlInput): Promise<Control> {
  const { gpu, config, model: { dim }, set: { genes } } = session;
  const { optim, gene, model: { final_activation: finalActivation } } = config;
  const parameters = new Parameters(gpu, () => true);
  const head = createImageDecoder(parameters, {
    dim,
    genes,
    dropout: gene.dec_dropout,
    batchNorm: gene.dec_batch_norm,
    finalActivation,
  }, { seed: optim.seed });
  parameters.allocate();
  const optimizer = new AdamW(parameters, parameterGroups({ weightDecay: optim.weight_decay }), {
    ...adamwOptions(optim),
    ema: optim.ema,
  });
  // On one view alone the head would see less than SEAL did.
  const viewOf = (epoch: number) => (pair: number) =>
    views.length > 1 ? session.rows.view(epoch, pair) : session.rows.unchanged(pair);
  try {
    const step = await Step.compile(headModel(session, parameters, head, { batch: schedule.batch, std }), optimizer, {
      batch: schedule.batch,
      accumulate: schedule.accumulate,
      seed: optim.seed,
      ring: 128,
    });
    const rates = stageRates(config, "align", Math.max(1, schedule.total));
    const runner = stepRunner(step, schedule, (stageStep, i) => {
      const chosen = schedule.items(stageStep, i);
      const z = viewRows(views, Array.from(chosen, viewOf(schedule.epoch(stageStep))), dim);
      return { fields: { z, x: session.expression(chosen) } };
    });
    for (let t = 0; t < schedule.total; t++) {
      await runner.submit({ ...rates(t) }, t);
      if (t % 64 === 63) await runner.read();
    }
    await runner.read();
    runner.destroy();
    optimizer.swapMean();
    const model = await RowModel.compile(gpu, { dim, block: ROWS }, (g, z) => head.forward(g, z));
    const said = await model.run(views[0]!);
    model.destroy();
    const names = parameters.state().map(([name]) => name);
    const files = await partFiles(parameters, [{ file: "head", names }]);
    return { said, file: files.get("head")! };
  } finally {
    optimizer.destroy();
    parameters.destroy();
  }
}

function headModel(
  { config, set: { genes }, model: { dim } }: SealSession,
  parameters: Parameters,
  head: ImageDecoder,
  { batch, std }: { readonly batch: number; readonly std: ArrayLike<number> },
): StepModel<never> {
  const loss = GENE_LOSSES[config.loss.gene_loss];
  const reconstruct = reconstruction(config, loss);
  return {
    parameters,
    fields: (store) => ({
      z: store.tensor("batch", "z", [batch, dim]),
      x: store.tensor("batch", "x", [batch, genes]),
      std: store.from("std", "std", [genes], std),
    }),
    objective(g, _, { z, x, std }) {
      g.exactZeros = config.optim.exact_zeros;
      const y = head.forward(g, z!, { training: true });
      return { loss: affine(g, reconstruct(g, y, { x: x!, std: std! }), loss.scale * config.loss.lambda_recon_img) };
    },
  };
}
