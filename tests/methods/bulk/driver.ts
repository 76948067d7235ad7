/** Arms trained in a folder from what it holds. */

import { SILENT } from "../../../src/core/reporter.ts";
import type { Gpu } from "../../../src/gpu/device.ts";
import type { BulkConfig } from "../../../src/methods/bulk/config.ts";
import type { BulkData } from "../../../src/methods/bulk/data.ts";
import { type BulkSession, bulkTraining, openSession } from "../../../src/methods/bulk/training.ts";
import { runStore } from "../../../src/run/host.ts";
import { runTraining, stateToResume } from "../../../src/train/run.ts";

/** Trains; `after` that many logged steps the run is stopped. */
export async function trainWorld(
  gpu: Gpu,
  config: BulkConfig,
  data: BulkData,
  { folder = Deno.makeTempDirSync({ prefix: "bulk_" }), after = Infinity, begin = () => {} }: {
    folder?: string;
    after?: number;
    /** Told before the first step. */
    begin?: (session: BulkSession) => void;
  } = {},
): Promise<{ session: BulkSession; folder: string; reason: string }> {
  const session = await openSession(gpu, config, data);
  begin(session);
  const training = bulkTraining(session);
  const store = runStore(folder);
  const stop = new AbortController();
  let steps = 0;
  const reporter = { ...SILENT, training: () => void (++steps === after && stop.abort()) };
  const end = await runTraining(training, {
    store,
    before: stateToResume(training, store, reporter),
    reporter,
    signal: stop.signal,
    now: () => 0,
    time: (_, act) => act(),
  });
  return { session, folder, reason: end.reason };
}
