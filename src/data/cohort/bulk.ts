/**
 * Bulk expression as its users have it: folders of STAR's or HTSeq's files as GDC gives them, matrices of genes by samples, h5ad.
 *
 * | form | values | samples are named by |
 * |---|---|---|
 * | `*.tsv` of STAR (`gene_id`, `gene_name`, …, `tpm_unstranded`) | TPM | a GDC sample sheet in the folder, or the file's name |
 * | `*.counts` of HTSeq (identifier and count) | counts | the same |
 * | matrix, tabs, the first column genes | as `bulk_unit` says | the header |
 * | h5ad, samples by genes | as `bulk_unit` says | `obs` |
 *
 * GDC's files may lie in a folder each, as its client and its carts leave them. Text may be packed with gzip. All samples have the same genes; one unit a run: log2(1 + TPM), log2(1 + counts per million), or
 * values that are logarithms already, such as Xena's.
 *
 * @module
 */

import { DataError } from "../../core/errors.ts";
import { type Disk, randomAccess } from "../../io/disk.ts";
import { H5ad } from "../../io/hdf5/h5ad.ts";
import { toDense } from "../../io/sparse.ts";
import { lineError, numberField, readLines, splitTabs } from "../../io/text_lines.ts";
import { shortList } from "./cohort_table.ts";

/** What values of a matrix are. */
export const BULK_UNITS = ["auto", "log2", "tpm", "counts"] as const;

/** What values are. */
export type BulkUnit = Exclude<(typeof BULK_UNITS)[number], "auto">;

/** A sample. */
export interface BulkSample {
  readonly name: string;
  readonly file: string;
  /** On the log2 scale, `[genes]`. */
  readonly values: Float32Array;
}

/** Bulk expression. */
export interface BulkExpression {
  /** As the files name them: symbols where they have them. */
  readonly genes: readonly string[];
  /** What the values were before: `log2(1 + TPM)`. */
  readonly unit: string;
  readonly samples: readonly BulkSample[];
  /** Files that were read. */
  readonly files: readonly string[];
  /** Genes that stand several times: the row with the greatest sum was taken. */
  readonly twice: readonly string[];
}

/** Names of units. */
const UNITS: Readonly<Record<BulkUnit, string>> = {
  log2: "log2, as given",
  tpm: "log2(1 + TPM)",
  counts: "log2(1 + counts per million)",
};

/** Logarithms beyond which, up or down, values are none. */
const MOST_LOG = 64;
/** Genes above which a file is none of expression: what unpacks to any number of lines is to fill no memory. */
const MOST_GENES = 1_000_000;

type ReadDisk = Pick<Disk, "look" | "open">;

/** Values of a file by gene, before it is known which genes all have. */
interface Column {
  readonly name: string;
  readonly file: string;
  readonly genes: readonly string[];
  readonly values: Float64Array;
  readonly unit: BulkUnit | undefined;
}

/** The name of one more gene. @throws {FormatError} If it has none, or there are too many before. */
function geneOf(path: string, line: number, field: string, before: number): string {
  if (before === MOST_GENES) throw lineError(path, line, "yet more genes", `at most ${MOST_GENES}`);
  const gene = field.trim();
  if (gene === "") throw lineError(path, line, "no gene", "a name");
  return gene;
}

function fail(file: string, found: string, expected: string, hint?: string): DataError {
  return new DataError(`Cannot read bulk expression of ${file}: ${found}, expected ${expected}`, {
    code: "bulk",
    ...(hint !== undefined && { hint }),
    context: { file, found, expected },
  });
}

/**
 * Reads a file, or a folder with a file a sample.
 *
 * @param unit What values of matrices and h5ad are; files of STAR and HTSeq say it themselves.
 * @throws {FormatError} If a line is broken or a value is no number, naming file and line.
 * @throws {DataError} If there is nothing to read, samples or genes disagree, or values are not of their unit.
 */
