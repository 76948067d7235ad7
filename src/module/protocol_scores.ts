/**
 * A run's features judged as the command `evaluate` judges them: a linear probe by a named protocol, beside the encoder as it was
 * before training.
 *
 * @module
 */

import { ConfigError, DataError } from "../core/errors.ts";
import type { ReadDisk, SampleFiles } from "../data/data_folder.ts";
import type { FeatureSource } from "../eval/bench/bench_sample.ts";
import type { LeaveOut } from "../eval/bench/folds.ts";
import type { ProtocolResult, Summary, TaskResult } from "../eval/bench/hest_bench.ts";
import type { TrainedModel } from "../eval/inference.ts";
import type { Protocol } from "../eval/protocol.ts";
import type { Gpu } from "../gpu/device.ts";
import { checkChoice, checkCount, checkSignal, checkText } from "./check.ts";
import type { SpotFiles } from "./spots.ts";

/** How features are judged. */
export interface ProtocolOptions {
  /** Name of the protocol, such as `hest-bench/1` or `depth-cv/1`, as the command takes it. */
  readonly protocol: string;
  /** A fold for each of these; by default the folder's `splits`, if all their samples are chosen, else `donor`. */
  readonly leaveOut?: LeaveOut | undefined;
  /** So many folds of whole donors instead. */
  readonly folds?: number | undefined;
  /** Path of a panel of genes; by default `var_50genes.json` of the folder, else each fold chooses. */
  readonly panel?: string | undefined;
  /** Genes that a fold chooses; default 50. */
  readonly panelGenes?: number | undefined;
  /** Of the division into `folds`; default 42. */
  readonly seed?: number | undefined;
  /** Stops between batches. */
  readonly signal?: AbortSignal | undefined;
}

/** A number over folds. */
export interface FoldScores {
  /** Over the folds. */
  readonly mean: number;
  /** Population deviation. */
  readonly std: number;
  /** By fold. */
  readonly folds: readonly number[];
}

/** What a probe scores. */
export interface ProbeScores {
  /** Mean over genes of Pearson's correlation over all test spots of a fold. */
  readonly pearson: FoldScores;
  /** Mean over test sections of that within the section. */
  readonly sectionPearson: FoldScores;
  /** As `pearson`, of ranks. */
  readonly spearman: FoldScores;
  /** R2 with an intercept. */
  readonly r2: FoldScores;
}

/** Scores of features by a protocol. */
export interface JudgedFeatures extends ProbeScores {
  /** A probe that knows of each spot only how many counts it has. */
  readonly depth: ProbeScores;
  /** How the penalty was chosen. */
  readonly penalty: string;
}

/** What {@linkcode Run.evaluate} gives by a protocol: the numbers of the command's `results.json`. */
export interface ProtocolScores extends JudgedFeatures {
  /** Its name. */
  readonly protocol: string;
  /** What is predicted. */
  readonly truth: string;
  /** Names of the folds, in order of the values. */
  readonly folds: readonly string[];
  /** Spots that were judged. */
  readonly spots: number;
  /** The encoder before training. */
  readonly frozen: JudgedFeatures;
  /** Trained less frozen. */
  readonly gain: readonly {
    readonly protocol: string;
    readonly metric: string;
    /** What the pairs are. */
    readonly over: "folds" | "genes";
    readonly mean: number;
    /** 95% bootstrap interval; null where there are too few independent folds. */
    readonly interval: readonly [low: number, high: number] | null;
  }[];
  /** By the protocol of the headline, `depth-cv/1`: of what was trained. */
  readonly headline: JudgedFeatures;
}

/** A run as it is judged. */
export interface JudgedRun {
  readonly gpu: Gpu;
  readonly model: TrainedModel;
  /** As it was named at training. */
  readonly encoder: string;
  /** Side of the images the encoder is fed, px, where the run says. */
  readonly imageSize: number | undefined;
  readonly batchSize: number;
}

/** From RGB bytes `[n, side, side, 3]` to features, row by row. */
type Embed = (pixels: Uint8Array, side: number) => Promise<Float32Array>;

async function patchSource(
  disk: ReadDisk,
  { name, dim, embed }: { name: string; dim: number; embed: Embed },
  batch: number,
  signal: AbortSignal | undefined,
): Promise<FeatureSource> {
  const [{ openPatches }, { table }] = await Promise.all([
    import("../io/patches.ts"),
    import("../eval/linalg/table.ts"),
  ]);
  return {
    name,
    facts: { encoder: name },
    async load({ patches }: SampleFiles) {
      const file = await openPatches(disk.open(patches!, "read"));
      try {
        if (file.barcodes === undefined) throw new DataError(`Cannot join ${file.name}: it names no spots`);
        const all = new Float32Array(file.count * dim);
        for (let from = 0; from < file.count; from += batch) {
          signal?.throwIfAborted();
          all.set(await embed(file.read(from, Math.min(file.count, from + batch)), file.width), from * dim);
        }
        return { barcodes: file.barcodes, features: table(file.count, dim, all) };
      } finally {
        file.close();
      }
    },
  };
}

