/**
 * What a training method is: keys and rules of its configuration, its data, what it trains in which stages, and what it leaves
 * as evidence. The engine in `train/` knows none; a method is a folder here and one line in `index.ts`.
 *
 * @module
 */

import type { KeyTable } from "../core/config_key.ts";
import type { Vocabulary } from "../data/genes/vocabulary.ts";
import type { SynthOptions } from "../data/synth/plan.ts";
import type { FoldTruth } from "../eval/cohort/scores.ts";
import type { TrainedModel } from "../eval/inference.ts";
import type { ResultIdentity } from "../evidence/identity.ts";
import type { Gpu } from "../gpu/device.ts";
import type { Features } from "../io/features.ts";
import type { Results, RunEvidence, RunFacts } from "../report/run_evidence.ts";
import type {
  AnyConfig,
  ConfigDocument,
  ConfigFormat,
  ConfigOf,
  ConfigOverrides,
  ConfigReading,
} from "../train/config/format.ts";
import type { Host } from "../train/host.ts";
import type { LoopEnd } from "../train/loop.ts";
import type { Lenience, RunDataOptions } from "../train/pair_data.ts";
import type { FoundCheckpoint } from "../train/run.ts";
import type { Training } from "../train/training.ts";
import type { MethodProof } from "../verify/proof.ts";
import type { VolumeRun } from "./volume_run.ts";

/** Keys that every method has, as far as the engine of runs reads them. */
export interface RunConfig {
  readonly input: {
    /** Run folder; null names one after what is trained. */
    readonly out: string | null;
  };
}

/** What the evidence is made from. */
export interface EvidenceContext {
  /** Folder of the run. */
  readonly folder: string;
  /** The checkpoint that is judged; undefined where none was written. */
  readonly best: FoundCheckpoint | undefined;
  readonly end: LoopEnd;
  /** Whether it is the bundled demo. */
  readonly demo: boolean;
}

/** What a file is to hold: all of it, or what is made when it is written, text in pieces. */
export type FileContent = Uint8Array | string | (() => Iterable<string> | Promise<Uint8Array>);

/** What a finished run leaves for its report. */
export interface MethodEvidence {
  /** What the result is of; the report names it beside seed and device. */
  readonly identity: ResultIdentity;
  /** Results, maps and what else the report shows. */
  readonly parts: Partial<Omit<RunEvidence, "config" | "metrics" | "facts">>;
  /** Facts of the run beside those of every method. */
  readonly facts: Omit<
    RunFacts,
    "schema" | "status" | "command" | "started" | "seconds" | "versions" | "device" | "arithmetic" | "times"
  >;
  /** Precision that is printed beside `device`. */
  readonly precision?: string;
  /** Further files by their paths below the folder; one that names others stands behind them. */
  readonly files?: ReadonlyMap<string, FileContent>;
  /** Notes on where time went, by the names of the parts. */
  readonly timeNotes?: Readonly<Record<string, string>>;
  /** The result in a few lines, and for the command's JSON. */
  readonly lines: readonly string[];
  readonly json: Readonly<Record<string, unknown>>;
}

/** A run that is open on the device. */
export interface MethodRun {
  readonly training: Training;
  /** One line: what is trained, on what. */
  describe(): string;
  /** What the evidence compares with and training would change. */
  before?(): Promise<void>;
  /** Measures what was learnt. The model has the weights of the last step; the judged checkpoint is loaded here. */
  evidence(context: EvidenceContext): Promise<MethodEvidence>;
  close(): void;
}

/** How a trained model is opened. */
export interface UseOptions {
  /** Where the encoder's weights are now, if elsewhere than at training. */
  readonly encoder?: string | undefined;
  readonly precision?: "f32" | "f16" | undefined;
  /** Patches a batch. */
  readonly batchSize: number;
  /** Weights of a head that then stands on the encoder as it was before training. */
  readonly head?: Uint8Array | undefined;
}

/** A trained model on the device. */
export interface OpenedModel {
  readonly model: TrainedModel;
  close(): Promise<void>;
}

/** A trained run that predicts and retrieves, before a device is open. */
export interface TrainedRun {
  /** The encoder, as it was named at training. */
  readonly encoder: string;
  /** Its genes. */
  readonly vocabulary: Vocabulary;
  /** Whether images need an organ. */
  readonly organs: boolean;
  /** How its data were chosen and read. */
  data(lenience?: Lenience): RunDataOptions;
  /**
   * Opens the model.
   *
   * @throws {WeightsError} If the encoder's weights are not those it was trained with, or the checkpoint lacks a file.
   */
  open(gpu: Gpu, host: Host, options: UseOptions): Promise<OpenedModel>;
}

