/**
 * The evidence of a training run: what its folder holds for the report, as types. A report is made from these files alone.
 *
 * | file below the run's folder | content |
 * |---|---|
 * | `config.yaml` | the resolved configuration, as text |
 * | `metrics.jsonl`, `timing.jsonl` | {@linkcode MetricRow}, one a line; what depends on the clock, may be missing |
 * | `run.json` | {@linkcode RunFacts} |
 * | `evaluation/results.json` | {@linkcode Results} |
 * | `evaluation/maps.json`, `predictions/*.h5ad`, `thumbnails/*.png` | {@linkcode SampleMap} |
 * | `evaluation/gallery/gallery.json`, `*.png` | {@linkcode Gallery} |
 * | `evaluation/embedding_map.json` | {@linkcode EmbeddingMap} |
 * | `evaluation/experts.json` | {@linkcode ExpertsEvidence} |
 * | `evaluation/probes.json` | {@linkcode ProbesEvidence} |
 * | `evaluation/volumes.json` | {@linkcode VolumesEvidence} |
 * | `evaluation/cases.csv` | what each predictor says of each test case, where cases are classified |
 * | `evaluation/outputs.json` | what a model of slides says of each test case |
 * | `evaluation/cohort.json` | scores of a survival or regression beside models of the mean |
 * | `evaluation/attention/*.h5` | attention of each tile of the test cases, with its place |
 * | `evaluation/attention_maps/*.png`, `*.geojson` | of the cases that are shown: maps with their legend, squares for QuPath |
 * | `evaluation/attention.json`, `attention_images/*.png` | {@linkcode AttentionEvidence} |
 *
 * `config.yaml` and `metrics.jsonl` must be there. JSON has no NaN: a number that is not defined is null and has a `reason` beside it.
 *
 * @module
 */

import type { RgbImage } from "../io/image/rgb_image.ts";
import type { AttentionEvidence } from "./attention_evidence.ts";
import type { CohortEvidence } from "./cohort_evidence.ts";
import type { ClassificationResults } from "./classification_evidence.ts";
import type { ExpertsEvidence } from "./experts_evidence.ts";
import type { ProbesEvidence } from "./probes_evidence.ts";
import type { VolumesEvidence } from "./volumes_evidence.ts";
import type { EVIDENCE_SCHEMA, RunFacts, Warning } from "./run_facts.ts";

export * from "./run_facts.ts";

/** Places below the folder of a run. */
export const EVIDENCE = {
  config: "config.yaml",
  metrics: "metrics.jsonl",
  timing: "timing.jsonl",
  facts: "run.json",
  results: "evaluation/results.json",
  maps: "evaluation/maps.json",
  predictions: "evaluation/predictions",
  thumbnails: "evaluation/thumbnails",
  gallery: "evaluation/gallery/gallery.json",
  patches: "evaluation/gallery",
  embedding: "evaluation/embedding_map.json",
  experts: "evaluation/experts.json",
  probes: "evaluation/probes.json",
  volumes: "evaluation/volumes.json",
  cases: "evaluation/cases.csv",
  outputs: "evaluation/outputs.json",
  cohort: "evaluation/cohort.json",
  attention: "evaluation/attention",
  attentionCases: "evaluation/attention.json",
  attentionImages: "evaluation/attention_images",
  attentionMaps: "evaluation/attention_maps",
  report: "report.html",
} as const;

/** One logged step. Names of numbers are open, see `losses.ts` for those that are shown. Null was not finite. */
export interface MetricRow {
  readonly step: number;
  readonly epoch?: number;
  readonly stage?: string | number;
  /** `train`, or what was evaluated: `val`, `test`. */
  readonly split?: string;
  readonly [name: string]: number | string | boolean | null | undefined;
}

/** A mean with its spread; null with a reason where it is not defined. */
export interface Spread {
  readonly mean: number | null;
  readonly std?: number;
  /** What the standard deviation or interval is over: `folds`, `slides`, `seeds`. */
  readonly over?: string;
  readonly low?: number;
  readonly high?: number;
  readonly reason?: string;
}

/** How well one gene is predicted on held-out spots. */
export interface GeneScore {
  readonly gene: string;
  /** All spots together; then within sections, averaged over them, which runs before 0.2 have not. */
  readonly pearson: number | null;
  readonly pearson_per_slide?: number | null;
  readonly spearman?: number | null;
  readonly r2?: number | null;
  /** Kind of gene, where kinds are known: `visible program`. */
  readonly group?: string;
  readonly reason?: string;
}

