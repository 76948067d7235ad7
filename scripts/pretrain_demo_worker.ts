/** Renders the patches of one synthetic slide, with the fields at their centres: the worker of `pretrain_demo.ts`. */

import { PATCH_PIXEL_SIZE, placeWindows } from "../src/data/image/windows.ts";
import { cutPatch } from "../src/data/synth/crop.ts";
import { Fields, squash } from "../src/data/synth/fields.ts";
import { Renderer } from "../src/data/synth/render.ts";
import { layOut, tissueCoverage } from "../src/data/synth/slide.ts";

/** What a worker is asked for. */
export interface SlideRequest {
  readonly seed: number;
  readonly slide: number;
  readonly rows: number;
  readonly cols: number;
  readonly size: number;
  /** Fields that are regressed. */
  readonly programs: number;
}

/** What it answers. */
export interface SlidePatches {
  readonly slide: number;
  /** `[n, size, size, 3]`. */
  readonly patches: Uint8Array<ArrayBuffer>;
  /** `[n, programs]`. */
  readonly targets: Float32Array<ArrayBuffer>;
}

function render({ seed, slide: number, rows, cols, size, programs }: SlideRequest): SlidePatches {
  const slide = layOut({ seed, slide: number, rows, cols, mixedPixelSize: false, slidesPerDonor: 1 });
  const fields = new Fields(slide);
  const renderer = new Renderer(slide, fields);
  const spatial = Float64Array.from(slide.spots.flatMap(({ x, y }) => [x / slide.pixelSize, y / slide.pixelSize]));
  const coverage = (x: number, y: number, side: number) => tissueCoverage(slide, x, y, side);
  const { kept } = placeWindows(slide, "current", { size, pixelSize: PATCH_PIXEL_SIZE }, spatial, coverage);
  const patches = new Uint8Array(kept.length * size * size * 3);
  const targets = new Float32Array(kept.length * programs);
  kept.forEach((window, i) => {
    patches.set(cutPatch(renderer, window, "current", size), i * size * size * 3);
    const { x, y } = slide.spots[window.spot]!;
    for (let f = 0; f < programs; f++) targets[i * programs + f] = squash(fields.at(f, x, y));
  });
  return { slide: number, patches, targets };
}

const scope = self as unknown as {
  onmessage: (event: MessageEvent<SlideRequest>) => void;
  postMessage: (answer: SlidePatches, transfer: Transferable[]) => void;
};

scope.onmessage = ({ data }) => {
  const result = render(data);
  scope.postMessage(result, [result.patches.buffer, result.targets.buffer]);
};
