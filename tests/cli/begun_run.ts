/** A run folder taken as `train` takes it, at once. */

import { startRun } from "../../src/cli/run_start.ts";

/** Looks at the folder and begins the run. @returns Whether an earlier one is to be gone on with. */
export function prepareRun(run: string, config: string, overwrite: boolean): boolean {
  const { resume, begin } = startRun(run, config, overwrite);
  begin();
  return resume;
}