/** How well one slide is predicted. */
export interface SlideScore {
  readonly sample: string;
  readonly donor?: string;
  /** Whether training saw other sections of the donor; missing where donors are not named. */
  readonly seen?: boolean;
  readonly spots: number;
  readonly pearson: number | null;
  readonly reason?: string;
}

/** Held-out sections of donors of one kind. */
export interface DonorScores {
  /** Whether training never saw the donors, saw other sections of them, or they are not named. */
  readonly kind: "unseen" | "seen" | "unknown";
  readonly donors: number;
  readonly sections: number;
  readonly spots: number;
  readonly pearson_per_slide: Spread;
}

/** A linear probe on held-out spots. */
export interface ProbeScores {
  /** Name of the protocol: `depth-cv/1`. */
  readonly protocol: string;
  /** What was predicted: `ln(1 + counts per 10,000)`. */
  readonly truth?: string;
  /** The penalty and how it was found. */
  readonly penalty?: string;
  /** Where the genes come from. */
  readonly panel?: string;
  /** Mean over genes, spots of all test slides together. */
  readonly pearson: Spread;
  /** Mean over genes and slides, within slides. */
  readonly pearson_per_slide?: Spread;
  readonly spearman?: Spread;
  readonly r2?: Spread;
  /** Donors that training saw and did not see, each with numbers of their own. */
  readonly donors?: readonly DonorScores[];
  readonly genes: readonly GeneScore[];
  readonly slides?: readonly SlideScore[];
}

/** Name of the space of what the probe predicts. */
export const PROBE_SPACE = "through the probe";

/** Retrieval between patches and expression. */
export interface RetrievalScores {
  readonly direction: "i2g" | "g2i";
  /** What one query is ranked against: `within slides`. */
  readonly scope: string;
  /** Space of the comparison: `joint space`, or {@linkcode PROBE_SPACE}. */
  readonly space: string;
  readonly queries: number;
  /** Candidates of a query, on average. */
  readonly gallery: number;
  readonly recall: readonly {
    readonly k: number;
    readonly value: number | null;
    readonly low?: number;
    readonly high?: number;
  }[];
  readonly median_rank: number | null;
  /** Queries whose true candidate ties with another. */
  readonly ties?: number;
  readonly reason?: string;
}

/** How well the slide can be told from the features: the batch effect. */
export interface SlideProbe {
  readonly accuracy: number | null;
  readonly chance: number;
  readonly slides: number;
  readonly std?: number;
  readonly reason?: string;
}

/** How features of all patches lie, whatever they predict. */
export interface SpaceScores {
  /** Patches that were looked at. */
  readonly patches: number;
  /** Mean cosine of two patches. */
  readonly mean_cosine: number | null;
  /** How many directions features use. */
  readonly smooth_rank: number | null;
  /** Mean share of the ten nearest patches that are of the same section, and what it would be at random. */
  readonly same_slide: number | null;
  readonly same_slide_chance: number;
  /** Of neighbours of one kind elsewhere and of another kind in the same section, the share of the first. */
  readonly robustness: number | null;
  /** Where kinds of tissue come from. */
  readonly kinds: string;
  /** How well kinds are told on held-out patches: the mean over kinds, what guessing has, and each kind. */
  readonly morphology?: {
    readonly accuracy: number;
    readonly chance: number;
    readonly kinds: readonly { readonly kind: string; readonly recall: number; readonly patches: number }[];
  };
}

/** One encoder's numbers. */
export interface EncoderResult {
  readonly id: string;
  readonly label: string;
  readonly role: "before" | "after" | "other";
  readonly features?: number;
  /** The probe of the headline: on truth normalised by depth, its penalty chosen on training donors. */
  readonly probe?: ProbeScores;
  /** HEST-Benchmark's probe, whose truth rises with depth; in runs before 0.2 it is `probe`. */
  readonly benchmark?: ProbeScores;
  readonly retrieval?: readonly RetrievalScores[];
  readonly slide_probe?: SlideProbe;
  /** Of the encoder before and after training. */
  readonly space?: SpaceScores;
  readonly note?: string;
}

/** A paired difference, after training less before. */
export interface Difference {
  /** `pearson`, `pearson_per_slide`, `recall_at_10_i2g`, … */
  readonly metric: string;
  readonly mean: number;
  readonly low?: number;
  readonly high?: number;
  /** Level of the interval, 0.95. */
  readonly level?: number;
  /** What the pairs are: `genes`, `folds`, `slides`. */
  readonly over?: string;
  /** Why there is no interval. */
  readonly reason?: string;
}

