/**
 * Pieces of charts: the drawing itself, axes, lines, symbols. Drawings are at most about 360 units wide, so that their text
 * stays legible on a phone; colours come from classes, so that they follow the theme.
 *
 * @module
 */

import { tickText } from "./format.ts";
import { Markup, markup, type Slot } from "./html.ts";
import type { Scale } from "./scale.ts";

/** A coordinate, short. */
export function at(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** What a drawing is. */
export interface Drawing {
  readonly width: number;
  readonly height: number;
  /** What it shows, for those who do not see it. */
  readonly label: string;
  readonly className?: string;
  /** Name of the script's behaviour on it; the drawing can then be focused. */
  readonly behaviour?: string;
}

/** A drawing. */
export function drawing({ width, height, label, className, behaviour }: Drawing, ...content: readonly Slot[]): Markup {
  const does = behaviour !== undefined && markup` data-behaviour="${behaviour}" tabindex="0"`;
  const box = `0 0 ${width} ${height}`;
  return markup`<svg class="${
    className ?? "chart"
  }" viewBox="${box}" role="img" aria-label="${label}"${does}>${content}</svg>`;
}

/** Attributes of an element: numbers are shortened, those that are missing left out. */
export function attributes(values: Readonly<Record<string, string | number | undefined>>): Markup {
  return new Markup(
    Object.entries(values).map(([name, value]) =>
      value === undefined ? "" : markup` ${name}="${typeof value === "number" ? at(value) : value}"`.text
    ).join(""),
  );
}

/** A straight line. */
export function stroke(className: string, [x1, y1]: Point, [x2, y2]: Point): Markup {
  return markup`<line${attributes({ class: className, x1, y1, x2, y2 })}/>`;
}

/** A text at a place; `mid` and `end` in its class set it. */
export function label(className: string, [x, y]: Point, text: Slot): Markup {
  return markup`<text${attributes({ class: className, x, y })}>${text}</text>`;
}

/** A place on a drawing. */
export type Point = readonly [x: number, y: number];

/** Place of a chart's plot in its drawing. */
export interface Frame {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** How axes are drawn. */
export interface AxesOptions {
  readonly x: Scale;
  readonly y: Scale;
  readonly xLabel?: string;
  readonly yLabel?: string;
  readonly formatX?: (value: number) => string;
  readonly formatY?: (value: number) => string;
}

/** Axes with ticks: horizontal guides for y, marks for x, the label of y above it. */
export function axes({ left, right, bottom }: Frame, options: AxesOptions): Markup {
  const { x, y, xLabel, yLabel, formatX = tickText, formatY = tickText } = options;
  return markup`<g aria-hidden="true">${
    y.ticks.map((tick) => [
      stroke("guide", [left, y(tick)], [right, y(tick)]),
      label("tick end", [left - 6, y(tick) + 3.5], formatY(tick)),
    ])
  }${stroke("axis", [left, bottom], [right, bottom])}${
    x.ticks.map((tick) => [
      stroke("axis", [x(tick), bottom], [x(tick), bottom + 4]),
      label("tick mid", [x(tick), bottom + 15], formatX(tick)),
    ])
  }${xLabel !== undefined && label("label mid", [(left + right) / 2, bottom + 30], xLabel)}${
    yLabel !== undefined && label("label", [2, 11], yLabel)
  }</g>`;
}

/** Points of a line; null breaks it. */
export type LinePoints = readonly (readonly [x: number, y: number | null])[];

/** A line through points. */
export function line(points: LinePoints, x: Scale, y: Scale, className: string): Markup {
  let path = "";
  let pen = false;
  for (const [px, py] of points) {
    if (py === null || !Number.isFinite(py)) {
      pen = false;
      continue;
    }
    path += `${pen ? "L" : "M"}${at(x(px))} ${at(y(py))}`;
    pen = true;
  }
  return markup`<path class="${className}" d="${path}"/>`;
}

/** A symbol at a place, with an explanation on hover. */
export function symbol(
  [x, y]: Point,
  d: string,
  options: { className?: string | undefined; tip?: string | undefined; fill?: string | undefined } = {},
): Markup {
  const { className, tip, fill } = options;
  const transform = `translate(${at(x)} ${at(y)})`;
  return markup`<path${attributes({ class: className, fill, "data-tip": tip, transform, d })}/>`;
}
