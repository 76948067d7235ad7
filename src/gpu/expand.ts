/**
 * From a kernel file to WGSL: emits what the card declares (aliases, constants, `Params`, bindings, loaders) and applies
 * two text rules to the body, `//!for i in 0..4` (repeat with `$i`) and `//!if name[=value]` / `//!else` (choose).
 *
 * @module
 */

import { assert } from "../core/errors.ts";
import type { Dtype } from "../core/dtype.ts";
import type { Kernel, TensorSlot } from "./kernel.ts";

/** One variant of a kernel: everything its WGSL text depends on. */
export interface Variant {
  /** Activation type. */
  readonly T: "f32" | "f16";
  /** Storage type of each present `W` tensor, by name. */
  readonly weights: Readonly<Record<string, Dtype>>;
  /** Names of the tensors bound, in card order. */
  readonly present: readonly string[];
  /** Chosen value of each option. */
  readonly options: Readonly<Record<string, string>>;
  /** Value of each tune constant. */
  readonly tune: Readonly<Record<string, number>>;
  /** 4 when every `/4` tensor has a last extent divisible by four. */
  readonly vec: 1 | 4;
}

/** Workgroup number of a grid that was folded into two dimensions. */
const FOLD = "fn folded(wg: vec3u, nwg: vec3u) -> u32 { return wg.x + wg.y * nwg.x; }";

/**
 * Two f16 of a word. An implementation may take subnormal halves for 0, and LayerScale has such: they are the bits of their
 * size times 2^-24, here of the half in the upper half of a word, so that no number on the way is subnormal.
 */
const WIDE_HALF = `fn wideHalf(w: u32) -> vec2f {
  let h = bitcast<vec2i>(vec2u(w << 16u, w & 0xffff0000u));
  let small = vec2f(h & vec2i(0x7fffffff)) * select(vec2f(0x1p-40f), vec2f(-0x1p-40f), h < vec2i());
  return select(unpack2x16float(w), small, (h & vec2i(0x7c000000)) == vec2i());
}`;

/**
 * The one rule of what is stored as T: f16 rounds, and what is finite but beyond its range becomes an infinity by bits, so
 * that the loss scale sees it. WGSL leaves such conversions open, and some devices give 65504.
 *
 * Activations below 2^-14 may become 0 when they are stored or read, as WGSL lets a device flush subnormals: 6.1e-5 at most,
 * a fifteenth of what f16 rounds off a value of 2 (the tests of weak devices flush them and hold the tolerances). What is
 * smaller as a rule is not stored so: frozen weights go by `wideHalf`, gradients are raised by the loss scale.
 */
const NARROW = {
  f32: "fn narrow(v: f32) -> f32 { return v; }\nfn narrow4(v: vec4f) -> vec4f { return v; }",
  f16: `fn narrow4(v: vec4f) -> vec4<f16> {
  let bits = bitcast<vec4u>(v);
  let size = bits & vec4u(0x7fffffffu);
  // 65520 and more round up to what f16 does not have.
  let far = (size >= vec4u(0x477ff000u)) & (size < vec4u(0x7f800000u));
  return vec4<f16>(bitcast<vec4f>(select(bits, (bits & vec4u(0x80000000u)) | vec4u(0x7f800000u), far)));
}
fn narrow(v: f32) -> f16 { return narrow4(vec4f(v)).x; }`,
};

function elementType(slot: TensorSlot, variant: Variant): string {
  const wide = slot.pack === 4 && variant.vec === 4;
  const elem = slot.elem === "W" && variant.weights[slot.name] === "f32" ? "f32" : slot.elem;
  switch (elem) {
    case "u8":
      return "u32";
    case "W":
      return wide ? "vec2u" : "u32";
    default:
      return wide ? `vec4<${elem}>` : elem;
  }
}

