/**
 * The HDF5 library as this project drives it: instances of h5wasm, files of its virtual file system that are backed by
 * {@linkcode H5Storage}, and failures of any kind turned into errors that name file and place. Used by `h5.ts` and
 * `h5_write.ts` only.
 *
 * @module
 */

import { FormatError, type SealError } from "../../core/errors.ts";
import { checkDeflated, checkHeap } from "./h5_checks.ts";
import { LzfFilter } from "./h5_lzf.ts";

/** Bytes that HDF5 reads and writes at any place, synchronously: a file of the host, or memory. */
export interface H5Storage {
  /** Name for error messages, usually the path. */
  readonly name: string;
  /** Length, bytes. */
  size(): number;
  /** Fills `into` from `at`. @returns Bytes read, fewer only at the end. */
  read(at: number, into: Uint8Array): number;
  /** Writes at `at`, growing where needed; absent where reading only. */
  write?(at: number, bytes: Uint8Array): void;
  /** Cuts or grows to `size` bytes. */
  truncate?(size: number): void;
  /** Releases what is held. */
  close?(): void;
}

/** Type, shape and layout of a dataset or attribute as h5wasm tells them. */
export interface Metadata {
  type: number;
  size: number;
  signed: boolean;
  vlen: boolean;
  cset?: number;
  strpad?: number;
  littleEndian: boolean;
  shape: number[] | null;
  maxshape: number[] | null;
  chunks: number[] | null;
  total_size: number;
  enum_type?: { type: number; members: Record<string, number> };
  array_type?: Metadata;
  compound_type?: { members: readonly (Metadata & { name: string; offset: number })[] };
  virtual_sources?: unknown[];
}

/** What is written of a dataset or attribute. */
export interface NewMetadata {
  type: number;
  size: number;
  signed: boolean;
  vlen: boolean;
  cset?: number;
  littleEndian: boolean;
  shape: bigint[];
  maxshape: bigint[];
  chunks: bigint[] | null;
  compression?: number;
  compression_opts?: number[];
}

/** The part of h5wasm's low-level interface used here. Numbers returned are negative for failure. */
export interface Hdf5 {
  readonly HEAPU8: Uint8Array;
  _malloc(bytes: number): number;
  _free(at: number): void;
  open(path: string, mode: number, trackOrder: boolean, low: number, high: number): bigint;
  close_file(id: bigint): number;
  get_names(id: bigint, path: string, recursive: boolean): string[];
  get_type(id: bigint, path: string): number;
  get_dataset_metadata(id: bigint, path: string): Metadata;
  get_dataset_filters(id: bigint, path: string): { id: number; name: string }[];
  get_dataset_data(id: bigint, path: string, count: Dims, offset: Dims, stride: Dims, at: bigint): number;
  set_dataset_data(id: bigint, path: string, count: Dims, offset: Dims, stride: Dims, at: bigint): number;
  get_attribute_names(id: bigint, path: string): string[];
  get_attribute_metadata(id: bigint, path: string, name: string): Metadata;
  get_attribute_data(id: bigint, path: string, name: string, at: bigint): number;
  reclaim_vlen_memory(id: bigint, path: string, name: string, at: bigint): number;
  reclaim_vlen_memory_count(id: bigint, path: string, name: string, at: bigint, count: bigint[]): number;
  create_object_reference(id: bigint, path: string): number[];
  create_group(id: bigint, path: string, trackOrder: boolean): number;
  create_dataset(id: bigint, path: string, at: bigint, metadata: NewMetadata): number;
  resize_dataset(id: bigint, path: string, shape: bigint[]): number;
  create_vlen_str_dataset(id: bigint, path: string, values: string[], metadata: NewMetadata): number;
  create_attribute(id: bigint, path: string, name: string, at: bigint, metadata: NewMetadata): number;
  create_vlen_str_attribute(id: bigint, path: string, name: string, values: string[], metadata: NewMetadata): number;
  get_plugin_search_paths(): string[];
  readonly FS: VirtualFiles;
}

type Dims = bigint[] | null;

/** Classes of HDF5 types. */
export const CLASS = { integer: 0, float: 1, string: 3, compound: 6, enum: 8 } as const;
/** Kinds of objects, as `get_type` tells them. */
export const OBJECT = { group: 0, dataset: 1 } as const;

interface VirtualNode {
  stream_ops: Record<string, unknown>;
  node_ops: Record<string, unknown>;
}

/** The part of Emscripten's file system used here. */
interface VirtualFiles {
  mkdirTree(path: string): void;
  writeFile(path: string, data: Uint8Array): void;
  unlink(path: string): void;
  lookupPath(path: string, options: object): { node: VirtualNode };
  getStream(descriptor: number): { stream_ops: Record<string, unknown> } | null;
  ErrnoError: new (code: number) => Error;
}

/** Emscripten's number of EIO. */
const EIO = 29;
/** Calls for bytes one operation may make: more is a file that leads the library in circles. */
const MOST_READS = 2_000_000;

