/**
 * `doctor`: what this machine offers, a kernel that proves it, and the mend for what is missing.
 *
 * @module
 */

import { statfsSync } from "node:fs";
import { type Args, COMMON, type Flags } from "./args.ts";
import type { ProbeAnswer } from "./adapter_probe.ts";
import { DAWN, findDawn, INSTALL_DAWN } from "./backend.ts";
import { describeMatrix, type MatrixConfig } from "../gpu/matrix_units.ts";
import { commandOf } from "./process.ts";
import { describeNumerics } from "../verify/numerics.ts";
import { STEP_TOLERANCE } from "../verify/tolerance.ts";
import { type Backend, ensureAdapter, mayInstall, probe as ask } from "./setup.ts";
import { print, printJson, say } from "./terminal.ts";

/** Name of the command. */
export const name = "doctor";
/** What it does. */
export const summary = "report runtime, adapter, driver, limits, disk and token; what is missing with its mend";
/** An example. */
export const example = "doctor --install";
/** Its flags. */
export const flags = {
  install: { kind: "switch", help: "install Mesa's software Vulkan driver if there is no adapter (Debian, Ubuntu)" },
  "no-install": COMMON.noInstall,
  software: COMMON.software,
  backend: COMMON.backend,
  json: COMMON.json,
} as const satisfies Flags;

/** Oldest runtime the engine is tested with. */
const OLDEST_DENO = "2.9.0";
/** Bytes that one encoder, its features and a run need. */
const WANTED_DISK = 5e9;

/** Something that is missing or weak, and what to do. */
export interface Finding {
  what: string;
  mend: string;
  /** Whether commands fail because of it. */
  fatal: boolean;
}

/** What Dawn, the optional WebGPU of `--backend dawn`, offers on this machine. */
export interface DawnFacts {
  /** Where the package is; null where it is not installed. */
  folder: string | null;
  /** The adapter that it finds; null where there is none. */
  adapter: string | null;
  /** Shapes of that adapter's matrix units. */
  matrix: readonly MatrixConfig[];
  /** Milliseconds of an idle reading. */
  readbackMs: number | null;
  /** Why it cannot be used. */
  error: string | null;
}

/** All that doctor says, as `--json` prints it. */
export interface Report extends ProbeAnswer {
  runtime: { deno: string; v8: string; typescript: string; os: string; arch: string; cores: number };
  environment: Record<string, string>;
  /** Whose WebGPU the adapter, device and steps are of. */
  backend: Backend;
  dawn: DawnFacts;
  drivers: string[];
  installed: string[];
  disk: { folder: string; freeBytes: number };
  token: string | null;
  findings: Finding[];
}

/** Runs the command. Exit status 6 without a working adapter, else 0. */
export async function run(args: Args<typeof flags>): Promise<number> {
  const { software, backend, install } = args.flags;
  const report = await examine(install && mayInstall(args.flags["no-install"]), software, backend as Backend);
  if (args.flags.json) printJson(report, 2);
  else print(text(report));
  return report.findings.some((finding) => finding.fatal) ? 6 : 0;
}

/** Asks a process of its own what Dawn finds, if it is installed. */
async function dawnFacts(env: Record<string, string>): Promise<DawnFacts> {
  const folder = await findDawn() ?? null;
  const none: DawnFacts = { folder, adapter: null, matrix: [], readbackMs: null, error: null };
  if (folder === null) return none;
  const { adapter, device, error } = await ask(env, ["--dawn", folder, "--device"]);
  if (!adapter) return { ...none, error: error ?? "it finds no adapter, or its driver is too old for it" };
  const { description, matrix } = adapter;
  return { ...none, adapter: description, matrix, readbackMs: device?.readbackMs ?? null, error: error ?? null };
}

/** Flags that make a probe look where the command is to compute; says why that is not Dawn. */
function backendFlags(asked: Backend, { folder, adapter, error }: DawnFacts): string[] {
  if (asked === "deno") return [];
  if (folder !== null && adapter !== null && error === null) return ["--dawn", folder];
  say(
    `Dawn is not used: ${error ?? `the npm package ${DAWN} is not installed`}. Deno's own WebGPU is looked at instead`,
  );
  return [];
}

