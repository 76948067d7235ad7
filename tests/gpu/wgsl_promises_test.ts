/**
 * No kernel relies on what WGSL does not promise: infinities and NaN in arithmetic and comparisons, roots of 0, functions of
 * low accuracy, conversions beyond f16. Read from the sources, which hold every branch of every text. Each call of a
 * function that has an accuracy or a domain is listed with why its argument is in it.
 */

import assert from "node:assert/strict";
import * as kernels from "../../src/gpu/kernels.gen.ts";
import { expand } from "../../src/gpu/expand.ts";
import type { Kernel } from "../../src/gpu/kernel.ts";
import { bare, callAt } from "./weak.ts";

const SUM = "a sum of exponentials whose largest is 1, or a ratio of positive numbers";

/** Calls by text, with the reason why the promise covers them. */
const ALLOWED: Readonly<Record<string, string>> = {
  "exp(max(t, vec4f(-200.0)))": "between -200 and 1",
  "exp(x)": "at most 0 in decay4 and oneMinusExp, at most 80 in expMinusOne",
  "exp(v)": "what overflows is replaced by bits",
  "exp(t)": "at most 0: minus a squared distance",
  "exp(d * -0.05)": "at most 0: minus a squared distance",
  "exp(d * -0.033333335)": "at most 0: minus a squared distance",
  "exp(d * -0.025)": "at most 0: minus a squared distance",
  "exp(d * -0.01)": "at most 0: minus a squared distance",
  "exp(clamp(light, vec3f(-80.0), vec3f()))": "between -80 and 0",
  "log(max(v, vec3f(DARKEST)))": "positive, and a unit of 2^-21 of it is far below one of a byte",
  "log(x)": "positive; near 1, where the promise is absolute, logRatio4 is taken",
  "log(1.0 + x)": "1/2 and less or 2 and more, positive: near 1 logRatio4 is taken",
  "log(b)": "8 and more",
  "log(above / below)": SUM,
  "log(abs(1.0 + x) + eps)": "eps is positive; near 1 logRatio4 is taken",
  "log(q + 1e-8)": "positive, at most 1/2: above logOnePlus is taken",
  "sqrt(max(square, 0x1p-24f))": "positive",
  "sqrt(max(x, ROOT_LEAST))": "positive and normal",
  "sqrt(max(x, vec4f(ROOT_LEAST)))": "positive and normal",
  "inverseSqrt(max(x, ROOT_LEAST))": "positive and normal",
};

/** Functions that kernels have no use for: of low accuracy, or made of others that have none at 0. */
const FORBIDDEN =
  /(?<![\w.])(sin|cos|tan|a?sinh|a?cosh|a?tanh|asin|acos|atan2?|pow|exp2|log2|length|distance|normalize|smoothstep|reflect|refract|frexp|ldexp|quantizeToF16)\(/;

/** What else must not be written, with the reason. */
const RULES: readonly (readonly [RegExp, string])[] = [
  [FORBIDDEN, "calls a function whose accuracy is low or not promised"],
  [/(?<![\w.\])])([a-z]\w*(?:\[\w+\])?) *(?:!=|==) *\1(?![\w[.(])/i, "tells NaN by comparing a value with itself"],
  [/\/ *-?0(?:\.0*)?f?(?![\w.])/, "divides by 0"],
  [
    /bitcast<(?:f32|vec[234]f|vec[234]<f32>)>\( *(?:vec[234]u\()?(?:0x[\da-f]+|\d+)[ui]? *\)/i,
    "makes a float of constant bits",
  ],
  [
    /0x1\.fffffep\+127|3\.402\d*e\+?38/i,
    "uses the largest number as a limit, which finite arithmetic lets a compiler drop",
  ],
  [/(?<![\w<])(?:T|f16|vec[234]<(?:T|f16)>|vec[234]h)\((?!\))/, "converts to f16 without narrow"],
  // Deno's compiler takes it; those of browsers and Dawn do not.
  [/[\w)\]] *[-+*/%] *(?:[\w.$]+|\([^()]*\)) *(?:<<|>>)/, "mixes arithmetic and a shift without brackets"],
];

