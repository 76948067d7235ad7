/**
 * The error classes of the whole project. Each has a stable `code`, an optional `hint` (a command or setting that mends
 * it), a plain-JSON `context`, and the exit status the command line gives it.
 *
 * @module
 */

/** Options every error of this project accepts. */
export interface ErrorDetails {
  /** Stable kebab-case identifier; defaults to the one of the class. */
  code?: string;
  /** The mend, as a command or setting that can be pasted. */
  hint?: string;
  /** Plain JSON facts: what was given, what was wanted, where. */
  context?: Record<string, unknown>;
  /** The error that led here. */
  cause?: unknown;
}

/** What every error of this project carries beside its message. */
export interface SealError extends Error {
  /** Stable kebab-case identifier. */
  readonly code: string;
  /** The mend, when one is known. */
  readonly hint: string | undefined;
  /** Plain JSON facts about the failure. */
  readonly context: Record<string, unknown>;
  /** Exit status of the command line. */
  readonly exitCode: number;
}

type ErrorBase = new (message?: string, options?: ErrorOptions) => Error;

function sealError(base: ErrorBase, name: string, defaultCode: string, exit: number): new (
  message: string,
  details?: ErrorDetails,
) => SealError {
  return class extends base implements SealError {
    override readonly name: string = name;
    readonly code: string;
    readonly hint: string | undefined;
    readonly context: Record<string, unknown>;
    readonly exitCode: number = exit;
    constructor(message: string, details: ErrorDetails = {}) {
      super(message, details.cause === undefined ? undefined : { cause: details.cause });
      this.code = details.code ?? defaultCode;
      this.hint = details.hint;
      this.context = details.context ?? {};
    }
  };
}

type SealErrorClass = new (message: string, details?: ErrorDetails) => SealError;

const shapeError: SealErrorClass = sealError(TypeError, "ShapeError", "shape", 1);
/** Tensors disagree in shape. */
export class ShapeError extends shapeError {}

const dtypeError: SealErrorClass = sealError(TypeError, "DtypeError", "dtype", 1);
/** Tensors disagree in element type. */
export class DtypeError extends dtypeError {}

const configError: SealErrorClass = sealError(TypeError, "ConfigError", "config", 2);
/** An unknown key, a wrong type, or options that exclude each other. */
export class ConfigError extends configError {}

const limitError: SealErrorClass = sealError(RangeError, "LimitError", "limit", 2);
/** A value outside its range or beyond what the device allows. */
export class LimitError extends limitError {}

const formatError: SealErrorClass = sealError(SyntaxError, "FormatError", "format", 4);
/** A file is not what it claims to be. */
export class FormatError extends formatError {}

const dataError: SealErrorClass = sealError(Error, "DataError", "data", 4);
/** A valid file with unusable content. */
export class DataError extends dataError {}

const weightsError: SealErrorClass = sealError(Error, "WeightsError", "weights", 5);
/** Missing or unexpected weights, or a checksum that disagrees. */
export class WeightsError extends weightsError {}

/** Weights behind a licence that was not accepted, or without a token. */
export class GatedError extends WeightsError {
  override readonly name: string = "GatedError";
}

const deviceError: SealErrorClass = sealError(Error, "DeviceError", "device", 6);
/** No adapter, a lost device, or no memory left on it. */
export class DeviceError extends deviceError {}

/** A kernel or pipeline the driver refuses. */
export class KernelError extends DeviceError {
  override readonly name: string = "KernelError";
}

const numericsError: SealErrorClass = sealError(RangeError, "NumericsError", "numerics", 1);
/** NaN or infinity where a finite number is needed. */
export class NumericsError extends numericsError {}

/** Exit status for any error: the class's own, else 1. */
export function exitCodeOf(error: unknown): number {
  const code = (error as Partial<SealError> | null | undefined)?.exitCode;
  return typeof code === "number" ? code : 1;
}

/**
 * Checks what only a mistake inside the engine can break.
 *
 * @throws {Error} If `condition` is false.
 */
export function assert(condition: unknown, text: string): asserts condition {
  if (!condition) throw new Error(`Assertion failed: ${text}`);
}
