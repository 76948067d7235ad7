/**
 * Whose WebGPU a command computes with: Deno's own, or with `--backend dawn` that of Dawn, the npm package `webgpu`, which offers
 * the matrix units of graphics cards and answers a readback sooner. The package is no dependency of this one: it is taken
 * from Deno's cache when it is asked for, and its absence is a line and no failure.
 *
 * The launcher finds it (in Deno's cache, or where SEAL_DAWN says), permits its native library and says where it is; the command loads it.
 *
 * @module
 */

import { pathToFileURL } from "node:url";
import { openDawn } from "../host/gpu.ts";
import { denoCommand } from "./process.ts";
import { say } from "./terminal.ts";

/** The package, by the version that was tested. */
export const DAWN = "webgpu@0.6.2";
/** What puts it in Deno's cache and changes no project. */
export const INSTALL_DAWN = `deno cache --no-config --no-lock npm:${DAWN}`;
/** Variable that says where the package is; set by the launcher, or by a user who has it elsewhere. */
export const DAWN_FOLDER = "SEAL_DAWN";

/** Dawn with an adapter, or why there is none. */
export type DawnFound = { readonly entry: GPU } | { readonly missing: string; readonly mend?: string };

/** Folder of the package: as the user says, else in Deno's cache; undefined where it is not there. May start a process. */
export async function findDawn(): Promise<string | undefined> {
  const told = toldFolder();
  if (told !== undefined) return told;
  if (Deno.build.standalone) return undefined;
  const { success, stdout } = await denoCommand(["info", "--json", "--no-config"], { stderr: "null" }).output();
  if (!success) return undefined;
  return dawnIn((JSON.parse(new TextDecoder().decode(stdout)) as { npmCache?: string }).npmCache ?? "");
}

/** Folder of the package in a cache of npm packages; below that stands the registry they came from, which may be a mirror. */
export function dawnIn(npmCache: string): string | undefined {
  const folders = listed(npmCache).map((registry) => `${npmCache}/${registry}/${DAWN.replace("@", "/")}`);
  return folders.find((folder) => listed(folder).includes("index.js"));
}

function listed(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map((entry) => entry.name).sort();
  } catch {
    return [];
  }
}

/** Loads Dawn from its folder and looks for an adapter. @param folder As {@linkcode findDawn} tells it. */
export async function dawnFrom(folder: string | undefined, software: boolean): Promise<DawnFound> {
  if (folder === undefined) return { missing: `the npm package ${DAWN} is not installed`, mend: INSTALL_DAWN };
  try {
    const entry = await openDawn(pathToFileURL(`${folder}/index.js`).href);
    // Asked for a fallback adapter, Dawn knows only its own; without a graphics card the only one there is is Mesa's.
    const adapter = await entry.requestAdapter({ powerPreference: "high-performance" });
    if (adapter === null) return { missing: "it finds no adapter, or its driver is too old for it" };
    return software && !adapter.info.isFallbackAdapter ? { missing: "its adapter is no software one" } : { entry };
  } catch (error) {
    const [reason] = String(error instanceof Error ? error.message : error).split("\n");
    return { missing: `it cannot be loaded: ${reason}`, mend: `${INSTALL_DAWN}, with --reload if it is damaged` };
  }
}

/** Where the package is, as the user or the launcher says. */
function toldFolder(): string | undefined {
  try {
    return Deno.env.get(DAWN_FOLDER);
  } catch {
    // Not permitted: a launcher would have.
    return undefined;
  }
}

/** The GPU entry of Dawn for this command; undefined, after a line on stderr, where Deno's own is taken instead. */
export async function dawnEntry(software: boolean): Promise<GPU | undefined> {
  const found = await dawnFrom(toldFolder(), software);
  if ("entry" in found) return found.entry;
  say(`Dawn is not used: ${found.missing}. Deno's own WebGPU computes instead`);
  if (found.mend !== undefined) say(`hint: ${found.mend}`);
  return undefined;
}
