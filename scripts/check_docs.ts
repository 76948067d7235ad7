/**
 * Fails if anything the entry points export lacks documentation: the module itself, every symbol, and (through
 * `deno doc --lint`) every member of an exported class or interface and every type that is used but not exported.
 *
 * @module
 */

import { exec } from "./exec.ts";
import config from "../deno.json" with { type: "json" };

/** Entry points of the package, and that of the npm package for pages. */
export const ENTRIES: readonly string[] = [
  ...Object.values(config.exports).map((path) => path.slice(2)),
  "browser.ts",
];

/** The parts of `deno doc --json` that are read here. */
interface DocFile {
  module_doc?: { doc?: string };
  symbols: {
    name: string;
    declarations: { jsDoc?: { doc?: string }; location: { filename: string; line: number } }[];
  }[];
}

/** What {@linkcode undocumented} found. */
export interface DocCheck {
  symbols: number;
  /** Names with the file they are declared in. */
  missing: string[];
}

/**
 * Looks for symbols without documentation. An overloaded symbol needs it once.
 *
 * @param json Output of `deno doc --json`.
 */
export function undocumented(json: string): DocCheck {
  const missing: string[] = [];
  let symbols = 0;
  for (
    const [file, { module_doc, symbols: list }] of Object.entries(
      (JSON.parse(json) as { nodes: Record<string, DocFile> }).nodes,
    )
  ) {
    if (!module_doc?.doc?.trim()) missing.push(`@module of ${file.replace(/^.*\//, "")}`);
    for (const { name, declarations } of list) {
      symbols++;
      if (declarations.some((declaration) => declaration.jsDoc?.doc?.trim())) continue;
      const { filename, line } = declarations[0]!.location;
      missing.push(`${name} (${filename.replace(/^.*\/src\//, "src/")}:${line})`);
    }
  }
  return { symbols, missing };
}

if (import.meta.main) {
  let failed = false;
  for (const entry of ENTRIES) {
    const doc = await exec("deno", ["doc", "--json", entry], { quiet: true });
    if (doc.code !== 0) {
      console.error(doc.output);
      Deno.exit(1);
    }
    // Warnings may precede the document.
    const { symbols, missing } = undocumented(doc.output.slice(doc.output.indexOf("{")));
    for (const name of missing) console.error(`Undocumented: ${name}`);
    console.log(`${entry}: ${symbols - missing.length} of ${symbols} exported symbols documented`);
    failed ||= missing.length > 0;
  }
  // Together: a type that one entry point exports may be named by another.
  const lint = await exec("deno", ["doc", "--lint", ...ENTRIES], { quiet: true });
  if (lint.code !== 0) console.error(lint.output);
  Deno.exit(failed || lint.code !== 0 ? 1 : 0);
}
