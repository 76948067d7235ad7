/**
 * Numbers with a fixed count of digits, as everything that people read writes them.
 *
 * @module
 */

/** As `toFixed`, but what rounds to zero has no sign: `0.000`, never `-0.000`. */
export function fixed(value: number, digits: number): string {
  const text = value.toFixed(digits);
  return /^-0(\.0*)?$/.test(text) ? text.slice(1) : text;
}

/** A difference, with its sign: `+0.051`, `-0.002`, `+0.000`. */
export function signed(value: number, digits: number): string {
  const text = fixed(value, digits);
  return text.startsWith("-") ? text : `+${text}`;
}

/** A rank, or a median or mean of ranks: `82`, `82.5`. */
export function rankText(rank: number): string {
  return fixed(rank, Number.isInteger(rank) ? 0 : 1);
}

/** A probability of a test: `0.031`, `< 0.001`. */
export function probabilityText(p: number): string {
  return p < 0.001 ? "< 0.001" : fixed(p, 3);
}