/** Rows of stored features of a slide. */
export interface SlideRows {
  /** Names it in errors. */
  readonly name: string;
  readonly count: number;
  /** Rows `from` up to `to`, `[to - from, d]`. */
  read(from: number, to: number): Promise<Float32Array>;
}

/** What a model of slides tells: a class, a risk, or numbers. */
export type SlideTask =
  | { readonly kind: "classification"; readonly classes: readonly string[] }
  | { readonly kind: "survival" }
  | { readonly kind: "regression"; readonly targets: readonly string[] };

/** What a model says of a slide. */
export interface SaidOfSlide {
  /** Probabilities of the classes, which sum to 1; one risk, higher where the event is earlier; or a number a target. */
  readonly said: readonly number[];
  /** Attention of each row, the mean over heads; it sums to 1. Undefined of a model without. */
  readonly attention: Float64Array | undefined;
}

/** A model of slides on the device. */
export interface SlideModel {
  run(slide: SlideRows): Promise<SaidOfSlide>;
  close(): void;
}

/** A trained run that tells something of slides from stored features, before a device is open. */
export interface SlideRun {
  readonly task: SlideTask;
  /** Width of a row. */
  readonly dim: number;
  open(gpu: Gpu): Promise<SlideModel>;
  /**
   * Slides or cases that the run was tested on, and what is true of them; numbers as the table has them.
   *
   * @throws {DataError | FormatError} If labels or features are no longer there, or are damaged.
   */
  heldOut(host: Host): Promise<{ readonly slides: readonly SlideRows[]; readonly truth: FoldTruth }>;
}

/** What a model of slides says of the test bags of a fold. */
export interface FoldOutputs {
  readonly fold: string;
  readonly bags: readonly {
    /** Slide or case. */
    readonly name: string;
    readonly tiles: number;
    /** Probabilities of classes, a risk, or targets on the scale of the training bags. */
    readonly output: readonly number[];
  }[];
}

/** A run on one fold of a cohort that is asked for. */
export interface FoldRequest {
  /** Value of the key that chooses the model. */
  readonly model: string;
  /** Name of the fold: `fold_3`. */
  readonly fold: string;
  /** Folders of features, table with folds, file of the task. */
  readonly features: string;
  readonly split: string;
  readonly task: string;
  readonly caseSlides: "combine" | "mean";
  readonly expression?: string | undefined;
  readonly geneSets?: string | undefined;
  readonly seed: number;
}

/** What a run takes, measured on the device. */
export interface FoldCost {
  readonly parameters: number;
  readonly steps: number;
  /** To open a run, of a step, and of the test part. */
  readonly openSeconds: number;
  readonly stepSeconds: number;
  readonly testSeconds: number;
  /** Of what is shown of the test part: maps, attention in files, what is said without tiles. */
  readonly shownSeconds: number;
  /** On disk. */
  readonly bytes: number;
}

/** Models of slides on the folds of a cohort. */
export interface FoldTraining<Config, D> {
  /** What they are called in sentences, by the values of the key that chooses them. */
  readonly models: Readonly<Record<string, string>>;
  /** Keys of a run; what the user says wins over them, but for where inputs lie. */
  settings(asked: FoldRequest): { readonly defaults: ConfigOverrides; readonly fixed: ConfigOverrides };
  /**
   * Reads once what folds share.
   *
   * @param slides Those that take part.
   * @returns Data of one fold.
   */
  open(config: Config, host: Host, slides: ReadonlySet<string>): Promise<(config: Config) => D>;
  /** How a model is trained, in words. */
  note(config: Config): string;
  /** Measures a few steps of a model that is then thrown away. @param now Milliseconds. */
  cost(gpu: Gpu, config: Config, data: D, host: Host, now: () => number): Promise<FoldCost>;
  /** Reads what a finished run says of its test bags. @throws {DataError} If the file is none. */
  outputs(text: string, file: string): FoldOutputs;
}

/** Rows of features that a model made. */
export interface MadeFeatures {
  /** `[R, dim]`. */
  readonly features: Float32Array;
  /** What is said of each row beside, by {@linkcode FeatureRun.columns}. */
  readonly table: readonly (readonly (string | number)[])[];
}

/** A model of features on the device. */
export interface FeatureModel {
  /** Width of what it makes. */
  readonly dim: number;
  /** @param rows `[R, d]`, finite. */
  run(rows: Float32Array): Promise<MadeFeatures>;
  close(): void;
}

/** A trained run that makes other features of stored ones, before a device is open. */
export interface FeatureRun {
  /** Width of a row. */
  readonly dim: number;
  /** What it can make, the default first. */
  readonly forms: readonly string[];
  /** What it says of each row. */
  readonly columns: readonly string[];
  /** Refuses features that are not like those it was trained on. @throws {WeightsError} Naming what differs. */
  check(file: Pick<Features, "name" | "attributes">): void;
  /**
   * Opens the model.
   *
   * @param half Whether it is asked to compute in f16.
   * @throws {ConfigError} If it cannot.
   */
  open(gpu: Gpu, form: string, half?: boolean): Promise<FeatureModel>;
}

