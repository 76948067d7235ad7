/**
 * Serial sections in the place of a volume: an extension, which is no VORTEX. What is measured of one section is carried over to
 * another of the same block (a copy), ridge regression on its colours, and the encoder of single slices: rows beside the model's.
 *
 * @module
 */

import { ConfigError, DataError } from "../../core/errors.ts";
import type { SectionFit } from "../../volumes/landmarks.ts";
import type { OpenVolume } from "../../volumes/open.ts";
import { placedOn } from "../../volumes/serial.ts";
import type { VortexConfig } from "./config.ts";
import type { SectionRow } from "./table.ts";

/** Refuses volumes that are not of the kind that the run is of, or do not fit its patches. */
export function checkSerial(
  { name, serial, spacing, shape }: OpenVolume,
  { patient, line }: SectionRow,
  { input, patch }: VortexConfig,
): void {
  if (input.serial !== (serial !== undefined)) {
    throw new ConfigError(
      serial === undefined
        ? `Cannot train on ${name} with serial=true: it is a volume, wanted a table of serial sections`
        : `Cannot train on ${name}: it is of serial sections, which are no continuous volume`,
      { hint: serial === undefined ? "serial=false" : "serial=true", context: { key: "serial", file: name, line } },
    );
  }
  if (serial === undefined) return;
  if (serial.patient !== patient) {
    throw new DataError(
      `Cannot train on ${name}: its sections are of patient ${serial.patient}, expected ${patient} as line ${line} of the table says`,
      {
        code: "patient-leak",
        hint: "Nothing is carried over from one patient to another: name the patient alike in both tables",
        context: { file: name, line, found: serial.patient, expected: patient },
      },
    );
  }
  if (shape[0] === 1 || Math.abs(spacing[0] / patch.slice_step - 1) < 0.01) return;
  throw new ConfigError(
    `Cannot train on ${name}: slice_step is ${patch.slice_step} µm, wanted ${spacing[0]}, as its sections are apart`,
    { hint: `slice_step=${spacing[0]}`, context: { key: "slice_step", given: patch.slice_step, wanted: spacing[0] } },
  );
}

/** Where a measured section of a stack lies; undefined of a continuous volume. */
export function laidOn({ name, serial }: OpenVolume, { z, line, landmarks }: SectionRow): SectionFit | undefined {
  if (serial === undefined) return undefined;
  const section = serial.sections.find((one) => one.z === z);
  if (section !== undefined && landmarks === undefined) return placedOn(section);
  const depths = serial.sections.map((one) => one.z).join(", ");
  throw new DataError(
    landmarks === undefined
      ? `Cannot use line ${line} of the table of volumes: ${name} has no section at z ${
        z ?? "(none given)"
      } µm, expected one of ${depths}`
      : `Cannot use line ${line} of the table of volumes: it has landmarks, expected z alone, which says which section of ${name} it is`,
    {
      code: "no-section",
      hint: "z is that of the table of serial sections, which also has the landmarks",
      context: { file: name, line, z: z ?? null },
    },
  );
}
