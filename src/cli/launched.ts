/**
 * What the launcher and the command it started agree upon.
 *
 * A command that was launched may neither start processes nor use the network. What it lacks it says by an exit status of
 * its own, before any work; the launcher gets it and starts the same command again.
 *
 * @module
 */

/** Variable that says which process launched this one and what it can still get: `PID adapter weights`. */
export const LAUNCHER = "SEAL_LAUNCHER";

/** Things a launcher gets, and the exit status that asks for each. No command ends with these otherwise. */
export const LACKING = { adapter: 86, weights: 87 } as const;
/** Something a command may lack. */
export type Lacking = keyof typeof LACKING;

/** Milliseconds between two looks at whether the launcher lives. */
const WATCH = 500;

/** Error codes of what a launcher gets. */
const CODES: Readonly<Record<string, Lacking>> = { "no-adapter": "adapter", "weights-missing": "weights" };

/** The launcher of this process. */
export interface Launcher {
  readonly pid: number;
  readonly gets: ReadonlySet<string>;
}

/** The launcher of this process; undefined if it was started directly. */
export function launcher(): Launcher | undefined {
  let text: string | undefined;
  try {
    text = Deno.env.get(LAUNCHER);
  } catch { /* not permitted: a launcher would have */ }
  const [pid, ...gets] = text?.split(" ") ?? [];
  // The variable is inherited by whatever a launched command might start.
  return pid !== undefined && Number(pid) === Deno.ppid ? { pid: Deno.ppid, gets: new Set(gets) } : undefined;
}

/** The exit status that asks the launcher for what an error is about; undefined where there is none to ask. */
export function askedOfLauncher(error: unknown): number | undefined {
  const what = CODES[String((error as { code?: unknown } | null)?.code)];
  return what !== undefined && launcher()?.gets.has(what) ? LACKING[what] : undefined;
}

/** Calls back once when the launcher is gone, without keeping the process alive. @returns What ends the watch. */
export function watchLauncher(onGone: () => void): () => void {
  const started = launcher();
  if (started === undefined) return () => {};
  const timer = setInterval(() => {
    if (Deno.ppid === started.pid) return;
    clearInterval(timer);
    onGone();
  }, WATCH);
  Deno.unrefTimer(timer);
  return () => clearInterval(timer);
}
