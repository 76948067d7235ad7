/**
 * Feature files written row by row: finite, whole or not at all, and resumable.
 *
 * Rows are collected as raw f32 in `PATH.partial`, beside a state that names what they are rows of; when all are there, the
 * output is made under a temporary name and renamed. A run that was killed goes on after the last whole batch and gives the
 * same bytes, since no output holds a time or a path of this machine.
 *
 * @module
 */

import { assert, ConfigError, NumericsError } from "../core/errors.ts";
import type { Facts } from "../core/facts.ts";
import type { Disk, HostFile } from "../io/disk.ts";
import { crc32, Sha256 } from "../host/zlib.ts";
import { FEATURE_FORMATS, type FeatureFormat, type FeatureTable } from "./formats.ts";

/** State beside the rows. */
interface State {
  version: 2;
  /** SHA-256 of everything that decides the rows and the file around them. */
  identity: string;
  rows: number;
  /** CRC-32 of those rows. */
  crc: number;
  /** What the rows are of, for who asks for others. */
  facts: Facts;
}

/** First bytes of the file of rows, by which it is known to be this program's. */
const MARK = new TextEncoder().encode("seal-webgpu rows");

/** Bytes of a state at most. */
const MOST_STATE = 1 << 16;
/** Bytes looked at once. */
const BLOCK = 1 << 22;

/** A feature file in the making. */
export class FeatureWriter {
  private constructor(
    private readonly disk: Disk,
    /** Path of the output. */
    readonly path: string,
    private readonly format: FeatureFormat,
    private readonly table: FeatureTable,
    private readonly file: HostFile,
    private readonly state: State,
  ) {}

  /**
   * Begins an output, or resumes one that was begun for the same rows.
   *
   * @param table All but the features; equal tables continue each other.
   * @param options `overwrite` allows an output that is there to be replaced when this one is finished.
   * @throws {ConfigError} If the output is there and may not be replaced.
   */
  static open(
    disk: Disk,
    path: string,
    format: FeatureFormat,
    table: FeatureTable,
    options: { overwrite?: boolean } = {},
  ): FeatureWriter {
    const identity = identityOf(format, table);
    const before = readState(disk, path, identity);
    if (disk.look(path) !== undefined && !options.overwrite) {
      if (before?.rows === table.count) removePartial(disk, path);
      throw new ConfigError(`Cannot write ${path}: it is there already, expected a new name`, {
        code: "output-exists",
        hint: "Pass --overwrite to replace it",
        context: { path },
      });
    }
    const file = openRows(disk, path);
    const bytes = (before?.rows ?? 0) * table.dim * 4;
    const good = before !== undefined && file.size() >= MARK.length + bytes && crcOf(file, bytes) === before.crc;
    const facts = { format, ...table.attributes, rows: table.count, dim: table.dim };
    const state: State = good ? before : { version: 2, identity, rows: 0, crc: 0, facts };
    file.truncate(MARK.length + (good ? bytes : 0));
    return new FeatureWriter(disk, path, format, table, file, state);
  }

  /** Rows that are there; the next to be appended has this number. */
  get rows(): number {
    return this.state.rows;
  }

  /**
   * Adds rows `[k, dim]`. Afterwards they outlast this process.
   *
   * @throws {NumericsError} If one is not finite; none of them is written then.
   */
  append(features: Float32Array): void {
    const { table, state } = this;
    const count = features.length / table.dim;
    assert(Number.isInteger(count) && state.rows + count <= table.count, `${count} rows of ${table.dim} fit`);
    const bad = features.findIndex((v) => !Number.isFinite(v));
    if (bad >= 0) {
      const row = state.rows + Math.floor(bad / table.dim);
      const label = table.rowNames === undefined ? "" : ` (${table.rowNames.values[row]})`;
      throw new NumericsError(
        `Cannot write features of row ${row}${label}: ${features[bad]}, expected finite numbers`,
        {
          hint: "Embed with --precision f32",
          context: { path: this.path, row, column: bad % table.dim },
        },
      );
    }
    const bytes = new Uint8Array(features.buffer, features.byteOffset, features.byteLength);
    this.file.write(MARK.length + state.rows * table.dim * 4, bytes);
    state.rows += count;
    state.crc = crc32(bytes, state.crc);
    this.disk.write(`${this.path}.partial.json`, JSON.stringify(state));
  }

