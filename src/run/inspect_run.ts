/**
 * What is in the folder of a training: method, encoder and data, how far it is, what its last numbers are, which checkpoints it
 * has and what it is used for.
 *
 * @module
 */

import { count } from "../core/text_table.ts";
import { readBytes } from "../io/disk.ts";
import { disk } from "../io/fs.ts";
import { MANIFEST } from "../io/manifest.ts";
import type { AnyMethod } from "../methods/method.ts";
import { runFacts } from "../report/evidence_schema.ts";
import { parseChecked, readMetrics } from "../report/evidence_read.ts";
import { EVIDENCE, type MetricRow, type RunFacts } from "../report/run_evidence.ts";
import type { TrainerState } from "../train/run.ts";
import { findCheckpoint } from "./checkpoints.ts";
import { first, type Inspection, type InspectOptions, type Target } from "./inspection.ts";
import { runSettings } from "./open.ts";

/** Whether a folder is that of a training. */
export function isRun({ names }: Target): boolean {
  return names !== undefined && names.includes(EVIDENCE.config) &&
    ["checkpoints", MANIFEST, EVIDENCE.metrics, EVIDENCE.facts].some((name) => names.includes(name));
}

/** Columns of the metrics that say where a row is from. */
const PLACES: ReadonlySet<string> = new Set(["step", "epoch", "stage", "split"]);

/** Looks into a run. */
export async function inspect({ path, names }: Target, { limit }: InspectOptions): Promise<Inspection> {
  const { method, config } = await runSettings(path);
  const has = (name: string) => names!.includes(name);
  const facts = has(EVIDENCE.facts)
    ? parseChecked(readBytes(disk, `${path}/${EVIDENCE.facts}`), `${path}/${EVIDENCE.facts}`, runFacts)
    : undefined;
  const rows = has(EVIDENCE.metrics)
    ? readMetrics(readBytes(disk, `${path}/${EVIDENCE.metrics}`), `${path}/${EVIDENCE.metrics}`, [])
    : [];
  const checkpoints = (["last", "best"] as const).flatMap((name) => {
    const found = findCheckpoint(path, name);
    if (found === undefined) return [];
    const { loop } = found.state as TrainerState;
    return [{ name, step: loop.step, stage: loop.stage, checked: found.checked }];
  });
  const input = config.input as { readonly encoder?: string | null; readonly data?: readonly string[] | null };
  const latest = lastOf(rows);
  const status = facts?.status ?? (checkpoints.length === 0 ? "begun, without a checkpoint" : "not finished");
  return {
    json: {
      kind: "run",
      method: method.name,
      status,
      encoder: input.encoder ?? null,
      data: input.data ?? [],
      checkpoints,
      metrics: { rows: rows.length, latest: Object.fromEntries(latest) },
      report: has(EVIDENCE.report),
      facts: facts ?? null,
    },
    facts: [
      ["run", path],
      ["method", method.name],
      ["status", `${status}${facts?.seconds === undefined ? "" : ` in ${Math.round(facts.seconds)} s`}`],
      ["encoder", encoderOf(facts, input.encoder)],
      ["adapter", adapterOf(facts)],
      ["data", dataOf(facts, input.data)],
      ["device", facts?.device?.name ?? ""],
      [
        "checkpoints",
        checkpoints.map(({ name, step, checked }) => `${name} at step ${step}${checked ? "" : " (without checksums)"}`)
          .join(", "),
      ],
      ["report", has(EVIDENCE.report) ? `${path}/${EVIDENCE.report}` : `none: deno task report ${path}`],
      ["warnings", (facts?.warnings ?? []).map(({ text }) => text).slice(0, 3).join("; ")],
      [
        "next",
        facts === undefined
          ? `deno task train --config ${path}/${EVIDENCE.config} --out ${path} goes on with it`
          : nextOf(method, path, input.encoder),
      ],
    ],
    listings: [{
      title: ["last numbers", "", "step"],
      rows: first(latest, limit).map(([name, { value, step }]) => [name, String(value), String(step)]),
      total: latest.length,
    }],
  };
}

/** The last value of every column of the metrics, by column and split. */
function lastOf(rows: readonly MetricRow[]): [string, { value: number | string; step: number }][] {
  const last = new Map<string, { value: number | string; step: number }>();
  for (const row of rows) {
    for (const [name, value] of Object.entries(row)) {
      if (PLACES.has(name) || value === null || value === undefined) continue;
      const key = row.split === undefined ? name : `${row.split} ${name}`;
      const short = typeof value === "number" ? Number(value.toPrecision(5)) : value as string;
      last.set(key, { value: short, step: row.step });
    }
  }
  return [...last];
}

function encoderOf(facts: RunFacts | undefined, given: string | null | undefined): string {
  const encoder = facts?.encoder;
  if (encoder === undefined) return given ?? "";
  const { name, parameters, random } = encoder;
  return `${name}${parameters === undefined ? "" : `, ${count(parameters, "parameter")}`}${
    random ? ", a seeded initialisation" : ""
  }`;
}

function adapterOf(facts: RunFacts | undefined): string {
  const adapter = facts?.adapter;
  if (adapter === undefined) return "";
  const { rank, alpha, blocks, parameters, path } = adapter;
  return `rank ${rank}, alpha ${alpha}${blocks === undefined ? "" : `, ${blocks}`}, ${
    count(parameters, "parameter")
  } in ${path}`;
}

function dataOf(facts: RunFacts | undefined, given: readonly string[] | null | undefined): string {
  const data = facts?.data;
  if (data === undefined) return (given ?? []).join(", ");
  const { name, samples, genes, of = "sections" } = data;
  const parts = (["train", "val", "test"] as const).flatMap((split) => {
    const own = samples.filter((sample) => sample.split === split);
    const spots = own.reduce((sum, sample) => sum + sample.spots, 0);
    return own.length === 0 ? [] : [`${own.length} ${of} to ${split} (${spots})`];
  });
  return `${name}: ${[...parts, ...(genes === undefined ? [] : [count(genes, "gene")])].join(", ")}`;
}

/** What is done with a finished run. @param encoder What its adapter goes on, if it has one. */
function nextOf(
  { trained, slides, features, volumes }: Pick<AnyMethod, "trained" | "slides" | "features" | "volumes">,
  path: string,
  encoder: string | null | undefined,
): string {
  if (trained !== undefined) {
    return `deno task predict --run ${path} --data DIR; deno task retrieve --run ${path} --data DIR`;
  }
  if (slides !== undefined) return `deno task predict --run ${path} --features DIR`;
  if (volumes !== undefined) return `deno task predict --run ${path} --volume VOLUME`;
  if (features === undefined) return "";
  const adapted = (["best", "last"] as const).find((name) => findCheckpoint(path, name)?.files["adapter_config.json"]);
  return adapted === undefined
    ? `deno task embed FEATURES --run ${path} --out OUT`
    : `deno task embed PATCHES --encoder ${encoder} --adapter ${path}/checkpoints/${adapted} --out OUT`;
}
