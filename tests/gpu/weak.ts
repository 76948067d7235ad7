/**
 * The worst device that WGSL allows, made of a text: every built-in function is off by as much as the specification's table
 * of accuracies lets it, exponentials of infinities and NaN are numbers, roots of 0 are undefined, subnormal halves are
 * stored and read as 0, and `fma` rounds twice. A case whose tolerance a text so changed does not meet would fail on some
 * conforming device, or relies on what no device promises.
 */

/** Which way the errors go: all up, or up and down by the argument; the second also takes `fma` apart. */
export type Weakness = "up" | "mixed";

/** Promised units in the last place, or the absolute error of the table, of each function of one argument. */
const PROMISES: Readonly<Record<string, (x: string, sign: string) => string>> = {
  exp: exponential("exp"),
  exp2: exponential("exp2"),
  log: logarithm("log", "0.6931471"),
  log2: logarithm("log2", "0.9999999"),
  // 1 / inverseSqrt(x): 2 units of one, 2.5 of the other; x / x is 1, and NaN for 0.
  sqrt: (x, sign) => `(sqrt(${x}) * (1.0 + ${sign} * 4.5 * 0x1p-23) * ((${x}) / (${x})))`,
  inverseSqrt: (x, sign) => `(inverseSqrt(${x}) * (1.0 + ${sign} * 2.0 * 0x1p-23) * ((${x}) / (${x})))`,
  sin: (x, sign) => `(sin(${x}) + ${sign} * 0x1p-11)`,
  cos: (x, sign) => `(cos(${x}) + ${sign} * 0x1p-11)`,
  tan: (x, sign) => `(tan(${x}) + ${sign} * 0x1p-10)`,
  tanh: (x, sign) => `(tanh(${x}) + ${sign} * 1e-5)`,
  atan: (x, sign) => `(atan(${x}) * (1.0 + ${sign} * 4096.0 * 0x1p-23))`,
  acos: (x, sign) => `(acos(${x}) + ${sign} * 6.77e-5)`,
  // Subnormal halves are 0.
  unpack2x16float: (x) => `(unpack2x16float(${x}) * step(vec2f(0x1p-14), abs(unpack2x16float(${x}))))`,
  asin: (x, sign) => `(asin(${x}) + ${sign} * 6.81e-5)`,
};

/**
 * 3 + 2|x| units. Infinities and NaN, which a compiler may take for what never happens, give a number that is wrong:
 * `saturate` makes numbers of both, here of NaN 0 and of every other argument 1.
 */
function exponential(name: string): (x: string, sign: string) => string {
  return (x, sign) => {
    const some = `saturate(abs(${x}) + 2.0)`;
    const number = `clamp(${x}, ${some} * -200.0, ${some} * 200.0)`;
    const none = `(1.0 - sign(saturate(1.0 - abs(${x}) * 0x1p-127)))`;
    return `(${name}(${number}) * (1.0 + ${sign} * (3.0 + 2.0 * abs(${number})) * 0x1p-23) + 0.25 * ${none})`;
  };
}

/** 2^-21 between 1/2 and 2, where the logarithm is within `edge`, else 3 units. */
function logarithm(name: string, edge: string): (x: string, sign: string) => string {
  return (x, sign) => {
    const near = `saturate((${edge} - abs(${name}(${x}))) * 1e6)`;
    return `(${name}(${x}) * (1.0 + ${sign} * 3.0 * 0x1p-23 * (1.0 - ${near})) + ${sign} * 0x1p-21 * ${near})`;
  };
}

/** Arguments of the call whose bracket opens at `open`, and the place after it. */
export function callAt(text: string, open: number): { args: string[]; end: number } {
  const args: string[] = [];
  let depth = 0;
  let from = open + 1;
  for (let i = open; i < text.length; i++) {
    const c = text[i];
    if (c === "(" || c === "[") depth++;
    else if (c === ")" || c === "]") depth--;
    if ((c === "," && depth === 1) || depth === 0) {
      args.push(text.slice(from, i).trim());
      from = i + 1;
    }
    if (depth === 0) return { args, end: i + 1 };
  }
  throw new SyntaxError(`Cannot read a call: ${text.slice(open, open + 40)} is never closed`);
}

const CALL = new RegExp(`(?<![\\w.])(${[...Object.keys(PROMISES), "fma"].join("|")})\\(`);

/** Text without comments. */
export function bare(text: string): string {
  return text.replace(/\/\/.*$/gm, "");
}

/** Whether a text calls a built-in function with an accuracy of its own, or stores halves. */
export function inaccurate(text: string): boolean {
  return /^enable f16;/m.test(text) ||
    new RegExp(`(?<![\\w.])(${Object.keys(PROMISES).join("|")})\\(`).test(bare(text));
}

/** What is stored as f16, before and after subnormals are flushed. */
const STORE = "-> vec4<f16> {\n  let bits = bitcast<vec4u>(v);";
const FLUSHED = STORE.replace("(v)", "(select(v, vec4f(), abs(v) < vec4f(0x1p-14)))");

/** The text as the worst conforming device would run it. */
export function weaken(text: string, kind: Weakness): string {
  const half = text.startsWith("enable f16;");
  if (half && !text.includes(STORE)) throw new Error("Cannot flush halves: the text stores them in another way");
  return weakenCalls(bare(half ? text.replace(STORE, FLUSHED) : text), kind);
}

function weakenCalls(rest: string, kind: Weakness): string {
  const found = CALL.exec(rest);
  if (!found) return rest;
  const name = found[1]!;
  const { args, end } = callAt(rest, found.index + name.length);
  const inner = args.map((arg) => weakenCalls(arg, kind));
  const after = weakenCalls(rest.slice(end), kind);
  let call: string;
  if (name === "fma") {
    const [a, b, c] = inner;
    call = kind === "mixed" ? `((${a}) * (${b}) + (${c}))` : `fma(${inner.join(", ")})`;
  } else {
    const [x] = inner as [string];
    call = PROMISES[name]!(x, kind === "up" ? "1.0" : `sign(fract((${x}) * 977.0) - 0.5)`);
  }
  // Divisions, 2.5 units off, cannot be told from those of integers; tolerances are hundreds of units.
  return rest.slice(0, found.index) + call + after;
}
