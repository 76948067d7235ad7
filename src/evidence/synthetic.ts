/**
 * What is attainable on generated data, whose truth is known: the probe on the true fields bounds every image model. The
 * truth is read here and nowhere in training.
 *
 * @module
 */

import { VISIBLE_GENES } from "../data/synth/genes.ts";
import { CALIBRATION } from "../data/synth/oracle.ts";
import type { TrainingSample, TrainingSet } from "../data/training_set.ts";
import { columnMoments, neighbourAgreement } from "../eval/morphology.ts";
import type { ProbeResult } from "../eval/probe.ts";
import { BENCHMARK_PROTOCOL, HEADLINE_PROTOCOL } from "../eval/protocol.ts";
import { mean } from "../eval/linalg/statistics.ts";
import { type Table, takeRows } from "../eval/linalg/table.ts";
import type { Gpu } from "../gpu/device.ts";
import { type Disk, readBytes } from "../io/disk.ts";
import { openAnndata } from "../io/anndata.ts";
import { H5File } from "../io/hdf5/h5.ts";
import type { ProbeScores, Reference } from "../report/run_evidence.ts";
import { type EvidenceData, type GeneTable, takeColumns } from "./data.ts";
import { describeProbe, type EvidenceProtocol, prepare, probeOf, probeScores } from "./probe_evidence.ts";
import { probeRetrieval } from "./retrieval.ts";

/** Fields that genes follow, and those of them that show in the image. */
const FIELDS = 8;
const VISIBLE = 6;

/** What the generator wrote down beside the data. */
export interface SyntheticTruth {
  /** Of the generator's record. */
  readonly profile: string;
  /** Fields at the spots of all pairs, `[pairs, 8]`. */
  readonly fields: Table;
  /** Log of the expected counts of genes of visible programs, `[pairs, 120]`. */
  readonly programme: Table;
}

type ReadDisk = Pick<Disk, "look" | "open">;

/** The kind of a generated gene, by its name. */
export function geneGroup(gene: string): string | undefined {
  if (/^SYNV\dG\d{3}$/.test(gene)) return "visible program";
  if (/^SYNH\dG\d{3}$/.test(gene)) return "hidden program";
  return /^SYNHK\d{3}$/.test(gene) ? "no program" : undefined;
}

/** Profile of the generated data set in a folder; undefined where it holds another. */
export function syntheticProfile(folder: string, disk: ReadDisk): string | undefined {
  const path = `${folder}/synth.json`;
  if (disk.look(path)?.kind !== "file") return undefined;
  try {
    const record = JSON.parse(new TextDecoder().decode(readBytes(disk, path))) as { plan?: { profile?: unknown } };
    return typeof record.plan?.profile === "string" ? record.plan.profile : undefined;
  } catch {
    return undefined;
  }
}

/** The truth of all samples; undefined unless all are generated and have one. */
export async function readTruth(set: TrainingSet, disk: ReadDisk): Promise<SyntheticTruth | undefined> {
  const profiles = new Set(set.samples.map(({ files }) => syntheticProfile(files.folder, disk)));
  const [profile] = profiles;
  if (profiles.size !== 1 || profile === undefined) return undefined;
  const fields = { rows: set.count, columns: FIELDS, data: new Float64Array(set.count * FIELDS) };
  const programme = { rows: set.count, columns: VISIBLE_GENES, data: new Float64Array(set.count * VISIBLE_GENES) };
  for (const sample of set.samples) {
    const found = await truthOf(sample, disk);
    if (found === undefined) return undefined;
    fields.data.set(found.fields, sample.first * FIELDS);
    programme.data.set(found.programme, sample.first * VISIBLE_GENES);
  }
  return { profile, fields, programme };
}

