/**
 * The report of models of slides on the folds of a cohort: scores, each fold, curves of training over folds, and where the page of
 * each run is.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import { VERSION } from "../core/version.ts";
import { cohort, cohortAbstract } from "./cohort.ts";
import { type CohortEvidence, cohortEvidence, type CohortRun } from "./cohort_evidence.ts";
import { parseChecked, readMetrics } from "./evidence_read.ts";
import type { RunFolder } from "./evidence_write.ts";
import { readBytes } from "../io/disk.ts";
import { amount, capital, whole } from "./format.ts";
import { type Markup, markup, type Slot } from "./html.ts";
import { figure, identifier, scroller, section, table } from "./html_table.ts";
import { pageOf } from "./page.ts";
import { EVIDENCE, type MetricRow } from "./run_evidence.ts";
import { extent, linear, quantile } from "./scale.ts";
import { axes, drawing, label, line, type LinePoints } from "./svg.ts";
import type { WrittenReport } from "./written.ts";

/** File of the result, below the folder. */
const RESULT = "results.json";

/** Whether a folder is of runs on folds, and not of one run. */
export function isFolds({ path, disk }: Pick<RunFolder, "path" | "disk">): boolean {
  const there = (file: string) => disk.look(`${path}/${file}`)?.kind === "file";
  return !there(EVIDENCE.config) && there(RESULT) && disk.look(`${path}/runs`)?.kind === "folder";
}

/**
 * Writes the page from the folder alone.
 *
 * @param content Of the result, where it is not written yet.
 * @throws {DataError | FormatError} If the result is damaged or of another command.
 */
export async function writeFolds(
  { path, disk }: Pick<RunFolder, "path" | "disk">,
  content?: Readonly<Record<string, unknown>>,
): Promise<WrittenReport> {
  const bytes = content ? new TextEncoder().encode(JSON.stringify(content)) : readBytes(disk, `${path}/${RESULT}`);
  const found = parseChecked(bytes, `${path}/${RESULT}`, cohortEvidence);
  const errors: Error[] = [];
  const metrics = new Map<CohortRun, readonly MetricRow[]>();
  for (const run of found.runs ?? []) {
    const file = `${path}/${run.folder}/${EVIDENCE.metrics}`;
    if (disk.look(file)?.kind !== "file") {
      errors.push(new DataError(`Cannot show ${run.folder}: it has no ${EVIDENCE.metrics}`, { context: { file } }));
    } else metrics.set(run, readMetrics(readBytes(disk, file), file, errors));
  }
  const page = new TextEncoder().encode(await renderFolds(found, metrics));
  const out = `${path}/${EVIDENCE.report}`;
  disk.write(out, page);
  return { path: out, bytes: page.length, missing: {}, errors, unchecked: [] };
}

/** The page. @param metrics Of the runs that have them. */
export async function renderFolds(
  found: CohortEvidence,
  metrics: ReadonlyMap<CohortRun, readonly MetricRow[]>,
): Promise<string> {
  const judged = found.folds.filter((fold) => fold.judged).length;
  return await pageOf({
    title: `Slide-level models on ${amount(judged, "fold")}`,
    head: cohortAbstract(found),
    sections: [
      ["scores", "Scores", cohort(found)],
      ["training", "Training", curves(metrics)],
      ["runs", "Runs", runTable(found)],
    ],
    foot:
      markup`Made from the files of the folder by seal-webgpu ${VERSION}; <code>deno task report FOLDER</code> makes it again. `,
  });
}

const FRAME = { left: 44, right: 350, top: 34, bottom: 178 } as const;
/** Most points of a line that are drawn. */
const POINTS = 120;

/** One column of one model: a line a fold. */
interface Panel {
  readonly title: string;
  readonly lines: readonly LinePoints[];
}

