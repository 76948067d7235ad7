/**
 * States of slides in a folder, `wsi_states/NAME.json`.
 *
 * @module
 */

import { disk, makeFolder, readText } from "../io/fs.ts";
import { parseStates, type SlideState, statesJson } from "../slides/states.ts";

const FOLDER = "wsi_states";

/** The file of a slide's states. */
export function statePath(folder: string, name: string): string {
  return `${folder}/${FOLDER}/${name}.json`;
}

/** States of a slide, that of the last work first; none where nothing tells: they are written anew. */
function statesOf(folder: string, name: string): SlideState[] {
  const path = statePath(folder, name);
  if (disk.look(path)?.kind !== "file") return [];
  try {
    return parseStates(readText(path), path);
  } catch {
    return [];
  }
}

/** How a slide ended before. @param features Folder of the features, where a job may have several. */
export function readState(folder: string, name: string, features?: string): SlideState | undefined {
  return statesOf(folder, name).find((state) => state.features === features);
}

/** All states of a folder, those of earlier commands among them. */
export function readStates(folder: string): SlideState[] {
  const entry = disk.look(`${folder}/${FOLDER}`);
  const names = entry?.kind === "folder" ? entry.names.filter((name) => name.endsWith(".json")) : [];
  return names.flatMap((name) => statesOf(folder, name.slice(0, -5)));
}

/** Writes how a slide ended; its states of other features stay. Nobody else may write them meanwhile. */
export function writeState(folder: string, state: SlideState): void {
  makeFolder(`${folder}/${FOLDER}`);
  const others = statesOf(folder, state.name).filter(({ features }) =>
    features !== undefined && features !== state.features
  );
  disk.write(statePath(folder, state.name), statesJson([state, ...others]));
}