/** One instance of the library, with what it last complained about. */
class Instance {
  /** Set after a trap: the memory of the library can no longer be trusted. */
  broken = false;
  readonly lzf: LzfFilter;
  deflated: number | undefined;
  private diagnosis = "";
  private opened = 0;

  constructor(readonly hdf5: Hdf5) {
    this.lzf = new LzfFilter(hdf5);
    const decoder = new TextDecoder();
    // HDF5 prints its error stack to standard error; here it is kept for the message.
    const stream = hdf5.FS.getStream(2);
    if (stream === null) return;
    const write = (_stream: unknown, buffer: Uint8Array, offset: number, length: number): number => {
      const bytes = new Uint8Array(buffer.buffer, buffer.byteOffset + offset, length);
      if (this.diagnosis.length < 1e5) this.diagnosis += decoder.decode(bytes.slice());
      return length;
    };
    stream.stream_ops = { ...stream.stream_ops, write };
  }

  /** What the filter found, or the innermost line of the error stack, since the last call. */
  complaint(): string | undefined {
    const lines = this.diagnosis.split("\n").filter((line) => /^\s*#\d+:/.test(line));
    this.diagnosis = "";
    return this.lzf.fault() ?? lines.at(-1)?.replace(/^\s*#\d+: .* in ([A-Za-z0-9_]+)\(\): /, "").trim().slice(0, 200);
  }

  /** Makes `storage` a file of the virtual file system. */
  mount(storage: H5Storage): { path: string; failure: () => unknown; begin: () => void } {
    const { FS } = this.hdf5;
    const path = `/${this.opened++}.h5`;
    let failed: unknown;
    let reads = 0;
    const guarded = <T>(act: () => T): T => {
      try {
        return act();
      } catch (error) {
        failed ??= error;
        throw new FS.ErrnoError(EIO);
      }
    };
    const at = (buffer: Uint8Array, offset: number, length: number) =>
      new Uint8Array(buffer.buffer, buffer.byteOffset + offset, length);
    FS.writeFile(path, new Uint8Array(0));
    const { node } = FS.lookupPath(path, {});
    Object.defineProperty(node, "usedBytes", { get: () => storage.size() });
    node.stream_ops = {
      ...node.stream_ops,
      read: (_s: unknown, buffer: Uint8Array, offset: number, length: number, position: number): number =>
        guarded(() => {
          if (++reads > MOST_READS) throw new Error("the file leads in circles");
          if (position >= storage.size()) return 0;
          const into = at(buffer, offset, length);
          const got = storage.read(position, into);
          checkHeap(storage, position, into);
          checkDeflated(this.deflated, into);
          return got;
        }),
      write: (_s: unknown, buffer: Uint8Array, offset: number, length: number, position: number): number =>
        guarded(() => {
          if (storage.write === undefined) throw new Error("it was opened for reading");
          storage.write(position, at(buffer, offset, length));
          return length;
        }),
    };
    node.node_ops = {
      ...node.node_ops,
      setattr: (_node: unknown, { size }: { size?: number }): void =>
        guarded(() => {
          if (size !== undefined && size !== storage.size()) storage.truncate?.(size);
        }),
    };
    return { path, failure: () => failed, begin: () => void ([failed, reads] = [undefined, 0]) };
  }
}

let current: Promise<Instance> | undefined;
let instances = 0;

/** The instance in use; another one after a trap. */
async function instance(): Promise<Instance> {
  const now = await current?.catch(() => undefined);
  if (now !== undefined && !now.broken) return now;
  current = instantiate(now);
  return await current;
}

async function instantiate(broken: Instance | undefined): Promise<Instance> {
  const number = instances++;
  if (number === 0) {
    const { ready } = await import("h5wasm");
    return new Instance(await ready as unknown as Hdf5);
  }
  // The package makes one instance a module; the same module under another address makes another.
  try {
    const { ready } = await import(`${import.meta.resolve("h5wasm")}?instance=${number}`) as {
      ready: Promise<unknown>;
    };
    return new Instance(await ready as Hdf5);
  } catch (error) {
    if (broken === undefined) throw error;
    return broken;
  }
}

/** A file open in the library; the base of reader and writer. */
export class H5Session {
  protected readonly hdf5: Hdf5;
  /** The library's handle of the file. */
  protected readonly id: bigint;
  private readonly mounted: { path: string; failure: () => unknown; begin: () => void };
  private closed = false;

  /** @param mode 0 to read, 2 to create. */
  protected constructor(private readonly owner: Instance, readonly storage: H5Storage, private readonly mode: 0 | 2) {
    this.hdf5 = owner.hdf5;
    this.mounted = owner.mount(storage);
    try {
      this.id = this.run("", () => this.hdf5.open(this.mounted.path, mode, false, -1, -1), (id) => id >= 0n);
    } catch (error) {
      this.unmount();
      throw error;
    }
  }

  /** The library; the first call loads it, which takes about half a second. */
  protected static async library(): Promise<Instance> {
    return await instance();
  }

  /** Name of the file. */
  get name(): string {
    return this.storage.name;
  }

  /** Says what LZF must make of a chunk of the dataset that is read next, and what gzip may have made of it. */
  protected expectChunk({ least, most }: { least: number; most: number }, deflated: number | undefined): void {
    this.owner.lzf.expect(least, most);
    this.owner.deflated = deflated;
  }

  /** An error that names the file and the place in it. */
  fail(path: string, found: string, expected: string, cause?: unknown): FormatError {
    const verb = this.mode === 0 ? "read" : "write";
    return new FormatError(`Cannot ${verb} ${this.name}${path && `:${path}`}: ${found}, expected ${expected}`, {
      context: { file: this.name, path, found, expected },
      cause,
    });
  }

  /**
   * Runs one operation of the library.
   *
   * @param path Place in the file, for messages.
   * @param act The operation; synchronous.
   * @param good Whether its result means success.
   * @throws {FormatError} If it fails, traps or aborts; errors of the storage as they are.
   */
  protected run<T>(path: string, act: () => T, good: (result: T) => boolean): T {
    if (this.closed) throw this.fail(path, "it is closed", "an open file");
    this.owner.complaint();
    this.mounted.begin();
    let result: T | undefined;
    let thrown: unknown;
    try {
      result = this.mode === 0 ? act() : withoutClock(act);
    } catch (error) {
      if ((error as Partial<SealError>).code !== undefined) throw error;
      thrown = error;
      this.owner.broken ||= !(error instanceof Error) || error instanceof WebAssembly.RuntimeError ||
        error instanceof RangeError;
    }
    const failure = this.mounted.failure();
    if ((failure as Partial<SealError> | undefined)?.code !== undefined) throw failure;
    if (thrown === undefined && failure === undefined && good(result as T)) return result as T;
    const cause = failure ?? thrown;
    const reason = cause instanceof Error ? cause.message : this.owner.complaint() ?? "the library gave no reason";
    const expected = this.mode === 0 ? "undamaged HDF5" : "room for it";
    throw this.fail(path, `HDF5 stops (${reason.split("\n")[0]})`, expected, cause);
  }

  /** Where the header of an object lies in the file, by the number that a reference to it is. */
  address(path: string): number {
    const bytes = this.run(path, () => this.hdf5.create_object_reference(this.id, path), (ref) => ref.length === 8);
    return Number(new DataView(Uint8Array.from(bytes).buffer).getBigUint64(0, true));
  }

  /** Fills `into` with bytes of the file from `at`, past the library. */
  readBytes(path: string, at: number, into: Uint8Array): void {
    const got = this.run(path, () => this.storage.read(at, into), () => true);
    if (got === into.length) return;
    throw this.fail(path, `byte ${at + got} is the end of the file`, `${into.length} bytes from ${at}`);
  }

  /** Closes the file and its storage. Of a file that was only read, nothing can be lost by that. */
  close(): void {
    if (this.closed) return;
    try {
      this.run("", () => this.hdf5.close_file(this.id), (status) => status >= 0);
      this.closing();
    } catch (error) {
      if (this.mode !== 0) throw error;
    } finally {
      this.unmount();
    }
  }

  /** What is left to do when the library is done with the file. */
  protected closing(): void {}

  private unmount(): void {
    this.closed = true;
    try {
      this.hdf5.FS.unlink(this.mounted.path);
    } catch { /* after a trap the virtual file system may be gone, too */ }
    this.storage.close?.();
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    this.close();
  }
}

/** HDF5 notes the time in every object it makes; the same content shall give the same bytes. */
function withoutClock<T>(act: () => T): T {
  const now = Date.now;
  Date.now = () => 0;
  try {
    return act();
  } finally {
    Date.now = now;
  }
}

/** Bytes in memory as a storage. */
export class MemoryStorage implements H5Storage {
  private bytes: Uint8Array<ArrayBuffer>;
  private length: number;

  /** @param bytes Content at the start; it is copied. */
  constructor(readonly name: string, bytes: Uint8Array = new Uint8Array(0)) {
    this.bytes = bytes.slice();
    this.length = bytes.length;
  }

  /** Length, bytes. */
  size(): number {
    return this.length;
  }

  /** Fills `into` from `at`. */
  read(at: number, into: Uint8Array): number {
    const part = this.bytes.subarray(at, Math.min(this.length, at + into.length));
    into.set(part);
    return part.length;
  }

  /** Writes at `at`. */
  write(at: number, bytes: Uint8Array): void {
    this.truncate(Math.max(this.length, at + bytes.length));
    this.bytes.set(bytes, at);
  }

  /** Cuts or grows with zeros. */
  truncate(size: number): void {
    if (size > this.bytes.length) {
      const larger = new Uint8Array(Math.max(size, 2 * this.bytes.length));
      larger.set(this.bytes.subarray(0, this.length));
      this.bytes = larger;
    } else if (size < this.length) this.bytes.fill(0, size, this.length);
    this.length = size;
  }

  /** A copy of the content. */
  content(): Uint8Array<ArrayBuffer> {
    return this.bytes.slice(0, this.length);
  }
}
