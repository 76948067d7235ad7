/**
 * Feeds the readers of spatial data damaged files: each must be read or refused with a typed error that names file, place, what
 * was found and what was expected, within five seconds of a processor and a gigabyte
 * (HDF5's memory grows and never shrinks); a conversion that is refused leaves nothing behind.
 *
 *     deno run -A scripts/fuzz_spatial.ts [--count 10000] [--seed 1] [--only NAME]
 *
 * @module
 */

import { fuzz } from "../tests/io/fuzz.ts";
import { spatialTargets } from "../tests/io/fuzz_spatial.ts";

/** Seconds of a processor for one mutant, and bytes of the process. */
const MAX_SECONDS = 5, MAX_BYTES = 2 ** 30;

if (import.meta.main) {
  const value = (name: string) => Deno.args.includes(name) ? Deno.args[Deno.args.indexOf(name) + 1] : undefined;
  const [count, seed, only] = [Number(value("--count") ?? 10_000), Number(value("--seed") ?? 1), value("--only")];
  let failed = false;
  console.log("reader            mutants    read  refused  slowest ms  more MB");
  for (const target of spatialTargets()) {
    if (only !== undefined && target.name !== only) continue;
    try {
      const { read, refused, slowestMs, growth } = await fuzz(target, count, seed);
      const row = [count, read, refused, Math.round(slowestMs), Math.round(growth / 1e6)];
      console.log(target.name.padEnd(16) + row.map((cell, i) => String(cell).padStart([9, 8, 9, 12, 9][i]!)).join(""));
      failed ||= slowestMs > MAX_SECONDS * 1000 || growth > MAX_BYTES;
    } catch (error) {
      console.log(`${target.name}: ${(error as Error).message}`);
      failed = true;
    }
  }
  if (failed) console.error(`Failed, or over the limits: ${MAX_SECONDS} s a mutant, ${MAX_BYTES} bytes`);
  Deno.exit(failed ? 1 : 0);
}
