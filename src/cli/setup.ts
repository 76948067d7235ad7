/**
 * Makes sure that this machine has a WebGPU adapter: looks for one in a fresh process, and where there is none on Debian
 * or Ubuntu can install Mesa's software Vulkan driver, as root or with passwordless sudo.
 *
 * @module
 */

import { DeviceError } from "../core/errors.ts";
import type { ProbeAnswer } from "./adapter_probe.ts";
import { dawnEntry } from "./backend.ts";
import { commandOf } from "./process.ts";
import { sayLines } from "./terminal.ts";

/** What apt is asked for: Mesa's drivers, llvmpipe among them, and the loader that finds them. */
export const PACKAGES: readonly string[] = ["mesa-vulkan-drivers", "libvulkan1"];

/** How to get a software driver by hand, by the `ID` or `ID_LIKE` of os-release. */
const BY_HAND: Readonly<Record<string, string>> = {
  debian: `sudo apt-get update && sudo apt-get install -y --no-install-recommends ${PACKAGES.join(" ")}`,
  fedora: "sudo dnf install -y mesa-vulkan-drivers vulkan-loader",
  rhel: "sudo dnf install -y mesa-vulkan-drivers vulkan-loader",
  suse: "sudo zypper install -y libvulkan_lvp libvulkan1",
  arch: "sudo pacman -S --noconfirm vulkan-swrast vulkan-icd-loader",
};

/** What {@linkcode ensureAdapter} may do and whom it tells. */
export interface SetupOptions {
  /** Look for a software adapter even if the machine has a GPU. */
  software?: boolean;
  /** Whether a missing driver is installed. */
  install?: boolean;
  /** Receives one line at a time; stderr by default. */
  say?: (line: string) => void;
}

/** What {@linkcode ensureAdapter} found and did. */
export interface Setup {
  /** Environment that lets a process find the adapter without noise. */
  env: Record<string, string>;
  /** The answer of the last probe. */
  probe: ProbeAnswer;
  /** Packages this call installed. */
  installed: string[];
  /** The command that would add a software driver, where `probe.adapter` is missing. */
  mend: string;
}

/** The lines of a child process, its exit status, and whether it could be started at all. */
interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end without stdin; a program that does not exist gives status 127. */
async function execute(command: string, args: readonly string[], env: Record<string, string> = {}): Promise<Ran> {
  try {
    const child = commandOf(command, args, { env, stdin: "null", stdout: "piped", stderr: "piped" });
    const { code, stdout, stderr } = await child.output();
    const decoder = new TextDecoder();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return { code: 127, stdout: "", stderr: `${command}: not found` };
  }
}

/** Whether the user lets a driver be installed: `--no-install` and `SEAL_NO_INSTALL` refuse it. */
export function mayInstall(refused: boolean): boolean {
  return !refused && !Deno.env.get("SEAL_NO_INSTALL");
}

/** Settings of the process that every GPU user on Linux wants; empty elsewhere. */
function quietEnv(): Record<string, string> {
  if (Deno.build.os !== "linux" || Deno.env.get("XDG_RUNTIME_DIR")) return {};
  // Mesa and the loader complain on stderr without a folder and never need it here.
  return { XDG_RUNTIME_DIR: "/" };
}

/** Backends worth asking, best first: on Linux Vulkan alone, which also skips the slow look at OpenGL. */
function backendChoices(): Record<string, string>[] {
  if (Deno.build.os !== "linux" || Deno.env.get("DENO_WEBGPU_BACKEND") !== undefined) return [{}];
  return [{ DENO_WEBGPU_BACKEND: "vulkan" }, {}];
}

/**
 * Asks a fresh process what the GPU is.
 *
 * @param flags `--software`, `--device`, `--steps`, `--dawn FOLDER`.
 */
export async function probe(env: Record<string, string>, flags: readonly string[] = []): Promise<ProbeAnswer> {
  const main = new URL("./main.ts", import.meta.url).href;
  // A device needs no permission; without it a driver and nothing else can go wrong there.
  // Training needs the packages of the configuration, one of which reads two variables.
  const how = flags.includes("--steps") ? ["--allow-env=LOG_STREAM,LOG_TOKENS"] : ["--no-config"];
  const dawn = flags.includes("--dawn") ? flags[flags.indexOf("--dawn") + 1] : undefined;
  if (dawn !== undefined) how.push("--allow-read", `--allow-ffi=${dawn}`);
  const own = Deno.build.standalone ? [] : ["run", "--no-prompt", ...how, "--quiet", main];
  const { code, stdout, stderr } = await execute(Deno.execPath(), [...own, "probe", ...flags], env);
  try {
    return JSON.parse(stdout.trim().split("\n").pop() ?? "") as ProbeAnswer;
  } catch {
    return { error: `The probe ended with status ${code}: ${stderr.trim().split("\n").pop() ?? ""}` };
  }
}

/** First probe that finds an adapter, with the environment it was found in. */
async function findAdapter(choices: Record<string, string>[], flags: string[]): Promise<Pick<Setup, "env" | "probe">> {
  let last: Pick<Setup, "env" | "probe"> = { env: {}, probe: {} };
  for (const choice of choices) {
    const env = { ...quietEnv(), ...choice };
    last = { env, probe: await probe(env, flags) };
    if (last.probe.adapter) break;
  }
  return last;
}

