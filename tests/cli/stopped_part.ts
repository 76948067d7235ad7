/**
 * A part of a command that asks to end by itself: `stopped_part.ts waits|computes`. Waits for ever, or computes without a pause
 * until it learns of a signal, by progress alone.
 */

import type { InterruptedError } from "../../src/core/errors.ts";
import { Interrupt } from "../../src/cli/interrupt.ts";
import { Progress } from "../../src/cli/progress.ts";
import { say } from "../../src/cli/terminal.ts";

const job = new Interrupt(["train", "--out", "runs/a"], false);
const progress = new Progress(true);
const status = await job.gracefully(async () => {
  // So that the thread that listens has begun.
  await new Promise((resolve) => setTimeout(resolve, 1000));
  say("begun");
  if (Deno.args[0] === "waits") await new Promise((resolve) => setTimeout(resolve, 1e8));
  while (!job.signal.aborted) progress.update("compute", 0, 1, "steps");
  say("saved");
  // The signal's own event, which comes late, is no second signal.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  return job.end(job.signal.reason as InterruptedError);
});
job.close();
Deno.exit(status);
