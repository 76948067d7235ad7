/**
 * Memory of this process. On a software adapter that is the device's too.
 *
 * @module
 */

import process from "node:process";

/** Resident memory now and at its highest, bytes. */
export function resident(): { now: number; peak: number } {
  try {
    // What forgetPeak() resets. Deno lets only a process look there that may do everything, which peers may not.
    const text = Deno.readTextFileSync("/proc/self/status");
    const read = (key: string): number => 1024 * Number(new RegExp(`^${key}:\\s*(\\d+) kB`, "m").exec(text)![1]);
    return { now: read("VmRSS"), peak: read("VmHWM") };
  } catch {
    return { now: Deno.memoryUsage().rss, peak: 1024 * process.resourceUsage().maxRSS };
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
