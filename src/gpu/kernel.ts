/**
 * What a kernel card says, as data: the generator writes one {@linkcode Kernel} per file of `kernels/`.
 *
 * @module
 */

/** Access of a kernel to one tensor. `inout` is read and written by the same dispatch. */
export type Access = "in" | "out" | "inout";

/**
 * Element type of a kernel tensor. `T` is the activation type (f32, or f16 with `shader-f16`), `W` the storage type of
 * frozen weights (f32, or f16/bf16 packed two a word, no device feature needed), `u8` bytes packed four a word.
 */
export type Elem = "T" | "W" | "f32" | "u32" | "i32" | "u8";

/** One extent in a card: `coef` times the dimension `name`, or the literal `coef` when `name` is empty. */
export interface DimTerm {
  readonly coef: number;
  readonly name: string;
}

/** One tensor of a card. */
export interface TensorSlot {
  readonly name: string;
  readonly access: Access;
  readonly optional: boolean;
  readonly dims: readonly DimTerm[];
  readonly elem: Elem;
  /** 4 when the card says `/4`: read by four elements at a time where the last extent allows it. */
  readonly pack: 1 | 4;
}

/** One scalar of a card that no shape determines. */
export interface ParamSlot {
  readonly name: string;
  readonly type: "f32" | "u32" | "i32";
}

/** Values of dimensions, params and tune constants, by name. */
export type Dims = Readonly<Record<string, number>>;

/** A condition the caller must meet, with its text for the error message. */
export interface CardLimit {
  readonly text: string;
  readonly holds: (dims: Dims) => boolean;
}

/**
 * A kernel as its card declares it. The type parameters name its tensors (by access), params and options, so that a
 * missing or misspelt one does not compile.
 */
export interface Kernel<
  Tensors extends Partial<Record<string, Access>> = Record<string, Access>,
  Params extends Record<string, number> = Record<string, number>,
  Options extends Record<string, string> = Record<string, string>,
> {
  readonly name: string;
  readonly source: string;
  readonly libs: readonly string[];
  readonly tensors: readonly TensorSlot[];
  /** Dimension names in order of first appearance. */
  readonly dims: readonly string[];
  readonly params: readonly ParamSlot[];
  /** Allowed values by option; the first is the default. */
  readonly options: Readonly<Record<string, readonly string[]>>;
  readonly tune: Readonly<Record<string, readonly number[]>>;
  readonly limits: readonly CardLimit[];
  readonly fold: boolean;
  readonly grid: (dims: Dims) => number[];
  /** Type information only. */
  readonly types?: { tensors: Tensors; params: Params; options: Options };
}