export async function readBulk(
  disk: ReadDisk,
  path: string,
  unit: (typeof BULK_UNITS)[number] = "auto",
): Promise<BulkExpression> {
  const root = path.replace(/(?<=.)[/\\]+$/, "");
  const entry = disk.look(root);
  if (entry === undefined) throw fail(root, "there is nothing", "a file, or a folder with a file a sample");
  if (entry.kind === "file") return await readOne(disk, root, unit);
  const paths = sampleFiles(disk, root);
  const sheet = paths.find((path) => /sample_sheet[^/]*\.tsv$/i.test(path));
  const of = sheet === undefined ? new Map<string, string>() : await readSheet(disk, sheet);
  const columns: Column[] = [];
  const seen = new Set<string>();
  for (const path of paths) {
    if (path === sheet) continue;
    const file = path.slice(path.lastIndexOf("/") + 1);
    const sample = of.get(file) ?? nameOf(file);
    // A sample that was sequenced again has a second file: one more sample of the patient.
    const name = seen.has(sample) ? `${sample}.${nameOf(file)}` : sample;
    seen.add(sample);
    columns.push(await readSampleFile(disk, path, name));
  }
  if (columns.length === 0) {
    throw fail(root, "it holds no file of a sample", "files of STAR or HTSeq that end in .tsv, .txt or .counts");
  }
  const files = [...columns.map(({ file }) => file), ...sheet === undefined ? [] : [sheet]];
  return assembled(columns, files, unit);
}

/** Files of samples and their sheet, in a folder and in those directly in it. What GDC writes beside them is none. */
function sampleFiles(disk: ReadDisk, folder: string, inner = true): string[] {
  const entry = disk.look(folder);
  const names = entry?.kind === "folder" ? entry.names.filter((name) => !name.startsWith(".")) : [];
  return names.flatMap((name) => {
    if (/\.(tsv|txt|counts)(\.gz)?$/i.test(name)) {
      return /^((gdc_)?manifest[^a-z]*|annotations)\.txt$/i.test(name) ? [] : [`${folder}/${name}`];
    }
    return inner ? sampleFiles(disk, `${folder}/${name}`, false) : [];
  });
}

/** A sample by the name of its file. */
function nameOf(file: string): string {
  return file.replace(/\.gz$/i, "").replace(/\.(rna_seq\..*|htseq\..*|star_.*|tsv|txt|counts)$/i, "");
}

/** Samples by file of a GDC sample sheet. */
async function readSheet(disk: ReadDisk, path: string): Promise<Map<string, string>> {
  const out = new Map<string, string>();
  let at: { file: number; sample: number } | undefined;
  for await (const { line, text } of lines(disk, path)) {
    const fields = splitTabs(path, line, text).map((field) => field.trim());
    if (at === undefined) {
      at = { file: fields.indexOf("File Name"), sample: fields.indexOf("Sample ID") };
      if (at.file >= 0 && at.sample >= 0) continue;
      throw fail(path, `its columns are ${shortList(fields)}`, "File Name and Sample ID of a GDC sample sheet");
    }
    const [file, sample] = [fields[at.file], fields[at.sample]];
    if (!file || !sample) throw lineError(path, line, "no File Name or no Sample ID", "both");
    out.set(file, sample.split(",")[0]!.trim());
  }
  return out;
}

/** Lines that hold something; the file is closed behind the last. */
async function* lines(disk: ReadDisk, path: string): AsyncGenerator<{ line: number; text: string }> {
  const source = randomAccess(disk.open(path, "read"));
  try {
    for await (const one of readLines(source)) if (one.text.trim() !== "") yield one;
  } finally {
    source.close?.();
  }
}

