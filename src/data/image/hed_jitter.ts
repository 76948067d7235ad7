/**
 * Haematoxylin, eosin and DAB made stronger or weaker, on RGB in [0, 1].
 *
 * Beer and Lambert: the optical density `-log10 rgb` is `c M`, rows of M being the stains' absorption. Concentrations
 * `c = -log10(rgb) inv(M)` become `c * scale + shift`. They are kept below zero too, so that scale 1 and shift 0 change
 * nothing; scikit-image's `rgb2hed`, whose numbers are a sixth of these, cuts them off.
 *
 * Sources: Ruifrok and Johnston, "Quantification of histochemical staining by color deconvolution", 2001 (M); Tellez et al.,
 * "Whole-slide mitosis detection in H&E breast histology", 2018 (the jitter).
 *
 * @module
 */

/** Absorption of haematoxylin, eosin and DAB in R, G and B. */
const STAINS = [[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]] as const;
/** Darkest intensity, so that its logarithm is finite. */
const LEAST = 1e-6;

/** Changes of the three concentrations. */
export interface HedJitter {
  readonly scale: readonly [number, number, number];
  /** In decadic optical density of a stain whose absorption is 1. */
  readonly shift: readonly [number, number, number];
}

type Row = readonly [number, number, number];

function inverse3([[a, b, c], [d, e, f], [g, h, i]]: readonly [Row, Row, Row]): [Row, Row, Row] {
  const [p, q, r] = [e * i - f * h, f * g - d * i, d * h - e * g];
  const determinant = a * p + b * q + c * r;
  return [
    [p / determinant, (c * h - b * i) / determinant, (b * f - c * e) / determinant],
    [q / determinant, (a * i - c * g) / determinant, (c * d - a * f) / determinant],
    [r / determinant, (b * g - a * h) / determinant, (a * e - b * d) / determinant],
  ];
}

/** From optical densities of R, G and B, by rows, to concentrations of haematoxylin, eosin and DAB. */
export const UNMIX: readonly [Row, Row, Row] = inverse3(STAINS);

/** `log10 rgb -> log10 rgb'` as one affine map: matrix by rows of the input, and the shift. */
export function hedMap({ scale, shift }: HedJitter): { matrix: Float64Array; offset: Float64Array } {
  const matrix = new Float64Array(9);
  const offset = new Float64Array(3);
  for (let to = 0; to < 3; to++) {
    for (let stain = 0; stain < 3; stain++) {
      for (let from = 0; from < 3; from++) {
        matrix[from * 3 + to]! += UNMIX[from as 0][stain as 0] * scale[stain as 0] * STAINS[stain as 0][to as 0];
      }
      offset[to]! -= shift[stain as 0] * STAINS[stain as 0][to as 0];
    }
  }
  return { matrix, offset };
}

/** Changes an image in place. @param rgb `[pixels, 3]` in [0, 1]. */
export function jitterHed(rgb: Float32Array, jitter: HedJitter): void {
  const { matrix, offset } = hedMap(jitter);
  const log = [0, 0, 0];
  for (let i = 0; i < rgb.length; i += 3) {
    for (let c = 0; c < 3; c++) log[c] = Math.log10(Math.max(rgb[i + c]!, LEAST));
    for (let c = 0; c < 3; c++) {
      const out = log[0]! * matrix[c]! + log[1]! * matrix[3 + c]! + log[2]! * matrix[6 + c]! + offset[c]!;
      rgb[i + c] = Math.min(1, Math.exp(Math.LN10 * out));
    }
  }
}
