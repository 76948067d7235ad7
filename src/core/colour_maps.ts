/**
 * Colours that stand for numbers between 0 and 1.
 *
 * Source: the tables of matplotlib, at 33 places of each; `coolwarm` is of K. Moreland, "Diverging color maps for scientific
 * visualization" (2009).
 *
 * @module
 */

/** Red, green, blue, a byte each. */
export type Colour = readonly [number, number, number];

const TABLES = {
  coolwarm: "3b4cc0445acc4d68d75775e16282ea6c8ef1779af782a5fb8db0fe98b9ffa3c2feaec9fcb8d0f9c2d5f4ccd9eed5dbe6ddd" +
    "ddde5d8d1ecd3c5f1ccb9f4c4adf7bba0f7b194f7a687f49a7bf18d6fec7f63e57058de604dd55042cb3e38c0282fb40426",
  viridis: "440154470d6048186a482374472d7b4536814240863f49893b528b375a8d33638d2f6a8e2c728e297a8e26818e23898e219" +
    "08c1f988b1f9f8821a68528ae8031b57b3ebc744cc26c5dc9636ece5882d34c96d83fabdc32c0df24d5e21aeae51afde725",
  magma: "0000040303110a0822130d331d114628115a36106a430f7650127c5d177f691c817621818226818f2a819c2e7fa9327db63" +
    "779c33b75cf4170db486ae65163ee5c5ef5695cf9785dfb8761fd9668fea571feb47bfec387fed194fde0a2fceeb0fcfdbf",
  jet: "0000800000a40000c80000ec0000ff0020ff0040ff0060ff0080ff009fff00bfff00dffc15fee22effc948ffaf62ff957bf" +
    "f7b95ff62afff48c9ff2ee2ff15fcf000ffd200ffb500ff9700ff7a00ff5c00ff3f00ff2100ec0400c80000a40000800000",
  gray: "000000080808101010181818202020282828303030383838404040484848505050585858606060686868707070787878808" +
    "0808787878f8f8f9797979f9f9fa7a7a7afafafb7b7b7bfbfbfc7c7c7cfcfcfd7d7d7dfdfdfe7e7e7efefeff7f7f7ffffff",
} as const;

/** Name of a map. */
export type ColourMap = keyof typeof TABLES;

/** Names of the maps, in matplotlib's words. */
export const COLOUR_MAPS: readonly ColourMap[] = Object.keys(TABLES) as ColourMap[];

/** Places of a map, evenly from 0 to 1. */
const PLACES = 33;

/** Bytes of the tables that were used. */
const decoded = new Map<ColourMap, Uint8Array>();

function tableOf(map: ColourMap): Uint8Array {
  const known = decoded.get(map);
  if (known !== undefined) return known;
  const text = TABLES[map];
  const table = Uint8Array.from({ length: 3 * PLACES }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
  decoded.set(map, table);
  return table;
}

/** The colour of a number, linearly between the map's places; those beyond 0 and 1 have the colours of the ends. */
export function colourOf(share: number, map: ColourMap = "coolwarm"): [number, number, number] {
  const table = tableOf(map);
  const place = Math.min(1, Math.max(0, share)) * (PLACES - 1);
  const below = Math.min(PLACES - 2, Math.floor(place));
  const part = place - below;
  const channel = (c: number) => {
    const [a, b] = [table[3 * below + c]!, table[3 * below + 3 + c]!];
    return Math.round(a + (b - a) * part);
  };
  return [channel(0), channel(1), channel(2)];
}
