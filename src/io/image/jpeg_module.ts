/**
 * The part of the JPEG reader that is WebAssembly (`jpeg_decode.c`) and its memory. Small images take turns in one
 * instance; large ones, and those whose rows are read later, have their own, whose memory goes when the image does.
 *
 * Own code, and not a package: libjpeg-turbo compiled for npm (1.2.8 of Cornerstone's, 299 kB) is half as fast, since its
 * vectors are not compiled; loads asynchronously; reads no CMYK; and of a damaged file says neither what nor where. Vectors
 * of 128 bits are in Deno, Node and every browser since Safari 16.4.
 *
 * @module
 */

import { JPEG_MODULE } from "./jpeg_decode.gen.ts";

/** Most bytes of memory that is kept between images. */
const SHARED = 2 ** 26;
const PAGE = 2 ** 16;
/** Tables of DC and AC coefficients, four of each. */
const SLOTS = 8;
/** Bytes of counts and symbols. */
const MOST_CODES = 16 + 256;
/** Bytes of `struct table`, and of the codes it is made of. */
const TABLE = 4 * (1024 + 18 + 18) + 256 + MOST_CODES;
/** Vectors are at multiples of it. */
const ALIGN = 16;
/** Vectors are read and written beyond the end of what they are part of. */
const BEYOND = 4 * ALIGN;

interface Exports {
  readonly memory: WebAssembly.Memory;
  readonly __heap_base: WebAssembly.Global;
  prepare(): void;
  table(codes: number, dc: number, table: number): void;
  scan(scan: number): number;
  samples(component: number, lines: number): void;
  rows(image: number, y: number, count: number, out: number): void;
}

/** The functions of the module over one memory, of which {@linkcode place} gives room. */
export class JpegModule {
  /** The functions. */
  readonly call: Exports;
  private readonly tables: number;
  private readonly first: number;
  private readonly codes: Uint8Array[] = [];
  private top: number;

  private constructor(module: WebAssembly.Module) {
    this.call = new WebAssembly.Instance(module).exports as unknown as Exports;
    this.call.prepare();
    this.tables = alignUp(Number(this.call.__heap_base.value));
    this.top = this.tables;
    this.place(SLOTS * TABLE);
    this.first = this.top;
  }

  private static module: WebAssembly.Module | undefined;
  private static shared: JpegModule | undefined;

  /**
   * An instance for one image.
   *
   * @param bytes How much memory it takes, about.
   * @param keep Whether it is used after another image may have been begun.
   */
  static forImage(bytes: number, keep: boolean): JpegModule {
    const module = JpegModule.module ??= new WebAssembly.Module(
      Uint8Array.from(atob(JPEG_MODULE), (letter) => letter.charCodeAt(0)),
    );
    const own = keep || bytes > SHARED;
    const instance = own ? new JpegModule(module) : JpegModule.shared ??= new JpegModule(module);
    instance.top = instance.first;
    return instance;
  }

  /** Address of room for `bytes`, which hold what the image before left there, and for a few more behind them. */
  place(bytes: number): number {
    const { memory } = this.call;
    const at = this.top;
    this.top += alignUp(bytes) + BEYOND;
    const missing = this.top - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / PAGE));
    return at;
  }

  /** As {@linkcode place}, zeros. */
  zeros(bytes: number): number {
    const at = this.place(bytes);
    // An instance of one image has never held another, and its memory is zero without being touched.
    if (this === JpegModule.shared) this.bytes(at, bytes).fill(0);
    return at;
  }

  /** Bytes at `at`, until the next {@linkcode place}. */
  bytes(at: number, count: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.call.memory.buffer as ArrayBuffer, at, count);
  }

  /** Numbers at `at`, until the next {@linkcode place}. */
  words(at: number, count: number): Uint32Array<ArrayBuffer> {
    return new Uint32Array(this.call.memory.buffer as ArrayBuffer, at, count);
  }

  /**
   * Address of a Huffman table.
   *
   * @param codes The counts of codes of 1 to 16 bits, and symbols.
   * @param slot Which of eight tables it becomes: the first four are of DC coefficients.
   */
  table(codes: Uint8Array, slot: number): number {
    const at = this.tables + slot * TABLE;
    // Most images of a kind have the same tables.
    const known = this.codes[slot];
    if (known === undefined || known.length !== codes.length || known.some((value, i) => value !== codes[i])) {
      const from = at + TABLE - MOST_CODES;
      this.bytes(from, codes.length).set(codes);
      this.call.table(from, slot < 4 ? 1 : 0, at);
      this.codes[slot] = codes;
    }
    return at;
  }
}

function alignUp(bytes: number): number {
  return Math.ceil(bytes / ALIGN) * ALIGN;
}
