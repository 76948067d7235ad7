/**
 * What a run says of the samples it learnt from and was judged on.
 *
 * @module
 */

import type { TrainingSample } from "../data/training_set.ts";
import type { SampleFacts } from "../report/run_facts.ts";
import { namedDonor } from "./data.ts";

/** Facts of a sample. */
export function sampleFacts(sample: TrainingSample): SampleFacts {
  // Without a name samples of one person may stand on two sides: none is better than one that looks like an answer.
  const donor = namedDonor(sample);
  const technology = sample.files.metadata?.text("st_technology");
  const organ = sample.files.metadata?.text("organ");
  return {
    sample: sample.id,
    ...(donor === undefined ? {} : { donor }),
    split: sample.role === "validation" ? "val" : sample.role,
    spots: sample.count,
    ...(technology === undefined ? {} : { technology }),
    ...(organ === undefined ? {} : { organ }),
  };
}
