/**
 * SPADE's files of a checkpoint, beside those of every method.
 *
 * | file | content |
 * |---|---|
 * | `spade.safetensors` | `centroids`, `table` (expert of each), `radius`, `fine` (centroid of each training pair), and `BANK.E.SIDE.TENSOR` of every expert that was begun, as it was best |
 * | `spade.json` | sizes, organs, temperature, what made the features, hashes, curves; which expert is in training |
 * | `model.safetensors` | the expert in training, as the optimiser left it |
 * | `best.safetensors` | the same where its validation loss was lowest, if there was one |
 * | `genes.json` | vocabulary with its statistics |
 *
 * Loading is strict: a tensor more or less, another extent or another list of genes is refused.
 *
 * @module
 */

import { WeightsError } from "../../core/errors.ts";
import type { FeatureFacts } from "../../data/feature_facts.ts";
import { formatVocabulary, parseVocabulary, vocabularyHash } from "../../data/genes/vocabulary.ts";
import { readSafetensorsF32, writeSafetensorsF32 } from "../../io/torch/safetensors.ts";
import { loadParts, MODEL_FILE, partFiles, type ReadFile } from "../../train/checkpoint.ts";
import type { InertiaCurve, SpadeClusters } from "./clusters.ts";
import { type ExpertShape, expertShapes, type ExpertValues } from "./expert.ts";
import { bankOf, currentValues, shapeOf, type SpadeSession } from "./session.ts";

/** Names of the files. */
export const SPADE_FILES = {
  experts: "spade.safetensors",
  facts: "spade.json",
  best: "best.safetensors",
  genes: "genes.json",
} as const;

/** What `spade.json` says. */
export interface SpadeFacts {
  /** Width of a row of features, and of an embedding. */
  readonly dim: number;
  readonly genes: number;
  readonly width: number;
  readonly temperature: number;
  readonly experts: number;
  /** Organ of each fine centroid. */
  readonly organs: readonly string[];
  /** What made the features that the experts were trained on. */
  readonly encoder: FeatureFacts;
  readonly genes_sha: string;
  readonly data_sha: string;
  readonly curves: readonly InertiaCurve[];
  readonly notes: readonly string[];
  /** Expert in training, and its lowest validation loss. */
  readonly current: string | null;
  readonly best_loss: number | null;
}

type Tensors = Map<string, { shape: readonly number[]; data: Float32Array }>;

const parts = ({ parameters }: SpadeSession) => [{ file: MODEL_FILE, names: parameters.state().map(([name]) => name) }];

function named(name: string, values: ExpertValues, into: Tensors): void {
  for (const [tensor, value] of values) into.set(`${name}.${tensor}`, value);
}

/** The files of a run as it is. */
export async function stateFiles(session: SpadeSession): Promise<Map<string, Uint8Array>> {
  const { state, config, data, parameters } = session;
  const { clusters, trained, current, best } = state;
  const { vocabulary } = data.set;
  const facts: SpadeFacts = {
    dim: data.dim,
    genes: data.set.genes,
    width: config.experts.width,
    temperature: config.clusters.temperature,
    experts: clusters?.experts ?? 0,
    organs: clusters?.organs ?? [],
    encoder: data.facts,
    genes_sha: vocabularyHash(vocabulary),
    data_sha: data.set.fingerprint,
    curves: clusters?.curves ?? [],
    notes: clusters?.notes ?? [],
    current: current ?? null,
    best_loss: best?.loss ?? null,
  };
  const tensors: Tensors = new Map();
  if (clusters) {
    const { centroids, table, radius, fine } = clusters;
    tensors.set("centroids", { shape: [table.length, data.dim], data: centroids });
    tensors.set("table", { shape: [table.length], data: Float32Array.from(table) });
    tensors.set("radius", { shape: [table.length], data: Float32Array.from(radius) });
    tensors.set("fine", { shape: [fine.length], data: Float32Array.from(fine) });
  }
  for (const [name, values] of trained) named(name, values, tensors);
  if (current !== undefined) named(current, await currentValues(session), tensors);
  const json = new TextEncoder().encode(JSON.stringify(facts, undefined, 2) + "\n");
  return new Map([
    ...await partFiles(parameters, parts(session)),
    [SPADE_FILES.experts, writeSafetensorsF32(tensors, { format: "pt" })],
    ...best ? [[SPADE_FILES.best, writeSafetensorsF32(new Map(best.values), { format: "pt" })] as const] : [],
    [SPADE_FILES.facts, json],
    [SPADE_FILES.genes, new TextEncoder().encode(formatVocabulary(vocabulary))],
  ]);
}

/** What a checkpoint holds for use and to go on. */
export interface SavedSpade {
  readonly facts: SpadeFacts;
  readonly clusters: SpadeClusters | undefined;
  /** Experts by name. */
  readonly experts: ReadonlyMap<string, ExpertValues>;
}

function refusal(file: string, found: string, expected: string): WeightsError {
  return new WeightsError(`Cannot load ${file}: ${found}, expected ${expected}`, {
    hint: "Bring the checkpoint back from a copy, or train again",
    context: { file, found, expected },
  });
}

