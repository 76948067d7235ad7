/**
 * The rows as a table with ratios.
 *
 * `dispatches` is per iteration, `waits` (for the device) per repeat.
 *
 * @module
 */

import type { Row } from "./types.ts";

const COLUMNS = ["case", "peer", "ms", "IQR", "GFLOP/s", "ratio", "max rel err", "dispatches", "waits"] as const;

/**
 * Base of the ratios of a case: our engine where it was timed, else the fastest peer.
 *
 * @returns Milliseconds, or undefined where nothing was timed.
 */
export function baseMs(rows: readonly Row[], name: string): number | undefined {
  const timed = rows.filter((row) => row.case === name && row.medianMs !== undefined);
  const engine = timed.find((row) => row.peer === "engine")?.medianMs;
  return engine ?? (timed.length > 0 ? Math.min(...timed.map((row) => row.medianMs!)) : undefined);
}

function cells(row: Row, base: number | undefined): string[] {
  if (row.medianMs === undefined) return [row.case, row.peer, row.status, "", "", "", row.reason ?? ""];
  return [
    row.case,
    row.peer,
    row.medianMs.toPrecision(4),
    row.iqrMs!.toPrecision(2),
    row.gflops!.toPrecision(3),
    base === undefined ? "" : (row.medianMs / base).toFixed(2),
    row.maxRelErr!.toExponential(1),
    String(row.dispatches),
    String(row.waits),
  ];
}

/** A fixed-width table, cases in order of first appearance. */
export function table(rows: readonly Row[]): string {
  const names = [...new Set(rows.map((row) => row.case))];
  const body = names.flatMap((name) =>
    rows.filter((row) => row.case === name).map((row) => cells(row, baseMs(rows, name)))
  );
  const lines = [[...COLUMNS], ...body];
  // The reason of a row without a time may overhang.
  const widths = COLUMNS.map((_, i) =>
    Math.max(...lines.filter((line) => line.length === COLUMNS.length || i < 3).map((line) => (line[i] ?? "").length))
  );
  return lines.map((line) =>
    line.map((cell, i) => i < 2 || line.length < COLUMNS.length ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))
      .join("  ").trimEnd()
  ).join("\n");
}
