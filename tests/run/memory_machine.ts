/** A machine in memory: files and a run's folder for training that knows no file system. */

import { markOf, openSealed, sealJson } from "../../src/io/checksum.ts";
import type { Disk, HostFile } from "../../src/io/disk.ts";
import { randomAccess } from "../../src/io/disk.ts";
import type { Reporter } from "../../src/core/reporter.ts";
import { sha256Of } from "../../src/io/checksum.ts";
import { openPatchSource } from "../../src/data/patch_source.ts";
import { openEncoder } from "../../src/run/encoder.ts";
import type { RunHome } from "../../src/run/train.ts";
import { STATE_FILE } from "../../src/train/checkpoint.ts";
import type { Host } from "../../src/train/host.ts";

/** Files by their paths. */
export type Files = Map<string, Uint8Array<ArrayBuffer>>;

function fileIn(files: Files, path: string): HostFile {
  const now = () => files.get(path)!;
  const resize = (size: number) => {
    const next = new Uint8Array(size);
    next.set(now().subarray(0, size));
    files.set(path, next);
  };
  return {
    name: path,
    size: () => now().length,
    read(at, into) {
      const part = now().subarray(at, at + into.length);
      into.set(part);
      return part.length;
    },
    write(at, bytes) {
      if (at + bytes.length > now().length) resize(at + bytes.length);
      now().set(bytes, at);
    },
    truncate: resize,
    sync() {},
    close() {},
  };
}

/** A file system of them. */
export function memoryDisk(files: Files): Disk {
  const put = (path: string, data: Uint8Array | string) =>
    void files.set(path, typeof data === "string" ? new TextEncoder().encode(data) : new Uint8Array(data));
  return {
    look(path) {
      const file = files.get(path);
      if (file) return { kind: "file", size: file.length };
      const below = [...files.keys()].filter((name) => name.startsWith(`${path}/`));
      const names = new Set(below.map((name) => name.slice(path.length + 1).split("/")[0]!));
      return names.size === 0 ? undefined : { kind: "folder", names: [...names].sort() };
    },
    open(path, mode) {
      if (mode === "create" || (mode === "update" && !files.has(path))) put(path, "");
      if (!files.has(path)) throw new Error(`${path}: nothing in memory`);
      return fileIn(files, path);
    },
    remove: (path) => void files.delete(path),
    write: put,
    writeChunks(path, chunks) {
      const parts = [...chunks];
      const data = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
      let at = 0;
      for (const part of parts) {
        data.set(part, at);
        at += part.length;
      }
      put(path, data);
    },
    writeAnywhere(path, fill) {
      put(path, "");
      fill(fileIn(files, path));
    },
    async writeSlowly(path, fill) {
      put(path, "");
      await fill(fileIn(files, path));
    },
  };
}

/** The machine of a run. */
export function memoryHost(files: Files, reporter: Reporter, signal?: AbortSignal): Host {
  const disk = memoryDisk(files);
  return {
    disk,
    reporter,
    signal,
    openFile: (path) => Promise.resolve(randomAccess(disk.open(path, "read"))),
    checkEncoder: () => Promise.resolve(),
    checkFolder() {},
    openEncoder,
    openPatches: (table) => openPatchSource(disk, table),
    markFiles(paths) {
      const sha256 = paths.map((path) => sha256Of(files.get(path)!));
      return Promise.resolve({ fingerprint: sha256Of(sha256.join("\n")), sha256, check: () => Promise.resolve() });
    },
    markData(set) {
      const patches = set.samples.map(({ patches: { path } }) => sha256Of(files.get(path)!));
      const fingerprint = sha256Of([set.fingerprint, ...patches].join("\n"));
      return Promise.resolve({
        fingerprint,
        patches,
        agrees: (other: string) => other === fingerprint,
        check: () => Promise.resolve(),
      });
    },
    checkFile() {},
    makeFolder() {},
    lock: () => ({ release() {} }),
  };
}

/** The folder of a run in memory, of one process and without crashes. */
export function memoryHome(files: Files, path: string): RunHome & { readonly marked: readonly (string | undefined)[] } {
  const disk = memoryDisk(files);
  const folder = { path, disk, makeFolder() {} };
  const text = (name: string) => files.has(`${path}/${name}`) && new TextDecoder().decode(files.get(`${path}/${name}`));
  const marked: (string | undefined)[] = [];
  return {
    path,
    folder,
    noted: folder,
    marked,
    lock: () => ({ check() {}, [Symbol.dispose]() {} }),
    finished: (config) =>
      text("config.yaml") === config && files.has(`${path}/run.json`)
        ? { report: files.has(`${path}/report.html`) }
        : undefined,
    start: (config) => ({
      resume: text("config.yaml") === config,
      begin: () => disk.write(`${path}/config.yaml`, config),
    }),
    store: (held) => ({
      disk,
      path,
      held,
      find(name) {
        const at = `${path}/checkpoints/${name}`;
        const bytes = files.get(`${at}/${STATE_FILE}`);
        if (!bytes) return undefined;
        const { value: { files: marks, ...state } } = openSealed(bytes, `${at}/${STATE_FILE}`);
        return {
          path: at,
          state,
          checked: true,
          read: (file) => files.get(`${at}/${file}`),
          files: marks as Record<string, { bytes: number; sha256: string }>,
        };
      },
      checkWhole() {},
      write(name, parts, state) {
        const at = `${path}/checkpoints/${name}`;
        for (const [file, data] of parts) disk.write(`${at}/${file}`, data);
        const marks = Object.fromEntries([...parts].map(([file, data]) => [file, markOf(data)]));
        disk.write(`${at}/${STATE_FILE}`, sealJson({ ...state, files: marks }));
      },
      markMetrics() {},
    }),
    complete: (only) => void marked.push(...only ?? [undefined]),
  };
}
