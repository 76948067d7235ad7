/**
 * VORTEX's files of a checkpoint, beside those of every method.
 *
 * | file | content |
 * |---|---|
 * | `vortex.safetensors` | everything behind the encoder, and the mixture of channels where there is one |
 * | `bank.safetensors` | expression of the spots that can be retrieved, `[spots, genes]`, z-scored |
 * | `vortex.json` | sizes, patches, window of the volume of interest, genes with their statistics and hash |
 *
 * @module
 */

import { WeightsError } from "../../core/errors.ts";
import { readSafetensorsF32, writeSafetensorsF32 } from "../../io/torch/safetensors.ts";
import { filesOf, loadFiles, namesBehind, type ReadFile, type SavedModel } from "../../train/checkpoint.ts";
import { adapterFacts } from "../../train/encoder_state.ts";
import type { VortexConfig } from "./config.ts";
import type { PatchShape, Window } from "./sampler.ts";
import { type BankSpots, bankSpots } from "./retrieval.ts";
import type { VortexSession } from "./session.ts";

/** Names of the files. */
export const VORTEX_FILES = { model: "vortex.safetensors", bank: "bank.safetensors", facts: "vortex.json" } as const;

/** What `vortex.json` says. */
export interface VortexFacts {
  readonly patch: PatchShape;
  /** Names of the channels. */
  readonly channels: readonly string[];
  readonly aggregate: VortexConfig["model"]["aggregate"];
  /** Volumes with a head of their own. */
  readonly volumes: number;
  /** Volume of interest: its name, and its intensities that are 0 and 1. */
  readonly voi: { readonly name: string; readonly patient: string; readonly window: Window } | null;
  readonly unit: string;
  readonly genes: readonly string[];
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly genes_sha256: string;
}

/** What of a session is saved. */
const savedOf = ({ opened, parameters }: Pick<VortexSession, "opened" | "parameters">): SavedModel => ({
  parameters,
  encoder: opened.encoder,
});

const partsOf = (model: SavedModel) => [{ file: VORTEX_FILES.model, names: namesBehind(model) }];

/** The files of a run as it is. */
export async function stateFiles(session: VortexSession): Promise<Map<string, Uint8Array>> {
  const { data, opened, shape, heads, config } = session;
  const model = savedOf(session);
  const voi = data.voi === undefined ? undefined : data.volumes[data.voi];
  const facts: VortexFacts = {
    patch: shape,
    channels: data.volumes[0]!.volume.channels,
    aggregate: config.model.aggregate,
    volumes: heads.filter((head) => head >= 0).length,
    voi: voi ? { name: voi.name, patient: voi.patient, window: voi.window } : null,
    unit: data.unit,
    genes: data.genes,
    mean: [...data.statistics.mean],
    std: [...data.statistics.std],
    genes_sha256: data.manifest,
  };
  return new Map([
    ...await filesOf(model, partsOf(model), adapterFacts(opened, config.lora)),
    [VORTEX_FILES.bank, bankFile(bankSpots(session), data.genes.length)],
    [VORTEX_FILES.facts, new TextEncoder().encode(JSON.stringify(facts, undefined, 2) + "\n")],
  ]);
}

/** The file of a bank. */
function bankFile(x: BankSpots, genes: number): Uint8Array {
  return writeSafetensorsF32(new Map([["expression", { shape: [x.length / genes, genes], data: x }]]));
}

/** Reads the bank's spots, `[spots, genes]`. @throws {WeightsError} If it is missing, empty, or of other genes. */
export function readBank(read: ReadFile, where: string, genes: number): BankSpots {
  const file = `${where}/${VORTEX_FILES.bank}`;
  const bytes = read(VORTEX_FILES.bank);
  const found = bytes && readSafetensorsF32(bytes, file).tensors.get("expression");
  if (found?.shape.length === 2 && found.shape[0]! > 0 && found.shape[1] === genes) {
    return Float32Array.from(found.data);
  }
  const what = bytes === undefined ? "it is missing" : `expression is ${found?.shape.join(" x ") ?? "missing"}`;
  throw new WeightsError(`Cannot retrieve from ${file}: ${what}, expected spots of ${genes} genes`, {
    hint: "Train again, or predict by the head: leave --with away",
    context: { file },
  });
}

/** Puts a checkpoint's weights into a run. @throws {WeightsError} If a file is missing, or of a model of other sizes. */
export function loadState(
  session: Pick<VortexSession, "opened" | "parameters">,
  read: ReadFile,
  where: string,
): void {
  const model = savedOf(session);
  loadFiles(model, partsOf(model), read, where);
}

/** Reads what a checkpoint says of itself. @throws {WeightsError} If the file is missing or damaged. */
export function readFacts(read: ReadFile, where: string): VortexFacts {
  const file = `${where}/${VORTEX_FILES.facts}`;
  const refuse = (found: string): WeightsError =>
    new WeightsError(`Cannot open ${file}: ${found}, expected what training wrote`, {
      hint: "Bring the checkpoint back from a copy, or train again",
      context: { file },
    });
  const bytes = read(VORTEX_FILES.facts);
  if (bytes === undefined) throw refuse("it is missing");
  let facts: Partial<VortexFacts> | null;
  try {
    facts = JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw refuse((cause as Error).message);
  }
  const lists = [facts?.genes, facts?.mean, facts?.std, facts?.channels];
  if (!lists.every(Array.isArray) || facts!.genes!.length !== facts!.mean!.length) throw refuse("a list is missing");
  for (const key of ["field", "side", "slices", "step"] as const) {
    if (!(facts?.patch?.[key]! > 0)) throw refuse(`patch.${key} is ${JSON.stringify(facts?.patch?.[key])}`);
  }
  return facts as VortexFacts;
}
