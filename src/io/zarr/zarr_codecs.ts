/**
 * Codecs of Zarr's chunks that make no more bytes than a chunk holds, whatever a damaged or hostile file claims: gzip, zlib and
 * Zstandard by the host, Blosc and LZ4 of the library behind a look at their headers.
 *
 * @module
 */

import { registry } from "zarrita";
import { expandZstd, gunzip, inflate } from "../../host/zlib.ts";

interface Codec {
  readonly kind: "bytes_to_bytes";
  encode(bytes: Uint8Array): never;
  decode(bytes: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

/** What the library tells a codec of the array. */
interface Meta {
  readonly shape: readonly number[];
  readonly dataType?: string;
}

/** Room for the checksums and headers that one codec puts around the data of the next. */
const SLACK = 4096;
/** Most bytes of chunks whose elements have no fixed size. */
const MOST_TEXT = 2 ** 28;

function mostOf({ shape, dataType = "" }: Meta): number {
  const bits = /^(?:u?int|float)(\d+)$/.exec(dataType)?.[1];
  const width = bits !== undefined ? Number(bits) / 8 : dataType === "bool" ? 1 : undefined;
  return width === undefined ? MOST_TEXT : Math.min(MOST_TEXT, shape.reduce((a, b) => a * b, width)) + SLACK;
}

function coder(decode: (bytes: Uint8Array, most: number) => Uint8Array | undefined | Promise<Uint8Array>) {
  return {
    fromConfig: (_configuration: unknown, meta: Meta): Codec => {
      const most = mostOf(meta);
      return {
        kind: "bytes_to_bytes",
        encode: () => {
          throw new Error("chunks are only read");
        },
        async decode(bytes) {
          const out = await decode(bytes, most);
          if (out === undefined) throw new Error(`damaged, or more than ${most} bytes`);
          // Views of numbers must begin at their own alignment.
          return out.byteOffset % 8 === 0 ? out : out.slice();
        },
      };
    },
  };
}

async function expandGzip(bytes: Uint8Array, most: number): Promise<Uint8Array> {
  async function* whole() {
    yield await Promise.resolve(bytes);
  }
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of gunzip(whole())) {
    length += part.length;
    if (length > most) throw new Error(`more than ${most} bytes`);
    parts.push(part);
  }
  const out = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** A codec of the library, which takes the length that the data claims on trust: it is looked at first. */
function guarded(name: string, claimed: (view: DataView) => number) {
  const load = registry.get(name) as unknown as () => Promise<
    { fromConfig(configuration: unknown, meta: Meta): Codec }
  >;
  return async () => {
    const inner = await load();
    return {
      fromConfig: (configuration: unknown, meta: Meta): Codec => {
        const most = mostOf(meta);
        const codec = inner.fromConfig(configuration, meta);
        return {
          kind: "bytes_to_bytes",
          encode: codec.encode,
          decode(bytes) {
            const bytesClaimed = bytes.length < 16
              ? NaN
              : claimed(new DataView(bytes.buffer, bytes.byteOffset, bytes.length));
            if (!(bytesClaimed <= most)) throw new Error(`damaged, or more than ${most} bytes`);
            return codec.decode(bytes);
          },
        };
      },
    };
  };
}

let done = false;

/** Puts the codecs in the place of the library's. */
export function guardCodecs(): void {
  if (done) return;
  done = true;
  // Blosc says how long it becomes and how long it is; LZ4 of numcodecs how long it becomes.
  const blosc = guarded(
    "blosc",
    (view) => view.getUint32(12, true) === view.byteLength ? view.getUint32(4, true) : NaN,
  );
  const codecs = {
    gzip: () => coder(expandGzip),
    zlib: () => coder(inflate),
    zstd: () => coder(expandZstd),
    blosc,
    lz4: guarded("lz4", (view) => view.getUint32(0, true)),
  };
  for (const [name, codec] of Object.entries(codecs)) {
    registry.set(name, codec as never);
    registry.set(`numcodecs.${name}`, codec as never);
  }
}
