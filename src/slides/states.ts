/**
 * What became of each slide of a job, and a summary of all.
 *
 * @module
 */

import { FormatError } from "../core/errors.ts";
import { INCOMPLETE } from "../core/exit_status.ts";
import { printable } from "../core/printable.ts";

/** How a slide ended: all tiles have features, it has no tissue, something went wrong, or it was not wanted. */
export type SlideStatus = "done" | "empty" | "failed" | "skipped";

const STATUSES: readonly SlideStatus[] = ["done", "empty", "failed", "skipped"];

/** What became of a slide. */
export interface SlideState {
  readonly name: string;
  /** Folder of the features it is a state of, below the job's: a job may have several grids and encoders. */
  readonly features?: string;
  readonly status: SlideStatus;
  /** Tiles with features, and those left out since their pixels are damaged. */
  readonly tiles: number;
  readonly damaged: number;
  /** Why it ended so, where that is not plain. */
  readonly reason?: string;
  /** Further facts: tissue, threshold, pixel size, what a user ought to know. */
  readonly facts: Readonly<Record<string, string | number | boolean | null | readonly string[]>>;
}

/**
 * States of one slide as a file: what was worked on last, and `others`, of other folders of features.
 *
 * @param states That of the last work first.
 */
export function statesJson([last, ...others]: readonly SlideState[]): string {
  return `${JSON.stringify({ ...last, ...(others.length > 0 && { others }) }, undefined, 1)}\n`;
}

function isState(value: Partial<SlideState> | null): value is SlideState {
  const whole = (number: unknown) => Number.isSafeInteger(number) && (number as number) >= 0;
  return typeof value === "object" && value !== null && typeof value.name === "string" &&
    STATUSES.includes(value.status as SlideStatus) && whole(value.tiles) && whole(value.damaged) &&
    ["undefined", "string"].includes(typeof value.features) && typeof value.facts === "object" && value.facts !== null;
}

/**
 * Reads the states of a slide.
 *
 * @returns That of the last work first.
 * @throws {FormatError} If it is damaged or of another program.
 */
export function parseStates(text: string, file: string): SlideState[] {
  let value: Partial<SlideState> & { others?: unknown } | null = null;
  try {
    value = JSON.parse(text);
  } catch { /* said below */ }
  const { others = [], ...last } = value ?? {};
  const states = [last, ...(Array.isArray(others) ? others : [null])];
  if (states.every(isState)) return states;
  const expected = "name, status, tiles, damaged and facts";
  throw new FormatError(`Cannot read ${file} as the state of a slide: ${text.slice(0, 40)}, expected ${expected}`, {
    context: { file, found: text.slice(0, 40), expected },
  });
}

/** The exit status of a job: 3 where a slide failed or is empty. */
export function exitStatusOf(states: readonly SlideState[]): number {
  return states.some(({ status }) => status === "failed" || status === "empty") ? INCOMPLETE : 0;
}

/** Text in a cell of a table. */
function cell(text: string): string {
  return printable(text.replaceAll(/\s*[\r\n]\s*/g, " ")).replaceAll("|", "\\|");
}

/** States of slides that were worked on alike. */
export interface StatePart {
  readonly states: readonly SlideState[];
  /** Lines on what was run: encoder, licence of its weights, grid, tissue. */
  readonly about: readonly (readonly [string, string])[];
}

/**
 * The summary of a job in Markdown, those that need a look first.
 *
 * @param parts By the folder of their features; one without a name stands alone.
 */
export function summaryMarkdown(parts: ReadonlyMap<string, StatePart>): string {
  const lines = [...parts].flatMap(([name, part]) => [
    ...(parts.size > 1 ? [`## ${printable(name)}`, ""] : []),
    ...partLines(part),
  ]);
  return ["# Slides", "", ...lines].join("\n");
}

function partLines({ states, about }: StatePart): string[] {
  const counted = STATUSES.map((status) => {
    const count = states.filter((state) => state.status === status).length;
    return count === 0 ? "" : `${count} ${status}`;
  }).filter(Boolean).join(", ");
  const order: readonly SlideStatus[] = ["failed", "empty", "skipped", "done"];
  const rows = order.flatMap((status) => states.filter((state) => state.status === status));
  const tiles = states.reduce((sum, state) => sum + state.tiles, 0);
  return [
    `${states.length} slides: ${counted || "none"}; ${tiles} tiles.`,
    "",
    ...about.map(([name, value]) => `- ${cell(name)}: ${cell(value)}`),
    ...(about.length > 0 ? [""] : []),
    "| slide | state | tiles | damaged | why |",
    "|---|---|---:|---:|---|",
    ...rows.map(({ name, status, tiles, damaged, reason = "" }) =>
      `| ${cell(name)} | ${status} | ${tiles} | ${damaged} | ${cell(reason)} |`
    ),
    "",
  ];
}
