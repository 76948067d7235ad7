/**
 * Opening trained runs, each as what its method offers.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import type { MethodSettings } from "../methods/settings.gen.ts";
import type { RunSettings } from "../run/open.ts";
import { checkChoice, checkCount, checkOptions, checkText, type Known } from "./check.ts";
import type { SlideTask } from "../methods/method.ts";
import type { ClassifierRun } from "./classifier_run.ts";
import { onDevice } from "./device.ts";
import { toPrograms } from "./hints.ts";
import { LISTENER, listener } from "./listener.ts";
import type { OwnModel } from "./own_model.ts";
import { type OwnMethod, partsBehind } from "./own_method.ts";
import { OwnRun } from "./own_run.ts";
import type { RegressionRun } from "./regression_run.ts";
import { type OpenOptions, type OpenRunOptions, Run } from "./run.ts";
import type { SlidesParts } from "./slides_run.ts";
import type { SurvivalRun } from "./survival_run.ts";

/** Methods whose runs tell something of slides: classes, unless their task is another. */
export type ClassifierMethod = "mil";

/** Runs of slides by their tasks. */
export interface SlideRuns {
  /** Classes. */
  readonly classification: ClassifierRun;
  /** Risks. */
  readonly survival: SurvivalRun;
  /** Numbers. */
  readonly regression: RegressionRun;
}

/** How a run of slides is opened. */
export interface OpenSlidesOptions<Task extends keyof SlideRuns = keyof SlideRuns> extends OpenOptions {
  /** What the run was trained on. */
  readonly task: Task;
}

/** Methods whose runs predict expression. */
export type ExpressionMethod = Exclude<keyof MethodSettings, ClassifierMethod>;

/**
 * Opens a trained run.
 *
 * ```ts
 * import { openHest, openRun, train } from "@seal-webgpu/seal";
 *
 * const { folder } = await train("seal", {
 *   data: "data/hest",
 *   encoder: "random:vit_small_patch16_224?dim=32&depth=2&heads=2&img=32",
 *   out: "runs/opened",
 *   config: { epochs: 1, batch_size: 16, n_train_genes: 64, panel_genes: 8, hidden_dims: [16] },
 * });
 * await using run = await openRun(folder);
 * const { genes, data } = await run.predict("patch.png"); // [1, genes]
 * const [first] = await run.retrieve({ genes: { [genes[0]!]: 3 } }, { among: await openHest("data/hest"), k: 5 });
 * const { pearson } = await run.evaluate();
 * console.log(data.length, first?.sample, first?.barcode, first?.score, pearson.mean);
 * ```
 *
 * @param folder Folder that training wrote.
 * @param options `method`: which a run is of whose method is not the default.
 * @throws {ConfigError} If it is no run, lacks the checkpoint, or was trained by another method.
 * @throws {WeightsError | DataError} If a file is damaged or of another version, or the encoder's weights are others.
 * @throws {DeviceError} If there is no adapter.
 */
export function openRun(
  folder: string,
  options?: OpenRunOptions & { readonly method?: ExpressionMethod | undefined },
): Promise<Run>;
/** Opens a run that tells classes of slides from stored features. */
export function openRun(
  folder: string,
  options: OpenOptions & { readonly method: ClassifierMethod },
): Promise<ClassifierRun>;
/** Opens a run that tells risks or numbers of slides from stored features. */
export function openRun<Task extends keyof SlideRuns>(
  folder: string,
  options: OpenSlidesOptions<Task> & { readonly method: ClassifierMethod },
): Promise<SlideRuns[Task]>;
/** Opens a run of a method of one's own; its definition reads the data and builds the model. */
export function openRun<Settings, M extends OwnModel>(
  folder: string,
  options: OpenOptions & { readonly method: OwnMethod<Settings, M> },
): Promise<OwnRun<M>>;
/** Opens a run. */
export async function openRun(
  folder: string,
  options: OpenRunOptions & Method = {},
): Promise<Run | SlideRuns[keyof SlideRuns] | OwnRun<OwnModel>> {
  checkOpen(folder, options);
  return await toPrograms(() => open(folder, options));
}

async function open(
  folder: string,
  options: OpenRunOptions & Method,
): Promise<Run | SlideRuns[keyof SlideRuns] | OwnRun<OwnModel>> {
  const { method } = options;
  if (typeof method === "object" && method !== null) return await openOwn(folder, method, options);
  const settings = await (await import("../run/open.ts")).runSettings(folder);
  const { name, slides } = settings.method;
  if (method === undefined ? slides !== undefined : method !== name) {
    throw new ConfigError(
      `Cannot open the run ${folder} as one of ${
        method ?? "a method that predicts expression"
      }: it was trained by ${name}`,
      {
        code: "method-unsupported",
        hint: `openRun(${JSON.stringify(folder)}, { method: "${name}" })`,
        context: { run: folder, method: name },
      },
    );
  }
  return slides === undefined ? await openExpression(folder, options) : await openSlides(folder, settings, options);
}

type Method = {
  readonly method?: string | OwnMethod<unknown> | undefined;
  readonly task?: string | undefined;
};

/** Tasks of runs of slides. */
const TASKS: readonly (keyof SlideRuns)[] = ["classification", "survival", "regression"];

