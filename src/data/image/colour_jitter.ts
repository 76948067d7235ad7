/**
 * Brightness, contrast, saturation and hue changed by factors, on RGB in [0, 1].
 *
 * Source: `adjust_{brightness,contrast,saturation,hue}` of torchvision 0.29 on float tensors, whose order of the four the
 * caller draws, as `ColorJitter` does: each but hue mixes the image with black, its mean grey or its own grey and clamps.
 *
 * @module
 */

/** What is changed. */
export const JITTERS = ["brightness", "contrast", "saturation", "hue"] as const;

/** Factors around 1, and a shift of the hue in turns of the colour circle. */
export interface ColourJitter {
  readonly brightness: number;
  readonly contrast: number;
  readonly saturation: number;
  readonly hue: number;
  /** Places in {@linkcode JITTERS}, in the order in which they are done. */
  readonly order: readonly number[];
}

const [R, G, B] = [0.2989, 0.587, 0.114];

function clamp(value: number): number {
  return value < 0 ? 0 : value > 1 ? 1 : value;
}

/** Changes an image in place. @param rgb `[pixels, 3]` in [0, 1]. */
export function jitterColour(rgb: Float32Array, jitter: ColourJitter): void {
  for (const place of jitter.order) {
    const what = JITTERS[place as 0];
    if (what === undefined) continue;
    ADJUST[what](rgb, jitter[what]);
  }
}

const ADJUST: Readonly<Record<(typeof JITTERS)[number], (rgb: Float32Array, factor: number) => void>> = {
  brightness(rgb, factor) {
    for (let i = 0; i < rgb.length; i++) rgb[i] = clamp(rgb[i]! * factor);
  },
  contrast(rgb, factor) {
    let sum = 0;
    for (let i = 0; i < rgb.length; i += 3) sum += R * rgb[i]! + G * rgb[i + 1]! + B * rgb[i + 2]!;
    const grey = (1 - factor) * sum / (rgb.length / 3);
    for (let i = 0; i < rgb.length; i++) rgb[i] = clamp(factor * rgb[i]! + grey);
  },
  saturation(rgb, factor) {
    for (let i = 0; i < rgb.length; i += 3) {
      const grey = (1 - factor) * (R * rgb[i]! + G * rgb[i + 1]! + B * rgb[i + 2]!);
      for (let c = i; c < i + 3; c++) rgb[c] = clamp(factor * rgb[c]! + grey);
    }
  },
  hue(rgb, shift) {
    for (let i = 0; i < rgb.length; i += 3) turnHue(rgb, i, shift);
  },
};

/** RGB to hue, saturation and value, and back with the hue turned. */
function turnHue(rgb: Float32Array, i: number, shift: number): void {
  const [r, g, b] = [rgb[i]!, rgb[i + 1]!, rgb[i + 2]!];
  const value = Math.max(r, g, b);
  const range = value - Math.min(r, g, b);
  if (range === 0) return;
  const sector = value === r ? (g - b) / range : value === g ? 2 + (b - r) / range : 4 + (r - g) / range;
  const h = sector + 6 * shift;
  const turned = h - 6 * Math.floor(h / 6);
  const whole = Math.floor(turned);
  const f = turned - whole;
  const low = value - range;
  const falling = value - range * f;
  const rising = low + range * f;
  // Per sector of the circle: which of R, G and B is at the top, at the bottom, and on the way.
  rgb[i] = whole === 0 || whole === 5 ? value : whole === 1 ? falling : whole === 4 ? rising : low;
  rgb[i + 1] = whole === 1 || whole === 2 ? value : whole === 3 ? falling : whole === 0 ? rising : low;
  rgb[i + 2] = whole === 3 || whole === 4 ? value : whole === 5 ? falling : whole === 2 ? rising : low;
}
