/** Arms trained in a folder from what it holds. */

import type { Gpu } from "../../../src/gpu/device.ts";
import type { BulkConfig } from "../../../src/methods/bulk/config.ts";
import type { BulkData } from "../../../src/methods/bulk/data.ts";
import { type BulkSession, openSession } from "../../../src/methods/bulk/session.ts";
import { bulkTraining } from "../../../src/methods/bulk/training.ts";
import { hostOf } from "../../../src/run/host.ts";
import { SILENT } from "../../../src/core/reporter.ts";
import { trainIn, Watched } from "../../train/driver.ts";

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
  const session = await openSession(gpu, config, data, hostOf(SILENT));
  begin(session);
  const { reason } = await trainIn(folder, bulkTraining(session), new Watched(after));
  return { session, folder, reason };
}
