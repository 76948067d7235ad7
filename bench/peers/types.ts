/**
 * What a peer (a framework under comparison) implements.
 *
 * A peer module `./<name>.ts` exports `peer: Peer`. It runs alone in a child process and creates its own device. A
 * method that is left out means that the peer cannot do that work; the table then says so.
 *
 * @module
 */

/** A row-major f32 tensor on the host. */
export interface HostTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array<ArrayBuffer>;
}

/** Tensors by name. */
export type HostTensors = Readonly<Record<string, HostTensor>>;

/** `y[m, n] = x[m, k] · w[n, k]ᵀ`. Inputs `x`, `w`; output `y`. */
export interface GemmSpec {
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** Layer normalisation over the last axis. Inputs `x [rows, width]`, `g [width]`, `b [width]`; output `y`. */
export interface LayerNormSpec {
  readonly rows: number;
  readonly width: number;
  readonly eps: number;
}

/**
 * Softmax attention, no mask, scale `1 / √headDim`. Inputs `q`, `k`, `v`, all `[tokens, heads * headDim]` as a linear
 * layer leaves them; output `y` of the same layout, so transposes that a peer needs are part of its time.
 */
export interface AttentionSpec {
  readonly tokens: number;
  readonly heads: number;
  readonly headDim: number;
}

/**
 * One pre-norm ViT block:
 * `r = x + proj(attention(qkv(LN(x))))`, `y = r + fc2(gelu(fc1(LN(r))))`, GELU with erf, all linear layers with bias.
 *
 * Inputs `x`, `dy [tokens, width]`; parameters are {@link BlockParams}, weights `[out, in]`, the rows of `wqkv` ordered
 * q, k, v, each by head. Forward output: `y`. Gradient outputs: `dx` and `d<parameter>`, of `sum(y * dy)`.
 */
export interface BlockSpec {
  readonly tokens: number;
  readonly width: number;
  readonly heads: number;
  readonly mlp: number;
  readonly eps: number;
}

/** Parameters of the block, in the order in which every peer and the reference take them. */
export const BLOCK_PARAMS = [
  "g1",
  "b1",
  "wqkv",
  "bqkv",
  "wproj",
  "bproj",
  "g2",
  "b2",
  "wfc1",
  "bfc1",
  "wfc2",
  "bfc2",
] as const;

/** Name of one parameter of the block. */
export type BlockParam = typeof BLOCK_PARAMS[number];

/** Arguments of a block as a peer of arrays takes them: its rows, then its parameters in their order. */
export type BlockArgs<T> = readonly [rows: T, ...Each<typeof BLOCK_PARAMS, T>];
type Each<Names extends readonly string[], T> = { readonly [I in keyof Names]: T };

/** All parameters of the block. */
export type BlockParams = Readonly<Record<BlockParam, HostTensor>>;

/**
 * A whole vision transformer, timm's `VisionTransformer` without a head: patches by a convolution with bias, class token,
 * learned positions, `depth` blocks as in {@link BlockSpec}, a last normalisation; the embedding is the class token.
 *
 * Input `x [batch, image, image, 3]`, already normalised; peers that want channels first convert it before timing starts.
 * Output `y [batch, width]`. Parameters are {@link VitParams}.
 */
export interface VitSpec {
  /** Name in the registry of our engine. */
  readonly model: string;
  readonly batch: number;
  readonly image: number;
  readonly patch: number;
  readonly depth: number;
  readonly width: number;
  readonly heads: number;
  readonly mlp: number;
  readonly eps: number;
}

/**
 * One training step of a block whose own weights are frozen, with LoRA on its qkv layer, that adds
 * `scale * (h aᵀ) bᵀ`: forward, backward to the input and both factors, and the factors less {@link LORA_RATE} times their
 * gradients of `sum(y * dy)`.
 *
 * Inputs `x`, `dy [tokens, width]`, `a [rank, width]`, `b [3 width, rank]`; outputs `dx`, and the new `a` and `b`.
 */
export interface LoraSpec extends BlockSpec {
  readonly rank: number;
  readonly scale: number;
}

/** Parameters of the transformer by timm's names. */
export type VitParams = Readonly<Record<string, HostTensor>>;

/** Work that is ready to run: operands on the device, programs built. */
export interface Work {
  /**
   * Enqueues the work once, on operand set `set`. It never waits for the device; a promise that it returns may only
   * stand for host work.
   */
  run(set: number): void | Promise<void>;
  /** Submits what is still held back and waits for the device. Called once per measurement. */
  wait(): Promise<void>;
  /** Outputs of the latest `run`. */
  read(): Promise<Readonly<Record<string, Float32Array>>>;
  /** Frees the operands and outputs. */
  dispose(): void | Promise<void>;
}

/** A framework under comparison. */
export interface Peer {
  /** Name in the table. */
  readonly name: string;
  /** Library and version. */
  readonly version: string;
  /** How matrices of weights lie where `[out, in]` is not what is fastest. */
  readonly weights?: "[in, out]";
  /** Creates the device. Called once, before everything else. */
  init(): Promise<void>;
  gemm?(spec: GemmSpec, sets: readonly HostTensors[]): Promise<Work>;
  layernorm?(spec: LayerNormSpec, sets: readonly HostTensors[]): Promise<Work>;
  attention?(spec: AttentionSpec, sets: readonly HostTensors[]): Promise<Work>;
  /** Forward only: output `y`. The sets hold `x` (and `dy`, unused). */
  block?(spec: BlockSpec, sets: readonly HostTensors[], params: BlockParams): Promise<Work>;
  /** Forward and backward: outputs `dx` and `d<parameter>`. The sets hold `x` and `dy`. */
  blockGrad?(spec: BlockSpec, sets: readonly HostTensors[], params: BlockParams): Promise<Work>;
  /** See {@link LoraSpec}: outputs `dx`, `a` and `b`. */
  lora?(spec: LoraSpec, sets: readonly HostTensors[], params: BlockParams): Promise<Work>;
  /**
   * From JPEG files in memory, each of `image` by `image` pixels, to output `y` of the model: decoding and normalising by
   * `jpegs.ts` are part of `run`.
   */
  jpegs?(spec: VitSpec, sets: readonly (readonly Uint8Array<ArrayBuffer>[])[], params: VitParams): Promise<Work>;
  /** Forward only: output `y`. */
  vit?(spec: VitSpec, sets: readonly HostTensors[], params: VitParams): Promise<Work>;
  /**
   * What a user's program does from its start to the first embedding: opens the device, loads the model of `folder`
   * (`model_files.ts`), embeds `x` and reads the result back. Called without {@link Peer.init}.
   *
   * @param stage Where memory is measured: to be called when the device is open and when the weights are on it.
   */
  first?(spec: VitSpec, folder: string, x: HostTensor, stage?: (name: "open" | "loaded") => void): Promise<First>;
}

/** What {@link Peer.first} returns. */
export interface First {
  readonly y: Float32Array;
  /** Device memory the library itself says it takes, bytes. */
  readonly planBytes?: number;
}

/** Resident memory of a process beyond what it held when its device was open, bytes. */
export interface Memory {
  /** Most while weights were read. */
  readonly loading: number;
  /** Held with the weights on the device. */
  readonly loaded: number;
  /** Most from then to the end of the first embedding. */
  readonly running: number;
  /** Held after it. */
  readonly kept: number;
  /** What the library's plan says it takes on the device. */
  readonly plan: number;
}

/** What a child measured, or why it did not. One JSON line. */
export interface Row {
  readonly case: string;
  readonly peer: string;
  readonly version: string;
  /** How matrices of weights lay. */
  readonly weights?: string;
  /** `ok`: timed. `mismatch`: numerics gate failed. `elided`: work was skipped. Others: see `reason`. */
  readonly status: "ok" | "mismatch" | "elided" | "unsupported" | "error" | "skipped";
  readonly reason?: string;
  readonly adapter?: string;
  readonly software?: boolean;
  /** Driver and its version; null where the system does not tell. */
  readonly driver?: string | null;
  /** Largest error of any output by the root mean square of its reference; the gate's measure. */
  readonly maxRelErr?: number;
  /** Median and interquartile range over the repeats, milliseconds per iteration. */
  readonly medianMs?: number;
  readonly iqrMs?: number;
  /** Processor time of the process per iteration; on a software adapter it hardly depends on what else runs. */
  readonly cpuMs?: number;
  readonly gflops?: number;
  readonly iterations?: number;
  readonly repeats?: number;
  /** Compute dispatches and queue submits per iteration. */
  readonly dispatches?: number;
  readonly submits?: number;
  /** Waits for the device per repeat; 1 is the final one. More means that the library itself synchronises. */
  readonly waits?: number;
  /** Starts: most memory the process held, bytes. Buffers are part of it on software adapters only. */
  readonly peakBytes?: number;
  /** Starts: memory by stage, where the library tells its plan. */
  readonly memory?: Memory;
}
