/**
 * A trained run in use: volumes predicted on a grid.
 *
 * @module
 */

import { DataError, WeightsError } from "../../core/errors.ts";
import type { Gpu } from "../../gpu/device.ts";
import { fromMap } from "../../io/random_access.ts";
import { type Adapter, readAdapter } from "../../io/torch/peft.ts";
import { checkFed, type FedAs, type OpenedEncoder } from "../../models/opened_encoder.ts";
import type { Host } from "../../train/host.ts";
import { openVision } from "../../train/open_rows.ts";
import type { FoundCheckpoint } from "../../train/run.ts";
import type { Volume, Zyx } from "../../volumes/volume.ts";
import type { UseOptions } from "../method.ts";
import type { VolumeOptions, VolumePredictor, VolumeRun, VolumeTask } from "../volume_run.ts";
import { loadState, readBank, readFacts, type VortexFacts } from "./checkpoint.ts";
import type { VortexConfig } from "./config.ts";
import { blended, checkPlanes, type DenseModel, type DenseOptions, densePlan, DensePredictor } from "./dense.ts";
import { costOf, layGrid } from "./grid.ts";
import { encodePatches, Pooler, rowsModel, type Said } from "./inference.ts";
import { createVortexModel } from "./model.ts";
import { embedBank, retrieve, temperatureOf } from "./retrieval.ts";
import { type PatchDepths, type PatchShape, windowOf } from "./sampler.ts";
import type { VortexSession } from "./session.ts";
import { createPatchEncoder } from "./slices.ts";
import { checkExtent } from "./volume_checks.ts";

/** Patches at a time behind the encoder. */
const BLOCK = 64;

/** The checkpoint's adapter, if it has one. */
async function adapterOf({ read, path }: FoundCheckpoint): Promise<Adapter | undefined> {
  const files = ["adapter_config.json", "adapter_model.safetensors"].flatMap((name): [string, Uint8Array][] => {
    const bytes = read(name);
    return bytes ? [[name, bytes]] : [];
  });
  return files.length === 2 ? await readAdapter(fromMap(new Map(files), path)) : undefined;
}

/** The encoder of a checkpoint. @throws {WeightsError} If it was trained on other weights than are here. */
async function openEncoder(
  gpu: Gpu,
  config: VortexConfig,
  found: FoundCheckpoint,
  host: Host,
  { encoder: name, precision }: UseOptions,
): Promise<OpenedEncoder> {
  const fed = (found.state ?? {}) as FedAs & { weights?: string };
  const image_size = fed.image_size ?? config.input.image_size;
  const trained = await adapterOf(found);
  const { opened } = await openVision(
    gpu,
    {
      ...config,
      input: { ...config.input, adapter: null, image_size, ...(name !== undefined && { encoder: name }) },
      optim: { ...config.optim, ...(precision !== undefined && { precision }) },
    },
    host,
    { tuningSize: false, trained },
  );
  trained?.close();
  if (fed.weights !== undefined && fed.weights !== opened.weightsHash) {
    throw new WeightsError(`Cannot load ${found.path}: it was trained on other weights than ${opened.name} has here`, {
      hint: "Name the weights it was trained on with --encoder",
      context: { given: opened.weightsHash, wanted: fed.weights },
    });
  }
  checkFed(fed, opened, found.path, image_size);
  return opened;
}

/** A model that tells expression on a grid. */
type UsedModel = DenseModel & Pick<VolumePredictor, "tryOut"> & { close(): void };

/**
 * A model whose parameters have values, for a grid; where patches are encoded whole, pixels are kept in place of tokens.
 *
 * @param tell Expression of what is said of patches.
 */
export async function denseModel(
  gpu: Gpu,
  { config, model, patchEncoder, patch: { slices, side } }: Pick<VortexSession, "config" | "model" | "patchEncoder"> & {
    readonly patch: PatchShape;
  },
  genes: number,
  tell: (said: Said) => Float32Array,
): Promise<UsedModel> {
  const tokens = await rowsModel(gpu, patchEncoder, slices);
  const pooler = await Pooler.compile(gpu, model, { config, patchEncoder, slices, block: BLOCK });
  const { whole, channels } = patchEncoder;
  const size = side * side * channels;
  const pooled = (z: Float32Array, depths: readonly PatchDepths[]) => {
    const pixels = (i: number) => z.slice(i * slices * size, (i + 1) * slices * size);
    return encodePatches(tokens, patchEncoder, depths.map((of, i) => ({ ...of, pixels: pixels(i) })));
  };
  return {
    ...{ size, dim: whole ? size : patchEncoder.dim, genes },
    encode: (rows) => whole ? Promise.resolve(rows.slice()) : tokens.run(rows),
    say: async (z, depths) => tell(await pooler.run(whole ? await pooled(z, depths) : z, depths)),
    async tryOut(count) {
      const rows = Math.ceil(count * patchEncoder.rowsOf(slices) / slices);
      await tokens.run(new Float32Array(rows * patchEncoder.size(slices)));
    },
    close() {
      tokens.destroy();
      pooler.destroy();
    },
  };
}

