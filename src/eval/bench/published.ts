/**
 * Published results of HEST-Benchmark: data only.
 *
 * Mean Pearson correlation, PCA-256 and ridge; the average is over nine tasks, HCC excluded. Source: README of
 * github.com/mahmoodlab/HEST at 2026-04-03. UNI on IDC (0.5890) was not reproduced by others (0.5735). Values of single folds are a
 * third party's (github.com/NicWYZ/HEST-1k-replication), whose task means differ from the README's by 0.0002 on average.
 *
 * @module
 */

/** One encoder's row. */
export interface PublishedRow {
  /** As the table calls it. */
  readonly name: string;
  /** Name in this program's registry, where it is there. */
  readonly registry: string | undefined;
  readonly average: number;
  /** In the order of {@linkcode PUBLISHED_TASKS}. */
  readonly tasks: readonly number[];
}

/** Where the table was published. */
export const PUBLISHED_SOURCE = "github.com/mahmoodlab/HEST, README of 2026-04-03";

/** Protocol the table was made by. */
export const PUBLISHED_PROTOCOL = "hest-bench/1";

/** Tasks of the table. LUNG is called LUAD in the papers. */
export const PUBLISHED_TASKS: readonly string[] = [
  "IDC",
  "PRAD",
  "PAAD",
  "SKCM",
  "COAD",
  "READ",
  "CCRCC",
  "LUNG",
  "LYMPH_IDC",
];

/** Name, name in the registry, average, tasks; best average first. */
const TABLE = `
H-Optimus-1   | h-optimus-1   | 0.4229 | 0.6024 0.3781 0.4964 0.6589 0.3195 0.2421 0.2533 0.5779 0.2774
GenBio-PathFM | -             | 0.4197 | 0.5872 0.3913 0.4959 0.6715 0.3284 0.1785 0.2615 0.5787 0.2842
H-Optimus-0   | h-optimus-0   | 0.4150 | 0.5976 0.3848 0.4911 0.6454 0.3086 0.2216 0.2676 0.5590 0.2591
UNI2-h        | uni2-h        | 0.4141 | 0.5898 0.3569 0.5001 0.6606 0.3015 0.2223 0.2640 0.5587 0.2727
Virchow       | virchow       | 0.4061 | 0.5846 0.3378 0.5159 0.6243 0.3079 0.1981 0.2586 0.5664 0.2610
Virchow2      | virchow2      | 0.4034 | 0.5971 0.3529 0.4779 0.6402 0.2581 0.2074 0.2719 0.5685 0.2568
H0-mini       | h0-mini       | 0.3958 | 0.5862 0.3687 0.4919 0.6012 0.2494 0.1863 0.2670 0.5482 0.2629
Midnight-12k  | -             | 0.3952 | 0.5823 0.3370 0.4900 0.6360 0.2908 0.1856 0.2132 0.5577 0.2642
OpenMidnight  | -             | 0.3912 | 0.5870 0.3590 0.4731 0.5941 0.2728 0.1762 0.2458 0.5534 0.2598
Hibou-L       | hibou-l       | 0.3881 | 0.5701 0.2945 0.4674 0.5817 0.3040 0.1902 0.2657 0.5762 0.2432
GigaPath      | gigapath      | 0.3875 | 0.5515 0.3699 0.4746 0.5619 0.2992 0.1961 0.2430 0.5412 0.2500
UNI           | uni           | 0.3873 | 0.5890 0.2943 0.4807 0.6346 0.2614 0.1836 0.2400 0.5464 0.2559
GPFM          | gpfm          | 0.3793 | 0.5660 0.3423 0.4601 0.5891 0.2480 0.1646 0.2591 0.5472 0.2371
CONCH v1.5    | conch_v15     | 0.3792 | 0.5440 0.3808 0.4570 0.5517 0.2802 0.1600 0.2176 0.5513 0.2699
Phikon-v2     | phikon-v2     | 0.3747 | 0.5408 0.3545 0.4455 0.5554 0.2500 0.1749 0.2659 0.5419 0.2437
Kaiko B/8     | kaiko-vitb8   | 0.3735 | 0.5599 0.3611 0.4601 0.5725 0.2683 0.1623 0.2313 0.5183 0.2273
CONCH v1      | conch_v1      | 0.3696 | 0.5363 0.3548 0.4468 0.5787 0.2489 0.1602 0.2180 0.5322 0.2507
Lunit S/8     | lunit-vits8   | 0.3678 | 0.5449 0.2829 0.4267 0.5738 0.2826 0.1610 0.2463 0.5415 0.2506
Phikon        | phikon        | 0.3660 | 0.5327 0.3420 0.4425 0.5355 0.2623 0.1532 0.2423 0.5466 0.2373
Kaiko B/16    | kaiko-vitb16  | 0.3645 | 0.5352 0.3275 0.4524 0.5502 0.2812 0.1525 0.2291 0.5156 0.2365
Kaiko L/14    | kaiko-vitl14  | 0.3641 | 0.5535 0.3470 0.4372 0.5533 0.2535 0.1472 0.2194 0.5379 0.2283
Kaiko S/8     | kaiko-vits8   | 0.3512 | 0.5304 0.3340 0.4181 0.5174 0.2281 0.1469 0.2346 0.5053 0.2463
Kaiko S/16    | kaiko-vits16  | 0.3493 | 0.5333 0.3483 0.4409 0.5449 0.2057 0.1328 0.2099 0.5030 0.2249
CTransPath    | -             | 0.3468 | 0.4993 0.3551 0.4314 0.5097 0.2382 0.0968 0.2362 0.5137 0.2409
MUSK          | -             | 0.3467 | 0.5248 0.3430 0.4277 0.5233 0.2365 0.1110 0.1825 0.5171 0.2545
ResNet50      | -             | 0.3252 | 0.4739 0.3044 0.3880 0.4821 0.2500 0.0783 0.2252 0.4949 0.2305`;

