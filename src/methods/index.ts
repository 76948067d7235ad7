/**
 * The training methods, loaded when they are asked for: a method is its folder here and one line.
 *
 * @module
 */

/** A row of the table. */
interface Row {
  /** Files of its checkpoints beside those of every method: only such names are ever replaced or removed. */
  readonly files: readonly string[];
}

/** All methods by name, which is the folder's. */
export const METHODS = {
  seal: { files: ["omics.safetensors", "heads.safetensors", "genes.json"] },
} as const satisfies Readonly<Record<string, Row>>;

/** Files that checkpoints of any method may have. */
export function methodFiles(): string[] {
  return [...new Set(Object.values(METHODS).flatMap(({ files }) => files))];
}
