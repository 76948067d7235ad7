/**
 * The result at a glance: a sentence, and a forest plot of frozen encoder against SEAL beside its numbers.
 *
 * @module
 */

import type { ReadEvidence } from "./evidence_read.ts";
import { directionName, donorsOf, heldOut, type Pair, pairOf, samplesOf, sharedDonors } from "./evidence_view.ts";
import { amount, difference, NONE, percent, score, tickText, whole } from "./format.ts";
import { type Markup, markup, type Slot } from "./html.ts";
import type { Difference, EncoderResult, RetrievalScores, Spread } from "./run_evidence.ts";
import { extent, linear, type Scale } from "./scale.ts";
import { drawing, label, stroke, symbol } from "./svg.ts";
import { absent, section, table } from "./table.ts";

/** One measure of both encoders. */
export interface Measure {
  readonly key: string;
  readonly name: string;
  readonly detail: string;
  readonly frozen?: Spread;
  readonly seal?: Spread;
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
    ...probeMeasures(pair, evidence.results?.references),
    ...retrievalMeasures(pair),
    ...slideMeasures(pair),
  ];
  const differences = evidence.results?.differences ?? [];
  return all.filter(({ frozen, seal }) => frozen ?? seal).map((measure) => {
    const known = differences.find(({ metric }) => metric === measure.key);
    return known === undefined ? measure : { ...measure, difference: known };
  });
}

type References = NonNullable<ReadEvidence["results"]>["references"];

function both(pair: Pair, of: (encoder: EncoderResult) => Spread | undefined): Pick<Measure, "frozen" | "seal"> {
  const frozen = pair.frozen && of(pair.frozen);
  const seal = pair.seal && of(pair.seal);
  return { ...(frozen === undefined ? {} : { frozen }), ...(seal === undefined ? {} : { seal }) };
}

function probeMeasures(pair: Pair, references: References): Measure[] {
  const genes = Math.max(pair.frozen?.probe?.genes.length ?? 0, pair.seal?.probe?.genes.length ?? 0);
  const visible = references?.filter(({ kind }) => kind === "oracle").map(({ pearson }) => pearson ?? Infinity) ?? [];
  const bound = Math.min(...visible);
  return [
    {
      key: "pearson",
      name: "Probe correlation",
      detail: `mean Pearson r of ${amount(genes, "gene")}, spots of all test sections together`,
      ...both(pair, ({ probe }) => probe?.pearson),
      ...(Number.isFinite(bound) ? { bound } : {}),
    },
    {
      key: "pearson_per_slide",
      name: "… within sections",
      detail: "computed in each section, then averaged",
      ...both(pair, ({ probe }) => probe?.pearson_per_slide),
    },
    {
      key: "spearman",
      name: "Rank correlation",
      detail: "Spearman’s rho of the same probe",
      ...both(pair, ({ probe }) => probe?.spearman),
    },
  ];
}

