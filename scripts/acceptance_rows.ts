/**
 * What SPADE (S), bulk RNA (K) and all systems of the field on this engine (X) must hold, and where each is shown.
 *
 * @module
 */

/** A test file with a part of the names of those of its tests that show it; all of them where there is none. */
export interface Shown {
  readonly file: string;
  readonly name?: string;
  /** Arguments, of a script. */
  readonly args?: readonly string[];
}

/** A row. */
export interface Acceptance {
  readonly id: string;
  readonly holds: string;
  readonly by: readonly Shown[];
  /** What has to be there that is not in the repository, or that takes long. */
  readonly needs?: string;
}

const test = (file: string, name?: string): Shown => ({ file: `tests/${file}`, ...(name !== undefined && { name }) });
const script = (file: string, ...args: string[]): Shown => ({ file: `scripts/methods/${file}`, args });

const SPADE_WORLD = script("spade/world.ts", "0", "1");
const PATIENTS = script("bulk/world.ts", "0", "1", "2");
const PIXELS = script("bulk/pixels.ts", "--folder", "data/cache/bulk_pixels", "--spots");

const SPADE_ROWS: readonly Acceptance[] = [
  {
    id: "S1",
    holds: "clusters are the true types: Rand index .95",
    by: [test("methods/spade/world_test.ts", "fine and coarse clusters together are the types"), SPADE_WORLD],
  },
  {
    id: "S2",
    holds: "routing is the nearest centroid's expert, 99 % at temperature .1, all at .001",
    by: [test("methods/spade/world_test.ts", "rows go to the expert of their nearest centroid")],
  },
  {
    id: "S3",
    holds: "weights sum to 1 within 1e-6, finite far away and on a centroid; heads in f16 within 2e-3",
    by: [
      test("methods/spade/expert_test.ts", "weights sum to one"),
      test("methods/spade/expert_test.ts", "heads in f16"),
    ],
  },
  {
    id: "S4",
    holds: "gradient of the soft-target loss, through the targets too",
    by: [
      test("methods/spade/expert_test.ts", "the loss of soft targets and its gradients"),
      test("losses/worked_test.ts"),
    ],
  },
  {
    id: "S5",
    holds: "experts above single by .20 and .08, above random by .40 and .20, not .03 below wide",
    by: [SPADE_WORLD, test("methods/spade/world_test.ts", "experts lead over one expert")],
  },
  {
    id: "S6",
    holds: "rolling the table loses .5 of recall",
    by: [test("methods/spade/world_test.ts", "experts lead over one expert")],
  },
  {
    id: "S7",
    holds: "saved and read again the same bits; another tensor, gene list or encoder is refused",
    by: [
      test("methods/spade/world_test.ts", "what is saved and read again says the same"),
      test("methods/spade/run_test.ts", "killed at random moments"),
    ],
  },
  {
    id: "S8",
    holds: "the curve of an organ bends at its types",
    by: [
      test("methods/spade/world_test.ts", "the curve of an organ bends"),
      test("methods/spade/curve_test.ts"),
    ],
  },
  {
    id: "S9",
    holds: "few labels: .08, .08 and .04 above the given features on the same draws",
    by: [test("methods/spade/few_shot_test.ts")],
  },
  {
    id: "S10",
    holds: "rows of an unseen centre are flagged, others 2 % at most",
    by: [test("methods/spade/world_test.ts", "rows go to the expert of their nearest centroid")],
  },
  {
    id: "S11",
    holds: "500,000 x 1,024 rows in blocks within the limits; a part as when whole",
    by: [test("eval/kmeans_test.ts", "blocks of 4,096 rows"), script("spade/large_clustering.ts")],
    needs: "4 GB of memory, minutes",
  },
  {
    id: "S12",
    holds: "her2st, printed as it is",
    by: [script("spade/her2st.ts")],
    needs: "her2st and public weights, as in bench/results/spade.md",
  },
];

