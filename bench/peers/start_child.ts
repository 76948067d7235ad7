/**
 * One start of one peer, up to its first embedding; started by `start.ts`, which passes the {@link StartOrder} as JSON.
 *
 * @module
 */

import { cpuMs } from "../../src/host/process.ts";
import { MARK } from "./spawn.ts";
import { install, seen } from "./spy.ts";
import type { Memory, Peer, VitSpec } from "./types.ts";
import { forgetPeak, resident } from "./usage.ts";

/** What the parent asks for. */
export interface StartOrder {
  readonly peer: string;
  readonly spec: VitSpec;
  /** Holds the model. */
  readonly folder: string;
  /** File of the images, f32 `[batch, image, image, 3]`. */
  readonly images: string;
  /** Tell memory by stage; costs time. */
  readonly stages: boolean;
}

/** What the parent is told: once as soon as the embedding is there, then with everything. */
export interface StartReport {
  readonly version: string;
  readonly unsupported?: boolean;
  readonly y?: number[];
  readonly cpuMs?: number;
  readonly peakBytes?: number;
  readonly memory?: Memory;
  readonly adapter?: string;
  readonly software?: boolean;
}

if (import.meta.main) {
  const order = JSON.parse(Deno.args[0]!) as StartOrder;
  const { spec, folder, stages } = order;
  install();
  const module = new URL(`${order.peer}.ts`, import.meta.url).href;
  const { peer } = await import(module) as { peer: Peer };
  let report: StartReport = { version: peer.version };
  if (peer.first === undefined) report = { ...report, unsupported: true };
  else {
    const { buffer } = await Deno.readFile(order.images);
    const x = { shape: [spec.batch, spec.image, spec.image, 3], data: new Float32Array(buffer) };
    let base = 0, loading = 0, loaded = 0;
    const stage = (name: "open" | "loaded"): void => {
      const { now, peak } = resident();
      if (name === "open") base = now;
      else [loading, loaded] = [peak - base, now - base];
      forgetPeak();
    };
    const { y, planBytes: plan } = await peer.first(spec, folder, x, stages ? stage : undefined);
    console.log(MARK); // the clock stops here
    const cpu = cpuMs();
    const { now, peak } = resident();
    const memory = { loading, loaded, running: peak - base, kept: now - base };
    report = {
      ...report,
      y: [...y],
      cpuMs: cpu,
      peakBytes: peak,
      ...(stages && plan && base && { memory: { ...memory, plan } }),
    };
  }
  const adapter = seen.adapters.at(-1);
  console.log(MARK + JSON.stringify({ ...report, adapter: adapter?.description, software: adapter?.software }));
  Deno.exit(0); // libraries leave workers and timers behind
}