/**
 * Reads the files.
 *
 * @param shape Sizes of the experts of a bank.
 * @throws {WeightsError} If one is missing, damaged, or of experts of other sizes or other genes.
 */
export function readSaved(
  read: ReadFile,
  where: string,
  shape: (bank: string, facts: SpadeFacts) => ExpertShape,
): SavedSpade {
  const bytes = (name: string): Uint8Array => {
    const found = read(name);
    if (!found) throw refusal(`${where}/${name}`, "it is missing", "the file that training wrote");
    return found;
  };
  const facts = factsIn(bytes(SPADE_FILES.facts), `${where}/${SPADE_FILES.facts}`);
  const vocabulary = parseVocabulary(bytes(SPADE_FILES.genes), `${where}/${SPADE_FILES.genes}`);
  const genes = vocabularyHash(vocabulary);
  if (genes !== facts.genes_sha) {
    throw refusal(
      `${where}/${SPADE_FILES.genes}`,
      `hash ${genes} of its genes`,
      `${facts.genes_sha} of ${SPADE_FILES.facts}`,
    );
  }
  const file = `${where}/${SPADE_FILES.experts}`;
  const { tensors } = readSafetensorsF32(bytes(SPADE_FILES.experts), file);
  const own = new Map(tensors);
  const take = (name: string, wanted: readonly number[]): Float32Array<ArrayBuffer> => {
    const found = own.get(name);
    own.delete(name);
    if (!found) throw refusal(file, `${name} is missing`, `it of [${wanted}]`);
    if (String(found.shape) !== String(wanted)) throw refusal(file, `${name} is [${found.shape}]`, `[${wanted}]`);
    return found.data as Float32Array<ArrayBuffer>;
  };
  const F = facts.organs.length;
  const clusters = F === 0 ? undefined : {
    centroids: take("centroids", [F, facts.dim]),
    table: Array.from(take("table", [F])),
    radius: Array.from(take("radius", [F])),
    fine: Uint32Array.from(take("fine", [own.get("fine")?.shape[0] ?? 0])),
    organs: facts.organs,
    experts: facts.experts,
    curves: facts.curves,
    notes: facts.notes,
  };
  const strange = clusters?.table.find((e) => !(Number.isInteger(e) && e >= 0 && e < facts.experts));
  if (strange !== undefined) throw refusal(file, `table names expert ${strange}`, `experts below ${facts.experts}`);
  const names = new Set([...own.keys()].map((name) => name.split(".").slice(0, 2).join(".")));
  const experts = new Map([...names].map((name): [string, ExpertValues] => {
    const shapes = expertShapes(shape(name.split(".")[0]!, facts));
    return [
      name,
      new Map([...shapes].map(([tensor, wanted]) => {
        return [tensor, { shape: wanted, data: take(`${name}.${tensor}`, wanted) }];
      })),
    ];
  }));
  const [foreign] = own.keys();
  if (foreign !== undefined) throw refusal(file, `it holds ${foreign}`, "the tensors of its experts alone");
  return { facts, clusters, experts };
}

function factsIn(bytes: Uint8Array, file: string): SpadeFacts {
  let facts: Partial<SpadeFacts> | null;
  try {
    facts = JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw refusal(file, (cause as Error).message, "JSON");
  }
  for (const name of ["dim", "genes", "width", "temperature", "experts"] as const) {
    const value = facts?.[name];
    if (typeof value !== "number" || !(value >= 0)) {
      throw refusal(file, `${name} is ${JSON.stringify(value)}`, "a number");
    }
  }
  if (!Array.isArray(facts?.organs)) throw refusal(file, "organs is no list", "the organ of each centroid");
  return facts as SpadeFacts;
}

/** Puts a checkpoint into a run that goes on. @throws {WeightsError} As {@linkcode readSaved}. */
export function loadState(session: SpadeSession, read: ReadFile, where: string): void {
  const { state, parameters } = session;
  const bank = (name: string) => shapeOf(session, name as "spade");
  const { facts, clusters, experts } = readSaved(read, where, bank);
  loadParts(parameters, parts(session), read, where);
  state.clusters = clusters;
  state.trained.clear();
  for (const [name, values] of experts) if (name !== facts.current) state.trained.set(name, values);
  state.current = facts.current ?? undefined;
  state.best = undefined;
  if (facts.current === null || facts.best_loss === null) return;
  const bytes = read(SPADE_FILES.best);
  if (!bytes) throw refusal(`${where}/${SPADE_FILES.best}`, "it is missing", `the best of expert ${facts.current}`);
  const { tensors } = readSafetensorsF32(bytes, `${where}/${SPADE_FILES.best}`);
  const shapes = expertShapes(bank(bankOf(session, facts.current).name));
  const values = new Map([...shapes].map(([name, shape]) => {
    const found = tensors.get(name);
    if (!found || String(found.shape) !== String(shape)) {
      throw refusal(`${where}/${SPADE_FILES.best}`, `${name} is [${found?.shape ?? "missing"}]`, `[${shape}]`);
    }
    return [name, { shape, data: found.data }] as const;
  }));
  state.best = { loss: facts.best_loss, values };
}
