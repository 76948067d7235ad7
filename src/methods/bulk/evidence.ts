/**
 * What a finished run leaves for its report: linear probes on the mean of each patient's tiles, before and after, on patients that
 * took no part.
 *
 * @module
 */

import { fixed, signed } from "../../core/fixed.ts";
import { Rng, streamOf } from "../../core/rng.ts";
import { alignRows } from "../../core/text_table.ts";
import { percentile } from "../../eval/linalg/statistics.ts";
import { LEAST_UNITS, noInterval } from "../../eval/paired.ts";
import { POSTER, POSTER_CAPTION, POSTER_TASKS } from "../../report/poster.ts";
import type { ProbeDelta, ProbeRow, ProbesEvidence } from "../../report/probes_evidence.ts";
import { decodeText } from "../../io/csv.ts";
import { type Disk, readBytes } from "../../io/disk.ts";
import { EVIDENCE, EVIDENCE_SCHEMA } from "../../report/run_evidence.ts";
import type { EvidenceContext, MethodEvidence } from "../method.ts";
import { factsOf, identityOf, LABELS } from "./facts.ts";
import { gains, judge, type Judged, meanKnown, patientMeans, patientsOf } from "./probes.ts";
import type { BulkSession } from "./session.ts";
import { type ArmSteps, armSteps } from "./watch.ts";

/** Draws of a bootstrap; fewer where each is over many genes. */
const DRAWS = { most: 1000, many: 200, genes: 200 } as const;

/** Differences with intervals, of each task and of their mean. */
function deltasOf(
  id: string,
  base: readonly Judged[],
  own: readonly Judged[],
  { seed, count }: { seed: number; count: number },
): ProbeDelta[] {
  const patients = Math.max(...base.map((one) => one.patients.length));
  const tests = Math.max(...base.flatMap((one) => [...one.patients]), -1) + 1;
  const gained = (of: readonly number[]) => gains(base.map((one) => one.score(of)), own.map((one) => one.score(of)));
  const all = gained(Array.from({ length: tests }, (_, i) => i));
  const rng = new Rng(seed, streamOf("probes drawn"));
  const draws = patients < LEAST_UNITS ? [] : Array.from(
    { length: count },
    () => gained(Array.from({ length: tests }, () => rng.below(tests))),
  );
  return [...all, meanKnown(all)].flatMap((value, task): ProbeDelta[] => {
    if (value === null) return [];
    const drawn = draws.map((one) => task === all.length ? meanKnown(one) : one[task]!).filter((one) => one !== null);
    if (drawn.length < count / 2) {
      return [{ id, task, value, reason: noInterval({ count: patients, name: "test patients" }) }];
    }
    const values = Float64Array.from(drawn);
    return [{ id, task, value, low: percentile(values, 2.5), high: percentile(values, 97.5) }];
  });
}

/** Which weights of an arm are kept, in words. */
function keptStep(steps: ArmSteps | undefined): string | undefined {
  if (steps?.best === undefined) return undefined;
  const { from, to, best } = steps;
  return best === to
    ? `last of ${to - from} steps kept`
    : `step ${best - from} of ${to - from} kept, by validation patients`;
}

/** Probes of the given features and of each arm. @param steps What was kept of arms. */
export async function probesOf(session: BulkSession, steps: readonly ArmSteps[] = []): Promise<ProbesEvidence> {
  const { data: { notes }, arms, config } = session;
  const sides = { train: patientsOf(session.data, "train", "val"), test: patientsOf(session.data, "test") };
  const base = judge(session.data, (await patientMeans(session)).means, sides);
  const everyone = sides.test.map((_, i) => i);
  const row = (id: string, label: string, judged: readonly Judged[], note?: string): ProbeRow => ({
    id,
    label,
    ...(note !== undefined && { note }),
    values: judged.map((one) => one.score(everyone)),
  });
  const rows = [row("base", session.encoder ? "Encoder before training" : "Features as given", base)];
  const deltas: ProbeDelta[] = [];
  const count = session.data.genes.length > DRAWS.genes ? DRAWS.many : DRAWS.most;
  for (const trained of arms) {
    const { arm } = trained;
    const { means, moved } = await patientMeans(session, trained);
    const own = judge(session.data, means, sides);
    const note = `tiles moved by ${fixed(moved, 2)} of their length`;
    const kept = keptStep(steps.find(({ name }) => name === arm));
    rows.push(row(arm, LABELS[arm], own, kept === undefined ? note : `${note}; ${kept}`));
    deltas.push(...deltasOf(arm, base, own, { seed: config.optim.seed, count }));
  }
  return {
    schema: EVIDENCE_SCHEMA,
    ...{ train: sides.train.length, test: sides.test.length },
    ...{ tasks: base.map(({ task }) => task), rows, deltas, notes },
  };
}

/** The table for people. */
function linesOf({ tasks, rows, deltas }: ProbesEvidence): string[] {
  const head = ["features", ...tasks.map(({ name }) => name), "mean difference"];
  const body = rows.map(({ id, label, note, values }) => {
    const all = deltas.find((one) => one.id === id && one.task === tasks.length);
    const cells = values.map((value, t) => {
      const delta = deltas.find((one) => one.id === id && one.task === t);
      return `${value === null ? "-" : fixed(value, 3)}${delta ? ` (${signed(delta.value, 3)})` : ""}`;
    });
    const range = all &&
      (all.low === undefined || all.high === undefined
        ? `${signed(all.value, 3)}; no interval: ${all.reason}`
        : `${signed(all.value, 3)} (${signed(all.low, 3)} to ${signed(all.high, 3)} over test patients)`);
    return [label, ...cells, range ?? "", note ?? ""];
  });
  const why = tasks.flatMap(({ name, note }) => note === undefined ? [] : [`${name}: ${note}`]);
  return ["", ...alignRows([[...head, ""], ...body]), ...why, "", ...publishedLines()];
}

/** The published table for people. */
function publishedLines(): string[] {
  const body = POSTER.map(({ label, difference, values, all }) => {
    const show = (value: number, digits: number) => difference ? signed(value, digits) : fixed(value, digits);
    return [label, ...values.map((value) => show(value, 1)), show(all, 2)];
  });
  return [`Published: ${POSTER_CAPTION}`, ...alignRows([["", ...POSTER_TASKS, "mean"], ...body]), ""];
}

/** Measures what was learnt on patients that are held out. */
export async function bulkEvidence(
  session: BulkSession,
  context: EvidenceContext,
  disk: Disk,
): Promise<MethodEvidence> {
  const { config, data, gpu, encoder } = session;
  const path = `${context.folder}/${EVIDENCE.metrics}`;
  const metrics = decodeText(readBytes(disk, path), path);
  const steps = armSteps(metrics, config.model.arms);
  const probes = await probesOf(session, steps);
  const notes = data.notes.map((text) => ({ text }));
  return {
    identity: identityOf(session),
    parts: { probes, results: { schema: EVIDENCE_SCHEMA, encoders: [], device: gpu.description, notes } },
    facts: factsOf(session, { folder: context.folder, metrics, steps }),
    precision: encoder ? config.optim.precision : "f32",
    lines: linesOf(probes),
    json: { probes: { tasks: probes.tasks, rows: probes.rows, deltas: probes.deltas } },
  };
}
