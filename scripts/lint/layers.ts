/**
 * Lint plugin: which folder may import which, and where the host (Deno, Node, the console) may be touched.
 *
 * The table is the one of the architecture notes; a folder that is missing from it is an error, so that a new folder is
 * a decision. Tests, scripts and benches may import anything.
 *
 * @module
 */

/** Folders of src/ and what each may import besides itself. */
export const LAYERS: Readonly<Record<string, { level: number; may: readonly string[] }>> = {
  core: { level: 0, may: [] },
  host: { level: 0, may: [] },
  io: { level: 1, may: ["core", "host"] },
  gpu: { level: 1, may: ["core", "host"] },
  graph: { level: 2, may: ["core", "gpu"] },
  ops: { level: 3, may: ["core", "gpu", "graph"] },
  autodiff: { level: 4, may: ["core", "gpu", "graph", "ops"] },
  nn: { level: 5, may: ["core", "gpu", "graph", "ops", "autodiff"] },
  models: { level: 6, may: ["core", "host", "io", "gpu", "graph", "ops", "autodiff", "nn"] },
  losses: { level: 6, may: ["core", "gpu", "graph", "ops", "autodiff", "nn"] },
  optim: { level: 6, may: ["core", "gpu", "graph", "ops", "autodiff", "nn"] },
  data: { level: 6, may: ["core", "host", "io"] },
  slides: { level: 7, may: ["core", "host", "io", "data"] },
  volumes: { level: 7, may: ["core", "host", "io", "data"] },
  train: { level: 8, may: belowTop() },
  embed: { level: 8, may: belowTop() },
  eval: { level: 8, may: belowTop() },
  report: { level: 8, may: ["core", "io"] },
  verify: { level: 9, may: [...belowTop(), "train"] },
  evidence: { level: 9, may: [...belowTop(), "eval", "report"] },
  methods: { level: 10, may: [...belowTop(), "train", "eval", "report", "evidence", "verify"] },
  worker: { level: 11, may: ["core", "host", "io", "data", "slides"] },
  run: {
    level: 12,
    may: [...belowTop(), "train", "embed", "eval", "report", "evidence", "methods", "verify", "worker"],
  },
  module: { level: 14, may: ["*"] },
  cli: { level: 13, may: ["*"] },
};

/**
 * Files of src/ that may talk to the host: all others go through src/host, which runs in Deno and in Node. What a page has
 * instead (`NAME_web.ts`) names neither.
 */
const HOST_FILES = /^src\/(cli|host)\/(?!.*_web\.ts$)/;
/** Entry points, of which one may be part of another. */
const ENTRIES: ReadonlySet<string> = new Set(["browser.ts", "engine.ts", "io.ts", "mod.ts", "train.ts"]);
/** Operations, which are the files of src/ops with a table of cases; the others are shared between operations. */
const OPS: ReadonlySet<string> = new Set(caseTables());
/** Top-level folders in which everything is allowed. */
const FREE: ReadonlySet<string> = new Set(["tests", "scripts", "bench"]);

function caseTables(): string[] {
  try {
    return [...Deno.readDirSync(new URL("../../tests/cases/", import.meta.url))].map((entry) =>
      `src/ops/${entry.name}`
    );
  } catch {
    return [];
  }
}

function belowTop(): readonly string[] {
  return [
    "core",
    "host",
    "io",
    "gpu",
    "graph",
    "ops",
    "autodiff",
    "nn",
    "models",
    "losses",
    "optim",
    "data",
    "slides",
    "volumes",
  ];
}

/**
 * Says why `file` may not import `specifier`.
 *
 * @param file Path below the repository root, with forward slashes.
 * @param specifier The specifier as written.
 * @returns The complaint, or undefined where the import is allowed.
 */
