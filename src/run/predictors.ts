/**
 * The probe of a run and what is known of its sources, as files of its folder.
 *
 * @module
 */

import { ConfigError, DataError, FormatError } from "../core/errors.ts";
import { fixed } from "../core/fixed.ts";
import { readBytes } from "../io/disk.ts";
import {
  type LinearPredictor,
  NO_DECODER,
  type PredictionSource,
  type Predictors,
  readPredictor,
  SOURCE_NAMES,
} from "../eval/predictor.ts";
import { disk } from "../io/fs.ts";
import { parseJson } from "../io/json.ts";
import { checkBytes, readManifest } from "../io/manifest.ts";
import { type Check, count, exactly, nullable, object, oneOf, optional, real, text } from "../report/schema.ts";
import { PREDICTOR_FILES } from "../evidence/predictor.ts";

const score = { held_back: nullable(real), fitted: nullable(real), note: text };

const predictors: Check<Predictors> = object<Predictors>({
  schema: exactly(1),
  step: count,
  chosen: oneOf("decoder", "probe", "head"),
  why: text,
  judged_on: count,
  probe: object<Predictors["probe"]>({ ...score, protocol: text, alpha: real, penalty: text }),
  decoder: optional(object<NonNullable<Predictors["decoder"]>>(score)),
  head: optional(object<NonNullable<Predictors["head"]>>(score)),
});

/**
 * What a run knows of its sources; undefined of one that was made without.
 *
 * @throws {FormatError} If the file is damaged.
 */
export function readPredictors(run: string): Predictors | undefined {
  const path = `${run}/${PREDICTOR_FILES.facts}`;
  if (disk.look(path)?.kind !== "file") return undefined;
  const fail = (at: string, found: string, expected: string): never => {
    throw new FormatError(`Cannot read ${path}: ${at || "it"} is ${found}, expected ${expected}`, {
      context: { file: path, path: at, found, expected },
    });
  };
  const tree = parseJson(
    readRunFile(run, PREDICTOR_FILES.facts),
    (offset, found, expected) =>
      new FormatError(`Cannot read ${path}: at ${offset} is what ${found}, expected ${expected}`, {
        context: { file: path, offset },
      }),
  );
  return predictors(tree, { path: "", fail });
}

/** Bytes of a file of the run. @throws {DataError} If they are not what training wrote. */
export function readRunFile(run: string, path: string): Uint8Array {
  const bytes = readBytes(disk, `${run}/${path}`);
  checkBytes(readManifest(disk, run), run, path, bytes);
  return bytes;
}

/** The source that predicts, and what is said of it. */
export interface Source {
  readonly source: PredictionSource;
  /** Lines for people, then facts for `uns/seal`. */
  readonly lines: readonly string[];
  readonly facts: Readonly<Record<string, string | number>>;
}

/**
 * Chooses what predicts.
 *
 * @param asked `--with`.
 * @param step Of the checkpoint that is used.
 * @throws {ConfigError} If a source is forced that the run has not.
 */
