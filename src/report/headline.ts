/**
 * The result at a glance: a forest plot of the encoder before and after training beside its numbers.
 *
 * @module
 */

import type { ReadEvidence } from "./evidence_read.ts";
import { directionName, heldOut, type Names, namesOf, type Pair, pairOf } from "./evidence_view.ts";
import { amount, capital, difference, NONE, percent, score, tickText, whole } from "./format.ts";
import { donorTable, organTable, protocols } from "./protocols.ts";
import { type Markup, markup, type Slot } from "./html.ts";
import type { Difference, EncoderResult, Reference, RetrievalScores, SpaceScores, Spread } from "./run_evidence.ts";
import { extent, linear, type Scale } from "./scale.ts";
import { drawing, label, stroke, symbol } from "./svg.ts";
import { absent, section, table } from "./html_table.ts";

/** One measure of both encoders. */
export interface Measure {
  readonly key: string;
  readonly name: string;
  readonly detail: string;
  readonly before?: Spread;
  readonly after?: Spread;
  /** What guessing gives. */
  readonly chance?: number;
  /** What no image model can exceed. */
  readonly bound?: number;
  readonly difference?: Difference;
  /** Whether less is better. */
  readonly lower?: boolean;
}

/** All measures that at least one of the encoders has. */
export function measures(evidence: Pick<ReadEvidence, "results">): Measure[] {
  const pair = pairOf(evidence);
  const all = [
    ...probeMeasures(pair, evidence),
    ...retrievalMeasures(pair, evidence),
    ...slideMeasures(pair),
    ...spaceMeasures(pair),
  ];
  const differences = evidence.results?.differences ?? [];
  return all.filter(({ before, after }) => before ?? after).map((measure) => {
    const known = differences.find(({ metric }) => metric === measure.key);
    return known === undefined ? measure : { ...measure, difference: known };
  });
}

function both(pair: Pair, of: (encoder: EncoderResult) => Spread | undefined): Pick<Measure, "before" | "after"> {
  const before = pair.before && of(pair.before);
  const after = pair.after && of(pair.after);
  return { ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) };
}

function probeMeasures(pair: Pair, evidence: Pick<ReadEvidence, "results">): Measure[] {
  const oracles = evidence.results?.references?.filter(({ kind }) => kind === "oracle") ?? [];
  const bound = (of: (one: Reference) => number | null | undefined) => {
    const least = Math.min(...oracles.map((one) => of(one) ?? Infinity));
    return Number.isFinite(least) ? { bound: least } : {};
  };
  const probe = pair.after?.probe ?? pair.before?.probe;
  // Runs before 0.2 have one probe, HEST-Benchmark's.
  const headline = probe?.truth !== undefined;
  const genes = amount(Math.max(pair.before?.probe?.genes.length ?? 0, pair.after?.probe?.genes.length ?? 0), "gene");
  const of = (what: string, beside: (encoder: EncoderResult) => Spread | undefined) =>
    [what, besideText(evidence, beside)].filter(Boolean).join("; ");
  const [within, pooled] = headline ? ["Correlation within sections", "… of all sections together"] : [
    "… within sections",
    "Probe correlation",
  ];
  const perSlide: Measure = {
    key: "pearson_per_slide",
    name: within,
    detail: headline
      ? of(`mean Pearson r of ${genes}, ${probe!.truth}`, (one) => one.probe?.pearson_per_slide)
      : "computed in each section, then averaged",
    ...both(pair, (one) => one.probe?.pearson_per_slide),
    ...(headline ? bound((one) => one.pearson_per_slide) : {}),
  };
  const together: Measure = {
    key: "pearson",
    name: pooled,
    detail: headline
      ? of("differences between sections count as well", (one) => one.probe?.pearson)
      : `mean Pearson r of ${genes}, spots of all test sections together`,
    ...both(pair, (one) => one.probe?.pearson),
    ...(headline ? {} : bound((one) => one.pearson)),
  };
  return [
    ...(headline ? [perSlide, together] : [together, perSlide]),
    {
      key: "spearman",
      name: "Rank correlation",
      detail: headline
        ? of("Spearman’s rho, all sections together", (one) => one.probe?.spearman)
        : "Spearman’s rho of the same probe",
      ...both(pair, ({ probe }) => probe?.spearman),
    },
    {
      key: "benchmark_pearson",
      name: "By HEST-Benchmark’s protocol",
      detail: of(
        `${pair.after?.benchmark?.truth ?? ""}, all sections together`,
        (one) => one.benchmark?.pearson,
      ),
      ...both(pair, ({ benchmark }) => benchmark?.pearson),
      ...(headline ? bound((one) => one.pearson) : {}),
    },
  ];
}

