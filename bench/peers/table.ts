/**
 * The rows as a table with ratios.
 *
 * `dispatches` is per iteration, `waits` (for the device) per repeat.
 *
 * @module
 */

import type { Memory, Row } from "./types.ts";

const COLUMNS = [
  ...[
    "case",
    "peer",
    "ms",
    "IQR",
    "ratio",
    "CPU ms",
    "CPU ratio",
    "GFLOP/s",
    "max rel err",
    "dispatches",
    "waits",
    "peak MiB",
  ],
] as const;

/**
 * Base of the ratios of a case: our engine where it was timed, else the fastest peer.
 *
 * @returns Milliseconds, or undefined where nothing was timed.
 */
export function baseMs(
  rows: readonly Row[],
  name: string,
  of: "medianMs" | "cpuMs" = "medianMs",
): number | undefined {
  const timed = rows.filter((row) => row.case === name && row[of] !== undefined);
  const engine = timed.find((row) => row.peer === "engine")?.[of];
  return engine ?? (timed.length > 0 ? Math.min(...timed.map((row) => row[of]!)) : undefined);
}

const MIB = 2 ** 20;

function cells(row: Row, base: number | undefined, baseCpu: number | undefined): string[] {
  const { medianMs, cpuMs, gflops, peakBytes } = row;
  if (medianMs === undefined) return [row.case, row.peer, row.status, row.reason ?? ""];
  return [
    row.case,
    row.peer,
    medianMs.toPrecision(4),
    row.iqrMs!.toPrecision(2),
    base === undefined ? "" : (medianMs / base).toFixed(2),
    cpuMs?.toPrecision(4) ?? "",
    cpuMs === undefined || baseCpu === undefined ? "" : (cpuMs / baseCpu).toFixed(2),
    gflops?.toPrecision(3) ?? "",
    row.maxRelErr!.toExponential(1),
    String(row.dispatches ?? ""),
    String(row.waits ?? ""),
    peakBytes === undefined ? "" : (peakBytes / MIB).toFixed(0),
  ];
}

/** Memory by stage beside the plan's own number. */
export function memoryText(row: Row, { loading, loaded, running, kept, plan }: Memory): string {
  const mib = (bytes: number): string => `${(bytes / MIB).toFixed(0)} MiB`;
  const beside = (bytes: number): string => `${mib(bytes)} (${(100 * bytes / plan).toFixed(0)} % of it)`;
  return [
    `${row.case}, ${row.peer}: the plan says ${mib(plan)}; beyond an open device the process held`,
    `  ${beside(loading)} at most while weights were read, ${mib(loaded)} with them on the device,`,
    `  ${beside(running)} at most from then to the first embedding, ${beside(kept)} after it`,
  ].join("\n");
}

/** A fixed-width table, cases in order of first appearance. */
export function table(rows: readonly Row[]): string {
  const names = [...new Set(rows.map((row) => row.case))];
  const body = names.flatMap((name) =>
    rows.filter((row) => row.case === name).map((row) => cells(row, baseMs(rows, name), baseMs(rows, name, "cpuMs")))
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
