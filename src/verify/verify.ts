/**
 * Proves the engine on a device: arithmetic, every kernel text an encoder's plans pick at its true shapes, a method's steps beside
 * PyTorch's, embeddings beside PyTorch's, reruns bit for bit, and the share of the device's peak.
 *
 * @module
 */

import { LimitError } from "../core/errors.ts";
import type { Gpu } from "../gpu/device.ts";
import type { EncoderSpec } from "../models/encoder_spec.ts";
import { checkPlan, type KernelFinding } from "./kernel_check.ts";
import { type Numerics, probeNumerics } from "./numerics.ts";
import { embedPlan, type Images, type RecordedPlan } from "./plans.ts";
import type { KnownSteps, MethodProof } from "./proof.ts";
import { measureRates, type Rates } from "./rates.ts";
import { STEP_TOLERANCE } from "./tolerance.ts";
import { compareVectors, VECTOR_ENCODERS, type VectorsFinding } from "./vectors.ts";

/** What is to be proved. */
export interface VerifyOptions {
  /** The method whose training is proved: what it brings to prove it by, or that it brings nothing. */
  readonly training: { readonly method: string; readonly proof?: MethodProof | undefined };
  /** The encoder; full width, few blocks. */
  readonly encoder: EncoderSpec;
  /** Images an embedding plan takes, and pairs of a training step. */
  readonly batch: number;
  /** Genes of the training plans. */
  readonly genes: number;
  /** Side of the images that are embedded, px, beside the encoder's own. */
  readonly tile?: number;
  /** What is seen; noise without. */
  readonly images?: Images;
  /** `key=value` of the configuration of training. */
  readonly keys?: readonly (readonly [string, string])[];
  /** Kernel paths: for GPUs, barrier-free. */
  readonly paths: readonly ("gpu" | "flat")[];
  /** Told what is being done. */
  readonly onProgress?: (what: string) => void;
  /** Told of each kernel. */
  readonly onFinding?: (finding: KernelFinding) => void;
  /** Asked between plans whether to go on. */
  readonly signal?: AbortSignal;
}

/** A method's steps on one kernel path, twice. */
export interface StepsFinding extends KnownSteps {
  readonly path: string;
  /** Largest relative difference allowed. */
  readonly tolerance: number;
  /** Whether a second run gave the same bits. */
  readonly repeats: boolean;
  readonly ok: boolean;
}

/** All that was found. */
export interface Verification {
  readonly adapter: string;
  readonly software: boolean;
  readonly encoder: string;
  /** The method whose steps were trained; null where it brings none. */
  readonly training: string | null;
  readonly numerics: Numerics;
  readonly rates: Rates;
  readonly steps: readonly StepsFinding[];
  readonly vectors: readonly VectorsFinding[];
  readonly kernels: readonly KernelFinding[];
  /** Plans left out, with the reason. */
  readonly skipped: readonly string[];
  readonly ok: boolean;
}

/** Steps trained: as many as show a fault that builds up. */
const STEPS = 30;

/** Trains a method's steps twice on one kernel path. */
export async function proveSteps(gpu: Gpu, proof: MethodProof, path: string): Promise<StepsFinding> {
  const [first, second] = [await proof.steps(gpu, STEPS), await proof.steps(gpu, STEPS)];
  const repeats = JSON.stringify(first.last) === JSON.stringify(second.last);
  return { ...first, path, tolerance: STEP_TOLERANCE, repeats, ok: repeats && first.error <= STEP_TOLERANCE };
}

/** Images embedded at once beside PyTorch's: as many as make large products. */
const MOST_IMAGES = 64;

async function verifyVectors(
  gpu: Gpu,
  path: string,
  { batch, onProgress, signal }: VerifyOptions,
): Promise<VectorsFinding[]> {
  const found: VectorsFinding[] = [];
  for (const encoder of VECTOR_ENCODERS) {
    for (const dtype of ["f32", "f16"] as const) {
      signal?.throwIfAborted();
      onProgress?.(`embeddings of ${encoder} beside PyTorch's, weights in ${dtype}, ${path} kernels`);
      found.push(await compareVectors(gpu, { encoder, dtype, path, images: Math.min(batch, MOST_IMAGES) }));
    }
  }
  return found;
}

/** Plans of an encoder as embedding, training and evaluation choose them on this device, with what is configured. */
function plansOf(gpu: Gpu, options: VerifyOptions): (() => RecordedPlan[])[] {
  const { encoder, batch, genes, tile, images, keys = [], training: { proof } } = options;
  const tiles = [...new Set([encoder.input.size, tile ?? encoder.input.tile])];
  const dtypes = ["f32", "f16"] as const;
  return [
    ...dtypes.flatMap((dtype) =>
      tiles.map((side) => () =>
        [embedPlan(gpu, encoder, dtype, batch, side, { images })].filter((plan) => plan !== undefined)
      )
    ),
    ...proof?.plans(gpu, encoder, { batch, genes, images, keys }) ?? [],
  ];
}

/** Runs everything. @throws {DeviceError} If the device is lost. */
export async function verify(gpu: Gpu, options: VerifyOptions): Promise<Verification> {
  const { onProgress = () => {}, onFinding = () => {}, signal, encoder, paths, training } = options;
  const { proof, method } = training;
  onProgress("arithmetic");
  const numerics = await probeNumerics(gpu);
  onProgress("rates");
  const rates = await measureRates(gpu);
  const steps: StepsFinding[] = [];
  const vectors: VectorsFinding[] = [];
  const kernels: KernelFinding[] = [];
  const skipped = proof === undefined ? [`training: method ${method} brings no steps whose losses are known`] : [];
  for (const path of paths) {
    const on = gpu.withCaps({ flat: path === "flat" });
    signal?.throwIfAborted();
    if (proof !== undefined) {
      onProgress(`${STEPS} steps of ${proof.label}, ${path} kernels`);
      steps.push(await proveSteps(on, proof, path));
    }
    vectors.push(...await verifyVectors(on, path, options));
    const seen = new Set<string>();
    for (const record of plansOf(on, options)) {
      const plans = record();
      for (const recorded of plans) {
        signal?.throwIfAborted();
        onProgress(recorded.name);
        try {
          kernels.push(...await checkPlan(on, recorded, { seen, onFinding }));
        } catch (error) {
          if (!(error instanceof LimitError)) throw error;
          skipped.push(`${recorded.name}: ${error.message}`);
        }
      }
      for (const recorded of plans) recorded.destroy();
    }
  }
  const ok = [...steps, ...vectors].every((finding) => finding.ok) && kernels.every(({ fault }) => fault === undefined);
  const { description, caps: { software } } = gpu;
  return {
    adapter: description,
    software,
    encoder: encoder.name,
    training: proof?.label ?? null,
    numerics,
    rates,
    steps,
    vectors,
    kernels,
    skipped,
    ok,
  };
}
