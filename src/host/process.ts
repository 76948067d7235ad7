/**
 * The process and its machine, in Deno and Node.
 *
 * @module
 */

import os from "node:os";
import process from "node:process";

/** Number of this process. */
export const PID: number = process.pid;

/** Whether this is Windows. */
export const WINDOWS: boolean = process.platform === "win32";

/** Name of this machine; empty where it may not be asked. */
export function hostName(): string {
  try {
    return os.hostname();
  } catch {
    return "";
  }
}

/** A variable of the environment. */
export function variable(name: string): string | undefined {
  return process.env[name];
}

/** Whether a process of this machine lives; undefined where it may not be asked. */
export function isAlive(pid: number): boolean | undefined {
  if (pid === PID) return true;
  try {
    // Signal 0 asks and does nothing.
    process.kill(pid, 0);
    return true;
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === "EPERM") return true; // Another user's.
    return code === "ESRCH" ? false : undefined;
  }
}

interface DenoPermissions {
  readonly permissions: { querySync(asked: { name: "net"; host: string }): { state: string } };
}

/** Whether this process may ask the server of an address. */
export function mayConnect(address: string): boolean {
  const host = URL.parse(address)?.host;
  if (host === undefined) return false;
  const deno = (globalThis as unknown as { Deno?: DenoPermissions }).Deno;
  return deno === undefined || deno.permissions.querySync({ name: "net", host }).state === "granted";
}

/**
 * Has something done when the process ends by itself, or is ended by its own command.
 *
 * @returns Takes it back.
 */
export function atEnd(act: () => void): () => void {
  const { addEventListener, removeEventListener } = globalThis;
  if (addEventListener) {
    addEventListener("unload", act);
    return () => removeEventListener("unload", act);
  }
  process.on("exit", act);
  return () => void process.off("exit", act);
}

/** Calls `act` every `ms` milliseconds, without keeping the process alive for it. @returns Ends it. */
export function every(ms: number, act: () => void): () => void {
  const timer = setInterval(act, ms) as unknown as number | { unref(): void };
  if (typeof timer === "object") timer.unref();
  else (globalThis as unknown as { Deno: { unrefTimer(id: number): void } }).Deno.unrefTimer(timer);
  return () => clearInterval(timer as number);
}

/** Milliseconds of the processor that this process has used, all its threads together: other programs hardly change it. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
