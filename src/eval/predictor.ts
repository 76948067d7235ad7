/**
 * Ways from an image to expression, and which of them a run trusts: its image decoder, a linear probe on its features whose
 * penalty was chosen on training donors left out, and, where the run trained one, the head on the frozen encoder, which needs no
 * adaptation at all. Neither test spots nor their donors play a part in the choice.
 *
 * The probe is a matrix and a vector in `probe.safetensors` (`weight [genes, D]`, `bias [genes]`, f32, for features as they are);
 * what is known of all stands beside it as JSON.
 *
 * @module
 */

import { FormatError } from "../core/errors.ts";
import { fixed } from "../core/fixed.ts";
import { readSafetensorsF32, writeSafetensorsF32 } from "../io/torch/safetensors.ts";
import type { TrainedModel } from "./inference.ts";
import type { ProbeModel } from "./probe.ts";
import { multiply } from "./linalg/product.ts";
import { mean } from "./linalg/statistics.ts";

/** What predicts. */
export type PredictionSource = "decoder" | "probe" | "head";

/** What they are called. */
export const SOURCE_NAMES: Readonly<Record<PredictionSource, string>> = {
  decoder: "image decoder",
  probe: "linear probe",
  head: "head on the frozen encoder",
};

/** How well a source did on training donors: means over genes and sections of the correlation within the section. */
export interface SourceScore {
  /** On donors that it was not fitted on; of the decoder an estimate. Null with a reason where there are none. */
  readonly held_back: number | null;
  /** On donors that it was fitted on. */
  readonly fitted: number | null;
  /** How `held_back` came about, or why there is none. */
  readonly note: string;
}

/** What a run knows of its sources. */
export interface Predictors {
  readonly schema: 1;
  /** Step of the checkpoint that both were judged at. */
  readonly step: number;
  readonly chosen: PredictionSource;
  readonly why: string;
  /** Genes that scores are means over. */
  readonly judged_on: number;
  readonly probe: SourceScore & { readonly protocol: string; readonly alpha: number; readonly penalty: string };
  readonly decoder?: SourceScore;
  readonly head?: SourceScore;
}

/** A linear map from features to expression. */
export interface LinearPredictor {
  /** `[genes, D]`. */
  readonly weight: Float32Array;
  /** `[genes]`. */
  readonly bias: Float32Array;
}

/** A probe as a map of features as they are: standardisation and intercept folded in. */
export function linearPredictor({ weights, offset, standardizer }: ProbeModel): LinearPredictor {
  const { rows, columns, data } = weights;
  const weight = new Float32Array(rows * columns);
  const bias = new Float32Array(rows);
  for (let g = 0; g < rows; g++) {
    let shift = offset[g]!;
    for (let j = 0; j < columns; j++) {
      // A constant column has an infinite scale: nothing was learnt from it.
      const value = data[g * columns + j]! / standardizer.scale[j]!;
      weight[g * columns + j] = value;
      shift -= value * standardizer.mean[j]!;
    }
    bias[g] = shift;
  }
  return { weight, bias };
}

/** The file of a predictor. */
export function predictorFile({ weight, bias }: LinearPredictor): Uint8Array {
  const genes = bias.length;
  return writeSafetensorsF32(
    new Map([
      ["weight", { shape: [genes, weight.length / genes], data: weight }],
      ["bias", { shape: [genes], data: bias }],
    ]),
  );
}

/**
 * Reads a predictor.
 *
 * @throws {FormatError} If the file is damaged or is of other genes or features.
 */
export function readPredictor(bytes: Uint8Array, name: string, genes: number): LinearPredictor {
  const { tensors } = readSafetensorsF32(bytes, name);
  const [weight, bias] = [tensors.get("weight"), tensors.get("bias")];
  const found = `${weight?.shape.join(" x ") ?? "no"} weight and ${bias?.shape.join(" x ") ?? "no"} bias`;
  if (weight?.shape.length !== 2 || weight.shape[0] !== genes || bias?.shape.length !== 1 || bias.shape[0] !== genes) {
    throw new FormatError(`Cannot read ${name}: it has ${found}, ${genes} x D and ${genes} wanted`, {
      context: { file: name, found, expected: `${genes} genes` },
    });
  }
  return { weight: weight.data, bias: bias.data };
}

