/**
 * Simulates publishing: the package must have no slow types, no file outside the publish list, and stay small.
 *
 * @module
 */

import { exec } from "./exec.ts";

/** Bytes the published package may have: a seventh is the demo's encoder, the rest text; the registry takes 20 MB. */
const BUDGET = 7_000_000;
const UNITS: Readonly<Record<string, number>> = { B: 1, KB: 1e3, MB: 1e6, GB: 1e9 };

if (import.meta.main) {
  const { code, output } = await exec("deno", ["publish", "--dry-run", "--allow-dirty", "--no-check=remote"], {
    quiet: true,
  });
  const sizes = [...output.matchAll(/\(([\d.]+)(B|KB|MB|GB)\)$/gm)].map((match) =>
    Number(match[1]) * UNITS[match[2]!]!
  );
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (code !== 0 || sizes.length === 0) console.error(output);
  else console.log(`publish: ${sizes.length} files, ${(total / 1e6).toFixed(2)} of ${BUDGET / 1e6} MB`);
  if (total > BUDGET) console.error("Over budget: narrow publish.include in deno.json");
  Deno.exit(code !== 0 || sizes.length === 0 || total > BUDGET ? 1 : 0);
}
