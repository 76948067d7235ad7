/**
 * Measures one peer; started by `main.ts`, which passes the {@link Order} as JSON in the first argument.
 *
 * Rows go to stdout, one per line behind {@link MARK}, since libraries print there too.
 *
 * @module
 */

import { CASES } from "./cases.ts";
import { type Effort, measure, type Measured } from "./measure.ts";
import { MARK } from "./spawn.ts";
import { install, seen } from "./spy.ts";
import { storedIn } from "./stored.ts";
import type { Peer, Row, Work } from "./types.ts";

/** What the driver asks of a child. */
export interface Order extends Effort {
  readonly peer: string;
  /** Keys of {@link CASES}. */
  readonly cases: readonly string[];
  /** Folder in which the children share the references. */
  readonly references: string;
  readonly allowSoftware: boolean;
}

const message = (error: unknown): string => (error instanceof Error ? error.message : String(error)).slice(0, 400);

async function runCase(order: Order, peer: Peer, key: string): Promise<Measured & { case: string }> {
  const testCase = CASES[key]!();
  const { name } = testCase;
  if (Date.now() > order.deadline) return { case: name, status: "skipped", reason: "time budget spent" };
  let work: Work | undefined;
  try {
    work = await testCase.prepare(peer);
    if (work === undefined) return { case: name, status: "unsupported" };
    const software = seen.adapters.some((adapter) => adapter.software);
    if (software && !order.allowSoftware) {
      return { case: name, status: "skipped", reason: "software adapter; --allow-software times it all the same" };
    }
    const reference = await testCase.reference(storedIn(order.references));
    return { case: name, ...await measure(work, testCase, reference, order) };
  } catch (error) {
    return { case: name, status: "error", reason: message(error) };
  } finally {
    try {
      await work?.dispose();
    } catch (error) {
      console.error(`Cannot free ${peer.name} ${name}: ${message(error)}`);
    }
  }
}

if (import.meta.main) {
  const order = JSON.parse(Deno.args[0]!) as Order;
  install();
  // Not a literal: a type check of this file must not drag in the npm packages.
  const module = new URL(`${order.peer}.ts`, import.meta.url).href;
  const { peer } = await import(module) as { peer: Peer };
  await peer.init();
  for (const key of order.cases) {
    const result = await runCase(order, peer, key);
    const adapter = seen.adapters.at(-1);
    const row: Row = {
      ...result,
      peer: peer.name,
      version: peer.version,
      weights: peer.weights ?? "[out, in]",
      ...(adapter === undefined ? {} : { adapter: adapter.description, software: adapter.software }),
    };
    console.log(MARK + JSON.stringify(row));
    seen.errors.length = 0;
  }
  Deno.exit(0); // libraries leave workers and timers behind
}
