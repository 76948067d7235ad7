/**
 * What a finished run leaves for its report: the encoder before and after on the held-out donors.
 *
 * @module
 */

import { fixed } from "../../core/fixed.ts";
import { rowsOf } from "../../eval/gallery.ts";
import { LEAST_UNITS } from "../../eval/paired.ts";
import type { Table } from "../../eval/linalg/table.ts";
import { EVIDENCE_SCHEMA, type Reference, type Results, type Warning } from "../../report/run_evidence.ts";
import { loadModel } from "./checkpoint.ts";
import type { LoopEnd, LoopState } from "../../train/loop.ts";
import { type ImageOutputs, shiftRows } from "./inference.ts";
import { checksOf } from "../../evidence/checks.ts";
import { type EvidenceData, namedDonor, readEvidenceData } from "../../evidence/data.ts";
import { embeddingMap } from "../../evidence/embedding.ts";
import { vocabularyHash } from "../../data/genes/vocabulary.ts";
import { encoderIdentity } from "../../evidence/identity.ts";
import {
  type Candidate,
  colourCandidate,
  colourFeatures,
  decoderResult,
  depthCandidate,
  judgedSlides,
  meanResult,
  measure,
  type Measured,
  type Measuring,
} from "../../evidence/encoders.ts";
import { type Control, headControl } from "./control.ts";
import { alignSchedule, deviations } from "./training.ts";
import { factsOf, METHOD, timeNotes } from "./facts.ts";
import { galleryOf } from "../../evidence/gallery.ts";
import { mapsOf } from "../../evidence/maps.ts";
import { asWritten, writtenNames } from "../../evidence/names.ts";
import { fitPredictors, predictorFiles, predictorInput } from "../../evidence/predictor.ts";
import { probeDifferences } from "../../evidence/probe_evidence.ts";
import { jointRetrieval, type JointSpace, retrievalDifferences, tableOf } from "../../evidence/retrieval.ts";
import { judgeSpace, kindsOf, spaceNotes } from "../../evidence/space.ts";
import { summaryOf } from "../../evidence/summary.ts";
import { surroundingResults } from "../../evidence/surroundings.ts";
import { agreement, geneGroup, readTruth, syntheticReferences, type SyntheticTruth } from "../../evidence/synthetic.ts";
import { count } from "../../core/text_table.ts";
import type { ReportPanel } from "../../evidence/panel.ts";
import { pairsOf } from "../../evidence/held_out.ts";
import { organOfPair } from "./scores.ts";
import type { EvidenceContext, MethodEvidence } from "../method.ts";
import type { SealSession } from "./session.ts";
import { GENE_LOSSES } from "../../losses/registry.ts";

/** What the encoder and what follows it say of all patches as they are. */
async function imagesOf(session: SealSession, what: string): Promise<ImageOutputs> {
  const pairs = pairsOf(session.set.samples);
  const organ = organOfPair(session);
  const said = await session.plain.images(
    pairs.map((pair) => session.rows.unchanged(pair)),
    organ && pairs.map(organ),
    (done, total) => session.host.reporter.update(what, done, total, "tiles"),
  );
  // What is predicted of a sample's deviations stands on the training mean.
  if (session.config.genes.gene_centre) shiftRows(said.expression, session.set.vocabulary.mean);
  return said;
}

/** Features of all patches before training, `[count, dim]`. */
export async function frozenFeatures(session: SealSession): Promise<Float32Array> {
  return (await imagesOf(session, "frozen features")).embedding;
}

/** The same of the further views that the control trains on, as the run does; none where it is not asked for or none are kept. */
export async function frozenViews(session: SealSession): Promise<Float32Array[]> {
  if (!controls(session)) return [];
  const pairs = pairsOf(session.set.samples);
  const organ = organOfPair(session);
  const all: Float32Array[] = [];
  for (let view = 1; view < session.rows.views; view++) {
    const say = (done: number, total: number) =>
      session.host.reporter.update(`frozen features of view ${view + 1}`, done, total, "tiles");
    const { embedding } = await session.plain.images(
      pairs.map((pair) => ({ pair, view })),
      organ && pairs.map(organ),
      say,
    );
    all.push(embedding);
  }
  return all;
}

/** What evidence is made of beside the session. */
export interface SealEvidenceInput extends EvidenceContext {
  /** Features of all patches before training, `[count, dim]`. */
  readonly frozen: Float32Array;
  /** Of {@linkcode frozenViews}. */
  readonly views: readonly Float32Array[];
  readonly panel: ReportPanel;
}