  /**
   * Makes the output of the rows, all of which must be there, and removes what was kept to resume.
   *
   * @param without Rows that are left out, ascending, and what the output says of that.
   */
  async finish(
    without?: { readonly rows: readonly number[]; readonly attributes: FeatureTable["attributes"] },
  ): Promise<void> {
    const { disk, table, state, file, path } = this;
    assert(state.rows === table.count, `all rows are there: ${state.rows} of ${table.count}`);
    const bytes = table.dim * 4;
    const kept = without === undefined ? undefined : keptRows(table.count, without.rows);
    const written = kept === undefined ? table : tableOfRows(table, kept, without!.attributes);
    await FEATURE_FORMATS[this.format](disk, path, written, (from, to) => {
      const rows = new Float32Array((to - from) * table.dim);
      // One read for rows that follow each other.
      for (let i = from; i < to;) {
        const first = kept?.[i] ?? i;
        let end = i + 1;
        while (end < to && (kept?.[end] ?? end) === first + end - i) end++;
        const part = rows.subarray((i - from) * table.dim, (end - from) * table.dim);
        file.read(MARK.length + first * bytes, new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
        i = end;
      }
      return rows;
    });
    file.close();
    removePartial(disk, path);
  }

  /** Lets go of the file; what was appended is kept. */
  close(): void {
    this.file.close();
  }
}

/** Numbers of the rows that are not left out. */
function keptRows(count: number, without: readonly number[]): Uint32Array {
  const left = new Set(without);
  return Uint32Array.from({ length: count }, (_, i) => i).filter((row) => !left.has(row));
}

function tableOfRows(table: FeatureTable, rows: Uint32Array, attributes: FeatureTable["attributes"]): FeatureTable {
  const { coords, rowNames } = table;
  return {
    ...table,
    count: rows.length,
    coords: coords && Int32Array.from({ length: 2 * rows.length }, (_, i) => coords[2 * rows[i >> 1]! + (i & 1)]!),
    rowNames: rowNames && { ...rowNames, values: Array.from(rows, (row) => rowNames.values[row]!) },
    attributes: { ...table.attributes, ...attributes },
  };
}

/** Removes what was kept to resume. */
export function removePartial(disk: Disk, path: string): void {
  disk.remove(`${path}.partial.json`);
  disk.remove(`${path}.partial`);
}

/** Opens the file of rows, or begins it. @throws {ConfigError} If another program's file has its name. */
function openRows(disk: Disk, path: string): HostFile {
  const file = disk.open(`${path}.partial`, "update");
  const head = new Uint8Array(MARK.length);
  const got = file.read(0, head);
  if (head.subarray(0, got).some((byte, i) => byte !== MARK[i])) {
    file.close();
    throw foreign(`${path}.partial`);
  }
  if (got < MARK.length) file.write(0, MARK);
  return file;
}

function foreign(path: string): ConfigError {
  return new ConfigError(`Cannot write ${path}: it is a file of another program`, {
    code: "output-exists",
    hint: "Move it away, or pass another --out",
    context: { path },
  });
}

/** What was begun at `path` for the same rows. */
function readState(disk: Disk, path: string, identity: string): State | undefined {
  const state = stateAt(disk, path);
  return state?.identity === identity ? state : undefined;
}

/**
 * What rows kept at `path` are of; undefined where there are none, or their state is lost.
 *
 * @throws {ConfigError} If another program's file has their name.
 */
export function begunFacts(disk: Disk, path: string): Facts | undefined {
  if (disk.look(`${path}.partial`) === undefined) {
    // The state is written behind the rows and removed before them.
    if (disk.look(`${path}.partial.json`) !== undefined) throw foreign(`${path}.partial.json`);
    return undefined;
  }
  openRows(disk, path).close();
  return stateAt(disk, path)?.facts;
}

function stateAt(disk: Disk, path: string): State | undefined {
  if (disk.look(`${path}.partial`)?.kind !== "file" || disk.look(`${path}.partial.json`)?.kind !== "file") {
    return undefined;
  }
  const file = disk.open(`${path}.partial.json`, "read");
  try {
    const bytes = new Uint8Array(Math.min(file.size(), MOST_STATE));
    file.read(0, bytes);
    const state = JSON.parse(new TextDecoder().decode(bytes)) as Partial<State> | null;
    const whole = (v: unknown): v is number => Number.isSafeInteger(v) && (v as number) >= 0;
    if (state?.version !== 2 || !whole(state.rows) || !whole(state.crc) || typeof state.facts !== "object") {
      return undefined;
    }
    return state as State;
  } catch {
    return undefined;
  } finally {
    file.close();
  }
}

function identityOf(format: FeatureFormat, table: FeatureTable): string {
  const { coords, rowNames, ...rest } = table;
  const hash = new Sha256().update(new TextEncoder().encode(JSON.stringify([format, rest, rowNames])));
  if (coords !== undefined) hash.update(new Uint8Array(coords.buffer, coords.byteOffset, coords.byteLength));
  return hash.hex();
}

function crcOf(file: HostFile, bytes: number): number {
  let crc = 0;
  for (let at = 0; at < bytes; at += BLOCK) {
    const block = new Uint8Array(Math.min(BLOCK, bytes - at));
    file.read(MARK.length + at, block);
    crc = crc32(block, crc);
  }
  return crc;
}
