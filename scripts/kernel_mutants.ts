/**
 * Changes the constants of kernel texts one at a time (tune and tile constants, sizes of workgroups and of their arrays) and
 * runs the op cases that use the kernel until one fails. What no case notices is printed, and ends in exit status 1 unless
 * it is listed here with the reason why it changes nothing. Takes a while: the cases are run as the tests run them.
 *
 * ```sh
 * deno run -A scripts/kernel_mutants.ts [--kernel NAME]… [--verbose]
 * ```
 *
 * @module
 */

import { parseArgs } from "node:util";
import type { Gpu } from "../src/gpu/device.ts";
import type { OpCase } from "../tests/case.ts";
import { index } from "../tests/cases/index.gen.ts";
import { deviceThat } from "../tests/gpu/shared.ts";
import { caseKernels, type References, runCase } from "../tests/runner.ts";

type Path = "flat" | "gpu";

/** A change of the texts of a kernel. */
interface Mutant {
  readonly name: string;
  readonly from: RegExp;
  readonly to: (match: string, ...groups: string[]) => string;
}

/** A case and the path that runs a kernel in it. */
interface Use {
  readonly op: string;
  readonly test: OpCase;
  readonly path: Path;
  readonly elements: number;
}

/** Mutants that change no result, by kernel and name, with the reason. */
const SAME: readonly (readonly [kernel: RegExp, mutant: RegExp, reason: string])[] = [
  [/./, /^(REDUCE|PAIR)_FEW halved$/, "fewer invocations fold what all have written"],
  [/^layernorm_fwd$/, /^array reduceFew halved$/, "what the rough mean leaves out is added by its correction"],
  [/^ring_write$/, /^(WG doubled|workgroup halved)$/, "one invocation is left, or two write the same number"],
  [/^attention_/, /^(EC4|WX) halved$/, "fewer channels or vectors are staged at a time, in more turns"],
  [
    /^(adamw_prepare|sum_squares|softmax_(fwd|bwd)|cross_entropy_rows|cross_entropy_bwd|cross_entropy_mean|l2_normalize_(fwd|bwd)|info_nce_rows|info_nce_grad|reduce_rows|planar_flow_(fwd|bwd)|negative_binomial_fwd|sum_vector)$/,
    /^WG halved$/,
    "a workgroup of any size strides over its row",
  ],
];

/** Cases larger than this come last: few of them say more. */
const LARGE = 60_000;

function half(value: number): number {
  return value > 1 ? value >> 1 : 2;
}

/** Mutants of one text. */
function mutantsOf(text: string): Mutant[] {
  const found: Mutant[] = [];
  // Some constants only say how often lines are repeated.
  const read = (name: string) => text.split(new RegExp(`\\b${name}\\b`)).length > 2;
  for (const [, name, value] of text.matchAll(/^const (\w+): u32 = (\d+)u;/gm)) {
    if (!read(name!)) continue;
    const to = half(Number(value));
    const from = new RegExp(`^const ${name}: u32 = (\\d+)u;`, "m");
    found.push({
      name: `${name} ${to > Number(value) ? "doubled" : "halved"}`,
      from,
      to: (_, given) => `const ${name}: u32 = ${half(Number(given))}u;`,
    });
  }
  for (const [, name] of text.matchAll(/^const (\w+): u32 = (?!\d+u;|0x)[^;]+;/gm)) {
    if (!read(name!)) continue;
    const from = new RegExp(`^const ${name}: u32 = ([^;]+);`, "m");
    found.push({ name: `${name} halved`, from, to: (_, given) => `const ${name}: u32 = max((${given}) / 2u, 1u);` });
  }
  for (const [, name] of text.matchAll(/^var<workgroup> (\w+): array</gm)) {
    const from = new RegExp(`^(var<workgroup> ${name}: array<\\w+, )([^;]+)>;`, "m");
    found.push({ name: `array ${name} halved`, from, to: (_, head, size) => `${head}max((${size}) / 2u, 1u)>;` });
  }
  if (!/@workgroup_size\(1\)/.test(text)) {
    found.push({
      name: "workgroup halved",
      from: /@workgroup_size\(([^)]+)\)/,
      to: (_, size) => `@workgroup_size(max((${size}) / 2u, 1u))`,
    });
  }
  return found;
}

/** Texts and uses of a kernel. */
interface Kernel {
  readonly texts: Set<string>;
  readonly uses: Use[];
}

/** Every kernel that cases run, by name. */
function kernelsOf(gpu: Gpu): Map<string, Kernel> {
  const all = new Map<string, Kernel>();
  for (const [op, cases] of Object.entries(index) as [string, readonly OpCase[]][]) {
    for (const test of cases.filter(({ benchOnly }) => !benchOnly)) {
      const elements = Object.values(test.inputs).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
      for (const path of ["gpu", "flat"] as const) {
        for (const [kernel, texts] of caseKernels(gpu, test, path)) {
          const entry = all.get(kernel) ?? { texts: new Set<string>(), uses: [] };
          for (const text of texts) entry.texts.add(text);
          entry.uses.push({ op, test, path, elements });
          all.set(kernel, entry);
        }
      }
    }
  }
  // Large ones within reason first: small ones do not fill a tile.
  const rank = ({ elements }: Use) => (elements > LARGE ? -elements : elements);
  for (const { uses } of all.values()) uses.sort((a, b) => rank(b) - rank(a));
  return all;
}

/** What the device changes, if anything. */
let active: { readonly kernel: string; readonly mutant: Mutant } | undefined;

/** The first use in which a mutant is noticed. */
async function noticed(gpu: Gpu, { texts, uses }: Kernel, references: References): Promise<Use | undefined> {
  const forget = () => texts.forEach((text) => gpu.pipelines.delete(text));
  for (const use of uses) {
    forget();
    try {
      const { failures } = await runCase(gpu, use.test, { paths: [use.path], references });
      if (failures.length > 0) return use;
    } catch {
      return use;
    } finally {
      forget();
    }
  }
  return undefined;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { kernel: { type: "string", multiple: true }, verbose: { type: "boolean", default: false } },
  });
  const gpu = await deviceThat((text, kernel) =>
    active?.kernel === kernel ? text.replace(active!.mutant.from, active!.mutant.to) : text
  );
  const references = new Map<string, References>();
  let [total, same] = [0, 0];
  const missed: string[] = [];
  for (const [kernel, of] of kernelsOf(gpu)) {
    if (values.kernel && !values.kernel.includes(kernel)) continue;
    const mutants = new Map([...of.texts].flatMap(mutantsOf).map((mutant) => [mutant.name, mutant]));
    for (const mutant of mutants.values()) {
      total++;
      const reason = SAME.find(([which, name]) => which.test(kernel) && name.test(mutant.name))?.[2];
      if (reason !== undefined) {
        same++;
        continue;
      }
      active = { kernel, mutant };
      const own = references.get(kernel) ?? new Map();
      references.set(kernel, own);
      const by = await noticed(gpu, of, own);
      active = undefined;
      const text = `${kernel}: ${mutant.name}`;
      if (!by) missed.push(text);
      if (!by || values.verbose) {
        console.log(`${text} ... ${by ? `noticed by ${by.op} ${by.test.name}, ${by.path}` : "NOTICED BY NO CASE"}`);
      }
    }
  }
  console.log(
    `${total} changes: ${total - same - missed.length} noticed, ${same} change nothing, ${missed.length} missed`,
  );
  gpu.destroy();
  return missed.length > 0 ? 1 : 0;
}

Deno.exit(await main());
