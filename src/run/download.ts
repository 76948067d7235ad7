/**
 * HEST-1k and its benchmark downloaded into a folder: what is wanted is listed with its size first, what is there and right is
 * kept, what was begun is gone on with, and every file is compared with the hub's hash.
 *
 * `download.json` in the folder says which files came of which commit.
 *
 * @module
 */

import { ConfigError, DataError, WeightsError } from "../core/errors.ts";
import { notOwn } from "../core/facts.ts";
import type { Reporter } from "../core/reporter.ts";
import { count, formatBytes } from "../core/text_table.ts";
import { VERSION } from "../core/version.ts";
import { readBytes } from "../io/disk.ts";
import { disk, makeFolder } from "../io/fs.ts";
import { blobHashOf } from "../io/hub/hub_blob.ts";
import type { HubConnectionOptions } from "../io/hub/hub_connection.ts";
import { HubDataset, type RemoteFile } from "../io/hub/hub_dataset.ts";
import type { HubHost } from "../io/hub/hub_host.ts";
import { lockFolder } from "../io/lock.ts";
import { checkFolder, trimmed } from "../io/output.ts";
import { looksOwn } from "../io/made_output.ts";
import { type Plan, planBench, planHest } from "./download_plan.ts";

const RECORD = "download.json";
/** By this a record that is cut short is told from another program's. */
const SOFTWARE = `seal-webgpu ${VERSION}`;
/** Milliseconds between two notes of what is there. */
const NOTE_MS = 2000;

/** What is downloaded. */
export interface DownloadRequest {
  readonly what: "hest" | "bench";
  /** Samples, or tasks of the benchmark, by name. */
  readonly names: readonly string[];
  /** Conditions on the catalogue. */
  readonly where: readonly string[];
  /** Everything, where nothing is named. */
  readonly all: boolean;
  /** Folders beside patches, st and metadata. */
  readonly more: readonly string[];
  readonly revision: string;
  readonly out: string;
  /** Says what would be done. */
  readonly dryRun: boolean;
  /** Replaces files of other content. */
  readonly overwrite: boolean;
}

/** What became of it. */
export interface Downloaded {
  readonly repo: string;
  readonly commit: string;
  readonly samples: readonly string[];
  readonly files: number;
  readonly bytes: number;
  /** Files that were there already. */
  readonly there: number;
  /** Bytes that had to come. */
  readonly wanted: number;
  /** Files of samples that the repository does not have. */
  readonly missing: readonly string[];
  /** Files whose content was not what the hub says, and why. */
  readonly failed: readonly { readonly path: string; readonly reason: string }[];
}

/** Files by path, as they were when they came. */
type Record_ = Map<string, { readonly hash: string; readonly bytes: number; readonly commit: string }>;

/**
 * Downloads.
 *
 * @throws {ConfigError} If what is asked for is not there, or other files stand in the way.
 * @throws {GatedError | WeightsError} If the hub refuses, or cannot be reached.
 */
export async function download(
  request: DownloadRequest,
  { host, reporter, signal, hub = {} }: {
    readonly host: HubHost;
    readonly reporter: Reporter;
    readonly signal?: AbortSignal | undefined;
    readonly hub?: HubConnectionOptions;
  },
): Promise<Downloaded> {
  const { what, dryRun, overwrite } = request;
  const out = trimmed(request.out);
  checkFolder(out);
  const repo = what === "hest" ? "MahmoodLab/hest" : "MahmoodLab/hest-bench";
  const dataset = new HubDataset(repo, host, `copy the files of ${repo} to ${out} by other means`, hub);
  const commit = await dataset.commit(request.revision, signal);
  const plan = what === "hest"
    ? await planHest(dataset, commit, request, signal)
    : await planBench(dataset, commit, request, signal);
  const before = readRecord(out);
  const { todo, foreign } = await judge(host, out, plan.files, before, reporter);
  if (foreign.length > 0 && !overwrite) {
    throw notOwn(`${out}/${foreign[0]!.path}`, "it is there already, with another content than the hub's");
  }
  const wanted = todo.reduce((sum, { bytes }) => sum + bytes, 0);
  tellSizes(plan, todo, reporter);
  await checkRoom(host, out, wanted);
  const failed = dryRun ? [] : await fetchAll({ dataset, commit, out, before, host, reporter, signal }, todo);
  return {
    repo,
    commit,
    samples: plan.samples,
    files: plan.files.length,
    bytes: plan.files.reduce((sum, { bytes }) => sum + bytes, 0),
    there: plan.files.length - todo.length,
    wanted,
    missing: plan.missing,
    failed,
  };
}

