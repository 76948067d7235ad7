/**
 * The table of volumes: a measured section a line.
 *
 * | column | is |
 * |---|---|
 * | `volume` | name of the volume; lines of one name are sections of one |
 * | `path` | the volume, any format that is read; from the table's folder where it is no whole path |
 * | `patient` | whose it is |
 * | `expression` | `.h5ad` with counts in X and places of spots in obsm/spatial: x, y, z in µm of the volume, or x, y in µm within the section |
 * | `z` | depth of the section, µm, where places have no z; of serial sections which of them it is, and places are in pixels of its picture |
 * | `landmarks` | instead of z, where the section lies by landmarks (`src/volumes/landmarks.ts`): places are x, y in µm of the section |
 * | `spacing` | µm between voxels, Z,Y,X, where the volume's file does not say |
 * | `part` | `train` (also where it is empty) or `test`, which the volume of interest is judged on |
 *
 * @module
 */

import { DataError } from "../../core/errors.ts";
import { FoldTable } from "../../data/cohort/cohort_table.ts";
import { decodeText } from "../../io/csv.ts";
import { type Disk, readBytes } from "../../io/disk.ts";
import { besides, parentOf } from "../../io/output.ts";
import type { Zyx } from "../../volumes/volume.ts";

/** A section. */
export interface SectionRow {
  readonly volume: string;
  readonly path: string;
  readonly patient: string;
  readonly expression: string;
  /** µm. */
  readonly z: number | undefined;
  readonly part: "train" | "test";
  /** Path of its landmarks. */
  readonly landmarks?: string | undefined;
  /** µm along z, y, x, of the volume. */
  readonly spacing?: Zyx | undefined;
  readonly line: number;
}

const WANTED = ["volume", "path", "patient", "expression"] as const;
const KNOWN: readonly string[] = [...WANTED, "z", "part", "landmarks", "spacing"];

/**
 * Reads the table.
 *
 * @throws {FormatError | DataError} Naming the line that is broken.
 */
export function readVolumeTable(disk: Disk, file: string): SectionRow[] {
  const table = new FoldTable(decodeText(readBytes(disk, file), file), file, "the table of volumes");
  const { header } = table;
  const missing = WANTED.find((name) => !header.includes(name));
  const strange = header.find((name) => !KNOWN.includes(name));
  if (missing !== undefined || strange !== undefined) {
    const found = missing !== undefined ? `has no column ${missing}` : `has a column ${JSON.stringify(strange)}`;
    table.fail(1, found, `${KNOWN.join(", ")}, the last four where they are needed`);
  }
  const folder = parentOf(file);
  const whole = (path: string) => besides(folder, path);
  const rows = Array.from(table.records(), ({ line, fields }): SectionRow => {
    const of = (name: string) => fields[header.indexOf(name)] ?? "";
    for (const name of WANTED) if (of(name) === "") table.fail(line, `has no ${name}`, "one");
    const [part, depth] = [of("part") || "train", of("z")];
    if (part !== "train" && part !== "test") table.fail(line, `has part ${JSON.stringify(part)}`, "train or test");
    const z = depth === "" ? undefined : Number(depth);
    if (z !== undefined && !Number.isFinite(z)) table.fail(line, `has z ${JSON.stringify(depth)}`, "µm");
    const landmarks = of("landmarks") === "" ? undefined : whole(of("landmarks"));
    if (landmarks !== undefined && z !== undefined) table.fail(line, "has z and landmarks", "one of them");
    const spacing = of("spacing") === "" ? undefined : of("spacing").split(/[ ,]+/).map(Number);
    if (spacing !== undefined && !(spacing.length === 3 && spacing.every((um) => um > 0 && um < Infinity))) {
      table.fail(line, `has spacing ${JSON.stringify(of("spacing"))}`, "µm along z, y, x");
    }
    const [path, expression] = [whole(of("path")), whole(of("expression"))];
    return {
      ...{ volume: of("volume"), path, patient: of("patient"), expression, z, part: part as "train" | "test", line },
      ...{ landmarks, spacing: spacing as Zyx | undefined },
    };
  });
  if (rows.length === 0) table.fail(1, "is all there is", "a line a section");
  for (const row of rows) {
    const first = rows.find(({ volume }) => volume === row.volume)!;
    for (const key of ["path", "patient", "spacing"] as const) {
      if (String(first[key]) === String(row[key])) continue;
      table.fail(row.line, `has ${key} ${row[key]} of volume ${row.volume}`, `${first[key]} as in line ${first.line}`);
    }
    // Trained on twice, or judged by what it was trained on.
    const { expression, volume, z } = row;
    const again = rows.find((one) => one.volume === volume && one.expression === expression && one.z === z)!;
    if (again === row) continue;
    const once = `each section once, it is in line ${again.line}`;
    table.fail(row.line, `has expression ${expression} of volume ${volume}`, once);
  }
  return rows;
}

/**
 * Which volume is of interest.
 *
 * @returns Its name; undefined without one.
 * @throws {DataError} If the table has none of that name, none of its sections trains, or its patient has another volume there.
 */
export function checkInterest(rows: readonly SectionRow[], voi: string | null, file: string): string | undefined {
  if (voi === null) return undefined;
  const own = rows.filter(({ volume }) => volume === voi);
  const fail = (code: string, found: string, expected: string, hint: string) =>
    new DataError(`Cannot train on the volume of interest ${voi}: ${found}, expected ${expected}`, {
      code,
      hint,
      context: { file, found, expected },
    });
  if (own.length === 0) {
    const names = [...new Set(rows.map(({ volume }) => volume))].slice(0, 8).join(", ");
    throw fail("volume-unknown", `${file} has none of that name`, `one of ${names}`, "voi=NAME");
  }
  if (!own.some(({ part }) => part === "train")) {
    throw fail("no-section", "none of its sections trains", "one at least", "Set part to train");
  }
  const other = rows.find(({ volume, patient }) => volume !== voi && patient === own[0]!.patient);
  if (other) {
    throw fail(
      "patient-leak",
      `volume ${other.volume} of the same patient ${other.patient} would be trained on before (line ${other.line})`,
      "volumes of other patients",
      "Take its lines out of the table: what is learned of a patient is no test of what is known of others",
    );
  }
  return voi;
}
