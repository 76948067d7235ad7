/**
 * Opens the data of a run from its table of volumes.
 *
 * @module
 */

import { ConfigError, DataError } from "../../core/errors.ts";
import { sha256Of } from "../../io/checksum.ts";
import type { Host } from "../../train/host.ts";
import { type OpenVolume, openVolume } from "../../volumes/open.ts";
import { checkInside, type SectionFit } from "../../volumes/landmarks.ts";
import type { VortexConfig } from "./config.ts";
import type { VortexData, VortexPair, VortexVolume } from "./data.ts";
import { chooseGenes, detected } from "./genes.ts";
import { readPatch, windowOf } from "./sampler.ts";
import { readSection, type Section } from "./sections.ts";
import { checkSerial, laidOn } from "./serial.ts";
import { checkInterest, readVolumeTable, type SectionRow } from "./table.ts";
import { checkAlone, checkExtent, checkSlices, type Middle, middleOf } from "./volume_checks.ts";

/** The table, and which volume is of interest. */
function tableOf({ input: { volumes, voi } }: Pick<VortexConfig, "input">, { disk }: Pick<Host, "disk">) {
  if (volumes === null) {
    throw new ConfigError("Cannot train: volumes is empty, wanted the table of volumes", {
      hint: "volumes=TABLE.tsv",
      context: { key: "volumes" },
    });
  }
  const rows = readVolumeTable(disk, volumes);
  return { file: volumes, rows, voi: checkInterest(rows, voi, volumes) };
}

/** Refuses what can be told before volumes are read: the table, the patients, files, volumes' spacing. */
export async function check(config: VortexConfig, host: Host): Promise<void> {
  const { file, rows } = tableOf(config, host);
  await host.checkEncoder(config.input.encoder, config.input.adapter ?? undefined);
  for (const { expression } of rows) (await host.openFile(expression)).close?.();
  await closeAll(await openVolumes(rows, config, { disk: host.disk, table: file }));
  if (config.genes.gene_list !== null) (await host.openFile(config.genes.gene_list)).close?.();
}

async function closeAll(volumes: ReadonlyMap<string, OpenVolume>): Promise<void> {
  for (const volume of volumes.values()) await volume.close();
}

/** Volumes by name. @throws {DataError} If their channels differ. */
async function openVolumes(
  rows: readonly SectionRow[],
  config: VortexConfig,
  { disk, table }: Pick<Host, "disk"> & { readonly table: string },
): Promise<Map<string, OpenVolume>> {
  const volumes = new Map<string, OpenVolume>();
  try {
    for (const row of rows) {
      const { volume: name, path, line, spacing } = row;
      if (volumes.has(name)) continue;
      const volume = await openVolume(disk, path, { least: 1, spacing, table: `${table}, line ${line}` });
      volumes.set(name, volume);
      checkSerial(volume, row, config);
      checkSlices(volume, name, config);
      checkExtent(volume, config.patch);
      const [first] = volumes.values();
      if (first!.channels.length === volume.channels.length) continue;
      throw new DataError(
        `Cannot train on ${path}: ${volume.channels.length} channels, expected ${first!.channels.length} as in ${
          first!.name
        }`,
        { code: "volume-channels", hint: "Convert volumes to the same channels", context: { file: path, line } },
      );
    }
    return volumes;
  } catch (error) {
    await closeAll(volumes);
    throw error;
  }
}

/** Expression of all sections over the same genes. */
function expressionOf(sections: readonly Section[], genes: readonly string[], least: number) {
  const G = genes.length;
  const count = sections.reduce((sum, { barcodes }) => sum + barcodes.length, 0);
  const [x, measured] = [new Float32Array(count * G), new Float32Array(count * G)];
  const [sum, square, spots] = [new Float64Array(G), new Float64Array(G), new Float64Array(G)];
  const seen = new Map(
    [...new Set(sections.map(({ row }) => row.volume))].map((name) => [name, detected(sections, name, least)]),
  );
  let first = 0;
  for (const section of sections) {
    const at = new Map(section.genes.map((gene, g) => [gene, g]));
    genes.forEach((gene, g) => {
      const column = at.get(gene);
      if (column === undefined || !seen.get(section.row.volume)!.has(gene)) return;
      section.places.forEach((_, i) => {
        const value = section.values[i * section.genes.length + column]!;
        x[(first + i) * G + g] = value;
        measured[(first + i) * G + g] = 1;
        if (section.row.part !== "train") return;
        sum[g]! += value;
        square[g]! += value * value;
        spots[g]!++;
      });
    });
    first += section.places.length;
  }
  const mean = sum.map((value, g) => (spots[g]! > 0 ? value / spots[g]! : 0));
  const std = square.map((value, g) => spots[g]! > 0 ? Math.sqrt(Math.max(0, value / spots[g]! - mean[g]! ** 2)) : 0);
  x.forEach((value, i) => {
    const g = i % G;
    x[i] = measured[i] !== 0 && std[g]! > 1e-6 ? (value - mean[g]!) / std[g]! : 0;
  });
  return { x, measured, statistics: { mean, std } };
}