/** What sees no network scores on the same measure. */
export function besideText(
  { results }: Pick<ReadEvidence, "results">,
  of: (encoder: EncoderResult) => Spread | undefined,
): string {
  const names: Readonly<Record<string, string>> = { depth: "depth alone", colour: "colours alone" };
  return Object.entries(names).flatMap(([id, name]) => {
    const found = results?.encoders.find((one) => one.id === id);
    const value = found && of(found)?.mean;
    return typeof value === "number" ? [`${name} ${score(value)}`] : [];
  }).join(", ");
}

/** Recall at 1, 5 and 10 where both encoders have it; what only one has, at 10 within the first scope. */
function retrievalMeasures(pair: Pair, evidence: Pick<ReadEvidence, "results">): Measure[] {
  const lists = [...(pair.after?.retrieval ?? []), ...(pair.before?.retrieval ?? [])];
  const kindOf = ({ direction, scope, space }: RetrievalScores) => JSON.stringify([direction, scope, space]);
  const kinds = new Map<string, RetrievalScores>();
  for (const one of lists) if (!kinds.has(kindOf(one))) kinds.set(kindOf(one), one);
  const [first] = kinds.values();
  return [...kinds.values()].flatMap((kind) => {
    const { direction, scope, space, recall, gallery } = kind;
    const main = scope === first!.scope && space === first!.space;
    const has = (encoder: EncoderResult | undefined) => encoder?.retrieval?.some((one) => kindOf(one) === kindOf(kind));
    const shown = has(pair.before) && has(pair.after) ? [1, 5, 10] : scope === first!.scope ? [10] : [];
    return recall.filter(({ k }) => shown.includes(k)).map(({ k }): Measure => ({
      key: `${main ? "" : `${/probe/.test(space) ? "probe" : scope.split(" ")[0]}_`}recall_at_${k}_${direction}`,
      name: `Recall@${k}, ${directionName(direction)}`,
      detail: [
        `${space}, ${scope}, ${whole(gallery)} candidates a query`,
        besideText(evidence, (one) => {
          const found = one.retrieval?.find((other) => kindOf(other) === kindOf(kind))?.recall.find((of) => of.k === k);
          return found && { mean: found.value };
        }),
      ].filter(Boolean).join("; "),
      chance: Math.min(1, k / gallery),
      ...both(pair, (encoder) => {
        if (encoder.retrieval !== undefined && !has(encoder)) return { mean: null, reason: `has no ${space}` };
        const found = encoder.retrieval?.find((one) => kindOf(one) === kindOf(kind));
        const at = found?.recall.find((one) => one.k === k);
        if (at === undefined) return undefined;
        return {
          mean: at.value,
          ...(at.low === undefined ? {} : { low: at.low }),
          ...(at.high === undefined ? {} : { high: at.high }),
          ...(at.value === null && found?.reason !== undefined ? { reason: found.reason } : {}),
        };
      }),
    }));
  });
}

function slideMeasures(pair: Pair): Measure[] {
  const known = pair.after?.slide_probe ?? pair.before?.slide_probe;
  if (known === undefined) return [];
  return [{
    key: "slide_probe",
    name: "Section told from features",
    detail: `accuracy among ${amount(known.slides, "section")}; batch effect, lower is better`,
    chance: known.chance,
    lower: true,
    ...both(pair, ({ slide_probe: found }) =>
      found && {
        mean: found.accuracy,
        ...(found.std === undefined ? {} : { std: found.std }),
        ...(found.reason === undefined ? {} : { reason: found.reason }),
      }),
  }];
}

