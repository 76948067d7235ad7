/**
 * Makes the demo's encoder: a small vision transformer that regresses some of the causes of synthetic slides (cellularity,
 * nuclear size, chromatin, lymphocytes) from patches. The slides are of another seed than the demo's, so none of its patches
 * and no gene is seen. Two slides are kept apart to say how well it does.
 *
 *   deno run -A scripts/pretrain_demo.ts [--out data/demo/encoder] [--steps 1500] [--slides 40] [--seed 7] [--programs 4]
 *
 * Writes `model.safetensors` (f16, timm's names), `config.json` and `provenance.json` with options, adapter and SHA-256.
 */

import { parseArgs } from "node:util";
import type { SlidePatches, SlideRequest } from "./pretrain_demo_worker.ts";
import { type Example, pretrain } from "./pretrain_vit.ts";

const { values } = parseArgs({
  options: {
    out: { type: "string", default: "data/demo/encoder" },
    steps: { type: "string", default: "1500" },
    slides: { type: "string", default: "40" },
    seed: { type: "string", default: "7" },
    programs: { type: "string", default: "4" },
    batch: { type: "string", default: "64" },
    lr: { type: "string", default: "1e-3" },
    dim: { type: "string", default: "96" },
    depth: { type: "string", default: "4" },
  },
});
const [steps, slides, seed, programs, batch] = [values.steps, values.slides, values.seed, values.programs, values.batch]
  .map(Number) as [number, number, number, number, number];
const SIZE = 224;
const EACH = SIZE * SIZE * 3;

/** Renders all slides, in as many workers as there are cores. */
async function renderAll(): Promise<SlidePatches[]> {
  const found: SlidePatches[] = [];
  let next = 0;
  const workers = Array.from({ length: Math.min(slides, navigator.hardwareConcurrency) }, () => {
    const worker = new Worker(new URL("./pretrain_demo_worker.ts", import.meta.url), { type: "module" });
    return new Promise<void>((resolve, reject) => {
      const ask = () => {
        if (next >= slides) return resolve(worker.terminate());
        worker.postMessage({ seed, slide: next++, rows: 10, cols: 20, size: SIZE, programs } satisfies SlideRequest);
      };
      worker.onmessage = ({ data }: MessageEvent<SlidePatches>) => {
        found.push(data);
        ask();
      };
      worker.onerror = (event) => reject(new Error(event.message));
      ask();
    });
  });
  await Promise.all(workers);
  return found.sort((a, b) => a.slide - b.slide);
}

const started = performance.now();
const rendered = await renderAll();
const examples = (slides: readonly SlidePatches[]): Example[] =>
  slides.flatMap(({ patches, targets }) =>
    Array.from({ length: targets.length / programs }, (_, i) => ({
      rgb: patches.subarray(i * EACH, (i + 1) * EACH),
      target: targets.subarray(i * programs, (i + 1) * programs),
    }))
  );
const [train, test] = [examples(rendered.slice(0, -2)), examples(rendered.slice(-2))];
console.error(`${train.length} patches of ${slides - 2} slides, ${((performance.now() - started) / 1e3).toFixed(0)} s`);
await pretrain(train, test, {
  what: `regresses ${programs} causes of synthetic slides (seed ${seed}, ${slides} slides); scripts/pretrain_demo.ts`,
  out: values.out,
  size: SIZE,
  steps,
  batch,
  lr: Number(values.lr),
  seed,
  dim: Number(values.dim),
  depth: Number(values.depth),
  patch: 16,
});
