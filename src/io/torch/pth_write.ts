/**
 * Writes state dicts the way `torch.save` does, so that PyTorch programs, SEAL's own among them, load them with
 * `torch.load(weights_only=True)`.
 *
 * @module
 */

import { DataError, LimitError } from "../../core/errors.ts";
import { formatShape, type Shape } from "../../core/shape.ts";
import type { SafetensorsInput } from "./safetensors.ts";
import { STORAGES } from "./torch_globals.ts";
import { countOf, weightBytes } from "./weight_tensor.ts";
import { crc32 } from "../zip.ts";

/** Longest archive: sizes are 32 bits here. */
const MAX_BYTES = 0xf0000000;
/** Alignment of storages in the archive, as PyTorch's. */
const ALIGN = 64;
const ROOT = "archive";

/** Bytes of growing length. */
class Bytes {
  readonly parts: number[] = [];
  add(...bytes: number[]): this {
    for (const byte of bytes) this.parts.push(byte & 255);
    return this;
  }
  u16(value: number): this {
    return this.add(value, value >>> 8);
  }
  u32(value: number): this {
    return this.add(value, value >>> 8, value >>> 16, value >>> 24);
  }
  ascii(text: string): this {
    return this.raw(new TextEncoder().encode(text));
  }
  raw(bytes: Uint8Array): this {
    for (const byte of bytes) this.parts.push(byte);
    return this;
  }
  done(): Uint8Array<ArrayBuffer> {
    return Uint8Array.from(this.parts);
  }
}

/** BINUNICODE. */
function text(out: Bytes, value: string): Bytes {
  const bytes = new TextEncoder().encode(value);
  return out.add(0x58).u32(bytes.length).raw(bytes);
}

/** BININT, or LONG1 beyond 31 bits. */
function integer(out: Bytes, value: number): Bytes {
  if (value < 2 ** 31) return out.add(0x4a).u32(value);
  return out.add(0x8a, 8).u32(value % 2 ** 32).u32(Math.floor(value / 2 ** 32));
}

/** MARK, the integers, TUPLE. */
function integers(out: Bytes, values: readonly number[]): Bytes {
  out.add(0x28);
  for (const value of values) integer(out, value);
  return out.add(0x74);
}

/** GLOBAL. */
function global(out: Bytes, module: string, name: string): Bytes {
  return out.add(0x63).ascii(`${module}\n${name}\n`);
}

/** An empty OrderedDict. */
function orderedDict(out: Bytes): Bytes {
  return global(out, "collections", "OrderedDict").add(0x29, 0x52);
}

function strides(shape: Shape): number[] {
  return shape.map((_, i) => shape.slice(i + 1).reduce((product, extent) => product * Math.max(1, extent), 1));
}

/** What makes a tensor of storage `i`. */
function rebuilt(out: Bytes, i: number, { dtype, shape }: SafetensorsInput): Bytes {
  const storage = Object.keys(STORAGES).find((storage) => STORAGES[storage] === dtype)!;
  global(out, "torch._utils", "_rebuild_tensor_v2").add(0x28, 0x28);
  global(text(out, "storage"), "torch", storage);
  integer(text(text(out, String(i)), "cpu"), countOf(shape)!).add(0x74, 0x51);
  integers(integers(integer(out, 0), shape), strides(shape)).add(0x89);
  return orderedDict(out).add(0x74, 0x52);
}

/** The pickle that describes the tensors; storage `i` is that of tensor `i`. */
function pickleOf(tensors: readonly (readonly [string, SafetensorsInput])[], key: string | undefined): Uint8Array {
  const out = new Bytes().add(0x80, 2);
  if (key !== undefined) text(out.add(0x7d), key);
  orderedDict(out).add(0x28);
  for (const [i, [name, tensor]] of tensors.entries()) rebuilt(text(out, name), i, tensor);
  return out.add(0x75, ...(key === undefined ? [] : [0x73]), 0x2e).done();
}

/**
 * The file of these tensors in pieces: what `torch.save(OrderedDict(...))` would hold. The same input gives the same bytes.
 *
 * @param key Puts the tensors under this key of a dictionary, such as `state_dict`, instead of at the top.
 * @throws {DataError} If the bytes of a tensor are not those of its shape, or PyTorch has no such element type.
 * @throws {LimitError} If the file would exceed 4 GB.
 */
export function* pthChunks(
  tensors: ReadonlyMap<string, SafetensorsInput>,
  key?: string,
): Generator<Uint8Array> {
  const list = [...tensors];
  yield* archive(list, () => pickleOf(list, key));
}

/**
 * The file of one tensor in pieces: what `torch.save(tensor, …)` would hold.
 *
 * @throws {DataError} If its bytes are not those of its shape, or PyTorch has no such element type.
 * @throws {LimitError} If the file would exceed 4 GB.
 */
export function tensorChunks(tensor: SafetensorsInput): Generator<Uint8Array> {
  return archive([["tensor", tensor]], () => rebuilt(new Bytes().add(0x80, 2), 0, tensor).add(0x2e).done());
}

function* archive(
  list: readonly (readonly [string, SafetensorsInput])[],
  pickle: () => Uint8Array,
): Generator<Uint8Array> {
  for (const [name, { dtype, shape, data }] of list) {
    const bytes = weightBytes(dtype, countOf(shape) ?? NaN);
    if (bytes === data.byteLength && Object.values(STORAGES).includes(dtype)) continue;
    throw new DataError(
      `Cannot write tensor "${name}" as a PyTorch file: ${data.byteLength} bytes of ${dtype} ${
        formatShape(shape)
      }, wanted ${bytes ?? "fewer"} bytes of ${Object.values(STORAGES).join(" ")}`,
      { context: { tensor: name, dtype, shape, bytes: data.byteLength } },
    );
  }
  const utf8 = (content: string) => new TextEncoder().encode(content);
  const files: [string, Uint8Array][] = [
    ["data.pkl", pickle()],
    ["byteorder", utf8("little")],
    ...list.map(([, { data }], i): [string, Uint8Array] => [`data/${i}`, data]),
    ["version", utf8("3\n")],
  ];
  const directory: Uint8Array[] = [];
  let at = 0;
  for (const [name, content] of files) {
    const path = utf8(`${ROOT}/${name}`);
    const padding = (ALIGN - (at + 30 + path.length + 4) % ALIGN) % ALIGN;
    // UTF-8 names, stored, no date; then checksum and both sizes.
    const common = new Bytes().u16(20).u16(0x800).u16(0).u32(0).u32(crc32(content)).u32(content.length).u32(
      content.length,
    )
      .u16(path.length).done();
    const extra = new Bytes().u16(0x4246).u16(padding).add(...Array<number>(padding).fill(0x5a)).done();
    if (at + content.length > MAX_BYTES) {
      throw new LimitError(`Cannot write a PyTorch file: ${at + content.length} bytes, at most ${MAX_BYTES}`, {
        hint: "Write safetensors",
        context: { limit: "bytes", given: at + content.length, max: MAX_BYTES },
      });
    }
    yield new Bytes().u32(0x04034b50).raw(common).u16(extra.length).raw(path).raw(extra).done();
    yield content;
    directory.push(
      new Bytes().u32(0x02014b50).u16(20).raw(common).u16(0).u16(0).u16(0).u16(0).u32(0).u32(at).raw(path).done(),
    );
    at += 30 + path.length + extra.length + content.length;
  }
  yield* directory;
  const length = directory.reduce((sum, entry) => sum + entry.length, 0);
  yield new Bytes().u32(0x06054b50).u16(0).u16(0).u16(files.length).u16(files.length).u32(length).u32(at).u16(0).done();
}
