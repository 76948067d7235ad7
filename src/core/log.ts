/**
 * Structured log lines to an injected sink; the core itself never writes to a console.
 *
 * @module
 */

/** Severity of a log line. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** Receives one log line: its severity, text and fields. */
export type LogSink = (level: LogLevel, message: string, fields: Record<string, unknown>) => void;

let sink: LogSink = () => {};

/** Sends all later lines to `next`. */
export function setLogSink(next: LogSink): void {
  sink = next;
}

/** Writes one line to the current sink. */
export function log(level: LogLevel, message: string, fields: Record<string, unknown> = {}): void {
  sink(level, message, fields);
}
