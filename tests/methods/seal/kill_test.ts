/** Commands that are killed at random moments and in the middle of writes; `scripts/kill_resume.ts` kills as often as is asked. */

import assert from "node:assert/strict";
import { JOBS } from "../../../scripts/kill_jobs.ts";
import { killAndResume, runWhole } from "../../../scripts/kill_resume.ts";
import { inFolder } from "../../cli/shared.ts";

for (const name of ["embed", "convert-weights"]) {
  Deno.test(`${name} killed at random moments gives the bytes of a run that was not`, () =>
    inFolder(async (folder) => {
      const job = JOBS[name]!;
      const setting = { job, inputs: `${folder}/inputs`, out: `${folder}/out` };
      Deno.mkdirSync(setting.inputs);
      await job.prepare(setting.inputs);
      const { kills, wrong } = await killAndResume(setting, await runWhole(setting), { kills: 3, seed: 11, rounds: 3 });
      assert.deepEqual([kills, wrong], [3, []]);
    }));
}