export function importComplaint(file: string, specifier: string): string | undefined {
  const top = file.split("/")[0] ?? "";
  if (FREE.has(top)) return undefined;
  const folder = top === "src" ? file.split("/")[1] ?? "" : "";
  const layer = LAYERS[folder];
  if (top === "src" && layer === undefined) {
    return `src/${folder} has no row in the import table: add one to scripts/lint/layers.ts`;
  }
  if (specifier.startsWith("node:")) {
    return hostAllowed(file) ? undefined : `${file} may not import ${specifier}: only src/host and src/cli may`;
  }
  if (!/^\.{0,2}\//.test(specifier)) {
    if (layer === undefined || folder === "io" || folder === "host" || layer.level >= 6) return undefined;
    return `src/${folder} may not import the package ${specifier}: wrap it in one file of src/io`;
  }
  const target = resolve(file, specifier);
  if (target.startsWith("kernels/")) {
    return file === "src/gpu/kernels.gen.ts" ? undefined : `${file} may not import ${target}: only kernels.gen.ts may`;
  }
  if (!target.startsWith("src/")) {
    return target.startsWith("data/") || (ENTRIES.has(file) && ENTRIES.has(target))
      ? undefined
      : `${file} may not import ${target}: it is not part of the product`;
  }
  const to = target.split("/")[1] ?? "";
  if (layer === undefined) {
    return to !== "cli" && LAYERS[to] !== undefined ? undefined : `Nothing may import src/${to}`;
  }
  if (to === folder) {
    return folder === "ops" && OPS.has(target)
      ? `${file} may not import another op (${target}): shared code has a file without a case table`
      : undefined;
  }
  if (layer.may.includes("*") || layer.may.includes(to)) return undefined;
  return `src/${folder} (level ${layer.level}) may not import src/${to}: allowed are ${layer.may.join(", ") || "none"}`;
}

/** Whether `file` may use `Deno`, `node:*`, `process` and `console`. */
export function hostAllowed(file: string): boolean {
  return FREE.has(file.split("/")[0] ?? "") || HOST_FILES.test(file);
}

function resolve(file: string, specifier: string): string {
  return new URL(specifier, `file:///${file}`).pathname.slice(1);
}

/** Path of `filename` below the repository root. */
function relative(filename: string): string {
  const root = decodeURIComponent(new URL("../../", import.meta.url).pathname);
  const path = filename.replaceAll("\\", "/");
  return path.startsWith(root) ? path.slice(root.length) : path;
}

/** The specifier of `import("…")` in a type position; its node differs between parser versions. */
function typeImportSpecifier(node: Deno.lint.TSImportType): string | undefined {
  const argument = node.argument as unknown as { value?: unknown; literal?: { value?: unknown } };
  const value = argument.value ?? argument.literal?.value;
  return typeof value === "string" ? value : undefined;
}

const imports: Deno.lint.Rule = {
  create(ctx) {
    const file = relative(ctx.filename);
    function look(node: Deno.lint.Node, specifier: unknown): void {
      if (typeof specifier !== "string") return;
      const complaint = importComplaint(file, specifier);
      if (complaint !== undefined) ctx.report({ node, message: complaint });
    }
    return {
      ImportDeclaration: (node) => look(node, node.source.value),
      ExportAllDeclaration: (node) => look(node, node.source.value),
      ExportNamedDeclaration: (node) => look(node, node.source?.value),
      ImportExpression: (node) => look(node, node.source.type === "Literal" ? node.source.value : undefined),
      TSImportType: (node) => look(node, typeImportSpecifier(node)),
    };
  },
};

const host: Deno.lint.Rule = {
  create(ctx) {
    const file = relative(ctx.filename);
    if (hostAllowed(file)) return {};
    function report(node: Deno.lint.Node, name: string): void {
      const hint = name === "console"
        ? "Use core/log.ts"
        : "Take the capability as an argument, or go through src/io/fs.ts or src/host";
      ctx.report({ node, message: `${file} may not use ${name}`, hint });
    }
    return {
      MemberExpression(node) {
        if (node.object.type !== "Identifier") return;
        const name = node.object.name;
        if (name === "Deno" || name === "process" || name === "console") report(node, name);
        if (name === "globalThis" && node.property.type === "Identifier" && node.property.name === "Deno") {
          report(node, "Deno");
        }
      },
      TSQualifiedName(node) {
        if (node.left.type === "Identifier" && node.left.name === "Deno") report(node, "Deno");
      },
    };
  },
};

const defaultExport: Deno.lint.Rule = {
  create(ctx) {
    const file = relative(ctx.filename);
    if (FREE.has(file.split("/")[0] ?? "")) return {};
    return {
      ExportDefaultDeclaration: (node) =>
        ctx.report({ node, message: "The product has named exports only: one name per symbol, everywhere" }),
    };
  },
};

const plugin: Deno.lint.Plugin = {
  name: "layers",
  rules: { imports, host, "no-default-export": defaultExport },
};
export default plugin;
