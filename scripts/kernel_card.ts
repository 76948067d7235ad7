/** Parses kernel cards (the `//!` lines at the head of `kernels/*.wgsl`); grammar in CONTRIBUTING.md. */

import type { Access, DimTerm, Elem, ParamSlot, TensorSlot } from "../src/gpu/kernel.ts";

/** A parsed card; expressions stay text until the generator turns them into TypeScript. */
export interface Card {
  name: string;
  summary: string;
  tensors: TensorSlot[];
  dims: string[];
  params: ParamSlot[];
  options: Record<string, string[]>;
  tune: Record<string, number[]>;
  limits: string[];
  libs: string[];
  grid: string[];
  fold: boolean;
  flops: string;
  /** Elements that cross memory of a tensor that is not read or written whole, by its name. */
  touch: Record<string, string>;
  ref: string;
}

const NAME = /^[A-Za-z_]\w*$/;
const RESERVED = new Set(["p", "T", "main", "folded"]);

function parseDims(text: string, fail: (what: string) => never): DimTerm[] {
  const match = /^\[(.*)\]$/.exec(text);
  if (!match) fail(`extents "${text}" are not in brackets`);
  return (match![1] as string).split(",").map((part) => {
    const term = /^\s*(\d*)\s*([A-Za-z]\w*)?\s*$/.exec(part);
    if (!term || (!term[1] && !term[2])) {
      fail(`extent "${part.trim()}" is neither a number, a name nor a multiple of a name`);
    }
    return { coef: Number(term![1] || 1), name: term![2] ?? "" };
  });
}

/** Parses the card of `file` (base name without `.wgsl`); throws `Error` with `file:line` on anything it cannot read. */
export function parseCard(file: string, source: string): Card {
  const card: Card = {
    name: file,
    summary: "",
    tensors: [],
    dims: [],
    params: [],
    options: {},
    tune: {},
    limits: [],
    libs: [],
    grid: [],
    fold: false,
    flops: "",
    touch: {},
    ref: "",
  };
  let formula = false;
  for (const [index, line] of source.split("\n").entries()) {
    const fail = (what: string): never => {
      throw new Error(`kernels/${file}.wgsl:${index + 1}: ${what}`);
    };
    if (/^\/\/!(for|if|else|end)\b/.test(line.trim())) continue;
    if (!/^\/\/!( |$)/.test(line)) continue;
    const text = line.slice(4);
    if (index === 0) {
      const head = /^(\w+): (.+)$/.exec(text) ?? fail('the first line is not "name: one sentence"');
      if (head[1] !== file) fail(`the card is of "${head[1]}"`);
      card.summary = head[2] as string;
      continue;
    }
    const [keyword = "", ...rest] = text.trim().split(/\s+/);
    const value = text.trim().slice(keyword.length).trim();
    switch (keyword) {
      case "in":
      case "in?":
      case "out":
      case "out?":
      case "inout":
      case "inout?": {
        const match = /^(\w+)\s+(\[[^\]]*\])\s+(\w+)(\/4)?(?:\s{2,}.*)?$/.exec(value) ??
          fail("wanted: name  [dims]  type  comment");
        const [, name, dims, elem, pack] = match as unknown as [string, string, string, string, string | undefined];
        if (!NAME.test(name) || RESERVED.has(name)) fail(`"${name}" cannot be a tensor name`);
        if (!["T", "W", "f32", "u32", "i32", "u8"].includes(elem)) fail(`"${elem}" is no element type`);
        const terms = parseDims(dims, fail);
        card.tensors.push({
          name,
          access: keyword.replace("?", "") as Access,
          optional: keyword.endsWith("?"),
          dims: terms,
          elem: elem as Elem,
          pack: pack ? 4 : 1,
        });
        for (const term of terms) if (term.name && !card.dims.includes(term.name)) card.dims.push(term.name);
        break;
      }
      case "param": {
        const [name = "", type = ""] = rest;
        if (!NAME.test(name) || !["f32", "u32", "i32"].includes(type)) {
          fail("wanted: param  name  f32|u32|i32  comment");
        }
        card.params.push({ name, type: type as ParamSlot["type"] });
        break;
      }
      case "option": {
        const [name = ""] = rest;
        const values = value.slice(name.length).split("|").map((v) => v.trim().split(/\s+/)[0] ?? "");
        if (!NAME.test(name) || values.some((v) => !/^\w+$/.test(v))) fail("wanted: option  name  value | value");
        card.options[name] = values;
        break;
      }
      case "tune": {
        const match = /^(\w+)\s*=\s*(\d+)(?:\s+(\d+(?:\s*\|\s*\d+)*))?/.exec(value) ??
          fail("wanted: tune  NAME = 64  32 | 64");
        const allowed = (match[3] ?? "").split("|").map((v) => v.trim()).filter(Boolean).map(Number);
        const fallback = Number(match[2]);
        card.tune[match[1] as string] = [fallback, ...allowed.filter((v) => v !== fallback)];
        break;
      }
      case "limit":
        card.limits.push(value.split(/\s{2,}/)[0] as string);
        break;
      case "lib":
        card.libs.push(...rest);
        break;
      case "grid": {
        card.fold = rest[0] === "fold";
        const expression = (card.fold ? value.slice(4) : value).trim().split(/\s{2,}/)[0] as string;
        card.grid = splitTop(expression);
        if (card.grid.length > (card.fold ? 1 : 3)) fail("too many grid expressions");
        break;
      }
      case "flops":
        card.flops = value.split(/\s{2,}/)[0] as string;
        break;
      case "touch": {
        const [name = ""] = rest;
        const expression = value.slice(name.length).trim().split(/\s{2,}/)[0] as string;
        if (!card.tensors.some((tensor) => tensor.name === name) || !expression) {
          fail("wanted: touch  tensor  elements  comment, behind the tensors");
        }
        card.touch[name] = expression;
        break;
      }
      case "ref":
        card.ref = rest[0] ?? "";
        break;
      default:
        if (text.trim()) formula = true;
    }
  }
  if (!card.grid.length) throw new Error(`kernels/${file}.wgsl: the card has no grid`);
  if (!formula) throw new Error(`kernels/${file}.wgsl: the card states no formula`);
  if (!card.flops) {
    throw new Error(`kernels/${file}.wgsl: the card states no flops; a kernel that only moves data has 0`);
  }
  if (!card.ref) throw new Error(`kernels/${file}.wgsl: the card names no reference`);
  for (const optional of [false, true]) {
    const bound = card.tensors.filter((t) => optional || !t.optional).length;
    if (!optional && bound > 8) {
      throw new Error(`kernels/${file}.wgsl: ${bound} tensors, at most 8 can be bound on a default device`);
    }
  }
  return card;
}

/** Splits at commas outside parentheses. */
function splitTop(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "(") depth++;
    if (text[i] === ")") depth--;
    if (text[i] === "," && depth === 0) {
      parts.push(text.slice(start, i));
      start = i + 1;
    }
  }
  return [...parts, text.slice(start)].map((part) => part.trim());
}

/** A card expression as TypeScript over `d`; throws `Error` on a name the card does not define. */
export function expressionToTs(card: Card, text: string): string {
  const known = new Set([...card.dims, ...card.params.map((p) => p.name), ...Object.keys(card.tune)]);
  return text.replace(/[A-Za-z_]\w*/g, (name) => {
    if (name === "ceil" || name === "max" || name === "min") return `Math.${name}`;
    if (!known.has(name)) {
      throw new Error(`kernels/${card.name}.wgsl: "${text}" uses "${name}", which the card does not define`);
    }
    return `d.${name}!`;
  });
}
