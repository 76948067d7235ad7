/**
 * Text tables of the command line.
 *
 * @module
 */

/** Rows with their columns aligned, two spaces apart; the last column is not padded. */
export function alignRows(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [i, cell] of row.slice(0, -1).entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  }
  return rows.map((row) =>
    row.map((cell, i) => i + 1 < row.length ? cell.padEnd(widths[i]!) : cell).join("  ").trimEnd()
  );
}

/** A count with its noun: `1 file`, `2 files`, `12,345 bytes`, `3 patches`. */
export function count(n: number, noun: string, plural: string = `${noun}s`): string {
  return `${n.toLocaleString("en-US")} ${n === 1 ? noun : plural}`;
}

/** Bytes as people read them: `812 bytes`, `1.21 GB`. */
export function formatBytes(bytes: number): string {
  for (const [unit, size] of [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]] as const) {
    if (bytes >= size) return `${(bytes / size).toFixed(2)} ${unit}`;
  }
  return count(bytes, "byte");
}
