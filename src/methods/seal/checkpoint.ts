/**
 * SEAL's files of a checkpoint, beside those of every method.
 *
 * | file | content |
 * |---|---|
 * | `omics.safetensors` | gene model and its head, under the names of SEAL's omics files |
 * | `heads.safetensors` | image decoder, projection head, temperature and what else is added, under SEAL's names |
 * | `genes.json` | vocabulary with its statistics |
 *
 * @module
 */

import { formatVocabulary, type Vocabulary } from "../../data/genes/vocabulary.ts";
import {
  type AdapterFacts,
  filesOf,
  loadFiles,
  loadParts,
  namesBehind,
  type Part,
  type ReadFile,
} from "../../train/checkpoint.ts";
import { GENE_PREFIX, type SealModel } from "./model.ts";

/** Names of the files. */
export const SEAL_FILES = { omics: "omics.safetensors", heads: "heads.safetensors", genes: "genes.json" } as const;

/** Parameters and buffers behind the encoder by the file they belong in. */
function partsOf(model: SealModel): Part[] {
  const [omics, heads]: [string[], string[]] = [[], []];
  for (const name of namesBehind(model)) (name.startsWith(GENE_PREFIX) ? omics : heads).push(name);
  return [
    { file: SEAL_FILES.omics, names: omics, prefix: GENE_PREFIX },
    { file: SEAL_FILES.heads, names: heads },
  ];
}

/** The files of a model, without the state of training. */
export async function modelFiles(
  model: SealModel,
  vocabulary: Vocabulary,
  adapter: AdapterFacts,
): Promise<Map<string, Uint8Array>> {
  return new Map([
    ...await filesOf(model, partsOf(model), adapter),
    [SEAL_FILES.genes, new TextEncoder().encode(formatVocabulary(vocabulary))],
  ]);
}

/**
 * Puts a head into a model in place of its decoder; its encoder stays as it was before training.
 *
 * @param head Its weights.
 * @throws {WeightsError} If the head belongs to a model of other sizes, or a file is missing.
 */
export function loadHead(model: SealModel, head: Uint8Array, { read, path }: { read: ReadFile; path: string }): void {
  const parts = partsOf(model);
  loadParts(model.parameters, parts, read, path);
  const names = parts.flatMap(({ file, names }) => file === SEAL_FILES.heads ? names : [])
    .filter((name) => name.startsWith("decoder."));
  loadParts(model.parameters, [{ file: "head", names }], () => head, "the head");
}

/**
 * Puts a checkpoint's weights into a model.
 *
 * @param read Files of the checkpoint.
 * @throws {WeightsError} If a file is missing, or belongs to a model of other sizes.
 */
export function loadModel(model: SealModel, read: ReadFile, where: string): void {
  loadFiles(model, partsOf(model), read, where);
}