/** Says how large everything is, folder by folder. */
function tellSizes({ files, samples, of, missing }: Plan, todo: readonly RemoteFile[], reporter: Reporter): void {
  const open = new Set(todo);
  const folderOf = ({ path }: RemoteFile) => path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "tables";
  reporter.say(`${count(samples.length, of)}: ${samples.slice(0, 8).join(", ")}${samples.length > 8 ? ", …" : ""}`);
  for (const [folder, group] of Map.groupBy(files, folderOf)) {
    const bytes = group.reduce((sum, file) => sum + file.bytes, 0);
    const there = group.filter((file) => !open.has(file)).length;
    reporter.say(
      `  ${folder}: ${count(group.length, "file")}, ${formatBytes(bytes)}${there > 0 ? `, ${there} there` : ""}`,
    );
  }
  const left = todo.reduce((sum, { bytes }) => sum + bytes, 0);
  reporter.say(`to download: ${count(todo.length, "file")}, ${formatBytes(left)}`);
  if (missing.length > 0) reporter.warn(`not in the repository: ${listed(missing)}`);
}

/** The first of a list, and how many more there are. */
export function listed(names: readonly string[]): string {
  return names.slice(0, 5).join(", ") + (names.length > 5 ? `, and ${names.length - 5} more` : "");
}

async function checkRoom(host: HubHost, out: string, wanted: number): Promise<void> {
  let place = out;
  while (disk.look(place) === undefined && /[/\\]/.test(place)) place = place.replace(/[/\\]?[^/\\]*$/, "") || "/";
  const free = await host.freeBytes?.(disk.look(place) === undefined ? "." : place);
  if (free === undefined || wanted <= free) return;
  throw new DataError(`Cannot download to ${out}: ${formatBytes(free)} are free, ${formatBytes(wanted)} wanted`, {
    code: "disk",
    hint: "Make room, name fewer samples, or pass another --out",
    context: { path: out, free, wanted },
  });
}

/** Which files must come, and which of them are there with another content that is not of this command. */
async function judge(
  host: HubHost,
  out: string,
  files: readonly RemoteFile[],
  record: Record_,
  reporter: Reporter,
): Promise<{ todo: RemoteFile[]; foreign: RemoteFile[] }> {
  const todo: RemoteFile[] = [];
  const foreign: RemoteFile[] = [];
  for (const [i, file] of files.entries()) {
    const entry = disk.look(`${out}/${file.path}`);
    const known = record.get(file.path);
    if (entry === undefined) todo.push(file);
    else if (entry.kind === "folder") foreign.push(file);
    else if (entry.size === file.bytes && known?.hash === file.hash.hex) continue;
    else {
      reporter.update("compare", i, files.length, "steps");
      const same = async () =>
        await blobHashOf(host, `${out}/${file.path}`, file.hash.kind, file.bytes) === file.hash.hex;
      if (entry.size === file.bytes && await same()) continue;
      todo.push(file);
      if (known === undefined) foreign.push(file);
    }
  }
  return { todo, foreign };
}

interface Fetching {
  readonly dataset: HubDataset;
  readonly commit: string;
  readonly out: string;
  readonly before: Record_;
  readonly host: HubHost;
  readonly reporter: Reporter;
  readonly signal: AbortSignal | undefined;
}

/** Downloads file after file. @returns Those whose content was not the hub's. */
async function fetchAll(
  { dataset, commit, out, before: record, reporter, signal }: Fetching,
  todo: readonly RemoteFile[],
): Promise<Downloaded["failed"][number][]> {
  const total = todo.reduce((sum, { bytes }) => sum + bytes, 0);
  const failed: Downloaded["failed"][number][] = [];
  if (todo.length === 0) return failed;
  using lock = lockFolder(out, "download");
  makeFolder(out);
  let [done, noted] = [0, performance.now()];
  const note = () => {
    lock.check();
    writeRecord(out, dataset.repo, record);
    noted = performance.now();
  };
  note();
  try {
    for (const file of todo) {
      const onProgress = ({ received }: { received: number }) =>
        reporter.update("download", done + received, total, "bytes");
      try {
        await dataset.download(commit, file, `${out}/${file.path}`, { onProgress, ...(signal && { signal }) });
        record.set(file.path, { hash: file.hash.hex, bytes: file.bytes, commit });
      } catch (error) {
        if (!(error instanceof WeightsError) || !["checksum", "file-not-found"].includes(error.code)) throw error;
        failed.push({ path: file.path, reason: error.message });
        reporter.warn(error.message);
      }
      done += file.bytes;
      if (performance.now() - noted >= NOTE_MS) note();
    }
  } finally {
    note();
  }
  return failed;
}

function writeRecord(out: string, repo: string, record: Record_): void {
  const files = Object.fromEntries([...record].sort(([a], [b]) => a < b ? -1 : 1));
  disk.write(`${out}/${RECORD}`, `${JSON.stringify({ format: 1, software: SOFTWARE, repo, files }, null, 1)}\n`);
}

function readRecord(out: string): Record_ {
  const path = `${out}/${RECORD}`;
  if (disk.look(path) === undefined) return new Map();
  try {
    const { format, files } = JSON.parse(new TextDecoder().decode(readBytes(disk, path)));
    if (format === 1 && typeof files === "object" && files !== null) return new Map(Object.entries(files));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    // One that was cut short: all files are compared with the hub's.
    if (looksOwn(disk, path)) return new Map();
  }
  throw new ConfigError(`Cannot write to ${out}: ${path} is no record of this command`, {
    code: "output-exists",
    hint: "Move it away, or pass another --out",
    context: { path },
  });
}
