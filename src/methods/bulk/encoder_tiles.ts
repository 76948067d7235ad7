/**
 * Patches of slides through the encoder that is trained: its blocks that train, behind the cache of those that do not.
 *
 * @module
 */

import type { Gpu } from "../../gpu/device.ts";
import { readback } from "../../gpu/readback.ts";
import { Plan } from "../../graph/plan.ts";
import { Store } from "../../graph/store.ts";
import type { OpenedEncoder } from "../../models/opened_encoder.ts";
import { OverflowWatch } from "../../nn/overflow.ts";
import type { Host } from "../../train/host.ts";
import { imagesAtATime, openRows, openVision } from "../../train/open_rows.ts";
import type { RowInput } from "../../train/row_input.ts";
import type { ViewOf } from "../../train/stem_cache.ts";
import type { VisionPart } from "../../train/trainable.ts";
import { type BulkConfig, encoderConfig } from "./config.ts";
import { type BulkData, probeTiles } from "./data.ts";
import { type SlideTiles, stacked, type TileRow, type Tiles } from "./tiles.ts";

/** Most tiles of a slide that are embedded before and after training. */
const MOST = 64;

/** Views through the encoder as it is, some at a time. */
class ViewModel {
  private constructor(
    private readonly gpu: Gpu,
    private readonly input: RowInput,
    private readonly parts: Awaited<ReturnType<typeof compileViews>>,
  ) {}

  static async compile(gpu: Gpu, input: RowInput, batch: number): Promise<ViewModel> {
    return new ViewModel(gpu, input, await compileViews(gpu, input, batch));
  }

  /** @returns `[views, dim]`. */
  async run(views: readonly ViewOf[]): Promise<Float32Array<ArrayBuffer>> {
    const { store, inputs, program, z, batch, overflow } = this.parts;
    const dim = z.dim(1);
    const out = new Float32Array(views.length * dim);
    for (let from = 0; from < views.length; from += batch) {
      const some = views.slice(from, from + batch);
      await this.input.load(store, inputs, Array.from({ length: batch }, (_, i) => some[i] ?? some[0]!));
      program.run();
      const [made] = await readback(this.gpu, z);
      out.set((made as Float32Array).subarray(0, some.length * dim), from * dim);
    }
    await overflow.check("embed tiles");
    return out;
  }

  destroy(): void {
    const { program, store, overflow } = this.parts;
    program.destroy();
    store.destroy();
    overflow.destroy();
  }
}

async function compileViews(gpu: Gpu, input: RowInput, batch: number) {
  const store = new Store(gpu);
  const inputs = input.tensors(store, batch);
  store.allocate();
  const g = new Plan(gpu);
  const overflow = g.overflow = new OverflowWatch(gpu);
  const z = g.withoutTape(() => input.record(g, inputs, { training: false }));
  g.output(z);
  return { store, inputs, program: await g.compile(), z, batch, overflow };
}

/** Tiles that an encoder embeds, with the encoder. */
export interface EncoderTiles extends Tiles {
  readonly opened: OpenedEncoder;
  readonly vision: VisionPart;
  /** Opens rows; after the last parameter was added and all of them have memory. */
  open(): Promise<void>;
}

/** Opens the encoder; its parameters are not on the device yet. */
export async function openEncoderTiles(
  gpu: Gpu,
  config: BulkConfig,
  { slides, patches }: Pick<BulkData, "slides" | "patches">,
  host: Host,
): Promise<EncoderTiles> {
  const shared = encoderConfig(config);
  const { opened, vision } = await openVision(gpu, shared, host);
  const source = host.openPatches(patches!.table, config.input.workers ?? undefined);
  const { dim } = opened.encoder;
  const kept = new Map<number, Float32Array>();
  let rows: Awaited<ReturnType<typeof openRows>> | undefined;
  let plain: ViewModel | undefined;
  const pairs = (of: readonly SlideTiles[]) =>
    of.flatMap(({ slide, tiles }) => Array.from(tiles, (tile) => slide.first + tile));
  const now = (of: readonly SlideTiles[]) => plain!.run(pairs(of).map((pair) => rows!.unchanged(pair)));
  return {
    ...{ dim, opened, vision, most: MOST },
    async open() {
      const set = {
        count: patches!.table.row.length,
        samples: slides.map(({ first, count }) => ({
          ...{ first, count, patches: { rows: Array.from({ length: count }, (_, i) => i) } },
        })),
      };
      const data = { patches: patches!.sha256 };
      rows = await openRows({ config: shared, gpu, set, data, patches: source, opened }, host);
      plain = await ViewModel.compile(gpu, rows.input, imagesAtATime(gpu));
    },
    input: () => rows!.input as RowInput<TileRow>,
    row: (slide, tile, epoch) => rows!.view(epoch, slide.first + tile),
    async before() {
      const all = config.model.lambda_kd > 0;
      for (const [i, slide] of slides.entries()) {
        const whole = all && slide.part === "train";
        const tiles = whole ? Uint32Array.from({ length: slide.count }, (_, t) => t) : probeTiles(slide, MOST);
        const made = await now([{ slide, tiles }]);
        tiles.forEach((tile, t) => kept.set(slide.first + tile, made.slice(t * dim, (t + 1) * dim)));
        host.reporter.update("features before training", i + 1, slides.length, "slides");
        host.signal?.throwIfAborted();
      }
    },
    given: (of) => Promise.resolve(stacked(pairs(of).map((pair) => kept.get(pair)!), dim)),
    now: (_, of) => now(of),
    close() {
      plain?.destroy();
      rows?.close();
      source.close();
    },
  };
}
