/**
 * Peer: this project's engine with the kernels of GPUs, workgroup memory and barriers, whatever the device is. On a software
 * adapter `engine` takes others, which say nothing of GPUs.
 *
 * @module
 */

import { enginePeer } from "./engine.ts";
import type { Peer } from "./types.ts";

/** The kernels of GPUs. */
export const peer: Peer = enginePeer("engine_gpu", false);
