/**
 * Joins the engine's bench records with those of `tests/python/torch_bench.py` into one table of ratios.
 *
 * ```sh
 * deno run -A bench/gpu_table.ts --engine engine.jsonl --torch torch.jsonl --meta '{"adapter":"..."}' --out gpu.jsonl
 * ```
 *
 * An engine record is a line with `case` (`matmul_nt 512x512x512 f32`; the last word is the precision, f32 when left
 * out), `medianMs` and perhaps `gflops`; other fields are ignored. A later line replaces an earlier one of the same case.
 * A ratio is engine time by PyTorch time: 2 means that the engine takes twice as long. `--out` receives one JSON line
 * per case, with `--meta` in each.
 *
 * @module
 */

const PRECISIONS = ["f32", "tf32", "bf16"] as const;
type Precision = typeof PRECISIONS[number];

/** Times of one case, in milliseconds. */
export interface JoinedCase {
  /** Name and shape without precision. */
  case: string;
  /** Engine time by engine precision. */
  engineMs: Record<string, number>;
  /** Engine GFLOP/s at its first precision, when known. */
  engineGflops?: number;
  /** PyTorch time by precision. */
  torchMs: Partial<Record<Precision, number>>;
  /** Engine f32 time (its first precision when there is no f32) by PyTorch time. */
  ratio: Partial<Record<Precision, number>>;
}

interface BenchRow {
  case?: unknown;
  precision?: unknown;
  medianMs?: unknown;
  gflops?: unknown;
}

/** Parses JSON lines; skips lines that are not objects with a case and a median. */
export function parseRows(text: string): { name: string; precision: string; medianMs: number; gflops?: number }[] {
  const rows = [];
  for (const line of text.split("\n")) {
    let row: BenchRow;
    try {
      row = JSON.parse(line) ?? {};
    } catch {
      continue; // a run that was interrupted leaves half a line
    }
    if (typeof row.case !== "string" || typeof row.medianMs !== "number") continue;
    const [, name, suffix] = /^(.*?)(?: (f32|f16|bf16|tf32))?$/.exec(row.case)!;
    rows.push({
      name: name!,
      precision: suffix ?? (typeof row.precision === "string" ? row.precision : "f32"),
      medianMs: row.medianMs,
      ...(typeof row.gflops === "number" ? { gflops: row.gflops } : {}),
    });
  }
  return rows;
}

/** Joins both sides by case, in PyTorch's order, then the cases only the engine has. */
export function join(engineText: string, torchText: string): JoinedCase[] {
  const cases = new Map<string, JoinedCase>();
  const entry = (name: string): JoinedCase => {
    const found = cases.get(name) ?? { case: name, engineMs: {}, torchMs: {}, ratio: {} };
    cases.set(name, found);
    return found;
  };
  for (const row of parseRows(torchText)) entry(row.name).torchMs[row.precision as Precision] = row.medianMs;
  for (const row of parseRows(engineText)) {
    const found = entry(row.name);
    if (row.gflops !== undefined && (row.precision === "f32" || found.engineGflops === undefined)) {
      found.engineGflops = row.gflops;
    }
    found.engineMs[row.precision] = row.medianMs;
  }
  for (const found of cases.values()) {
    const engine = found.engineMs["f32"] ?? Object.values(found.engineMs)[0];
    if (engine === undefined) continue;
    for (const precision of PRECISIONS) {
      const torch = found.torchMs[precision];
      if (torch !== undefined) found.ratio[precision] = engine / torch;
    }
  }
  return [...cases.values()];
}

/** Formats the joined cases as a plain-text table. */
export function formatTable(cases: readonly JoinedCase[]): string {
  const ms = (value: number | undefined): string => value === undefined ? "-" : value.toPrecision(4);
  const times = (value: number | undefined): string => value === undefined ? "-" : `${value.toFixed(2)}x`;
  const head = [
    "case",
    "engine ms",
    "GFLOP/s",
    ...PRECISIONS.map((p) => `torch ${p} ms`),
    ...PRECISIONS.map((p) => `/ ${p}`),
  ];
  const body = cases.map((c) => [
    c.case,
    ms(c.engineMs["f32"] ?? Object.values(c.engineMs)[0]),
    c.engineGflops?.toFixed(0) ?? "-",
    ...PRECISIONS.map((p) => ms(c.torchMs[p])),
    ...PRECISIONS.map((p) => times(c.ratio[p])),
  ]);
  const widths = head.map((_, i) => Math.max(...[head, ...body].map((row) => row[i]!.length)));
  return [head, ...body].map((row) =>
    row.map((cell, i) => i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)).join("  ").trimEnd()
  ).join("\n");
}

function main(args: readonly string[]): void {
  const option = (name: string): string | undefined => {
    const at = args.indexOf(`--${name}`);
    return at < 0 ? undefined : args[at + 1];
  };
  const read = (path: string | undefined): string => path === undefined ? "" : Deno.readTextFileSync(path);
  const cases = join(read(option("engine")), read(option("torch")));
  const out = option("out");
  if (out !== undefined) {
    const meta = JSON.parse(option("meta") ?? "{}");
    const date = new Date().toISOString();
    for (const row of cases) {
      Deno.writeTextFileSync(out, JSON.stringify({ date, ...meta, ...row }) + "\n", { append: true });
    }
  }
  console.log(cases.length === 0 ? "No bench records" : formatTable(cases));
}

if (import.meta.main) main(Deno.args);
