/**
 * What a finished run leaves for its report: correlation on the test sections of the volume of interest by each head and by
 * retrieval, by their distance from the training section.
 *
 * @module
 */

import { fixed } from "../../core/fixed.ts";
import { alignRows, count } from "../../core/text_table.ts";
import { ConfigError, DataError, FormatError } from "../../core/errors.ts";
import { encoderIdentity } from "../../evidence/identity.ts";
import { EVIDENCE_SCHEMA, type MethodFacts } from "../../report/run_evidence.ts";
import type {
  VolumeDifference,
  VolumeMap,
  VolumeRow,
  VolumesEvidence,
  VolumeSpots,
} from "../../report/volumes_evidence.ts";
import type { Host } from "../../train/host.ts";
import type { FoundCheckpoint } from "../../train/run.ts";
import type { EvidenceContext, MethodEvidence } from "../method.ts";
import { loadState } from "./checkpoint.ts";
import { mapOf } from "./report_map.ts";
import { bankSpots, embedBank, retrieve, temperatureOf } from "./retrieval.ts";
import { differenceOf, type SerialRow, serialRows } from "./serial_rows.ts";
import { errorsOf, meanOf, scoresOf, type TestSection, testSections } from "./scores.ts";
import type { VortexSession } from "./session.ts";

/** What a run of serial sections is. */
const SERIAL = "Serial sections in the place of continuous volumes: an extension, not VORTEX";

/** Genes that are drawn. */
const SHOWN = 6;

/** Something that told expression, with its scores. */
export interface VortexRow extends VolumeRow {
  readonly id: "shared" | "voi" | "retrieval" | SerialRow["id"];
}

