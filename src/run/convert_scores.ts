/**
 * Scores of gene sets over a folder in HEST's layout: of every spot, of every slide, and the expression of cases that
 * `evaluate` and `method=mil` make targets of.
 *
 * @module
 */

import type { Facts } from "../core/facts.ts";
import type { Reporter } from "../core/reporter.ts";
import { count } from "../core/text_table.ts";
import { type GeneSet, readGeneSets } from "../data/cohort/gene_sets.ts";
import type { SampleFiles } from "../data/data_folder.ts";
import { readAliases } from "../data/genes/aliases.ts";
import { makeUnique } from "../data/genes/genes.ts";
import { logNormalize } from "../data/genes/normalise.ts";
import { describeOthers, GeneResolver, type OtherName } from "../data/genes/resolve.ts";
import { scoreGenes } from "../data/genes/score.ts";
import { WITHDRAWN_SOURCE, withdrawnSymbols } from "../data/genes/withdrawn.ts";
import { columnSums } from "../data/matrix.ts";
import { readSampleTable, type SampleTable } from "../data/sample.ts";
import { gatherWarnings } from "../data/sample_checks.ts";
import { csvLine } from "../io/csv.ts";
import { disk, makeFolder, readText } from "../io/fs.ts";
import { openAnndata } from "../io/anndata.ts";
import { encode, writeH5ad } from "../io/hdf5/h5ad_write.ts";
import { H5Writer } from "../io/hdf5/h5_write.ts";
import { contentHash } from "./content_hash.ts";
import { checkOut } from "./convert_section.ts";
import { OutputFolder } from "./output_folder.ts";
import { namedSamples } from "./named_samples.ts";

const RESULT = "scores.json";
const NAMES = ["spots", "slides.csv", "expression.csv"] as const;
/** Counts that the expression of a case is scaled to. */
const TARGET_SUM = 1e4;

/** What is scored. */
export interface ScoresRequest {
  /** A folder in HEST's layout. */
  readonly data: string;
  /** Samples by name; all if there are none. */
  readonly samples: readonly string[];
  /** File of the sets. */
  readonly geneSets: string;
  /** Table of aliases; symbols that HGNC withdrew of late if not given. */
  readonly aliases: string | undefined;
  /** Takes genes that were measured under another name. */
  readonly mapGenes: boolean;
  /** Where the files keep counts. */
  readonly counts: string | undefined;
  readonly out: string;
  readonly overwrite: boolean;
  readonly settings: Facts;
}

/** A set in a sample. */
export interface ScoredSet {
  readonly name: string;
  /** Genes of the set, and how many of them were measured. */
  readonly genes: number;
  readonly found: number;
  readonly missing: readonly string[];
  /** Controls that were drawn. */
  readonly controls: number;
  /** Mean of the slide's spots; null where there is no score. */
  readonly slide: number | null;
}

/** A sample that was scored. */
export interface ScoredSample {
  readonly sample: string;
  readonly case: string;
  readonly spots: number;
  readonly sets: readonly ScoredSet[];
  /** Genes of sets under other names, taken or told. */
  readonly others: readonly Omit<OtherName, "column">[];
}

/** What was made. */
export interface ScoresResult {
  readonly json: Readonly<Record<string, unknown>>;
  /** Sets without a score in some sample. */
  readonly empty: readonly string[];
}

/** Counts of a case by gene, as its slides add up. */
type CaseCounts = Map<string, Map<string, number>>;

/**
 * Scores samples.
 *
 * @throws {ConfigError | DataError | FormatError} Naming the file that cannot be used, and the place in it.
 */
export async function convertScores(request: ScoresRequest, reporter: Reporter): Promise<ScoresResult> {
  const { data, out, geneSets, aliases: aliasFile, overwrite, settings } = request;
  const files = namedSamples(data, request.samples);
  checkOut(out, [], data);
  const sets = readGeneSets(readText(geneSets), geneSets);
  const table = aliasFile === undefined
    ? { symbols: withdrawnSymbols(), ambiguous: 0 }
    : readAliases(readText(aliasFile), aliasFile);
  const inputs = [
    ...files.map(({ expression }) => expression),
    geneSets,
    ...(aliasFile === undefined ? [] : [aliasFile]),
  ];
  const facts = { ...settings, samples: files.map(({ id }) => id).join(","), input_sha256: await contentHash(inputs) };
  using folder = OutputFolder.open({ out, command: "scores", result: RESULT, names: NAMES, facts, overwrite });
  if (folder.finished !== undefined) {
    reporter.say(`${out}/${RESULT}: is there`);
    return { json: folder.finished.json, empty: emptyOf(folder.finished.json["samples"] as ScoredSample[]) };
  }
  const cases: CaseCounts = new Map();
  const done: ScoredSample[] = [];
  for (const [i, file] of files.entries()) {
    reporter.update("scores", i, files.length, "slides");
    const { sample, own } = await scoreSample(file, sets, request, table.symbols);
    folder.begin();
    makeFolder(`${folder.path}/spots`);
    await writeSpots(`${folder.path}/spots/${file.id}.h5ad`, sets, own);
    addCase(cases, sample.case, own.table);
    done.push(sample);
  }
  for (const line of gatherWarnings(done.flatMap((sample) => toldOf(sample, request.mapGenes)))) reporter.warn(line);
  folder.begin();
  disk.write(`${folder.path}/slides.csv`, slidesCsv(sets, done));
  disk.write(`${folder.path}/expression.csv`, expressionCsv(cases));
  const empty = emptyOf(done);
  const aliases = { aliases: aliasFile ?? WITHDRAWN_SOURCE, ambiguous_aliases: table.ambiguous };
  return { json: folder.finish({ ...aliases, samples: done }, empty.length > 0 ? 3 : 0), empty };
}

