/**
 * A run that is open: one trainable expert on the device, which is every expert in turn, and what is known of those trained.
 *
 * @module
 */

import { Rng, streamOf } from "../../core/rng.ts";
import type { Gpu } from "../../gpu/device.ts";
import { Parameters } from "../../nn/parameters.ts";
import { AdamW } from "../../optim/adamw.ts";
import { adamwOptions } from "../../train/config/optim.ts";
import type { Host } from "../../train/host.ts";
import type { SpadeClusters } from "./clusters.ts";
import type { SpadeConfig } from "./config.ts";
import type { SpadeData } from "./data.ts";
import {
  createExpert,
  type Expert,
  type ExpertShape,
  type ExpertValues,
  loadExpert,
  readExpert,
  startValues,
} from "./expert.ts";

/** Experts that are trained together on one division of the pairs. */
export interface BankPlan {
  readonly name: "spade" | "single" | "wide" | "random";
  /** Most experts. */
  readonly most: number;
}

/** What is known so far; all of it is part of a checkpoint. */
export interface SpadeState {
  clusters: SpadeClusters | undefined;
  /** Experts that are trained, by name. */
  readonly trained: Map<string, ExpertValues>;
  /** The expert on the device. */
  current: string | undefined;
  /** Its values where its validation loss was lowest. */
  best: { readonly loss: number; readonly values: ExpertValues } | undefined;
}

/** A run that is open. */
export interface SpadeSession {
  readonly config: SpadeConfig;
  readonly data: SpadeData;
  readonly gpu: Gpu;
  readonly host: Host;
  readonly parameters: Parameters;
  readonly optimizer: AdamW;
  readonly banks: readonly BankPlan[];
  /** The trainable expert of a bank. */
  expert(bank: BankPlan): Expert;
  readonly state: SpadeState;
  close(): void;
}

/** Names of learning rates: of experts, and of the control that is as wide as all of them. */
export const RATES = { expert: "lr", wide: "lr_wide" } as const;

/** What is trained. */
export function banksOf({ experts: { controls }, clusters: { coarse } }: SpadeConfig): BankPlan[] {
  const all: BankPlan[] = [{ name: "spade", most: coarse }, { name: "single", most: 1 }, { name: "wide", most: 1 }, {
    name: "random",
    most: coarse,
  }];
  return all.filter(({ name }) => name === "spade" || controls.includes(name));
}

/** Name of an expert. */
export function expertName({ name }: Pick<BankPlan, "name">, e: number): string {
  return `${name}.${e}`;
}

/** Sizes of the experts of a bank. */
export function shapeOf({ config, data }: Pick<SpadeSession, "config" | "data">, bank: BankPlan["name"]): ExpertShape {
  const { width, dropout } = config.experts;
  return {
    inputs: { img: data.dim, gene: data.set.genes },
    width: bank === "wide" ? width * config.clusters.coarse : width,
    dropout,
  };
}

/** Opens a run on the device. */
export function openSession(gpu: Gpu, config: SpadeConfig, data: SpadeData, host: Host): SpadeSession {
  const { optim } = config;
  const parameters = new Parameters(gpu);
  const narrow = createExpert(parameters, "expert", shapeOf({ config, data }, "spade"));
  const banks = banksOf(config);
  const wide = banks.some(({ name }) => name === "wide")
    ? createExpert(parameters, "wide", shapeOf({ config, data }, "wide"))
    : undefined;
  parameters.allocate();
  const weightDecay = optim.weight_decay;
  const optimizer = new AdamW(parameters, [
    { match: (name) => name.startsWith("expert."), rate: RATES.expert, weightDecay },
    { match: () => true, rate: RATES.wide, weightDecay },
  ], adamwOptions(optim));
  // Those that no stage has begun yet are numbers, too.
  for (const [expert, name] of [[narrow, "spade"], [wide, "wide"]] as const) {
    if (expert) loadExpert(parameters, expert, startValues(expert.shape, optim.seed, `${name}.0`));
  }
  return {
    config,
    data,
    gpu,
    host,
    parameters,
    optimizer,
    banks,
    expert: ({ name }) => name === "wide" ? wide! : narrow,
    state: { clusters: undefined, trained: new Map(), current: undefined, best: undefined },
    close() {
      optimizer.destroy();
      parameters.destroy();
    },
  };
}

/** The bank that an expert is of. */
export function bankOf({ banks }: Pick<SpadeSession, "banks">, expert: string): BankPlan {
  return banks.find(({ name }) => expert.startsWith(`${name}.`))!;
}

/** Training pairs of each expert of a bank. */
export function pairsOfExperts({ config, data, state }: SpadeSession, { name }: BankPlan): Uint32Array[] {
  const { table, fine, experts } = state.clusters!;
  const own = Array.from({ length: experts }, (): number[] => []);
  fine.forEach((centroid, pair) => own[table[centroid]!]!.push(pair));
  if (name === "spade") return own.map((pairs) => Uint32Array.from(pairs));
  if (name !== "random") return [data.set.pairs("train")];
  // As many pairs as SPADE's experts have.
  const order = new Rng(config.optim.seed, streamOf("random partition")).permutation(fine.length);
  let at = 0;
  return own.map(({ length }) => order.slice(at, at += length).sort());
}

/** The expert on the device as it is best. */
export async function currentValues(session: SpadeSession): Promise<ExpertValues> {
  const { state, parameters } = session;
  return state.best?.values ?? await readExpert(parameters, session.expert(bankOf(session, state.current!)));
}

/** Values of the experts of a bank. */
export async function valuesOf(session: SpadeSession, bank: BankPlan): Promise<ExpertValues[]> {
  const { state } = session;
  const count = pairsOfExperts(session, bank).length;
  const all: ExpertValues[] = [];
  for (let e = 0; e < count; e++) {
    const name = expertName(bank, e);
    all.push(name === state.current ? await currentValues(session) : state.trained.get(name)!);
  }
  return all;
}

/** Puts the next expert on the device: that before it is kept as it was best. */
export async function beginExpert(session: SpadeSession, bank: BankPlan, name: string): Promise<void> {
  const { state, parameters, config } = session;
  if (state.current === name) return;
  if (state.current !== undefined) state.trained.set(state.current, await currentValues(session));
  const expert = session.expert(bank);
  loadExpert(parameters, expert, startValues(expert.shape, config.optim.seed, name));
  state.current = name;
  state.best = undefined;
}