/** Loaders and storers, so that a body never depends on the storage type. */
function accessors(slot: TensorSlot, variant: Variant): string[] {
  const { name, elem } = slot;
  const wide = slot.pack === 4 && variant.vec === 4;
  const packed = elem === "W" && variant.weights[name] !== "f32";
  const lines: string[] = [];
  if (elem === "u8") return [`fn ${name}_load(i: u32) -> u32 { return (${name}[i >> 2u] >> ((i & 3u) * 8u)) & 255u; }`];
  if (elem !== "W" && slot.pack === 1) return lines;
  const four = `vec4f(${[0, 1, 2, 3].map((j) => `${name}_load(i + ${j}u)`).join(", ")})`;
  if (packed) {
    const half = variant.weights[name] === "f16";
    const pair = half ? "wideHalf(w)" : "vec2f(bitcast<f32>(w << 16u), bitcast<f32>(w & 0xffff0000u))";
    lines.push(`fn ${name}_pair(w: u32) -> vec2f { return ${pair}; }`);
    const word = wide ? `select(${name}[i >> 2u].x, ${name}[i >> 2u].y, (i & 2u) != 0u)` : `${name}[i >> 1u]`;
    lines.push(
      `fn ${name}_load(i: u32) -> f32 { let v = ${name}_pair(${word}); return select(v.x, v.y, (i & 1u) != 0u); }`,
    );
    if (slot.pack === 4) {
      const body = wide
        ? `let v = ${name}[i >> 2u]; return vec4f(${name}_pair(v.x), ${name}_pair(v.y));`
        : `return ${four};`;
      lines.push(`fn ${name}_load4(i: u32) -> vec4f { ${body} }`);
    }
    return lines;
  }
  lines.push(`fn ${name}_load(i: u32) -> f32 { return f32(${wide ? `${name}[i >> 2u][i & 3u]` : `${name}[i]`}); }`);
  if (slot.pack === 4) {
    lines.push(`fn ${name}_load4(i: u32) -> vec4f { return ${wide ? `vec4f(${name}[i >> 2u])` : four}; }`);
  }
  if (slot.pack === 4 && slot.access !== "in") {
    const type = elem === "W" ? "f32" : elem;
    const value = elem === "T" ? "narrow4(v)" : `vec4<${type}>(v)`;
    const body = wide
      ? `${name}[i >> 2u] = ${value};`
      : `let w = ${value}; ${[0, 1, 2, 3].map((j) => `${name}[i + ${j}u] = w[${j}];`).join(" ")}`;
    lines.push(`fn ${name}_store4(i: u32, v: vec4f) { ${body} }`);
  }
  return lines;
}

/** Everything the card declares, as WGSL. */
function declarations(kernel: Kernel, variant: Variant): string[] {
  const lines = variant.T === "f16" ? ["enable f16;"] : [];
  lines.push(`alias T = ${variant.T};`, NARROW[variant.T]);
  if (Object.values(variant.weights).includes("f16")) lines.push(WIDE_HALF);
  for (const [name, value] of Object.entries(variant.tune)) lines.push(`const ${name}: u32 = ${value}u;`);
  const members = [...kernel.dims.map((dim) => `${dim}: u32`), ...kernel.params.map((p) => `${p.name}: ${p.type}`)];
  lines.push(`struct Params { ${members.join(", ")} }`, "@group(0) @binding(0) var<uniform> p: Params;");
  let binding = 1;
  for (const slot of kernel.tensors) {
    if (!variant.present.includes(slot.name)) continue;
    const access = slot.access === "in" ? "read" : "read_write";
    const type = `array<${elementType(slot, variant)}>`;
    lines.push(`@group(0) @binding(${binding++}) var<storage, ${access}> ${slot.name}: ${type};`);
    lines.push(...accessors(slot, variant));
  }
  lines.push(FOLD);
  return lines;
}

interface Block {
  end: number;
  otherwise: number;
}

