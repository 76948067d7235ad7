/**
 * What is in a data folder of HEST's layout: its samples, what is measured of each, and which parts are there or cannot be read.
 *
 * @module
 */

import { count } from "../core/text_table.ts";
import { samplePaths } from "../data/convert/convert_sample.ts";
import { findSamples, type SampleFiles } from "../data/data_folder.ts";
import { openAnndata } from "../io/anndata.ts";
import { disk } from "../io/fs.ts";
import { openPatches } from "../io/patches.ts";
import { isTyped } from "../io/system_error.ts";
import { first, type Inspection, type InspectOptions, type Target } from "./inspection.ts";

/** What is known of a sample. */
interface SampleRow {
  readonly id: string;
  readonly organ: string | null;
  readonly technology: string | null;
  readonly species: string | null;
  readonly patient: string | null;
  /** µm a pixel of the slide. */
  readonly pixelSize: number | null;
  readonly spots: number | null;
  readonly genes: number | null;
  readonly patches: number | null;
  /** Side of the patches, pixels. */
  readonly patchSize: number | null;
  /** Further parts that are there. */
  readonly parts: readonly string[];
  /** What cannot be read. */
  readonly problems: readonly string[];
}

/** Whether a folder has samples: `st/` of HEST-1k or `adata/` of its benchmark. */
export function isData({ names }: Target): boolean {
  return names !== undefined && (names.includes("st") || names.includes("adata"));
}

/** Looks into a data folder. */
export async function inspect({ path, names }: Target, { limit }: InspectOptions): Promise<Inspection> {
  const samples = findSamples(disk, [path]);
  const rows: SampleRow[] = [];
  for (const sample of first(samples, limit)) rows.push(await rowOf(sample));
  const text = (key: string) => tally(samples.map(({ metadata }) => metadata?.text(key)));
  const patients = new Set(
    samples.map(({ metadata }) => metadata?.text("patient")).filter((name) => name !== undefined),
  );
  const bare = samples.filter(({ patches }) => patches === undefined);
  const nameless = samples.filter(({ metadata }) => metadata === undefined);
  const beside = names!.filter((name) => /^(?:splits|.*\.csv|.*_50genes\.json|convert\.json)$/.test(name));
  const failed = rows.filter(({ problems }) => problems.length > 0).length;
  return {
    failed,
    json: {
      kind: "data",
      samples: samples.length,
      patients: patients.size,
      withoutPatches: bare.map(({ id }) => id),
      withoutMetadata: nameless.map(({ id }) => id),
      beside,
      list: rows,
    },
    facts: [
      ["folder", path],
      [
        "samples",
        `${samples.length}${patients.size > 0 ? `, ${count(patients.size, "patient")}` : ", no patient is named"}`,
      ],
      ["organs", text("organ")],
      ["technology", text("st_technology")],
      ["species", text("species")],
      ["patches", bare.length === 0 ? "" : `none of ${few(bare)}: convert patches cuts them from wsis/`],
      ["metadata", nameless.length === 0 ? "" : `none of ${few(nameless)}`],
      ["beside them", beside.join(", ")],
      ["problems", failed === 0 ? "" : `${count(failed, "sample")} with files that cannot be read`],
    ],
    listings: [{
      title: ["sample", "organ", "technology", "spots", "genes", "patches", "µm a pixel", "also", ""],
      rows: rows.map((row) => [
        row.id,
        row.organ ?? "",
        row.technology ?? "",
        String(row.spots ?? "?"),
        String(row.genes ?? "?"),
        row.patches === null ? "none" : `${row.patches} of ${row.patchSize} px`,
        row.pixelSize === null ? "?" : String(Number(row.pixelSize.toPrecision(4))),
        row.parts.join(", "),
        row.problems.join("; "),
      ]),
      total: samples.length,
    }],
  };
}

async function rowOf({ id, folder, expression, patches, metadata }: SampleFiles): Promise<SampleRow> {
  const problems: string[] = [];
  const tried = async <T>(act: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await act();
    } catch (error) {
      if (!isTyped(error)) throw error;
      problems.push((error as Error).message);
      return undefined;
    }
  };
  const table = await tried(async () => {
    using table = await openAnndata(disk, expression, ["obs", "var"]);
    return { spots: table.obs.index.length, genes: table.var.index.length };
  });
  const cut = patches === undefined ? undefined : await tried(async () => {
    const { count, width, close } = await openPatches(disk.open(patches, "read"));
    close();
    return { count, width };
  });
  const { wsi, tissue } = samplePaths(id);
  const further = [["slide", wsi], ["tissue", tissue], ["cells", `cells/${id}.h5ad`]] as const;
  const parts = further.filter(([, path]) => disk.look(`${folder}/${path}`) !== undefined).map(([name]) => name);
  const said = (key: string) => metadata?.text(key) ?? null;
  return {
    ...{ id, organ: said("organ"), technology: said("st_technology"), species: said("species") },
    ...{ patient: said("patient"), pixelSize: metadata?.number("pixel_size_um_estimated") ?? null },
    ...{ spots: table?.spots ?? null, genes: table?.genes ?? null },
    ...{ patches: cut?.count ?? null, patchSize: cut?.width ?? null, parts, problems },
  };
}

/** How many samples have each value, most first: `Breast 12, Skin 3`. */
function tally(values: readonly (string | undefined)[]): string {
  const groups = Map.groupBy(values.filter((value) => value !== undefined), (value) => value);
  const all = [...groups].map(([name, { length }]) => [name, length] as const).sort(([, a], [, b]) => b - a);
  return all.slice(0, 8).map(([name, n]) => `${name} ${n}`).join(", ") +
    (all.length > 8 ? `, ${all.length - 8} more` : "");
}

function few(samples: readonly SampleFiles[]): string {
  const names = samples.slice(0, 3).map(({ id }) => id).join(", ");
  return samples.length > 3 ? `${names} and ${samples.length - 3} more` : names;
}
