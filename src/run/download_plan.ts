/**
 * Which files of HEST-1k or of its benchmark are wanted.
 *
 * @module
 */

import { ConfigError, DataError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import { count } from "../core/text_table.ts";
import { selectRecords } from "../data/catalogue_query.ts";
import { decodeText } from "../io/csv.ts";
import type { HubDataset, RemoteFile } from "../io/hub/hub_dataset.ts";
import { type Metadata, parseCatalogue, sampleOf } from "../io/metadata.ts";
import type { DownloadRequest } from "./download.ts";

/** Folders that training needs. */
const DEFAULT_FOLDERS = ["patches", "st", "metadata"];
/** Folders whose files a sample may lack, since not all technologies have them. */
const OPTIONAL = /^(?:xenium_seg|transcripts|pixel_size_vis|cellvit_seg)$/;

/** What is wanted. */
export interface Plan {
  /** What `samples` are: samples or tasks. */
  readonly of: "sample" | "task";
  readonly samples: readonly string[];
  readonly files: readonly RemoteFile[];
  /** Files that samples should have and the repository has not. */
  readonly missing: readonly string[];
}

/** Samples of HEST-1k: those named, or those of the catalogue that fit. */
export async function planHest(
  dataset: HubDataset,
  commit: string,
  { names, where, all, more }: DownloadRequest,
  signal: AbortSignal | undefined,
): Promise<Plan> {
  const root = await dataset.list(commit, "", { signal });
  const folders = [...new Set([...DEFAULT_FOLDERS, ...more])];
  for (const folder of more) checkName("folder", folder, root.folders, dataset.repo);
  const catalogue = root.files.filter(({ path }) => /^HEST_v[\d_]+\.csv$/i.test(path)).sort(byVersion).at(-1);
  if (catalogue === undefined) {
    throw new DataError(`Cannot select samples of ${dataset.repo}: it has no HEST_v*.csv, a catalogue wanted`, {
      code: "file-missing",
      context: { repo: dataset.repo, found: root.files.slice(0, 20).map(({ path }) => path) },
    });
  }
  const { path } = catalogue;
  const records = parseCatalogue(decodeText(await dataset.read(commit, catalogue, signal), path), path);
  const ids = new Set(records.map(({ id }) => id));
  for (const name of names) checkName("sample", name, [...ids], path);
  if (names.length === 0 && where.length === 0 && !all) throw nothingNamed(records, path);
  const fitting = selectRecords(
    names.length > 0 ? records.filter(({ id }) => names.includes(id)) : records,
    where,
    path,
  );
  const samples = fitting.map(({ id }) => id);
  if (samples.length === 0) {
    throw new ConfigError(`Cannot download: no sample of ${path} fits ${where.join(" ")}, one wanted`, {
      hint: "Leave a condition out",
      context: { where: [...where], names: [...names] },
    });
  }
  const files: RemoteFile[] = [catalogue];
  const missing: string[] = [];
  for (const folder of folders) {
    const listed = (await dataset.list(commit, folder, { signal })).files;
    const byId = Map.groupBy(listed, (file) => sampleOf(file.path));
    for (const id of samples) {
      const own = byId.get(id) ?? [];
      files.push(...own);
      if (own.length === 0 && !OPTIONAL.test(folder)) missing.push(`${folder}/${id}`);
    }
  }
  return { of: "sample", samples, files, missing };
}

/** Tasks of the benchmark: tables, splits and panels. */
export async function planBench(
  dataset: HubDataset,
  commit: string,
  { names, where, all, more }: DownloadRequest,
  signal: AbortSignal | undefined,
): Promise<Plan> {
  if (where.length > 0 || more.length > 0) {
    throw new ConfigError(`Cannot download the benchmark by ${where[0] ?? `--with ${more[0]}`}: it goes by tasks`, {
      hint: "download bench IDC PRAD --out DIR, or --all",
      context: { where: [...where], with: [...more] },
    });
  }
  const { folders } = await dataset.list(commit, "", { signal });
  const tasks = folders.filter((name) => !/^(?:\.|fm_)/.test(name));
  for (const name of names) checkName("task", name, tasks, dataset.repo);
  if (names.length === 0 && !all) {
    throw new ConfigError(`Cannot download the benchmark: no task is named, wanted some of ${tasks.join(", ")}`, {
      hint: "download bench IDC --out DIR, or --all",
      context: { tasks },
    });
  }
  const samples = names.length > 0 ? [...new Set(names)] : tasks;
  const files: RemoteFile[] = [];
  const missing: string[] = [];
  for (const task of samples) {
    const { files: listed } = await dataset.list(commit, task, { recursive: true, signal });
    const own = listed.filter(({ path }) => /^[^/]+\/(?:(?:adata|patches|splits)\/[^/]+|[^/]+\.json)$/.test(path));
    files.push(...own);
    for (const part of ["adata", "patches", "splits"]) {
      if (!own.some(({ path }) => path.startsWith(`${task}/${part}/`))) missing.push(`${task}/${part}`);
    }
  }
  return { of: "task", samples, files, missing };
}

/** By the numbers of a version, not by its text: 1_10_0 comes behind 1_9_0. */
function byVersion(a: RemoteFile, b: RemoteFile): number {
  const [x, y] = [a, b].map(({ path }) => (path.match(/\d+/g) ?? []).map(Number)) as [number[], number[]];
  for (let i = 0; i < Math.max(x.length, y.length); i++) {
    if ((x[i] ?? 0) !== (y[i] ?? 0)) return (x[i] ?? 0) - (y[i] ?? 0);
  }
  return 0;
}

function checkName(what: string, name: string, known: readonly string[], where: string): void {
  if (known.includes(name)) return;
  const near = nearest(name, known);
  throw new ConfigError(`Cannot download ${what} ${name}: ${where} has ${count(known.length, what)}, not this one`, {
    hint: near === undefined ? `It has ${known.slice(0, 12).join(", ")}` : `Did you mean ${near}?`,
    context: { given: name, ...(near === undefined ? {} : { nearest: near }) },
  });
}

function nothingNamed(records: readonly Metadata[], file: string): ConfigError {
  const organs = Map.groupBy(records, (record) => record.text("organ") ?? "unknown");
  const some = [...organs].sort(([, a], [, b]) => b.length - a.length).slice(0, 8);
  return new ConfigError(`Cannot download: no sample is named, wanted --ids, --where or --all`, {
    hint: `For example --where organ=Breast technology=Visium; ${file} has ` +
      some.map(([organ, of]) => `${organ} ${of.length}`).join(", "),
  });
}
