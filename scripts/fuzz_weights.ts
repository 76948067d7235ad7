/**
 * Feeds the readers of weights damaged and hostile files: each must be read right or refused with a typed error, within five
 * seconds and a gigabyte.
 *
 *     deno run -A scripts/fuzz_weights.ts [--count 10000] [--seed 1] [--only NAME] [--keep DIR]
 *
 * `--keep` writes accepted mutants with what was read, for `python tests/python/weights.py --mutants DIR` to confirm with the
 * libraries.
 *
 * @module
 */

import { fuzz, targets } from "../tests/io/fuzz.ts";

/** Seconds for one mutant, and bytes of the process. */
const MAX_SECONDS = 5, MAX_BYTES = 2 ** 29;
/** Mutants kept of each reader. */
const KEEP = 2000;

if (import.meta.main) {
  const value = (name: string) => Deno.args.includes(name) ? Deno.args[Deno.args.indexOf(name) + 1] : undefined;
  const [count, seed, only, keep] = [
    Number(value("--count") ?? 10_000),
    Number(value("--seed") ?? 1),
    value("--only"),
    value("--keep"),
  ];
  if (keep !== undefined) Deno.mkdirSync(keep, { recursive: true });
  let failed = false;
  console.log("reader            mutants    read  refused  slowest ms  more MB");
  for (const target of await targets()) {
    if (only !== undefined && target.name !== only) continue;
    const { read, refused, slowestMs, growth, accepted } = await fuzz(
      target,
      count,
      seed,
      keep === undefined ? 0 : KEEP,
    );
    const row = [count, read, refused, Math.round(slowestMs), Math.round(growth / 1e6)];
    console.log(target.name.padEnd(16) + row.map((cell, i) => String(cell).padStart([9, 8, 9, 12, 9][i]!)).join(""));
    failed ||= slowestMs > MAX_SECONDS * 1000 || growth > MAX_BYTES;
    for (const [i, { extension, bytes, path, tensors }] of keep === undefined ? [] : accepted.entries()) {
      const file = `${keep}/${target.name.replace(" ", "_")}_${i}${extension}`;
      Deno.writeFileSync(file, bytes);
      Deno.writeTextFileSync(`${file}.json`, JSON.stringify({ path, tensors }));
    }
  }
  if (failed) console.error(`Over the limits: ${MAX_SECONDS} s a mutant, ${MAX_BYTES} bytes`);
  Deno.exit(failed ? 1 : 0);
}
