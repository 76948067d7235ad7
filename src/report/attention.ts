/**
 * What a model of slides attended to: what it says of cases without some of their tiles, maps over the slides, and the tiles of
 * most and least attention.
 *
 * @module
 */

import { colourOf } from "../core/colour_maps.ts";
import type {
  AttentionCase,
  AttentionEvidence,
  AttentionSlide,
  AttentionTile,
  LeaveOut,
  LeftOut,
} from "./attention_evidence.ts";
import type { ReadEvidence } from "./evidence_read.ts";
import { amount, NONE, percent, plain, whole } from "./format.ts";
import { type Markup, markup, type Slot } from "./html.ts";
import { figure, identifier, scroller, section, table } from "./html_table.ts";
import { extent, linear } from "./scale.ts";
import { at, axes, drawing, label, line, symbol } from "./svg.ts";
import { imageAddress } from "./thumbnail.ts";

/** The section; nothing where there is no attention. */
export function attention({ attention: found }: ReadEvidence): Slot {
  if (found === undefined) return "";
  return section(
    {
      id: "attention",
      title: "Attention",
      lead:
        "Attention shows what the model weighed, not why a class holds: it finds outliers even where labels are random. What rests on it shows where tiles are left out.",
    },
    leaveOut(found),
    cases(found),
    tileTable(found),
  );
}

const FRAME = { left: 44, right: 350, top: 34, bottom: 178 } as const;

/** Lines of the chart, in the order of their colours. */
const LINES: readonly (readonly [key: keyof Omit<LeftOut, "case">, name: string])[] = [
  ["highest", "most attention"],
  ["random", "at random"],
  ["lowest", "least attention"],
];

function meansOf({ cases, shares }: LeaveOut, key: keyof Omit<LeftOut, "case">): (number | null)[] {
  return shares.map((_, s) => {
    const known = cases.flatMap((one) => one[key][s] ?? []);
    return known.length === 0 ? null : known.reduce((a, b) => a + b, 0) / known.length;
  });
}

function leaveOut({ leave_out: found }: AttentionEvidence): Slot {
  if (found === undefined || found.cases.length === 0) return "";
  const { shares, what, cases, draws } = found;
  const rows = LINES.map(([key, name]) => ({ name, values: meansOf(found, key) }));
  return figure(
    {
      title: `Tiles left out: ${what}.`,
      caption: markup`Mean over ${
        amount(cases.length, "test case")
      }; thin: each case without its tiles of most attention. At random: mean of ${
        amount(draws, "draw")
      }. If the first line falls no faster than the others, what the model says does not rest on the tiles of most attention.`,
    },
    markup`<div class="pair"><div>${leaveOutChart(found, rows)}</div>${
      scroller(
        "What is said without tiles",
        table(rows, [
          { head: "Left out", cell: ({ name }) => name },
          ...shares.map((share, s) => ({
            head: percent(share, 0),
            className: "number",
            cell: ({ values }: Means) => plain(values[s]),
          })),
        ], { className: "plain", caption: markup`<b>The means.</b>` }),
      )
    }</div>`,
  );
}

/** Means over cases, a share each. */
interface Means {
  readonly name: string;
  readonly values: readonly (number | null)[];
}

function leaveOutChart({ shares, what, cases }: LeaveOut, means: readonly Means[]): Markup {
  const values = [...means.flatMap(({ values }) => values), ...cases.flatMap(({ highest }) => highest)];
  const [low, high] = extent(values) ?? [0, 1];
  const y = linear([Math.min(0, low), Math.max(high, low + 1e-9)], [FRAME.bottom, FRAME.top], { ticks: 4, nice: true });
  // Shares are far from even: each has the same room.
  const places = linear([0, shares.length - 1], [FRAME.left + 8, FRAME.right - 8]);
  const x = Object.assign((value: number) => places(value), { ...places, ticks: [...shares.keys()] });
  const points = (list: readonly (number | null)[]) => list.map((value, s) => [s, value] as const);
  const name = means.map(({ name, values }) => `${name} ${values.map((value) => plain(value)).join(", ")}`);
  return drawing(
    { width: 360, height: 214, label: `${what}: ${name.join("; ")}` },
    axes(FRAME, {
      ...{ x, y, formatX: (s) => percent(shares[s] ?? 0, 0), xLabel: "share of the tiles that is left out" },
    }),
    markup`<g class="series s0">${cases.map(({ highest }) => line(points(highest), x, y, "line thin"))}</g>`,
    means.map(({ values }, i) =>
      markup`<g class="series s${String(i)}">${line(points(values), x, y, i === 1 ? "line dashed" : "line")}${
        values.map((value, s) => value !== null && symbol([x(s), y(value)], POINT, { className: "point" }))
      }</g>`
    ),
    means.map(({ name }, i) =>
      markup`<g class="series s${String(i)}"><path class="line${i === 1 ? " dashed" : ""}" d="M${
        at(2 + 118 * i)
      } 8h16"/>${label("tick", [22 + 118 * i, 11.5], name)}</g>`
    ),
  );
}

const POINT = "M-2.6 0a2.6 2.6 0 1 0 5.2 0a2.6 2.6 0 1 0 -5.2 0z";