/** Recall at 1, 5 and 10 where both encoders have it; what only one has, at 10 within the first scope. */
function retrievalMeasures(pair: Pair): Measure[] {
  const lists = [...(pair.seal?.retrieval ?? []), ...(pair.frozen?.retrieval ?? [])];
  const kindOf = ({ direction, scope, space }: RetrievalScores) => JSON.stringify([direction, scope, space]);
  const kinds = new Map<string, RetrievalScores>();
  for (const one of lists) if (!kinds.has(kindOf(one))) kinds.set(kindOf(one), one);
  const [first] = kinds.values();
  return [...kinds.values()].flatMap((kind) => {
    const { direction, scope, space, recall, gallery } = kind;
    const main = scope === first!.scope && space === first!.space;
    const has = (encoder: EncoderResult | undefined) => encoder?.retrieval?.some((one) => kindOf(one) === kindOf(kind));
    const shown = has(pair.frozen) && has(pair.seal) ? [1, 5, 10] : scope === first!.scope ? [10] : [];
    return recall.filter(({ k }) => shown.includes(k)).map(({ k }): Measure => ({
      key: `${main ? "" : `${/probe/.test(space) ? "probe" : scope.split(" ")[0]}_`}recall_at_${k}_${direction}`,
      name: `Recall@${k}, ${directionName(direction)}`,
      detail: `${space}, ${scope}, ${whole(gallery)} candidates a query`,
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
  const known = pair.seal?.slide_probe ?? pair.frozen?.slide_probe;
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

/** The section. */
export function headline(evidence: ReadEvidence): Markup {
  const rows = measures(evidence);
  const content = rows.length === 0
    ? absent(evidence.missing.results ?? "no encoder was evaluated")
    : forest(rows, pairOf(evidence), heldOut(evidence));
  return section({ id: "result", title: "Result" }, content);
}

/** What the run shows, in sentences. */
export function abstract(evidence: ReadEvidence): Markup {
  const all = measures(evidence);
  const find = (key: string) => all.find((measure) => measure.key === key);
  const probe = find("pearson");
  const recall = find("recall_at_10_g2i") ?? find("recall_at_10_i2g");
  const test = samplesOf(evidence, "test");
  const spots = test.reduce((sum, sample) => sum + sample.spots, 0);
  const seen = sharedDonors(evidence)?.length ?? 0;
  const where = test.length > 0
    ? markup`On ${amount(test.length, "held-out section")} of ${amount(donorsOf(test).length, "donor")}${
      seen > 0 && " that training saw other sections of"
    } (${amount(spots, "spot")}), `
    : "On held-out sections, ";
  const sentences: Slot[] = [];
  if (probe !== undefined) {
    sentences.push(
      markup`${where}${
        compare(probe, "a linear probe on SEAL’s features reaches a mean correlation of", "of the frozen encoder")
      }`,
    );
  }
  if (recall !== undefined) {
    const chance = recall.chance === undefined ? "" : markup`; guessing gives ${score(recall.chance)}`;
    sentences.push(markup` ${compare(recall, `${recall.name} is`, "with the frozen encoder", chance)}`);
  }
  if (sentences.length === 0) sentences.push("This run has losses but no evaluation on held-out sections yet.");
  return markup`<p class="abstract">${sentences}</p>`;
}

/** A measure as a sentence that claims no more than its interval. */
function compare(
  { seal, frozen, difference: delta }: Measure,
  begin: string,
  against: string,
  after: Slot = "",
): Markup {
  if (seal?.mean === undefined || seal.mean === null) {
    return markup`${begin} a value that is not defined (${seal?.reason ?? "not measured"}).`;
  }
  const value = markup`<strong>${score(seal.mean)}</strong>`;
  if (frozen?.mean === undefined || frozen.mean === null) return markup`${begin} ${value}${after}.`;
  const step = delta?.mean ?? seal.mean - frozen.mean;
  const unsure = delta?.low !== undefined && delta.high !== undefined && delta.low <= 0 && delta.high >= 0;
  return markup`${begin} ${value}, against ${score(frozen.mean)} ${against} (${difference(step)}${interval(delta)}${
    unsure && ", which includes no difference"
  })${after}.`;
}

function interval(delta: Difference | undefined): Slot {
  if (delta?.low === undefined || delta.high === undefined) return "";
  return markup`, ${delta.level === undefined ? "interval" : `${percent(delta.level, 0)} interval`} ${
    difference(delta.low)
  } to ${difference(delta.high)}`;
}

/** Width and height of a row's drawing. */
const ROW = { width: 320, height: 34, left: 8, right: 312 } as const;

function forest(rows: readonly Measure[], { frozen, seal }: Pair, where: string): Markup {
  const values = rows.flatMap(({ frozen, seal, chance, bound }) => [
    ...[frozen, seal].flatMap((one) => one === undefined ? [] : [...limits(one)]),
    chance,
    bound,
  ]);
  const [low, high] = extent(values) ?? [0, 1];
  const x = linear([Math.min(0, low), Math.max(high, 0.1)], [ROW.left, ROW.right], { ticks: 5, nice: true });
  const axis = markup`<tr class="axis-row"><td colspan="4" class="key">${legend(rows)}</td><td class="plot">${
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
    { head: frozen?.label ?? "Frozen", className: "number frozen", cell: (row) => estimate(row.frozen) },
    { head: seal?.label ?? "SEAL", className: "number seal", cell: (row) => estimate(row.seal) },
    { head: "Difference", className: "number delta", cell: change },
    { head: markup`<span class="only-read">Drawing</span>`, className: "plot", cell: (row) => forestRow(row, x) },
  ], {
    className: "forest",
    caption: markup`<b>Frozen encoder against SEAL on ${where}.</b> ${spreads(rows)}`,
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

function change({ frozen, seal, difference: delta }: Measure): Slot {
  if (delta !== undefined) {
    const range = delta.low !== undefined && delta.high !== undefined
      ? markup`<small>${difference(delta.low)} to ${difference(delta.high)}</small>`
      : "";
    return markup`${difference(delta.mean)}${range}`;
  }
  if (typeof frozen?.mean !== "number" || typeof seal?.mean !== "number") return NONE;
  return difference(seal.mean - frozen.mean);
}

/** What the spreads and intervals are over. */
function spreads(rows: readonly Measure[]): string {
  const over = new Set(
    rows.flatMap(({ name, seal, frozen }) => {
      const one = seal?.std !== undefined ? seal : frozen;
      return one?.std === undefined ? [] : [`${name.replace("… ", "").toLowerCase()}: ${one.over ?? "repetitions"}`];
    }),
  );
  const delta = rows.find(({ difference: d }) => d?.low !== undefined)?.difference;
  return [
    over.size > 0 ? `± is one standard deviation (${[...over].join("; ")}).` : "",
    delta === undefined
      ? ""
      : `Under a difference stands its ${
        delta.level === undefined ? "" : `${percent(delta.level, 0)} `
      }bootstrap interval${delta.over === undefined ? "" : `, paired over ${delta.over}`}.`,
  ].filter(Boolean).join(" ");
}

const DIAMOND = "M0 -5L5 0L0 5L-5 0z";

function forestRow({ name, frozen, seal, chance, bound }: Measure, x: Scale): Markup {
  const middle = ROW.height / 2;
  const dot = (value: Spread | undefined, kind: "frozen" | "seal", y: number): Slot => {
    if (value === undefined || value.mean === null) return "";
    const [low, high] = extent(limits(value))!;
    return [
      low < high && stroke(`whisker ${kind}`, [x(low), y], [x(high), y]),
      symbol(
        [x(value.mean), y],
        kind === "seal" ? "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0z" : "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0z",
        { className: `dot ${kind}` },
      ),
    ];
  };
  const text = [
    `${name}: frozen ${score(frozen?.mean)}, SEAL ${score(seal?.mean)}`,
    chance === undefined ? "" : `, chance ${score(chance)}`,
    bound === undefined ? "" : `, bound ${score(bound)}`,
  ].join("");
  const link = typeof frozen?.mean === "number" && typeof seal?.mean === "number"
    ? stroke("link", [x(frozen.mean), middle], [x(seal.mean), middle])
    : "";
  return drawing(
    { width: ROW.width, height: ROW.height, label: text, className: "chart row" },
    x.ticks.map((tick) => stroke("guide", [x(tick), 0], [x(tick), ROW.height])),
    chance !== undefined && stroke("chance", [x(chance), 5], [x(chance), ROW.height - 5]),
    link,
    dot(frozen, "frozen", middle),
    dot(seal, "seal", middle),
    bound !== undefined && symbol([x(bound), middle], DIAMOND, { className: "bound" }),
  );
}

function legend(rows: readonly Measure[]): Markup {
  const entry = (content: Slot, text: string) =>
    markup`<span class="entry"><svg viewBox="-8 -8 16 16" aria-hidden="true">${content}</svg>${text}</span>`;
  return markup`<span class="legend">${
    entry(symbol([0, 0], "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0z", { className: "dot frozen" }), "frozen")
  }${entry(symbol([0, 0], "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0z", { className: "dot seal" }), "SEAL")}${
    rows.some(({ chance }) => chance !== undefined) && entry(stroke("chance", [0, -7], [0, 7]), "chance")
  }${
    rows.some(({ bound }) => bound !== undefined) &&
    entry(symbol([0, 0], DIAMOND, { className: "bound" }), "bound of any image model")
  }</span>`;
}