/**
 * Finds an adapter, installing a software one if there is none, that is wanted, and possible without asking.
 *
 * @param options See {@linkcode SetupOptions}.
 * @param flags Passed to the probe, `--device` for the facts that need an open device.
 * @returns What was found; `probe.adapter` is missing if nothing helped.
 */
export async function ensureAdapter(options: SetupOptions = {}, flags: readonly string[] = []): Promise<Setup> {
  const say = options.say ?? sayLines;
  const asked = [...flags, ...(options.software ? ["--software"] : [])];
  const choices = backendChoices();
  const first = await findAdapter(choices.slice(0, 1), asked);
  const mend = await installCommand();
  if (first.probe.adapter) return { ...first, installed: [], mend };
  let installed: string[] = [];
  if (options.install) installed = await installSoftwareDriver(say);
  const again = installed.length > 0 ? await findAdapter(choices.slice(0, 1), asked) : first;
  if (again.probe.adapter || choices.length === 1) return { ...again, installed, mend };
  // OpenGL works where it is all there is, with fewer features.
  const rest = await findAdapter(choices.slice(1), asked);
  return { ...(rest.probe.adapter ? rest : again), installed, mend };
}

/** Whose WebGPU a command computes with. */
export type Backend = "deno" | "dawn";

/** A GPU entry that has an adapter. */
export interface PreparedGpu {
  readonly entry: GPU;
  /** Whose it is: the one asked for, if that could be had. */
  readonly backend: Backend;
}

/**
 * Makes sure that this process has an adapter. Must run before the first use of `navigator.gpu`.
 *
 * @throws {DeviceError} If there is none (code `no-adapter`); the hint is the line to type.
 */
export async function prepareGpu(
  { software = false, backend = "deno" }: Pick<SetupOptions, "software"> & { backend?: Backend } = {},
): Promise<PreparedGpu> {
  for (const [name, value] of Object.entries({ ...quietEnv(), ...backendChoices()[0] })) Deno.env.set(name, value);
  const dawn = backend === "dawn" ? await dawnEntry(software) : undefined;
  if (dawn !== undefined) return { entry: dawn, backend };
  const adapter = await navigator.gpu?.requestAdapter({
    powerPreference: "high-performance",
    forceFallbackAdapter: software,
  });
  if (adapter) return { entry: navigator.gpu, backend: "deno" };
  throw new DeviceError("Cannot find a WebGPU adapter: the system offers none", {
    code: "no-adapter",
    hint: await installCommand(),
  });
}

/** Families of this distribution, nearest first; empty outside Linux. */
async function distribution(): Promise<string[]> {
  if (Deno.build.os !== "linux") return [];
  const text = await Deno.readTextFile("/etc/os-release").catch(() => "");
  return [...text.matchAll(/^ID(?:_LIKE)?=(.*)$/gm)].flatMap((match) => match[1]!.replaceAll('"', "").split(" "));
}

/** The line that adds a driver to this system by hand. */
export async function installCommand(): Promise<string> {
  if (Deno.build.os === "windows") return "Install the current driver of your graphics card and run this again";
  if (Deno.build.os === "darwin") return "Update macOS: WebGPU needs a Mac with Metal";
  for (const id of await distribution()) {
    const line = BY_HAND[id === "ubuntu" ? "debian" : id];
    if (line !== undefined) return Deno.uid() === 0 ? line.replaceAll("sudo ", "") : line;
  }
  return "Install a Vulkan driver and the Vulkan loader (Mesa's lavapipe is a software one) and run this again";
}

/** Installs Mesa's software driver where that needs no password. Returns the packages that are new. */
async function installSoftwareDriver(say: (line: string) => void): Promise<string[]> {
  if (!(await distribution()).some((id) => id === "debian" || id === "ubuntu")) return [];
  const root = Deno.uid() === 0;
  if (!root && (await execute("sudo", ["-n", "true"])).code !== 0) return [];
  const prefix = root ? [] : ["sudo", "-n"];
  say(`No WebGPU adapter found. Installing Mesa's software Vulkan driver: apt-get install ${PACKAGES.join(" ")}`);
  const options = ["-o", "DPkg::Lock::Timeout=300"];
  const install = ["install", "-y", "--no-install-recommends", ...options, ...PACKAGES];
  let ran = await apt(prefix, install);
  if (ran.code !== 0) {
    // A fresh image has no package lists, an old one has stale ones.
    say("Refreshing the package lists: apt-get update");
    await apt(prefix, ["update", ...options]);
    ran = await apt(prefix, install);
  }
  if (ran.code !== 0) {
    say(`apt-get failed: ${(ran.stderr.trim() || ran.stdout.trim()).split("\n").slice(-3).join("\n")}`);
    return [];
  }
  const installed = [...ran.stdout.matchAll(/^Setting up ([^ :]+)\S* \(([^)]*)\)/gm)].map((m) => `${m[1]} ${m[2]}`);
  const asked = installed.filter((entry) => PACKAGES.some((name) => entry.startsWith(`${name} `)));
  say(`Installed ${asked.join(", ")} and ${installed.length - asked.length} packages they need`);
  return installed;
}

async function apt(prefix: readonly string[], args: readonly string[]): Promise<Ran> {
  // sudo drops the environment, so the settings travel as arguments of env.
  const [command, ...rest] = [...prefix, "env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", "apt-get", ...args];
  return await execute(command!, rest);
}
