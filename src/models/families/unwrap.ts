/**
 * From what training code saved to the names of one model: containers such as `teacher`, wrappers such as `module.` and
 * `_orig_mod.`, and PEFT's renaming of adapted layers are taken off. Nothing is guessed by position: only these are known.
 *
 * @module
 */

import { WeightsError } from "../../core/errors.ts";

/** Keys of training checkpoints that hold a state dict, in order of preference; `io/pth.ts` takes them off pickles. */
const CONTAINERS = ["state_dict", "model", "teacher", "model_state_dict", "module", "student"] as const;
/** A low-rank matrix in a state dict that PEFT wrote. */
export interface AdapterTensor {
  /** Adapted module as the file names it, without PEFT's own prefix. */
  readonly module: string;
  /** A `[R, in]` or B `[out, R]`. */
  readonly part: "A" | "B";
  /** Name of the adapter; empty in adapter files, which drop it. */
  readonly adapter: string;
  /** Name in the file. */
  readonly source: string;
}

/** Names of a file without their wrappers. */
export interface Unwrapped {
  /** Name in the file by bare name, in the order of the file. */
  readonly names: ReadonlyMap<string, string>;
  /** Adapters, which are no part of the encoder itself. */
  readonly adapters: readonly AdapterTensor[];
  /** Names in the file that belong to something else: heads beside `backbone.`, another network beside `teacher.`. */
  readonly dropped: readonly string[];
  /** What was taken off, in order, for a report. */
  readonly steps: readonly string[];
}

/** State of the unwrapping: bare name and name in the file. */
interface Work {
  names: [string, string][];
  readonly adapters: AdapterTensor[];
  readonly dropped: string[];
  readonly steps: string[];
}

/** Takes `prefix` off the names that have it and drops the others; false where none has it. */
function keepPrefix(work: Work, prefix: string): boolean {
  if (!work.names.some(([name]) => name.startsWith(prefix))) return false;
  work.dropped.push(...work.names.filter(([name]) => !name.startsWith(prefix)).map(([, source]) => source));
  work.names = work.names.filter(([name]) => name.startsWith(prefix)).map(([n, s]) => [n.slice(prefix.length), s]);
  work.steps.push(prefix);
  return true;
}

const PEFT = /^(?:.*?\.)?base_model\.model\./;
const LORA = /^(.*)\.lora_(A|B)(?:\.([^.]+))?\.weight$/;
/** What PEFT writes for variants whose arithmetic differs from LoRA's. */
const VARIANT = /\.(lora_embedding_[AB]|lora_magnitude_vector|lora_(?:A|B)\..*\.bias)/;

/** Takes PEFT's names off: `base_layer` is the layer itself, `lora_A` and `lora_B` are kept aside. */
function stripPeft(work: Work, file: string): boolean {
  if (!work.names.some(([name]) => PEFT.test(name))) return false;
  const kept: [string, string][] = [];
  for (const [name, source] of work.names) {
    if (!PEFT.test(name)) {
      work.dropped.push(source);
      continue;
    }
    const bare = name.replace(PEFT, "");
    if (VARIANT.test(bare)) {
      throw new WeightsError(
        `Cannot read the adapter in ${file}: ${source} is of a variant of LoRA, wanted plain LoRA`,
        {
          code: "weights-adapter",
          context: { file, keys: [source] },
        },
      );
    }
    const lora = LORA.exec(bare);
    if (lora) work.adapters.push({ module: lora[1]!, part: lora[2] as "A" | "B", adapter: lora[3] ?? "", source });
    else kept.push([bare.replace(/\.base_layer\.(weight|bias)$/, ".$1"), source]);
  }
  work.names = kept;
  work.steps.push("base_model.model.");
  return true;
}

function stripOnce(work: Work, file: string): boolean {
  if (work.names.some(([name]) => /(^|\.)_orig_mod\./.test(name))) {
    work.names = work.names.map(([name, source]) => [name.replaceAll(/(^|\.)_orig_mod\./g, "$1"), source]);
    work.steps.push("_orig_mod.");
    return true;
  }
  if (work.names.some(([name]) => name.startsWith("module."))) {
    work.names = work.names.map(([name, source]) => [name.replace(/^module\./, ""), source]);
    work.steps.push("module.");
    return true;
  }
  return keepPrefix(work, "backbone.") || stripPeft(work, file);
}

/**
 * Takes wrappers off the names of a state dict.
 *
 * @param names Names in the file.
 * @param known Says whether bare names are those of a model already; containers are only taken off names that are not.
 * @param file Name for error messages.
 * @throws {WeightsError} If two names become one, or an adapter is no plain LoRA.
 */
export function unwrapNames(
  names: Iterable<string>,
  known: (names: ReadonlySet<string>) => boolean,
  file: string,
): Unwrapped {
  const work: Work = { names: [...names].map((name) => [name, name]), adapters: [], dropped: [], steps: [] };
  for (let round = 0; round < 16 && work.names.length > 0; round++) {
    if (stripOnce(work, file)) continue;
    if (known(new Set(work.names.map(([name]) => name)))) break;
    // A pickle that was flattened when it was saved again.
    if (!CONTAINERS.some((key) => keepPrefix(work, `${key}.`))) break;
  }
  const bare = new Map<string, string>();
  for (const [name, source] of work.names) {
    const other = bare.get(name);
    if (other !== undefined) {
      throw new WeightsError(
        `Cannot read the names in ${file}: ${other} and ${source} both are ${name}, wanted one model`,
        {
          code: "weights-ambiguous",
          hint: "Save the state dict of one network only",
          context: { file, keys: [other, source] },
        },
      );
    }
    bare.set(name, source);
  }
  return { names: bare, adapters: work.adapters, dropped: work.dropped, steps: work.steps };
}
