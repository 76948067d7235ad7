/**
 * Colours that people with any colour vision can tell apart: viridis for amounts, the set of Okabe and Ito with a shape of
 * its own for kinds.
 *
 * Sources: matplotlib `_cm_listed.py` (every sixteenth row of viridis); https://jfly.uni-koeln.de/color/
 *
 * @module
 */

/** Viridis at even steps from 0 to 1. */
export const VIRIDIS: readonly string[] = [
  "#440154",
  "#481a6c",
  "#472f7d",
  "#414487",
  "#39568c",
  "#31688e",
  "#2a788e",
  "#23888e",
  "#1f988b",
  "#22a884",
  "#35b779",
  "#54c568",
  "#7ad151",
  "#a5db36",
  "#d2e21b",
  "#fde725",
];

/** Colours for kinds. */
export const KINDS: readonly string[] = [
  "#0072b2",
  "#d55e00",
  "#009e73",
  "#cc79a7",
  "#e69f00",
  "#56b4e9",
  "#8d7b00",
  "#5f5f6b",
];

const CHANNELS = VIRIDIS.map((colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)));

/** Viridis at `t`, 0 to 1; beyond is the nearest end. */
export function viridis(t: number): string {
  const at = Math.min(Math.max(Number.isNaN(t) ? 0 : t, 0), 1) * (CHANNELS.length - 1);
  const [below, part] = [
    Math.min(Math.floor(at), CHANNELS.length - 2),
    at - Math.min(Math.floor(at), CHANNELS.length - 2),
  ];
  const mixed = [0, 1, 2].map((c) => Math.round(CHANNELS[below]![c]! * (1 - part) + CHANNELS[below + 1]![c]! * part));
  return `#${mixed.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}

/** Outlines of symbols of radius about 3 around the origin, so that kinds differ without colour. */
export const SYMBOLS: readonly string[] = [
  "M-3 0a3 3 0 1 0 6 0a3 3 0 1 0 -6 0z",
  "M-2.7 -2.7h5.4v5.4h-5.4z",
  "M0 -3.6L3.4 2.4H-3.4z",
  "M0 -3.8L3.8 0L0 3.8L-3.8 0z",
  "M0 3.6L-3.4 -2.4H3.4z",
  "M-1.2 -3.5h2.4v2.3h2.3v2.4h-2.3v2.3h-2.4v-2.3h-2.3v-2.4h2.3z",
];
