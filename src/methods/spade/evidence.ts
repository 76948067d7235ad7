/**
 * What a finished run leaves for its report: features as they were given, those of the experts, and those of the controls, by
 * the same probes on held-out spots; the experts of each section.
 *
 * @module
 */

import type { Table } from "../../eval/linalg/table.ts";
import { type EvidenceData, namedDonor, readEvidenceData } from "../../evidence/data.ts";
import { type Candidate, depthCandidate, meanResult, measure, type Measured } from "../../evidence/encoders.ts";
import { featuresIdentity } from "../../evidence/identity.ts";
import { mapsOf } from "../../evidence/maps.ts";
import { asWritten } from "../../evidence/names.ts";
import { embeddingMap } from "../../evidence/embedding.ts";
import { probeDifferences } from "../../evidence/probe_evidence.ts";
import { tableOf } from "../../evidence/retrieval.ts";
import { summaryOf } from "../../evidence/summary.ts";
import { fixed, signed } from "../../core/fixed.ts";
import { alignRows, count } from "../../core/text_table.ts";
import type { ComparedFeatures, ExpertsEvidence } from "../../report/experts_evidence.ts";
import { sampleFacts } from "../../evidence/sample_facts.ts";
import { EVIDENCE_SCHEMA, type MethodFacts, type Results } from "../../report/run_evidence.ts";
import { vocabularyHash } from "../../data/genes/vocabulary.ts";
import { isNote } from "../../data/sample_checks.ts";
import type { EvidenceContext, MethodEvidence } from "../method.ts";
import { ExpertBank, type Router, type Routing } from "./bank.ts";
import { type BankPlan, banksOf, pairsOfExperts, shapeOf, type SpadeSession, valuesOf } from "./session.ts";

/** How the report calls the method and what it logs. */
const METHOD = {
  name: "spade",
  label: "SPADE",
  citation: "SPADE: arXiv 2506.21857",
  columns: { loss: "Contrastive loss", samples_per_second: "Pairs a second" },
  columns_note: "A stage is an expert; held-out losses are of its own validation pairs and choose its weights.",
} as const satisfies MethodFacts;

/** What controls are called, and what they are. */
const LABELS: Readonly<Record<BankPlan["name"], readonly [label: string, note: string]>> = {
  spade: ["SPADE", "experts by cluster, routed"],
  single: ["Single", "one expert trained on all pairs"],
  wide: ["Wide single", "one expert for all pairs, as wide as all experts together"],
  random: ["Random partition", "as many experts, each on pairs drawn at random; their mean"],
};

/** A router to all experts alike: to the only one, or to those of a partition that says nothing of a row. */
export function evenRouter(dim: number, experts: number): Router {
  return {
    centroids: new Float32Array(experts * dim),
    table: Array.from({ length: experts }, (_, e) => e),
    experts,
    radius: new Array<number>(experts).fill(Infinity),
    temperature: 1,
  };
}

/** The router of a run. */
export function routerOf({ state, config }: Pick<SpadeSession, "state" | "config">): Router {
  return { ...state.clusters!, temperature: config.clusters.temperature };
}

/** What the experts of a bank say of all pairs, `[count, width]`, and how SPADE routed them. */
export async function embedAll(
  session: SpadeSession,
  bank: BankPlan,
): Promise<{ features: Float32Array; routing: Routing | undefined }> {
  const { gpu, data: { features, dim } } = session;
  const values = await valuesOf(session, bank);
  const routed = bank.name === "spade";
  const router = routed ? routerOf(session) : evenRouter(dim, values.length);
  const compiled = await ExpertBank.compile(gpu, { router, shape: shapeOf(session, bank.name), values });
  try {
    const { img, routing } = await compiled.run(features);
    return { features: img, routing: routed ? routing : undefined };
  } finally {
    compiled.destroy();
  }
}

