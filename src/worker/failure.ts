/**
 * Errors on their way from a worker: what a message can carry of one, and the error of its own class again.
 *
 * @module
 */

import { ConfigError, DataError, type ErrorDetails, FormatError, LimitError } from "../core/errors.ts";

/** An error as a message carries it. */
export interface Failure {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly hint?: string | undefined;
  readonly context?: Record<string, unknown>;
}

/** What a message carries of an error. */
export function failureOf(error: unknown): Failure {
  const { name, message, code, hint, context } = error as Error & Failure;
  const plain = context === undefined ? {} : { context: JSON.parse(JSON.stringify(context)) };
  return { name, message, ...(code !== undefined && { code }), hint, ...plain };
}

/** The error a worker met, of its own class again. */
export function revived({ name, message, code, hint, context }: Failure): Error {
  const details: ErrorDetails = {
    ...(code !== undefined && { code }),
    ...(hint !== undefined && { hint }),
    ...(context !== undefined && { context }),
  };
  if (name === "FormatError") return new FormatError(message, details);
  if (name === "ConfigError") return new ConfigError(message, details);
  if (name === "LimitError") return new LimitError(message, details);
  return new DataError(message, details);
}
