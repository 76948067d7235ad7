/**
 * Losses and evaluations over the steps of training: a small chart for each term, stages and the kept checkpoint marked.
 *
 * @module
 */

import type { ReadEvidence } from "./evidence_read.ts";
import { directionName } from "./evidence_view.ts";
import { capital, plain, whole } from "./format.ts";
import { dataBlock, type Markup, markup } from "./html.ts";
import type { MetricRow, Stage } from "./run_evidence.ts";
import { extent, linear, quantile, type Scale } from "./scale.ts";
import { at, axes, drawing, label, line, type LinePoints, stroke, symbol } from "./svg.ts";
import { absent, figure, section } from "./html_table.ts";

/** A line of a chart. */
interface Series {
  readonly name: string;
  readonly points: LinePoints;
  /** Whether single points are marked: evaluations. */
  readonly marked: boolean;
}

/** One chart. */
interface Panel {
  readonly title: string;
  readonly series: readonly Series[];
}

/** Titles of columns where the method gives none. */
const TITLES: Readonly<Record<string, string>> = {
  loss: "Total loss",
  auc: "Area under the ROC curve",
};

/** Columns that are no evaluations: losses, learning rates, and what depends on the clock. */
const OTHER = /^(?:loss(?:_|$)|lr(?:_|$)|step$|epoch$)|_per_second$/;
const RECALL = /^recall_at_\d+_/;

/** Most points of a line that are drawn. */
const POINTS = 300;

/** The section. */
export function losses({ metrics, facts, missing }: ReadEvidence): Markup {
  const panels = panelsOf(metrics, facts?.method?.columns);
  const title = "Training";
  if (panels.length === 0) return section({ id: "training", title }, absent("metrics.jsonl holds no numbers"));
  const stages = facts?.stages ?? stagesOf(metrics);
  const last = metrics.reduce((most, { step }) => Math.max(most, step), 0);
  const charts = panels.map((panel, i) => chart(panel, { id: `curve${i}`, stages, last, best: facts?.best_step }));
  const bad =
    metrics.filter((row) => Object.entries(row).some(([key, value]) => key === "loss" && value === null)).length;
  return section(
    { id: "training", title },
    figure(
      {
        title: "Losses and evaluations by step.",
        caption: markup`Thin: logged steps; thick: running mean; points: validation. ${
          stages.length > 1 && "Dotted lines bound the stages. "
        }${
          facts?.best_step !== undefined &&
          `The triangle marks step ${whole(facts.best_step)}, whose weights were kept. `
        }${facts?.method?.columns_note !== undefined && `${facts.method.columns_note} `}${
          bad > 0 && `${whole(bad)} steps have no finite loss and are left out. `
        }Focus a chart and use the arrow keys, or point at it, to read values.${
          missing.facts !== undefined && " Stages are as the log has them."
        }`,
      },
      markup`<div class="panels">${charts.map(({ drawn }) => drawn)}</div>`,
    ),
    dataBlock("data-curves", Object.fromEntries(charts.map(({ id, data }) => [id, data]))),
  );
}

/** Panels for whatever was logged: losses first, the total leading, then evaluations, then rates. */
function panelsOf(metrics: readonly MetricRow[], titles: Readonly<Record<string, string>> = {}): Panel[] {
  const names = new Set(metrics.flatMap((row) => Object.keys(row).filter((key) => typeof row[key] === "number")));
  const pick = (test: (name: string) => boolean) => [...names].filter(test).sort();
  const terms = pick((name) => name.startsWith("loss_"));
  const single = (name: string): Panel => ({
    title: titles[name] ?? TITLES[name] ?? capital(name.replace(/^loss_/, "").replaceAll("_", " ")),
    series: seriesOf(metrics, name),
  });
  const panels = ["loss", ...terms].filter((name) => names.has(name)).map(single);
  panels.push(...pick((name) => !OTHER.test(name) && !RECALL.test(name)).map(single));
  for (const direction of ["g2i", "i2g"] as const) {
    const recalls = pick((name) => new RegExp(`^recall_at_\\d+_${direction}$`).test(name));
    recalls.sort((a, b) => parseInt(a.slice(10)) - parseInt(b.slice(10)));
    if (recalls.length === 0) continue;
    panels.push({
      title: `Recall, ${directionName(direction)}`,
      series: recalls.flatMap((name) =>
        seriesOf(metrics, name).map((one) => ({ ...one, name: `@${parseInt(name.slice(10))}` }))
      ),
    });
  }
  const rates = pick((name) => /^lr(?:_|$)/.test(name));
  if (rates.length > 0) {
    panels.push({
      title: "Learning rates",
      series: rates.flatMap((name) =>
        seriesOf(metrics, name).map((one) => ({ ...one, name: name.slice(3) || one.name }))
      ),
    });
  }
  panels.push(...pick((name) => name.endsWith("_per_second")).map(single));
  return panels.filter(({ series }) => series.length > 0);
}

