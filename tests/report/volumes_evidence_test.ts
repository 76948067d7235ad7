// @seconds 15
/** Damaged and hostile evidence of volumes, seeded: drawn without a number that is none, or refused with its place, and left out. */

import assert from "node:assert/strict";
import { FormatError } from "../../src/core/errors.ts";
import { Rng } from "../../src/core/rng.ts";
import { readEvidence } from "../../src/report/evidence_read.ts";
import { renderReport } from "../../src/report/report.ts";
import { EVIDENCE_SCHEMA } from "../../src/report/run_evidence.ts";
import type { VolumesEvidence } from "../../src/report/volumes_evidence.ts";
import { mutate } from "../io/mutate.ts";
import { memoryDisk } from "../volumes/files.ts";

const MUTANTS = 500;
const bytesOf = (n: number) => btoa(String.fromCharCode(...Array.from({ length: n }, (_, i) => i * 37 % 256)));

const whole: VolumesEvidence = {
  ...{ schema: EVIDENCE_SCHEMA, spots: 12, serial: "Serial sections", unit: "log1p counts", genes: ["A", "B"] },
  sections: [{ name: "s1", away_um: 16, spots: 3 }, { name: "s2", away_um: 32, spots: 2 }],
  rows: [
    { id: "voi", label: "Head", scores: [[0.5, null], [0.25, -0.5]], errors: [0.9, 1.1] },
    { id: "copy", label: "Copy", scores: [[0.4, 0.1], [0.125, 0.5]], errors: [1, null] },
  ],
  differences: [{ of: "voi", over: "copy", section: "s1", mean: 0.05, low: -0.01, high: 0.11 }],
  shown: ["A"],
  measured: {
    ...{ section: [0, 0, 0, 1, 1], x: [0, 8, 16, 0, 8], y: [0, 0, 8, 8, 16], z: [16, 16, 16, 32, 32] },
    ...{ measured: [[0.5, 1, null, -1, 2]], predicted: [[0.25, 1.5, 0, -0.5, 1]] },
  },
  map: {
    image: { shape: [2, 4, 4], spacing_um: [16, 8, 8], values: bytesOf(32) },
    grid: { shape: [2, 2, 2], spacing_um: [16, 16, 16] },
    expression: [{ low: -1, high: 2, values: bytesOf(8) }],
  },
};

const utf8 = (text: string) => new TextEncoder().encode(text);

async function reportOf(file: Uint8Array) {
  const path = "run/evaluation/volumes.json";
  const metrics = JSON.stringify({ step: 0, loss: 1 }) + "\n";
  const disk = memoryDisk(
    new Map([["run/config.yaml", utf8("method: vortex\n")], ["run/metrics.jsonl", utf8(metrics)], [path, file]]),
  );
  const found = await readEvidence({ path: "run", disk });
  return { found, page: await renderReport(found) };
}

/** All places of a JSON value. */
function placesOf(value: unknown, path: readonly (string | number)[] = []): (readonly (string | number)[])[] {
  if (value === null || typeof value !== "object") return [path];
  const keys = Array.isArray(value) ? [...value.keys()] : Object.keys(value);
  return [path, ...keys.flatMap((key) => placesOf((value as Record<string, unknown>)[key], [...path, key]))];
}

const HOSTILE = [
  ...[null, true, -1, 0, 0.5, 3, 1e308, -1e308, 1e21, 2 ** 53, 4e9, "", "0", "\u0000", "</script><script>x", [], {}],
  ...[[[]], [null], [1e308], { length: 3 }, "!" + bytesOf(32).slice(1), "!" + bytesOf(8).slice(1)],
];

/** The evidence with a value replaced, left out or there twice. */
function changed(rng: Rng): string {
  const copy = structuredClone(whole) as unknown as Record<string | number, unknown>;
  for (let n = 1 + rng.below(2); n > 0; n--) {
    const places = placesOf(copy).filter(({ length }) => length > 0);
    const path = places[rng.below(places.length)]!;
    const last = path.at(-1)!;
    const parent = path.slice(0, -1).reduce((at, key) => at[key] as typeof copy, copy);
    const kind = rng.below(8);
    if (kind === 0 && Array.isArray(parent)) parent.splice(last as number, 1);
    else if (kind === 0) delete parent[last];
    else if (kind === 1 && Array.isArray(parent)) parent.push(structuredClone(parent[last as number]));
    else parent[last] = structuredClone(HOSTILE[rng.below(HOSTILE.length)]);
  }
  return JSON.stringify(copy);
}

/** What the page makes of data that was taken: no number that is none, and as many bytes as places. */
function checkPage(page: string, name: string): void {
  const from = page.indexOf('id="volumes"');
  assert.ok(from >= 0, `${name}: taken, but not drawn`);
  const drawn = page.slice(from);
  assert.doesNotMatch(drawn.slice(0, drawn.indexOf("</section>")), /NaN|Infinity|undefined|\[object/, name);
  assert.ok(!page.includes("</script><script>x"), `${name}: a text of the file is markup`);
  const block = /<script type="application\/json" id="data-volume">(.*?)<\/script>/s.exec(page);
  if (block === null) return;
  const { image, grid, expression } = JSON.parse(block[1]!);
  const size = ({ shape }: { shape: number[] }) => shape.reduce((a, b) => a * b, 1);
  assert.equal(atob(image.values).length, size(image), name);
  for (const { values } of expression) assert.equal(atob(values).length, size(grid), name);
}

Deno.test("evidence as it is written is drawn", async () => {
  const { found, page } = await reportOf(utf8(JSON.stringify(whole)));
  assert.deepEqual([found.errors, found.volumes], [[], whole]);
  checkPage(page, "whole");
  assert.match(page, /id="data-volume"/);
});

Deno.test(`${MUTANTS} hostile files: each is drawn, or named with file, place, found and expected and left out`, async () => {
  const bytes = utf8(JSON.stringify(whole));
  let refused = 0;
  for (let i = 0; i < MUTANTS; i++) {
    const rng = new Rng(22, i);
    const file = i % 4 === 0 ? mutate(bytes, rng) : utf8(changed(rng));
    const name = `mutant ${i}: ${new TextDecoder().decode(file)}`;
    const { found, page } = await reportOf(file);
    if (found.volumes !== undefined) {
      checkPage(page, name);
      continue;
    }
    refused++;
    const [error] = found.errors;
    assert.ok(error instanceof FormatError, `${name}: ${error}`);
    assert.match(error.message, /^Cannot read run\/evaluation\/volumes\.json(:[\w.[\]]+)?: .+, expected .+/, name);
    for (const fact of ["file", "path", "found", "expected"]) assert.ok(fact in error.context!, `${name}: no ${fact}`);
    assert.equal(found.missing.volumes, error.message, name);
    assert.ok(!page.includes('id="data-volume"'), name);
  }
  assert.ok(refused > MUTANTS / 2 && refused < MUTANTS, `${refused} refused`);
});
