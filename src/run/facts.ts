/**
 * What an output of a trained run is made from and how: the content of run and data, and the settings.
 *
 * @module
 */

import type { Facts } from "../core/facts.ts";
import type { SampleFiles } from "../data/data_folder.ts";
import { sha256Of } from "../io/checksum.ts";
import { readText } from "../io/fs.ts";
import { contentHash } from "./content_hash.ts";
import type { KnownRun } from "./open.ts";

/** Hash of what a run's checkpoint consists of. The encoder's weights are known to it by their own hash. */
export async function runHash({ found }: Pick<KnownRun, "found">, run: string): Promise<string> {
  const config = `${run}/config.yaml`;
  if (!found.checked) return await contentHash([config, found.path]);
  // Looked at before: its files are what its checksums say.
  const { "optimizer.safetensors": _, ...files } = found.files;
  const { loop } = found.state as { loop?: unknown };
  return sha256Of(JSON.stringify([sha256Of(readText(config)), loop, files]));
}

/** Hash of samples by their files. */
export async function samplesHash(
  samples: readonly Pick<SampleFiles, "folder" | "id" | "expression" | "patches">[],
): Promise<string> {
  return await contentHash(samples.flatMap(({ folder, id, expression, patches }) => [
    expression,
    ...(patches === undefined ? [] : [patches]),
    `${folder}/metadata/${id}.json`,
  ]));
}

/** Facts of an output of a run on samples. */
export async function runFacts(
  known: KnownRun,
  samples: readonly SampleFiles[],
  { run, settings }: { readonly run: string; readonly settings: Facts },
): Promise<Facts> {
  return {
    ...settings,
    run_sha256: await runHash(known, run),
    samples: samples.map(({ id }) => id).join(" "),
    data_sha256: await samplesHash(samples),
  };
}