export function chooseRunSource(run: string, asked: "auto" | PredictionSource, step: number): Source {
  const known = readPredictors(run);
  const fits = known !== undefined && known.step === step &&
    disk.look(`${run}/${PREDICTOR_FILES.probe}`)?.kind === "file";
  const none = known === undefined
    ? `${run} was trained before runs kept a probe`
    : known.step !== step
    ? `the probe of ${run} is of step ${known.step}, the checkpoint of step ${step}`
    : `${run}/${PREDICTOR_FILES.probe} is missing`;
  if (asked === "probe" && !fits) {
    throw new ConfigError(`Cannot predict with the probe: ${none}`, {
      hint: known === undefined ? "Train again, or use --with decoder" : "Use --checkpoint best, or --with decoder",
      context: { run },
    });
  }
  if (asked === "head" && (!fits || known.head === undefined)) throw noHead(run, fits ? undefined : none);
  // Of a run whose loss fixes no levels the decoder is no source; one without a decoder is refused where it is opened.
  const without = known !== undefined && known.decoder === undefined && known.why !== NO_DECODER
    ? known.why
    : undefined;
  if (without !== undefined && (asked === "decoder" || !fits)) {
    throw new ConfigError(`Cannot predict with the image decoder: ${without}${fits ? "" : `; ${none}`}`, {
      hint: fits ? "Use --with probe" : "Use --checkpoint best, or train again",
      context: { run },
    });
  }
  if (!fits) {
    return {
      source: "decoder",
      lines: [`Predicting with the image decoder: ${none}; how well it does on donors held back is not known`],
      facts: { predicted_by: SOURCE_NAMES.decoder, predicted_why: none },
    };
  }
  const source = asked === "auto" ? known.chosen : asked;
  return {
    source,
    lines: [
      `Predicting with the ${SOURCE_NAMES[source]}: ${asked === "auto" ? known.why : "asked for by --with"}`,
      ...scoreLines(known),
    ],
    facts: sourceFacts(known, source, asked === "auto" ? known.why : "asked for"),
  };
}

/** The error for a run without a head that could predict. */
function noHead(run: string, why: string | undefined): ConfigError {
  return new ConfigError(
    `Cannot predict with the head on the frozen encoder: ${why ?? `${run} has none that fixes levels of expression`}`,
    {
      hint: "Train with control_head=true and a gene_loss that fixes levels, or use --with probe",
      context: { run },
    },
  );
}

const value = (r: number | null): string => r === null ? "not defined" : fixed(r, 3);

function scoreLines({ probe, decoder, head, judged_on }: Predictors): string[] {
  return [
    `  r within sections of ${judged_on} genes, training sections:`,
    `  probe: held back ${value(probe.held_back)}, fitted ${value(probe.fitted)} (${probe.note})`,
    decoder === undefined
      ? "  decoder: the model has none"
      : `  decoder: held back ${value(decoder.held_back)}, fitted ${value(decoder.fitted)} (${decoder.note})`,
    ...(head === undefined
      ? []
      : [`  head: held back ${value(head.held_back)}, fitted ${value(head.fitted)} (${head.note})`]),
  ];
}

function sourceFacts(
  { probe, decoder, head, judged_on }: Predictors,
  source: PredictionSource,
  why: string,
): Record<string, string | number> {
  const own = (name: string, score: Predictors["decoder"]): Record<string, string | number> =>
    score === undefined ? {} : {
      ...(score.held_back === null ? {} : { [`${name}_r_held_back`]: score.held_back }),
      ...(score.fitted === null ? {} : { [`${name}_r_fitted`]: score.fitted }),
      [`${name}_r_is`]: score.note,
    };
  return {
    predicted_by: SOURCE_NAMES[source],
    predicted_why: why,
    r_judged_on_genes: judged_on,
    ...own("probe", probe),
    ...own("decoder", decoder),
    ...own("head", head),
    ...(source === "probe" ? { probe_alpha: probe.alpha, probe_penalty: probe.penalty } : {}),
  };
}

/**
 * The probe of a run.
 *
 * @throws {DataError | FormatError} If it is missing or damaged.
 */
export function readRunProbe(run: string, genes: number): LinearPredictor {
  const path = `${run}/${PREDICTOR_FILES.probe}`;
  if (disk.look(path)?.kind !== "file") throw new DataError(`Cannot predict: ${path} is missing`);
  return readPredictor(readRunFile(run, PREDICTOR_FILES.probe), path, genes);
}

/**
 * Weights of the head on the frozen encoder.
 *
 * @throws {DataError} If they are missing or damaged.
 */
export function readRunHead(run: string): Uint8Array {
  const path = `${run}/${PREDICTOR_FILES.head}`;
  if (disk.look(path)?.kind !== "file") throw new DataError(`Cannot predict: ${path} is missing`);
  return readRunFile(run, PREDICTOR_FILES.head);
}
