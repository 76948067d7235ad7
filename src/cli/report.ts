/**
 * `report`: (re)writes the HTML report of a run from the files in its folder; no GPU and no data are needed.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { INCOMPLETE } from "../core/exit_status.ts";
import { disk } from "../io/fs.ts";
import { lockFolder } from "../io/lock.ts";
import { readManifest } from "../io/manifest.ts";
import { writeReport } from "../report/report.ts";
import { EVIDENCE } from "../report/run_evidence.ts";
import type { WrittenReport } from "../report/written.ts";
import { type Args, COMMON, type Flags } from "./args.ts";
import { runFolder } from "../run/folder.ts";
import { completeManifest } from "../run/start.ts";
import { formatBytes } from "../core/text_table.ts";
import { printJson, say } from "./terminal.ts";

/** Name of the command. */
export const name = "report";
/** What it does. */
export const summary = "(re)write the HTML report of a training run from its folder";
/** An example. */
export const example = "report runs/demo";
/** How the words are called. */
export const words = "RUN …";

/** The page goes into the run's own folder. */
export const elsewhere = (): string => "a copy of the run";

/** Flags of the command. */
export const flags = {
  quiet: COMMON.quiet,
  json: COMMON.json,
} as const satisfies Flags;

/** Writes one report; the manifest of a finished run lists it. */
async function reportOn(path: string): Promise<WrittenReport> {
  const run = runFolder(path);
  // A folder that is not there is none to lock.
  using _ = disk.look(run.path)?.kind === "folder" ? lockFolder(run.path, "report") : undefined;
  const written = await writeReport(run);
  if (readManifest(disk, run.path)?.complete) completeManifest(run.path, [EVIDENCE.report]);
  return written;
}

/** Runs the command. */
export async function run({ words: paths, flags: { quiet, json } }: Args<typeof flags>): Promise<number> {
  if (paths.length === 0) {
    throw new ConfigError("Cannot write a report: no folder of a run is given", { hint: "For example runs/demo" });
  }
  const tell = (text: string) => quiet || say(text);
  let damaged = false;
  for (const path of paths) {
    const { errors, unchecked, ...written } = await reportOn(path);
    tell(`${written.path}: ${formatBytes(written.bytes)}`);
    for (const [part, reason] of Object.entries(written.missing)) tell(`  without ${part}: ${reason}`);
    for (const what of unchecked) say(`warning: unchecked: ${what}`);
    for (const error of errors) say(`${error.name}: ${error.message}`);
    damaged ||= errors.length > 0;
    if (json) {
      printJson({
        ...written,
        checked: unchecked.length === 0,
        unchecked,
        errors: errors.map(({ message }) => message),
      });
    }
  }
  return damaged ? INCOMPLETE : 0;
}
