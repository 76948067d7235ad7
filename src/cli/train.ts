/**
 * `train`: training by a method, the first of those there are unless another is named. Without arguments, the bundled demo.
 *
 * @module
 */

import { ConfigError, InterruptedError } from "../core/errors.ts";
import { Stopwatch } from "../core/stopwatch.ts";
import { DEFAULT_METHOD, loadMethod, METHOD_NAMES, methodOf } from "../methods/index.ts";
import type { AnyMethod, AnyRunConfig } from "../methods/method.ts";
import type { ConfigDocument, UnusedKey } from "../train/config/format.ts";
import { TIMES } from "../train/times.ts";
import { type Args, COMMON, type Flags } from "./args.ts";
import { gpuOpener } from "./gpu.ts";
import { type Job, quoted } from "./interrupt.ts";
import { checkFolder } from "../io/output.ts";
import { Progress } from "./progress.ts";
import { prepareGpu } from "./setup.ts";
import { printJson } from "./terminal.ts";
import { runFolderOf } from "../run/folder.ts";
import { demoOf } from "../run/demo.ts";
import { hostOf, runHome } from "../run/host.ts";
import { train } from "../run/train.ts";

/** Name of the command. */
export const name = "train";
/** What it does. */
export const summary =
  "fine-tune an encoder with spatial transcriptomics, or train by another method; without arguments the bundled demo";
/** One example. */
export const example = "train --config data/configs/conch.yaml --data data/hest --out runs/conch optim.epochs=5";
/** Keys of the configuration may be given behind the flags. */
export const overrides = true;

/** The method that words of a command line name. */
async function methodAsked(argv: readonly string[]): Promise<AnyMethod> {
  const [, given] = argv.map((word) => /^(?:[\w.]+\.)?method=(.*)$/.exec(word)).findLast((found) => found) ?? [];
  return await loadMethod(given ?? DEFAULT_METHOD);
}

/** The keys of the method that is asked for. */
export async function keys(argv: readonly string[]): Promise<readonly string[]> {
  return (await methodAsked(argv)).config.names;
}

/** Keys of the configuration, for the help. */
export async function details(argv: readonly string[]): Promise<string> {
  const all = await Promise.all(METHOD_NAMES.map(loadMethod));
  const width = Math.max(...METHOD_NAMES.map((each) => each.length));
  const own = await methodAsked(argv);
  return [
    "Methods (method=NAME; --help with it lists its keys):",
    ...all.map((each) =>
      `  ${each.name.padEnd(width)}  ${each.summary}${each.name === DEFAULT_METHOD ? " (default)" : ""}`
    ),
    "",
    `Keys of ${own.name}:`,
    own.config.help(),
  ].join("\n");
}

/** Flags of the command. */
export const flags = {
  config: COMMON.config,
  data: { kind: "list", value: "DIR", help: "folder in HEST's layout: st, patches, metadata" },
  features: { kind: "list", value: "DIR", help: "folder with a feature file a slide, of methods that train on those" },
  encoder: { kind: "text", value: "NAME|PATH", help: "registry name, folder, weights file, or random:ARCH" },
  adapter: { kind: "text", value: "PATH", help: "PEFT LoRA folder or SEAL .pth to start from" },
  "genes-include": {
    kind: "list",
    value: "GENE,…",
    help: "genes the vocabulary has whatever their rank, beside the panel's; the rest are the most variable",
  },
  out: { kind: "text", value: "DIR", help: "run folder; an interrupted run is continued (default runs/ENCODER)" },
  seed: COMMON.seed,
  precision: COMMON.precision,
  overwrite: COMMON.overwrite,
  software: COMMON.software,
  backend: COMMON.backend,
  tuning: COMMON.tuning,
  "no-install": COMMON.noInstall,
  quiet: COMMON.quiet,
  json: COMMON.json,
} as const satisfies Flags;

type Values = Args<typeof flags>["flags"];