const overFolds = ({ mean, std, values }: Summary): FoldScores => ({ mean, std, folds: values });

function judged(result: ProtocolResult, penaltyText: (folds: ProtocolResult["folds"]) => string): JudgedFeatures {
  const scores = ({ pearson, slidePearson, spearman, r2Intercept }: ProtocolResult["depth"]): ProbeScores => ({
    pearson: overFolds(pearson),
    sectionPearson: overFolds(slidePearson),
    spearman: overFolds(spearman),
    r2: overFolds(r2Intercept),
  });
  return { ...scores(result), depth: scores(result.depth), penalty: penaltyText(result.folds) };
}

/**
 * Judges a run on samples in HEST's layout.
 *
 * @throws {ConfigError} If there is no such protocol, or the options do not go together.
 * @throws {DataError | FormatError} If data cannot be read or grouped.
 */
export async function judgeRun(
  { gpu, model, encoder, imageSize, batchSize }: JudgedRun,
  { folders, samples, lenience, disk: given }: SpotFiles,
  options: ProtocolOptions,
): Promise<ProtocolScores> {
  const { protocol: asked, leaveOut, folds, panel, panelGenes = 50, seed, signal } = options;
  checkText("evaluate", "protocol", asked);
  checkChoice("evaluate", "leaveOut", leaveOut, ["donor", "organ", "technology", "sample"]);
  checkCount("evaluate", "panelGenes", panelGenes);
  checkSignal("evaluate", signal);
  if (leaveOut !== undefined && folds !== undefined) {
    throw new ConfigError("Cannot use folds and leaveOut together: one of them decides the folds");
  }
  const [bench, tasks, { findProtocol }, host, { openEncoder }, { Embedder }] = await Promise.all([
    import("../eval/bench/hest_bench.ts"),
    import("../eval/bench/bench_task.ts"),
    import("../eval/protocol.ts"),
    import("../io/fs.ts"),
    import("../run/encoder.ts"),
    import("../embed/embedder.ts"),
  ]);
  const disk = given ?? host.disk;
  const protocol = findProtocol(asked);
  const task = tasks.dataTask(disk, folders, { leaveOut, folds, panel, seed, samples });
  for (const { id, folder, patches } of task.samples) {
    if (patches !== undefined) continue;
    throw new DataError(`Cannot embed ${id}: ${folder}/patches has no ${id}.h5`, { hint: "Cut patches with convert" });
  }
  const { dropUnknownPatches, ...counted } = lenience;
  const counts = await bench.readTaskCounts(disk, task, undefined, { ...counted, panelGenes });
  const opened = await openEncoder(gpu, { encoder, imageSize });
  const { dim } = opened.encoder;
  const probe = async (name: string, embed: Embed): Promise<TaskResult> =>
    await bench.runTask(counts, await patchSource(disk, { name, dim, embed }, batchSize, signal), {
      protocol,
      panelGenes,
      dropUnknownPatches,
      gpu,
    });
  const embedder = new Embedder(gpu, opened.encoder, { batchSize });
  let frozen: TaskResult;
  try {
    frozen = await probe("frozen", async (pixels, side) => {
      await embedder.submit(pixels, side, side);
      return await embedder.flush();
    });
  } finally {
    embedder.destroy();
    opened.encoder.parameters.destroy();
  }
  const trained = await probe("trained", async (pixels, side) => (await model.images(pixels, side)).embedding);
  return await scoresBy(protocol, { trained, frozen, task: counts.task.name });
}

/** Scores of what was trained, beside the encoder before. */
async function scoresBy(
  protocol: Protocol,
  { trained, frozen, task: name }: { trained: TaskResult; frozen: TaskResult; task: string },
): Promise<ProtocolScores> {
  const [{ compare }, { penaltyText }] = await Promise.all([
    import("../eval/comparison.ts"),
    import("../eval/bench/bench_result.ts"),
  ]);
  return {
    protocol: protocol.name,
    truth: protocol.truth,
    folds: trained.folds.map(({ name }) => name),
    spots: trained.spots,
    ...judged(trained, penaltyText),
    frozen: judged(frozen, penaltyText),
    gain: compare([frozen, trained]).filter(({ task }) => task === name).map((found) => ({
      protocol: found.protocol,
      metric: found.metric,
      over: found.over,
      mean: found.paired.mean,
      interval: found.paired.interval ?? null,
    })),
    headline: judged(trained.headline, penaltyText),
  };
}
