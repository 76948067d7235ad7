/**
 * What a synthetic data set consists of: profiles, and options that put the known problems of real data into it.
 *
 * @module
 */

import { ConfigError } from "../../core/errors.ts";
import { layOut, type Slide, SYNTH_SEED } from "./slide.ts";

/** Known problems of real data, each an option: what goes wrong, for help texts. */
export const TRAPS = {
  "dup-genes": "two genes of one name",
  "ensembl": "Ensembl identifiers instead of symbols, which go to var/gene_name",
  "bytes-cellid": "an obs column cell_id with texts such as b'…'",
  "nan-x": "one entry of X is NaN",
  "shuffle-patches": "rows of the patch files in another order; results must not change",
  "swap-coords": "coordinates of patches as [y, x] in files that claim [x, y]",
  "px-x10": "resolution of the slides ten times too large",
  "old-h5ad": "expression files laid out as by anndata 0.7",
  "patch256": "patches of 256 pixels, as before August 2024",
  "mixed-barcode-len": "barcodes of unequal length",
  "uint16-dense": "X dense and of 16 bits, as of Xenium samples",
  "json-nan": "metadata with bare NaN",
  "permute-counts": "counts exchanged among the spots of a slide: nothing can be learnt",
} as const;

/** Name of a trap. */
export type Trap = keyof typeof TRAPS;

interface Profile {
  readonly what: string;
  readonly slides: number;
  readonly rows: number;
  readonly cols: number;
  /** Part of the slides that are test, in each of `folds` folds. */
  readonly test: number;
  readonly folds: number;
  readonly mixedPixelSize: boolean;
  readonly wsi: boolean;
  /** Whether the files lie as those of HEST-Benchmark. */
  readonly bench: boolean;
}

const common = { rows: 10, cols: 40, folds: 1, mixedPixelSize: false, wsi: false, bench: false };

/** Profiles by name. */
export const PROFILES = {
  smoke: { ...common, what: "4 slides of 36 spots, for readers and writers", slides: 4, rows: 6, cols: 12, test: 0.25 },
  small: { ...common, what: "8 slides of 100 spots, for demos", slides: 8, cols: 20, test: 0.25 },
  ci: { ...common, what: "20 slides of 200 spots, on which learning is measured; 600 MB", slides: 20, test: 0.2 },
  geom: {
    ...common,
    what: "8 slides of four pixel sizes with their images, for cropping",
    slides: 8,
    test: 0,
    folds: 0,
    mixedPixelSize: true,
    wsi: true,
  },
  bench: { ...common, what: "ci laid out as HEST-Benchmark in 4 folds", slides: 20, test: 0.25, folds: 4, bench: true },
} as const satisfies Record<string, Profile>;

/** Name of a profile. */
export type ProfileName = keyof typeof PROFILES;

/** What a user may choose. */
export interface SynthOptions {
  readonly profile: ProfileName;
  readonly seed?: number | undefined;
  readonly slides?: number | undefined;
  readonly rows?: number | undefined;
  readonly cols?: number | undefined;
  readonly slidesPerDonor?: number | undefined;
  /** Deviation of what donors have more or less of each field than others. */
  readonly donorFields?: number | undefined;
  /** Write the slides' images whatever the profile. */
  readonly wsi?: boolean;
  /** µm by which the recorded places of spots are off to the right; accuracy must fall. */
  readonly misalign?: number | undefined;
  readonly traps?: readonly Trap[];
}

/** A resolved data set; plain JSON, and all that decides its files. */
export interface SynthPlan {
  readonly profile: ProfileName;
  readonly seed: number;
  readonly slides: number;
  readonly rows: number;
  readonly cols: number;
  readonly slidesPerDonor: number;
  /** Left out where donors have the same of every field. */
  readonly donorFields?: number;
  readonly mixedPixelSize: boolean;
  readonly wsi: boolean;
  readonly bench: boolean;
  /** Numbers of the test slides of each fold. */
  readonly folds: readonly (readonly number[])[];
  readonly misalign: number;
  readonly traps: readonly Trap[];
}

/**
 * Fills in the profile.
 *
 * @throws {ConfigError} If the slides are too few for the profile's folds.
 */
export function planSynth(options: SynthOptions): SynthPlan {
  const profile: Profile = PROFILES[options.profile];
  const { mixedPixelSize, bench } = profile;
  const slides = options.slides ?? profile.slides;
  const least = profile.folds > 1 ? profile.folds : profile.folds + 1;
  if (slides < least) {
    throw new ConfigError(`Cannot make profile ${options.profile}: ${slides} slides, wanted at least ${least}`, {
      context: { given: slides, least },
    });
  }
  return {
    profile: options.profile,
    seed: options.seed ?? SYNTH_SEED,
    slides,
    rows: options.rows ?? profile.rows,
    cols: options.cols ?? profile.cols,
    slidesPerDonor: options.slidesPerDonor ?? 1,
    ...(options.donorFields ? { donorFields: options.donorFields } : {}),
    mixedPixelSize,
    wsi: profile.wsi || options.wsi === true,
    bench,
    folds: testSlides(slides, profile),
    misalign: options.misalign ?? 0,
    traps: (Object.keys(TRAPS) as Trap[]).filter((trap) => options.traps?.includes(trap)),
  };
}

/** Several folds share the slides out in order; one fold tests the last. */
function testSlides(slides: number, { folds, test }: Profile): number[][] {
  const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
  if (folds === 1) return [range(slides - Math.max(1, Math.round(slides * test)), slides)];
  return range(0, folds).map((i) => range(Math.floor(slides * i / folds), Math.floor(slides * (i + 1) / folds)));
}

/** The slides of a plan. */
export function slidesOf(plan: SynthPlan): Slide[] {
  const { seed, rows, cols, mixedPixelSize, slidesPerDonor, donorFields } = plan;
  return Array.from(
    { length: plan.slides },
    (_, slide) => layOut({ seed, slide, rows, cols, mixedPixelSize, slidesPerDonor, donorFields }),
  );
}

/** Identifier of a slide. */
export function sampleId({ slide }: Pick<Slide, "slide">): string {
  return `SYN${slide}`;
}