/** Task, then the folds of ResNet50, CONCH v1 and UNI2-h. */
const FOLDS = `
CCRCC     | 0.1408 0.2426 0.1567 0.2630 0.2539 0.2943 | 0.1733 0.2737 0.1966 0.1958 0.2132 0.2551 | 0.2205 0.2597 0.2279 0.3513 0.2287 0.2958
COAD      | 0.2125 0.2875 | 0.2367 0.2609 | 0.2976 0.3055
HCC       | 0.0239 0.0971 | 0.0314 0.0715 | 0.0699 0.0796
IDC       | 0.4081 0.5138 0.4555 0.5180 | 0.4106 0.5994 0.5101 0.6252 | 0.4737 0.6369 0.5598 0.6887
LUNG      | 0.4853 0.5044 | 0.5202 0.5440 | 0.5456 0.5719
LYMPH_IDC | 0.2948 0.1968 0.2524 0.1779 | 0.3093 0.1937 0.2631 0.2366 | 0.3234 0.2191 0.2957 0.2529
PAAD      | 0.3299 0.4957 0.3383 | 0.3861 0.5479 0.4062 | 0.4654 0.5556 0.4793
PRAD      | 0.3358 0.2729 | 0.3647 0.3449 | 0.4062 0.3073
READ      | 0.1342 0.0224 | 0.2127 0.1077 | 0.2603 0.1851
SKCM      | 0.5967 0.3676 | 0.6317 0.5261 | 0.6763 0.6462`;

/** Cells of a table's lines. */
const cells = (text: string): string[][] =>
  text.trim().split("\n").map((line) => line.split("|").map((cell) => cell.trim()));
const numbers = (text: string): number[] => text.split(" ").map(Number);

/** The table, best average first. */
export const PUBLISHED: readonly PublishedRow[] = cells(TABLE).map(([name, registry, average, tasks]) => ({
  name: name!,
  registry: registry === "-" ? undefined : registry,
  average: Number(average),
  tasks: numbers(tasks!),
}));

/** Values of each fold, by task and name in the table. */
export const PUBLISHED_FOLDS: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>> = Object
  .fromEntries(
    cells(FOLDS).map(([task, resnet, conch, uni2]) => [
      task!,
      { "ResNet50": numbers(resnet!), "CONCH v1": numbers(conch!), "UNI2-h": numbers(uni2!) },
    ]),
  );
