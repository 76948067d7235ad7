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
  /** Factor, or the literal extent. */
  readonly coef: number;
  /** Dimension, or empty. */
  readonly name: string;
}

/** One tensor of a card. */
export interface TensorSlot {
  /** Name in card, body and call. */
  readonly name: string;
  /** How the kernel uses it. */
  readonly access: Access;
  /** Whether a call may leave it out. */
  readonly optional: boolean;
  /** Extents. */
  readonly dims: readonly DimTerm[];
  /** Element type. */
  readonly elem: Elem;
  /** 4 when the card says `/4`: read by four elements at a time where the last extent allows it. */
  readonly pack: 1 | 4;
}

/** One scalar of a card that no shape determines. */
export interface ParamSlot {
  /** Name in card, body and call. */
  readonly name: string;
  /** Type in the uniform block. */
  readonly type: "f32" | "u32" | "i32";
}

/** Values of dimensions, params and tune constants, by name. */
export type Dims = Readonly<Record<string, number>>;

/** A condition the caller must meet, with its text for the error message. */
export interface CardLimit {
  /** The condition as the card states it. */
  readonly text: string;
  /** Whether it is met. */
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
  /** File name. */
  readonly name: string;
  /** Text of the file. */
  readonly source: string;
  /** Texts of the libraries it names. */
  readonly libs: readonly string[];
  /** Tensors in binding order. */
  readonly tensors: readonly TensorSlot[];
  /** Dimension names in order of first appearance. */
  readonly dims: readonly string[];
  /** Scalars. */
  readonly params: readonly ParamSlot[];
  /** Allowed values by option; the first is the default. */
  readonly options: Readonly<Record<string, readonly string[]>>;
  /** Allowed values by constant; the first is the default. */
  readonly tune: Readonly<Record<string, readonly number[]>>;
  /** Conditions the caller must meet. */
  readonly limits: readonly CardLimit[];
  /** Whether one count of workgroups is spread over x and y. */
  readonly fold: boolean;
  /** Workgroups, from dims, params and constants. */
  readonly grid: (dims: Dims) => number[];
  /** Floating-point operations, a multiply-add two, from dims, params and constants. */
  readonly flops: (dims: Dims) => number;
  /** Elements that cross memory of a tensor that is not read or written whole, by its name. */
  readonly touch: Readonly<Record<string, (dims: Dims) => number>>;
  /** Type information only. */
  readonly types?: { tensors: Tensors; params: Params; options: Options };
}
