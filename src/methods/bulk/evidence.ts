/**
 * What a finished run leaves for its report: linear probes on the mean of each patient's tiles, before and after, on patients that
 * took no part.
 *
 * @module
 */

import { fixed, signed } from "../../core/fixed.ts";
import { Rng, streamOf } from "../../core/rng.ts";
import { alignRows } from "../../core/text_table.ts";
import { balancedAccuracy, confusionMatrix } from "../../eval/classification.ts";
import { pearson } from "../../eval/correlation.ts";
import { applyStandardizer, fitStandardizer } from "../../eval/linalg/standardize.ts";
import { percentile } from "../../eval/linalg/statistics.ts";
import { type Table, takeRows } from "../../eval/linalg/table.ts";
import { fitLogistic, predictLogistic } from "../../eval/logistic.ts";
import { LEAST_UNITS, noInterval } from "../../eval/paired.ts";
import { predictLinear } from "../../eval/ridge.ts";
import { fitChosenRidge } from "../../eval/ridge_choice.ts";
import { POSTER, POSTER_CAPTION, POSTER_TASKS } from "../../report/poster.ts";
import type { ProbeDelta, ProbeRow, ProbesEvidence, ProbeTask } from "../../report/probes_evidence.ts";
import type { Disk } from "../../io/disk.ts";
import { EVIDENCE_SCHEMA } from "../../report/run_evidence.ts";
import type { EvidenceContext, MethodEvidence } from "../method.ts";
import { probeTiles } from "./data.ts";
import { factsOf, identityOf, LABELS } from "./facts.ts";
import type { BulkArm } from "./model.ts";
import type { BulkSession } from "./session.ts";
import type { SlideTiles } from "./tiles.ts";

/** Draws of a bootstrap; fewer where each is over many genes. */
const DRAWS = { most: 1000, many: 200, genes: 200 } as const;

/** Tiles that are embedded at a time. */
const TILES = 8192;

/** Slides with the tiles that are looked at, some at a time. */
function* portions({ data: { slides }, tiles }: Pick<BulkSession, "data" | "tiles">): Generator<SlideTiles[]> {
  let [some, held]: [SlideTiles[], number] = [[], 0];
  for (const slide of slides) {
    const of = { slide, tiles: probeTiles(slide, tiles.most) };
    some.push(of);
    held += of.tiles.length;
    if (held < TILES) continue;
    yield some;
    [some, held] = [[], 0];
  }
  if (some.length > 0) yield some;
}

/** Features of patients. */
export interface PatientMeans {
  /** Mean of the tiles of each patient's slides, `[patients, dim]`. */
  readonly means: Table;
  /** How far tiles have moved: root of the squared differences over that of the squares before. */
  readonly moved: number;
}

/** Mean of the tiles of each patient's slides; before training unless an arm is given. */
export async function patientMeans(
  session: Pick<BulkSession, "data" | "tiles">,
  arm?: BulkArm,
): Promise<PatientMeans> {
  const { data: { patients, slides }, tiles: { dim } } = session;
  const data = new Float64Array(patients.length * dim);
  let [moved, square] = [0, 0];
  for (const of of portions(session)) {
    const given = await session.tiles.given(of);
    const made = arm ? await session.tiles.now(arm, of) : given;
    for (let i = 0; i < made.length; i++) {
      moved += (made[i]! - given[i]!) ** 2;
      square += given[i]! ** 2;
    }
    let at = 0;
    for (const { slide: { patient }, tiles } of of) {
      const own = slides.reduce((n, slide) => n + Number(slide.patient === patient), 0);
      for (let t = 0; t < tiles.length; t++) {
        for (let j = 0; j < dim; j++) data[patient * dim + j]! += made[at++]! / (tiles.length * own);
      }
    }
  }
  return { means: { rows: patients.length, columns: dim, data }, moved: square > 0 ? Math.sqrt(moved / square) : 0 };
}

/** What a probe says of test patients, and how good that is on some of them. */
interface Judged {
  readonly task: ProbeTask;
  /** Places among the test patients that are judged. */
  readonly patients: readonly number[];
  /** The score on these of them, with repeats; null where it is not defined. */
  score(of: readonly number[]): number | null;
}

interface Sides {
  readonly train: readonly number[];
  readonly test: readonly number[];
}

function sidesOf({ data: { slides, patients } }: BulkSession): Sides {
  const part = new Map(slides.map(({ patient, part }) => [patient, part]));
  const of = (test: boolean) => patients.flatMap((_, p) => ((part.get(p) === "test") === test ? [p] : []));
  return { train: of(false), test: of(true) };
}

