/**
 * Facts of a training run: what was trained by what, on what, where and for how long.
 *
 * @module
 */

/** Version of the layout, in the files that say it. */
export const EVIDENCE_SCHEMA = 1;

/** A LoRA adapter as PEFT describes it. */
export interface AdapterFacts {
  /** Folder relative to the run, `checkpoints/best`. */
  readonly path: string;
  readonly rank: number;
  readonly alpha: number;
  readonly targets: readonly string[];
  /** Which blocks it acts on, as text: `last 2 of 12`. */
  readonly blocks?: string;
  /** Trained numbers in it. */
  readonly parameters: number;
  readonly bytes?: number;
  /** Python that loads encoder and adapter, where timm and PEFT's usual lines do not. */
  readonly loading?: string;
}

/** The encoder that was tuned. */
export interface EncoderFacts {
  readonly name: string;
  readonly parameters?: number;
  readonly features?: number;
  /** What PEFT's user loads it with: a hub repository or a timm name. */
  readonly base?: string;
  readonly sha256?: string;
  /** Whether its weights are a seeded initialisation, which is for trying only. */
  readonly random?: boolean;
}

/** A section or slide. */
export interface SampleFacts {
  readonly sample: string;
  readonly donor?: string;
  readonly split: "train" | "val" | "test";
  readonly spots: number;
  readonly technology?: string;
  readonly organ?: string;
}

/** What was learnt from, and what was held out. */
export interface DataFacts {
  readonly name: string;
  /** Whether it is the generated data set, of which the attainable is known. */
  readonly synthetic?: boolean;
  /** What samples are: sections of spots where nothing is said, or slides of tiles. */
  readonly of?: "slides";
  readonly samples: readonly SampleFacts[];
  /** Genes trained on. */
  readonly genes?: number;
}

/** A stage of training: steps from `from` to before `to`. */
export interface Stage {
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

/** Where time went. */
export interface TimeShare {
  /** `decode`, `GPU`, `wait`, `evaluation`, … */
  readonly name: string;
  readonly seconds: number;
  readonly note?: string;
}

/** Something a reader must know: a repair, a degenerate case, a doubt. */
export interface Warning {
  readonly text: string;
  readonly reason?: string;
}

/** What the page says of the method, so that it need not know it. Runs of earlier versions have none. */
export interface MethodFacts {
  /** As in `method=`. */
  readonly name: string;
  /** As sentences call it. */
  readonly label: string;
  /** Where it is described, for the foot of the page. */
  readonly citation?: string;
  /** How what was trained is used: a heading and the lines to copy. An adapter has its own. */
  readonly use?: { readonly title: string; readonly code: string };
  /** Titles of the columns of the metrics: `loss` is `Cross-entropy`. */
  readonly columns?: Readonly<Record<string, string>>;
  /** What must be known to read the columns. */
  readonly columns_note?: string;
}

/** Facts of a run. */
export interface RunFacts {
  readonly schema: typeof EVIDENCE_SCHEMA;
  readonly title: string;
  readonly method?: MethodFacts;
  readonly status: "finished" | "interrupted" | "failed";
  /** Command line that makes it again. */
  readonly command?: string;
  /** ISO 8601. */
  readonly started?: string;
  readonly seconds?: number;
  readonly seed?: number;
  /** Step of the checkpoint that was evaluated. */
  readonly best_step?: number;
  /** Names and versions of the software; what the device's arithmetic is like, the same on the same adapter. */
  readonly versions?: Readonly<Record<string, string>>;
  readonly arithmetic?: Readonly<Record<string, string>>;
  /** Encoder, genes, split and device by names and hashes, in a sentence. */
  readonly made_of?: string;
  readonly device?: {
    readonly name: string;
    readonly software?: boolean;
    readonly precision?: string;
    /** File of measured kernels, with its mark. */
    readonly tuning?: string;
  };
  readonly encoder?: EncoderFacts;
  readonly adapter?: AdapterFacts;
  readonly data?: DataFacts;
  readonly stages?: readonly Stage[];
  readonly times?: readonly TimeShare[];
  readonly warnings?: readonly Warning[];
}
