/**
 * A run that is open on the device.
 *
 * @module
 */

import { DataError } from "../../core/errors.ts";
import { Rng, streamOf } from "../../core/rng.ts";
import type { Gpu } from "../../gpu/device.ts";
import type { Tensor } from "../../graph/tensor.ts";
import type { OpenedEncoder } from "../../models/opened_encoder.ts";
import type { Parameters } from "../../nn/parameters.ts";
import { AdamW, type ParameterGroup } from "../../optim/adamw.ts";
import { decays, layerOf } from "../../optim/param_groups.ts";
import { adamwOptions } from "../../train/config/optim.ts";
import type { Host } from "../../train/host.ts";
import { openVision } from "../../train/open_rows.ts";
import type { RowModel } from "../../train/row_model.ts";
import type { VisionPart } from "../../train/trainable.ts";
import type { VortexConfig } from "./config.ts";
import { headsOf, pairsOf, type VortexData } from "./data.ts";
import { encodePatches, Pooler, rowsModel, type Said } from "./inference.ts";
import { createVortexModel, RATE_GROUPS, type RateGroup, type VortexModel } from "./model.ts";
import { type Patch, type PatchDepths, type PatchShape, readPatch } from "./sampler.ts";
import { createPatchEncoder, type PatchEncoder } from "./slices.ts";

/** What stands open. */
export interface VortexSession {
  readonly config: VortexConfig;
  readonly data: VortexData;
  readonly gpu: Gpu;
  readonly host: Pick<Host, "reporter" | "signal">;
  readonly opened: OpenedEncoder;
  readonly patchEncoder: PatchEncoder;
  readonly model: VortexModel;
  readonly parameters: Parameters;
  readonly optimizer: AdamW;
  readonly shape: PatchShape;
  /** Number of the head of each volume, -1 of that of interest. */
  readonly heads: readonly number[];
  /** Spots of interest to train on. */
  readonly voiPairs: readonly number[];
  /** Reads patches of pairs, whole or the spot's slice alone. */
  patches(pairs: ArrayLike<number>, slices?: number): Promise<Patch[]>;
  /** Tokens of the slices of pairs as the encoder is now, `[n, Z, D]`, and where they lie. */
  encode(pairs: ArrayLike<number>, slices: number): Promise<Encoded>;
  /** What the model says of pairs now. */
  say(pairs: ArrayLike<number>): Promise<Said>;
  close(): void;
}

/** Pairs with the tokens of their slices. */
export interface Encoded {
  readonly tokens: Float32Array;
  readonly depths: readonly PatchDepths[];
}

/** Patches at a time behind the encoder. */
const BLOCK = 64;

/** Which of its rates a parameter follows: the encoder's unless its name begins otherwise. */
export function rateOf(name: string): RateGroup | "encoder" {
  const found = Object.entries(RATE_GROUPS).find(([, starts]) => starts.some((start) => name.startsWith(start)));
  return (found?.[0] as RateGroup | undefined) ?? "encoder";
}

function groupsOf({ optim }: VortexConfig, { layers }: Pick<VisionPart, "layers">): ParameterGroup[] {
  const rates = [...Object.keys(RATE_GROUPS), "encoder"];
  const both = (rate: string, lrScale: number, mine: (name: string) => boolean): ParameterGroup[] => [
    { rate, lrScale, weightDecay: optim.weight_decay, match: (name, tensor) => mine(name) && matrix(name, tensor) },
    { rate, lrScale, match: mine },
  ];
  const matrix = (name: string, tensor: Tensor) => decays(name, tensor) && !name.endsWith(".query");
  return rates.flatMap((rate) => {
    if (rate !== "encoder" || !layers) return both(rate, 1, (name) => rateOf(name) === rate);
    const top = layers.depth + (layers.pooler ? 1 : 0);
    return Array.from(
      { length: top + 1 },
      (_, i) =>
        both(
          rate,
          layers.decay ** (top - i),
          (name) => rateOf(name) === rate && Math.min(top, layerOf(name, layers.depth)) === i,
        ),
    ).flat();
  });
}

/** Spots of interest to train on: all, or so many drawn. @throws {DataError} If there are fewer than four. */
function voiPairs({ stages, optim }: VortexConfig, data: VortexData): number[] {
  if (data.voi === undefined) return [];
  const all = pairsOf(data, data.voi, "train");
  if (all.length < 4) {
    throw new DataError(
      `Cannot train on ${data.volumes[data.voi]!.name}: ${all.length} measured spots train, expected four or more`,
      { code: "too-few-spots", hint: "Look at part in the table of volumes", context: { found: all.length } },
    );
  }
  if (stages.voi_spots === null || stages.voi_spots >= all.length) return all;
  const order = new Rng(optim.seed, streamOf("spots of interest")).permutation(all.length);
  return [...order.slice(0, stages.voi_spots)].sort((a, b) => a - b).map((i) => all[i]!);
}