/** Sets without a score, by sample. */
function emptyOf(samples: readonly ScoredSample[]): string[] {
  return samples.flatMap(({ sample, sets }) =>
    sets.flatMap(({ name, slide }) => slide === null ? [`${name} in ${sample}`] : [])
  );
}

/** What a user ought to know of a sample. */
function toldOf({ sample, sets, others }: ScoredSample, mapped: boolean): string[] {
  const missing = new Set(sets.flatMap((set) => set.missing)).size;
  const distinct = [...new Map(others.map((other) => [other.asked, { ...other, column: -1 }])).values()];
  const took = mapped ? "taken" : "left out (--map-genes takes them)";
  return [
    ...(missing > 0 ? [`${sample}: ${count(missing, "gene")} of the sets not measured`] : []),
    ...(distinct.length > 0 ? [`${sample}: genes under other names, ${took}: ${describeOthers(distinct)}`] : []),
  ];
}

interface OwnScores {
  readonly table: SampleTable;
  readonly genes: readonly string[];
  readonly values: Float64Array;
}

async function scoreSample(
  { id, expression, metadata }: SampleFiles,
  sets: readonly GeneSet[],
  { counts, mapGenes }: ScoresRequest,
  aliases: ReadonlyMap<string, string>,
): Promise<{ sample: ScoredSample; own: OwnScores }> {
  const file = await openAnndata(disk, expression);
  let table: SampleTable;
  let ids: readonly (string | undefined)[] | undefined;
  try {
    table = readSampleTable(id, file, metadata, counts === undefined ? {} : { counts });
    ids = file.var.columns.includes("gene_ids") && file.var.index.length === table.counts.genes.length
      ? file.var.strings("gene_ids")
      : undefined;
  } finally {
    file.close();
  }
  const genes = makeUnique(table.counts.genes);
  const columns = { ...table.geneColumns, ...(ids === undefined ? {} : { gene_ids: ids }) };
  const resolver = new GeneResolver(genes, columns, aliases);
  const found = sets.map((set) => resolver.find(set.genes, mapGenes));
  const matrix = logNormalize(table.counts.matrix, TARGET_SUM);
  const { values, controls } = scoreGenes(matrix, found.map((one) => one.columns));
  const spots = matrix.rows;
  const sample: ScoredSample = {
    sample: id,
    case: metadata?.text("patient") ?? id,
    spots,
    sets: sets.map(({ name, genes: asked }, s) => {
      let sum = 0;
      for (let i = 0; i < spots; i++) sum += values[i * sets.length + s]!;
      return {
        name,
        genes: asked.length,
        found: found[s]!.columns.length,
        missing: found[s]!.missing,
        controls: controls[s]!,
        slide: Number.isNaN(sum) || spots === 0 ? null : sum / spots,
      };
    }),
    others: found.flatMap(({ others }) => others.map(({ asked, gene, why }) => ({ asked, gene, why }))),
  };
  return { sample, own: { table, genes, values } };
}

/** A table of spots by sets. */
async function writeSpots(path: string, sets: readonly GeneSet[], { table, values }: OwnScores): Promise<void> {
  const { spots } = table.counts;
  const begin = await H5Writer.prepare();
  disk.writeAnywhere(path, (file) => {
    const h5 = begin(file);
    writeH5ad(h5, {
      obs: { index: spots },
      var: { index: sets.map(({ name }) => name) },
      x: (h5, place) => {
        h5.dataset(place, "f8", [spots.length, sets.length], values);
        encode(h5, place, "array", "0.2.0");
      },
      ...(table.spatial === undefined
        ? {}
        : { obsm: { spatial: { shape: [spots.length, 2], values: table.spatial.xy } } }),
    });
    h5.close();
  });
}

/** A row a slide, a column a set: labels of slides for `split`, `evaluate` and `method=mil`. */
function slidesCsv(sets: readonly GeneSet[], done: readonly ScoredSample[]): string {
  const head = csvLine(["slide_id", "case_id", ...sets.map(({ name }) => name)]);
  const rows = done.map(({ sample, case: of, sets: scored }) =>
    csvLine([sample, of, ...scored.map(({ slide }) => slide === null ? "" : String(slide))])
  );
  return head + rows.join("");
}

function addCase(cases: CaseCounts, name: string, { counts: { genes, matrix } }: SampleTable): void {
  const sums = columnSums(matrix);
  const own = new Map<string, number>();
  genes.forEach((gene, j) => own.set(gene, (own.get(gene) ?? 0) + sums[j]!));
  const before = cases.get(name);
  if (before === undefined) return void cases.set(name, own);
  // A gene that one of a case's slides did not measure is not known of the case.
  cases.set(name, new Map([...before].flatMap(([gene, sum]) => own.has(gene) ? [[gene, sum + own.get(gene)!]] : [])));
}

/** ln(1 + counts per ten thousand) of the genes that all cases have, counts added over a case's spots. */
function expressionCsv(cases: CaseCounts): string {
  const [first, ...others] = [...cases.values()];
  const genes = [...first!.keys()].filter((gene) => others.every((other) => other.has(gene)));
  const rows = [...cases].map(([name, sums]) => {
    const total = [...sums.values()].reduce((a, b) => a + b, 0) || 1;
    return csvLine([name, ...genes.map((gene) => String(Math.log1p(sums.get(gene)! / total * TARGET_SUM)))]);
  });
  return csvLine(["case_id", ...genes]) + rows.join("");
}
