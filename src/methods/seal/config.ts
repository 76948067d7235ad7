/**
 * SEAL's configuration.
 *
 * @module
 */

import { ConfigFormat, type ConfigOf } from "../../train/config/format.ts";
import { SEAL_KEYS } from "./keys.ts";
import { SEAL_RULES } from "./rules.ts";

/** A configuration: every key that something reads, by concern, under the name it has in files. */
export type SealConfig = ConfigOf<typeof SEAL_KEYS>;

/** Reads and writes it. */
export const SEAL_CONFIG: ConfigFormat<typeof SEAL_KEYS> = new ConfigFormat(SEAL_KEYS, SEAL_RULES);
