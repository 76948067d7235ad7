/**
 * Flags of commands that open a volume.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { AXIS_ORDERS, type AxisOrder, type VolumeOptions } from "../volumes/open.ts";
import type { Zyx } from "../volumes/volume.ts";
import type { Flags } from "./args.ts";

/** How a volume is opened. */
export const VOLUME_FLAGS = {
  spacing: { kind: "text", value: "Z,Y,X", help: "volume: µm between voxels, where the file does not say" },
  "override-spacing": { kind: "switch", help: "volume: take --spacing also where the file says another" },
  axes: {
    kind: "choice",
    of: AXIS_ORDERS,
    help: "volume: what the file's axes are that it calls z, y, x; xyz where they are the other way round",
  },
  level: {
    kind: "number",
    value: "N",
    min: 0,
    max: 63,
    integer: true,
    help: "volume: of several levels, 0 the finest",
  },
  channels: { kind: "text", value: "NAME,…", help: "volume: channels that are taken, by name or number from 0; all" },
} as const satisfies Flags;

/** Three numbers of a flag: z, y, x. */
export function parseZyx(flag: string, text: string | undefined): Zyx | undefined {
  if (text === undefined) return undefined;
  const numbers = text.split(",").map((part) => part.trim() === "" ? NaN : Number(part));
  if (numbers.length === 3 && numbers.every((um) => um > 0 && Number.isFinite(um))) return numbers as unknown as Zyx;
  throw new ConfigError(`Cannot use --${flag} ${text}: wanted µm along z, y and x, positive numbers`, {
    hint: `For example --${flag} 4,1,1`,
    context: { flag, given: text },
  });
}

/** Options of the flags. */
export function volumeOptions(
  values: {
    readonly spacing?: string | undefined;
    readonly "override-spacing": boolean;
    readonly axes?: string | undefined;
    readonly level?: number | undefined;
    readonly channels?: string | undefined;
  },
): VolumeOptions {
  const spacing = parseZyx("spacing", values.spacing);
  if (values["override-spacing"] && spacing === undefined) {
    throw new ConfigError("Cannot use --override-spacing alone: it takes --spacing Z,Y,X", { context: {} });
  }
  return {
    ...{ spacing, overrideSpacing: values["override-spacing"], axes: values.axes as AxisOrder | undefined },
    ...{ level: values.level, channels: values.channels?.split(",").map((name) => name.trim()) },
  };
}
