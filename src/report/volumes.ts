/**
 * Volumes: how well expression is told at other depths, three slices through the volume of interest with what is told there, and
 * what was measured beside it.
 *
 * @module
 */

import { KINDS, SYMBOLS } from "./colour.ts";
import type { ReadEvidence } from "./evidence_read.ts";
import { amount, difference, NONE, score, tickText, whole } from "./format.ts";
import { dataBlock, type Markup, markup, type Slot } from "./html.ts";
import { figure, identifier, section, table } from "./html_table.ts";
import { colourBar } from "./maps.ts";
import { extent, linear } from "./scale.ts";
import { at, axes, drawing, line, stroke } from "./svg.ts";
import type { VolumeRow, VolumesEvidence } from "./volumes_evidence.ts";

const CURVE = { left: 46, right: 350, top: 18, bottom: 180 } as const;
const CLOUD = { left: 40, right: 250, top: 18, bottom: 200 } as const;
/** Spots of a cloud, at most. */
const MOST = 600;

/** The section; nothing where a run has no volumes. */
export function volumes({ volumes: found }: Pick<ReadEvidence, "volumes">): Slot {
  if (found === undefined) return "";
  return section(
    { id: "volumes", title: "Volumes", ...(found.serial !== undefined && { lead: `${found.serial}.` }) },
    found.rows.length > 0 && scores(found),
    found.differences.length > 0 && differences(found),
    found.rows.length > 0 && depths(found),
    found.map !== undefined && viewer(found),
    found.measured !== undefined && clouds(found),
  );
}

function meanOf(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((a, b) => a + b, 0) / known.length;
}

function scores({ rows, sections, spots, genes }: VolumesEvidence): Markup {
  const means = rows.map((row) => ({ ...row, means: row.scores.map(meanOf) }));
  return table(means, [
    { head: "Told by", cell: ({ label }) => label },
    ...sections.map(({ away_um, spots }, s) => ({
      head: markup`${whole(Math.round(away_um))} µm<small>${amount(spots, "spot")}</small>`,
      className: "number",
      label: `${whole(Math.round(away_um))} µm away`,
      cell: ({ means }: { means: (number | null)[] }) => means[s] === null ? NONE : score(means[s]!),
    })),
    {
      head: "All",
      className: "number",
      label: "all",
      cell: ({ means }) => meanOf(means) === null ? NONE : score(meanOf(means)!),
    },
  ], {
    caption:
      markup`<b>Expression at other depths.</b> Pearson's correlation over the spots of a section that took no part, mean over ${
        amount(genes.length, "gene")
      }, by its distance from the nearest section that did. ${
        amount(spots, "spot")
      } of the volume of interest were trained on.`,
  });
}

function differences({ differences: all, rows }: VolumesEvidence): Markup {
  const label = (id: string) => rows.find((row) => row.id === id)?.label ?? id;
  return table(all, [
    { head: "Row", cell: ({ of, over }) => markup`${label(of)}<small>over ${label(over)}</small>` },
    { head: "Section", cell: ({ section }) => identifier(section) },
    {
      head: markup`Difference<small>95 %</small>`,
      className: "number delta",
      label: "difference",
      // Below each other: on a narrow page names need the room.
      cell: ({ mean, low, high }) =>
        markup`${difference(mean)}<small>${difference(low)} to ${difference(high)}</small>`,
    },
  ], { caption: markup`<b>What the rows differ by.</b> On the same draws of spots of a section, 2,000 times.` });
}

function swatch(r: number): Markup {
  return markup`<svg viewBox="-5 -5 10 10" width="10" height="10" aria-hidden="true">${mark(r, 0, 0)}</svg>`;
}

function mark(r: number, x: number, y: number): Markup {
  const d = SYMBOLS[r % SYMBOLS.length]!;
  return markup`<path d="${d}" transform="translate(${at(x)} ${at(y)})" fill="${KINDS[r % KINDS.length]!}"/>`;
}

/** A number of each row by distance. */
function curve(
  { rows, sections }: Pick<VolumesEvidence, "rows" | "sections">,
  yLabel: string,
  of: (row: VolumeRow, s: number) => number | null,
): Markup {
  const order = sections.map((_, s) => s).sort((a, b) => sections[a]!.away_um - sections[b]!.away_um);
  const values = rows.map((row) => order.map((s) => [sections[s]!.away_um, of(row, s)] as const));
  const [low, high] = extent(values.flat().map(([, value]) => value)) ?? [0, 1];
  const x = linear([0, Math.max(1, ...sections.map(({ away_um }) => away_um))], [CURVE.left, CURVE.right], {
    ticks: 5,
  });
  const y = linear([Math.min(0, low), Math.max(high, low + 0.1)], [CURVE.bottom, CURVE.top], { ticks: 5, nice: true });
  return markup`<div>${
    drawing(
      { width: 360, height: 216, label: `${yLabel} by distance` },
      axes(CURVE, { x, y, xLabel: "µm from the nearest measured section", yLabel, formatX: tickText }),
      values.map((points, r) =>
        markup`<g stroke="${KINDS[r % KINDS.length]!}" fill="none">${line(points, x, y, "curve")}</g>${
          points.map(([px, py]) => py !== null && mark(r, x(px), y(py)))
        }`
      ),
    )
  }</div>`;
}

