/**
 * `download`: HEST-1k by sample or query, HEST-Benchmark by task, from Hugging Face.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { INCOMPLETE } from "../core/exit_status.ts";
import { count, formatBytes } from "../core/text_table.ts";
import { machineHub } from "../io/hub/hub_machine.ts";
import { namesOf } from "../run/data.ts";
import { download, listed } from "../run/download.ts";
import { type Args, COMMON, type Flags } from "./args.ts";
import type { Job } from "./interrupt.ts";
import { Progress } from "./progress.ts";
import { printJson } from "./terminal.ts";

/** Name of the command. */
export const name = "download";
/** What it does. */
export const summary =
  "HEST-1k by samples or query, HEST-Benchmark by tasks, from Hugging Face: resumed, with checksums";
/** Its words. */
export const words = "hest [COLUMN=VALUE …] | bench [TASK …]";
/** An example. */
export const example = "download hest --where organ=Breast technology=Visium --out data/hest";

/** Flags of the command. */
export const flags = {
  ids: { kind: "text", value: "ID,ID,…", help: "samples of HEST-1k" },
  where: {
    kind: "list",
    value: "COLUMN=VALUE",
    help: "samples whose catalogue says so: organ, technology, species, disease, oncotree, patient, dataset, …; " +
      "several values between commas, further conditions behind",
  },
  all: {
    kind: "switch",
    help: "all samples (HEST-1k has over 1 TB with slides, the patches several hundred GB), or tasks",
  },
  with: {
    kind: "text",
    value: "NAME,…",
    help:
      "folders beside patches, st and metadata: wsis, tissue_seg, thumbnails, cellvit_seg, transcripts, xenium_seg, …",
  },
  revision: { kind: "text", value: "NAME", default: "main", help: "branch, tag or commit of the repository" },
  out: { kind: "text", value: "DIR", help: "folder of the data" },
  "dry-run": { kind: "switch", help: "say what would come and how large it is; download nothing" },
  overwrite: { kind: "switch", help: "replace files that are there with another content" },
  quiet: COMMON.quiet,
  json: COMMON.json,
} as const satisfies Flags;

/** Runs the command. */
export async function run({ flags: given, words: [word, ...rest] }: Args<typeof flags>, job: Job): Promise<number> {
  const { out, quiet, json, overwrite, all, revision } = given;
  const what = word === "hest" || word === "bench" ? word : undefined;
  if (what === undefined || out === undefined) {
    throw new ConfigError(`Cannot download: wanted hest or bench, and --out DIR`, {
      hint: `For example: ${example}`,
      context: { given: word ?? null },
    });
  }
  const conditions = rest.filter((word) => word.includes("="));
  const request = {
    what,
    ...{ all, revision, out, overwrite, dryRun: given["dry-run"] },
    names: [...namesOf(given.ids) ?? [], ...rest.filter((word) => !word.includes("="))],
    where: [...given.where, ...conditions],
    more: namesOf(given.with) ?? [],
  } as const;
  const progress = new Progress(quiet);
  const done = await download(request, { host: machineHub, reporter: progress, signal: job.signal });
  const { missing, failed, files, bytes } = done;
  if (!request.dryRun) {
    progress.say(`${out}: ${count(files - failed.length, "file")} of ${formatBytes(bytes)}`);
    if (failed.length > 0) {
      progress.warn(`failed: ${listed(failed.map(({ path }) => path))}; the same command tries again`);
    }
  }
  if (json) printJson({ out, ...done });
  return missing.length + failed.length > 0 ? INCOMPLETE : 0;
}
