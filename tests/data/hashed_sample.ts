import { type Expression, expression } from "../../src/data/counts.ts";
import { dense } from "../../src/data/matrix.ts";
import { mix } from "../../src/data/image/stripes.ts";

const GENES = 420;

/** The sample of `tests/python/omics.py`: raw counts with controls and a duplicate, on a hexagonal array. */
export function hashedSample(): { table: Expression; rows: number[]; columns: number[] } {
  const [rows, columns]: [number[], number[]] = [[], []];
  for (let r = 0; r < 12; r++) {
    for (let c = r % 2; c < 20; c += 2) {
      rows.push(r);
      columns.push(c);
    }
  }
  const names = Array.from({ length: GENES }, (_, j) => `Gene${j}`);
  names.splice(10, 4, "BLANK_0003", "NegControlProbe_0001", "ambiguous-1", "gene3");
  const counts = rows.flatMap((r, i) =>
    names.map((_, j) => {
      const u = mix(i * GENES + j + 1) / 2 ** 32;
      const rate = 0.05 * 2 ** (mix(j + 77) % 10) * (1 + mix(i + 991) % 4) * (j % 7 === 0 && r > 5 ? 4 : 1);
      return i === 5 ? 0 : Math.floor(rate * (u * u * u * u));
    })
  );
  const spots = rows.map((_, i) => `spot${i}`);
  return { table: expression("HASHED", spots, names, dense(rows.length, GENES, counts)), rows, columns };
}
