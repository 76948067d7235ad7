/**
 * Writes `src/gpu/kernels.gen.ts` from the kernel cards, and `index.gen.ts` files from folders whose files register
 * themselves by existing. `--check` writes nothing and exits 1 on any difference; `--print NAME [key=value …]` prints
 * the WGSL of one variant.
 */

import type { Key, KeyTable } from "../src/core/config_key.ts";
import type { ConfigFormat } from "../src/train/config/format.ts";
import { expand } from "../src/gpu/expand.ts";
import type { Kernel } from "../src/gpu/kernel.ts";
import { type Card, expressionToTs, parseCard } from "./kernel_card.ts";

const root = new URL("..", import.meta.url);

function listFolder(folder: string, suffix: string): string[] {
  const names: string[] = [];
  for (const entry of Deno.readDirSync(new URL(folder, root))) {
    if (entry.isFile && entry.name.endsWith(suffix) && !entry.name.endsWith(".gen.ts")) {
      names.push(entry.name.slice(0, -suffix.length));
    }
  }
  return names.sort();
}

function kernelObject(card: Card): string {
  const quote = JSON.stringify;
  const tensors = card.tensors.map((t) => `${t.name}${t.optional ? "?" : ""}: ${quote(t.access)}`).join("; ");
  const params = card.params.map((p) => `${p.name}: number`).join("; ");
  const options = Object.entries(card.options).map(([name, values]) =>
    `${name}: ${values.map((v) => quote(v)).join(" | ")}`
  )
    .join("; ");
  const empty = "Record<never, never>";
  const type = `Kernel<{ ${tensors} }, ${params ? `{ ${params} }` : empty}, ${options ? `{ ${options} }` : empty}>`;
  const limits = card.limits.map((text) => `{ text: ${quote(text)}, holds: (d) => ${expressionToTs(card, text)} }`);
  const grid = card.grid.map((text) => expressionToTs(card, text));
  const flops = expressionToTs(card, card.flops);
  const touch = Object.entries(card.touch).map(([name, text]) => {
    const elements = expressionToTs(card, text);
    return `${name}: (${elements.includes("d.") ? "d" : "_d"}) => ${elements}`;
  });
  const usesDims = (texts: string[]) => (texts.some((t) => t.includes("d.")) ? "d" : "_d");
  return `/** ${card.summary}. */
export const ${card.name}: ${type} = {
  name: ${quote(card.name)},
  source: ${card.name}_wgsl,
  libs: [${card.libs.map((lib) => `lib_${lib}`).join(", ")}],
  tensors: ${quote(card.tensors)},
  dims: ${quote(card.dims)},
  params: ${quote(card.params)},
  options: ${quote(card.options)},
  tune: ${quote(card.tune)},
  limits: [${limits.join(", ")}],
  fold: ${card.fold},
  grid: (${usesDims(grid)}) => [${grid.join(", ")}],
  flops: (${usesDims([flops])}) => ${flops},
  touch: {${touch.length ? ` ${touch.join(", ")} ` : ""}},
};
`;
}

function kernelsModule(checking: boolean): string {
  const names = listFolder("kernels/", ".wgsl");
  const cards = names.map((name) => parseCard(name, Deno.readTextFileSync(new URL(`kernels/${name}.wgsl`, root))));
  const libs = [...new Set(cards.flatMap((card) => card.libs))].sort();
  for (const card of cards) {
    try {
      Deno.statSync(new URL(card.ref, root));
    } catch {
      const text = `kernels/${card.name}.wgsl: reference ${card.ref} does not exist`;
      if (checking) throw new Error(text);
      console.error(text);
    }
  }
  const imports = [
    ...names.map((name) => `import ${name}_wgsl from "../../kernels/${name}.wgsl" with { type: "text" };`),
    ...libs.map((lib) => `import lib_${lib} from "../../kernels/lib/${lib}.wgsl" with { type: "text" };`),
  ];
  return `// Written by scripts/gen_kernels.ts from the cards of kernels/*.wgsl; do not edit.
// deno-fmt-ignore-file
import type { Kernel } from "./kernel.ts";
${imports.join("\n")}

${cards.map(kernelObject).join("\n")}`;
}