/** A model of a checkpoint on the device. */
async function openModel(
  gpu: Gpu,
  config: VortexConfig,
  { found, facts }: { readonly found: FoundCheckpoint; readonly facts: VortexFacts },
  host: Host,
  { by, ...use }: UseOptions & Pick<VolumeOptions, "by">,
): Promise<UsedModel> {
  const opened = await openEncoder(gpu, config, found, host, use);
  const { encoder } = opened;
  const { parameters } = encoder;
  const sizes = {
    ...{ dim: encoder.dim, heads: encoder.vit.config.heads },
    ...{ genes: facts.genes.length, volumes: facts.volumes },
  };
  const model = createVortexModel(parameters, sizes, config);
  const patchEncoder = createPatchEncoder(encoder, model, { channels: facts.channels.length, config });
  parameters.allocate();
  loadState({ opened, parameters }, found.read, found.path);
  const head = config.model.heads === "per_volume" && facts.voi !== null ? "voi" : "shared";
  const { mean, std, patch } = facts;
  const G = mean.length;
  const bank = by === "head" ? undefined : await embedBank(
    gpu,
    model,
    readBank(found.read, found.path, G),
    await temperatureOf(parameters),
  );
  const made = await denseModel(gpu, { config, model, patchEncoder, patch }, G, ({ heads, image }) => {
    const said = bank === undefined ? heads[head]! : retrieve(bank, image, G);
    return said.map((value, i) => value * std[i % G]! + mean[i % G]!);
  });
  return {
    ...made,
    close() {
      made.close();
      parameters.destroy();
    },
  };
}

/** Refuses a volume with other channels than the run was trained on. */
function checkChannels({ name, channels }: Volume, facts: VortexFacts): void {
  if (channels.length === facts.channels.length) return;
  throw new DataError(
    `Cannot predict ${name}: ${channels.length} channels, expected ${facts.channels.length} as the run was trained on`,
    {
      code: "volume-channels",
      hint: `Convert it to ${facts.channels.join(", ")}`,
      context: { file: name, found: channels.length, expected: facts.channels.length },
    },
  );
}

/** A run, for a volume. @throws {WeightsError} If the checkpoint lacks a file, or one is damaged. */
export function volumeRun(config: VortexConfig, found: FoundCheckpoint): VolumeRun {
  const facts = readFacts(found.read, found.path);
  return {
    encoder: config.input.encoder,
    genes: facts.genes,
    unit: facts.unit,
    patch: facts.patch,
    serial: config.input.serial,
    async lay(volume: Volume, asked: VolumeOptions): Promise<VolumeTask> {
      const { stride, blend, by } = asked;
      checkChannels(volume, facts);
      checkExtent(volume, facts.patch);
      const window = facts.voi?.window ?? await windowOf(volume, config.patch.window);
      const grid = await layGrid(volume, facts.patch, asked, window);
      const options: DenseOptions = { volume, grid, patch: facts.patch, window };
      await checkPlanes(options);
      // Windows share no slices where patches are encoded whole.
      const cost = costOf(grid);
      const encodings = config.model.aggregate === "tubelets" ? cost.apart : cost.encodings;
      const size = facts.patch.side ** 2 * facts.channels.length;
      return {
        ...{ shape: grid.shape, spacing: grid.spacing, mask: grid.mask, cost: { ...cost, encodings }, window },
        origin: grid.first.map((at, axis) => at * grid.spacing[axis]!) as unknown as Zyx,
        bytes: (dim) => densePlan(options, { size, dim, genes: facts.genes.length }),
        async open(gpu, host, use): Promise<VolumePredictor> {
          const model = await openModel(gpu, config, { found, facts }, host, { ...use, by });
          const predictor = new DensePredictor(model, { ...options, signal: host.signal });
          const [, ny, nx] = grid.shape;
          const around = { stride, field: facts.patch.field };
          return {
            dim: model.dim,
            tryOut: (count) => model.tryOut(count),
            async plane(k) {
              const plane = await predictor.plane(k);
              return blend === "gaussian" ? blended(plane, [ny, nx], facts.genes.length, around) : plane;
            },
            close: () => model.close(),
          };
        },
      };
    },
  };
}
