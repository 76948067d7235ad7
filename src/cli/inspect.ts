/**
 * `inspect`: what is in a file or folder.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { alignRows } from "../core/text_table.ts";
import { trimmed } from "../io/output.ts";
import { inspectPath } from "../run/inspect.ts";
import { inspectChecksums } from "../run/inspect_checksums.ts";
import type { Inspection } from "../run/inspection.ts";
import { type Args, COMMON, type Flags } from "./args.ts";
import { print, printJson } from "./terminal.ts";

/** Name of the command. */
export const name = "inspect";
/** What it does. */
export const summary =
  "say what is in a run, data folder, YAML configuration, slide, weights file, adapter, HDF5 file, zarr store or volume";
/** Its words. */
export const words = "PATH";
/** One example. */
export const example = "inspect pytorch_model.bin --limit 5";
/** Its flags. */
export const flags = {
  limit: {
    kind: "number",
    value: "N",
    help: "items of a list that are shown, 0 for all",
    default: 20,
    min: 0,
    integer: true,
  },
  tolerant: { kind: "switch", help: "read PyTorch files that hold unknown classes; none is ever run" },
  checksums: { kind: "switch", help: "compare every file of a training run with what was written" },
  json: COMMON.json,
} as const satisfies Flags;

/** Runs the command. */
export async function run(args: Args<typeof flags>): Promise<number> {
  const [path, ...rest] = args.words;
  if (path === undefined || rest.length > 0) {
    throw new ConfigError(`Cannot inspect: given ${args.words.length} paths, wanted one`, {
      hint: "deno task inspect PATH",
    });
  }
  if (args.flags.checksums) {
    const { found, whole } = inspectChecksums(trimmed(path), args.flags.limit);
    show(path, found, args.flags.json);
    return whole ? 0 : DAMAGED;
  }
  const found = await inspectPath(trimmed(path), args.flags);
  show(path, found, args.flags.json);
  return (found.failed ?? 0) > 0 ? SOME_FAILED : 0;
}

/** Exit status where some of what is listed cannot be read. */
const SOME_FAILED = 3;

/** Exit status where a file is not what was written. */
const DAMAGED = 4;

function show(path: string, found: Inspection, json: boolean): void {
  if (json) printJson({ path, ...found.json }, 2);
  else print(renderInspection(found));
}

/** An inspection as text. */
function renderInspection({ facts, listings = [] }: Inspection): string {
  const lines = alignRows(facts.filter(([, value]) => value !== ""));
  for (const { title, rows, total } of listings) {
    if (total === 0) continue;
    lines.push("", ...alignRows([title, ...rows]));
    if (rows.length < total) lines.push(`… ${total - rows.length} more (--limit 0 lists all)`);
  }
  return lines.join("\n");
}
