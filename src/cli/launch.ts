/**
 * Starts a command with the permissions its command line needs and no others: it writes where its outputs go, and neither
 * uses the network nor starts a process. What it says it lacks is got first, and the same command started again: an adapter,
 * which only a fresh process sees; weights, which a process that sees nothing but the cache downloads.
 *
 * Signals are passed on, the exit status is the command's.
 *
 * @module
 */

import { cacheFolder } from "../io/hub/hub_host.ts";
import { LACKING, type Lacking, LAUNCHER } from "./launched.ts";
import {
  denoFlags,
  downloadPermissions,
  isDemo,
  Line,
  type Permissions,
  permissionsOf,
  writable,
} from "./permissions.ts";
import { denoCommand } from "./process.ts";
import { BURST, GRACE, STOP_SIGNALS } from "./stop_signals.ts";
import { lockedByTrident } from "./unlock.ts";

const MAIN = new URL("./main.ts", import.meta.url).href;
/** Exit status of what was stopped before it began. */
const INTERRUPTED = 75;

/** The process that runs now, and the signals that came. */
const state: { child: Deno.ChildProcess | undefined; signals: number; last: number } = {
  child: undefined,
  signals: 0,
  last: -Infinity,
};

function onSignal(signal: Deno.Signal): void {
  const { child } = state;
  if (child === undefined) Deno.exit(INTERRUPTED);
  const now = performance.now();
  if (now - state.last >= BURST) {
    state.last = now;
    // A command that computes without a pause cannot end itself.
    if (++state.signals === 2) setTimeout(() => send(child, "SIGKILL"), 2 * GRACE);
  }
  // Windows gives console signals to all processes, and knows no others.
  if (Deno.build.os !== "windows") send(child, signal);
}

function send(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch { /* it has ended */ }
}

/** Runs a command line to its end. @returns Its exit status; 128 and the signal's number if one ended it unasked. */
async function start(args: readonly string[], permissions: Permissions, env: Record<string, string>): Promise<number> {
  const command = denoCommand(["run", ...denoFlags(permissions), MAIN, ...args], {
    env,
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
  });
  state.child = command.spawn();
  const { code, signal } = await state.child.status;
  state.child = undefined;
  // What it wrote is whole and is resumed, wherever it ended.
  return signal !== null && state.signals > 0 ? INTERRUPTED : code;
}

/** The adapter's environment, after what may be done for one: only the demo installs a driver, unless that was refused. */
async function findAdapter([name, ...rest]: readonly string[]): Promise<Record<string, string>> {
  const line = new Line(rest);
  const { ensureAdapter, mayInstall } = await import("./setup.ts");
  const install = name === "train" && isDemo(line) && mayInstall(line.has("no-install"));
  return (await ensureAdapter({ software: line.has("software"), install })).env;
}

/** Lets go of what dead processes of TRIDENT left in a job. */
async function unlockJob(job: string): Promise<void> {
  // To ask whether a process lives needs the permission to start any; this one starts none.
  const flags = [...denoFlags({ write: writable(job), env: [], sys: ["hostname"] }), "--allow-run"];
  await denoCommand(["run", ...flags, MAIN, "unlock", job], { stdin: "null", stdout: "null", stderr: "inherit" })
    .output();
}

/** What a command is permitted, and told of, to load Dawn: nothing unless it asks for it. `doctor` looks for it itself. */
async function findBackend(
  [name, ...rest]: readonly string[],
): Promise<[Partial<Permissions>, Record<string, string>]> {
  if (name === "doctor" || new Line(rest).value("backend") !== "dawn") return [{}, {}];
  const { DAWN_FOLDER, findDawn } = await import("./backend.ts");
  const folder = await findDawn();
  return folder === undefined ? [{}, {}] : [{ ffi: [folder] }, { [DAWN_FOLDER]: folder }];
}

/** Launches a command line. */
export async function launch(argv: readonly string[]): Promise<number> {
  const [loads, told] = await findBackend(argv);
  const permissions = { ...await permissionsOf(argv), ...loads };
  const job = argv[0] === "embed" ? new Line(argv.slice(1)).value("job") : undefined;
  if (job !== undefined && lockedByTrident(job).length > 0) await unlockJob(job);
  const gets = new Set<Lacking>(["adapter", "weights"]);
  let env: Record<string, string> = {};
  for (;;) {
    const code = await start(argv, permissions, { ...env, ...told, [LAUNCHER]: [Deno.pid, ...gets].join(" ") });
    const lacking = [...gets].find((what) => LACKING[what] === code);
    if (lacking === undefined) return code;
    if (state.signals > 0) return INTERRUPTED;
    // Once: what cannot be had then is the command's to report.
    gets.delete(lacking);
    if (lacking === "adapter") env = await findAdapter(argv);
    else {
      const host = { env: (name: string) => Deno.env.get(name) };
      const network = downloadPermissions(writable(cacheFolder(host)), host.env("HF_ENDPOINT"));
      const failed = await start(["fetch", ...argv], network, { [LAUNCHER]: String(Deno.pid) });
      if (failed !== 0) return failed;
    }
  }
}

if (import.meta.main) {
  for (const signal of STOP_SIGNALS) Deno.addSignalListener(signal, () => onSignal(signal));
  Deno.exit(await launch(Deno.args));
}