/** Scores of everything that tells expression of the test sections. */
export async function rowsOf(
  session: VortexSession,
): Promise<{ sections: TestSection[]; rows: VortexRow[]; told?: Float32Array; differences: VolumeDifference[] }> {
  const { data, config, gpu, model, parameters } = session;
  const sections = testSections(data);
  const pairs = sections.flatMap((section) => section.pairs);
  if (pairs.length === 0) return { sections, rows: [], differences: [] };
  const { heads, image } = await session.say(pairs);
  const own = config.model.heads === "per_volume";
  const judged = (told: Float32Array) => ({
    scores: scoresOf(data, sections, told),
    errors: errorsOf(data, sections, told),
  });
  const labels = {
    shared: own ? "Shared head, no spot of the volume" : "Shared head",
    voi: config.stages.voi_steps > 0 ? "Head of the volume, ridge and steps" : "Head of the volume, ridge",
    retrieval: "Retrieval from the volume's spots",
  } as const;
  const rows = (["shared", ...own ? ["voi" as const] : []] as const).map((id): VortexRow => ({
    ...{ id, label: labels[id], ...judged(heads[id]!) },
  }));
  const G = data.genes.length;
  const bank = await embedBank(gpu, model, bankSpots(session), await temperatureOf(parameters));
  const told = retrieve(bank, image, G);
  rows.push({ id: "retrieval", label: labels.retrieval, ...judged(told) });
  const best = heads[own ? "voi" : "shared"]!;
  if (!config.input.serial) return { sections, rows, told: best, differences: [] };
  const beside = await serialRows(session, sections, best);
  rows.push(...beside.map(({ id, label, told }) => ({ id, label, ...judged(told) })));
  const of = (id: SerialRow["id"]) => beside.filter((row) => row.id === id);
  const mine = { id: own ? "voi" : "shared", told: best };
  const differences = [
    ...[...of("encoder"), ...of("ridge")].map((over) => [mine, over] as const),
    ...of("pictures").map((both) => [both, of("encoder")[0] ?? of("ridge")[0]!] as const),
    ...of("together").map((both) => [both, of("copy")[0]!] as const),
  ];
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

/** Differences for people. */
function differencesOf(differences: readonly VolumeDifference[], rows: readonly VortexRow[]): string[] {
  const label = (id: string) => rows.find((row) => row.id === id)?.label ?? id;
  return differences.map(({ of, over, section, mean, low, high }) =>
    `${label(of)} over ${label(over)}, ${section}: ${fixed(mean, 3)} (95 % over spots ${fixed(low, 3)} to ${
      fixed(high, 3)
    })`
  );
}

/** Measures what was learnt on sections that took no part. */
export async function vortexEvidence(
  session: VortexSession,
  { best, end }: EvidenceContext,
  host: Host,
): Promise<MethodEvidence> {
  const { config, data, gpu, opened, voiPairs } = session;
  if (best) loadState(session, best.read, best.path);
  const { sections, rows, told, differences } = await rowsOf(session);
  const lines = [...linesOf(sections, rows), ...differencesOf(differences, rows)];
  const shown = shownGenes(data, rows);
  const drawn = best === undefined ? {} : await drawnMap(session, best, shown, host);
  const volumes: VolumesEvidence = {
    ...{ schema: EVIDENCE_SCHEMA, spots: voiPairs.length, unit: data.unit, genes: data.genes, rows, differences },
    ...(config.input.serial && { serial: SERIAL }),
    sections: sections.map(({ name, away, pairs }) => ({ name, away_um: away, spots: pairs.length })),
    shown: shown.map((g) => data.genes[g]!),
    ...(told !== undefined && { measured: spotsOf(data, sections, told, shown) }),
    ...(drawn.map !== undefined && { map: drawn.map }),
  };
  const said = [...(config.input.serial ? [SERIAL] : []), ...data.notes, ...(drawn.note ?? [])];
  const notes = said.map((text) => ({ text }));
  const { map: _, measured: __, ...result } = volumes;
  return {
    identity: {
      encoder: encoderIdentity(opened.name, opened.weightsHash),
      genes: data.manifest,
      split: [...new Map(data.pairs.map(({ section, part }) => [section, part]))],
    },
    parts: { results: { schema: EVIDENCE_SCHEMA, encoders: [], device: gpu.description, notes }, volumes },
    facts: {
      title: `VORTEX on ${count(data.volumes.length, "volume")}` +
        (data.voi === undefined ? "" : `, ${data.volumes[data.voi]!.name} by ${count(voiPairs.length, "spot")}`),
      method: METHOD,
      seed: config.optim.seed,
      stages: [{ name: "all", from: 0, to: end.state.step }],
      encoder: { name: opened.name },
      warnings: data.notes.map((text) => ({ text })),
    } as MethodEvidence["facts"],
    precision: config.optim.precision,
    lines,
    json: { volumes: result },
  };
}

const METHOD: MethodFacts = {
  name: "vortex",
  label: "VORTEX",
  citation: "VORTEX: arXiv 2502.17761",
  columns: { loss: "Loss", samples_per_second: "Pairs a second" },
  columns_note: "Stages are single slices (2d), patches with depth (3d), and the volume of interest (voi).",
};

/** Genes that are drawn, by number: those told best on the test sections. */
function shownGenes({ genes }: VortexSession["data"], rows: readonly VortexRow[]): number[] {
  const best = rows.find(({ id }) => id === "voi") ?? rows[0];
  const score = (g: number) => meanOf(best?.scores.map((of) => of[g]!) ?? []) ?? -1;
  return [...genes.keys()].sort((a, b) => score(b) - score(a) || a - b).slice(0, SHOWN);
}

/** Measured and told expression of the test sections, in the unit of the data. */
function spotsOf(
  { pairs, x, measured, genes, statistics: { mean, std } }: VortexSession["data"],
  sections: readonly TestSection[],
  told: Float32Array,
  shown: readonly number[],
): VolumeSpots {
  const all = sections.flatMap((section) => section.pairs);
  const G = genes.length;
  const unit = (value: number, g: number) => Number((value * std[g]! + mean[g]!).toPrecision(5));
  const place = (axis: 0 | 1 | 2) => all.map((pair) => Number(pairs[pair]!.place[axis].toFixed(1)));
  return {
    section: sections.flatMap((section, s) => section.pairs.map(() => s)),
    ...{ x: place(0), y: place(1), z: place(2) },
    measured: shown.map((g) => all.map((pair) => (measured[pair * G + g] ? unit(x[pair * G + g]!, g) : null))),
    predicted: shown.map((g) => all.map((_, i) => unit(told[i * G + g]!, g))),
  };
}

/** The volume of interest, else the first, drawn; or why it is not. */
async function drawnMap(
  { config, data, gpu, opened: { encoder } }: VortexSession,
  found: FoundCheckpoint,
  shown: readonly number[],
  host: Host,
): Promise<{ map?: VolumeMap; note?: string[] }> {
  const volume = data.volumes[data.voi ?? 0]!;
  const { width, depth, patch } = encoder.vit.config;
  const tokens = (encoder.spec.input.size / patch) ** 2;
  try {
    const flops = 24 * depth * width * width * tokens;
    return { map: await mapOf(gpu, host, { config, found, volume, shown, flops }) };
  } catch (error) {
    if (!(error instanceof DataError || error instanceof FormatError || error instanceof ConfigError)) throw error;
    return { note: [`${volume.name} is not drawn: ${error.message}`] };
  }
}
