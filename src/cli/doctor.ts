/**
 * `doctor`: what this machine offers, a kernel that proves it, and the mend for what is missing.
 *
 * @module
 */

import { statfsSync } from "node:fs";
import { type Args, COMMON, type Flags } from "./args.ts";
import type { ProbeAnswer } from "./adapter_probe.ts";
import { commandOf } from "./process.ts";
import { describeNumerics } from "../verify/numerics.ts";
import { STEP_TOLERANCE } from "../verify/tolerance.ts";
import { ensureAdapter, mayInstall, probe as ask } from "./setup.ts";
import { print, printJson } from "./terminal.ts";

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

/** All that doctor says, as `--json` prints it. */
export interface Report extends ProbeAnswer {
  runtime: { deno: string; v8: string; typescript: string; os: string; arch: string; cores: number };
  environment: Record<string, string>;
  drivers: string[];
  installed: string[];
  disk: { folder: string; freeBytes: number };
  token: string | null;
  findings: Finding[];
}

/** Runs the command. Exit status 6 without a working adapter, else 0. */
export async function run(args: Args<typeof flags>): Promise<number> {
  const report = await examine(args.flags.install && mayInstall(args.flags["no-install"]), args.flags.software);
  if (args.flags.json) printJson(report, 2);
  else print(text(report));
  return report.findings.some((finding) => finding.fatal) ? 6 : 0;
}

async function examine(install: boolean, software: boolean): Promise<Report> {
  const { env, probe, installed, mend } = await ensureAdapter({ install, software }, ["--device"]);
  const trained = probe.device && await ask(env, ["--steps", ...(software ? ["--software"] : [])]);
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

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}

function text(report: Report): string {
  const { runtime, adapter, device, environment, steps } = report;
  const rows: [string, string][] = [
    ["runtime", `Deno ${runtime.deno}, V8 ${runtime.v8}, TypeScript ${runtime.typescript}`],
    ["system", `${runtime.os}, ${runtime.arch}, ${runtime.cores} cores`],
    ["adapter", adapter ? `${adapter.description}${adapter.software ? " (software)" : ""}` : "none"],
    ["drivers", report.drivers.join(", ") || "none found"],
    ["environment", Object.entries(environment).map(([k, v]) => `${k}=${v}`).join(" ") || "as it was"],
  ];
  if (report.installed.length > 0) rows.push(["installed now", report.installed.join(", ")]);
  if (adapter) rows.push(["features", adapter.features.join(", ")]);
  if (device) {
    const { caps, probes, selfTest, selfTestMs, numerics } = device;
    const yes = (value: boolean): string => value ? "yes" : "no";
    const limits = Object.entries(caps.limits).map(([key, value]) => `${key} ${value}`);
    rows.push(
      ["limits", limits.join(", ")],
      ["f16 kernels", yes(caps.f16)],
      ["subgroups", yes(caps.subgroups) + (caps.subgroupsEnable ? ", with enable" : "")],
      ["timestamps", yes(caps.timestamps)],
      ["kernel paths", caps.flat ? "flat (no barriers)" : "workgroup memory"],
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
