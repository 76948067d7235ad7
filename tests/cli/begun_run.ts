/** A run folder taken as `train` takes it, at once. */

import { startRun } from "../../src/run/start.ts";

/** A configuration as this version writes it: texts of the tests are that. */
export function resolve(text: string): string {
  return text;
}

/** Looks at the folder and begins the run. @returns Whether an earlier one is to be gone on with. */
export function prepareRun(run: string, config: string, overwrite: boolean): boolean {
  const { resume, begin } = startRun(run, config, overwrite, resolve);
  begin();
  return resume;
}