/** A folder whose files are imported by name. */
interface Index {
  readonly folder: string;
  /** What each file exports. */
  readonly symbol: string;
  /** Type of all of them and where it is. Without it each file keeps its own. */
  readonly type?: readonly [name: string, path: string];
  /** Whether their names come beside the index, as the choices of a configuration key. */
  readonly names?: true;
  /** Whether each file also exports a type `Config`: they come as one type, told apart by `name`. */
  readonly configs?: true;
}

/** All of them. */
const INDEXES: readonly Index[] = [
  { folder: "tests/cases/", symbol: "cases" },
  { folder: "src/models/encoders/", symbol: "spec", type: ["EncoderSpec", "../encoder_spec.ts"] },
  { folder: "src/losses/gene/", symbol: "entry", names: true },
  { folder: "src/losses/contrastive/", symbol: "entry", names: true },
  { folder: "src/models/gene/", symbol: "entry", names: true, configs: true },
];

/** Type of a key's values in TypeScript. */
function typeOfKey(key: Key): string {
  const plain = {
    number: "number",
    flag: "boolean",
    text: "string",
    texts: "readonly string[]",
    numbers: "readonly number[]",
    any: "never",
  };
  const type = key.kind === "choice" ? key.of.map((name) => JSON.stringify(name)).join(" | ") : plain[key.kind];
  return "nullable" in key && key.nullable ? `${type} | null` : type;
}

/** The keys of every method's configuration as types with documentation, from their tables. */
async function settingsModule(): Promise<string> {
  const { loadMethod, METHOD_NAMES } = await import("../src/methods/index.ts");
  const title = (name: string) => `${name[0]!.toUpperCase()}${name.slice(1)}Settings`;
  const parts = await Promise.all(METHOD_NAMES.map(async (name) => {
    const config = (await loadMethod(name)).config as unknown as ConfigFormat<KeyTable>;
    const keys: Record<string, Key> = Object.assign({}, ...Object.values(config.table));
    const lines = config.describe().filter((row) => row.unused === undefined && row.name !== "method").map((row) =>
      `  /** ${row.doc}; ${row.unit === undefined ? "" : `${row.unit}; `}${row.accepts}. Default ${
        row.default || '""'
      }. */\n` +
      `  readonly ${row.name}?: ${typeOfKey(keys[row.name]!)} | undefined;\n`
    );
    return `/** Configuration of method \`${name}\`: the keys of its YAML files; what is left out has its default. */
export interface ${title(name)} {
${lines.join("")}}
`;
  }));
  return `/**
 * The keys of every method as types. Written by scripts/gen_kernels.ts from their tables; do not edit.
 *
 * @module
 */

${parts.join("\n")}
/** Configurations by the name of the method. */
export interface MethodSettings {
${METHOD_NAMES.map((name) => `  /** Of method \`${name}\`. */\n  readonly ${name}: ${title(name)};\n`).join("")}}
`;
}

/** The commands: files of src/cli that say what they do in a \`summary\`. */
function commandsModule(): string {
  const names = listFolder("src/cli/", ".ts").filter((name) =>
    /^export const summary\b/m.test(Deno.readTextFileSync(new URL(`src/cli/${name}.ts`, root)))
  );
  return [
    "// Written by scripts/gen_kernels.ts from the files of this folder that export a summary; do not edit.",
    "// deno-fmt-ignore-file",
    'import type { Command } from "./args.ts";',
    "",
    "/** Commands by name; each file is loaded when it is asked for. */",
    "export const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {",
    ...names.map((name) => `  ${name}: () => import("./${name}.ts") as unknown as Promise<Command>,`),
    "};",
    "",
  ].join("\n");
}

