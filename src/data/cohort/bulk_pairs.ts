/**
 * Slides and bulk samples by patient. Barcodes of TCGA are cut to their patient, `TCGA-XX-XXXX`; other names are the patient's
 * own, or a table says whose slide it is. Samples of normal tissue (types 10 to 19) take no part; of several samples of a patient
 * the first by name does, primary tumours (01) before others. What is left out is told.
 *
 * @module
 */

import { DataError } from "../../core/errors.ts";
import type { BulkExpression, BulkSample } from "./bulk.ts";
import { shortList } from "./cohort_table.ts";

const BARCODE = /^(TCGA-[A-Z0-9]{2}-[A-Z0-9]{4})(?:-(\d{2})[A-Z]?(?=[-.]|$))?/i;

/** Patient of a slide or sample. */
export function patientOf(name: string): string {
  return BARCODE.exec(name)?.[1]?.toUpperCase() ?? name;
}

/** Type of a TCGA sample: 1 a primary tumour, 11 normal tissue; undefined where the name does not tell. */
export function sampleType(name: string): number | undefined {
  const type = BARCODE.exec(name)?.[2];
  return type === undefined ? undefined : Number(type);
}

/** A patient with both. */
export interface BulkPatient {
  readonly patient: string;
  readonly slides: readonly string[];
  readonly sample: BulkSample;
}

/** What was paired, and what was not. */
export interface BulkPairs {
  readonly patients: readonly BulkPatient[];
  /** Samples in whose place another of the patient was taken. */
  readonly duplicates: readonly { readonly patient: string; readonly taken: string; readonly left: string }[];
  /** Samples of normal tissue. */
  readonly normal: readonly string[];
  readonly slidesWithoutRna: readonly string[];
  readonly patientsWithoutSlide: readonly string[];
}

/** Patients of slides, by a table. */
export interface SlideOwners {
  readonly file: string;
  readonly of: ReadonlyMap<string, string>;
}

/** Refuses slides that a table does not name. */
function checkListed(slides: readonly string[], { file, of }: SlideOwners): void {
  const absent = slides.filter((slide) => !of.has(slide));
  if (absent.length === 0) return;
  throw new DataError(
    `Cannot pair slides: ${shortList(absent, 5)} not in the table of slides ${file}, expected every slide`,
    {
      code: "bulk-slides",
      hint: "Give it a line a slide, or take the others' features out of the folder",
      context: { file, slides: absent.slice(0, 100) },
    },
  );
}

/**
 * Pairs slides and samples.
 *
 * @param owner Patients of slides by a table, where there is one; every slide must stand in it then.
 * @throws {DataError} If fewer than two patients have both, or a slide is not in the table.
 */
export function pairBulk(
  slides: readonly string[],
  { samples }: Pick<BulkExpression, "samples">,
  owner?: SlideOwners,
): BulkPairs {
  if (owner !== undefined) checkListed(slides, owner);
  const normal = samples.filter(({ name }) => {
    const type = sampleType(name);
    return type !== undefined && type >= 10 && type < 20;
  });
  const tumour = samples.filter((sample) => !normal.includes(sample));
  const order = [...tumour].sort((a, b) =>
    (sampleType(a.name) ?? 0) - (sampleType(b.name) ?? 0) || (a.name < b.name ? -1 : 1)
  );
  const taken = new Map<string, BulkSample>();
  const duplicates: { patient: string; taken: string; left: string }[] = [];
  for (const sample of order) {
    const patient = patientOf(sample.name);
    const before = taken.get(patient);
    if (before) duplicates.push({ patient, taken: before.name, left: sample.name });
    else taken.set(patient, sample);
  }
  const bySlide = Map.groupBy(slides, (slide) => owner?.of.get(slide) ?? patientOf(slide));
  const patients = [...bySlide].flatMap(([patient, own]): BulkPatient[] => {
    const sample = taken.get(patient);
    return sample ? [{ patient, slides: own, sample }] : [];
  }).sort((a, b) => (a.patient < b.patient ? -1 : 1));
  if (patients.length < 2) {
    throw new DataError(
      `Cannot pair slides and bulk expression: ${patients.length} of ${bySlide.size} patients with slides and ` +
        `${taken.size} with RNA${
          normal.length > 0 ? ` (${normal.length} samples are of normal tissue)` : ""
        } have both, expected two or more`,
      {
        code: "bulk-pairs",
        hint: `Slides are like ${shortList(slides, 2)}, samples like ${
          shortList(samples.map(({ name }) => name), 2)
        }; ` +
          "slides=TABLE names whose slide each is",
        context: { found: patients.length },
      },
    );
  }
  return {
    patients,
    duplicates,
    normal: normal.map(({ name }) => name),
    slidesWithoutRna: [...bySlide].flatMap(([patient, own]) => (taken.has(patient) ? [] : own)),
    patientsWithoutSlide: [...taken.keys()].filter((patient) => !bySlide.has(patient)),
  };
}

/** What was left out, in sentences. */
export function pairNotes(pairs: BulkPairs): string[] {
  const { duplicates, normal, slidesWithoutRna, patientsWithoutSlide } = pairs;
  const told = (n: number, what: string, names: readonly string[]) =>
    n === 0 ? [] : [`${n} ${n === 1 ? what.replace("s ", " ") : what}: ${shortList(names, 5)}`];
  return [
    ...told(
      duplicates.length,
      "samples left out where the patient has another",
      duplicates.map(({ left, taken }) => `${left} (${taken})`),
    ),
    ...told(normal.length, "samples of normal tissue left out", normal),
    ...told(slidesWithoutRna.length, "slides without RNA", slidesWithoutRna),
    ...told(patientsWithoutSlide.length, "patients with RNA but without slide", patientsWithoutSlide),
  ];
}
