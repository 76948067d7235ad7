/** Damaged and hostile files of Xenium bundles, of alignments, aliases and gene sets; as `fuzz_spatial.ts`. */

import { mapPoint } from "../../src/core/affine.ts";
import assert from "node:assert/strict";
import type { Rng } from "../../src/core/rng.ts";
import { readGeneSets } from "../../src/data/cohort/gene_sets.ts";
import { readAliases } from "../../src/data/genes/aliases.ts";
import { decodeText } from "../../src/io/csv.ts";
import { fromBytes } from "../../src/io/random_access.ts";
import { openTranscripts, readCells, readExperiment, readOutlines } from "../../src/io/xenium.ts";
import { readHeAlignment } from "../../src/io/xenium_alignment.ts";
import { poolTranscripts } from "../../src/data/convert/xenium.ts";
import type { Target } from "./fuzz.ts";
import { mutate } from "./mutate.ts";

const FIXTURES = new URL("../fixtures/xenium/", import.meta.url).pathname;
const bytesOf = (path: string) => Deno.readFileSync(`${FIXTURES}${path}`);
const utf8 = (text: string) => new TextEncoder().encode(text);

/** A mutant of a Parquet file: the end, where the metadata are, suffers as much as the rest. */
function parquet(seed: Uint8Array, rng: Rng): Uint8Array {
  const cut = rng.below(2) ? Math.max(0, seed.length - 1500) : 0;
  return Uint8Array.from([...seed.subarray(0, cut), ...mutate(seed.subarray(cut), rng)]);
}

/** Tables of bundles. @param target Makes a target whose errors are checked. */
export function xeniumTarget(target: (name: string, read: (rng: Rng) => Promise<void>) => Target): Target {
  const seeds = ["1.0", "3.0"].flatMap((release) =>
    ["transcripts", "cells", "cell_boundaries", "nucleus_boundaries"].map((name) => ({
      name,
      bytes: bytesOf(`${release}/${name}.parquet`),
    }))
  );
  const alignment = readHeAlignment("2,0,0\n0,2,0\n0,0,1\n", "alignment.csv");
  return target("Xenium", async (rng) => {
    const { name, bytes } = seeds[rng.below(seeds.length)]!;
    const source = fromBytes(parquet(bytes, rng), "mutant");
    if (name === "cells") {
      const { ids, places } = await readCells(source);
      assert.ok(places.length === 2 * ids.length && places.every(Number.isFinite));
    } else if (name === "transcripts") {
      const transcripts = await openTranscripts(source);
      const image = { width: 4000, height: 4000 };
      const input = { sample: "mutant", transcripts, panel: undefined, pixelSize: 0.2125, alignment, image };
      const { barcodes, counts } = await poolTranscripts({ ...input, side: 100, quality: 20 });
      assert.equal(barcodes.length, counts.rows);
    } else {
      for await (const { ring } of readOutlines(source)) assert.ok(ring.length >= 6 && ring.every(Number.isFinite));
    }
  });
}

/** Texts of bundles and of genes. */
export function xeniumTextTarget(target: (name: string, read: (rng: Rng) => Promise<void>) => Target): Target {
  const experiment = bytesOf("3.0/experiment.xenium");
  const alignments = [bytesOf("3.0/Xenium_he_imagealignment.csv"), bytesOf("3.0/points.csv")];
  const aliases = utf8(
    "symbol\tprev_symbol\talias_symbol\tensembl_gene_id\nSEPTIN9\tMSF|SEPT9\tMSF1\tENSG00000184640\n",
  );
  const sets = utf8("HALLMARK_A\thttp://x\tEPCAM\tKRT8\nHALLMARK_B\thttp://x\tCD3E\n");
  // deno-lint-ignore require-await -- what it throws is to reject
  return target("Xenium's texts, aliases, gene sets", async (rng) => {
    const chosen = rng.below(5);
    if (chosen === 0) assert.ok(readExperiment(mutate(experiment, rng), "mutant").pixelSize > 0);
    else if (chosen <= 2) {
      const text = decodeText(mutate(alignments[chosen - 1]!, rng), "mutant");
      const { toHe, toMorphology } = readHeAlignment(text, "mutant");
      const [x, y] = mapPoint(toHe, ...mapPoint(toMorphology, 10, 20));
      assert.ok(Number.isFinite(x + y));
    } else if (chosen === 3) {
      for (const [alias, symbol] of readAliases(decodeText(mutate(aliases, rng), "mutant"), "mutant").symbols) {
        assert.ok(alias !== "" && symbol !== "");
      }
    } else {for (const { genes } of readGeneSets(decodeText(mutate(sets, rng), "mutant"), "mutant")) {
        assert.ok(genes.length > 0);
      }}
  });
}
