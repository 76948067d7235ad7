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

/** Options of the built-in constructors. */
function causeOf(details: ErrorDetails): ErrorOptions | undefined {
  return details.cause === undefined ? undefined : { cause: details.cause };
}

/** Tensors disagree in shape. */
export class ShapeError extends TypeError implements SealError {
  /** Name of the class. */
  override readonly name: string = "ShapeError";
  /** Stable kebab-case identifier. */
  readonly code: string;
  /** The mend, when one is known. */
  readonly hint: string | undefined;
  /** Plain JSON facts about the failure. */
  readonly context: Record<string, unknown>;
  /** Exit status of the command line. */
  readonly exitCode: number = 1;
  /** Says what cannot be done, what was given and what was wanted. */
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, causeOf(details));
    this.code = details.code ?? "shape";
    this.hint = details.hint;
    this.context = details.context ?? {};
  }
}

/** Tensors disagree in element type. */
export class DtypeError extends TypeError implements SealError {
  /** Name of the class. */
  override readonly name: string = "DtypeError";
  /** Stable kebab-case identifier. */
  readonly code: string;
  /** The mend, when one is known. */
  readonly hint: string | undefined;
  /** Plain JSON facts about the failure. */
  readonly context: Record<string, unknown>;
  /** Exit status of the command line. */
  readonly exitCode: number = 1;
  /** Says what cannot be done, what was given and what was wanted. */
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, causeOf(details));
    this.code = details.code ?? "dtype";
    this.hint = details.hint;
    this.context = details.context ?? {};
  }
}

/** An unknown key, a wrong type, or options that exclude each other. */
export class ConfigError extends TypeError implements SealError {
  /** Name of the class. */
  override readonly name: string = "ConfigError";
  /** Stable kebab-case identifier. */
  readonly code: string;
  /** The mend, when one is known. */
  readonly hint: string | undefined;
  /** Plain JSON facts about the failure. */
  readonly context: Record<string, unknown>;
  /** Exit status of the command line. */
  readonly exitCode: number = 2;
  /** Says what cannot be done, what was given and what was wanted. */
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, causeOf(details));
    this.code = details.code ?? "config";
    this.hint = details.hint;
    this.context = details.context ?? {};
  }
}

/** A value outside its range or beyond what the device allows. */
export class LimitError extends RangeError implements SealError {
  /** Name of the class. */
  override readonly name: string = "LimitError";
  /** Stable kebab-case identifier. */
  readonly code: string;
  /** The mend, when one is known. */
  readonly hint: string | undefined;
  /** Plain JSON facts about the failure. */
  readonly context: Record<string, unknown>;
  /** Exit status of the command line. */
  readonly exitCode: number = 2;
  /** Says what cannot be done, what was given and what was wanted. */
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, causeOf(details));
    this.code = details.code ?? "limit";
    this.hint = details.hint;
    this.context = details.context ?? {};
  }
}

/** A file is not what it claims to be. */
export class FormatError extends SyntaxError implements SealError {
  /** Name of the class. */
  override readonly name: string = "FormatError";
  /** Stable kebab-case identifier. */
  readonly code: string;
  /** The mend, when one is known. */
  readonly hint: string | undefined;
  /** Plain JSON facts about the failure. */
  readonly context: Record<string, unknown>;
  /** Exit status of the command line. */
  readonly exitCode: number = 4;
  /** Says what cannot be done, what was given and what was wanted. */
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, causeOf(details));
    this.code = details.code ?? "format";
    this.hint = details.hint;
    this.context = details.context ?? {};
  }
}

/** A valid file with unusable content. */
export class DataError extends Error implements SealError {
  /** Name of the class. */
  override readonly name: string = "DataError";
  /** Stable kebab-case identifier. */
  readonly code: string;
  /** The mend, when one is known. */
  readonly hint: string | undefined;
  /** Plain JSON facts about the failure. */
  readonly context: Record<string, unknown>;
  /** Exit status of the command line. */
  readonly exitCode: number = 4;
  /** Says what cannot be done, what was given and what was wanted. */
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, causeOf(details));
    this.code = details.code ?? "data";
    this.hint = details.hint;
    this.context = details.context ?? {};
  }
}

/** Missing or unexpected weights, or a checksum that disagrees. */
export class WeightsError extends Error implements SealError {
  /** Name of the class. */
  override readonly name: string = "WeightsError";
  /** Stable kebab-case identifier. */
  readonly code: string;
  /** The mend, when one is known. */
  readonly hint: string | undefined;
  /** Plain JSON facts about the failure. */
  readonly context: Record<string, unknown>;
  /** Exit status of the command line. */
  readonly exitCode: number = 5;
  /** Says what cannot be done, what was given and what was wanted. */
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, causeOf(details));
    this.code = details.code ?? "weights";
    this.hint = details.hint;
    this.context = details.context ?? {};
  }
}

/** Weights behind a licence that was not accepted, or without a token. */
export class GatedError extends WeightsError {
  /** Name of the class. */
  override readonly name: string = "GatedError";
}

/** No adapter, a lost device, or no memory left on it. */
export class DeviceError extends Error implements SealError {
  /** Name of the class. */
  override readonly name: string = "DeviceError";
  /** Stable kebab-case identifier. */
  readonly code: string;
  /** The mend, when one is known. */
  readonly hint: string | undefined;
  /** Plain JSON facts about the failure. */
  readonly context: Record<string, unknown>;
  /** Exit status of the command line. */
  readonly exitCode: number = 6;
  /** Says what cannot be done, what was given and what was wanted. */
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, causeOf(details));
    this.code = details.code ?? "device";
    this.hint = details.hint;
    this.context = details.context ?? {};
  }
}

/** A kernel or pipeline the driver refuses. */
export class KernelError extends DeviceError {
  /** Name of the class. */
  override readonly name: string = "KernelError";
}

/** NaN or infinity where a finite number is needed. */
export class NumericsError extends RangeError implements SealError {
  /** Name of the class. */
  override readonly name: string = "NumericsError";
  /** Stable kebab-case identifier. */
  readonly code: string;
  /** The mend, when one is known. */
  readonly hint: string | undefined;
  /** Plain JSON facts about the failure. */
  readonly context: Record<string, unknown>;
  /** Exit status of the command line. */
  readonly exitCode: number = 1;
  /** Says what cannot be done, what was given and what was wanted. */
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, causeOf(details));
    this.code = details.code ?? "numerics";
    this.hint = details.hint;
    this.context = details.context ?? {};
  }
}

/** Work that was asked to stop; what was done is kept. */
export class InterruptedError extends Error implements SealError {
  /** Name of the class. */
  override readonly name: string = "InterruptedError";
  /** Stable kebab-case identifier. */
  readonly code: string;
  /** The mend, when one is known. */
  readonly hint: string | undefined;
  /** Plain JSON facts about the failure. */
  readonly context: Record<string, unknown>;
  /** Exit status of the command line. */
  readonly exitCode: number = 75;
  /** Says what was stopped and where it stood. */
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, causeOf(details));
    this.code = details.code ?? "interrupted";
    this.hint = details.hint;
    this.context = details.context ?? {};
  }
}

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
