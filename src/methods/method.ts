/**
 * What a training method is: keys and rules of its configuration, its data, what it trains in which stages, and what it leaves
 * as evidence. The engine in `train/` knows none; a method is a folder here and one line in `index.ts`.
 *
 * @module
 */

import type { KeyTable } from "../core/config_key.ts";
import type { Gpu } from "../gpu/device.ts";
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
import type { FoundCheckpoint } from "../train/run.ts";
import type { Training } from "../train/training.ts";
import type { MethodProof } from "../verify/proof.ts";

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

/** What a finished run leaves for its report. */
export interface MethodEvidence {
  /** Results, maps and what else the report shows. */
  readonly parts: Partial<Omit<RunEvidence, "config" | "metrics" | "facts">>;
  /** Facts of the run beside those of every method. */
  readonly facts: Omit<
    RunFacts,
    "schema" | "status" | "command" | "started" | "seconds" | "versions" | "device" | "arithmetic" | "times"
  >;
  /** Precision that `device` is told with. */
  readonly precision?: string;
  /** Further files by their paths below the folder; one that names others stands behind them. */
  readonly files?: ReadonlyMap<string, Uint8Array | string>;
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
   * Refuses what can be told of the inputs before they are read: names, places, paths.
   *
   * @throws {ConfigError | DataError | WeightsError} Naming what is wrong.
   */
  check(config: ConfigOf<T>, host: Host): Promise<void>;
  /** Reads the data. */
  openData(config: ConfigOf<T>, host: Host): Promise<D>;
  /** Opens everything on the device. */
  open(gpu: Gpu, config: ConfigOf<T>, data: D, host: Host): Promise<MethodRun>;
  /** What `verify` proves of it on a device. */
  proof?(): Promise<MethodProof>;
  /** The result of a finished run for the command's JSON, from what its folder holds. */
  resultJson?(results: Results): Readonly<Record<string, unknown>>;
}

/** Values of any method's keys. */
export type AnyRunConfig = RunConfig & AnyConfig;

/** A method as those see it who know none: its configurations and data are opaque. */
export interface AnyMethod extends Pick<Method, "name" | "summary" | "proof" | "resultJson"> {
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
}