function seriesOf(metrics: readonly MetricRow[], name: string): Series[] {
  const splits = new Map<string, [number, number | null][]>();
  for (const row of metrics) {
    const value = row[name];
    if (typeof value !== "number" && value !== null) continue;
    const split = row.split ?? "train";
    if (!splits.has(split)) splits.set(split, []);
    splits.get(split)!.push([row.step, value]);
  }
  return [...splits].filter(([, points]) => points.some(([, y]) => y !== null)).map(([split, points]) => ({
    name: split,
    points: points.sort((a, b) => a[0] - b[0]),
    marked: split !== "train",
  }));
}

function stagesOf(metrics: readonly MetricRow[]): Stage[] {
  const stages: { name: string; from: number; to: number }[] = [];
  for (const { stage, step } of metrics) {
    if (stage === undefined) continue;
    const last = stages.at(-1);
    if (last?.name === String(stage)) last.to = Math.max(last.to, step + 1);
    else stages.push({ name: String(stage), from: step, to: step + 1 });
  }
  return stages;
}

const FRAME = { left: 44, right: 350, top: 34, bottom: 178 } as const;

interface ChartContext {
  readonly id: string;
  readonly stages: readonly Stage[];
  readonly last: number;
  readonly best: number | undefined;
}

function chart(
  { title, series }: Panel,
  { id, stages, last, best }: ChartContext,
): { id: string; drawn: Markup; data: unknown } {
  const x = linear([0, Math.max(1, last)], [FRAME.left, FRAME.right], { ticks: 4 });
  const thin = series.map((one) => ({ ...one, points: thinned(one.points) }));
  const y = linear(domainOf(thin), [FRAME.bottom, FRAME.top], { ticks: 4, nice: true });
  const bounds = stages.filter(({ from }) => from > 0 && from <= last);
  const names = stages.length > 1 && stages.map(({ name, from, to }) => {
    const [a, b] = [x(Math.max(0, from)), x(Math.min(last, to))];
    const fits = Math.floor((b - a - 10) / 5.2);
    return fits >= 4 &&
      label("stage", [a + 3, FRAME.top - 5], fits < name.length ? `${name.slice(0, fits - 1)}…` : name);
  });
  const mark = best !== undefined && best <= last &&
    symbol([x(best), FRAME.bottom - 4], "M0 -4L4 4H-4z", { className: "best" });
  const drawn = drawing(
    { width: 360, height: 200, label: describe(title, series), className: "chart", behaviour: `curve:${id}` },
    label("title", [2, 12], title),
    axes(FRAME, { x, y, formatX: (value) => whole(value) }),
    names,
    bounds.map(({ from }) => stroke("boundary", [x(from), FRAME.top], [x(from), FRAME.bottom])),
    thin.map((one, i) => drawSeries(one, { x, y, i, bounds: bounds.map(({ from }) => from) })),
    thin.length > 1 && key(thin),
    mark,
  );
  const data = {
    frame: [FRAME.left, FRAME.right, FRAME.top, FRAME.bottom],
    domain: x.domain,
    series: thin.map(({ name, points }) => ({
      name,
      points: points.map(([px, py]) => [px, py === null ? null : Number(py.toPrecision(5))]),
    })),
  };
  return { id, drawn, data };
}