function indexModule({ folder, symbol, type, names, configs }: Index): string {
  const files = listFolder(folder, ".ts");
  const lines = [
    "// Written by scripts/gen_kernels.ts from the file names of this folder; do not edit.",
    "// deno-fmt-ignore-file",
    ...(type ? [`import type { ${type[0]} } from "${type[1]}";`] : []),
    ...files.map((name) =>
      `import { ${configs ? `type Config as ${name}_config, ` : ""}${symbol} as ${name} } from "./${name}.ts";`
    ),
    "",
    "/** Every file of this folder, by name. */",
  ];
  const object = `{ ${files.join(", ")} }`;
  if (type) lines.push(`export const index: Readonly<Record<string, ${type[0]}>> = ${object};`);
  else if (!names) lines.push(`export const index = ${object} as const;`);
  else {
    const types = files.map((name) => `  readonly ${name}: typeof ${name};`);
    lines.push("export const index: {", ...types, `} = ${object};`, "", "/** Their names. */");
    lines.push(`export const names = [${files.map((name) => JSON.stringify(name)).join(", ")}] as const;`);
  }
  if (configs) {
    lines.push("", "/** The configuration of one of them, which its name tells. */", "export type Config =");
    lines.push(files.map((name) => `  | ({ readonly name: "${name}" } & ${name}_config)`).join("\n") + ";");
  }
  return lines.join("\n") + "\n";
}

/** Names of all cases, so that one that goes is missed even where others run its kernels. */
async function caseNamesModule(): Promise<string> {
  const { index } = await import("../tests/cases/index.gen.ts");
  const lines = Object.entries(index).flatMap(([op, cases]) =>
    cases.map(({ name }) => `  ${JSON.stringify(`${op}: ${name}`)},`)
  );
  return `// Written by scripts/gen_kernels.ts from the cases of this folder; do not edit.
// deno-fmt-ignore-file

/** Names of all cases, with their file. */
export const CASE_NAMES: readonly string[] = [
${lines.join("\n")}
];
`;
}

async function main(args: string[]): Promise<number> {
  if (args[0] === "--print") {
    const kernels = await import("../src/gpu/kernels.gen.ts") as unknown as Record<string, Kernel>;
    const kernel = kernels[args[1] ?? ""];
    if (!kernel) throw new Error(`No kernel is named "${args[1]}"`);
    const chosen = Object.fromEntries(args.slice(2).map((pair) => pair.split("=") as [string, string]));
    console.log(expand(kernel, {
      T: chosen.T === "f16" ? "f16" : "f32",
      vec: chosen.vec === "1" ? 1 : 4,
      weights: Object.fromEntries(
        kernel.tensors.filter((t) => t.elem === "W").map((t) => [t.name, (chosen.W ?? "f32") as "f32"]),
      ),
      present: kernel.tensors.filter((t) => !t.optional || chosen[t.name]).map((t) => t.name),
      options: Object.fromEntries(Object.entries(kernel.options).map(([k, v]) => [k, chosen[k] ?? (v[0] as string)])),
      tune: Object.fromEntries(Object.entries(kernel.tune).map(([k, v]) => [k, Number(chosen[k] ?? v[0])])),
    }));
    return 0;
  }
  let stale = 0;
  const write = (path: string, text: string): void => {
    const url = new URL(path, root);
    let current = "";
    try {
      current = Deno.readTextFileSync(url);
    } catch { /* a new file */ }
    if (current === text) return;
    if (args.includes("--check")) {
      console.error(`${path} is stale: run "deno task gen"`);
      stale++;
    } else {
      Deno.writeTextFileSync(url, text);
      console.log(`wrote ${path}`);
    }
  };
  write("src/gpu/kernels.gen.ts", kernelsModule(args.includes("--check")));
  write("src/cli/commands.gen.ts", commandsModule());
  for (const index of INDEXES) write(`${index.folder}index.gen.ts`, indexModule(index));
  // Methods and cases import the kernels and the indexes, so they are loaded when those are written.
  if (stale === 0) write("src/methods/settings.gen.ts", await settingsModule());
  if (stale === 0) write("tests/cases/names.gen.ts", await caseNamesModule());
  return stale ? 1 : 0;
}

try {
  Deno.exit(await main(Deno.args));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  Deno.exit(1);
}
