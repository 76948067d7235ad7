/** What a kernel text asks of a device, read from the text: WebGPU promises every device at least the values in LIMITS. */

/** Needs of one text. */
export interface Needs {
  /** Buffers bound as storage. */
  readonly storageBuffers: number;
  /** Buffers bound as uniform. */
  readonly uniformBuffers: number;
  /** Bytes of workgroup memory. */
  readonly workgroupBytes: number;
  /** Invocations of a workgroup. */
  readonly invocations: number;
  /** Its sides. */
  readonly x: number;
  readonly y: number;
  readonly z: number;
  /** Bytes of the uniform block, all of whose members have four. */
  readonly uniformBytes: number;
}

/** Default limits of WebGPU, which no device may go below. */
export const LIMITS: Needs = {
  storageBuffers: 8,
  uniformBuffers: 12,
  workgroupBytes: 16384,
  invocations: 256,
  x: 256,
  y: 256,
  z: 64,
  uniformBytes: 65536,
};

const BYTES: Readonly<Record<string, number>> = {
  f32: 4,
  u32: 4,
  i32: 4,
  f16: 2,
  vec2f: 8,
  vec2u: 8,
  vec4f: 16,
  vec4u: 16,
  "vec4<f32>": 16,
  "vec4<f16>": 8,
};

/** Functions that constant expressions use. */
const FUNCTIONS: Readonly<Record<string, (...a: number[]) => number>> = {
  min: Math.min,
  max: Math.max,
  select: (no, yes, condition) => (condition ? yes! : no!),
};

/** Value of a constant expression of integers: + - * / >> << comparisons, calls and brackets, names from `names`. */
function evaluate(expression: string, names: ReadonlyMap<string, number>): number {
  const tokens = expression.match(/\w+|>>|<<|[<>]=?|[-+*/(),]/g) ?? [];
  let at = 0;
  function list(): number[] {
    const values: number[] = [];
    do {
      at++;
      values.push(comparison());
    } while (tokens[at] === ",");
    at++;
    return values;
  }
  function atom(): number {
    if (tokens[at] === "(") return list()[0]!;
    const token = tokens[at++] ?? "";
    if (tokens[at] === "(" && FUNCTIONS[token]) return FUNCTIONS[token](...list());
    const value = names.get(token) ?? Number(token.replace(/[ui]$/, "") || NaN);
    if (!Number.isFinite(value)) throw new Error(`Cannot evaluate ${JSON.stringify(expression)}: ${token} is unknown`);
    return value;
  }
  function chain(next: () => number, operators: Readonly<Record<string, (a: number, b: number) => number>>): number {
    let value = next();
    for (let act = operators[tokens[at] ?? ""]; act; act = operators[tokens[at] ?? ""]) {
      at++;
      value = act(value, next());
    }
    return value;
  }
  const product = (): number => chain(atom, { "*": (a, b) => a * b, "/": (a, b) => Math.trunc(a / b) });
  const sum = (): number => chain(product, { "+": (a, b) => a + b, "-": (a, b) => a - b });
  const shift = (): number => chain(sum, { ">>": (a, b) => a >> b, "<<": (a, b) => a << b });
  const comparison = (): number =>
    chain(shift, {
      "<": (a, b) => Number(a < b),
      ">": (a, b) => Number(a > b),
      "<=": (a, b) => Number(a <= b),
      ">=": (a, b) => Number(a >= b),
    });
  const value = comparison();
  if (at !== tokens.length) throw new Error(`Cannot evaluate ${JSON.stringify(expression)}: ${tokens[at]} is left`);
  return value;
}

/** Reads the needs of a text. @throws {Error} If a size is no expression of known constants. */
export function needsOf(given: string): Needs {
  // An array of arrays is as large as one.
  const text = given.replace(/array<array<([\w<>]+?), ([^>]+)>, ([^>]+)>/g, "array<$1, ($2) * ($3)>");
  const names = new Map<string, number>();
  for (const [, name, value] of text.matchAll(/^const (\w+): u32 = ([^;]+);/gm)) {
    // Constants of other kinds, such as masks in hexadecimal, size nothing.
    try {
      names.set(name!, evaluate(value!, names));
    } catch { /* named where a size needs it */ }
  }
  const half = /^alias T = f16;/m.test(text);
  let workgroupBytes = 0;
  for (const [whole, element, count] of text.matchAll(/var<workgroup> \w+: array<([\w<>]+?), ([^>]+)>;/g)) {
    const bytes = BYTES[element!.replace(/\bT\b/, half ? "f16" : "f32")];
    if (bytes === undefined) throw new Error(`Cannot size ${whole}: ${element} is unknown`);
    workgroupBytes += bytes * evaluate(count!, names);
  }
  const declared = text.match(/var<workgroup>/g)?.length ?? 0;
  const sized = text.match(/var<workgroup> \w+: array<([\w<>]+?), ([^>]+)>;/g)?.length ?? 0;
  if (declared !== sized) {
    throw new Error(`Cannot size workgroup memory: ${declared} variables, ${sized} of them arrays`);
  }
  const members = /^struct Params \{([^}]*)\}/m.exec(text)?.[1]?.split(",").filter((member) => member.trim()) ?? [];
  const odd = members.find((member) => !/: (u32|i32|f32)\s*$/.test(member));
  if (odd) throw new Error(`Cannot size Params: ${odd.trim()} is no scalar of four bytes`);
  const size = /@workgroup_size\(([^)]*)\)/.exec(text)?.[1] ?? "";
  const [x = NaN, y = 1, z = 1] = size.split(",").map((part) => evaluate(part, names));
  return {
    storageBuffers: text.match(/var<storage/g)?.length ?? 0,
    uniformBuffers: text.match(/var<uniform>/g)?.length ?? 0,
    workgroupBytes,
    invocations: x * y * z,
    x,
    y,
    z,
    uniformBytes: members.length * 4,
  };
}

/** Sentences about what a text needs beyond the limits. */
export function beyondLimits(text: string): string[] {
  const needs = needsOf(text);
  return (Object.keys(LIMITS) as (keyof Needs)[]).filter((key) => !(needs[key] <= LIMITS[key]) || needs.invocations < 1)
    .map((key) => `${key} is ${needs[key]}, promised are ${LIMITS[key]}`);
}
