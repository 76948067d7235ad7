/**
 * The machine that work runs on, as it is handed in.
 *
 * @module
 */

import type { Reporter } from "../core/reporter.ts";
import type { Gpu } from "../gpu/device.ts";
import type { Host } from "../train/host.ts";

/** A device that is not open yet. */
interface Device {
  /** Opens the device, when all that can be refused without it has been looked at. */
  openGpu(): Promise<Gpu>;
}

/** The machine. */
export interface Machine extends Device {
  readonly reporter: Reporter;
  /** Stops after the batch at hand; its reason is the error to end with. */
  readonly signal: AbortSignal;
}

/** The machine where a run's models are opened. */
export interface HostMachine extends Device {
  /** Its signal is aborted when work is to stop, with the error to end with as its reason. */
  readonly host: Host;
}
