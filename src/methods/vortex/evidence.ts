/**
 * What a finished run leaves for its report: correlation on the test sections of the volume of interest by each head and by
 * retrieval, by their distance from the training section.
 *
 * @module
 */

import { fixed } from "../../core/fixed.ts";
import { alignRows, count } from "../../core/text_table.ts";
import { EVIDENCE_SCHEMA, type MethodFacts } from "../../report/run_evidence.ts";
import type { EvidenceContext, MethodEvidence } from "../method.ts";
import { loadState } from "./checkpoint.ts";
import { bankSpots, embedBank, retrieve, temperatureOf } from "./retrieval.ts";
import { differenceOf, type SerialDifference, type SerialRow, serialRows } from "./serial_rows.ts";
import { meanOf, scoresOf, type TestSection, testSections } from "./scores.ts";
import type { VortexSession } from "./session.ts";

/** Something that told expression, with its scores. */
export interface VortexRow {
  readonly id: "shared" | "voi" | "retrieval" | SerialRow["id"];
  readonly label: string;
  /** By section, then by gene. */
  readonly scores: readonly (readonly (number | null)[])[];
}

/** Scores of everything that tells expression of the test sections. */
export async function rowsOf(
  session: VortexSession,
): Promise<{ sections: TestSection[]; rows: VortexRow[]; told?: Float32Array; differences: SerialDifference[] }> {
  const { data, config, gpu, model, parameters } = session;
  const sections = testSections(data);
  const pairs = sections.flatMap((section) => section.pairs);
  if (pairs.length === 0) return { sections, rows: [], differences: [] };
  const { heads, image } = await session.say(pairs);
  const own = config.model.heads === "per_volume";
  const labels = {
    shared: own ? "Shared head, no spot of the volume" : "Shared head",
    voi: config.stages.voi_steps > 0 ? "Head of the volume, ridge and steps" : "Head of the volume, ridge",
    retrieval: "Retrieval from the volume's spots",
  } as const;
  const rows = (["shared", ...own ? ["voi" as const] : []] as const).map((id): VortexRow => ({
    ...{ id, label: labels[id], scores: scoresOf(data, sections, heads[id]!) },
  }));
  const G = data.genes.length;
  const bank = await embedBank(gpu, model, bankSpots(session), await temperatureOf(parameters));
  const told = retrieve(bank, image, G);
  rows.push({ id: "retrieval", label: labels.retrieval, scores: scoresOf(data, sections, told) });
  const best = heads[own ? "voi" : "shared"]!;
  if (!config.input.serial) return { sections, rows, told: best, differences: [] };
  const beside = await serialRows(session, sections, best);
  rows.push(...beside.map(({ id, label, told }) => ({ id, label, scores: scoresOf(data, sections, told) })));
  const of = (id: SerialRow["id"]) => beside.find((row) => row.id === id)!;
  const mine = { id: own ? "voi" : "shared", told: best };
  const differences = [[mine, of("encoder")], [mine, of("ridge")], [of("together"), of("copy")]] as const;
  return {
    sections,
    rows,
    told: best,
    differences: differences.flatMap((two) => differenceOf(session, sections, two)),
  };
}

/** The table for people. */
function linesOf(sections: readonly TestSection[], rows: readonly VortexRow[]): string[] {
  if (rows.length === 0) return ["Nothing is held out: no section of the volume of interest has part test"];
  const head = ["mean Pearson over genes", ...sections.map(({ away }) => `${fixed(away, 0)} µm away`), "all"];
  const body = rows.map(({ label, scores }) => {
    const means = scores.map(meanOf);
    return [label, ...[...means, meanOf(means)].map((value) => (value === null ? "-" : fixed(value, 3)))];
  });
  return ["", ...alignRows([head, ...body]), ""];
}

/** Measures what was learnt on sections that took no part. */
export async function vortexEvidence(
  session: VortexSession,
  { best, end }: EvidenceContext,
): Promise<MethodEvidence> {
  const { config, data, gpu, opened, voiPairs } = session;
  if (best) loadState(session, best.read, best.path);
  const { sections, rows } = await rowsOf(session);
  const lines = linesOf(sections, rows);
  const method: MethodFacts = {
    name: "vortex",
    label: "VORTEX",
    citation: "VORTEX: arXiv 2502.17761",
    columns: { loss: "Loss", samples_per_second: "Pairs a second" },
    columns_note: "Stages are single slices (2d), patches with depth (3d), and the volume of interest (voi).",
  };
  const result = {
    spots: voiPairs.length,
    genes: data.genes,
    sections: sections.map(({ name, away, pairs }) => ({ name, away_um: away, spots: pairs.length })),
    rows,
  };
  const notes = [...data.notes, ...lines.filter((line) => line !== "")].map((text) => ({ text }));
  return {
    parts: { results: { schema: EVIDENCE_SCHEMA, encoders: [], device: gpu.description, notes } },
    facts: {
      title: `VORTEX on ${count(data.volumes.length, "volume")}` +
        (data.voi === undefined ? "" : `, ${data.volumes[data.voi]!.name} by ${count(voiPairs.length, "spot")}`),
      method,
      seed: config.optim.seed,
      stages: [{ name: "all", from: 0, to: end.state.step }],
      encoder: { name: opened.name },
      warnings: data.notes.map((text) => ({ text })),
    } as MethodEvidence["facts"],
    precision: config.optim.precision,
    files: new Map([["evaluation/volumes.json", JSON.stringify(result, undefined, 2) + "\n"]]),
    lines,
    json: { volumes: result },
  };
}
