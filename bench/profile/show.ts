/**
 * A profiled step for people and for Perfetto.
 *
 * @module
 */

import { alignRows } from "../../src/core/text_table.ts";
import { type Account, type DispatchRow, moduleKind, type SumRow } from "./account.ts";

/** Rows a table shows; the rest is one line. */
const SHOWN = 20;

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

function table(title: string, rows: readonly SumRow[]): string[] {
  const head = [title, "dispatches", "ms", "of sum", "GFLOP/s", "of FMA", "GB/s", "of copy"];
  const cells = rows.slice(0, SHOWN).map((row) => [
    row.name,
    String(row.dispatches),
    row.ms.toFixed(3),
    percent(row.share),
    row.gflops.toFixed(1),
    percent(row.ofFma),
    row.gbps.toFixed(2),
    percent(row.ofCopy),
  ]);
  const rest = rows.slice(SHOWN);
  if (rest.length > 0) {
    const sum = (what: "dispatches" | "ms" | "share") => rest.reduce((total, row) => total + row[what], 0);
    cells.push([`${rest.length} more`, String(sum("dispatches")), sum("ms").toFixed(3), percent(sum("share"))]);
  }
  return alignRows([head, ...cells]);
}

/** The account as text. */
export function formatAccount(name: string, account: Account): string {
  const { method, runs, stepMs, sumMs, spanMs, idle, sumByStep, total } = account;
  const how = method === "timestamps"
    ? "timestamps, a pass a dispatch"
    : "no timestamps: each dispatch alone between waits, the wait subtracted; gaps are not seen";
  return [
    name,
    `${account.dispatches.length} dispatches, quickest of ${runs} runs (${how})`,
    `step ${stepMs.toFixed(2)} ms as it is replayed; its dispatches ${sumMs.toFixed(2)} ms, ${
      percent(sumByStep)
    } of it`,
    ...(idle === null
      ? []
      : [`profiled from begin to end ${spanMs.toFixed(2)} ms, idle between dispatches ${percent(idle)}`]),
    `${(total.flops / 1e9).toFixed(2)} GFLOP at ${total.gflops.toFixed(1)} GFLOP/s, ${percent(total.ofFma)} of FMA; ` +
    `${(total.bytes / 1e9).toFixed(3)} GB at ${total.gbps.toFixed(2)} GB/s, ${percent(total.ofCopy)} of copy`,
    "",
    ...table("kernel", account.byKernel),
    "",
    ...table("op", account.byOp),
    "",
    ...table("module", account.byModule),
  ].join("\n");
}

/** An event of the trace-event format; times in microseconds. */
export interface TraceEvent {
  readonly name: string;
  readonly ph: "X" | "M";
  readonly pid: number;
  readonly tid: number;
  readonly ts?: number;
  readonly dur?: number;
  readonly cat?: string;
  readonly args: Readonly<Record<string, unknown>>;
}

/** Threads of a process: programs, modules, dispatches. */
const THREADS = ["programs", "modules", "dispatches"] as const;

/** Runs of rows of one name as events. */
function stretches(
  rows: readonly DispatchRow[],
  pid: number,
  tid: number,
  nameOf: (row: DispatchRow) => string,
): TraceEvent[] {
  const events: TraceEvent[] = [];
  for (let from = 0; from < rows.length;) {
    const name = nameOf(rows[from]!);
    let to = from + 1;
    while (to < rows.length && nameOf(rows[to]!) === name) to++;
    const part = rows.slice(from, to);
    const begin = part[0]!.span.begin;
    const end = Math.max(...part.map(({ span }) => span.end));
    events.push({
      name: name || "(none)",
      ph: "X",
      pid,
      tid,
      ts: begin * 1e3,
      dur: (end - begin) * 1e3,
      cat: THREADS[tid - 1]!,
      args: { dispatches: part.length },
    });
    from = to;
  }
  return events;
}

/** Steps as a trace that chrome://tracing and ui.perfetto.dev open; each step is a process. */
export function trace(accounts: readonly (readonly [name: string, account: Account])[]): {
  readonly displayTimeUnit: "ms";
  readonly traceEvents: readonly TraceEvent[];
} {
  const traceEvents = accounts.flatMap(([name, { dispatches }], i): TraceEvent[] => {
    const pid = i + 1;
    return [
      { name: "process_name", ph: "M", pid, tid: 0, args: { name } },
      ...THREADS.map((thread, t): TraceEvent => ({
        name: "thread_name",
        ph: "M",
        pid,
        tid: t + 1,
        args: { name: thread },
      })),
      ...stretches(dispatches, pid, 1, ({ program }) => program),
      ...stretches(dispatches, pid, 2, ({ module }) => module),
      ...dispatches.map(({ program, module, op, kernel, dims, span, flops, bytes, gflops, gbps, ofFma, ofCopy }) => ({
        name: op,
        ph: "X" as const,
        pid,
        tid: 3,
        ts: span.begin * 1e3,
        dur: (span.end - span.begin) * 1e3,
        cat: moduleKind(module),
        args: { kernel, module, program, dims, flops, bytes, gflops, gbps, ofFma, ofCopy },
      })),
    ];
  });
  return { displayTimeUnit: "ms", traceEvents };
}
