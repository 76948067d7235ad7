/**
 * References on disk, so that the peers' processes compute each only once.
 *
 * @module
 */

import type { Stored } from "./cases.ts";

/** References in `folder`. */
export function storedIn(folder: string): Stored {
  return async (key, compute) => {
    try {
      const names = JSON.parse(await Deno.readTextFile(`${folder}/${key}.json`)) as string[];
      const read = async (name: string): Promise<[string, Float64Array]> => {
        const bytes = await Deno.readFile(`${folder}/${key}.${name}`);
        return [name, new Float64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 8)];
      };
      return Object.fromEntries(await Promise.all(names.map(read)));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    const reference = compute();
    for (const [name, values] of Object.entries(reference)) {
      await Deno.writeFile(`${folder}/${key}.${name}`, new Uint8Array(values.buffer as ArrayBuffer));
    }
    await Deno.writeTextFile(`${folder}/${key}.json`, JSON.stringify(Object.keys(reference)));
    return reference;
  };
}