/** What fine-tuning may cost. */
function spaceMeasures(pair: Pair): Measure[] {
  const known = pair.after?.space ?? pair.before?.space;
  if (known === undefined) return [];
  const measure = (
    of: (space: SpaceScores) => number | null | undefined,
    rest: Omit<Measure, "before" | "after">,
  ): Measure => ({
    ...rest,
    ...both(pair, ({ space }) => {
      const mean = space && of(space);
      return mean === undefined ? undefined : { mean };
    }),
  });
  const ranks = [pair.before, pair.after].map((one) => one?.space?.smooth_rank)
    .map((rank) => typeof rank === "number" ? rank.toFixed(1) : NONE).join(" before, ");
  const kinds = known.kinds;
  return [
    measure(({ mean_cosine }) => mean_cosine, {
      key: "mean_cosine",
      name: "Cosine of two patches",
      detail: `mean over pairs of all patches; near 1 they all look alike; smooth rank ${ranks} after`,
      lower: true,
    }),
    measure(({ same_slide }) => same_slide, {
      key: "same_slide",
      name: "Neighbours of the same section",
      detail: "share of the ten nearest patches; lower is better",
      chance: known.same_slide_chance,
      lower: true,
    }),
    measure(({ robustness }) => robustness, {
      key: "robustness",
      name: "Robustness index",
      detail: `neighbours of one kind elsewhere against another kind in the section; kinds: ${kinds}`,
    }),
    measure(({ morphology }) => morphology?.accuracy, {
      key: "morphology",
      name: "Kind of tissue told from features",
      detail: `balanced accuracy on held-out patches; kinds: ${kinds}`,
      ...(known.morphology && { chance: known.morphology.chance }),
    }),
  ];
}

/** The section. */
export function headline(evidence: ReadEvidence): Markup {
  const rows = measures(evidence);
  const content = rows.length === 0
    ? absent(evidence.missing.results ?? "no encoder was evaluated")
    : markup`${forest(rows, evidence, heldOut(evidence))}${organTable(evidence)}${donorTable(evidence)}${
      protocols(evidence)
    }`;
  return section({ id: "result", title: "Result" }, content);
}

/** Width and height of a row's drawing. */
const ROW = { width: 320, height: 34, left: 8, right: 312 } as const;

/** Truth, penalty and panel of the first rows. */
function madeBy({ before, after }: Pair): string {
  const probe = after?.probe ?? before?.probe;
  if (probe?.truth === undefined) return "";
  return `Truth ${probe.truth}; penalty ${probe.penalty ?? "not recorded"}; panel of ${
    amount(probe.genes.length, "gene")
  }${probe.panel === undefined ? "" : `, ${probe.panel}`}. `;
}

function forest(rows: readonly Measure[], evidence: ReadEvidence, where: string): Markup {
  const pair = pairOf(evidence);
  const names = namesOf(evidence);
  const values = rows.flatMap(({ before, after, chance, bound }) => [
    ...[before, after].flatMap((one) => one === undefined ? [] : [...limits(one)]),
    chance,
    bound,
  ]);
  const [low, high] = extent(values) ?? [0, 1];
  const x = linear([Math.min(0, low), Math.max(high, 0.1)], [ROW.left, ROW.right], { ticks: 5, nice: true });
  const axis = markup`<tr class="axis-row"><td colspan="4" class="key">${legend(rows, names)}</td><td class="plot">${
    drawing(
      { width: ROW.width, height: 22, label: `scale from ${score(x.domain[0])} to ${score(x.domain[1])}` },
      stroke("axis", [ROW.left, 1], [ROW.right, 1]),
      x.ticks.map((tick) => [
        stroke("axis", [x(tick), 1], [x(tick), 5]),
        label("tick mid", [x(tick), 17], tickText(tick)),
      ]),
    )
  }</td></tr>`;
  return table(rows, [
    { head: "Measure", cell: ({ name, detail }) => markup`<span>${name}</span><small>${detail}</small>` },
    {
      head: names.before.head,
      className: "number before",
      label: names.before.short,
      cell: (row) => estimate(row.before),
    },
    { head: names.after.head, className: "number after", label: names.after.short, cell: (row) => estimate(row.after) },
    { head: "Difference", className: "number delta", label: "difference", cell: change },
    {
      head: markup`<span class="only-read">Drawing</span>`,
      className: "plot",
      cell: (row) => forestRow(row, x, names),
    },
  ], {
    className: "forest",
    caption: markup`<b>${capital(names.before.text)} against ${names.after.text} on ${where}.</b> ${madeBy(pair)}${
      spreads(rows)
    }`,
    foot: axis,
  });
}

function limits({ mean, std, low, high }: Spread): (number | null)[] {
  if (mean === null) return [];
  return std === undefined ? [mean, low ?? mean, high ?? mean] : [mean - std, mean + std];
}