async function truthOf(
  sample: TrainingSample,
  disk: ReadDisk,
): Promise<{ fields: Float64Array; programme: Float64Array } | undefined> {
  const { id, files, barcodes } = sample;
  const path = `${files.folder}/truth/${id}.h5`;
  if (disk.look(path)?.kind !== "file") return undefined;
  const table = await openAnndata(disk, files.expression, ["obs", "var"]);
  const place = new Map(table.obs.index.map((name, row) => [name, row]));
  table.close();
  const rows = barcodes.map((name) => place.get(name));
  const file = await H5File.open(disk.open(path, "read"));
  try {
    const [all, mu] = [file.numbers("/F"), file.numbers("/mu")];
    const [width, genes] = [all.length / place.size, mu.length / place.size];
    if (width !== FIELDS || rows.includes(undefined)) return undefined;
    return {
      fields: Float64Array.from(rows.flatMap((row) => [...all.subarray(row! * width, (row! + 1) * width)])),
      programme: Float64Array.from(
        rows.flatMap((row) => [...mu.subarray(row! * genes, row! * genes + VISIBLE_GENES)]),
        Math.log,
      ),
    };
  } finally {
    file.close();
  }
}

/** Mean over the genes of visible programs; null where the panel has none. */
export function visibleMean({ genes }: Pick<ProbeScores, "genes">): number | null {
  const visible = genes.filter(({ group }) => group === "visible program");
  return visible.length ? mean(visible.map(({ pearson }) => pearson ?? 0)) : null;
}

type Calibrated = typeof CALIBRATION[keyof typeof CALIBRATION];

/** Oracles on this run's own spots, and what was reached on the larger profile before. */
export async function syntheticReferences(
  data: EvidenceData,
  truth: SyntheticTruth,
  gpu: Gpu,
): Promise<Reference[]> {
  const oracle = async (name: string, count: number): Promise<Reference> => {
    const fields = takeColumns(truth.fields, Array.from({ length: count }, (_, i) => i));
    const probed = await prepare(data, fields, gpu);
    const of = (genes: GeneTable, protocol: EvidenceProtocol) => probeOf(data, probed, genes, { gpu, protocol });
    const [headline, benchmark] = [await of(data.panel, HEADLINE_PROTOCOL), await of(data.panel, BENCHMARK_PROTOCOL)];
    const scoresOf = (result: ProbeResult) =>
      probeScores(result, data, { about: describeProbe(result), groupOf: geneGroup });
    const scores = scoresOf(benchmark);
    const found = probeRetrieval(await of(data.compared, BENCHMARK_PROTOCOL), data);
    return {
      name,
      kind: "oracle",
      pearson: scores.pearson.mean,
      pearson_per_slide: scoresOf(headline).pearson_per_slide?.mean ?? null,
      pearson_visible: visibleMean(scores),
      recall_at_10: found.scores.recall.find(({ k }) => k === 10)?.value ?? null,
      note: "computed on this run’s spots",
    };
  };
  const elsewhere = truth.profile === "ci" ? "" : ", not this run’s";
  const before = (name: string, { pcc, pccVisible, recallAt10 }: Calibrated): Reference => ({
    name,
    kind: "calibration",
    pearson: pcc,
    pearson_visible: pccVisible,
    recall_at_10: recallAt10,
    note: `of profile ci${elsewhere}`,
  });
  return [
    await oracle("All 8 true fields", FIELDS),
    await oracle("The 6 true fields that show", VISIBLE),
    before("Colour statistics", CALIBRATION.colour),
    before("Random ViT, 96 wide, frozen", CALIBRATION.frozenRandomVit),
    before("Random ViT, 96 wide, all weights trained", CALIBRATION.trainedVit),
  ];
}

/** How much the true expression programmes of nearest neighbours by features agree (MN10). */
export function agreement(data: EvidenceData, truth: SyntheticTruth, features: Table): number | null {
  const side = (of: Table, pairs: readonly number[]) => takeRows(of, pairs);
  return neighbourAgreement(side(features, data.heldPairs), side(truth.programme, data.heldPairs), {
    slides: data.heldSlides,
    train: columnMoments(side(features, data.trainPairs)),
  }).value;
}