/** A file of STAR or HTSeq. */
async function readSampleFile(disk: ReadDisk, path: string, name: string): Promise<Column> {
  const [genes, values]: [string[], number[]] = [[], []];
  let columns: { gene: number; value: number; count: number } | undefined;
  let star = false;
  for await (const { line, text } of lines(disk, path)) {
    if (text.startsWith("#")) continue;
    const fields = splitTabs(path, line, text);
    if (columns === undefined) {
      star = fields[0] === "gene_id";
      const value = star ? fields.indexOf("tpm_unstranded") : 1;
      if (star ? value < 0 : fields.length !== 2) {
        const found = star ? "no column tpm_unstranded" : `${fields.length} columns`;
        throw lineError(path, line, found, "STAR's gene counts, or identifier and count of HTSeq between tabs");
      }
      columns = { gene: star ? Math.max(0, fields.indexOf("gene_name")) : 0, value, count: fields.length };
      if (star) continue;
    }
    if (fields.length !== columns.count) {
      throw lineError(path, line, `${fields.length} columns`, `${columns.count} as before`);
    }
    // Reads that were not assigned to a gene.
    if (/^(N_|__)/.test(fields[0]!)) continue;
    const gene = geneOf(path, line, fields[columns.gene]!, genes.length);
    const value = numberField(path, line, fields[columns.value], star ? "TPM" : "count");
    if (value < 0) throw lineError(path, line, String(value), "0 or more");
    genes.push(gene);
    values.push(value);
  }
  if (genes.length === 0) throw fail(path, "it has no gene", "a line each");
  return { name, file: path, genes, values: Float64Array.from(values), unit: star ? "tpm" : "counts" };
}

async function readH5ad(disk: ReadDisk, path: string, unit: (typeof BULK_UNITS)[number]): Promise<BulkExpression> {
  const file = await H5ad.open(disk.open(path, "read"));
  try {
    const { index: genes } = file.var;
    const { index: names } = file.obs;
    const nameless = genes.findIndex((gene) => gene.trim() === "");
    if (nameless >= 0) throw fail(path, `gene ${nameless} of var has no name`, "names of genes");
    const data = toDense(await file.x.read(0, names.length), genes.length);
    const columns = names.map((name, i): Column => {
      const values = Float64Array.from(data.subarray(i * genes.length, (i + 1) * genes.length));
      return { name, file: path, genes, values, unit: undefined };
    });
    return assembled(columns, [path], unit);
  } finally {
    file.close();
  }
}

/** A matrix or an h5ad. */
async function readOne(disk: ReadDisk, path: string, unit: (typeof BULK_UNITS)[number]): Promise<BulkExpression> {
  if (/\.h5ad$/i.test(path)) {
    return await readH5ad(disk, path, unit);
  }
  let header: string[] | undefined;
  const genes: string[] = [];
  const rows: Float64Array[] = [];
  for await (const { line, text } of lines(disk, path)) {
    if (text.startsWith("#")) continue;
    const fields = splitTabs(path, line, text);
    if (header === undefined) {
      header = fields.slice(1).map((field) => field.trim());
      if (header.length === 0 || header.includes("")) {
        throw lineError(path, line, `${header.length} names of samples`, "genes and a column a sample between tabs");
      }
      continue;
    }
    if (fields.length !== header.length + 1) {
      throw lineError(path, line, `${fields.length} columns`, `${header.length + 1} as in the header`);
    }
    genes.push(geneOf(path, line, fields[0]!, genes.length));
    rows.push(
      Float64Array.from(header, (name, i) => numberField(path, line, fields[i + 1], `${genes.at(-1)} of ${name}`)),
    );
  }
  if (header === undefined || rows.length === 0) throw fail(path, "it has no gene", "a line each behind a header");
  const columns = header.map((name, i): Column => {
    return { name, file: path, genes, values: Float64Array.from(rows, (row) => row[i]!), unit: undefined };
  });
  return assembled(columns, [path], unit);
}