/** Loads the checkpoint that is judged and measures it on what is held out. */
export async function sealEvidence(session: SealSession, input: SealEvidenceInput): Promise<MethodEvidence> {
  const { best, end, demo } = input;
  if (best) loadModel(session.model, best.read, best.path);
  const step = best && (best.state as { loop: LoopState }).loop.step;
  const { parts, predictors, synthetic } = await measureAll(session, input, step);
  const { lines, json } = summaryOf(parts.results);
  const { opened, set } = session;
  return {
    identity: {
      encoder: encoderIdentity(opened.name, opened.weightsHash),
      genes: vocabularyHash(set.vocabulary),
      split: set.samples.map(({ id, role }) => [id, role]),
    },
    parts,
    facts: factsOf(session, { ...input, step, steps: end.state.step, synthetic, demo }),
    precision: session.config.optim.precision,
    ...(predictors && { files: predictorFiles(predictors) }),
    timeNotes: timeNotes(session),
    lines,
    json,
  };
}

async function measureAll(session: SealSession, input: SealEvidenceInput, step: number | undefined) {
  const { panel, end } = input;
  const { disk } = session.host;
  const data = await readEvidenceData(session.set, panel);
  const truth = await readTruth(session.set, disk);
  const synthetic = truth !== undefined;
  const images = await imagesOf(session, "SEAL's features");
  const { dim } = session.opened.encoder;
  const features = { before: tableOf(input.frozen, dim), after: tableOf(images.embedding, dim) };
  const trained = data.trainPairs.length > 1;
  const at = { panel, step: step ?? end.state.step };
  const { gene_loss } = session.config.loss;
  const levels = GENE_LOSSES[gene_loss].levels !== false;
  const source = {
    set: session.set,
    dim,
    decoder: session.model.decoder !== undefined && levels,
    ...(!levels && { without: `${gene_loss} fixes no levels of what the image decoder says` }),
  };
  const head = trained ? await headOf(session, [input.frozen, ...input.views]) : undefined;
  const own = head && levels && standsAlone(session)
    ? { said: tableOf(head.said, session.set.genes), features: features.before, file: head.file }
    : undefined;
  const predictors = trained ? await fitPredictors(predictorInput(source, images, { ...at, head: own })) : undefined;
  const panels = [
    { label: "Frozen encoder", features: features.before },
    { label: METHOD.label, features: features.after },
  ];
  const samples = session.set.samples.map((sample) => ({ id: sample.id, donor: namedDonor(sample) }));
  const probed = data.heldPairs.length > 0 && data.panel.genes.length > 0 && trained;
  if (!probed) {
    const embedding = await embeddingMap(data, { panels, samples, genes: [] });
    const results = notProbed(data);
    return { parts: asWritten({ results, embedding }, session.set.vocabulary), predictors, synthetic };
  }
  const space = await jointSpace(session, data, images);
  const judged = await judge(session, { data, truth, features, images, space, head, source: panel.source });
  const { maps, notes } = await mapsOf(data, judged.after.panel, METHOD.label, disk);
  const gallery = space && await galleryOf(space, data, { ...session, label: METHOD.label });
  const embedding = await embeddingMap(data, { panels, samples, genes: shownGenes(judged.after) });
  const results = {
    ...judged.results,
    notes: [
      ...judged.cost,
      ...notesOf(session, data, panel, { step, end }),
      ...poorFits(judged.results.encoders),
      ...notes,
    ],
  };
  const parts = asWritten(
    { results, maps, embedding, ...(gallery === undefined ? {} : { gallery }) },
    session.set.vocabulary,
  );
  return { parts, predictors, synthetic };
}

function notProbed({ heldPairs, panel, trainPairs }: EvidenceData): Results {
  const reason = heldPairs.length === 0
    ? "no sample is held out"
    : panel.genes.length === 0
    ? "no gene of the panel is in all samples"
    : `${trainPairs.length} training pairs are too few`;
  return { schema: EVIDENCE_SCHEMA, encoders: [], notes: [{ text: "Nothing was measured on held-out spots", reason }] };
}

async function jointSpace(
  session: SealSession,
  data: EvidenceData,
  images: ImageOutputs,
): Promise<JointSpace | undefined> {
  const { plain, model } = session;
  if (!model.joint) return undefined;
  const gene = await plain.genes(session.expression(data.heldPairs));
  return { image: rowsOf(images.projected, model.dim, data.heldPairs), gene: gene.projected, width: model.dim };
}

