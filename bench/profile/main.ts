/**
 * Where a step's time goes: every dispatch of an encoder's embedding plan, and of a method's training step, whole and
 * cached in gradients, by the device's clock.
 *
 * ```sh
 * deno task bench --profile [embed] [step] [cached] [--encoder NAME] [--batch N] [--tile PX] [--micro N] [--dtype f32]
 *   [--genes N] [--method seal] [--set KEY=VALUE]… [--runs N] [--alone] [--json FILE] [--trace FILE] [--record [FOLDER]]
 * ```
 *
 * Without words all three are profiled. NAME is an encoder of the registry, weights drawn at random, or `random:…`; by
 * default the demo's: width 96, four blocks, batch 64, 190 genes. `--alone` times each dispatch alone, as is done where the
 * device grants no timestamps. `--trace` writes a trace for ui.perfetto.dev; `--record` appends the sums to `profile.jsonl`.
 *
 * @module
 */

import { parseArgs } from "node:util";
import type { Dtype } from "../../src/core/dtype.ts";
import { ConfigError, type SealError } from "../../src/core/errors.ts";
import { type Gpu, requestGpu } from "../../src/gpu/device.ts";
import { profile } from "../../src/graph/profile.ts";
import { type Program, submit } from "../../src/graph/program.ts";
import { DEFAULT_METHOD, loadMethod, METHOD_NAMES } from "../../src/methods/index.ts";
import { RANDOM_PREFIX, randomEncoder } from "../../src/models/random_encoder.ts";
import { embedPlan } from "../../src/verify/plans.ts";
import { measureRates } from "../../src/verify/rates.ts";
import { provenance } from "../harness.ts";
import { type Account, account, type Peaks } from "./account.ts";
import { formatAccount, trace } from "./show.ts";

/** A step that can be run again and again. */
interface Subject {
  readonly name: string;
  readonly sequence: readonly { readonly name: string; readonly program: Program }[];
  destroy(): void;
}

const SUBJECTS = ["embed", "step", "cached"] as const;
const DTYPES: readonly Dtype[] = ["f32", "f16", "bf16"];
/** The configuration of the bundled demo, and the sizes of its encoder. */
const DEMO = {
  encoder: "random:vit_small_patch16_224?dim=96&depth=4&heads=3",
  keys: [["hidden_dims", "[256, 128]"], ["r", "16"], ["lora_alpha", "32"], ["lora_dropout", "0"]],
} as const;

function readOptions(args: readonly string[]) {
  const { values, positionals } = parseArgs({
    // The folder of --record may be left out.
    args: args.map((word, i) => (word === "--record" && /^(--|$)/.test(args[i + 1] ?? "") ? "--record=" : word)),
    allowPositionals: true,
    options: {
      encoder: { type: "string", default: DEMO.encoder },
      batch: { type: "string", default: "64" },
      micro: { type: "string" },
      tile: { type: "string" },
      dtype: { type: "string", default: "f32" },
      genes: { type: "string", default: "190" },
      method: { type: "string", default: DEFAULT_METHOD },
      set: { type: "string", multiple: true, default: [] },
      runs: { type: "string", default: "5" },
      alone: { type: "boolean", default: false },
      json: { type: "string" },
      trace: { type: "string" },
      record: { type: "string" },
    },
  });
  const whole = (key: string, text: string | undefined): number | undefined => {
    if (text === undefined) return undefined;
    const value = Number(text);
    if (Number.isInteger(value) && value > 0) return value;
    throw new ConfigError(`Cannot profile: --${key} is "${text}", wanted a whole number above 0`);
  };
  const one = <T extends string>(what: string, text: string, wanted: readonly T[]): T => {
    if (wanted.includes(text as T)) return text as T;
    throw new ConfigError(`Cannot profile: ${what} is "${text}", wanted ${wanted.join(", ")}`);
  };
  const batch = whole("batch", values.batch)!;
  const encoder = values.encoder.startsWith(RANDOM_PREFIX) ? values.encoder : `${RANDOM_PREFIX}${values.encoder}`;
  return {
    subjects: positionals.length > 0 ? positionals.map((word) => one("the subject", word, SUBJECTS)) : SUBJECTS,
    encoder,
    batch,
    micro: whole("micro", values.micro) ?? Math.ceil(batch / 4),
    tile: whole("tile", values.tile),
    dtype: one("--dtype", values.dtype, DTYPES),
    genes: whole("genes", values.genes)!,
    method: one("--method", values.method, METHOD_NAMES),
    keys: [
      ...(values.encoder === DEMO.encoder ? DEMO.keys : []),
      ...values.set.map((pair): [string, string] => {
        const at = pair.indexOf("=");
        if (at > 0) return [pair.slice(0, at), pair.slice(at + 1)];
        throw new ConfigError(`Cannot profile: --set is "${pair}", wanted KEY=VALUE`);
      }),
    ],
    runs: whole("runs", values.runs)!,
    alone: values.alone,
    json: values.json,
    trace: values.trace,
    record: values.record,
  };
}

type Options = ReturnType<typeof readOptions>;