interface SeriesContext {
  readonly x: Scale;
  readonly y: Scale;
  readonly i: number;
  readonly bounds: readonly number[];
}

const POINT = "M-2.6 0a2.6 2.6 0 1 0 5.2 0a2.6 2.6 0 1 0 -5.2 0z";

function drawSeries({ points, marked }: Series, { x, y, i, bounds }: SeriesContext): Markup {
  // What exceeds the range is drawn at its end.
  const top = y.domain[1];
  const clipped = points.map(([px, py]) => [px, py === null ? null : Math.min(py, top)] as const);
  if (marked) {
    const dots = clipped.map(([px, py]) => py !== null && symbol([x(px), y(py)], POINT, { className: "point" }));
    return markup`<g class="series s${i}">${line(clipped, x, y, "line dashed")}${dots}</g>`;
  }
  if (points.length <= 40) return markup`<g class="series s${i}">${line(clipped, x, y, "line")}</g>`;
  const smooth = running(clipped, Math.max(3, Math.round(points.length / 40)), bounds);
  return markup`<g class="series s${i}">${line(clipped, x, y, "line thin")}${line(smooth, x, y, "line")}</g>`;
}

/** Names of the lines with a piece of each, at the right of the title. */
function key(series: readonly Series[]): Markup[] {
  let right: number = FRAME.right;
  return series.toReversed().map(({ name, marked }, back) => {
    const i = series.length - 1 - back;
    const width = 6 * name.length + (i + 1 < series.length ? 32 : 22);
    right -= width;
    const dot = marked && symbol([right + 8, 8], POINT, { className: "point" });
    return markup`<g class="series s${i}"><path class="line${marked ? " dashed" : ""}" d="M${at(right)} 8h16"/>${dot}${
      label("tick", [right + 20, 11.5], name)
    }</g>`;
  });
}

/** Range of the values; a few large ones at the start do not squeeze the rest. */
function domainOf(series: readonly Series[]): [number, number] {
  const values = series.flatMap(({ points }) => points.flatMap(([, y]) => y === null ? [] : [y]));
  const [low, high] = extent(values) ?? [0, 1];
  const most = quantile(values, 0.995) ?? high;
  const top = high - low > 2 * (most - low) ? most : high;
  return [low >= 0 && low < 0.6 * top ? 0 : low, top];
}

/** At most {@linkcode POINTS} points, each the mean of its neighbours. */
function thinned(points: LinePoints): LinePoints {
  const size = Math.ceil(points.length / POINTS);
  if (size <= 1) return points;
  return Array.from({ length: Math.ceil(points.length / size) }, (_, i) => {
    const part = points.slice(i * size, (i + 1) * size);
    const known = part.flatMap(([, y]) => y === null ? [] : [y]);
    const mean = known.length === 0 ? null : known.reduce((a, b) => a + b, 0) / known.length;
    return [part[part.length >> 1]![0], mean] as const;
  });
}

/** Centred running mean within each stage; a gap stays one. */
function running(points: LinePoints, window: number, bounds: readonly number[]): LinePoints {
  const side = window >> 1;
  const stage = points.map(([x]) => bounds.filter((from) => from <= x).length);
  return points.map(([x, y], i) => {
    if (y === null) return [x, null] as const;
    let [sum, count] = [0, 0];
    for (let k = Math.max(0, i - side); k <= Math.min(points.length - 1, i + side); k++) {
      const value = points[k]![1];
      if (value === null || stage[k] !== stage[i]) continue;
      sum += value;
      count++;
    }
    return [x, sum / count] as const;
  });
}

function describe(title: string, series: readonly Series[]): string {
  const parts = series.map(({ name, points }) => {
    const known = points.flatMap(([, y]) => y === null ? [] : [y]);
    return `${name} from ${plain(known[0])} to ${plain(known.at(-1))}`;
  });
  return `${title}: ${parts.join("; ")}`;
}
