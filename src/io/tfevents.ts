/**
 * TensorBoard event files: records of TensorFlow's framing, each an `Event` message with scalars.
 *
 * A record is its length (u64), the masked CRC-32C of those eight bytes, the message, and the masked CRC-32C of it, all
 * little-endian. Messages are written by hand: `Event { double wall_time = 1; int64 step = 2; string file_version = 3;
 * Summary summary = 5 }`, `Summary { repeated Value value = 1 }`, `Value { string tag = 1; float simple_value = 2 }`.
 *
 * Source: tensorflow/core/lib/io/record_writer.cc, tensorflow/core/util/event.proto, tensorflow/core/framework/summary.proto.
 *
 * @module
 */

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

/** CRC-32C (Castagnoli). */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = TABLE[(crc ^ byte) & 255]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** The checksum as records hold it, so that a checksum of bytes with checksums in them is none. */
function masked(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** One record around a message. */
export function tfRecord(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(message.length + 16);
  const view = new DataView(out.buffer);
  view.setBigUint64(0, BigInt(message.length), true);
  view.setUint32(8, masked(out.subarray(0, 8)), true);
  out.set(message, 12);
  view.setUint32(12 + message.length, masked(message), true);
  return out;
}

/** Scalars of one step. */
export interface ScalarEvent {
  /**
   * Seconds since 1970, or any other number that rises: TensorBoard shows it only where time is the axis. A file that must not
   * depend on when it was written takes the step.
   */
  readonly wallTime: number;
  /** Training step, a whole number of at least 0. */
  readonly step: number;
  /** Values by tag; stored as f32. */
  readonly scalars: Readonly<Record<string, number>>;
}

/** The record every file begins with. */
export function fileVersionRecord(wallTime = 0): Uint8Array<ArrayBuffer> {
  return tfRecord(concat([...double(1, wallTime), bytes(3, new TextEncoder().encode("brain.Event:2"))]));
}

/** The record of an event, to be appended. */
export function scalarRecord({ wallTime, step, scalars }: ScalarEvent): Uint8Array<ArrayBuffer> {
  const values = Object.entries(scalars).map(([tag, value]) =>
    bytes(1, concat([bytes(1, new TextEncoder().encode(tag)), float(2, value)]))
  );
  const number = step === 0 ? [] : [Uint8Array.of(2 << 3), varint(step)];
  return tfRecord(concat([...double(1, wallTime), ...number, bytes(5, concat(values))]));
}

/** A field of 8 bytes; zero is not written, as everywhere in version 3 of the format. */
function double(field: number, value: number): Uint8Array[] {
  if (value === 0) return [];
  const out = new Uint8Array(9);
  out[0] = (field << 3) | 1;
  new DataView(out.buffer).setFloat64(1, value, true);
  return [out];
}

/** A field of 4 bytes that is one of several: zero is written too. */
function float(field: number, value: number): Uint8Array {
  const out = new Uint8Array(5);
  out[0] = (field << 3) | 5;
  new DataView(out.buffer).setFloat32(1, value, true);
  return out;
}

/** A field with a length. */
function bytes(field: number, content: Uint8Array): Uint8Array {
  return concat([Uint8Array.of((field << 3) | 2), varint(content.length), content]);
}

function varint(value: number): Uint8Array {
  const out: number[] = [];
  let rest = BigInt(value);
  while (rest > 127n) {
    out.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  return Uint8Array.of(...out, Number(rest));
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