/** What is attainable, or was reached before, on generated data. */
export interface Reference {
  readonly name: string;
  readonly kind: "oracle" | "calibration";
  /** By HEST-Benchmark's protocol, spots of all sections together, as the calibration was measured. */
  readonly pearson: number | null;
  /** By the protocol of the headline, within sections. */
  readonly pearson_per_slide?: number | null;
  /** Over the genes whose programs show in the image. */
  readonly pearson_visible?: number | null;
  readonly recall_at_10?: number | null;
  readonly note?: string;
}

/** An acceptance check with its threshold. */
export interface Acceptance {
  readonly name: string;
  readonly wanted: string;
  readonly found: number | null;
  /** Null where it could not be decided, with a note. */
  readonly passed: boolean | null;
  readonly note?: string;
}

/** All that was measured on held-out samples. */
export interface Results {
  readonly schema: typeof EVIDENCE_SCHEMA;
  readonly encoders: readonly EncoderResult[];
  readonly differences?: readonly Difference[];
  readonly references?: readonly Reference[];
  readonly checks?: readonly Acceptance[];
  /** Cases and their classes, of a method that classifies. */
  readonly classification?: ClassificationResults;
  readonly notes?: readonly Warning[];
  readonly device?: string;
  readonly seconds?: number;
}

/** An image of a slide with its scale: thumbnail pixels a level-0 pixel. */
export interface Thumbnail {
  readonly image: RgbImage;
  readonly scale: number;
}

/** Measured and predicted expression of a section; its file is an `.h5ad` with `X` predicted and `layers/measured`. */
export interface SampleMap {
  readonly sample: string;
  readonly donor?: string;
  /** What predicted: a method and how, as `SEAL, linear probe`. */
  readonly predicted_by: string;
  /** Unit of both: `log1p counts`. */
  readonly unit: string;
  readonly barcodes: readonly string[];
  readonly genes: readonly string[];
  /** `[S, G]`. */
  readonly measured: Float32Array;
  /** `[S, G]`. */
  readonly predicted: Float32Array;
  /** Centres of spots, `[S, 2]`, x then y, level-0 pixels. */
  readonly spatial: Float64Array;
  /** Level-0 pixels. */
  readonly spot_diameter?: number;
  readonly pixel_size_um?: number;
  readonly thumbnail?: Thumbnail;
}

/** A patch of the gallery. */
export interface GalleryPatch {
  readonly sample: string;
  readonly barcode: string;
  readonly image: RgbImage;
}

/** A patch that a query found; `correct` when it is the query's own. */
export interface GalleryHit extends GalleryPatch {
  readonly score: number;
  readonly correct: boolean;
}

/** A query by the expression of a spot. */
export interface GalleryQuery extends GalleryPatch {
  /** Genes that stand out in the spot, with by how many standard deviations. */
  readonly top_genes: readonly { readonly gene: string; readonly value: number }[];
  readonly hits: readonly GalleryHit[];
  /** Rank of the spot's own patch, from 1. */
  readonly rank: number;
  /** Candidates of the query. */
  readonly gallery: number;
}

/** Queries with what they found. */
export interface Gallery {
  /** What ranked: a method and where, as `SEAL, joint space`. */
  readonly ranked_by: string;
  /** How queries were chosen: `every 25th spot`. */
  readonly chosen: string;
  readonly queries: readonly GalleryQuery[];
}

/** Features of patches in two dimensions, before and after. */
export interface EmbeddingMap {
  readonly schema: typeof EVIDENCE_SCHEMA;
  /** `PCA`. */
  readonly method: string;
  readonly samples: readonly { readonly sample: string; readonly donor?: string }[];
  /** Sample of each point. */
  readonly sample_index: readonly number[];
  readonly panels: readonly {
    readonly label: string;
    readonly x: readonly number[];
    readonly y: readonly number[];
    /** Parts of the variance the axes explain. */
    readonly explained?: readonly number[];
  }[];
  readonly genes?: readonly { readonly gene: string; readonly values: readonly number[] }[];
}

/** The parts of the evidence that may be missing. */
export interface OptionalEvidence {
  readonly facts?: RunFacts;
  readonly results?: Results;
  readonly maps?: readonly SampleMap[];
  readonly gallery?: Gallery;
  readonly embedding?: EmbeddingMap;
  /** Experts, of a method that has some. */
  readonly experts?: ExpertsEvidence;
  /** Expression at other depths, of a method of volumes. */
  readonly volumes?: VolumesEvidence;
  readonly attention?: AttentionEvidence;
  readonly cohort?: CohortEvidence;
  /** Probes by task, of a method that is judged by several. */
  readonly probes?: ProbesEvidence;
}

/** All evidence of a run. */
export interface RunEvidence extends OptionalEvidence {
  /** YAML text. */
  readonly config: string;
  readonly metrics: readonly MetricRow[];
}