/** Columns of two tables side by side. */
function beside(a: Table, b: Table): Table {
  const columns = a.columns + b.columns;
  const data = new Float32Array(a.rows * columns);
  for (let r = 0; r < a.rows; r++) {
    data.set(a.data.subarray(r * a.columns, (r + 1) * a.columns), r * columns);
    data.set(b.data.subarray(r * b.columns, (r + 1) * b.columns), r * columns + a.columns);
  }
  return { rows: a.rows, columns, data };
}

/** Measures what was learnt on what is held out. */
export async function spadeEvidence(session: SpadeSession, context: EvidenceContext): Promise<MethodEvidence> {
  const { data: { set, panel, features, dim }, gpu, host, config } = session;
  const banks = banksOf(config);
  const base: Candidate = { id: "base", label: "Features as given", role: "before", features: tableOf(features, dim) };
  const candidates: Candidate[] = [base];
  let routing: Routing | undefined;
  for (const bank of banks) {
    const [label, note] = LABELS[bank.name];
    const made = await embedAll(session, bank);
    routing ??= made.routing;
    const own = tableOf(made.features, shapeOf(session, bank.name).width);
    candidates.push({ id: bank.name, label, note, role: bank.name === "spade" ? "after" : "other", features: own });
    if (bank.name !== "spade") continue;
    const both = beside(base.features, own);
    const concat = { label: "Given and SPADE", note: "side by side", role: "other", features: both } as const;
    candidates.push({ id: "concat", ...concat });
  }
  const data = await readEvidenceData(set, panel);
  const probed = data.heldPairs.length > 0 && data.panel.genes.length > 0 && data.trainPairs.length > 1;
  const measured: Measured[] = [];
  const by = { gpu, groupOf: () => undefined, source: panel.source };
  if (probed) {
    for (const [i, candidate] of candidates.entries()) {
      measured.push(await measure(candidate, data, by));
      host.reporter.update("probes", i + 1, candidates.length, "probes");
    }
  }
  const results = await resultsOf(session, data, measured, probed);
  const experts = expertsOf(session, data, routing!, measured);
  const { maps, notes } = probed
    ? await mapsOf(data, measured[1]!.panel, METHOD.label, host.disk)
    : { maps: undefined, notes: [] };
  const embedding = await embeddingMap(data, {
    panels: candidates.slice(0, 2).map(({ label, features }) => ({ label, features })),
    samples: set.samples.map((sample) => ({ id: sample.id, donor: namedDonor(sample) })),
    genes: probed ? data.panel.genes.slice(0, 2) : [],
  });
  const parts = asWritten({
    results: { ...results, notes: [...results.notes ?? [], ...notes] },
    embedding,
    ...(maps && { maps }),
  }, set.vocabulary);
  const { lines, json } = summaryOf(parts.results);
  return {
    identity: {
      encoder: featuresIdentity(session.data.facts),
      genes: vocabularyHash(set.vocabulary),
      split: set.samples.map(({ id, role }) => [id, role]),
    },
    parts: { ...parts, experts },
    facts: factsOf(session, context),
    precision: "f32",
    lines: [...lines, ...comparedLines(experts.compared)],
    json: { ...json, experts: experts.experts, compared: experts.compared },
  };
}

async function resultsOf(
  { gpu, data: { panel } }: SpadeSession,
  data: EvidenceData,
  measured: readonly Measured[],
  probed: boolean,
): Promise<Results> {
  if (!probed) {
    const reason = data.heldPairs.length === 0 ? "no sample is held out" : "no gene of the panel is in all samples";
    const notes = [{ text: "Nothing was measured on held-out spots", reason }];
    return { schema: EVIDENCE_SCHEMA, encoders: [], notes, device: gpu.description };
  }
  const [before, after] = measured as [Measured, Measured];
  const depth = await measure(depthCandidate(data), data, { gpu, groupOf: () => undefined, source: panel.source });
  return {
    schema: EVIDENCE_SCHEMA,
    encoders: [...measured.map(({ encoder }) => encoder), depth.encoder, meanResult(data)],
    differences: [
      ...probeDifferences(before.panel, after.panel, data.sections),
      ...probeDifferences(before.benchmark, after.benchmark, data.sections, "benchmark_"),
    ],
    notes: panel.leftOut.length + data.missing.length === 0 ? [] : [{
      text: `${count(panel.leftOut.length + data.missing.length, "gene")} of the panel left out`,
      reason: [...panel.leftOut, ...data.missing].slice(0, 6).map(({ gene, reason }) => `${gene}: ${reason}`).join(
        "; ",
      ),
    }],
    device: gpu.description,
  };
}