async function examine(install: boolean, software: boolean, backend: Backend): Promise<Report> {
  const own = await ensureAdapter({ install, software }, ["--device"]);
  const { env, installed, mend } = own;
  const dawn = await dawnFacts(env);
  const on = backendFlags(backend, dawn);
  const probe = on.length > 0 ? await ask(env, [...on, "--device"]) : own.probe;
  const trained = probe.device && await ask(env, ["--steps", ...on, ...(software ? ["--software"] : [])]);
  const folder = Deno.cwd();
  const { bavail, bsize } = statfsSync(folder);
  const report: Report = {
    runtime: {
      ...Deno.version,
      os: `${Deno.build.os} ${Deno.osRelease()}`,
      arch: Deno.build.arch,
      cores: navigator.hardwareConcurrency,
    },
    environment: env,
    backend: on.length > 0 ? "dawn" : "deno",
    dawn,
    ...probe,
    ...(trained?.steps && { steps: trained.steps }),
    ...(trained?.error !== undefined && { error: trained.error }),
    drivers: await vulkanDrivers(),
    installed,
    disk: { folder, freeBytes: Number(bavail) * Number(bsize) },
    token: await tokenSource(),
    findings: [],
  };
  report.findings = findings(report, mend);
  return report;
}

/** Vulkan drivers the loader would find, with Mesa's version where dpkg knows it. */
async function vulkanDrivers(): Promise<string[]> {
  if (Deno.build.os !== "linux") return [];
  const own = Deno.env.get("VK_DRIVER_FILES") ?? Deno.env.get("VK_ICD_FILENAMES");
  if (own !== undefined) return own.split(":");
  const drivers: string[] = [];
  for (const folder of ["/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/usr/share/vulkan/icd.d"]) {
    try {
      for (const entry of Deno.readDirSync(folder)) drivers.push(`${folder}/${entry.name}`);
    } catch {
      // A folder that does not exist holds no driver.
    }
  }
  const query = commandOf("dpkg-query", ["-W", "-f", "${Package} ${Version}", "mesa-vulkan-drivers"]);
  const version = await query.output().then((o) => o.success ? new TextDecoder().decode(o.stdout) : "", () => "");
  return [...drivers.sort(), ...(version ? [version] : [])];
}