function estimate(value: Spread | undefined): Slot {
  if (value === undefined) return markup`${NONE}<small>not measured</small>`;
  if (value.mean === null) return markup`${NONE}<small>${value.reason ?? "not defined"}</small>`;
  const spread = value.std === undefined ? "" : markup`<small>± ${score(value.std)}</small>`;
  const range = value.std === undefined && value.low !== undefined && value.high !== undefined
    ? markup`<small>${score(value.low)} to ${score(value.high)}</small>`
    : "";
  return markup`${score(value.mean)}${spread}${range}`;
}

function change({ before, after, difference: delta }: Measure): Slot {
  if (delta !== undefined) {
    const range = delta.low !== undefined && delta.high !== undefined
      ? markup`<small>${difference(delta.low)} to ${difference(delta.high)}</small>`
      : delta.reason !== undefined
      ? markup`<small>no interval: ${delta.reason}</small>`
      : "";
    return markup`${difference(delta.mean)}${range}`;
  }
  if (typeof before?.mean !== "number" || typeof after?.mean !== "number") return NONE;
  return difference(after.mean - before.mean);
}

/** What the spreads and intervals are over. */
function spreads(rows: readonly Measure[]): string {
  const over = new Set(
    rows.flatMap(({ name, after, before }) => {
      const one = after?.std !== undefined ? after : before;
      return one?.std === undefined ? [] : [`${name.replace("… ", "").toLowerCase()}: ${one.over ?? "repetitions"}`];
    }),
  );
  const delta = rows.find(({ difference: d }) => d?.low !== undefined)?.difference;
  const kinds = [...new Set(rows.flatMap(({ difference: d }) => (d?.low !== undefined && d.over ? [d.over] : [])))];
  return [
    over.size > 0 ? `± is one standard deviation (${[...over].join("; ")}).` : "",
    delta === undefined
      ? ""
      : `Under a difference stands its ${
        delta.level === undefined ? "" : `${percent(delta.level, 0)} `
      }bootstrap interval${kinds.length > 0 ? `, paired over ${kinds.join(" or ")}` : ""}.${
        kinds.includes("genes") ? " One over genes says nothing about other donors." : ""
      }`,
  ].filter(Boolean).join(" ");
}

const DIAMOND = "M0 -5L5 0L0 5L-5 0z";

function forestRow({ name, before, after, chance, bound }: Measure, x: Scale, names: Names): Markup {
  const middle = ROW.height / 2;
  const dot = (value: Spread | undefined, kind: "before" | "after", y: number): Slot => {
    if (value === undefined || value.mean === null) return "";
    const [low, high] = extent(limits(value))!;
    return [
      low < high && stroke(`whisker ${kind}`, [x(low), y], [x(high), y]),
      symbol(
        [x(value.mean), y],
        kind === "after" ? "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0z" : "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0z",
        { className: `dot ${kind}` },
      ),
    ];
  };
  const text = [
    `${name}: ${names.before.short} ${score(before?.mean)}, ${names.after.short} ${score(after?.mean)}`,
    chance === undefined ? "" : `, chance ${score(chance)}`,
    bound === undefined ? "" : `, bound ${score(bound)}`,
  ].join("");
  const link = typeof before?.mean === "number" && typeof after?.mean === "number"
    ? stroke("link", [x(before.mean), middle], [x(after.mean), middle])
    : "";
  return drawing(
    { width: ROW.width, height: ROW.height, label: text, className: "chart row" },
    x.ticks.map((tick) => stroke("guide", [x(tick), 0], [x(tick), ROW.height])),
    chance !== undefined && stroke("chance", [x(chance), 5], [x(chance), ROW.height - 5]),
    link,
    dot(before, "before", middle),
    dot(after, "after", middle),
    bound !== undefined && symbol([x(bound), middle], DIAMOND, { className: "bound" }),
  );
}

function legend(rows: readonly Measure[], names: Names): Markup {
  const entry = (content: Slot, text: string) =>
    markup`<span class="entry"><svg viewBox="-8 -8 16 16" aria-hidden="true">${content}</svg>${text}</span>`;
  return markup`<span class="legend">${
    entry(
      symbol([0, 0], "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0z", { className: "dot before" }),
      names.before.short,
    )
  }${entry(symbol([0, 0], "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0z", { className: "dot after" }), names.after.short)}${
    rows.some(({ chance }) => chance !== undefined) && entry(stroke("chance", [0, -7], [0, 7]), "chance")
  }${
    rows.some(({ bound }) => bound !== undefined) &&
    entry(symbol([0, 0], DIAMOND, { className: "bound" }), "bound of any image model")
  }</span>`;
}
