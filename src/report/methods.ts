/**
 * How the run was made: time, data, adapter and its use, configuration, software.
 *
 * @module
 */

import type { ReadEvidence } from "./evidence_read.ts";
import { donorsOf } from "./evidence_view.ts";
import { amount, bytes, duration, NONE, percent, whole } from "./format.ts";
import { type Markup, markup, type Slot } from "./html.ts";
import type { RunFacts, TimeShare } from "./run_evidence.ts";
import { absent, definitions, section, table } from "./html_table.ts";

/** Where time went. */
export function cost({ facts, missing, results }: ReadEvidence): Markup {
  const id = "time";
  const title = "Where time went";
  const times = facts?.times ?? [];
  if (times.length === 0) return section({ id, title }, absent(missing.facts ?? "the run wrote no times"));
  const total = times.reduce((sum, { seconds }) => sum + seconds, 0);
  const device = facts?.device;
  const elsewhere = results?.device === undefined || results.device === device?.name ? "" : ` on ${results.device}`;
  const evaluation = results?.seconds === undefined
    ? ""
    : ` Evaluating all encoders took ${duration(results.seconds)}${elsewhere}.`;
  return section(
    { id, title },
    table(times, [
      {
        head: "Part",
        cell: ({ name, note }) => markup`${name}${note !== undefined && markup`<small>${note}</small>`}`,
      },
      { head: "Time", className: "number", cell: ({ seconds }) => duration(seconds) },
      { head: "Share", className: "number", cell: ({ seconds }) => percent(total > 0 ? seconds / total : null) },
      {
        head: markup`<span class="only-read">Drawing</span>`,
        className: "bar time",
        cell: (one) => share(one, total),
      },
    ], {
      className: "plain middle",
      caption: markup`<b>${duration(facts?.seconds ?? total)} in all${
        device !== undefined && ` on ${device.name}`
      }.</b>${device?.software && " This is a software adapter: the times say nothing about a GPU."}${evaluation}`,
    }),
  );
}

/** A bar as long as the part's share. */
function share({ name, seconds }: TimeShare, total: number): Markup {
  const part = total > 0 ? seconds / total : 0;
  const width = `${(part * 100).toFixed(2)}%`;
  return markup`<svg class="share" role="img" aria-label="${name}: ${
    percent(part)
  }"><rect class="rest" width="100%" height="100%"/><rect width="${width}" height="100%"/></svg>`;
}

/** Data, adapter, configuration, software. */
export function methods(evidence: ReadEvidence): Markup {
  const { facts, config, missing, results } = evidence;
  return section(
    { id: "methods", title: "How it was made" },
    facts === undefined ? absent(missing.facts ?? "run.json is missing") : [
      usePart(facts),
      // Cases and folds stand with the result.
      facts.data === undefined && results?.classification !== undefined ? "" : dataPart(facts),
      markup`<h3>Software and device</h3>`,
      definitions(softwareRows(facts)),
    ],
    markup`<details class="config"><summary>Configuration, resolved <small>config.yaml, ${
      amount(config.trimEnd().split("\n").length, "line")
    }</small></summary><div class="code"><button type="button" class="copy">Copy</button><pre tabindex="0"><code>${config}</code></pre></div></details>`,
  );
}

function softwareRows(
  { device, arithmetic, made_of, versions = {}, seed, started, command, status }: RunFacts,
): (readonly [Slot, Slot])[] {
  const rows: (readonly [Slot, Slot])[] = [];
  if (device !== undefined) {
    rows.push([
      "Device",
      markup`${device.name}${device.software && " (software adapter)"}${
        device.precision !== undefined && `, ${device.precision}`
      }`,
    ]);
  }
  if (device?.tuning !== undefined) rows.push(["Kernels", `as measured: ${device.tuning}`]);
  if (made_of !== undefined) rows.push(["Made of", made_of]);
  if (arithmetic !== undefined) rows.push(["Arithmetic", arithmeticText(arithmetic)]);
  for (const [name, version] of Object.entries(versions)) rows.push([name, version]);
  if (started !== undefined) {
    rows.push([
      "Started",
      markup`<time datetime="${started}">${started.replace("T", " ").replace(/(\.\d+)?Z$/, " UTC")}</time>`,
    ]);
  }
  if (seed !== undefined) rows.push(["Seed", String(seed)]);
  rows.push(["Status", status]);
  if (command !== undefined) rows.push(["Command", markup`<code>${command}</code>`]);
  return rows;
}

/** What a multiplication followed by an addition may be, in IEEE 754 as well as in WGSL. */
const CONTRACTED = "a * b + c is contracted";

/** Whether the device computes as IEEE 754 has it, and all that was tried. */
function arithmeticText(tried: Readonly<Record<string, string>>): Markup {
  const all = Object.entries(tried);
  const not = all.filter(([name, found]) => found === "no" && name !== CONTRACTED).map(([name]) => name);
  return markup`${
    not.length === 0
      ? "as IEEE 754 in all that was tried"
      : markup`<b>not as IEEE 754.</b> It does not hold: ${not.join("; ")}`
  }<small>${all.map(([name, found]) => `${name}: ${found}`).join("; ")}</small>`;
}

