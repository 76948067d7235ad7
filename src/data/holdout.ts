/**
 * Which samples are trained on and which are held out: named by sample or donor, or drawn by seed in whole groups of donors.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import { SAME_SPECIMEN } from "./deny_list.ts";
import { type DonorGroup, donorGroups, type SampleInfo } from "./donors.ts";
import { drawGroups, holdOut } from "./splits.ts";

/** What a sample is for. */
export type Role = "train" | "validation" | "test";

/** Samples held out; what is named and what is drawn add up. */
export interface HoldOut {
  /** Identifiers of samples. */
  readonly samples?: readonly string[] | undefined;
  /** Donors, as `patient` of the metadata or as `dataset / patient`; with all their samples. */
  readonly donors?: readonly string[] | undefined;
  /** About this share of all samples, in whole groups of donors, drawn from those not named. */
  readonly share?: number | undefined;
  /** So many whole groups of donors, drawn from those not named. */
  readonly groups?: number | undefined;
}

/** Held-out parts of a data set. */
export interface HoldOuts {
  readonly validation?: HoldOut | undefined;
  readonly test?: HoldOut | undefined;
  /** Of what is drawn; 0 by default. */
  readonly seed?: number;
}

/** Role of each sample by identifier. */
export type Roles = ReadonlyMap<string, Role>;

/**
 * Gives every sample its role. Named samples are taken as they are: whether donors are on two sides, `leakage` tells.
 *
 * @throws {ConfigError} If a name is unknown or has two roles, a share cannot be drawn, or nothing is left to train on.
 */
export function assignRoles(samples: readonly SampleInfo[], holdOuts: HoldOuts): Roles {
  const groups = donorGroups(samples, SAME_SPECIMEN);
  const roles = new Map<string, Role>();
  const parts = (["test", "validation"] as const).map((role) => ({ role, part: holdOuts[role] ?? {} }));
  for (const { role, part } of parts) {
    for (const id of [...sampleIds(samples, part), ...donorSamples(samples, groups, part)]) {
      const before = roles.get(id);
      if (before !== undefined && before !== role) {
        throw new ConfigError(`Cannot hold out ${id}: it is for ${before} and for ${role}, one of them wanted`, {
          context: { sample: id },
        });
      }
      roles.set(id, role);
    }
  }
  for (const { role, part: { share, groups: some } } of parts) {
    const free = groups.filter((group) => group.samples.every((id) => !roles.has(id)));
    if (some !== undefined) {
      for (const id of drawGroups(free, some, holdOuts.seed ?? 0)) roles.set(id, role);
      continue;
    }
    if (share === undefined) continue;
    const left = free.reduce((sum, group) => sum + group.samples.length, 0);
    const { test } = holdOut(free, share * samples.length / Math.max(1, left), holdOuts.seed ?? 0);
    for (const id of test) roles.set(id, role);
  }
  for (const { id } of samples) if (!roles.has(id)) roles.set(id, "train");
  if (![...roles.values()].includes("train")) {
    throw new ConfigError(`Cannot train: all ${samples.length} samples are held out, at least one to train on wanted`, {
      hint: "Name fewer in holdout_samples and holdout_donors, or lower holdout_fraction",
    });
  }
  return roles;
}

function sampleIds(samples: readonly SampleInfo[], { samples: ids = [] }: HoldOut): readonly string[] {
  const known = samples.map(({ id }) => id);
  for (const id of ids) if (!known.includes(id)) throw unknownName("hold out", "sample", id, known);
  return ids;
}

function donorSamples(
  samples: readonly SampleInfo[],
  groups: readonly DonorGroup[],
  { donors = [] }: HoldOut,
): string[] {
  const info = new Map(samples.map((sample) => [sample.id, sample]));
  return donors.flatMap((donor) => {
    const wanted = donor.trim().toLowerCase();
    const found = groups.filter(({ key, samples: ids }) =>
      key.toLowerCase() === wanted || ids.some((id) => info.get(id)!.patient?.trim().toLowerCase() === wanted)
    );
    if (found.length > 1) {
      throw new ConfigError(`Cannot hold out donor ${donor}: ${found.length} datasets have one, a single one wanted`, {
        hint: `Write ${found.map(({ key }) => JSON.stringify(key)).join(" or ")}`,
        context: { donor, groups: found.map(({ key }) => key) },
      });
    }
    if (found.length === 0) {
      throw unknownName(
        "hold out",
        "donor",
        donor,
        samples.flatMap(({ patient }) => patient?.trim() ? [patient.trim()] : []),
      );
    }
    return found[0]!.samples;
  });
}

/** The error for a sample or donor that is not there; its hint names those that are. */
export function unknownName(verb: string, what: string, given: string, known: readonly string[]): ConfigError {
  const names = [...new Set(known)];
  const near = nearest(given, names);
  const list = `They have ${names.slice(0, 8).join(", ") || "no names"}${names.length > 8 ? ", …" : ""}`;
  return new ConfigError(`Cannot ${verb} ${what} ${given}: the folders have none, one of ${names.length} wanted`, {
    code: "unknown-name",
    hint: near === undefined || names.length <= 8 ? list : `Perhaps ${near}; ${list.replace("They", "they")}`,
    context: { given, known: names.slice(0, 100), ...(near !== undefined && { nearest: near }) },
  });
}