/** What is judged. */
interface Judged {
  readonly data: EvidenceData;
  readonly truth: SyntheticTruth | undefined;
  readonly features: { readonly before: Table; readonly after: Table };
  readonly images: ImageOutputs;
  /** None where the sides have different widths. */
  readonly space: JointSpace | undefined;
  /** The control, where one was trained. */
  readonly head: Control | undefined;
  /** Where the panel comes from. */
  readonly source: string;
}

async function judge(
  session: SealSession,
  { data, truth, features, images, space, head: control, source }: Judged,
): Promise<{ results: Results; before: Measured; after: Measured; cost: Warning[] }> {
  const { gpu, patches, set, model } = session;
  const by = { gpu, groupOf: truth ? geneGroup : () => undefined, source };
  const frozen: Candidate = { id: "frozen", label: "Frozen encoder", role: "before", features: features.before };
  const trained: Candidate = { id: METHOD.name, label: METHOD.label, role: "after", features: features.after };
  const before = await measure(frozen, data, by);
  const joint = space && await jointRetrieval(space, data.heldSlides, gpu);
  const after = await measure(trained, data, { ...by, ...(joint && { joint }) });
  const decoder = model.decoder &&
    decoderResult(session, data, rowsOf(images.expression, set.genes, data.heldPairs), { ...by, label: METHOD.label });
  const head = control && headResult(session, data, control, by);
  const colour = await colourFeatures(patches, set.count);
  const colours = colour && await measure(colourCandidate(colour), data, by);
  const depth = await measure(depthCandidate(data), data, by);
  const measured = [{ candidate: frozen, measured: before }, { candidate: trained, measured: after }];
  const around = await surroundingResults(set, data, measured, session.config.eval, by);
  const references: Reference[] = truth ? await syntheticReferences(data, truth, gpu) : [];
  const spaces = await spacesOf(session, data, { truth, features });
  const agree = truth && {
    before: agreement(data, truth, features.before),
    after: agreement(data, truth, features.after),
  };
  const checks = truth && agree
    ? checksOf({ before: before.encoder, after: after.encoder, references, agree, profile: truth.profile })
    : [];
  const donors = new Set([...data.sections].map(([id, { donor }]) => donor ?? id)).size;
  const results: Results = {
    schema: EVIDENCE_SCHEMA,
    encoders: [
      { ...before.encoder, space: spaces.before.scores },
      { ...after.encoder, space: spaces.after.scores },
      ...(decoder ? [decoder] : []),
      ...(head ? [head] : []),
      ...around,
      ...(colours ? [colours.encoder] : []),
      depth.encoder,
      meanResult(data),
    ],
    differences: [
      ...probeDifferences(before.panel, after.panel, data.sections),
      ...probeDifferences(before.benchmark, after.benchmark, data.sections, "benchmark_"),
      ...retrievalDifferences(before.retrieval, after.retrieval, donors),
    ],
    ...(references.length ? { references } : {}),
    ...(checks.length ? { checks } : {}),
    device: gpu.description,
  };
  return { results, before, after, cost: spaces.cost };
}

/** How features lie before and after, and a warning of what became worse. */
async function spacesOf(
  { config, set, host }: SealSession,
  data: EvidenceData,
  { truth, features }: Pick<Judged, "truth" | "features">,
) {
  const kinds = await kindsOf(set, data, { column: config.eval.label_column, truth, disk: host.disk });
  const [before, after] = [
    await judgeSpace(features.before, data, kinds),
    await judgeSpace(features.after, data, kinds),
  ];
  const cost = spaceNotes(before, after);
  for (const { text, reason } of cost) host.reporter.warn(`${text}: ${reason}`);
  return { before, after, cost };
}

/** Whether the control is asked for and can be trained. */
function controls({ config, model }: SealSession): boolean {
  return config.eval.control_head && model.decoder !== undefined && config.optim.epochs > 0;
}

/** The control: what the decoder alone reaches on the frozen encoder; undefined unless it is asked for. */
async function headOf(session: SealSession, views: readonly Float32Array[]): Promise<Control | undefined> {
  const { config, set } = session;
  if (!controls(session)) return undefined;
  session.host.reporter.say("Control: the image decoder alone, on the frozen encoder's features");
  const control = await headControl(session, {
    views,
    schedule: alignSchedule(session),
    std: deviations(session),
  });
  if (config.genes.gene_centre) shiftRows(control.said, set.vocabulary.mean);
  return control;
}

