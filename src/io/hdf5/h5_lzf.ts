/**
 * LZF, which h5py has built in and the HDF5 library has not: a filter of our own (`h5_lzf.c`), loaded by the library as a
 * plugin. The size a chunk must unpack to is passed before each read, since files say it of themselves: the library believes
 * filters and would read behind a chunk that comes out short.
 *
 * @module
 */

import type { Hdf5 } from "./h5_library.ts";
import { LZF_MODULE } from "./h5_lzf.gen.ts";

/** Number of the filter. */
export const LZF = 32000;
/** Most bytes that LZF makes of one: three bytes name 264. */
export const LZF_RATIO = 88;

/** Stands in the module where the address of the order belongs: `order` in the source. */
const MARKER = 0x5a4c6648;
/** Bytes of `struct order`. */
const ORDER = 16;
/** What may be wrong with a chunk; as in the source. */
const FAULTS: readonly ((at: number) => string)[] = [
  () => "",
  (at) => `LZF ends within what begins at byte ${at} of a chunk`,
  (at) => `LZF refers to before the start at byte ${at} of a chunk`,
  (at) => `LZF gives more than a chunk holds at byte ${at} of it`,
  (at) => `LZF gives less than a chunk holds from its ${at} bytes`,
  () => "no memory for a chunk of LZF",
];

/** The filter in one instance of the library. */
export class LzfFilter {
  private readonly at: number;

  /** Puts the plugin where the library looks for it, which it does when a file first needs it. */
  constructor(private readonly hdf5: Hdf5) {
    this.at = hdf5._malloc(ORDER);
    this.expect(0, 0);
    const module = Uint8Array.from(atob(LZF_MODULE), (letter) => letter.charCodeAt(0));
    const view = new DataView(module.buffer);
    const last = module.length - 4;
    const place = Array.from({ length: last + 1 }, (_, i) => i).find((i) => view.getUint32(i, true) === MARKER);
    view.setUint32(place!, this.at, true);
    const folder = hdf5.get_plugin_search_paths()[0]!;
    hdf5.FS.mkdirTree(folder);
    hdf5.FS.writeFile(`${folder}/liblzf.so`, module);
  }

  /** Says how many bytes every chunk must unpack to, until told otherwise. */
  expect(least: number, most: number): void {
    this.order().set([least, most, 0, 0]);
  }

  /** What was wrong with a chunk since the last call. */
  fault(): string | undefined {
    const [least, most, fault, at] = this.order();
    this.expect(least!, most!);
    return fault === 0 ? undefined : FAULTS[fault!]!(at!);
  }

  private order(): Uint32Array {
    return new Uint32Array(this.hdf5.HEAPU8.buffer, this.at, ORDER / 4);
  }
}