/** A run that shows a method on synthetic data, from nothing to a report. */
export interface MethodDemo {
  /** The data set. */
  readonly data: SynthOptions;
  /** The configuration as YAML. @param data Folder of the data set. */
  config(data: string): string;
}

/** A training method. */
export interface Method<T extends KeyTable = KeyTable, D = unknown> {
  /** Of its folder. */
  readonly name: string;
  /** One line for the help. */
  readonly summary: string;
  readonly config: ConfigFormat<T>;
  /** Name of a run where nothing was said: letters, digits, `.`, `_`, `-`. */
  runName(config: ConfigOf<T>): string;
  /** Folders and files it writes to beside the run's folder. */
  outputs?(config: ConfigOf<T>): readonly string[];
  /** Encoders it opens by name, which may have to be downloaded. */
  encoders?(config: ConfigOf<T>): readonly string[];
  /**
   * Refuses what can be checked of the inputs before they are read: names, places, paths.
   *
   * @throws {ConfigError | DataError | WeightsError} Naming what is wrong.
   */
  check(config: ConfigOf<T>, host: Host): Promise<void>;
  /** Reads the data. */
  openData(config: ConfigOf<T>, host: Host): Promise<D>;
  /** Opens everything on the device. */
  open(gpu: Gpu, config: ConfigOf<T>, data: D, host: Host): Promise<MethodRun>;
  /** What `train` without arguments shows where this is the default method. */
  readonly demo?: MethodDemo;
  /** What `verify` proves of it on a device. */
  proof?(): Promise<MethodProof>;
  /**
   * A trained run for prediction and retrieval; not there where models of the method give neither.
   *
   * @throws {WeightsError | DataError} If the checkpoint lacks a file, or one is damaged.
   */
  trained?(config: ConfigOf<T>, checkpoint: FoundCheckpoint): TrainedRun;
  /**
   * A trained run for slides with stored features; not there where models of the method take none.
   *
   * @throws {WeightsError | DataError} If the checkpoint lacks a file, or one is damaged.
   */
  slides?(config: ConfigOf<T>, checkpoint: FoundCheckpoint): SlideRun;
  /** Models of slides that are trained on the folds of a cohort; not there where models of the method take none. */
  readonly folds?: FoldTraining<ConfigOf<T>, D>;
  /**
   * A trained run for stored features of patches; not there where models of the method make none of them.
   *
   * @throws {WeightsError | DataError} If the checkpoint lacks a file, or one is damaged.
   */
  features?(config: ConfigOf<T>, checkpoint: FoundCheckpoint): FeatureRun;
  /**
   * A trained run for volumes; not there where models of the method take none.
   *
   * @throws {WeightsError | DataError} If the checkpoint lacks a file, or one is damaged.
   */
  volumes?(config: ConfigOf<T>, checkpoint: FoundCheckpoint): VolumeRun;
  /** The result of a finished run for the command's JSON, from what its folder holds. */
  resultJson?(results: Results): Readonly<Record<string, unknown>>;
}

/** Values of any method's keys. */
export type AnyRunConfig = RunConfig & AnyConfig;

/** A method as those see it who know none: its configurations and data are opaque. */
export interface AnyMethod extends Pick<Method, "name" | "summary" | "demo" | "proof" | "resultJson"> {
  readonly config: {
    read(documents?: readonly ConfigDocument[], overrides?: ConfigOverrides): ConfigReading<AnyRunConfig>;
    write(config: AnyRunConfig): string;
    readonly names: readonly string[];
    help(): string;
  };
  runName(config: AnyRunConfig): string;
  outputs?(config: AnyRunConfig): readonly string[];
  encoders?(config: AnyRunConfig): readonly string[];
  check(config: AnyRunConfig, host: Host): Promise<void>;
  openData(config: AnyRunConfig, host: Host): Promise<unknown>;
  open(gpu: Gpu, config: AnyRunConfig, data: unknown, host: Host): Promise<MethodRun>;
  trained?(config: AnyRunConfig, checkpoint: FoundCheckpoint): TrainedRun;
  slides?(config: AnyRunConfig, checkpoint: FoundCheckpoint): SlideRun;
  readonly folds?: FoldTraining<AnyRunConfig, unknown>;
  features?(config: AnyRunConfig, checkpoint: FoundCheckpoint): FeatureRun;
  volumes?(config: AnyRunConfig, checkpoint: FoundCheckpoint): VolumeRun;
}
