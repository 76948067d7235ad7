/**
 * From the names and shapes of a weights file to the parameters of `vit.ts`: which family it is, the sizes, and from which
 * elements of which tensors each parameter is made, so that a loader can stream. No element is read here.
 *
 * @module
 */

import { WeightsError } from "../../core/errors.ts";
import { formatShape, sameShape, type Shape, sizeOf } from "../../core/shape.ts";
import type { EncoderSpec, FamilyName } from "../encoder_spec.ts";
import { type ArchHints, expectedTensors, type FoundArch, inferArch, type Renamed } from "./arch.ts";
import { FAMILIES, type Family, renameTensor, UNSUPPORTED } from "./names.ts";
import { type AdapterTensor, unwrapNames, type Unwrapped } from "./unwrap.ts";

/** Elements `from` up to `to` of a tensor of the file, in row-major order. */
export interface KeymapPart {
  /** Name in the file. */
  readonly source: string;
  readonly from: number;
  readonly to: number;
}

/** How one parameter is made: its parts one after another are its elements in row-major order. */
export interface KeymapEntry {
  /** Name in `vit.ts`, with the prefix `trunk.` for CONCH. */
  readonly target: string;
  readonly shape: Shape;
  /** `copy`: one tensor of the same shape; `reshape`: of another shape; `concat`: rows of several; `slice`: some rows. */
  readonly op: "copy" | "reshape" | "concat" | "slice";
  readonly parts: readonly KeymapPart[];
}

/** What a weights file holds. */
export interface Keymap {
  readonly family: FamilyName;
  /** Sizes, from the tensors; `heads` and `eps` from the hints, the spec, or rules. */
  readonly arch: FoundArch;
  /** One entry a parameter, in the order of the network. */
  readonly entries: readonly KeymapEntry[];
  /** Names in the file that are known to be no part of the encoder. */
  readonly ignored: readonly string[];
  /** LoRA matrices, if PEFT wrote the file. */
  readonly adapters: readonly AdapterTensor[];
  /** Wrappers and prefixes taken off, in order. */
  readonly steps: readonly string[];
}

/** Options of {@linkcode mapStateDict}. */
export interface KeymapOptions extends ArchHints {
  /** Name for error messages. */
  readonly file?: string;
  /** Encoder the file should hold: gives what tensors do not say, and is checked against what they do. */
  readonly spec?: EncoderSpec;
}

interface Hit {
  readonly family: Family;
  readonly prefix: string;
}

/** Names as the error classes list them: the first ten and how many. */
function list(names: readonly string[]): string {
  return `${names.slice(0, 10).join(", ")}${names.length > 10 ? ", …" : ""}`;
}

function hits(names: ReadonlySet<string>): Hit[] {
  return Object.values(FAMILIES).flatMap((family) =>
    family.prefixes.filter((prefix) => {
      const has = (pattern: RegExp) => {
        for (const name of names) if (name.startsWith(prefix) && pattern.test(name.slice(prefix.length))) return true;
        return false;
      };
      return family.anchors.every(has) && (family.when?.(has) ?? true);
    }).map((prefix) => ({ family, prefix }))
  );
}

function choose(unwrapped: Unwrapped, file: string): Hit {
  const names = [...unwrapped.names.keys()];
  const found = hits(new Set(names));
  const [hit] = found;
  if (hit !== undefined && found.length === 1) return hit;
  if (found.length > 1) {
    const text = found.map(({ family, prefix }) => `${family.name} at "${prefix}"`).join(", ");
    throw new WeightsError(`Cannot tell which encoder of ${file} is meant: it holds ${text}`, {
      code: "weights-ambiguous",
      hint: "Save the state dict of one encoder only",
      context: { file, found: found.map(({ family, prefix }) => [family.name, prefix]) },
    });
  }
  const other = UNSUPPORTED.find(([pattern]) => names.some((name) => pattern.test(name)));
  const adapterOnly = names.length === 0 && unwrapped.adapters.length > 0;
  const held = adapterOnly
    ? `${unwrapped.adapters.length} LoRA matrices and no encoder`
    : other?.[1] ?? `${names.length} tensors of no known encoder (${list(names)})`;
  throw new WeightsError(`Cannot load ${file}: it holds ${held}, wanted a vision transformer`, {
    code: adapterOnly ? "weights-adapter-only" : other ? "weights-unsupported" : "weights-unknown",
    ...(adapterOnly &&
      {
        hint:
          "Give the encoder it was made for as --encoder; it goes beside it as --adapter of embed, evaluate and train",
      }),
    context: { file, keys: names.slice(0, 10), total: names.length },
  });
}

