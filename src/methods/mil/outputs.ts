/**
 * What a model says of the test bags of a fold: `evaluation/outputs.json`, from which folds are judged together.
 *
 * @module
 */

import { DataError } from "../../core/errors.ts";
import type { FoldOutputs } from "../method.ts";

/** The content of the file. */
export function outputsText(outputs: FoldOutputs): string {
  return `${JSON.stringify({ format: 1, ...outputs }, undefined, 1)}\n`;
}

/** Reads the file. @throws {DataError} If it is none. */
export function readOutputs(text: string, file: string): FoldOutputs {
  const refuse = (found: string): DataError =>
    new DataError(`Cannot read ${file}: ${found}, expected what a model says of each test bag`, {
      code: "damaged",
      hint: "--overwrite trains anew",
      context: { file, found },
    });
  let value: (Partial<FoldOutputs> & { format?: unknown }) | null;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw refuse((cause as Error).message);
  }
  const { fold, bags, format } = value ?? {};
  if (format !== 1) throw refuse(`its format is ${JSON.stringify(format)}`);
  if (typeof fold !== "string" || !Array.isArray(bags)) throw refuse("it names no fold or no bags");
  const bad = bags.find(({ name, output }) =>
    typeof name !== "string" || !Array.isArray(output) || !output.every(Number.isFinite)
  );
  if (bad !== undefined) throw refuse(`bag ${JSON.stringify(bad.name)} has no numbers`);
  return value as FoldOutputs;
}
