/**
 * States of slides in a folder, `wsi_states/NAME.json`.
 *
 * @module
 */

import { disk, makeFolder, readText } from "../io/fs.ts";
import { parseState, type SlideState, stateJson } from "../slides/states.ts";

const FOLDER = "wsi_states";

/** How a slide ended before; undefined where nothing tells: it is written anew. */
export function readState(folder: string, name: string): SlideState | undefined {
  const path = `${folder}/${FOLDER}/${name}.json`;
  if (disk.look(path)?.kind !== "file") return undefined;
  try {
    return parseState(readText(path), path);
  } catch {
    return undefined;
  }
}

/** All states of a folder, those of earlier commands among them. */
export function readStates(folder: string): SlideState[] {
  const entry = disk.look(`${folder}/${FOLDER}`);
  const names = entry?.kind === "folder" ? entry.names.filter((name) => name.endsWith(".json")) : [];
  return names.map((name) => readState(folder, name.slice(0, -5))).filter((state) => state !== undefined);
}

/** Writes how a slide ended. */
export function writeState(folder: string, state: SlideState): void {
  makeFolder(`${folder}/${FOLDER}`);
  disk.write(`${folder}/${FOLDER}/${state.name}.json`, stateJson(state));
}
