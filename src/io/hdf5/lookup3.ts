/**
 * The checksum of HDF5's newer structures.
 *
 * Source: B. Jenkins, lookup3.c (2006, public domain), hashlittle() with 0 before.
 *
 * @module
 */

function turn(x: number, by: number): number {
  return (x << by) | (x >>> (32 - by));
}

/** 32 bits of `bytes`. */
export function lookup3(bytes: Uint8Array): number {
  // Twelve bytes a step; those beyond the end count as zeros.
  const steps = Math.max(1, Math.ceil(bytes.length / 12));
  const padded = new Uint8Array(12 * steps);
  padded.set(bytes);
  const view = new DataView(padded.buffer);
  const start = (0xdeadbeef + bytes.length) | 0;
  let [a, b, c] = [start, start, start];
  for (let i = 0; i < steps; i++) {
    a = (a + view.getUint32(12 * i, true)) | 0;
    b = (b + view.getUint32(12 * i + 4, true)) | 0;
    c = (c + view.getUint32(12 * i + 8, true)) | 0;
    if (i < steps - 1) [a, b, c] = mixed(a, b, c);
  }
  return bytes.length === 0 ? c >>> 0 : final(a, b, c);
}

function mixed(a: number, b: number, c: number): [number, number, number] {
  a = (a - c) ^ turn(c, 4);
  c = (c + b) | 0;
  b = (b - a) ^ turn(a, 6);
  a = (a + c) | 0;
  c = (c - b) ^ turn(b, 8);
  b = (b + a) | 0;
  a = (a - c) ^ turn(c, 16);
  c = (c + b) | 0;
  b = (b - a) ^ turn(a, 19);
  a = (a + c) | 0;
  c = (c - b) ^ turn(b, 4);
  b = (b + a) | 0;
  return [a, b, c];
}

function final(a: number, b: number, c: number): number {
  c = (c ^ b) - turn(b, 14);
  a = (a ^ c) - turn(c, 11);
  b = (b ^ a) - turn(a, 25);
  c = (c ^ b) - turn(b, 16);
  a = (a ^ c) - turn(c, 4);
  b = (b ^ a) - turn(a, 14);
  c = (c ^ b) - turn(b, 24);
  return c >>> 0;
}