function expertsOf(
  session: SpadeSession,
  data: EvidenceData,
  routing: Routing,
  measured: readonly Measured[],
): ExpertsEvidence {
  const { state, config, banks } = session;
  const { table, organs, curves, notes, experts } = state.clusters!;
  const held = new Float64Array(experts);
  for (const pair of data.heldPairs) held[routing.expert[pair]!]!++;
  const pairs = pairsOfExperts(session, banks[0]!);
  return {
    schema: EVIDENCE_SCHEMA,
    temperature: config.clusters.temperature,
    experts: pairs.map(({ length }, e) => {
      const own = [...table.keys()].filter((k) => table[k] === e);
      const of = [...new Set(own.map((k) => organs[k]!))];
      return { name: String(e), organs: of, clusters: own.length, pairs: length, held: held[e]! };
    }),
    sections: data.held.map((sample) => {
      const { id, first, count, spatial: { xy } } = sample;
      const donor = namedDonor(sample);
      return {
        sample: id,
        ...(donor === undefined ? {} : { donor }),
        x: Array.from({ length: count }, (_, i) => xy[2 * i]!),
        y: Array.from({ length: count }, (_, i) => xy[2 * i + 1]!),
        expert: Array.from(routing.expert.subarray(first, first + count)),
        outside: routing.outside.subarray(first, first + count).reduce((sum, flag) => sum + flag, 0),
      };
    }),
    curves,
    compared: measured.map(({ encoder, panel }, i): ComparedFeatures => {
      const difference = i === 0 ? undefined : probeDifferences(measured[0]!.panel, panel, data.sections)
        .find(({ metric }) => metric === "pearson_per_slide");
      return {
        id: encoder.id,
        label: encoder.label,
        features: encoder.features ?? 0,
        ...(encoder.note === undefined ? {} : { note: encoder.note }),
        pearson: encoder.probe!.pearson_per_slide ?? encoder.probe!.pearson,
        ...(difference && { difference }),
      };
    }),
    notes,
  };
}

/** The table of controls for people. */
function comparedLines(compared: readonly ComparedFeatures[]): string[] {
  if (compared.length === 0) return [];
  const rows = compared.map(({ label, features, pearson, difference: delta }) => [
    label,
    String(features),
    pearson.mean === null ? "-" : fixed(pearson.mean, 3),
    delta === undefined
      ? ""
      : `${signed(delta.mean, 3)} (${
        delta.low === undefined || delta.high === undefined
          ? `no interval: ${delta.reason}`
          : `${signed(delta.low, 3)} to ${signed(delta.high, 3)}`
      })`,
  ]);
  return [...alignRows([["features", "width", "r within sections", "more than given"], ...rows]), ""];
}

function factsOf({ config, data: { set, facts } }: SpadeSession, { folder }: EvidenceContext): MethodEvidence["facts"] {
  const use = {
    title: "Embed other features with the experts",
    code: `deno task embed FEATURES --run ${folder} --out features_spade`,
  };
  return {
    title: `SPADE on ${facts["encoder"]?.replace(/\?.*$/, "") ?? "stored features"}`,
    method: { ...METHOD, use },
    seed: config.optim.seed,
    data: {
      name: config.input.data.join(", "),
      genes: set.genes,
      samples: set.samples.map(sampleFacts),
    },
    warnings: set.warnings.filter((text) => !isNote(text)).map((text) => ({ text })),
  };
}
