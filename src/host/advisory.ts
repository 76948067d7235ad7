/**
 * Advisory locks of the system on files: they end with the process however that ends.
 *
 * Deno has them. Node has none, and on Windows they keep a file from being written by their own process: there callers go by
 * processes and signs of life.
 *
 * @module
 */

interface DenoFile {
  tryLockSync(exclusive: boolean): boolean;
  lock(exclusive: boolean): Promise<void>;
  statSync(): { ino: number | null; dev: number };
  close(): void;
}

interface DenoFiles {
  readonly build: { readonly os: string };
  openSync(path: string, options: { read: boolean; write?: boolean; create?: boolean }): DenoFile;
}

const deno = (globalThis as unknown as { Deno?: DenoFiles }).Deno;
const locking = deno !== undefined && deno.build.os !== "windows" ? deno : undefined;

/** A lock that is held on a file. */
export interface Advisory {
  /** Numbers of the file that is held, which may have another name by now. */
  readonly ino: number;
  readonly dev: number;
  /** Lets go of it. */
  release(): void;
}

/** Opens a file to hold it; another user's only to be read, which is enough. */
function opened(deno: DenoFiles, path: string): DenoFile {
  try {
    return deno.openSync(path, { read: true, write: true });
  } catch (error) {
    if ((error as Error).name !== "PermissionDenied") throw error;
    return deno.openSync(path, { read: true });
  }
}

/**
 * Takes the lock of a file.
 *
 * @returns The lock; `held` if another process has it; undefined where host or file system has no such locks.
 */
export function tryAdvisory(path: string): Advisory | "held" | undefined {
  if (locking === undefined) return undefined;
  const file = opened(locking, path);
  try {
    if (!file.tryLockSync(true)) {
      file.close();
      return "held";
    }
  } catch {
    file.close();
    return undefined;
  }
  const { ino, dev } = file.statSync();
  return { ino: ino ?? 0, dev, release: () => file.close() };
}

/**
 * Waits for the lock of a file, which is made if missing.
 *
 * @returns What lets go of it; undefined where the host has no such locks.
 */
export async function waitForAdvisory(path: string): Promise<(() => void) | undefined> {
  if (locking === undefined) return undefined;
  const file = locking.openSync(path, { read: true, write: true, create: true });
  try {
    await file.lock(true);
  } catch (error) {
    file.close();
    throw error;
  }
  return () => file.close();
}