/** timm's encoders that pool by the mean keep their last normalisation behind it, as `fc_norm`. */
function normsAfterPool({ family, prefix }: Hit, names: ReadonlyMap<string, string>): boolean {
  return family.name === "timm" && names.has(`${prefix}fc_norm.weight`) && !names.has(`${prefix}norm.weight`);
}

/** Tensors by timm's names; names known to belong elsewhere go to `ignored`, others to `unexpected`. */
function rename(
  hit: Hit,
  names: ReadonlyMap<string, string>,
  shapes: ReadonlyMap<string, Shape>,
  file: string,
): { tensors: Map<string, Renamed>; ignored: string[]; unexpected: string[] } {
  const { family, prefix } = hit;
  const afterPool = normsAfterPool(hit, names);
  const tensors = new Map<string, Renamed>();
  const ignored: string[] = [];
  const unexpected: string[] = [];
  for (const [bare, source] of names) {
    const own = bare.startsWith(prefix) ? bare.slice(prefix.length) : bare;
    const name = afterPool ? own.replace(/^fc_norm\./, "norm.") : own;
    if (family.ignore.some((pattern) => pattern.test(name))) ignored.push(source);
    else if (!bare.startsWith(prefix)) unexpected.push(source);
    else {
      const target = renameTensor(family, name);
      const other = tensors.get(target);
      if (other) {
        throw new WeightsError(`Cannot load ${file}: ${other.source} and ${source} both are ${target}, wanted one`, {
          code: "weights-ambiguous",
          context: { file, keys: [other.source, source] },
        });
      }
      tensors.set(target, { source, shape: shapes.get(source)! });
    }
  }
  return { tensors, ignored, unexpected };
}

/** Ways to make a parameter of tensors that are kept apart: what is joined, in order. */
const JOINED: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^(.*\.attn)\.qkv\.(weight|bias)$/, ["$1.q.$2", "$1.k.$2", "$1.v.$2"]],
  [/^(.*\.mlp)\.fc1\.(weight|bias)$/, ["$1.gate.$2", "$1.up.$2"]],
  [/^(.*)\.to_kv\.(weight|bias)$/, ["$1.to_k.$2", "$1.to_v.$2"]],
];

/** One parameter, or undefined where the file has nothing for it. Marks what it uses. */
function assemble(
  target: string,
  shape: Shape,
  tensors: ReadonlyMap<string, Renamed>,
  used: Set<string>,
): KeymapEntry | { given: string } | undefined {
  const direct = tensors.get(target);
  if (direct) {
    used.add(target);
    if (sizeOf(direct.shape) !== sizeOf(shape) || direct.shape.at(-1) !== shape.at(-1)) {
      return { given: formatShape(direct.shape) };
    }
    const op = sameShape(direct.shape, shape) ? "copy" : "reshape";
    return { target, shape, op, parts: [{ source: direct.source, from: 0, to: sizeOf(shape) }] };
  }
  for (const [pattern, names] of JOINED) {
    if (!pattern.test(target)) continue;
    const parts = names.map((name) => target.replace(pattern, name));
    const found = parts.map((name) => tensors.get(name));
    if (!found.every((tensor) => tensor !== undefined)) continue;
    for (const name of parts) used.add(name);
    const wanted = [shape[0]! / parts.length, ...shape.slice(1)];
    const wrong = found.find((tensor) => !sameShape(tensor.shape, wanted));
    if (wrong) return { given: formatShape(wrong.shape) };
    return { target, shape, op: "concat", parts: found.map(({ source }) => ({ source, from: 0, to: sizeOf(wanted) })) };
  }
  // PyTorch's MultiheadAttention keeps the biases of q, k and v in one tensor even where their weights are apart.
  const bias = /^(.*)\.to_(q|kv)\.bias$/.exec(target);
  const packed = bias && tensors.get(`${bias[1]}.in_proj_bias`);
  if (!packed) return undefined;
  used.add(`${bias[1]}.in_proj_bias`);
  const width = sizeOf(packed.shape) / 3;
  const [from, to] = bias[2] === "q" ? [0, width] : [width, 3 * width];
  if (packed.shape.length !== 1 || to - from !== shape[0]) return { given: formatShape(packed.shape) };
  return { target, shape, op: "slice", parts: [{ source: packed.source, from, to }] };
}

