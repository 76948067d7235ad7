/**
 * `verify --against FILE`: features beside those that PyTorch made of the same weights and tiles.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { fixed } from "../core/fixed.ts";
import { openFile } from "../io/fs.ts";
import type { Pooling } from "../models/encoder_spec.ts";
import { compareParity, type Parity } from "../verify/parity.ts";
import { type ParityFile, readParityFile } from "../verify/parity_file.ts";
import { checkEncoder, openEncoder } from "../run/encoder.ts";
import { type OpenedEncoder, sayEncoder } from "../models/opened_encoder.ts";
import { openGpu } from "./gpu.ts";
import type { Progress } from "./progress.ts";

/** What is compared. */
export interface ParityRequest {
  readonly encoder: string;
  readonly adapter: string | undefined;
  /** The file of `scripts/parity_kit.py`. */
  readonly against: string;
  readonly dtype: "f32" | "f16";
  readonly kernels: string;
  readonly software: boolean;
  readonly backend: string;
}

/** What was found, with what it was made of. */
export interface ParityRecord extends Parity {
  readonly adapter: string;
  readonly encoder: string;
  readonly dtype: string;
  readonly preparation: string;
  readonly assumed: readonly string[];
  readonly against: string;
  /** Metadata of the file. */
  readonly facts: Readonly<Record<string, string>>;
}

async function readAgainst(path: string): Promise<ParityFile> {
  const source = await openFile(path);
  try {
    return await readParityFile(source);
  } finally {
    source.close?.();
  }
}

/** Refuses a comparison of different weights. */
function checkSame({ file, facts }: ParityFile, { name, weightsHash, adapterHash }: OpenedEncoder): void {
  const rows = [["weights", facts["weights_sha256"], weightsHash], ["adapter", facts["adapter_sha256"], adapterHash]];
  for (const [what, made, own] of rows) {
    if (made === own) continue;
    const brief = (hash: string | undefined) => (hash === undefined ? "none" : `${hash.slice(0, 12)}…`);
    throw new ConfigError(
      `Cannot compare ${name} with ${file}: the SHA-256 of its ${what} is ${brief(own)}, and the file was made with ${
        brief(made)
      }`,
      {
        code: "parity-weights",
        hint: what === "adapter"
          ? "Give the same --adapter to both, or neither"
          : "Make the file of this folder: python scripts/parity_kit.py FOLDER FILE",
        context: { file, given: own ?? null, wanted: made ?? null },
      },
    );
  }
}

/** Runs the comparison. */
export async function verifyParity(
  request: ParityRequest,
  progress: Progress,
  signal: AbortSignal,
): Promise<ParityRecord> {
  const { encoder: given, adapter, against, dtype, kernels } = request;
  await checkEncoder(given, adapter);
  const file = await readAgainst(against);
  const { imageSize } = file;
  const gpu = await openGpu({ software: request.software, backend: request.backend });
  try {
    const pooling = ["cls", "mean", "cls+mean"].find((name) => name === file.facts["pooling"]) as Pooling | undefined;
    const opened = await openEncoder(gpu, {
      encoder: given,
      adapter,
      dtype,
      pooling,
      ...(imageSize !== undefined && { imageSize }),
    });
    try {
      sayEncoder(opened, progress);
      checkSame(file, opened);
      const auto = gpu.caps.software ? ["flat", "gpu"] as const : ["gpu"] as const;
      const found = await compareParity(gpu, opened.encoder, file, {
        paths: kernels === "auto" ? auto : [kernels as "gpu" | "flat"],
        dtype,
        signal,
        onProgress: (what) => progress.say(what),
      });
      const { name: encoder, preparation, assumed } = opened;
      return { adapter: gpu.description, encoder, dtype, preparation, assumed, against, facts: file.facts, ...found };
    } finally {
      opened.encoder.parameters.destroy();
    }
  } finally {
    gpu.destroy();
  }
}

/** The record as a page. */
export function parityPage(
  { adapter, encoder, dtype, facts, least, tiles, refused, preparation, ok }: ParityRecord,
): string {
  const { library = "?", torch = "?", sums = "?" } = facts;
  const versions = `${library} ${facts[library] ?? "?"}, torch ${torch}, sums in ${sums}`;
  return [
    `${adapter}: ${ok ? "features are PyTorch's" : "NOT all features are PyTorch's"}`,
    "",
    `${encoder}, weights in ${dtype}, beside ${versions}; cosine of at least ${least} wanted`,
    `  ${preparation}`,
    "  kernels  tile         size           cosine  largest/rms  pixels that differ",
    ...tiles.map(({ path, tile, height, width, cosine, difference, pixels, parts, ok }) =>
      [
        `  ${path.padEnd(7)} `,
        tile.padEnd(12),
        `${width} x ${height}`.padEnd(12),
        fixed(cosine, 9),
        difference.toExponential(1).padStart(12),
        (pixels ? `${pixels.differ}, by up to ${pixels.levels}` : "not stored").padStart(19),
        (ok ? " ok" : " FAULT") + (parts === undefined ? "" : `; they part at ${parts}`),
      ].join(" ")
    ),
    ...refused.map((what) => `left out: ${what}`),
  ].join("\n");
}
