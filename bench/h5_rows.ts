/**
 * Milliseconds to read one patch of an HDF5 file, in an order that is not the file's: as patches are read, by the library
 * alone, and by h5py in the same run. A warm file cache is meant: each way reads all rows once before.
 *
 *     deno run -A --no-check bench/h5_rows.ts make FILE PYTHON      # 600 patches of 224x224 in chunks of one, and contiguous
 *     deno run -A --no-check bench/h5_rows.ts time FILE PYTHON [--record]
 *
 * @module
 */

import { disk } from "../src/io/fs.ts";
import { H5File } from "../src/io/hdf5/h5.ts";
import { rowReader } from "../src/io/hdf5/h5_rows.ts";
import { origin, quantile } from "./harness.ts";

const ROUNDS = 9;
/** Rows of a round are this far apart; the number of rows must not divide by it. */
const STEP = 271;

const MAKE = `
import sys, h5py, numpy as np
a = np.random.default_rng(0).integers(0, 256, (600, 224, 224, 3), dtype=np.uint8)
with h5py.File(sys.argv[1], "w") as f:
    f["contiguous"] = a
    f.create_dataset("chunked", data=a, chunks=(1, 224, 224, 3), maxshape=(None, 224, 224, 3))
`;
const TIME = `
import sys, time, h5py
with h5py.File(sys.argv[1]) as f:
    d, out = f[sys.argv[2]], []
    for _ in range(${ROUNDS} + 1):
        start = time.perf_counter()
        for i in range(len(d)):
            d[i * ${STEP} % len(d)]
        out.append((time.perf_counter() - start) * 1000 / len(d))
print(sorted(out[1:])[${ROUNDS} // 2])
`;

async function python(command: string, ...args: string[]): Promise<string> {
  const { code, stdout } = await new Deno.Command(command, { args: ["-c", ...args], stderr: "inherit" }).output();
  if (code !== 0) throw new Error("Python fails, see above");
  return new TextDecoder().decode(stdout).trim();
}

function milliseconds(count: number, read: (row: number) => unknown): number {
  const times: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const start = performance.now();
    for (let i = 0; i < count; i++) read(i * STEP % count);
    if (round > 0) times.push((performance.now() - start) / count);
  }
  return quantile(times.sort((a, b) => a - b), 0.5);
}

if (import.meta.main) {
  const [what, path, command] = Deno.args;
  if (path === undefined || command === undefined) throw new Error("Pass make or time, a file, and a Python with h5py");
  if (what === "make") await python(command, MAKE, path);
  else {
    const source = await origin();
    using file = await H5File.open(disk.open(path, "read"));
    for (const name of file.keys()) {
      const count = file.info(name).shape![0]!;
      const read = rowReader(file, name);
      const row = {
        case: `a row of ${name}, ${file.info(name).shape!.slice(1).join("x")}`,
        rowMs: milliseconds(count, (i) => read(i, i + 1)),
        libraryMs: milliseconds(count, (i) => file.read(name, i, i + 1)),
        h5pyMs: Number(await python(command, TIME, path, name)),
      };
      console.log(row);
      if (!Deno.args.includes("--record")) continue;
      const line = JSON.stringify({ ...row, rounds: ROUNDS, ...source });
      Deno.writeTextFileSync(new URL("results/h5_rows.jsonl", import.meta.url), line + "\n", { append: true });
    }
  }
}