/** What is noted where genes lack spots. */
function notesOf(genes: readonly string[], sections: readonly Section[], measured: Float32Array): string[] {
  const G = genes.length;
  let first = 0;
  return sections.flatMap(({ row, places }) => {
    const lacking = genes.filter((_, g) => measured[first * G + g] === 0);
    first += places.length;
    return lacking.length === 0
      ? []
      : [`${row.expression}: ${lacking.length} of ${G} genes do not count, not measured or seen in few spots`];
  });
}

/** How well landmarks place a section. */
function placedBy({ expression, landmarks }: SectionRow, { residuals, rms }: SectionFit): string {
  const worst = Math.max(...residuals);
  return `${expression}: placed by ${residuals.length} landmarks of ${landmarks}, which it misses by ${
    rms.toFixed(2)
  } µm ` +
    `(root mean square), at most ${worst.toFixed(2)}`;
}

/**
 * Opens the data.
 *
 * @throws {DataError | FormatError} Naming file and place of what does not fit.
 */
export async function openData(config: VortexConfig, host: Host): Promise<VortexData> {
  const { file, rows, voi } = tableOf(config, host);
  const { disk, reporter, signal } = host;
  const open = await openVolumes(rows, config, { disk: host.disk, table: file });
  try {
    const sections: Section[] = [];
    for (const [i, row] of rows.entries()) {
      signal?.throwIfAborted();
      const laid = laidOn(open.get(row.volume)!, row);
      const section = await readSection(disk, row, config.genes.gene_norm as "log_norm" | "none", laid);
      checkInside(open.get(row.volume)!, section.places, section.barcodes, row.expression);
      sections.push(section);
      if (section.fit !== undefined) reporter.say(placedBy(row, section.fit));
      reporter.update("sections", i + 1, rows.length, "slides");
    }
    const names = [...open.keys()];
    const genes = chooseGenes(sections, config, voi ?? names[0]!, disk);
    const { least_spots } = config.genes;
    const expression = expressionOf(sections, genes, least_spots);
    const notes = notesOf(genes, sections, expression.measured);
    for (const note of notes) reporter.warn(note);
    const pairs = sections.flatMap(({ row, places }) =>
      places.map((place): VortexPair => ({
        ...{ volume: names.indexOf(row.volume), section: `${row.volume} ${row.expression}`, part: row.part, place },
      }))
    );
    const volumes: VortexVolume[] = [];
    for (const [name, volume] of open) {
      const patient = rows.find((row) => row.volume === name)!.patient;
      volumes.push({ name, patient, volume, window: await windowOf(volume, config.patch.window) });
    }
    const middles = await Promise.all(volumes.map(middleOf));
    checkAlone(volumes, middles, voi);
    await checkVoxels(volumes, pairs, config, host);
    const mark = await host.markFiles([file, ...new Set(rows.map(({ expression }) => expression))]);
    const seen = volumes.map((of, v) => fingerprintOf(of, middles[v]!));
    seen.push(sha256Of(sections.map(({ places }) => places.join()).join("\n")));
    return {
      ...{ volumes, voi: voi === undefined ? undefined : names.indexOf(voi), pairs, genes, ...expression, notes },
      manifest: sha256Of(genes.join("\n")),
      unit: config.genes.gene_norm === "none" ? "as given" : "log1p of counts per ten thousand",
      mark: { fingerprint: sha256Of([mark.fingerprint, ...seen].join("\n")), check: () => mark.check() },
      close: () => void closeAll(open),
    };
  } catch (error) {
    await closeAll(open);
    throw error;
  }
}

/** Reads what training will read once. @throws {DataError} If a voxel is no finite number. */
async function checkVoxels(
  volumes: readonly VortexVolume[],
  pairs: readonly VortexPair[],
  { patch }: VortexConfig,
  { reporter, signal }: Host,
): Promise<void> {
  // Two pixels see the corners of the box that a patch reads.
  const shape = { field: 2 * patch.field, side: 2, slices: patch.slices, step: patch.slice_step };
  for (const [i, { volume, place }] of pairs.entries()) {
    signal?.throwIfAborted();
    await readPatch(volumes[volume]!.volume, place, shape, volumes[volume]!.window);
    if (i % 64 === 0) reporter.update("patches", i, pairs.length, "tiles");
  }
}

/** Of a volume: its extents and its middle slice. */
function fingerprintOf({ volume: { shape, spacing, channels }, window }: VortexVolume, { hash }: Middle): string {
  return `${shape} ${spacing} ${channels} ${window} ${hash}`;
}