function depths(found: VolumesEvidence): Markup {
  return figure(
    {
      title: "Error by depth.",
      caption:
        markup`Left the mean correlation of a section, right the root mean square of what is missed, in deviations of each gene: ${
          found.rows.map(({ label }, r) => markup`${r > 0 && ", "}<span class="entry">${swatch(r)}${label}</span>`)
        }.`,
    },
    markup`<div class="pair">${curve(found, "r", ({ scores }, s) => meanOf(scores[s]!))}${
      curve(found, "error", ({ errors }, s) => errors[s]!)
    }</div>`,
  );
}

/** Three slices through a place. */
function viewer({ map, shown, unit, measured, sections }: VolumesEvidence): Markup {
  const { image, grid } = map!;
  const size = image.shape.map((n, axis) => (n - 1) * image.spacing_um[axis]!) as [number, number, number];
  const stretch = Math.max(1, Math.round(Math.max(size[1], size[2]) / 4 / Math.max(1, size[0])));
  const panels = [["x", "y"], ["z", "y"], ["x", "z"]].map(([across, down]) =>
    markup`<div class="slice"><h3>${across}, ${down}</h3><canvas data-across="${across!}" data-down="${down!}" tabindex="0" role="img" aria-label="Slice along ${across!} and ${down!}: a press or the arrow keys move the place"></canvas></div>`
  );
  const { low, high } = map!.expression[0] ?? { low: 0, high: 1 };
  return figure(
    {
      title: "The volume of interest.",
      caption: markup`Three slices through one place, which a press or the arrow keys move in all of them; ${
        grid.shape.map(whole).join(" × ")
      } places (z, y, x) were predicted here, ${
        grid.spacing_um.map((um) => whole(Math.round(um))).join(" × ")
      } µm apart; <code>predict --volume</code> predicts more. Without colour there is no tissue. ${
        measured !== undefined && "Circles are spots measured near the slice, in the same colours. "
      }${stretch > 1 && `z is drawn ${stretch} times as long. `}`,
      className: "volume",
    },
    markup`<div class="controls"><label>Gene <select id="volume-gene">${
      shown.map((gene, g) => markup`<option value="${g}">${gene}</option>`)
    }</select></label><label>Expression <input type="range" id="volume-opacity" min="0" max="100" value="65"></label><output id="volume-at"></output></div><div class="slices">${panels}</div>${
      colourBar("volume", [low, high], unit)
    }${dataBlock("data-volume", { ...map!, stretch, spots: measured, sections: sections.length })}`,
  );
}

/** What was measured by what is told. */
function clouds({ measured, shown, rows, sections }: VolumesEvidence): Markup {
  const { section: of, measured: all, predicted } = measured!;
  const stride = Math.max(1, Math.ceil(of.length / MOST));
  const panels = shown.map((gene, g) => {
    const points = of.flatMap((s, i) => {
      const value = all[g]![i]!;
      return i % stride === 0 && value !== null ? [[predicted[g]![i]!, value, s] as const] : [];
    });
    const [low, high] = extent(points.flatMap(([a, b]) => [a, b])) ?? [0, 1];
    const domain = [low, high > low ? high : low + 1] as const;
    const x = linear(domain, [CLOUD.left, CLOUD.right], { ticks: 4 });
    const y = linear(domain, [CLOUD.bottom, CLOUD.top], { ticks: 4 });
    return markup`<div><h3>${identifier(gene)}</h3>${
      drawing(
        { width: 260, height: 236, label: `Measured ${gene} by what is predicted` },
        axes(CLOUD, { x, y, xLabel: "predicted", yLabel: "measured" }),
        stroke("guide", [x(domain[0]), y(domain[0])], [x(domain[1]), y(domain[1])]),
        markup`<g opacity="0.6">${points.map(([px, py, s]) => mark(s, x(px), y(py)))}</g>`,
      )
    }</div>`;
  });
  const best = rows.find(({ id }) => id === "voi") ?? rows[0];
  return figure(
    {
      title: "Measured and predicted.",
      caption: markup`Spots of sections that took no part, by the row "${best?.label ?? ""}": ${
        sections.map(({ away_um }, s) =>
          markup`${s > 0 && ", "}<span class="entry">${swatch(s)}${whole(Math.round(away_um))} µm away</span>`
        )
      }.${stride > 1 && " Not every spot is drawn."}`,
    },
    markup`<div class="panels">${panels}</div>`,
  );
}