/** A model whose expression is the probe's instead of the decoder's. */
export function withProbe(model: TrainedModel, { weight, bias }: LinearPredictor, name: string): TrainedModel {
  const genes = bias.length;
  const weights = { rows: genes, columns: weight.length / genes, data: weight };
  return {
    vocabulary: model.vocabulary,
    width: model.width,
    encodeGenes: (x) => model.encodeGenes(x),
    async images(patches, side, organs) {
      const found = await model.images(patches, side, organs);
      const { embedding } = found;
      const columns = embedding.length / Math.max(1, patches.length / (side * side * 3));
      if (columns !== weights.columns) {
        throw new FormatError(
          `Cannot predict with ${name}: it is for features of ${weights.columns} dimensions, the encoder gives ${columns}`,
          { context: { file: name, given: columns, wanted: weights.columns } },
        );
      }
      const { data } = multiply({ rows: embedding.length / columns, columns, data: embedding }, weights);
      return { ...found, expression: Float32Array.from(data, (value, at) => value + bias[at % genes]!) };
    },
  };
}

/** Why no decoder is asked where there is none. */
export const NO_DECODER = "the model has no image decoder";

/** What is known of the head. */
export interface HeadScore {
  /** On the donors it was fitted on. */
  readonly fitted: number | null;
  /** What a probe of the frozen features loses from donors it was fitted on to others; null where that is not known. */
  readonly lost: number | null;
}

/** What is chosen, what the others have on donors held back by estimate, and why. */
export interface SourceChoice {
  readonly chosen: PredictionSource;
  readonly decoder: number | null;
  readonly head: number | null;
  readonly why: string;
}

/**
 * Which source is better by the training donors. The decoder was trained on all of them, so what it scores there is no measure of
 * new donors; what the probe loses from donors it was fitted on to donors it was not is taken off, which is the least that it can
 * lose. So it is with the head, by a probe on the frozen features. Of equals, and where nothing is known, the probe.
 *
 * @param without Why no decoder is asked, where that is so.
 */
export function chooseSource(
  probe: Pick<SourceScore, "held_back" | "fitted">,
  decoderFitted: number | null | undefined,
  without: string = NO_DECODER,
  head?: HeadScore,
): SourceChoice {
  const found = chooseAdapted(probe, decoderFitted, without);
  if (head === undefined || head.fitted === null || head.lost === null || probe.held_back === null) {
    return { ...found, head: null };
  }
  const held = head.fitted - Math.max(0, head.lost);
  const best = found.chosen === "decoder" ? found.decoder! : probe.held_back;
  const chosen = held > best ? "head" : found.chosen;
  return { ...found, chosen, head: held, why: `${found.why}, the ${SOURCE_NAMES.head} about ${fixed(held, 3)}` };
}

/** Which of those that stand on the trained encoder. */
function chooseAdapted(
  probe: Pick<SourceScore, "held_back" | "fitted">,
  decoderFitted: number | null | undefined,
  without: string,
): Omit<SourceChoice, "head"> {
  if (decoderFitted === undefined) return { chosen: "probe", decoder: null, why: without };
  if (decoderFitted === null) {
    return { chosen: "probe", decoder: null, why: "the decoder's correlation is not defined" };
  }
  if (probe.held_back === null || probe.fitted === null) {
    const better = probe.fitted !== null && decoderFitted > probe.fitted;
    const why = "there is one training section only, so both are compared on the spots they were fitted on";
    return { chosen: better ? "decoder" : "probe", decoder: null, why };
  }
  const decoder = decoderFitted - Math.max(0, probe.fitted - probe.held_back);
  const chosen = decoder > probe.held_back ? "decoder" : "probe";
  const [a, b] = [decoder, probe.held_back].map((value) => fixed(value, 3));
  return { chosen, decoder, why: `on training sections held back the decoder has about ${a}, the probe ${b}` };
}

/** Mean of the scores that are defined; null of none. */
export function meanScore(values: readonly (number | null)[]): number | null {
  const known = values.flatMap((value) => value ?? []);
  return known.length === 0 ? null : mean(known);
}
