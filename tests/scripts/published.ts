/** The published files, and the examples in their documentation. */

import config from "../../deno.json" with { type: "json" };
import { ROOT } from "../../scripts/exec.ts";
import { METHOD_NAMES } from "../../src/methods/index.ts";

/** What is left out of what is published. */
const EXCLUDED = config.publish.exclude.map((pattern) => globToRegExp(pattern));

/** A pattern of `publish.exclude`: names with `*`, folders with `**`. */
function globToRegExp(pattern: string): RegExp {
  const source = pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&").replace(
    /\*\*\/|\*/g,
    (one) => one === "*" ? "[^/]*" : "(?:.*/)?",
  );
  return new RegExp(`^${source}$`);
}

/** Copies what is published to a folder. */
export function publishedCopy(folder: string): void {
  const copy = (path: string) => {
    if (EXCLUDED.some((excluded) => excluded.test(path))) return;
    const from = `${ROOT}${path}`;
    const to = `${folder}/${path}`;
    if (Deno.statSync(from).isDirectory) {
      Deno.mkdirSync(to, { recursive: true });
      for (const { name } of Deno.readDirSync(from)) copy(`${path}/${name}`);
    } else {
      Deno.mkdirSync(to.replace(/\/[^/]*$/, ""), { recursive: true });
      Deno.copyFileSync(from, to);
    }
  };
  for (const path of config.publish.include) copy(path);
}

/** A block of TypeScript in documentation. */
export interface Example {
  /** File it stands in. */
  readonly from: string;
  readonly code: string;
}

/** All blocks that begin with ` ```ts ` and import the package by its name, of README and the documentation of `src` and entry points. */
export function examples(): Example[] {
  const found: Example[] = [];
  const take = (from: string, text: string) => {
    for (const [, code] of text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)) {
      // A method may be taken out: see scripts/without_method.ts.
      const [, method] = /\btrain\("(\w+)"/.exec(code!) ?? [];
      if (method === undefined || METHOD_NAMES.includes(method)) found.push({ from, code: code! });
    }
  };
  take("README.md", Deno.readTextFileSync(`${ROOT}README.md`));
  const visit = (path: string): void => {
    if (path.endsWith(".ts")) {
      for (const [doc] of Deno.readTextFileSync(ROOT + path).matchAll(/\/\*\*[\s\S]*?\*\//g)) {
        const text = doc.replace(/^\/\*\*/, "").replace(/^[ \t]*\* ?/gm, "");
        if (text.includes(`"${config.name}`)) take(path, text);
      }
    } else if (!/\.\w+$/.test(path)) { for (const { name } of Deno.readDirSync(ROOT + path)) visit(`${path}/${name}`); }
  };
  for (const path of [...Object.values(config.exports).map((each) => each.slice(2)), "src"]) visit(path);
  return found;
}
