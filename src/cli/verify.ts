/**
 * `verify`: proves the kernels on this machine's adapter, on one page and as one JSON file for a report of a fault.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { INCOMPLETE } from "../core/exit_status.ts";
import { VERSION } from "../core/version.ts";
import { disk } from "../io/fs.ts";
import { findEncoder } from "../models/encoder_registry.ts";
import { DEFAULT_METHOD, loadMethod, METHOD_NAMES, methodOf } from "../methods/index.ts";
import type { EncoderSpec } from "../models/encoder_spec.ts";
import { RANDOM_PREFIX, randomEncoder } from "../models/random_encoder.ts";
import type { KernelFinding } from "../verify/kernel_check.ts";
import { describeNumerics } from "../verify/numerics.ts";
import { type Verification, verify, type VerifyOptions } from "../verify/verify.ts";
import { type Args, COMMON, type Flags } from "./args.ts";
import { checkEncoder } from "../run/encoder.ts";
import { openGpu } from "./gpu.ts";
import type { Job } from "./interrupt.ts";
import { checkFolder, parentOf } from "../io/output.ts";
import { Progress } from "./progress.ts";
import { count } from "../core/text_table.ts";
import { print, printJson } from "./terminal.ts";
import { readOwnData } from "./verify_data.ts";
import { parityPage, verifyParity } from "./verify_parity.ts";

/** Name of the command. */
export const name = "verify";
/** What it does. */
export const summary =
  "prove the kernels on this machine's adapter: each at its true shapes, steps of training, reruns, rates";
/** An example. */
export const example = "verify --encoder uni2-h --out verify.json";
/** Keys of the configuration choose what the training plans compute. */
export const overrides = true;
/** The keys: those of the method whose steps are proved. */
export const keys = async (): Promise<readonly string[]> => (await loadMethod(DEFAULT_METHOD)).config.names;
/** Which they are. */
export const details = (): Promise<string> =>
  Promise.resolve(
    "KEY=VALUE as of train are proved in place of the defaults; deno task train --help lists them.",
  );
/** Its flags. */
export const flags = {
  encoder: {
    kind: "text",
    value: "NAME|PATH",
    default: "vit-s16",
    help:
      "whose plans are checked: a name of the registry or random:ARCH, without weights, or a folder or file of weights",
  },
  against: {
    kind: "text",
    value: "FILE",
    help: "only compare features with PyTorch's in a file of scripts/parity_kit.py, made of the same weights",
  },
  adapter: { kind: "text", value: "PATH", help: "with --against: PEFT LoRA folder on the encoder" },
  precision: COMMON.precision,
  "batch-size": {
    ...COMMON["batch-size"],
    help: "images at a time and pairs of a step; by default as embed and train, on a software adapter 4",
  },
  genes: {
    kind: "number",
    value: "N",
    integer: true,
    min: 2,
    max: 100000,
    help: "genes of the training plans; by default those of --data, else 2000",
  },
  data: {
    kind: "text",
    value: "PATH",
    help: "patch file, HEST folder or images: its images instead of noise, and its number of genes",
  },
  kernels: {
    kind: "choice",
    of: ["auto", "gpu", "flat"],
    default: "auto",
    help: "which kernels: for GPUs, barrier-free; auto: those for GPUs, and on a software adapter both",
  },
  out: { kind: "text", value: "FILE", help: "where the JSON goes; nowhere unless given" },
  software: COMMON.software,
  backend: COMMON.backend,
  quiet: COMMON.quiet,
  json: COMMON.json,
} as const satisfies Flags;

/** Genes where nothing says how many. */
const GENES = 2000;
/** Batch sizes by default. */
const BATCH = { software: 4, gpu: 32 };

