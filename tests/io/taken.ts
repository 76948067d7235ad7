/** The memory that a reader asks for, counted: the same on every machine, unlike its time. */

const KINDS = ["Uint8Array", "Uint8ClampedArray", "Int16Array", "Uint16Array", "Uint32Array", "Float64Array"] as const;

/** Bytes of the typed arrays that are made by length while `use` runs. What it throws is thrown. */
export async function taken(use: () => unknown): Promise<number> {
  let bytes = 0;
  const originals = KINDS.map((kind) => globalThis[kind]);
  KINDS.forEach((kind, i) => {
    Object.assign(globalThis, {
      [kind]: new Proxy(originals[i]!, {
        construct(target, args, as) {
          if (typeof args[0] === "number") bytes += args[0] * target.BYTES_PER_ELEMENT;
          return Reflect.construct(target, args, as);
        },
      }),
    });
  });
  try {
    await use();
  } finally {
    KINDS.forEach((kind, i) => Object.assign(globalThis, { [kind]: originals[i] }));
  }
  return bytes;
}