async function openEmbedding(gpu: Gpu, { encoder, batch, dtype, tile }: Options): Promise<Subject> {
  const { spec } = randomEncoder(encoder);
  const side = tile ?? spec.input.size;
  const recorded = embedPlan(gpu, spec, dtype, batch, side, { whole: true });
  if (!recorded) {
    throw new ConfigError(`Cannot profile: the device cannot bind a batch of ${batch}, pass a smaller --batch`);
  }
  recorded.fill();
  const program = await recorded.plan.compile();
  return {
    name: recorded.name,
    sequence: [{ name: "embed", program }],
    destroy: () => (program.destroy(), recorded.destroy()),
  };
}

async function openStep(gpu: Gpu, options: Options, cached: boolean): Promise<Subject> {
  const { encoder, batch, dtype, genes, method, keys } = options;
  const { proof } = await loadMethod(method);
  if (!proof) throw new ConfigError(`Cannot profile: method ${method} has no step to profile`);
  const micro = cached ? Math.min(options.micro, batch) : batch;
  const { label, step } = await proof();
  const built = await step(gpu, { encoder, batch, micro, genes, dtype, keys });
  const how = cached ? `gradients cached, ${micro} images at a time` : "whole";
  return {
    ...built,
    name: `${label} trains ${encoder}, ${batch} pairs of ${genes} genes, weights in ${dtype}: ${how}`,
  };
}

/** Median of what waiting for an idle queue takes, ms. */
async function idleWait(gpu: Gpu): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < 5; i++) {
    const start = performance.now();
    await gpu.queue.onSubmittedWorkDone();
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[2]!;
}

/** Times a step as it is replayed and its dispatches, in turn, so that a busy machine slows both. */
async function measure(gpu: Gpu, { sequence }: Subject, { runs, alone }: Options, peaks: Peaks): Promise<Account> {
  const programs = sequence.map(({ program }) => program);
  const step = async (times: number): Promise<number> => {
    const start = performance.now();
    for (let i = 0; i < times; i++) submit(gpu, programs);
    await gpu.queue.onSubmittedWorkDone();
    return performance.now() - start;
  };
  const idle = await idleWait(gpu);
  await step(1);
  const times = Math.max(1, Math.min(50, Math.round(200 / Math.max(1, await step(1) - idle))));
  const steps: number[] = [];
  const spans = [];
  let last;
  await profile(programs, { runs: 1, alone: false });
  for (let run = 0; run < (alone ? 1 : runs); run++) {
    steps.push(Math.max(1e-3, await step(times) - idle) / times);
    last = await profile(programs, { runs: 1, alone });
    spans.push(...last.runs);
  }
  const names = sequence.flatMap(({ name, program }) => program.dispatches.map(() => name));
  return account({ ...last!, runs: spans }, names, steps, peaks);
}

async function main(args: readonly string[]): Promise<void> {
  const options = readOptions(args);
  const gpu = await requestGpu(navigator.gpu);
  const rates = await measureRates(gpu);
  console.log(
    `${gpu.description}${
      gpu.caps.software ? " (software adapter: a correctness device, not a product number)" : ""
    }, ` +
      `f32: FMA ${(rates.fmaPerSecond / 1e9).toFixed(0)} GFLOP/s, copy ${
        (rates.copyBytesPerSecond / 1e9).toFixed(1)
      } GB/s`,
  );
  const accounts: [string, Account][] = [];
  for (const word of options.subjects) {
    const subject = await (word === "embed" ? openEmbedding(gpu, options) : openStep(gpu, options, word === "cached"));
    try {
      const made = await measure(gpu, subject, options, rates);
      accounts.push([subject.name, made]);
      console.log(`\n${formatAccount(subject.name, made)}`);
    } finally {
      subject.destroy();
    }
  }
  const said = args.join(" ").replace(/ ?--(json|trace|record)([ =](?!--)\S*)?/g, "");
  const source = { ...await provenance(gpu), command: `bench --profile ${said}`.trim(), rates };
  if (options.json !== undefined) {
    const steps = accounts.map(([name, made]) => ({ name, ...made }));
    Deno.writeTextFileSync(options.json, JSON.stringify({ ...source, steps }) + "\n");
  }
  if (options.trace !== undefined) Deno.writeTextFileSync(options.trace, JSON.stringify(trace(accounts)) + "\n");
  if (options.record !== undefined) {
    const folder = options.record || new URL("../results", import.meta.url).pathname;
    const lines = accounts.map(([name, { dispatches, ...sums }]) =>
      JSON.stringify({ case: name, dispatches: dispatches.length, ...sums, ...source }) + "\n"
    );
    Deno.writeTextFileSync(`${folder}/profile.jsonl`, lines.join(""), { append: true });
  }
}

if (import.meta.main) {
  try {
    await main(Deno.args);
  } catch (error) {
    const { message, hint } = error as SealError;
    console.error(hint ? `${message}\nhint: ${hint}` : message);
    Deno.exit(error instanceof ConfigError || error instanceof TypeError ? 2 : 1);
  }
}