/** Whether the frozen encoder is all that the head stands on, so that it can be opened without what was trained. */
function standsAlone({ config: { model, input } }: SealSession): boolean {
  return !model.organ_token && !model.use_adapter && input.adapter === null;
}

function headResult(
  session: SealSession,
  data: EvidenceData,
  { said }: Control,
  by: Pick<Measuring, "groupOf" | "source">,
) {
  const held = rowsOf(said, session.set.genes, data.heldPairs);
  const result = decoderResult(session, data, held, { ...by, label: "Head" });
  return result && {
    ...result,
    id: "head",
    label: "Head on the frozen encoder",
    note: `no adaptation: the image decoder trained alone on the frozen features ${
      session.rows.views > 1 ? "of the views that the run draws" : "of patches as they are"
    }, with the run's loss, batches and steps`,
  };
}

/** R2 below which predictions are no values to be read. */
const POOR_R2 = -0.5;

/** One warning of all probes whose predictions miss by far, the worst first; none where none does. */
export function poorFits(all: Results["encoders"]): Warning[] {
  const poor = all.flatMap(({ label, probe, benchmark }) =>
    [probe, benchmark].flatMap((scores) => {
      const r2 = scores?.r2?.mean;
      return typeof r2 === "number" && r2 < POOR_R2
        ? [{ name: `${label}${label.endsWith(scores!.protocol) ? "" : ` by ${scores!.protocol}`} ${fixed(r2, 2)}`, r2 }]
        : [];
    })
  ).sort((a, b) => a.r2 - b.r2);
  if (poor.length === 0) return [];
  return [{
    text: `R2 is far below 0: ${poor.map(({ name }) => name).join(", ")}`,
    reason:
      `the squared error is up to ${fixed(1 - poor[0]!.r2, 1)} times that of the mean of the held-out spots; such ` +
      "predictions may rank spots, their values are not to be read",
  }];
}

/** The best, the middle and the worst predicted gene, and those beside them. */
function shownGenes({ panel: { perGene } }: Measured): string[] {
  const order = perGene.filter(({ pearson }) => pearson !== null)
    .sort((a, b) => b.pearson! - a.pearson! || (a.gene < b.gene ? -1 : 1)).map(({ gene }) => gene);
  const middle = order.length >> 1;
  return [...new Set([...order.slice(0, 2), ...order.slice(middle, middle + 1), ...order.slice(-1)])];
}

function notesOf(
  { config, set }: SealSession,
  data: EvidenceData,
  panel: ReportPanel,
  { step, end: { state } }: { readonly step: number | undefined; readonly end: LoopEnd },
): Warning[] {
  const validated = set.samples.some(({ role }) => role === "validation") && data.held[0]?.role === "test";
  const chosen = !validated && step !== undefined && step !== state.step;
  const judged = judgedSlides(data);
  const lost = [...panel.leftOut, ...data.missing];
  const nameOf = writtenNames(set.vocabulary);
  const donors = new Set([...data.sections].map(([id, { donor }]) => donor ?? id)).size;
  const named = [...data.sections.values()].every(({ donor }) => donor !== undefined);
  return [
    ...(chosen
      ? [{
        text: `The checkpoint of step ${step} was chosen by ${config.eval.best_metric} on the sections it is judged on`,
        reason: "its numbers are a little too good; there is no validation part",
      }]
      : []),
    ...(lost.length > 0
      ? [{
        text: `${count(lost.length, "gene")} of the panel left out`,
        reason: lost.slice(0, 6).map(({ gene, reason }) => `${nameOf(gene)}: ${reason}`).join("; "),
      }]
      : []),
    ...(donors < LEAST_UNITS
      ? [{
        text: "There are no intervals over sections",
        reason: `${count(data.held.length, "section")} of ${
          named ? count(donors, "donor") : "donors that are not all named"
        } held out, ${LEAST_UNITS} donors are the least; intervals over genes say nothing about other donors`,
      }]
      : []),
    ...(judged.held ? [] : [{
      text: "How well the embedding separates sections is measured on all of them",
      reason: `with ${count(data.held.length, "section")} held out, those trained on are among them`,
    }]),
  ];
}