function refuse(file: string, missing: string[], unexpected: string[], misshaped: string[]): never {
  const parts = [
    missing.length ? `${missing.length} missing (${list(missing)})` : "",
    unexpected.length ? `${unexpected.length} unexpected (${list(unexpected)})` : "",
    misshaped.length ? `${misshaped.length} of another shape (${list(misshaped)})` : "",
  ];
  throw new WeightsError(`Cannot load ${file}: ${parts.filter(Boolean).join(", ")}`, {
    code: "weights-names",
    hint: "The file is of another model, incomplete, or damaged",
    context: {
      file,
      missing: missing.slice(0, 10),
      unexpected: unexpected.slice(0, 10),
      misshaped: misshaped.slice(0, 10),
      totals: { missing: missing.length, unexpected: unexpected.length, misshaped: misshaped.length },
    },
  });
}

/** Sizes that a file and the encoder it should hold must share; positions may differ. */
const SHARED = ["width", "depth", "hidden", "mlp", "patch", "registers", "layerScale", "qkvBias"] as const;

function checkSpec(spec: EncoderSpec, arch: FoundArch, file: string): void {
  const wrong = SHARED.find((key) => spec.arch[key] !== arch[key]);
  if (wrong === undefined) return;
  throw new WeightsError(
    `Cannot load ${file} as ${spec.name}: ${wrong} is ${arch[wrong]}, wanted ${spec.arch[wrong]}`,
    {
      code: "weights-other-encoder",
      hint: `Fetch the file from ${spec.source.repo}, or name another encoder`,
      context: { file, spec: spec.name, key: wrong, given: arch[wrong], wanted: spec.arch[wrong] },
    },
  );
}

/** What the caller says, else what the spec says. */
function hintsOf({ spec, heads = spec?.arch.heads, eps = spec?.arch.eps, ...rest }: KeymapOptions): ArchHints {
  const { prefixPositions, imageSize = spec?.arch.imageSize } = rest;
  // What a known encoder's gate is, its spec says.
  const activation = spec ? undefined : rest.activation;
  const { usualHeads } = rest;
  const hints = Object.entries({ heads, usualHeads, eps, prefixPositions, imageSize, activation }).filter(([, value]) =>
    value !== undefined
  );
  return Object.fromEntries(hints);
}

/**
 * The family of a weights file and the sizes of the encoder in it, and how each parameter is made.
 *
 * @param shapes Shapes by name, as the file lists them.
 * @throws {WeightsError} If the file holds no encoder, several, one that is not supported or not the one asked for; if sizes
 * remain unclear (code `weights-ambiguous`); or listing the first ten missing, unexpected and mis-shaped tensors.
 */
export function mapStateDict(shapes: ReadonlyMap<string, Shape>, options: KeymapOptions = {}): Keymap {
  const { file = "the weights", spec } = options;
  const unwrapped = unwrapNames(shapes.keys(), (names) => hits(names).length > 0, file);
  const hit = choose(unwrapped, file);
  const { family, prefix } = hit;
  if (family.name === "beit3") {
    throw new WeightsError(
      `Cannot load ${file}: it holds MUSK, a BEiT3 with normalisations inside attention and MLP, wanted a plain vision transformer`,
      {
        code: "weights-unsupported",
        context: { file },
      },
    );
  }
  const { tensors, ignored, unexpected } = rename(hit, unwrapped.names, shapes, file);
  const found = inferArch(tensors, family, hintsOf(options), file);
  const arch = normsAfterPool(hit, unwrapped.names) ? { ...found, normAfterPool: true } : found;
  if (spec) checkSpec(spec, arch, file);
  const used = new Set<string>();
  const missing: string[] = [];
  const misshaped: string[] = [];
  const entries: KeymapEntry[] = [];
  for (const [target, shape] of expectedTensors(arch, family.trunk)) {
    const entry = assemble(target, shape, tensors, used);
    if (entry === undefined) missing.push(target);
    else if ("given" in entry) misshaped.push(`${target} ${entry.given} for ${formatShape(shape)}`);
    else entries.push(entry);
  }
  unexpected.push(...[...tensors].filter(([name]) => !used.has(name)).map(([, { source }]) => source));
  if (missing.length || unexpected.length || misshaped.length) refuse(file, missing, unexpected, misshaped);
  return {
    family: family.name,
    arch,
    entries,
    ignored: [...ignored, ...unwrapped.dropped],
    adapters: unwrapped.adapters,
    steps: prefix ? [...unwrapped.steps, prefix] : unwrapped.steps,
  };
}
