/**
 * Every file of a run's folder against what the program wrote.
 *
 * @module
 */

import { ConfigError, DataError } from "../core/errors.ts";
import { entryAt } from "../host/files.ts";
import { disk } from "../io/fs.ts";
import { checkFile, MANIFEST, readManifest } from "../io/manifest.ts";
import { EVIDENCE } from "../report/run_evidence.ts";
import { first, type Inspection } from "./inspection.ts";
import { CHECKPOINT_FOLDERS, namesIn } from "./owned_files.ts";
import { checkpointFiles } from "./checkpoints.ts";
import { count } from "../core/text_table.ts";

/** What a file is found to be. */
type Verdict = "as written" | "grown since the last checkpoint" | "damaged" | "missing" | "unchecked";

/** A file of a run. */
export interface CheckedFile {
  /** Path below the run's folder. */
  readonly path: string;
  readonly verdict: Verdict;
  /** What is wrong with it. */
  readonly error?: string;
}

function tried(path: string, act: () => Verdict): CheckedFile {
  try {
    return { path, verdict: act() };
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    return { path, verdict: "damaged", error: error.message };
  }
}

function manifestFiles(run: string): CheckedFile[] {
  if (!entryAt(`${run}/${MANIFEST}`)) return [];
  let manifest: ReturnType<typeof readManifest>;
  const own = tried(MANIFEST, () => {
    manifest = readManifest(disk, run);
    return manifest ? "as written" : "unchecked";
  });
  const files = Object.entries(manifest?.files ?? {}).map(([path, mark]) =>
    tried(path, () => {
      if (!entryAt(`${run}/${path}`)?.isFile) return mark ? "missing" : "unchecked";
      const rest = checkFile(disk, manifest, run, path);
      return !mark ? "unchecked" : rest > 0 ? "grown since the last checkpoint" : "as written";
    })
  );
  return [own, ...files];
}

/** Compares every file of a run that a checksum is known of. @throws {ConfigError} If the folder is no run's. */
export function checkRun(run: string): CheckedFile[] {
  const files = manifestFiles(run);
  const listed = new Set(files.map(({ path }) => path));
  for (const folder of CHECKPOINT_FOLDERS) {
    if (!namesIn(`${run}/${folder}`).length) continue;
    for (const { name, error, checked, missing } of checkpointFiles(`${run}/${folder}`)) {
      const verdict = missing ? "missing" : error !== undefined ? "damaged" : checked ? "as written" : "unchecked";
      const path = `${folder}/${name}`;
      if (!listed.has(path)) files.push({ path, verdict, ...(error !== undefined && { error }) });
    }
  }
  // Checkpoints with checksums are of a version that begins a run with its manifest.
  if (files.some(({ path, verdict }) => path.startsWith("checkpoints/") && verdict !== "unchecked")) {
    const own = files.find(({ path }) => path === MANIFEST);
    if (own?.verdict === "unchecked") {
      files[files.indexOf(own)] = {
        path: MANIFEST,
        verdict: "damaged",
        error: `${run}/${MANIFEST} is not as train wrote it`,
      };
    } else if (!own) {
      files.unshift({ path: MANIFEST, verdict: "missing", error: `${run}/${MANIFEST} is missing` });
    }
  }
  if (files.length === 0) {
    throw new ConfigError(`Cannot check ${run}: it holds neither ${MANIFEST} nor checkpoints of a run`, {
      hint: entryAt(`${run}/${EVIDENCE.config}`)
        ? "The run is of a version before, which kept no checksums"
        : "Give the folder that train wrote",
      context: { run },
    });
  }
  return files;
}

/** Compares a run with its checksums. @returns What was found, and whether all is well. */
export function inspectChecksums(run: string, limit: number): { found: Inspection; whole: boolean } {
  const files = checkRun(run);
  const bad = files.filter(({ verdict }) => verdict === "damaged" || verdict === "missing");
  const of = (verdict: Verdict) => files.filter((file) => file.verdict === verdict).length;
  const worstFirst = [...bad, ...files.filter((file) => !bad.includes(file))];
  return {
    whole: bad.length === 0,
    found: {
      json: { kind: "checksums", whole: bad.length === 0, files },
      facts: [
        [
          "checksums",
          bad.length === 0
            ? "all files are as they were written"
            : `${count(bad.length, "file")} of ${files.length} damaged or missing`,
        ],
        ["as written", String(of("as written") + of("grown since the last checkpoint"))],
        ["unchecked", of("unchecked") ? String(of("unchecked")) : ""],
      ],
      listings: [{
        title: ["file", "state", ""],
        rows: first(worstFirst, limit).map(({ path, verdict, error }) => [path, verdict, error ?? ""]),
        total: files.length,
      }],
    },
  };
}