/** Columns brought to the same genes and to logarithms. */
function assembled(
  columns: readonly Column[],
  files: readonly string[],
  asked: (typeof BULK_UNITS)[number],
): BulkExpression {
  const [first] = columns as [Column];
  const other = columns.find(({ unit }) => unit !== first.unit);
  if (other) throw fail(other.file, `values in ${other.unit}`, `${first.unit} as in ${first.file}`);
  if (asked !== "auto" && first.unit !== undefined && asked !== first.unit) {
    throw fail(first.file, `values in ${first.unit}`, `${asked}, as bulk_unit says`, "bulk_unit=auto");
  }
  const unit = first.unit ?? (asked === "auto" ? "log2" : asked);
  const seen = new Map<string, string>();
  for (const { name, file } of columns) {
    const before = seen.get(name);
    if (before !== undefined) throw fail(file, `sample ${name} again, which ${before} has`, "each sample once");
    seen.set(name, file);
  }
  const kept = keptRows(columns);
  const genes = kept.rows.map((row) => first.genes[row]!);
  const samples = columns.map((column): BulkSample => {
    const order = column.genes === first.genes ? kept.rows : placesIn(column, first, kept.rows);
    const { name, file } = column;
    return { name, file, values: logarithms(column, order, unit) };
  });
  return { genes, unit: UNITS[unit], samples, files, twice: kept.twice };
}

/** Rows of the first file's genes, each once: of several of one name that with the greatest sum over samples. */
function keptRows(columns: readonly Column[]): { rows: number[]; twice: string[] } {
  const [{ genes }] = columns as [Column];
  const groups = Map.groupBy(genes.keys(), (row) => genes[row]!);
  const twice: string[] = [];
  const rows: number[] = [];
  for (const [gene, own] of groups) {
    if (own.length === 1) {
      rows.push(own[0]!);
      continue;
    }
    twice.push(gene);
    const sums = own.map((row) => columns.reduce((sum, { values }) => sum + (values[row] ?? 0), 0));
    rows.push(own[sums.indexOf(Math.max(...sums))]!);
  }
  return { rows: rows.sort((a, b) => a - b), twice };
}

/** Where another file has the rows. @throws {DataError} If its genes are others. */
function placesIn({ genes, file }: Column, first: Column, rows: readonly number[]): readonly number[] {
  if (genes.length === first.genes.length && genes.every((gene, i) => gene === first.genes[i])) return rows;
  const [own, wanted] = [new Set(genes), new Set(first.genes)];
  const lacks = first.genes.find((gene) => !own.has(gene));
  const more = lacks === undefined ? genes.find((gene) => !wanted.has(gene)) : undefined;
  const [found, expected] = more === undefined
    ? [
      lacks === undefined ? `${genes.length} genes in another order` : `no gene ${lacks}`,
      `the ${first.genes.length} genes of ${first.file} in their order`,
    ]
    : [`a gene ${more}, which ${first.file} lacks`, `its ${first.genes.length} genes in their order`];
  const hint = "Files of one run come from one annotation: give those of one; a file with fewer genes may be cut off";
  throw fail(file, found, expected, hint);
}

function logarithms({ name, file, genes, values }: Column, rows: readonly number[], unit: BulkUnit): Float32Array {
  const total = values.reduce((sum, value) => sum + value, 0);
  const none = values.findIndex((value) => !Number.isFinite(value));
  if (none >= 0) throw fail(file, `${name} has ${values[none]} for ${genes[none]}`, "a finite number");
  const bad = values.find((value) => unit === "log2" ? Math.abs(value) > MOST_LOG : value < 0);
  if (bad !== undefined) {
    const hint = unit === "log2" ? "bulk_unit=tpm or bulk_unit=counts says what the values are" : "bulk_unit=log2";
    throw fail(file, `${name} has a value of ${bad}`, unit === "log2" ? "logarithms" : `${unit} of 0 or more`, hint);
  }
  if (unit === "counts" && total === 0) throw fail(file, `${name} has no count`, "some");
  const scale = unit === "counts" ? 1e6 / total : 1;
  return Float32Array.from(rows, (row) => unit === "log2" ? values[row]! : Math.log2(1 + scale * values[row]!));
}