const BULK_ROWS: readonly Acceptance[] = [
  {
    id: "K1",
    holds: "before, direct and contrastive with differences and paired intervals by one command",
    by: [PATIENTS, test("cli/evaluate_runs_test.ts", "one command puts the encoder")],
    needs: "half an hour on two cores",
  },
  {
    id: "K2",
    holds: "both arms gain, expression .05, contrastive .03 more than direct whose head starts as torch's",
    by: [PATIENTS, test("methods/bulk/kw1_test.ts")],
    needs: "half an hour on two cores",
  },
  {
    id: "K3",
    holds: "exchanged patients: contrastive .05 at most, direct nothing",
    by: [PATIENTS],
    needs: "half an hour on two cores",
  },
  {
    id: "K4",
    holds: "no patient in two parts, same-patient negatives masked, the same bags for all arms",
    by: [
      test("methods/bulk/model_test.ts", "all arms draw the same tiles"),
      test("methods/bulk/run_test.ts", "patients in no part of the fold"),
    ],
  },
  {
    id: "K5",
    holds: "gradients in parts are those of the whole, 1e-5",
    by: [
      test("methods/bulk/encoder_test.ts", "gradients of the encoder through bags in parts"),
      test("methods/bulk/model_test.ts", "the published gradient of a bag"),
    ],
  },
  {
    id: "K6",
    holds: "attention sums to 1, none where masked, any order of tiles",
    by: [
      test("methods/mil/vectors_test.ts", "a masked row gets no attention"),
      test("methods/mil/vectors_test.ts", "rows behind the last bag change nothing"),
      test("methods/bulk/model_test.ts", "a bag is the same in any order"),
    ],
  },
  {
    id: "K7",
    holds: "equal features, equal probes; probes are scikit-learn's; balanced accuracy on skewed labels",
    by: [
      test("methods/bulk/model_test.ts", "unchanged features have equal probes"),
      test("eval/logistic_test.ts"),
    ],
  },
  {
    id: "K8",
    holds: "collapsed features stop the run, others do not",
    by: [test("methods/bulk/model_test.ts", "features that collapse stop the run"), PATIENTS],
  },
  {
    id: "K9",
    holds: "kept near the start, tiles move 60 % less and the gain about halves",
    by: [PATIENTS],
    needs: "half an hour on two cores",
  },
  {
    id: "K10",
    holds: "constant genes count nothing and are counted",
    by: [test("methods/bulk/model_test.ts", "genes that are constant over the test patients")],
  },
  {
    id: "K11",
    holds: "the encoder's own weights stay; merged updates are those beside it",
    by: [
      test("methods/bulk/encoder_test.ts", "its own weights stay"),
      test("models/adapters_test.ts", "the adapter gives PEFT's embedding, kept apart and merged"),
    ],
  },
  {
    id: "K12",
    holds: "a further vector of patients gains .05 on both signs",
    by: [PATIENTS, test("methods/bulk/encoder_test.ts", "vectors of patients are those of the table")],
    needs: "half an hour on two cores",
  },
  {
    id: "K13",
    holds: "through pixels: contrastive gains on donors, more than on exchanged ones; spots printed",
    by: [PIXELS],
    needs: "hours on two cores",
  },
];

const CROSS_ROWS: readonly Acceptance[] = [
  {
    id: "X1",
    holds: "every op against differences of a reference in f64, forward and backward",
    by: [test("ops/ops_test.ts")],
  },
  {
    id: "X2",
    holds: "the same seed, the same losses over 100 steps, bit for bit",
    by: [
      test("methods/spade/world_test.ts", "stopped in any stage"),
      test("methods/bulk/model_test.ts", "each arm ends in the weights"),
      test("methods/vortex/train_test.ts", "stopped in any stage"),
    ],
  },
  {
    id: "X3",
    holds: "another kind of adapter, the same numbers: both kernel paths here, Dawn's in a process of its own",
    by: [
      test("methods/spade/expert_test.ts", "30 steps of an expert give PyTorch's losses"),
      test("methods/bulk/model_test.ts", "30 steps give PyTorch's losses"),
      { file: "scripts/test_platform.ts", args: [] },
    ],
    needs: "npm's registry, Node",
  },
  {
    id: "X4",
    holds: "no network, no native library of machine learning",
    by: [test("scripts/limits_test.ts"), test("scripts/tasks_test.ts")],
  },
  {
    id: "X5",
    holds: "WebGPU's default limits are enough",
    by: [
      test("methods/spade/world_test.ts"),
      test("methods/bulk/model_test.ts"),
      test("gpu/coverage_test.ts", "no text needs more than every device has"),
    ],
  },
  {
    id: "X6",
    holds: "a quick variant in a minute: `--quick`",
    by: [test("methods/spade/expert_test.ts"), test("eval/kmeans_test.ts"), test("report/poster_test.ts")],
  },
  {
    id: "X7",
    holds: "checkpoints of one runtime in another, pages among them",
    by: [{ file: "scripts/test_packages.ts", args: [] }],
    needs: "npm's registry, Chromium",
  },
  {
    id: "X8",
    holds: "losses that are no number or that of guessing are told; tables have a row of ridge on features",
    by: [
      test("methods/bulk/encoder_test.ts", "contrastive arms whose loss stays at that of guessing"),
      test("train/early_stop_test.ts", "NaN"),
      test("methods/spade/run_test.ts", "killed at random moments"),
    ],
  },
  {
    id: "X9",
    holds: "reports name encoder, genes, split, seed, adapter and limits",
    by: [test("evidence/identity_test.ts")],
  },
];

/** All rows. */
export const ACCEPTANCE: readonly Acceptance[] = [...SPADE_ROWS, ...BULK_ROWS, ...CROSS_ROWS];
