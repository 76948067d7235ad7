/**
 * What this process uses of the machine. On a software adapter that is the device's work and memory too.
 *
 * @module
 */

import process from "node:process";

/** Processor time of all threads so far, ms. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Resident memory now and at its highest, bytes; undefined where the system does not tell. */
export function resident(): { now: number; peak: number } | undefined {
  try {
    const text = Deno.readTextFileSync("/proc/self/status");
    const read = (key: string): number => 1024 * Number(new RegExp(`^${key}:\\s*(\\d+) kB`, "m").exec(text)![1]);
    return { now: read("VmRSS"), peak: read("VmHWM") };
  } catch {
    return undefined;
  }
}

/** Lets the highest value start again from now, where the system allows it. */
export function forgetPeak(): void {
  try {
    Deno.writeTextFileSync("/proc/self/clear_refs", "5");
  } catch {
    // Then the peak is that of the whole process.
  }
}