/** Runs the command. Exit status 3 if something is wrong. */
export async function run({ flags: values, overrides }: Args<typeof flags>, { signal }: Job): Promise<number> {
  const { out } = values;
  const training = await checkTogether(values, overrides);
  if (out !== undefined) checkFolder(parentOf(out));
  if (values.against !== undefined) return await runParity(values, values.against, signal);
  const encoder = await specOf(values.encoder);
  const own = values.data === undefined ? undefined : await readOwnData(values.data);
  const gpu = await openGpu({ software: values.software, backend: values.backend });
  const progress = new Progress(values.quiet || values.json);
  try {
    const { software } = gpu.caps;
    const found = await verify(gpu, {
      training,
      encoder,
      batch: values["batch-size"] ?? (software ? BATCH.software : BATCH.gpu),
      keys: overrides,
      genes: values.genes ?? Math.max(2, own?.genes ?? GENES),
      ...(own && { images: own.images }),
      ...(own?.side !== undefined && { tile: own.side }),
      paths: values.kernels === "auto" ? (software ? ["flat", "gpu"] : ["gpu"]) : [values.kernels as "gpu" | "flat"],
      signal,
      onProgress: (what) => progress.say(what),
      onFinding: ({ fault, kernel, shapes, variant }) => {
        if (fault !== undefined) progress.warn(`${kernel} (${variant}) on ${shapes}: ${fault}`);
      },
    });
    const given = disk.look(values.encoder) !== undefined;
    return tell(values, found, page(found) + (given ? `\n\n${uncompared(values.encoder)}` : ""));
  } finally {
    gpu.destroy();
  }
}

/** What the plans of an encoder do not say of its weights. */
function uncompared(folder: string): string {
  return `The kernels ran on numbers of their own: the features of ${folder} were compared with no reference. To do so:
  python scripts/parity_kit.py ${folder} parity.safetensors
  deno task verify --encoder ${folder} --against parity.safetensors`;
}

type Values = Args<typeof flags>["flags"];

/** Writes and prints what was found. @returns The exit status. */
function tell({ out, json }: Values, found: { readonly ok: boolean }, text: string): number {
  // JSON knows no infinity: what is missing or endless is written as text.
  const record = JSON.parse(
    JSON.stringify(
      { ...recordOf(), ...found },
      (_, value) => typeof value === "number" && !Number.isFinite(value) ? String(value) : value,
    ),
  );
  if (out !== undefined) disk.write(out, `${JSON.stringify(record, null, 1)}\n`);
  if (json) printJson(record);
  else print(text);
  return found.ok ? 0 : INCOMPLETE;
}

/** Refuses flags that need another. @returns What of training is proved. */
async function checkTogether(
  { against, adapter, precision, data }: Values,
  overrides: Args["overrides"],
): Promise<VerifyOptions["training"]> {
  const [first] = overrides;
  if (against !== undefined && first) {
    throw new ConfigError(`Cannot verify with --against and ${first[0]}: nothing is trained then`, {
      hint: "Give one of them",
      context: { key: first[0] },
    });
  }
  if (overrides.some(([key]) => key === "encoder")) {
    throw new ConfigError("Cannot verify with the key encoder: a flag names it", {
      hint: "deno task verify --encoder NAME",
      context: { key: "encoder" },
    });
  }
  // A wrong key is reported before a device opens.
  const method = await methodOf([], overrides);
  const { encoders } = method;
  method.config.read([], [
    ...(encoders === undefined ? [] : [["encoder", `${RANDOM_PREFIX}vit-s16`] as const]),
    ...overrides,
  ]);
  const training = { method: method.name, proof: await method.proof?.() };
  if (training.proof === undefined && first !== undefined) await refuseKeys(method.name, first[0]);
  if (against !== undefined && data !== undefined) {
    throw new ConfigError("Cannot verify with --against and --data: the file of the former has tiles of its own", {
      hint: "Name images for it: python scripts/parity_kit.py FOLDER FILE --image IMAGE",
      context: { key: "data" },
    });
  }
  if (against !== undefined) return training;
  const alone = adapter !== undefined ? "--adapter" : precision !== undefined ? "--precision" : undefined;
  if (alone === undefined) return training;
  throw new ConfigError(`Cannot verify with ${alone} alone: it is of comparisons with PyTorch`, {
    hint: "Add --against FILE, made by scripts/parity_kit.py",
    context: { key: alone.slice(2) },
  });
}

/** Keys choose what training computes: they are in vain where none of it can be proved. */
async function refuseKeys(name: string, key: string): Promise<never> {
  const all = await Promise.all(METHOD_NAMES.map(loadMethod));
  const able = all.filter(({ proof }) => proof !== undefined).map((each) => `method=${each.name}`);
  throw new ConfigError(`Cannot verify the method ${name}: it brings no steps whose losses are known`, {
    hint: [...able, "or give no keys"].join(", "),
    context: { key, given: name },
  });
}

async function runParity(values: Values, against: string, signal: AbortSignal): Promise<number> {
  const { encoder, adapter, kernels, software, backend, precision } = values;
  const dtype = precision === "f16" ? "f16" : "f32";
  const progress = new Progress(values.quiet || values.json);
  const found = await verifyParity({ encoder, adapter, against, dtype, kernels, software, backend }, progress, signal);
  return tell(values, found, parityPage(found));
}