/** What was trained and how it is used: an adapter in PEFT, or what the method says. */
function usePart(facts: RunFacts): Slot {
  const { adapter, method } = facts;
  if (adapter !== undefined) return adapterPart(facts);
  // Not every method trains an adapter.
  if (method?.use === undefined) return method === undefined ? absent("no adapter is recorded") : "";
  return markup`<h3>${method.use.title}</h3><div class="code"><button type="button" class="copy">Copy</button><pre tabindex="0"><code>${method.use.code}</code></pre></div>`;
}

function adapterPart({ adapter, encoder }: RunFacts): Markup {
  const { path, rank, alpha, targets, blocks, parameters, bytes: size, loading } = adapter!;
  const share = encoder?.parameters === undefined || encoder.parameters === 0
    ? ""
    : ` (${percent(parameters / encoder.parameters)} of the encoder)`;
  const rows: (readonly [Slot, Slot])[] = [];
  if (encoder !== undefined) {
    rows.push(["Encoder", markup`${encoder.name}${encoder.random && " (random weights, for trying only)"}`]);
    if (encoder.sha256 !== undefined) {
      rows.push(["Weights, SHA-256", markup`<code class="hash">${encoder.sha256}</code>`]);
    }
  }
  rows.push(
    ["Adapter", markup`LoRA, rank ${rank}, α ${alpha}${blocks !== undefined && `, ${blocks}`}`],
    ["Acts on", markup`<code>${targets.join(", ")}</code>`],
    ["Trained numbers", `${whole(parameters)}${share}`],
    ["Folder", markup`<code>${path}/</code>${size !== undefined && ` (${bytes(size)})`}`],
  );
  return markup`<div class="split even"><div><h3>Adapter</h3>${
    definitions(rows)
  }</div><div><h3>Use it in PEFT</h3><div class="code"><button type="button" class="copy">Copy</button><pre tabindex="0"><code>${
    loading ?? peftCode(path, encoder?.base)
  }</code></pre></div><p class="hint">Or here: <code>deno task embed PATCHES --encoder ENCODER --adapter ${path}</code></p></div></div>`;
}

function peftCode(path: string, base: string | undefined): string {
  return `import timm, torch
from peft import PeftModel

encoder = timm.create_model(
    ${base === undefined ? '"BASE MODEL"' : JSON.stringify(base)},
    pretrained=True, num_classes=0,
)
encoder = PeftModel.from_pretrained(
    encoder, ${JSON.stringify(path)}
).eval()
with torch.inference_mode():
    # patches: normalised, [B, 3, H, W]
    features = encoder(patches)`;
}

function dataPart({ data }: RunFacts): Slot {
  if (data === undefined) return absent("the run does not say what it was trained on");
  const parts = (["train", "val", "test"] as const).map((split) => {
    const samples = data.samples.filter((sample) => sample.split === split);
    return { split, samples, donors: donorsOf(samples), spots: samples.reduce((sum, { spots }) => sum + spots, 0) };
  }).filter(({ samples }) => samples.length > 0);
  const shared = parts.flatMap(({ donors }, i) =>
    parts.slice(i + 1).flatMap((other) => donors.filter((one) => other.donors.includes(one)))
  );
  const names = { train: "Training", val: "Validation", test: "Held out" };
  const unnamed = data.samples.filter(({ donor }) => donor === undefined).length;
  const note = unnamed > 0
    ? `${
      amount(unnamed, "section")
    } of ${data.samples.length} without a named donor: whether one is in more than one part is not known.`
    : shared.length > 0
    ? `Careful: ${amount(new Set(shared).size, "donor")} (${[...new Set(shared)].join(", ")}) in more than one part.`
    : "No donor is in more than one part.";
  return table(parts, [
    { head: "Part", cell: ({ split }) => names[split] },
    { head: data.of === "slides" ? "Slides" : "Sections", className: "number", cell: ({ samples }) => samples.length },
    {
      head: "Donors",
      className: "number",
      cell: ({ donors, samples }) => samples.every(({ donor }) => donor !== undefined) ? donors.length : NONE,
    },
    { head: data.of === "slides" ? "Tiles" : "Spots", className: "number", cell: ({ spots }) => whole(spots) },
    {
      head: "Which",
      className: "wide list",
      cell: ({ samples }) => samples.map(({ sample }) => sample).join(", ") || NONE,
    },
  ], {
    className: "plain",
    caption: markup`<b>Data: ${data.name}.</b> ${data.synthetic && "Generated, not of patients. "}${
      data.genes !== undefined && `${amount(data.genes, "gene")} trained on. `
    }${note}`,
  });
}
