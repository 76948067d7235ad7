/** Cohorts as files: features of slides that tell classes, risks and a score apart, and the tables that go with them. */

import { Rng } from "../../src/core/rng.ts";
import { writeFeatures } from "../../src/embed/formats.ts";
import { disk } from "../../src/io/fs.ts";

/** What is written. */
export interface CohortWorld {
  readonly cases?: number;
  readonly tiles?: number;
  readonly dim?: number;
  /** How far the classes are apart, in deviations of a slide's mean. */
  readonly signal?: number;
  readonly encoder?: string;
  readonly seed?: number;
}

/** Case names; every third has two slides. */
export function slidesOf(at: number): string[] {
  const name = `case${String(at).padStart(3, "0")}`;
  return at % 3 === 0 ? [`${name}_a`, `${name}_b`] : [`${name}_a`];
}

/** Class, risk and time of a case. */
export function caseFacts(at: number): { label: number; score: number; days: number; event: number; site: string } {
  const rng = new Rng(11, at);
  const label = at % 2;
  const score = label + 0.3 * rng.normal();
  return {
    label,
    score,
    days: Math.max(1, Math.round(100 * Math.exp(-1.5 * score) * (0.5 + rng.uniform()))),
    event: rng.uniform() < 0.8 ? 1 : 0,
    site: `site${Math.floor(at / 4)}`,
  };
}

/** Writes a feature file a slide. */
export async function writeSlides(folder: string, world: CohortWorld = {}): Promise<void> {
  const { cases = 30, tiles = 8, dim = 6, signal = 2, encoder = "made", seed = 1 } = world;
  Deno.mkdirSync(folder, { recursive: true });
  for (let at = 0; at < cases; at++) {
    const { score } = caseFacts(at);
    for (const slide of slidesOf(at)) {
      const rng = new Rng(seed, [...slide].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0) | 0, 7));
      const shift = Float64Array.from({ length: dim }, (_, j) => (j === 0 ? signal * score : 0) + rng.normal());
      const rows = Float32Array.from({ length: tiles * dim }, (_, k) => shift[k % dim]! + rng.normal());
      await writeFeatures(
        disk,
        `${folder}/${slide}.h5`,
        "h5",
        { count: tiles, dim, attributes: { encoder }, coords: new Int32Array(2 * tiles) },
        (from, to) => rows.slice(from * dim, to * dim),
      );
    }
  }
}

/** Table of the slides without folds. */
export function cohortTable(cases = 30): string {
  const lines = Array.from({ length: cases }, (_, at) => {
    const { label, score, days, event, site } = caseFacts(at);
    return slidesOf(at).map((slide) =>
      [slide.slice(0, -2), slide, label, score.toFixed(4), 0, event, days, site].join("\t")
    ).join("\n");
  });
  return ["case_id\tslide_id\tHER2\tscore\tOS\tOS_event\tOS_days\tsite", ...lines, ""].join("\n");
}

if (import.meta.main) {
  const [folder, cases, tiles, dim] = Deno.args;
  if (folder === undefined) throw new Error("Name a folder");
  const world = { cases: Number(cases ?? 30), tiles: Number(tiles ?? 8), dim: Number(dim ?? 6) };
  await writeSlides(`${folder}/strong`, { ...world, signal: 2 });
  await writeSlides(`${folder}/weak`, { ...world, signal: 0.5, seed: 2, encoder: "other" });
  await Deno.writeTextFile(`${folder}/labels.tsv`, cohortTable(world.cases));
}
