/** A world as files: a feature file a slide with coordinates, and the table of labels with a fold. */

import { Rng } from "../../../src/core/rng.ts";
import { writeFeatures } from "../../../src/embed/formats.ts";
import { disk } from "../../../src/io/fs.ts";
import { makeWorld, WORLD, type World } from "./world.ts";

/** What is written. */
export interface WorldFiles {
  readonly seed: number;
  /** The world of the seed, where it was made before, with as many bags to test on or more. */
  readonly world?: World;
  /** Bags to train on, the first of the world; all by default. */
  readonly train?: number | undefined;
  /** Bags to test on; as many as a world has to train on by default. */
  readonly test?: number;
  /** Whether the labels of the training part are shuffled. */
  readonly shuffled?: boolean;
  /** Where the table goes; `labels.tsv` of the folder by default. */
  readonly labels?: string;
  /** Writes the table alone. */
  readonly tableOnly?: boolean;
}

/** Row of a tile by its place. */
export function rowAt({ x, y }: { readonly x: number; readonly y: number }): number {
  return x / 512 + 20 * (y / 512);
}

/** Rows of the table; slides are `train_007` and `test_012`, each of a case of its own. */
export interface WorldPaths {
  readonly features: string;
  readonly labels: string;
}

/** Writes it into a folder that is there. */
export async function writeWorld(
  folder: string,
  given: WorldFiles,
): Promise<WorldPaths> {
  const {
    seed,
    train = WORLD.bags,
    test = WORLD.bags,
    shuffled = false,
    labels = `${folder}/labels.tsv`,
    tableOnly = false,
  } = given;
  const world = given.world ?? makeWorld(seed, test);
  const { bags, dim, rows } = WORLD;
  const order = shuffled ? new Rng(seed, 77).permutation(bags) : Uint32Array.from({ length: bags }, (_, i) => i);
  const lines = ["slide_id\tcase_id\tlabel\tfold_0"];
  Deno.mkdirSync(`${folder}/features`, { recursive: true });
  const coords = Int32Array.from({ length: 2 * rows }, (_, k) => 512 * (k % 2 ? Math.floor(k / 40) : (k >> 1) % 20));
  for (const [part, count] of [["train", train], ["test", test]] as const) {
    for (let i = 0; i < count; i++) {
      const name = `${part}_${String(i).padStart(3, "0")}`;
      const label = world[part][part === "train" ? order[i]! : i]!.label;
      lines.push(`${name}\tcase_${name}\t${label ? "positive" : "negative"}\t${part}`);
      if (tableOnly) continue;
      const table = { count: rows, dim, attributes: { encoder: "world" }, coords };
      const { x } = world[part][i]!;
      await writeFeatures(disk, `${folder}/features/${name}.h5`, "h5", table, (from, to) => {
        return x.slice(from * dim, to * dim);
      });
    }
  }
  disk.write(labels, lines.join("\n") + "\n");
  return { features: `${folder}/features`, labels };
}

if (import.meta.main) {
  const [folder, seed = "0"] = Deno.args;
  if (folder === undefined) throw new Error("Name a folder");
  await writeWorld(folder, { seed: Number(seed) });
}
