import { deepEqual, equal, match } from "node:assert/strict";
import plugin, { importComplaint, LAYERS } from "../../scripts/lint/layers.ts";

function complaints(file: string, source: string): string[] {
  const root = new URL("../../", import.meta.url).pathname;
  return Deno.lint.runPlugin(plugin, root + file, source).map((d) => `${d.id}: ${d.message}`);
}

Deno.test("layers accepts imports that point downward", () => {
  const source = `
    import { a } from "../core/errors.ts";
    import type { B } from "../gpu/device.ts";
    export { c } from "../graph/plan.ts";
    import { d } from "./cost.ts";
  `;
  deepEqual(complaints("src/ops/gelu.ts", source), []);
});

Deno.test("layers rejects imports that point upward, in every form an import can take", () => {
  const forms = [
    `import { a } from "../ops/gelu.ts";`,
    `import type { A } from "../ops/gelu.ts";`,
    `export * from "../ops/gelu.ts";`,
    `export { a } from "../ops/gelu.ts";`,
    `const m = await import("../ops/gelu.ts");`,
    `type A = import("../ops/gelu.ts").A;`,
  ];
  for (const form of forms) {
    const found = complaints("src/gpu/device.ts", form);
    equal(found.length, 1, form);
    match(found[0] ?? "", /^layers\/imports: src\/gpu \(level 1\) may not import src\/ops/);
  }
});

Deno.test("layers rejects an op that imports another op", () => {
  match(complaints("src/ops/linear.ts", `import { b } from "./layernorm.ts";`)[0] ?? "", /another op/);
});

Deno.test("layers rejects level 7 folders that import each other, and anything that imports cli", () => {
  equal(complaints("src/train/loop.ts", `import { a } from "../eval/probe.ts";`).length, 1);
  equal(complaints("src/embed/loop.ts", `import { a } from "../cli/main.ts";`).length, 1);
  equal(complaints("mod.ts", `export { a } from "./src/cli/main.ts";`).length, 1);
  equal(complaints("mod.ts", `export { a } from "./src/train/loop.ts";`).length, 0);
});

Deno.test("layers keeps data and report away from the GPU", () => {
  for (const folder of ["data", "report"]) {
    equal(complaints(`src/${folder}/a.ts`, `import { a } from "../gpu/device.ts";`).length, 1, folder);
    equal(complaints(`src/${folder}/a.ts`, `import { a } from "../io/png.ts";`).length, 0, folder);
  }
});

Deno.test("layers lets only kernels.gen.ts import kernels", () => {
  equal(importComplaint("src/gpu/kernels.gen.ts", "../../kernels/gelu_fwd.wgsl"), undefined);
  match(importComplaint("src/gpu/pipelines.ts", "../../kernels/gelu_fwd.wgsl") ?? "", /only kernels\.gen\.ts/);
});

Deno.test("layers rejects a folder without a row, product code that imports tests, and packages below level 6", () => {
  match(importComplaint("src/utils/a.ts", "./b.ts") ?? "", /no row/);
  match(importComplaint("src/core/a.ts", "../../tests/close.ts") ?? "", /not part of the product/);
  match(importComplaint("src/nn/a.ts", "somepackage") ?? "", /wrap it/);
  equal(importComplaint("src/io/hdf5/h5.ts", "somepackage"), undefined);
});

Deno.test("layers rejects Deno, node:, process and console outside the places that own the host", () => {
  const sources = [
    `Deno.readFileSync("a");`,
    `globalThis.Deno.exit(1);`,
    `let f: Deno.FsFile;`,
    `import { a } from "node:fs";`,
    `process.exit(1);`,
    `console.log(1);`,
  ];
  for (const source of sources) {
    for (const barred of ["src/nn/linear.ts", "src/io/fs.ts", "src/worker/tile.ts", "src/host/zlib_web.ts"]) {
      equal(complaints(barred, source).length, 1, `${barred}: ${source}`);
    }
    for (const free of ["src/host/files.ts", "src/cli/train.ts", "tests/a.ts", "scripts/a.ts"]) {
      equal(complaints(free, source).length, 0, `${free}: ${source}`);
    }
  }
});

Deno.test("layers rejects default exports in the product only", () => {
  equal(complaints("src/nn/linear.ts", `export default 1;`).length, 1);
  equal(complaints("scripts/lint/x.ts", `export default 1;`).length, 0);
});

Deno.test("layers: the table itself points downward", () => {
  for (const [name, { level, may }] of Object.entries(LAYERS)) {
    for (const to of may) {
      if (to === "*") continue;
      const below = LAYERS[to]?.level ?? Infinity;
      equal(below < level, true, `${name} (level ${level}) may import ${to} (level ${below})`);
    }
  }
});