/** Float literals of a text, decimal and hexadecimal. */
function literals(text: string): [string, number][] {
  const found = text.match(/(?<![\w.$])(?:0x[\da-f]*\.?[\da-f]*p[+-]?\d+|\d+\.\d*(?:e[+-]?\d+)?|\d+e[+-]?\d+)/gi) ?? [];
  return found.map((literal) => {
    const hex = /^0x([\da-f]*)\.?([\da-f]*)p([+-]?\d+)$/i.exec(literal);
    if (!hex) return [literal, Number(literal)];
    const [, whole = "", part = "", power] = hex;
    return [literal, parseInt(whole + part, 16) * 2 ** (Number(power) - 4 * part.length)];
  });
}

/** Sentences about a text. */
function broken(text: string): string[] {
  const code = bare(text);
  const found = RULES.flatMap(([rule, what]) => {
    const at = rule.exec(code);
    return at ? [`${what}: ${at[0]}`] : [];
  });
  const far = literals(code).filter(([, value]) => Math.abs(value) > 3.4028234663852886e38);
  return [...found, ...far.map(([literal]) => `has a literal beyond f32: ${literal}`)];
}

/** Calls that need a reason, by text. */
function calls(text: string): string[] {
  const code = bare(text);
  return [...code.matchAll(/(?<![\w.])(exp|log|sqrt|inverseSqrt)\(/g)].map((match) =>
    code.slice(match.index, callAt(code, match.index + match[1]!.length).end)
  );
}

const all = Object.values(kernels as unknown as Record<string, Kernel>);
const texts = new Map(all.flatMap(({ name, source, libs }) => [source, ...libs].map((text) => [text, name] as const)));

Deno.test("no kernel relies on infinities, NaN, roots of 0, inaccurate functions or conversions beyond f16", () => {
  assert.deepEqual([...texts].flatMap(([text, name]) => broken(text).map((what) => `${name} ${what}`)), []);
});

Deno.test("every call that has a domain is listed with its reason, and no reason is left over", () => {
  const found = new Set([...texts.keys()].flatMap(calls));
  assert.deepEqual([...found].sort(), Object.keys(ALLOWED).sort());
});

Deno.test("what the expander adds keeps the rules but for the two conversions it is made of", () => {
  const [kernel] = all.filter(({ name }) => name === "gather");
  for (const T of ["f32", "f16"] as const) {
    for (const dtype of ["f32", "f16", "bf16"] as const) {
      const present = kernel!.tensors.map(({ name }) => name);
      const options = { outside: "nan" };
      const tune = { WG: 64 };
      const text = expand(kernel!, { T, weights: { x: dtype }, present, options, tune, vec: 4 });
      const narrow = broken(text).filter((what) => !what.includes("vec4<f16>("));
      assert.deepEqual(narrow, []);
      assert.equal(text.includes("vec4<f16>("), T === "f16");
      assert.equal(text.split("unpack2x16float").length - 1, dtype === "f16" ? 1 : 0);
    }
  }
});

Deno.test("the rules see what they are for", () => {
  const wrong = [
    "if (x != x) {",
    "let nan = s[i] == s[i];",
    "1.0 / 0.0",
    "let inf = bitcast<f32>(0x7f800000u);",
    "bitcast<vec4f>(vec4u(0x7fc00000u))",
    "var most = -0x1.fffffep+127f;",
    "let least = 4e38;",
    "0x1p+128",
    "y[i] = T(v);",
    "let a = sin(x);",
    "pow(a, 2.0)",
    "normalize(v)",
    "vec2u(a | (id / (8u * K8) << 2u), b)",
    "let i = n * 2u << 1u;",
  ];
  for (const text of wrong) assert.notDeepEqual(broken(text), [], text);
  const right = [
    "if (x != y) {",
    "x == x0",
    "a / 0.5",
    "// x != x, sin(x)",
    "bitcast<f32>(c | 0x7fc00000u)",
    "array<T>()",
    "tanh4(v) + my_sin(x)",
    "alias T = f16;",
    "v.x == v.x1",
    "((id / (8u * K8)) << 2u) + (n >> 1u)",
  ];
  for (const text of right) assert.deepEqual(broken(text), [], text);
  assert.deepEqual(calls("let a = exp(f(x[1]) - 2.0) * log4(b) + sqrt(c);"), ["exp(f(x[1]) - 2.0)", "sqrt(c)"]);
});