/** A configuration and its method. */
interface Asked {
  readonly method: AnyMethod;
  readonly config: AnyRunConfig;
  readonly folder: string;
}

/** Files, flags and overrides as one configuration; flags win over files, overrides over flags. */
async function configOf(
  { flags: values, overrides: given }: Args<typeof flags>,
  onUnused?: (keys: readonly UnusedKey[]) => void,
): Promise<Asked> {
  const documents: ConfigDocument[] = values.config === undefined
    ? []
    : [{ name: values.config, text: readText(values.config) }];
  const fromFlags = Object.entries({
    data: values.data.length ? JSON.stringify(values.data) : undefined,
    features: values.features.length ? JSON.stringify(values.features) : undefined,
    encoder: values.encoder,
    adapter: values.adapter,
    genes_include: values["genes-include"].length ? values["genes-include"].join(",") : undefined,
    out: values.out,
    seed: values.seed,
    precision: values.precision,
  }).filter((entry): entry is [string, string | number] => entry[1] !== undefined);
  const method = await methodOf(documents, given);
  const { config, unused } = method.config.read(documents, [
    ...fromFlags.map(([key, value]): [string, string] => [key, String(value)]),
    ...given,
  ]);
  if (unused.length > 0) onUnused?.(unused);
  const folder = runFolderOf(method, config);
  return { method, folder, config: { ...config, input: { ...config.input, out: folder } } };
}

/** At most so many keys are explained; of more, as a whole file of another program has, only the names are printed. */
const FEW_KEYS = 3;

/** What is said of keys that were given although nothing reads them. */
function unusedText(keys: readonly UnusedKey[]): string {
  const few = keys.length <= FEW_KEYS;
  return `Understood, not used: ${keys.map(({ key, reason }) => (few ? `${key} (${reason})` : key)).join(", ")}`;
}

/** Encoders that are opened. */
export async function encoders(args: Args<typeof flags>): Promise<readonly string[]> {
  if (isDemo(args.flags, args.overrides)) return [];
  const { method, config } = await configOf(args);
  return method.encoders?.(config) ?? [];
}

function readText(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (cause) {
    throw new ConfigError(`Cannot read ${path}: ${(cause as Error).message}`, { context: { file: path }, cause });
  }
}

/** Whether nothing but a place, a seed or how to run was said. */
function isDemo(values: Values, given: readonly unknown[]): boolean {
  return values.config === undefined && !values.data.length && !values.features.length &&
    values.encoder === undefined && given.length === 0;
}

/** Runs the command. */
export async function run(args: Args<typeof flags>, job: Job): Promise<number> {
  const { flags: values } = args;
  const started = new Date();
  const progress = new Progress(values.quiet);
  const demo = isDemo(values, args.overrides) ? await demoOf(values) : undefined;
  const asked = demo ?? await configOf(args, (unused) => progress.say(unusedText(unused)));
  checkFolder(asked.folder);
  const stopwatch = new Stopwatch();
  // The demo's data take a while to make, in vain where there is no adapter.
  if (demo && values.backend === "deno") await prepareGpu({ software: values.software });
  if (demo && !await stopwatch.time(TIMES.data, () => demo.prepare(progress, job.signal))) {
    throw new InterruptedError("Interrupted while the demo's slides were made");
  }
  const { method, config, folder } = asked;
  const result = await train({
    method,
    config,
    home: runHome(folder),
    host: hostOf(progress, job.signal),
    clock: { date: () => new Date(), ms: () => performance.now() },
    overwrite: values.overwrite,
    openGpu: gpuOpener(values, (text) => progress.say(text)),
    gracefully: (act) => job.gracefully(act),
    started,
    stopwatch,
    demo: demo !== undefined,
    command: ["deno task train", ...Deno.args.slice(1).map(quoted)].join(" "),
    versions: { Deno: Deno.version.deno, V8: Deno.version.v8 },
  });
  if (values.json) printJson(result);
  return 0;
}
