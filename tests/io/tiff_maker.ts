/** Small TIFF files made in memory: little-endian, one strip or tile a directory, with whatever tags a test needs. */

/** Values of a tag, by its type: 2 text as bytes, 3 short, 4 long, 5 rational (pairs), 7 bytes. */
export type Entry = readonly [tag: number, type: number, values: readonly number[] | Uint8Array];

/** A directory. */
export interface Directory {
  readonly width: number;
  readonly height: number;
  readonly samples?: number;
  /** 1 black is zero, 2 RGB, 5 CMYK, 6 YCbCr; by the samples where it is not given. */
  readonly photometric?: number;
  readonly data: Uint8Array;
  /** Stored as one tile of the image's size. */
  readonly tiled?: boolean;
  readonly compression?: number;
  readonly description?: string | Uint8Array;
  readonly more?: readonly Entry[];
  readonly children?: readonly Directory[];
}

const BYTES: Readonly<Record<number, number>> = { 1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1 };

/** A file of directories that follow each other. */
export function makeTiff(directories: readonly Directory[]): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [Uint8Array.of(0x49, 0x49, 42, 0, 0, 0, 0, 0)];
  let length = 8;
  const add = (bytes: Uint8Array): number => {
    const at = length;
    parts.push(bytes, new Uint8Array(bytes.length & 1));
    length += bytes.length + (bytes.length & 1);
    return at;
  };
  const links: [part: Uint8Array, at: number][] = [[parts[0]!, 4]];
  const write = (directory: Directory): { at: number; bytes: Uint8Array } => {
    const children = (directory.children ?? []).map((child) => write(child).at);
    const entries = entriesOf(directory, add(directory.data), children).sort(([a], [b]) => a - b);
    const bytes = new Uint8Array(2 + 12 * entries.length + 4);
    const view = new DataView(bytes.buffer);
    view.setUint16(0, entries.length, true);
    entries.forEach(([tag, type, values], i) => {
      const packed = pack(type, values);
      const o = 2 + 12 * i;
      view.setUint16(o, tag, true);
      view.setUint16(o + 2, type, true);
      view.setUint32(o + 4, packed.length / BYTES[type]!, true);
      if (packed.length <= 4) bytes.set(packed, o + 8);
      else view.setUint32(o + 8, add(packed), true);
    });
    return { at: add(bytes), bytes };
  };
  for (const directory of directories) {
    const { at, bytes } = write(directory);
    const [part, link] = links.at(-1)!;
    new DataView(part.buffer).setUint32(link, at, true);
    links.push([bytes, bytes.length - 4]);
  }
  const file = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    file.set(part, at);
    at += part.length;
  }
  return file;
}

function entriesOf(directory: Directory, data: number, children: readonly number[]): Entry[] {
  const { width, height, samples = 1, tiled = false, compression = 1, description, more = [] } = directory;
  const photometric = directory.photometric ?? (samples === 1 ? 1 : samples === 4 ? 5 : 2);
  const text = typeof description === "string" ? new TextEncoder().encode(`${description}\0`) : description;
  const given = new Set(more.map(([tag]) => tag));
  const entries: Entry[] = [
    [256, 4, [width]],
    [257, 4, [height]],
    [258, 3, new Array<number>(samples).fill(8)],
    [259, 3, [compression]],
    [262, 3, [photometric]],
    [277, 3, [samples]],
    ...(text === undefined ? [] : [[270, 2, text] as const]),
    ...(children.length === 0 ? [] : [[330, 4, children] as const]),
    ...(tiled
      ? [[322, 4, [width]], [323, 4, [height]], [324, 4, [data]], [325, 4, [directory.data.length]]] as const
      : [[273, 4, [data]], [278, 4, [height]], [279, 4, [directory.data.length]]] as const),
  ];
  return [...entries.filter(([tag]) => !given.has(tag)), ...more];
}

function pack(type: number, values: readonly number[] | Uint8Array): Uint8Array {
  if (values instanceof Uint8Array) return values;
  const width = type === 5 ? 4 : BYTES[type]!;
  const bytes = new Uint8Array(values.length * width);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => {
    if (width === 1) bytes[i] = value;
    else if (width === 2) view.setUint16(2 * i, value, true);
    else view.setUint32(4 * i, value, true);
  });
  return bytes;
}

/** A JPEG with a segment put behind its first two bytes. */
export function withSegment(jpeg: Uint8Array, marker: number, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const length = body.length + 2;
  return Uint8Array.from([
    ...jpeg.subarray(0, 2),
    0xff,
    marker,
    length >> 8,
    length & 255,
    ...body,
    ...jpeg.subarray(2),
  ]);
}

/** A block of EXIF with an orientation, of either byte order. */
export function exif(orientation: number, little: boolean = true): Uint8Array {
  const bytes = new Uint8Array(26);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, little ? 0x4949 : 0x4d4d);
  view.setUint16(2, 42, little);
  view.setUint32(4, 8, little);
  view.setUint16(8, 1, little);
  view.setUint16(10, 274, little);
  view.setUint16(12, 3, little);
  view.setUint32(14, 1, little);
  view.setUint16(18, orientation, little);
  return bytes;
}
