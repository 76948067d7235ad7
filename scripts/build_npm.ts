/**
 * Builds the npm package into dist/npm: modules and types by TypeScript's own compiler, and one file for pages by esbuild.
 *
 * Sources are copied to a stage first. There, texts that Deno imports (kernels, the report's page) become constants, and for the
 * page's file each module `NAME.ts` beside which there is a `NAME_web.ts` gives way to that: so nothing of a host is in it.
 * Compilers are npm packages of pinned versions in data/cache/platform/build; without a network they must be there already.
 *
 * @module
 */

import { exec, ROOT } from "./exec.ts";

/** Where the compilers are. */
const TOOLS = `${ROOT}data/cache/platform/build`;
/** Where the package is built. */
export const OUT: string = `${ROOT}dist/npm`;
/** Below the compilers, so that packages are found from there. */
const STAGE = `${TOOLS}/stage`;
/** Versions of the compilers. */
export const COMPILERS = { typescript: "5.9.3", esbuild: "0.28.2", "@types/node": "22.19.1" };
/** Types of WebGPU, which TypeScript's own library lacks. */
const TYPES = { "@webgpu/types": "0.1.74" };
const DAWN = "^0.6.0";
const ENTRIES = ["mod.ts", "engine.ts", "io.ts", "train.ts"];
/** Modules that are started and not imported. */
const THREADS = ["src/worker/decode.ts", "src/worker/digest.ts", "src/worker/patch.ts", "src/worker/tile.ts"];
const PAGE = "browser.ts";
/** Modules that come without types. */
const UNTYPED = ["@cornerstonejs/codec-openjpeg/decodewasmjs"];
const AMBIENT = "untyped.d.ts";
/** Packages that are in the page's file and in nothing else. */
const OF_PAGE = ["fzstd", "pako"];
/** What no file for pages may name. */
export const HOST_NAMES: readonly RegExp[] = [
  /\bDeno\s*[.[]/,
  /\bprocess\s*[.[]/,
  /\bBuffer\s*[.(]/,
  /["'`]node:/,
  /\brequire\s*\(/,
  /\b__dirname\b/,
];

interface Config {
  version: string;
  license: string;
  imports: Record<string, string>;
}

const config = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`)) as Config;

/** Packages that the product needs at run time, and their versions. */
function dependencies(): Record<string, string> {
  return Object.fromEntries(
    Object.values(config.imports).filter((target) => target.startsWith("npm:")).map((target) => {
      const [, name, version] = /^npm:\/?((?:@[^/]+\/)?[^@/]+)@([^/]+)/.exec(target)!;
      return [name!, version!] as const;
    }),
  );
}

async function must(command: string, args: readonly string[], cwd: string): Promise<void> {
  const { code, output } = await exec(command, args, { cwd, quiet: true });
  if (code === 0) return;
  console.error(`${command} ${args.join(" ")} failed:\n${output}`);
  Deno.exit(1);
}

async function installTools(): Promise<void> {
  const manifest = JSON.stringify({
    private: true,
    type: "module",
    dependencies: { ...COMPILERS, ...TYPES, ...dependencies() },
  });
  const there = await Deno.readTextFile(`${TOOLS}/done.json`).catch(() => "");
  if (there === manifest) return;
  await Deno.mkdir(TOOLS, { recursive: true });
  await Deno.writeTextFile(`${TOOLS}/package.json`, manifest);
  await must("npm", ["install", "--no-audit", "--no-fund", "--loglevel=error"], TOOLS);
  await Deno.writeTextFile(`${TOOLS}/done.json`, manifest);
}

async function remove(path: string): Promise<void> {
  await Deno.remove(path, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}

async function* files(folder: string): AsyncGenerator<string> {
  for (const entry of await Array.fromAsync(Deno.readDir(folder))) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) yield* files(path);
    else yield path;
  }
}

/** Imports of texts as constants. */
async function withTexts(source: string, folder: string): Promise<string> {
  let out = source;
  for (const [whole, name, path] of source.matchAll(/^import (\w+) from "([^"]+)" with \{ type: "text" \};$/gm)) {
    const text = await Deno.readTextFile(`${folder}/${path}`);
    out = out.replace(whole, () => `const ${name}: string = ${JSON.stringify(text)};`);
  }
  return out;
}

/** Copies the sources. @param page Whether for pages. */
async function stage(page: boolean): Promise<string> {
  const to = `${STAGE}/${page ? "page" : "node"}`;
  await remove(to);
  const sources = await Array.fromAsync(files(`${ROOT}src`));
  for (const path of [...(page ? [PAGE, "engine.ts"] : ENTRIES).map((name) => ROOT + name), ...sources]) {
    const name = path.slice(ROOT.length);
    if (name.startsWith("src/cli/") || !/\.(ts|json)$/.test(name) || name.endsWith("_web.ts")) continue;
    const web = path.replace(/\.ts$/, "_web.ts");
    const from = page && sources.includes(web) ? web : path;
    const text = await withTexts(await Deno.readTextFile(from), path.replace(/\/[^/]*$/, ""));
    await Deno.mkdir(`${to}/${name}`.replace(/\/[^/]*$/, ""), { recursive: true });
    await Deno.writeTextFile(
      `${to}/${name}`,
      text.replace(/(new URL\("\.\/[^"]+)\.ts"(, import\.meta\.url\))/g, '$1.js"$2'),
    );
  }
  await Deno.writeTextFile(`${to}/${AMBIENT}`, UNTYPED.map((name) => `declare module "${name}";\n`).join(""));
  await Deno.writeTextFile(`${to}/package.json`, '{ "type": "module" }');
  return to;
}

/** Compiles modules and types; what is reached from `entries` is written. */
async function compile(from: string, to: string, entries: readonly string[], options: object): Promise<void> {
  await Deno.writeTextFile(
    `${from}/tsconfig.json`,
    JSON.stringify({
      files: [...entries, AMBIENT],
      compilerOptions: {
        target: "es2022",
        lib: ["esnext", "dom", "dom.iterable"],
        module: "nodenext",
        strict: true,
        exactOptionalPropertyTypes: true,
        noUncheckedIndexedAccess: true,
        noImplicitOverride: true,
        skipLibCheck: true,
        resolveJsonModule: true,
        rewriteRelativeImportExtensions: true,
        declaration: true,
        noEmitHelpers: false,
        types: ["node", "@webgpu/types"],
        rootDir: ".",
        outDir: to,
        ...options,
      },
    }),
  );
  await must("node", [`${TOOLS}/node_modules/typescript/bin/tsc`, "-p", "."], from);
  for await (const path of files(to)) {
    if (!path.endsWith(".d.ts")) continue;
    const text = await Deno.readTextFile(path);
    const renamed = text.replace(/((?:from|import)\s*\(?\s*")(\.[^"]+)\.ts"/g, '$1$2.js"');
    // What the libraries of a user's compiler may lack is named at the top of each.
    const heads = [
      ...(/\bGPU\w*\b/.test(renamed) ? ['<reference types="@webgpu/types" />'] : []),
      ...(/\b(?:Async)?Disposable\b|Symbol\.(?:asyncD|d)ispose/.test(renamed)
        ? ['<reference lib="esnext.disposable" />']
        : []),
    ].filter((head) => !renamed.includes(head));
    await Deno.writeTextFile(path, heads.map((head) => `/// ${head}\n`).join("") + renamed);
  }
}

async function bundlePage(from: string): Promise<void> {
  const options = {
    entryPoints: [PAGE],
    bundle: true,
    minify: true,
    keepNames: true,
    legalComments: "none",
    target: ["chrome113", "firefox141", "safari26"],
    format: "esm",
    platform: "browser",
    outfile: `${OUT}/browser/seal.js`,
  };
  // By esbuild's own interface: what npm installs as its command is a script on some systems and a program on others.
  await Deno.writeTextFile(
    `${from}/bundle.mjs`,
    `import { build } from "esbuild";\nawait build(${JSON.stringify(options)});\n`,
  );
  await must("node", ["bundle.mjs"], from);
  const text = await Deno.readTextFile(`${OUT}/browser/seal.js`);
  const named = HOST_NAMES.filter((name) => name.test(text));
  if (named.length === 0) return;
  for (const name of named) {
    const at = text.search(name);
    console.error(
      `Cannot ship browser/seal.js: it names a host, ${name}: ${text.slice(Math.max(0, at - 80), at + 80)}`,
    );
  }
  Deno.exit(1);
}

function manifest(): string {
  const own = Object.fromEntries(Object.entries(dependencies()).filter(([name]) => !OF_PAGE.includes(name)));
  const entry = (path: string) => ({ types: `./${path}.d.ts`, default: `./${path}.js` });
  return JSON.stringify(
    {
      name: "seal-webgpu",
      version: config.version,
      description: "Pathology encoders on WebGPU, fine-tuned with spatial transcriptomics",
      license: config.license,
      type: "module",
      engines: { node: ">=22.15" },
      sideEffects: false,
      main: "./mod.js",
      types: "./mod.d.ts",
      exports: {
        ".": {
          browser: { types: "./browser/browser.d.ts", default: "./browser/seal.js" },
          ...entry("mod"),
        },
        "./engine": entry("engine"),
        "./io": entry("io"),
        "./train": entry("train"),
        "./browser": { types: "./browser/browser.d.ts", default: "./browser/seal.js" },
        "./package.json": "./package.json",
      },
      dependencies: { ...own, ...TYPES },
      peerDependencies: { webgpu: DAWN },
      peerDependenciesMeta: { webgpu: { optional: true } },
    },
    undefined,
    2,
  );
}

/** Builds the package. */
export async function build(): Promise<void> {
  await installTools();
  await remove(OUT);
  await Deno.mkdir(OUT, { recursive: true });
  await compile(await stage(false), OUT, [...ENTRIES, ...THREADS], {});
  const page = await stage(true);
  await compile(page, `${OUT}/browser`, [PAGE], { emitDeclarationOnly: true, types: ["@webgpu/types"] });
  await bundlePage(page);
  for (const name of ["LICENSE", "README.md", "CHANGELOG.md"]) await Deno.copyFile(ROOT + name, `${OUT}/${name}`);
  await Deno.writeTextFile(`${OUT}/package.json`, `${manifest()}\n`);
}

if (import.meta.main) {
  await build();
  const size = (await Deno.stat(`${OUT}/browser/seal.js`)).size;
  console.log(`dist/npm is the package; its file for pages has ${(size / 1e6).toFixed(2)} MB`);
}
