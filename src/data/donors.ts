/**
 * Donors: which samples come from one person, as far as the catalogue says. Splits never separate such samples.
 *
 * The catalogue names about a quarter of the patients. Samples of a dataset without a name are one group, for they may be of
 * one person.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";

/** What the catalogue says of a sample. */
export interface SampleInfo {
  readonly id: string;
  /** `dataset_title`. */
  readonly dataset?: string | undefined;
  /** `patient`; blank where unknown. */
  readonly patient?: string | undefined;
}

/** Samples that must stay together. */
export interface DonorGroup {
  /** Readable name, unique among the groups. */
  readonly key: string;
  /** Identifiers, in the order given. */
  readonly samples: readonly string[];
  /** Whether all its samples name their patient. */
  readonly named: boolean;
}

/** A text without surrounding blanks; undefined where nothing is said. */
export function known(text: string | undefined): string | undefined {
  const short = text?.replace(/\s+/g, " ").trim();
  return short === undefined || /^(?:|nan|none|null|n\/?a|unknown|-)$/i.test(short) ? undefined : short;
}

/**
 * Groups samples by dataset and patient.
 *
 * @param same Pairs of samples known to be of one specimen, whatever the catalogue says; their groups become one.
 * @throws {DataError} If an identifier occurs twice.
 */
export function donorGroups(
  samples: readonly SampleInfo[],
  same: readonly (readonly [string, string])[] = [],
): DonorGroup[] {
  const parent = new Map<string, string>();
  const rootOf = (id: string): string => {
    let at = id;
    while (parent.get(at) !== at) at = parent.get(at)!;
    return at;
  };
  const unite = (a: string, b: string): void => void parent.set(rootOf(b), rootOf(a));
  const first = new Map<string, string>();
  for (const sample of samples) {
    if (parent.has(sample.id)) throw new DataError(`Cannot group samples: ${sample.id} occurs twice, once wanted`);
    parent.set(sample.id, sample.id);
    const key = keyOf(sample);
    if (first.has(key)) unite(first.get(key)!, sample.id);
    else first.set(key, sample.id);
  }
  for (const [a, b] of same) if (parent.has(a) && parent.has(b)) unite(a, b);
  const groups = Map.groupBy(samples, (sample) => rootOf(sample.id));
  return [...groups.values()].map((members) => ({
    key: [...new Set(members.map(keyOf))].join(" + "),
    samples: members.map((sample) => sample.id),
    named: members.every((sample) => known(sample.patient) !== undefined),
  }));
}

function keyOf(sample: SampleInfo): string {
  const [dataset, patient] = [known(sample.dataset)?.toLowerCase(), known(sample.patient)?.toLowerCase()];
  if (patient !== undefined) return `${dataset ?? "no dataset"} / ${patient}`;
  return dataset === undefined ? `sample ${sample.id}` : `${dataset} / unnamed`;
}
