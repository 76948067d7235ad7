/**
 * Names and shapes of a SEAL omics checkpoint, from which gene models read their sizes.
 *
 * @module
 */

import { FormatError } from "../core/errors.ts";
import { normalizeSealNames, type Shaped } from "../io/torch/seal_checkpoint.ts";

/** Shapes by normalised name, and how to refuse them. */
export class OmicsShapes {
  /** Shapes by normalised name. */
  readonly names: ReadonlyMap<string, readonly number[]>;

  /** @param file Name of the file, for messages. */
  constructor(tensors: ReadonlyMap<string, Shaped>, readonly file: string) {
    const plain = normalizeSealNames(tensors.keys(), file);
    this.names = new Map([...plain].map(([original, name]) => [name, tensors.get(original)!.shape]));
  }

  /** Indices that follow `before` in names that end in `after`, ascending. */
  indices(before: string, after: string): number[] {
    const found = [...this.names.keys()].flatMap((name) => {
      const index = name.startsWith(before) && name.endsWith(after) ? name.slice(before.length, -after.length) : "";
      return /^\d{1,4}$/.test(index) ? [Number(index)] : [];
    });
    return found.sort((a, b) => a - b);
  }

  /** Extents of a matrix. */
  matrix(name: string): readonly [number, number] {
    const shape = this.names.get(name);
    if (shape?.length === 2) return shape as unknown as readonly [number, number];
    throw this.fail(name, shape ? `has ${shape.length} dimensions` : "is missing", "a matrix");
  }

  /** Matrices `before.N.weight` in order: linear layers, not normalisations. */
  linears(before: string): (readonly [number, number])[] {
    return this.indices(`${before}.`, ".weight")
      .filter((index) => this.names.get(`${before}.${index}.weight`)!.length === 2)
      .map((index) => this.matrix(`${before}.${index}.weight`));
  }

  /** The error for a name of the file. */
  fail(name: string, found: string, expected: string): FormatError {
    return new FormatError(
      `Cannot read ${this.file} as a SEAL gene model: "${name.slice(0, 160)}" ${found}, expected ${expected}`,
      { context: { file: this.file, key: name, found, expected } },
    );
  }
}