function cases(found: AttentionEvidence): Slot {
  if (!found.cases.some(({ slides }) => slides.some(({ map }) => map !== undefined))) return "";
  const over = found.cases.every(({ slides }) => slides.every((slide) => slide.over || slide.map === undefined));
  const pictured = found.cases.some(({ highest }) => highest.some(({ image }) => image !== undefined));
  return figure(
    {
      title: `Attention of ${found.model}.`,
      caption: markup`Shown are ${found.chosen}. Colours go by rank within a slide. ${
        over ? "" : "Maps without tissue show places alone: name the slides by slides=FOLDER. "
      }${
        pictured &&
        "Tiles of most and least attention below, with their attention and how many times that is of an even one. "
      }evaluation/attention has all test cases, for <code>convert overlay</code>; evaluation/attention_maps has those shown, as squares for QuPath too.`,
    },
    markup`<ul class="gallery attended">${found.cases.map((one) => caseItem(one, found))}</ul>`,
  );
}

function caseItem(one: AttentionCase, { images }: AttentionEvidence): Markup {
  const verdict = one.right === undefined ? "" : one.right ? "right" : "wrong";
  const tiles = (name: string, list: readonly AttentionTile[]) => {
    const seen = list.filter(({ image }) => image !== undefined);
    return seen.length > 0 &&
      markup`<p class="strip-name">${name}</p><div class="patches">${
        seen.map(({ image, attention, slide, x, y }) =>
          markup`<figure class="patch"><img src="${imageAddress(images.get(image!)!)}" alt="tile of ${slide} at ${
            whole(x ?? 0)
          }, ${whole(y ?? 0)}"><figcaption>${share(attention)}<br>× ${
            plain(attention * one.tiles)
          }</figcaption></figure>`
        )
      }</div>`;
  };
  return markup`<li><div class="query-head"><span><b>${identifier(one.case)}</b>${
    one.fold !== undefined && markup` <span class="rank">${one.fold}</span>`
  }</span><span class="rank">truly <b>${one.truth}</b>; said <b>${one.said}</b>${
    verdict !== "" && markup`, <b class="${verdict}">${verdict}</b>`
  }</span></div>${one.slides.map((slide) => mapOf(slide, images))}${tiles("Most attention", one.highest)}${
    tiles("Least attention", one.lowest)
  }</li>`;
}

function mapOf({ slide, map, tiles, quarters }: AttentionSlide, images: AttentionEvidence["images"]): Slot {
  if (map === undefined) return "";
  const image = images.get(map)!;
  const [low, , middle, , high] = quarters;
  return markup`<div class="attention-map"><img src="${imageAddress(image)}" width="${String(image.width)}" height="${
    String(image.height)
  }" alt="attention over ${slide}"><p class="colour-bar"><span>${share(low)}</span>${rankBar()}<span>${
    share(high)
  }</span> <span class="unit">median ${share(middle)}, ${amount(tiles, "tile")}</span></p></div>`;
}

/** A part of one, however small: `0.012 %`. */
function share(value: number | undefined): string {
  return value === undefined ? NONE : value > 0 && value < 1e-7 ? "< 0.00001\u202f%" : `${plain(100 * value)}\u202f%`;
}

/** A bar of the colours that ranks have. */
function rankBar(): Markup {
  const steps = 24;
  return markup`<svg viewBox="0 0 ${
    String(steps)
  } 1" preserveAspectRatio="none" role="img" aria-label="colours from the lowest to the highest rank">${
    Array.from({ length: steps }, (_, i) => {
      const fill = `rgb(${colourOf(i / (steps - 1)).join(" ")})`;
      return markup`<rect x="${String(i)}" width="1.1" height="1" fill="${fill}"/>`;
    })
  }</svg>`;
}

/** A tile with the case it is of. */
interface Row extends AttentionTile {
  readonly of: AttentionCase;
}

function tileTable({ cases }: AttentionEvidence): Slot {
  const rows = cases.flatMap((of) => of.highest.map((tile): Row => ({ ...tile, of })));
  if (rows.length === 0) return "";
  return scroller(
    "Tiles by attention",
    table(rows, [
      { head: "Case", key: ({ of }) => of.case, cell: ({ of }) => identifier(of.case) },
      { head: "Slide", className: "wide", key: ({ slide }) => slide, cell: ({ slide }) => identifier(slide) },
      { head: "x", className: "number", key: ({ x }) => x, cell: ({ x }) => x === undefined ? NONE : whole(x) },
      { head: "y", className: "number", key: ({ y }) => y, cell: ({ y }) => y === undefined ? NONE : whole(y) },
      {
        head: "Attention",
        className: "number strong",
        key: ({ attention }) => attention,
        cell: ({ attention }) => share(attention),
      },
      {
        head: "× even",
        className: "number",
        key: ({ attention, of }) => attention * of.tiles,
        cell: ({ attention, of }) => markup`${plain(attention * of.tiles)}<small>${whole(of.tiles)} tiles</small>`,
      },
    ], {
      className: "plain",
      sortable: true,
      caption: markup`<b>Tiles of most attention.</b> Places are top left corners, pixels of level 0.`,
    }),
    "tall",
  );
}
