/**
 * Checks of the JSON files of a run's evidence. Images and matrices lie in files of their own, which the JSON names.
 *
 * @module
 */

import {
  type Acceptance,
  type AdapterFacts,
  type DataFacts,
  type Difference,
  type DonorScores,
  type EmbeddingMap,
  type EncoderFacts,
  type EncoderResult,
  EVIDENCE_SCHEMA,
  type GeneScore,
  type MethodFacts,
  type ProbeScores,
  type Reference,
  type Results,
  type RetrievalScores,
  type RunFacts,
  type SampleFacts,
  type SlideProbe,
  type SlideScore,
  type SpaceScores,
  type Spread,
  type Stage,
  type TimeShare,
  type Warning,
} from "./run_evidence.ts";
import { classification } from "./classification_schema.ts";
import {
  type Check,
  count,
  exactly,
  flag,
  list,
  nullable,
  object,
  oneOf,
  optional,
  positive,
  real,
  record,
  text,
} from "./schema.ts";

const number = nullable(real);

const warning: Check<Warning> = object<Warning>({ text, reason: optional(text) });

const adapter: Check<AdapterFacts> = object<AdapterFacts>({
  path: text,
  rank: count,
  alpha: real,
  targets: list(text),
  blocks: optional(text),
  parameters: count,
  bytes: optional(count),
  loading: optional(text),
});

const encoderFacts: Check<EncoderFacts> = object<EncoderFacts>({
  name: text,
  parameters: optional(count),
  features: optional(count),
  base: optional(text),
  sha256: optional(text),
  random: optional(flag),
});

const data: Check<DataFacts> = object<DataFacts>({
  name: text,
  synthetic: optional(flag),
  of: optional(oneOf("slides")),
  samples: list(object<SampleFacts>({
    sample: text,
    donor: optional(text),
    split: oneOf("train", "val", "test"),
    spots: count,
    technology: optional(text),
    organ: optional(text),
  })),
  genes: optional(count),
});

/** `run.json`. */
export const runFacts: Check<RunFacts> = object<RunFacts>({
  schema: exactly(EVIDENCE_SCHEMA),
  title: text,
  method: optional(object<MethodFacts>({
    name: text,
    label: text,
    citation: optional(text),
    use: optional(object<NonNullable<MethodFacts["use"]>>({ title: text, code: text })),
    columns: optional(record(text)),
    columns_note: optional(text),
  })),
  status: oneOf("finished", "interrupted", "failed"),
  command: optional(text),
  started: optional(text),
  seconds: optional(real),
  seed: optional(real),
  best_step: optional(count),
  versions: optional(record(text)),
  device: optional(object<NonNullable<RunFacts["device"]>>({
    name: text,
    software: optional(flag),
    precision: optional(text),
    tuning: optional(text),
  })),
  arithmetic: optional(record(text)),
  made_of: optional(text),
  encoder: optional(encoderFacts),
  adapter: optional(adapter),
  data: optional(data),
  stages: optional(list(object<Stage>({ name: text, from: count, to: count }))),
  times: optional(list(object<TimeShare>({ name: text, seconds: real, note: optional(text) }))),
  warnings: optional(list(warning)),
});

/** A paired difference. */
export const differenceCheck: Check<Difference> = object<Difference>({
  metric: text,
  mean: real,
  low: optional(real),
  high: optional(real),
  level: optional(real),
  over: optional(text),
  reason: optional(text),
});

/** A mean with its spread. */
export const spread: Check<Spread> = object<Spread>({
  mean: number,
  std: optional(real),
  over: optional(text),
  low: optional(real),
  high: optional(real),
  reason: optional(text),
});

const geneScore: Check<GeneScore> = object<GeneScore>({
  gene: text,
  pearson: number,
  pearson_per_slide: optional(number),
  spearman: optional(number),
  r2: optional(number),
  group: optional(text),
  reason: optional(text),
});

const probe: Check<ProbeScores> = object<ProbeScores>({
  protocol: text,
  truth: optional(text),
  penalty: optional(text),
  panel: optional(text),
  pearson: spread,
  pearson_per_slide: optional(spread),
  spearman: optional(spread),
  r2: optional(spread),
  donors: optional(list(object<DonorScores>({
    kind: oneOf("unseen", "seen", "unknown"),
    donors: count,
    sections: count,
    spots: count,
    pearson_per_slide: spread,
  }))),
  genes: list(geneScore),
  slides: optional(list(object<SlideScore>({
    sample: text,
    donor: optional(text),
    seen: optional(flag),
    spots: count,
    pearson: number,
    reason: optional(text),
  }))),
});

const retrieval: Check<RetrievalScores> = object<RetrievalScores>({
  direction: oneOf("i2g", "g2i"),
  scope: text,
  space: text,
  queries: count,
  gallery: positive,
  recall: list(object<RetrievalScores["recall"][number]>({
    k: positive,
    value: number,
    low: optional(real),
    high: optional(real),
  })),
  median_rank: number,
  ties: optional(count),
  reason: optional(text),
});