const OPTIONS: Known<OpenRunOptions & Method> = {
  ...LISTENER,
  gpu: true,
  checkpoint: true,
  method: true,
  task: true,
  encoder: true,
  precision: true,
  batchSize: true,
  with: true,
  expression: true,
};

function checkOpen(folder: unknown, options: OpenRunOptions & Method): void {
  const what = "open a run";
  checkText(what, "folder", folder);
  checkOptions(what, options, OPTIONS);
  const { checkpoint, precision, batchSize, with: source, expression = {}, task } = options;
  checkOptions(what, expression, { counts: true, dropBadSpots: true, dropUnknownPatches: true }, "expression");
  checkChoice(what, "checkpoint", checkpoint, ["best", "last"]);
  checkChoice(what, "task", task, TASKS);
  checkChoice(what, "precision", precision, ["f32", "f16"]);
  checkChoice(what, "with", source, ["auto", "probe", "decoder", "head"]);
  checkCount(what, "batchSize", batchSize);
}

/** Steps that a checkpoint was trained. */
function stepOf({ state }: { readonly state: unknown }): number {
  return (state as { loop?: { step?: number } }).loop?.step ?? -1;
}

async function openSlides(
  folder: string,
  { method, config }: RunSettings,
  { gpu: device, checkpoint = "best", task = "classification", ...told }: OpenOptions & Method,
): Promise<SlideRuns[keyof SlideRuns]> {
  const { checkpointOf } = await import("../run/open.ts");
  const found = checkpointOf(folder, checkpoint, config);
  const run = method.slides!(config, found);
  const { kind } = run.task;
  if (kind !== task) {
    throw new ConfigError(`Cannot open the run ${folder} for ${task}: it was trained on a ${kind}`, {
      code: "method-unsupported",
      hint: `openRun(${JSON.stringify(folder)}, { method: "${method.name}", task: "${kind}" })`,
      context: { run: folder, task: kind },
    });
  }
  return await onDevice(device, async (gpu, owned) => {
    const release = () => owned && gpu.destroy();
    const parts = { folder, step: stepOf(found), run, reporter: listener(told), release };
    return await slidesRun(kind, { ...parts, model: await run.open(gpu) });
  });
}

/** A run of slides of its kind. */
async function slidesRun(kind: SlideTask["kind"], parts: SlidesParts): Promise<SlideRuns[keyof SlideRuns]> {
  if (kind === "survival") return new (await import("./survival_run.ts")).SurvivalRun(parts);
  if (kind === "regression") return new (await import("./regression_run.ts")).RegressionRun(parts);
  return new (await import("./classifier_run.ts")).ClassifierRun(parts);
}

async function openOwn(
  folder: string,
  own: OwnMethod<unknown>,
  { gpu: device, checkpoint = "best" }: OpenOptions,
): Promise<OwnRun<OwnModel>> {
  const parts = partsBehind(own);
  if (parts === undefined) {
    throw new ConfigError(`Cannot open the run ${folder}: the method is neither a name nor made by defineMethod`, {
      hint: "Pass the method that trained it",
    });
  }
  const { checkpointOf, runSettings } = await import("../run/open.ts");
  const { config } = await runSettings(folder, parts.method);
  const found = checkpointOf(folder, checkpoint, config);
  return await onDevice(device, async (gpu, owned) => {
    const model = await parts.use(gpu, config, found);
    const release = () => owned && gpu.destroy();
    return new OwnRun(model, { folder, method: own.name, step: stepOf(found), release });
  });
}

async function openExpression(folder: string, options: OpenRunOptions): Promise<Run> {
  const { checkpoint = "best", encoder, precision, with: asked = "auto" } = options;
  const [
    { lookAtRun, openRun: open, originOf },
    { chooseRunSource, readRunHead, readRunProbe },
    { hostOf },
    { withProbe },
    names,
  ] = await Promise.all([
    import("../run/open.ts"),
    import("../run/predictors.ts"),
    import("../run/host.ts"),
    import("../eval/predictor.ts"),
    import("../data/genes/vocabulary.ts"),
  ]);
  const known = await lookAtRun({ run: folder, checkpoint, encoder });
  const { source } = chooseRunSource(folder, asked, originOf(folder, checkpoint, known).step);
  const probe = source === "probe" ? readRunProbe(folder, known.vocabulary.genes.length) : undefined;
  const head = source === "head" ? readRunHead(folder) : undefined;
  return await onDevice(options.gpu, async (gpu, owned) => {
    const batchSize = options.batchSize ?? (gpu.caps.software ? 8 : 64);
    const host = hostOf(listener(options));
    const run = await open(gpu, { run: folder, checkpoint, encoder, precision, batchSize, host, head }, known);
    const model = probe ? withProbe(run.model, probe, `${folder}: probe`) : run.model;
    return new Run({ ...run, model }, options, {
      genes: names.writtenGenes(known.vocabulary),
      predictor: source,
      judged: {
        gpu,
        encoder: encoder ?? known.encoder,
        imageSize: (known.found.state as { readonly image_size?: number } | undefined)?.image_size,
      },
      release: () => owned && gpu.destroy(),
    });
  });
}