/** Where a Hugging Face token was found; its value is never read out. */
async function tokenSource(): Promise<string | null> {
  for (const variable of ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"]) if (Deno.env.get(variable)) return variable;
  const home = Deno.env.get("HF_HOME") ?? `${Deno.env.get("HOME") ?? Deno.env.get("USERPROFILE")}/.cache/huggingface`;
  const found = await Deno.stat(`${home}/token`).then((info) => info.isFile, () => false);
  return found ? `${home}/token` : null;
}

/** What is missing or weak. @param mend What adds an adapter. */
export function findings(report: Report, mend: string): Finding[] {
  const list: Finding[] = [];
  const { adapter, device, disk, token } = report;
  const release = (version: string): number =>
    version.split(".").map(Number).reduce((sum, part) => sum * 1000 + (part || 0), 0);
  if (release(report.runtime.deno) < release(OLDEST_DENO)) {
    const what = `Deno ${report.runtime.deno} is older than ${OLDEST_DENO}`;
    list.push({ what, mend: "npx --yes deno@2.9.6 task doctor", fatal: false });
  }
  if (!adapter) {
    list.push({ what: `No WebGPU adapter${report.error ? `: ${report.error}` : ""}`, mend, fatal: true });
  } else if (!device) {
    list.push({
      what: `The adapter cannot be opened: ${report.error}`,
      mend: "Update the graphics driver",
      fatal: true,
    });
  } else if (device.selfTest !== 0) {
    const what = `The self-test kernel failed: ${device.selfTest}`;
    list.push({ what, mend: "Update the graphics driver, or use --software", fatal: true });
  } else if (report.steps === undefined) {
    const what = `Training steps could not be tried: ${report.error}`;
    list.push({ what, mend: "Update the graphics driver, or use --software; deno task verify says more", fatal: true });
  } else if (!(report.steps.error <= STEP_TOLERANCE)) {
    const { steps, error, worst } = report.steps;
    const what = `Losses of ${steps} training steps are not PyTorch's: ${worst} is off by ${error.toExponential(1)}`;
    list.push({ what, mend: "Update the graphics driver, or use --software; deno task verify says more", fatal: true });
  } else if (adapter.software) {
    const what = "The adapter is a software one: everything works, slowly";
    list.push({ what, mend: "Install the driver of the graphics card, if there is one", fatal: false });
  }
  const gain = dawnFinding(report);
  if (gain !== undefined) list.push(gain);
  if (disk.freeBytes < WANTED_DISK) {
    const what = `Only ${gigabytes(disk.freeBytes)} free in ${disk.folder}`;
    list.push({ what, mend: `Free ${gigabytes(WANTED_DISK)}, or pass --out on another disk`, fatal: false });
  }
  if (token === null) {
    const what = "No Hugging Face token: gated encoders (UNI, CONCH, Virchow2 …) cannot be fetched";
    list.push({ what, mend: "export HF_TOKEN=… (make one at huggingface.co/settings/tokens)", fatal: false });
  }
  return list;
}

/** What `--backend dawn` would bring, where something is known or can be found out. */
function dawnFinding({ dawn, adapter, backend }: Report): Finding | undefined {
  // What no graphics card computes, it does not compute sooner.
  if (backend === "dawn" || adapter === undefined || adapter.software) return undefined;
  if (dawn.folder === null) {
    const what = "Whether this graphics card's matrix units can be used is unknown: only Dawn offers them";
    return { what, mend: `${INSTALL_DAWN}, then deno task doctor again`, fatal: false };
  }
  if (dawn.matrix.length === 0 || dawn.error !== null) return undefined;
  const what = `Dawn offers matrix units of ${dawn.adapter}, which Deno's WebGPU does not`;
  return { what, mend: "Add --backend dawn --precision f16 to a command", fatal: false };
}

/** What is known of Dawn, in a line. */
export function dawnText({ folder, adapter, matrix, readbackMs, error }: DawnFacts): string {
  if (folder === null) return `not installed (${INSTALL_DAWN})`;
  if (error !== null || adapter === null) return `${DAWN} cannot be used: ${error}`;
  const units = matrix.length === 0 ? "no matrix units" : `matrix units of ${matrix.map(describeMatrix).join(", ")}`;
  return `${DAWN} on ${adapter}: ${units}${readbackMs === null ? "" : `; idle readback ${readbackMs.toFixed(1)} ms`}`;
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}

function text(report: Report): string {
  const { runtime, adapter, device, environment, steps } = report;
  const rows: [string, string][] = [
    ["runtime", `Deno ${runtime.deno}, V8 ${runtime.v8}, TypeScript ${runtime.typescript}`],
    ["system", `${runtime.os}, ${runtime.arch}, ${runtime.cores} cores`],
    ["WebGPU", report.backend === "dawn" ? `Dawn of ${DAWN}` : "Deno's own"],
    ["adapter", adapter ? `${adapter.description}${adapter.software ? " (software)" : ""}` : "none"],
    ["drivers", report.drivers.join(", ") || "none found"],
    ["environment", Object.entries(environment).map(([k, v]) => `${k}=${v}`).join(" ") || "as it was"],
  ];
  if (report.installed.length > 0) rows.push(["installed now", report.installed.join(", ")]);
  if (adapter) rows.push(["features", adapter.features.join(", ")]);
  if (device) {
    const { caps, probes, selfTest, selfTestMs, readbackMs, numerics } = device;
    const yes = (value: boolean): string => value ? "yes" : "no";
    const limits = Object.entries(caps.limits).map(([key, value]) => `${key} ${value}`);
    rows.push(
      ["limits", limits.join(", ")],
      ["f16 kernels", yes(caps.f16)],
      ["timestamps", yes(caps.timestamps)],
      ["kernel paths", caps.flat ? "flat (no barriers)" : "workgroup memory"],
      ["idle readback", `${readbackMs.toFixed(1)} ms`],
      ...Object.entries(probes).map(([key, value]): [string, string] => [key, yes(value)]),
      ["self-test", selfTest === 0 ? `a + b is exact (${selfTestMs.toFixed(0)} ms)` : `failed: ${selfTest}`],
      ...Object.entries(describeNumerics(numerics)),
    );
  }
  if (steps && steps.steps > 0) {
    rows.push([
      `${steps.label}'s steps`,
      `losses of ${steps.steps} within ${steps.error.toExponential(1)} of PyTorch's`,
    ]);
  }
  rows.push(
    ["Dawn", dawnText(report.dawn)],
    ["free disk", `${gigabytes(report.disk.freeBytes)} in ${report.disk.folder}`],
    ["Hugging Face", report.token === null ? "no token" : `token in ${report.token}`],
  );
  const width = Math.max(...rows.map(([key]) => key.length));
  const lines = rows.map(([key, value]) => `${key.padEnd(width)}  ${value}`);
  for (const { what, mend, fatal } of report.findings) {
    lines.push("", `${fatal ? "MISSING" : "note"}: ${what}`, `  ${mend}`);
  }
  return lines.join("\n");
}
