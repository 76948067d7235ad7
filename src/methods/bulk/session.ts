/**
 * From a configuration to everything a run works with: tiles, arms, optimiser.
 *
 * @module
 */

import type { Gpu } from "../../gpu/device.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { Parameters } from "../../nn/parameters.ts";
import { AdamW, type ParameterGroup } from "../../optim/adamw.ts";
import { LossScale } from "../../optim/loss_scale.ts";
import { adamwOptions } from "../../train/config/optim.ts";
import type { Host } from "../../train/host.ts";
import type { BulkConfig } from "./config.ts";
import type { BulkData } from "./data.ts";
import { type EncoderTiles, openEncoderTiles } from "./encoder_tiles.ts";
import { type Arm, type ArmSizes, type BulkArm, createArm } from "./model.ts";
import { storedTiles, type Tiles } from "./tiles.ts";

/** A run that is open. */
export interface BulkSession {
  readonly config: BulkConfig;
  readonly data: BulkData;
  readonly gpu: Gpu;
  readonly parameters: Parameters;
  readonly optimizer: AdamW;
  readonly arms: readonly BulkArm[];
  readonly tiles: Tiles;
  /** The encoder, where it trains. */
  readonly encoder?: EncoderTiles | undefined;
  close(): void;
}

/** Name of the learning rate of what embeds tiles and is no arm's. */
export const ENCODER_RATE = "encoder";

/** Widths of what arms see. */
export function sizesOf({ genes, modality }: Pick<BulkData, "genes" | "modality">, dim: number): ArmSizes {
  return { dim, genes: genes.length, ...(modality && { modality: modality.width }) };
}

/** Groups of an optimiser: an arm each with a rate of its own, and what is no arm's. */
export function bulkGroups(arms: readonly BulkArm[], weightDecay: number): ParameterGroup[] {
  const whose = (arm: string) => (name: string) => name.startsWith(`${arm}.`);
  const pair = (rate: string, mine: (name: string) => boolean): ParameterGroup[] => [
    { match: (name: string, tensor: Tensor) => mine(name) && tensor.shape.length > 1, rate, weightDecay },
    { match: mine, rate },
  ];
  return [...arms.flatMap(({ arm }) => pair(arm, whose(arm))), ...pair(ENCODER_RATE, () => true)];
}

function armsOf(parameters: Parameters, config: BulkConfig, sizes: ArmSizes): BulkArm[] {
  return config.model.arms.map((arm) => createArm(parameters, arm as Arm, sizes, config));
}

/** Opens a run on the device. */
export async function openSession(gpu: Gpu, config: BulkConfig, data: BulkData, host: Host): Promise<BulkSession> {
  const { optim, input } = config;
  if (input.train === "encoder") return await openEncoderSession(gpu, config, data, host);
  const parameters = new Parameters(gpu);
  const arms = armsOf(parameters, config, sizesOf(data, data.dim));
  parameters.allocate();
  const optimizer = new AdamW(parameters, bulkGroups(arms, optim.weight_decay), adamwOptions(optim));
  const tiles = await storedTiles(gpu, { arms, dim: data.dim, features: ({ rows }) => rows! });
  return {
    ...{ config, data, gpu, parameters, optimizer, arms, tiles },
    close() {
      tiles.close();
      optimizer.destroy();
      parameters.destroy();
    },
  };
}

async function openEncoderSession(gpu: Gpu, config: BulkConfig, data: BulkData, host: Host): Promise<BulkSession> {
  const { optim } = config;
  const tiles = await openEncoderTiles(gpu, config, data, host);
  const { parameters, vit } = tiles.opened.encoder;
  const arms = armsOf(parameters, config, sizesOf(data, tiles.dim));
  parameters.allocate();
  // Gradients of activations in f16 are raised above what it rounds to 0.
  const lossScale = vit.activations === "f16" ? new LossScale(gpu, {}) : undefined;
  const groups = bulkGroups(arms, optim.weight_decay);
  const optimizer = new AdamW(parameters, groups, { ...adamwOptions(optim), lossScale });
  await tiles.open();
  return {
    ...{ config, data, gpu, parameters, optimizer, arms, tiles, encoder: tiles },
    close() {
      tiles.close();
      optimizer.destroy();
      lossScale?.destroy();
      parameters.destroy();
    },
  };
}