/** Opens encoder, model and optimiser. */
export async function openSession(
  gpu: Gpu,
  config: VortexConfig,
  data: VortexData,
  host: Pick<Host, "openEncoder" | "reporter" | "signal">,
): Promise<VortexSession> {
  const { opened, vision } = await openVision(gpu, config, host, { tuningSize: false });
  const { encoder } = opened;
  const { parameters } = encoder;
  const channels = data.volumes[0]!.volume.channels.length;
  const heads = headsOf(data);
  const volumes = heads.filter((head) => head >= 0).length;
  const sizes = { dim: encoder.dim, heads: encoder.vit.config.heads, genes: data.genes.length, volumes };
  const model = createVortexModel(parameters, sizes, config);
  const patchEncoder = createPatchEncoder(encoder, model, { channels, config });
  parameters.allocate();
  const optimizer = new AdamW(parameters, groupsOf(config, vision), adamwOptions(config.optim));
  const { field, slices: Z, slice_step: step } = config.patch;
  const shape: PatchShape = { field, side: patchEncoder.side, slices: Z, step };
  const used = new Used(gpu, config, model, patchEncoder, shape);
  const patches: VortexSession["patches"] = async (pairs, count = Z) => {
    const read: Patch[] = [];
    for (let i = 0; i < pairs.length; i++) {
      const { volume, place } = data.pairs[pairs[i]!]!;
      const from = data.volumes[volume]!;
      read.push(await readPatch(from.volume, place, { ...shape, slices: count }, from.window));
    }
    return read;
  };
  return {
    ...{ config, data, gpu, host, opened, patchEncoder, model, parameters, optimizer, shape, heads, patches },
    voiPairs: voiPairs(config, data),
    encode: (pairs, slices) => encodePairs({ patches, used, signal: host.signal }, pairs, slices),
    say: (pairs) => sayPairs({ patches, used, signal: host.signal }, pairs),
    close() {
      used.destroy();
      optimizer.destroy();
      parameters.destroy();
      data.close();
    },
  };
}

/** What pairs go through. */
interface Through extends Pick<VortexSession, "patches"> {
  readonly used: Used;
  readonly signal: AbortSignal | undefined;
}

/** Pairs, some at a time. */
async function inBlocks({ signal }: Through, pairs: ArrayLike<number>, act: (some: number[]) => Promise<void>) {
  for (let from = 0; from < pairs.length; from += BLOCK) {
    signal?.throwIfAborted();
    await act(Array.from({ length: Math.min(BLOCK, pairs.length - from) }, (_, i) => pairs[from + i]!));
  }
}

async function encodePairs(through: Through, pairs: ArrayLike<number>, slices: number): Promise<Encoded> {
  const [parts, depths]: [Float32Array[], PatchDepths[]] = [[], []];
  await inBlocks(through, pairs, async (some) => {
    const read = await through.patches(some, slices);
    parts.push(await through.used.tokens(read));
    depths.push(...read.map(({ distance, inside }) => ({ distance, inside })));
  });
  return { tokens: joined(parts), depths };
}

async function sayPairs(through: Through, pairs: ArrayLike<number>): Promise<Said> {
  const said: Said[] = [];
  await inBlocks(through, pairs, async (some) => {
    said.push(await through.used.say(await through.patches(some)));
  });
  const heads = Object.keys(said[0]?.heads ?? {}) as (keyof Said["heads"])[];
  return {
    pooled: joined(said.map(({ pooled }) => pooled)),
    image: joined(said.map(({ image }) => image)),
    heads: Object.fromEntries(heads.map((head) => [head, joined(said.map((part) => part.heads[head]!))])),
  };
}

/** Rows one behind the other. */
function joined(parts: readonly Float32Array[]): Float32Array<ArrayBuffer> {
  const out = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Plans of inference, compiled when they are first needed. */
class Used {
  #encoder: Promise<RowModel> | undefined;
  #pooler: Promise<Pooler> | undefined;

  constructor(
    private readonly gpu: Gpu,
    private readonly config: VortexConfig,
    private readonly model: VortexModel,
    private readonly patchEncoder: PatchEncoder,
    private readonly shape: PatchShape,
  ) {}

  async tokens(patches: readonly Patch[]): Promise<Float32Array> {
    const { gpu, patchEncoder, shape: { slices } } = this;
    return await encodePatches(await (this.#encoder ??= rowsModel(gpu, patchEncoder, slices)), patchEncoder, patches);
  }

  async say(patches: readonly Patch[]): Promise<Said> {
    const { gpu, config, model, patchEncoder, shape: { slices } } = this;
    this.#pooler ??= Pooler.compile(gpu, model, { config, patchEncoder, slices, block: BLOCK });
    return await (await this.#pooler).run(await this.tokens(patches), patches);
  }

  destroy(): void {
    for (const plan of [this.#encoder, this.#pooler]) plan?.then((made) => made.destroy(), () => {});
  }
}