/** What is proved: an encoder of the registry or a random one needs no weights, of a folder or a file those at hand say what it is. */
async function specOf(name: string): Promise<EncoderSpec> {
  if (disk.look(name) !== undefined) return await checkEncoder(name);
  return name.startsWith(RANDOM_PREFIX) ? randomEncoder(name).spec : findEncoder(name);
}

/** What a report of a fault needs besides. */
function recordOf(): Record<string, unknown> {
  return {
    version: VERSION,
    deno: Deno.version.deno,
    os: `${Deno.build.os} ${Deno.osRelease()}`,
    arch: Deno.build.arch,
  };
}

const rate = (value: number, unit: string): string =>
  value >= 1e12 ? `${(value / 1e12).toFixed(2)} T${unit}` : `${(value / 1e9).toFixed(1)} G${unit}`;

/** Findings of a kernel as one row: texts and shapes, checks, the largest share of what is allowed. */
function kernelRow(kernel: string, findings: readonly KernelFinding[]): string {
  const checks = [...new Set(findings.flatMap((finding) => finding.checks))].sort().join(", ");
  const worst = Math.max(...findings.map(({ error }) => error));
  const faults = findings.filter(({ fault }) => fault !== undefined).length;
  const texts = count(findings.length, "shape");
  return `  ${kernel.padEnd(28)} ${texts.padStart(11)}  ${checks.padEnd(18)} ${worst.toExponential(1)}  ${
    faults ? count(faults, "fault") : "ok"
  }`;
}

function page(
  { adapter, encoder, training, numerics, rates, steps, vectors, kernels, skipped, ok }: Verification,
): string {
  const yes = (value: boolean) => (value ? "yes" : "no");
  const by = Map.groupBy(kernels, ({ kernel }) => kernel);
  const faults = kernels.filter(({ fault }) => fault !== undefined);
  return [
    `${adapter}: ${ok ? "all checks passed" : "NOT all checks passed"}`,
    "",
    "Arithmetic (largest error; WGSL promises little of it, and the kernels rely on none of what is optional)",
    ...Object.entries(describeNumerics(numerics)).map(([what, found]) => `  ${what.padEnd(38)} ${found}`),
    "",
    "Rates",
    `  copy ${rate(rates.copyBytesPerSecond, "B/s")}, multiply-add ${
      rate(rates.fmaPerSecond, "FLOP/s")
    }, our product of ${rates.side} x ${rates.side} ${rate(rates.matmulPerSecond, "FLOP/s")} (${
      (100 * rates.matmulShare).toFixed(0)
    } % of the multiply-adds)`,
    "",
    ...(training === null ? [] : [`${training} beside PyTorch`]),
    ...steps.map((step) =>
      `  ${step.path} kernels: losses of ${step.steps} steps within ${
        step.error.toExponential(1)
      } (allowed ${step.tolerance}), again the same bits: ${yes(step.repeats)}${
        step.ok ? "" : `; worst is ${step.worst}`
      }`
    ),
    ...(training === null ? [] : [""]),
    "Embeddings beside PyTorch (f64): smallest cosine, largest difference in units of the root mean square",
    ...vectors.map(({ path, encoder, dtype, images, cosine, difference, tolerance, parts, ok }) =>
      `  ${path.padEnd(4)}  ${encoder.padEnd(46)} ${dtype}  ${count(images, "image").padStart(9)}  ${
        cosine.toFixed(9)
      }  ${difference.toExponential(1)}  ${
        ok
          ? "ok"
          : `FAULT: they part at ${parts} (allowed ${tolerance.cosine} and ${tolerance.difference.toExponential(0)})`
      }`
    ),
    "",
    `Kernels of ${encoder} (${
      count(kernels.length, "text and shape", "texts and shapes")
    }; largest difference in units of the root mean square)`,
    ...[...by].sort(([a], [b]) => (a < b ? -1 : 1)).map(([kernel, found]) => kernelRow(kernel, found)),
    ...faults.flatMap(({ kernel, variant, shapes, plan, fault, error, tolerance }) => [
      "",
      `FAULT ${kernel}: ${fault} by ${error.toExponential(1)}, allowed ${tolerance}`,
      `  ${variant}`,
      `  ${shapes}`,
      `  in: ${plan}`,
    ]),
    ...skipped.map((what) => `left out: ${what}`),
  ].join("\n");
}