/** Classes of a column by logistic regression. */
function classes(column: string, labels: readonly string[], features: Table, { train, test }: Sides): Judged {
  const known = (all: readonly number[]) => all.filter((p) => labels[p] !== "");
  const [own, asked] = [known(train), known(test)];
  const names = [...new Set(own.map((p) => labels[p]!))].sort();
  const judged = asked.filter((p) => names.includes(labels[p]!));
  const task = { name: column, measure: "balanced accuracy" };
  if (names.length < 2 || judged.length === 0) {
    const note = names.length < 2 ? "training patients have one class" : "no test patient has a class of it";
    return { task: { ...task, note }, patients: [], score: () => null };
  }
  const standard = fitStandardizer(takeRows(features, own));
  const x = (rows: readonly number[]) => applyStandardizer(takeRows(features, rows), standard);
  const model = fitLogistic(x(own), own.map((p) => names.indexOf(labels[p]!)), {
    c: 1,
    tolerance: 1e-6,
    balanced: true,
  });
  const said = predictLogistic(model, x(judged));
  const truth = judged.map((p) => names.indexOf(labels[p]!));
  return {
    task,
    patients: judged.map((p) => test.indexOf(p)),
    score(of) {
      const places = of.map((t) => judged.indexOf(test[t]!)).filter((i) => i >= 0);
      const table = confusionMatrix(places.map((i) => truth[i]!), places.map((i) => said[i]!), names.length);
      return balancedAccuracy(table) ?? null;
    },
  };
}

/** Expression by ridge regression, its penalty chosen on the training patients. */
function expression({ data: { rna, genes } }: BulkSession, features: Table, { train, test }: Sides): Judged {
  const G = genes.length;
  const all: Table = { rows: rna.length / G, columns: G, data: Float64Array.from(rna) };
  const standard = fitStandardizer(takeRows(features, train));
  const x = (rows: readonly number[]) => applyStandardizer(takeRows(features, rows), standard);
  const model = fitChosenRidge(x(train), takeRows(all, train));
  const predicted = predictLinear(model, x(test));
  const truth = takeRows(all, test);
  const column = (of: Table, rows: readonly number[], g: number) => Float64Array.from(rows, (r) => of.data[r * G + g]!);
  const scored = (rows: readonly number[]) =>
    genes.flatMap((_, g) => {
      const { value, reason } = pearson(column(predicted, rows, g), column(truth, rows, g));
      return reason === "constant target" ? [] : [value ?? 0];
    });
  const places = test.map((_, i) => i);
  const left = G - scored(places).length;
  const note = left > 0 ? `${left} of ${G} genes are constant over them and count nothing` : undefined;
  return {
    task: { name: "Expression", measure: "mean Pearson over genes", ...(note !== undefined && { note }) },
    patients: places,
    score(of) {
      const values = scored(of);
      return values.length === 0 ? null : values.reduce((a, b) => a + b, 0) / values.length;
    },
  };
}

/** All tasks on features. */
function judge(session: BulkSession, features: Table, sides: Sides): Judged[] {
  return [
    ...[...session.data.labels].map(([column, labels]) => classes(column, labels, features, sides)),
    expression(session, features, sides),
  ];
}

/** Differences with intervals, of each task and of their mean. */
function deltasOf(
  id: string,
  base: readonly Judged[],
  own: readonly Judged[],
  { seed, count }: { seed: number; count: number },
): ProbeDelta[] {
  const patients = Math.max(...base.map((one) => one.patients.length));
  const tests = Math.max(...base.flatMap((one) => [...one.patients]), -1) + 1;
  const gains = (of: readonly number[]) =>
    own.map((one, t) => {
      const [a, b] = [base[t]!.score(of), one.score(of)];
      return a === null || b === null ? null : b - a;
    });
  const mean = (values: readonly (number | null)[]) => {
    const known = values.filter((value) => value !== null);
    return known.length === 0 ? null : known.reduce((a, b) => a + b, 0) / known.length;
  };
  const all = gains(Array.from({ length: tests }, (_, i) => i));
  const rng = new Rng(seed, streamOf("probes drawn"));
  const draws = patients < LEAST_UNITS ? [] : Array.from(
    { length: count },
    () => gains(Array.from({ length: tests }, () => rng.below(tests))),
  );
  return [...all, mean(all)].flatMap((value, task): ProbeDelta[] => {
    if (value === null) return [];
    const drawn = draws.map((one) => task === all.length ? mean(one) : one[task]!).filter((one) => one !== null);
    if (drawn.length < count / 2) {
      return [{ id, task, value, reason: noInterval({ count: patients, name: "test patients" }) }];
    }
    const values = Float64Array.from(drawn);
    return [{ id, task, value, low: percentile(values, 2.5), high: percentile(values, 97.5) }];
  });
}

/** Probes of the given features and of each arm. */
export async function probesOf(session: BulkSession): Promise<ProbesEvidence> {
  const { data: { notes }, arms, config } = session;
  const sides = sidesOf(session);
  const base = judge(session, (await patientMeans(session)).means, sides);
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
    const own = judge(session, means, sides);
    rows.push(row(arm, LABELS[arm], own, `tiles moved by ${fixed(moved, 2)} of their length`));
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
  return ["", ...alignRows([[...head, ""], ...body]), "", ...publishedLines()];
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
  const probes = await probesOf(session);
  const notes = [...data.notes.map((text) => ({ text })), { text: identityOf(session) }];
  return {
    parts: { probes, results: { schema: EVIDENCE_SCHEMA, encoders: [], device: gpu.description, notes } },
    facts: factsOf(session, context, disk),
    precision: encoder ? config.optim.precision : "f32",
    lines: linesOf(probes),
    json: { probes: { tasks: probes.tasks, rows: probes.rows, deltas: probes.deltas } },
  };
}