/** Line of the `//!end` (and `//!else`) that closes the block opened at `start`. */
function closing(lines: readonly string[], start: number, name: string): Block {
  let depth = 0;
  let otherwise = -1;
  for (let i = start + 1; i < lines.length; i++) {
    const line = (lines[i] as string).trim();
    if (line.startsWith("//!for ") || line.startsWith("//!if ")) depth++;
    else if (line === "//!else" && depth === 0) otherwise = i;
    else if (line === "//!end" && depth-- === 0) return { end: i, otherwise };
  }
  throw new SyntaxError(`Kernel ${name}: line ${start + 1} opens a block that nothing closes`);
}

/** Applies the two text rules to `lines`. */
function rewrite(lines: readonly string[], env: ReadonlyMap<string, string>, name: string): string[] {
  const out: string[] = [];
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] as string;
    const directive = line.trim();
    if (directive.startsWith("//!for ")) {
      const match = /^\/\/!for (\w+) in (\w+)\.\.(\w+)$/.exec(directive);
      assert(match, `kernel ${name}: "${directive}" is not "//!for i in 0..4"`);
      const [, variable, from, to] = match as unknown as [string, string, string, string];
      const { end } = closing(lines, i, name);
      const body = lines.slice(i + 1, end);
      const use = new RegExp(`\\$${variable}(?![A-Za-z0-9])`, "g");
      for (let v = Number(env.get(from) ?? from); v < Number(env.get(to) ?? to); v++) {
        const inner = new Map(env).set(`$${variable}`, String(v));
        out.push(...rewrite(body.map((text) => text.replace(use, String(v))), inner, name));
      }
      i = end;
    } else if (directive.startsWith("//!if ")) {
      const { end, otherwise } = closing(lines, i, name);
      const match = /^\/\/!if (!?)([\w]+)(?:=(\w+))?$/.exec(directive);
      assert(match, `kernel ${name}: "${directive}" is not "//!if [!]name[=value]"`);
      const [, not, key, value] = match as unknown as [string, string, string, string | undefined];
      const found = env.get(key);
      const holds = (value === undefined ? found !== undefined : found === value) !== (not === "!");
      const [from, to] = holds ? [i + 1, otherwise < 0 ? end : otherwise] : [otherwise < 0 ? end : otherwise + 1, end];
      out.push(...rewrite(lines.slice(from, to), env, name));
      i = end;
    } else out.push(line);
  }
  return out;
}

/** Texts by kernel and variant: a plan dispatches few of them hundreds of times, and repeated lines make some of them long. */
const texts = new WeakMap<Kernel, { source: string; libs: readonly string[]; byVariant: Map<string, string> }>();

/** WGSL text of one variant of a kernel. */
export function expand(kernel: Kernel, variant: Variant): string {
  const { source, libs } = kernel;
  let known = texts.get(kernel);
  // A kernel whose text was changed is another: so faults are planted.
  if (known?.source !== source || known.libs !== libs) {
    texts.set(kernel, known = { source, libs, byVariant: new Map() });
  }
  const key = JSON.stringify(variant);
  let text = known.byVariant.get(key);
  if (text === undefined) known.byVariant.set(key, text = expanded(kernel, variant));
  return text;
}

function expanded(kernel: Kernel, variant: Variant): string {
  const env = new Map<string, string>([["T", variant.T], ["vec", String(variant.vec)]]);
  for (const name of variant.present) env.set(name, "present");
  for (const [name, dtype] of Object.entries(variant.weights)) env.set(`${name}_dtype`, dtype);
  for (const [name, value] of Object.entries(variant.options)) env.set(name, value);
  for (const [name, value] of Object.entries(variant.tune)) env.set(name, String(value));
  const body = [kernel.source, ...kernel.libs].flatMap((text) =>
    rewrite(text.split("\n").filter((line) => !/^\/\/!( |$)/.test(line)), env, kernel.name)
  );
  // What a library wants enabled goes before everything else.
  const enables = body.filter((line) => line.startsWith("enable "));
  return [...enables, ...declarations(kernel, variant), ...body.filter((line) => !enables.includes(line))].join("\n");
}