/** Losses and evaluations of all folds of a model, over each other. */
function curves(metrics: ReadonlyMap<CohortRun, readonly MetricRow[]>): Slot {
  const groups = Map.groupBy(metrics.keys(), ({ source, label }) => `${label}, ${source}`);
  const panels = [...groups].flatMap(([name, runs]): Panel[] => {
    const rows = runs.map((run) => metrics.get(run)!);
    const shown = (["train", "val"] as const).flatMap((split) => {
      const columns = new Set(
        rows.flat().filter((row) => (row.split ?? "train") === split).flatMap((row) =>
          Object.keys(row).filter((key) =>
            typeof row[key] === "number" && !/^(step|epoch|lr.*|.*_per_second)$/.test(key)
          )
        ),
      );
      return [...columns].sort().map((column) => ({ split, column }));
    });
    return shown.map(({ split, column }) => ({
      title: `${name}: ${split === "train" ? "" : "validation "}${capital(column.replaceAll("_", " ")).toLowerCase()}`,
      lines: rows.map((own) => pointsOf(own, split, column)).filter((points) => points.length > 0),
    }));
  }).filter(({ lines }) => lines.length > 0);
  if (panels.length === 0) return "";
  return section(
    { id: "training", title: "Training" },
    figure(
      {
        title: "Curves over folds.",
        caption:
          "A thin line a run, of a fold and seed each, thick their median by step; a fold that parts from the others is seen here.",
      },
      markup`<div class="panels">${panels.map(chart)}</div>`,
    ),
  );
}

function pointsOf(rows: readonly MetricRow[], split: string, column: string): LinePoints {
  const points = rows.filter((row) => (row.split ?? "train") === split).flatMap((row) => {
    const value = row[column];
    return typeof value === "number" ? [[row.step, value] as const] : [];
  });
  const size = Math.ceil(points.length / POINTS);
  if (size <= 1) return points;
  return Array.from({ length: Math.ceil(points.length / size) }, (_, i) => {
    const part = points.slice(i * size, (i + 1) * size);
    return [part[part.length >> 1]![0], part.reduce((sum, [, y]) => sum + y, 0) / part.length] as const;
  });
}

function chart({ title, lines }: Panel): Markup {
  const last = Math.max(1, ...lines.flatMap((points) => points.map(([x]) => x)));
  const values = lines.flatMap((points) => points.flatMap(([, y]) => y ?? []));
  const [low, high] = extent(values) ?? [0, 1];
  const top = Math.min(high, 2 * (quantile(values, 0.99) ?? high) - low);
  const x = linear([0, last], [FRAME.left, FRAME.right], { ticks: 4 });
  const y = linear([Math.min(low, low >= 0 && low < 0.6 * top ? 0 : low), Math.max(top, low + 1e-9)], [
    FRAME.bottom,
    FRAME.top,
  ], { ticks: 4, nice: true });
  const clip = (points: LinePoints) =>
    points.map(([a, b]) => [a, b === null ? null : Math.min(b, y.domain[1])] as const);
  const steps = [...new Set(lines.flatMap((points) => points.map(([step]) => step)))].sort((a, b) => a - b);
  const median = steps.flatMap((step) => {
    const own = lines.flatMap((points) => points.find(([at]) => at === step)?.[1] ?? []);
    return own.length * 2 > lines.length ? [[step, quantile(own, 0.5) ?? null] as const] : [];
  });
  return drawing(
    { width: 360, height: 200, label: `${title} of ${amount(lines.length, "run")}` },
    label("title", [2, 12], title.length > 52 ? `${title.slice(0, 51)}…` : title),
    axes(FRAME, { x, y, formatX: (value) => whole(value) }),
    markup`<g class="series s0">${lines.map((points) => line(clip(points), x, y, "line thin"))}${
      lines.length > 1 && line(clip(median), x, y, "line")
    }</g>`,
  );
}

function runTable({ runs = [] }: CohortEvidence): Slot {
  if (runs.length === 0) return "";
  const several = new Set(runs.map(({ seed }) => seed)).size > 1;
  return section(
    {
      id: "runs",
      title: "Runs",
      lead: "Each run has a page of its own, with the attention of its test cases, and a checkpoint for predict.",
    },
    scroller(
      "Runs",
      table(runs, [
        {
          head: "Model",
          key: ({ label }) => label,
          cell: ({ label, source }) => markup`${label}<small>${source}</small>`,
        },
        {
          head: "Fold",
          key: ({ fold }) => fold,
          cell: ({ fold, seed }) =>
            markup`${identifier(fold)}${several && seed !== undefined && markup`<small>seed ${whole(seed)}</small>`}`,
        },
        {
          head: "Page",
          cell: ({ folder }) => markup`<a class="id" href="${encodeURI(folder)}/report.html">${folder}/report.html</a>`,
        },
      ], { className: "plain", sortable: true, caption: markup`<b>Runs,</b> below the folder of this page.` }),
      runs.length > 12 ? "tall" : "",
    ),
  );
}