const slideProbe: Check<SlideProbe> = object<SlideProbe>({
  accuracy: number,
  chance: real,
  slides: count,
  std: optional(real),
  reason: optional(text),
});

const space: Check<SpaceScores> = object<SpaceScores>({
  patches: count,
  mean_cosine: number,
  smooth_rank: number,
  same_slide: number,
  same_slide_chance: real,
  robustness: number,
  kinds: text,
  morphology: optional(object<NonNullable<SpaceScores["morphology"]>>({
    accuracy: real,
    chance: real,
    kinds: list(object<NonNullable<SpaceScores["morphology"]>["kinds"][number]>({
      kind: text,
      recall: real,
      patches: count,
    })),
  })),
});

/** Roles; runs before 0.2 call them by what they were then. */
const role: Check<EncoderResult["role"]> = (value, place) => {
  const earlier: Readonly<Record<string, EncoderResult["role"]>> = { frozen: "before", seal: "after" };
  const known = typeof value === "string" && Object.hasOwn(earlier, value) ? earlier[value] : value;
  return oneOf("before", "after", "other")(known, place);
};

const encoder: Check<EncoderResult> = object<EncoderResult>({
  id: text,
  label: text,
  role,
  features: optional(count),
  probe: optional(probe),
  benchmark: optional(probe),
  retrieval: optional(list(retrieval)),
  slide_probe: optional(slideProbe),
  space: optional(space),
  note: optional(text),
});

/** `evaluation/results.json`. */
export const results: Check<Results> = object<Results>({
  schema: exactly(EVIDENCE_SCHEMA),
  encoders: list(encoder),
  differences: optional(list(differenceCheck)),
  references: optional(list(object<Reference>({
    name: text,
    kind: oneOf("oracle", "calibration"),
    pearson: number,
    pearson_per_slide: optional(number),
    pearson_visible: optional(number),
    recall_at_10: optional(number),
    note: optional(text),
  }))),
  checks: optional(list(object<Acceptance>({
    name: text,
    wanted: text,
    found: number,
    passed: nullable(flag),
    note: optional(text),
  }))),
  classification: optional(classification),
  notes: optional(list(warning)),
  device: optional(text),
  seconds: optional(real),
});

/** `evaluation/embedding_map.json`. */
export const embeddingMap: Check<EmbeddingMap> = object<EmbeddingMap>({
  schema: exactly(EVIDENCE_SCHEMA),
  method: text,
  samples: list(object<EmbeddingMap["samples"][number]>({ sample: text, donor: optional(text) })),
  sample_index: list(count),
  panels: list(object<EmbeddingMap["panels"][number]>({
    label: text,
    x: list(real),
    y: list(real),
    explained: optional(list(real)),
  })),
  genes: optional(list(object<NonNullable<EmbeddingMap["genes"]>[number]>({ gene: text, values: list(real) }))),
});

/** `evaluation/maps.json`: which files hold a section's map. */
export interface MapsFile {
  readonly schema: typeof EVIDENCE_SCHEMA;
  readonly samples: readonly {
    readonly sample: string;
    readonly donor?: string;
    readonly predicted_by: string;
    readonly unit: string;
    readonly predictions: string;
    readonly spot_diameter?: number;
    readonly pixel_size_um?: number;
    readonly thumbnail?: { readonly file: string; readonly scale: number };
  }[];
}

/** {@linkcode MapsFile}. */
export const mapsFile: Check<MapsFile> = object<MapsFile>({
  schema: exactly(EVIDENCE_SCHEMA),
  samples: list(object<MapsFile["samples"][number]>({
    sample: text,
    donor: optional(text),
    predicted_by: text,
    unit: text,
    predictions: text,
    spot_diameter: optional(positive),
    pixel_size_um: optional(positive),
    thumbnail: optional(object<{ file: string; scale: number }>({ file: text, scale: positive })),
  })),
});

/** A patch of the gallery, its image by the name of its file. */
interface PatchEntry {
  readonly sample: string;
  readonly barcode: string;
  readonly file: string;
}

/** `evaluation/gallery/gallery.json`. */
export interface GalleryFile {
  readonly schema: typeof EVIDENCE_SCHEMA;
  readonly ranked_by: string;
  readonly chosen: string;
  readonly queries: readonly (PatchEntry & {
    readonly top_genes: readonly { readonly gene: string; readonly value: number }[];
    readonly hits: readonly (PatchEntry & { readonly score: number; readonly correct: boolean })[];
    readonly rank: number;
    readonly gallery: number;
  })[];
}

const patchEntry = { sample: text, barcode: text, file: text };

/** {@linkcode GalleryFile}. */
export const galleryFile: Check<GalleryFile> = object<GalleryFile>({
  schema: exactly(EVIDENCE_SCHEMA),
  ranked_by: text,
  chosen: text,
  queries: list(object<GalleryFile["queries"][number]>({
    ...patchEntry,
    top_genes: list(object<{ gene: string; value: number }>({ gene: text, value: real })),
    hits: list(object<GalleryFile["queries"][number]["hits"][number]>({ ...patchEntry, score: real, correct: flag })),
    rank: positive,
    gallery: positive,
  })),
});
