/**
 * Pages of Parquet, unpacked and looked at before the package decodes them: of a damaged one it would believe how many values it
 * holds and how often a run repeats its value, and fill memory with them.
 *
 * Source: https://parquet.apache.org/docs/file-format/data-pages/encodings/
 *
 * @module
 */

import { parquetHeader } from "hyparquet/src/column.js";
import { compressors } from "hyparquet-compressors";
import { FormatError } from "../core/errors.ts";
import type { RandomAccess } from "./random_access.ts";

/** Most bytes of one page. */
const MOST_PAGE = 1 << 28;
/** Values beyond the last that packed bits may have: they come in eights. */
const PADDING = 7;

/** An error that names the file and the column. */
export function parquetError(
  name: string,
  path: string,
  found: string,
  expected: string,
  cause?: unknown,
): FormatError {
  return new FormatError(`Cannot read ${name}${path && `:${path}`}: ${found}, expected ${expected}`, {
    context: { file: name, path, found, expected },
    cause,
  });
}

/** A column of a row group. */
export interface ColumnPages {
  /** Bytes in the file. */
  readonly from: number;
  readonly to: number;
  readonly codec: keyof typeof compressors | "UNCOMPRESSED";
  /** Whether values may be missing: pages then begin with a bit each. */
  readonly optional: boolean;
}

type Header = ReturnType<typeof parquetHeader>;
interface Reader {
  readonly view: DataView<ArrayBuffer>;
  offset: number;
}

function readerOf(bytes: Uint8Array): Reader {
  return { view: new DataView(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength), offset: 0 };
}

/**
 * Walks over the pages of a column: none is larger than it may be, together they hold a value a row, and their runs no more.
 *
 * @returns The pages that are packed, unpacked, in their order.
 * @throws {FormatError} Of sizes and numbers; what else is thrown is damage, too.
 */
export async function unpackPages(
  source: RandomAccess,
  path: string,
  column: ColumnPages,
  rows: number,
): Promise<Uint8Array[]> {
  const { from, to } = column;
  const bytes = await source.read(from, to - from);
  const reader = readerOf(bytes);
  const unpacked: Uint8Array[] = [];
  let values = 0;
  // As the package does: what follows the last row is never looked at.
  while (values < rows && reader.offset < bytes.length - 1) {
    const at = from + reader.offset;
    const header = parquetHeader(reader);
    const { compressed_page_size: packed, uncompressed_page_size: length } = header;
    if (!(packed >= 0 && reader.offset + packed <= bytes.length && length >= 0 && length <= MOST_PAGE)) {
      const found = `a page at byte ${at} of ${packed} bytes, ${length} unpacked`;
      throw parquetError(source.name, path, found, `at most ${bytes.length - reader.offset} and ${MOST_PAGE}`);
    }
    const page = bytes.subarray(reader.offset, reader.offset + packed);
    reader.offset += packed;
    if (header.type === "INDEX_PAGE") continue;
    const held = header.type === "DICTIONARY_PAGE"
      ? header.dictionary_page_header?.num_values
      : (header.data_page_header ?? header.data_page_header_v2)?.num_values;
    const most = header.type === "DICTIONARY_PAGE" ? 8 * length : rows - values;
    if (!(held !== undefined && held >= 0 && held <= most)) {
      throw parquetError(source.name, path, `a page at byte ${at} of ${held} values`, `at most ${most}`);
    }
    const whole = unpack(page, header, column, unpacked);
    if (header.type === "DICTIONARY_PAGE") continue;
    values += held;
    const problem = checkRuns(whole, header, held, column.optional);
    if (problem !== undefined) throw parquetError(source.name, path, `${problem} in a page at byte ${at}`, `${held}`);
  }
  if (values !== rows) throw parquetError(source.name, path, `${values} values`, `${rows}, one a row`);
  return unpacked;
}

/** What the package is to take for decoders: the pages that were unpacked. */
export function handing(pages: Uint8Array[]): typeof compressors {
  const next = (_: Uint8Array, length: number): Uint8Array => {
    const page = pages.shift();
    if (page?.length !== length) throw new Error(`a page of ${length} bytes out of its order`);
    return page;
  };
  return Object.fromEntries(Object.keys(compressors).map((codec) => [codec, next]));
}

/** A page's bytes: levels of missing values where they stand in it, and values. */
function unpack(page: Uint8Array, header: Header, { codec }: ColumnPages, unpacked: Uint8Array[]): Uint8Array {
  const { data_page_header_v2: second, uncompressed_page_size: length } = header;
  // The second version packs the values alone.
  const levels = second === undefined ? 0 : second.repetition_levels_byte_length + second.definition_levels_byte_length;
  if (!(levels >= 0 && levels <= Math.min(page.length, length))) throw new Error(`${levels} bytes of levels`);
  if (codec === "UNCOMPRESSED" || second?.is_compressed === false || length === levels) return page;
  const decode = compressors[codec];
  if (decode === undefined) throw new Error(`no decoder for ${codec}`);
  const out = decode(page.subarray(levels), length - levels);
  if (out.length !== length - levels) throw new Error(`${codec} gives ${out.length} bytes for ${length - levels}`);
  unpacked.push(out);
  if (levels === 0) return out;
  const whole = new Uint8Array(length);
  whole.set(page.subarray(0, levels));
  whole.set(out, levels);
  return whole;
}

/** What is wrong with the runs of a data page that holds so many values. */
function checkRuns(page: Uint8Array, header: Header, held: number, optional: boolean): string | undefined {
  const reader = readerOf(page);
  const { data_page_header: first, data_page_header_v2: second } = header;
  if (optional) {
    const from = second === undefined ? 4 : second.repetition_levels_byte_length;
    const length = second?.definition_levels_byte_length ?? reader.view.getUint32(0, true);
    reader.offset = from;
    // The package follows them wherever they lead.
    const { seen, problem } = checkRun(reader, second === undefined ? page.length : from + length, 1, held);
    if (problem !== undefined || seen < held) return problem ?? `${seen} levels`;
    reader.offset = from + length;
  } else if (second !== undefined) {
    reader.offset = second.repetition_levels_byte_length + second.definition_levels_byte_length;
  }
  const encoding = (first ?? second)?.encoding;
  if (encoding === "RLE") {
    reader.offset += 4;
    return checkRun(reader, page.length, 1, held).problem;
  }
  if (encoding !== "PLAIN_DICTIONARY" && encoding !== "RLE_DICTIONARY") return undefined;
  const width = reader.offset < page.length ? reader.view.getUint8(reader.offset++) : 0;
  return width === 0 && second === undefined ? undefined : checkRun(reader, page.length, width, held).problem;
}

/** Walks over runs of numbers of so many bits, up to as many as a page holds. */
function checkRun(reader: Reader, end: number, width: number, held: number): { seen: number; problem?: string } {
  let seen = 0;
  while (seen < held && reader.offset < end) {
    const run = varint(reader);
    const packed = run % 2 === 1;
    const count = packed ? 4 * (run - 1) : run / 2;
    if (count > held - seen + (packed ? PADDING : 0)) {
      return { seen, problem: `a run of ${count} values for ${held - seen}` };
    }
    reader.offset += packed ? count / 8 * width : (width + 7) >> 3;
    seen += count;
  }
  return { seen };
}

/** A number of 32 bits, seven a byte. */
function varint(reader: Reader): number {
  let value = 0;
  for (let shift = 0;; shift += 7) {
    const byte = reader.view.getUint8(reader.offset++);
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value >>> 0;
  }
}
