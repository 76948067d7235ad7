/**
 * Maps of measured and predicted expression of held-out samples.
 *
 * @module
 */

import type { Disk } from "../io/disk.ts";
import type { ProbeResult } from "../eval/probe.ts";
import { takeRows } from "../eval/linalg/table.ts";
import type { SampleMap, Warning } from "../report/run_evidence.ts";
import { type EvidenceData, namedDonor } from "./data.ts";
import { TRUTHS } from "./probe_evidence.ts";
import { findThumbnail } from "./thumbnail.ts";

/** Maps of a run, and what is missing in them. */
export interface Maps {
  readonly maps: readonly SampleMap[];
  readonly notes: readonly Warning[];
}

/** Predictions on the scale of the measurements: a protocol without intercept gives them without the training mean. */
export function predictedValues({ predictions, model }: Pick<ProbeResult, "predictions" | "model">): Float32Array {
  const { columns, data } = predictions;
  const means = model.intercept ? undefined : model.offset;
  return Float32Array.from(data, (value, at) => value + (means?.[at % columns] ?? 0));
}

/** Maps of all genes of the panel. */
export async function mapsOf(
  data: EvidenceData,
  result: ProbeResult,
  label: string,
  disk: Pick<Disk, "look" | "open">,
): Promise<Maps> {
  const predicted = predictedValues(result);
  const { genes, normalised } = data.panel;
  const maps: SampleMap[] = [];
  const notes: Warning[] = [];
  let row = 0;
  for (const sample of data.held) {
    const { id, barcodes, spatial, files, count } = sample;
    const pairs = data.heldPairs.slice(row, row + count);
    const { thumbnail, reason, spotDiameter } = await findThumbnail(sample, disk);
    if (reason !== undefined) notes.push({ text: `The map of ${id} has no image`, reason });
    const pixel = files.metadata?.number("pixel_size_um_estimated");
    maps.push({
      sample: id,
      ...(namedDonor(sample) === undefined ? {} : { donor: namedDonor(sample)! }),
      predicted_by: `${label}’s features, linear probe ${result.model.protocol}`,
      unit: TRUTHS["log1p counts per 10,000"],
      barcodes,
      genes,
      measured: takeRows(normalised, pairs).data as Float32Array,
      predicted: predicted.slice(row * genes.length, (row + count) * genes.length),
      spatial: spatial.xy,
      ...(spotDiameter === undefined ? {} : { spot_diameter: spotDiameter }),
      ...(pixel !== undefined && pixel > 0 ? { pixel_size_um: pixel } : {}),
      ...(thumbnail === undefined ? {} : { thumbnail }),
    });
    row += count;
  }
  return { maps, notes };
}
