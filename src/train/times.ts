/**
 * Names of the parts of a run's time.
 *
 * @module
 */

/** As reports show them. */
export const TIMES = {
  data: "generate or read data",
  open: "open encoder and device",
  before: "frozen features",
  training: "training steps",
  evaluation: "evaluation while training",
  checkpoints: "checkpoints",
  evidence: "probes, retrieval, maps",
} as const;
