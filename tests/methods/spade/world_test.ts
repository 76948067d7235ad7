/**
 * SPADE on a world of types with relations of their own: clusters, routing, the lead over controls, checkpoints that go on.
 *
 * @seconds 60
 */

import assert from "node:assert/strict";
import { WeightsError } from "../../../src/core/errors.ts";
import { kmeans } from "../../../src/eval/kmeans.ts";
import { adjustedRand } from "../../eval/rand_index.ts";
import { ExpertBank } from "../../../src/methods/spade/bank.ts";
import { routerOf } from "../../../src/methods/spade/evidence.ts";
import { shapeOf, valuesOf } from "../../../src/methods/spade/session.ts";
import { readSaved } from "../../../src/methods/spade/checkpoint.ts";
import { findCheckpoint } from "../../../src/run/checkpoints.ts";
import { readSafetensorsF32, writeSafetensorsF32 } from "../../../src/io/torch/safetensors.ts";
import { DEFAULT_LIMITS, openGpu } from "../../gpu/shared.ts";
import { spadeTraining } from "../../../src/methods/spade/training.ts";
import { configOf, dataOf, embed, neighbourPearson, recallWithinTypes, rowsOf, trainWorld } from "./driver.ts";
import { makeWorld, SG1, WORLD } from "./world.ts";

const gpu = await openGpu({ limits: DEFAULT_LIMITS });
const folder = Deno.makeTempDirSync({ prefix: "spade_world_" });
const world = makeWorld(SG1, 0);
const [train, test] = [rowsOf(world, 0, SG1.train), rowsOf(world, SG1.train, SG1.rows)];

/** The published training is longer and its steps smaller: `scripts/methods/spade/world.ts`. */
const config = configOf({
  ...{ fine: 8, coarse: 8, width: 16, lr: 6e-3, epochs: 20, batch_size: 128, eval_every: 10, log_every: 1000 },
  controls: "single,random",
});
const { session } = await trainWorld(gpu, config, dataOf(world), { folder });

Deno.test.afterAll(() => {
  session.close();
  gpu.destroy();
  Deno.removeSync(folder, { recursive: true });
});

const bankOf = (name: string) => session.banks.find((bank) => bank.name === name)!;

async function judged(name: string) {
  const [a, b] = [await embed(session, bankOf(name), train), await embed(session, bankOf(name), test)];
  const pearson = neighbourPearson(
    { gene: a.gene, type: train.type, expression: train.gene },
    { image: b.image, type: test.type, expression: test.gene },
    a.width,
  );
  return { recall: recallWithinTypes(b, test.type), pearson, made: b };
}

Deno.test("fine and coarse clusters together are the types", () => {
  const { fine, table, experts, organs, notes } = session.state.clusters!;
  assert.equal(experts, WORLD.types);
  assert.deepEqual([...new Set(organs)], ["organ 0", "organ 1", "organ 2"]);
  const labels = Array.from(fine, (k) => table[k]!);
  assert.ok(adjustedRand(labels, train.type) >= 0.95);
  assert.deepEqual(notes, []);
});

Deno.test("the curve of an organ bends at its number of types", async () => {
  const own = Array.from({ length: SG1.train }, (_, r) => r).filter((r) => world.organ[r] === 0);
  const rows = {
    name: "organ 0",
    count: own.length,
    dim: SG1.dim,
    read: (from: number, to: number) =>
      Float32Array.from(own.slice(from, to).flatMap((r) => [...world.image.subarray(r * SG1.dim, (r + 1) * SG1.dim)])),
  };
  const inertia: number[] = [];
  for (const clusters of [2, 4, 8, 16, 32]) {
    inertia.push((await kmeans(gpu, rows, { clusters, seed: 1, restarts: 3 })).inertia);
  }
  const mean = inertia.reduce((a, b) => a + b, 0) / inertia.length;
  const std = Math.sqrt(inertia.reduce((a, b) => a + (b - mean) ** 2, 0) / inertia.length);
  const z = inertia.map((value) => (value - mean) / std);
  const bends = [1, 2, 3].map((i) => z[i - 1]! - 2 * z[i]! + z[i + 1]!);
  assert.equal(bends.indexOf(Math.max(...bends)), 1, `second differences at 4, 8 and 16 are ${bends}`);
});

Deno.test("rows go to the expert of their nearest centroid; those beyond all centres are flagged", async () => {
  const values = await valuesOf(session, bankOf("spade"));
  for (const [temperature, least] of [[0.1, 0.99], [1e-3, 1]] as const) {
    const router = { ...routerOf(session), temperature };
    const bank = await ExpertBank.compile(gpu, { router, shape: shapeOf(session, "spade"), values });
    const { routing } = await bank.run(test.image);
    const agree = routing.expert.filter((e, r) => router.table[routing.nearest[r]!] === e).length;
    assert.ok(agree >= least * routing.expert.length, `${agree} of ${routing.expert.length} at ${temperature}`);
    const flagged = routing.outside.reduce((a, b) => a + b, 0);
    assert.ok(flagged <= 0.02 * routing.outside.length, `${flagged} of ${routing.outside.length} are flagged`);
    // A centre three times as far out as any.
    const away = Float32Array.from(test.image.subarray(0, 10 * SG1.dim), (value) => 3 * value);
    assert.ok((await bank.run(away)).routing.outside.every((flag) => flag === 1));
    bank.destroy();
  }
});

Deno.test("experts lead over one expert for all and over a random partition, and only in their places", async () => {
  const [spade, single, random] = [await judged("spade"), await judged("single"), await judged("random")];
  const text = JSON.stringify([spade, single, random].map(({ recall, pearson }) => [recall, pearson]));
  assert.ok(spade.recall - single.recall >= 0.2, text);
  assert.ok(spade.pearson - single.pearson >= 0.05, text);
  assert.ok(spade.recall - random.recall >= 0.4, text);
  assert.ok(spade.pearson - random.pearson >= 0.2, text);
  const rolled = await embed(session, bankOf("spade"), {
    ...test,
    change: ([first, ...others]) => [...others, first!],
  });
  const lost = spade.recall - recallWithinTypes(rolled, test.type);
  assert.ok(lost >= 0.5, `rolling the table loses ${lost}`);
});

Deno.test("what is saved and read again says the same, bit for bit; anything else is refused", async () => {
  const found = findCheckpoint(folder, "last")!;
  const shape = (bank: string) => shapeOf(session, bank as "spade");
  const saved = readSaved(found.read, found.path, shape);
  const values = Array.from({ length: 8 }, (_, e) => saved.experts.get(`spade.${e}`)!);
  const options = { shape: shapeOf(session, "spade"), sides: ["img", "gene"] as const };
  const once = await ExpertBank.compile(gpu, {
    ...options,
    router: routerOf(session),
    values: await valuesOf(session, bankOf("spade")),
  });
  const again = await ExpertBank.compile(gpu, {
    ...options,
    router: { ...saved.clusters!, temperature: saved.facts.temperature },
    values,
  });
  const [image, gene] = [test.image.subarray(0, 100 * SG1.dim), test.gene.subarray(0, 100 * WORLD.genes)];
  const [a, b] = [await once.run(image, gene), await again.run(image, gene)];
  assert.deepEqual(b, a);
  once.destroy();
  again.destroy();

  const { tensors } = readSafetensorsF32(found.read("spade.safetensors")!, "spade");
  const changed = (change: (all: Map<string, { shape: readonly number[]; data: Float32Array }>) => void) => {
    const all = new Map(tensors);
    change(all);
    const bytes = writeSafetensorsF32(all);
    return (name: string) => (name === "spade.safetensors" ? bytes : found.read(name));
  };
  const refused = (read: (name: string) => Uint8Array | undefined, message: RegExp) =>
    assert.throws(() => readSaved(read, "run", shape), (error: Error) => {
      assert.ok(error instanceof WeightsError, String(error));
      assert.match(error.message, message);
      return true;
    });
  refused(changed((all) => all.delete("spade.3.img.w2")), /spade\.3\.img\.w2 is missing, expected it of \[16,16\]/);
  refused(changed((all) => all.set("spade.3.img.w3", all.get("spade.3.img.w2")!)), /it holds spade\.3\.img\.w3/);
  refused(
    changed((all) => all.set("centroids", { shape: [24, 16], data: new Float32Array(384) })),
    /centroids is \[24,16\], expected \[24,32\]/,
  );
  refused(
    changed((all) => all.set("table", { shape: [24], data: new Float32Array(24).fill(9) })),
    /table names expert 9, expected experts below 8/,
  );
  const other = new TextDecoder().decode(found.read("spade.json")!).replace(/"genes_sha": "\w+"/, '"genes_sha": "0f"');
  refused(
    (name) => (name === "spade.json" ? new TextEncoder().encode(other) : found.read(name)),
    /genes\.json: hash \w+ of its genes, expected 0f of spade\.json/,
  );
  refused((name) => (name === "spade.json" ? undefined : found.read(name)), /spade\.json: it is missing/);
});

Deno.test("stopped in any stage, a run goes on to the same bytes", async () => {
  const small = makeWorld({ ...SG1, rows: 720, train: 600 }, 3);
  const short = configOf({
    ...{ fine: 4, coarse: 3, width: 8, lr: 2e-3, epochs: 4, batch_size: 32, log_every: 1 },
    controls: "single,wide,random",
  });
  const data = dataOf(small);
  const bytes = (run: string) =>
    ["spade.safetensors", "spade.json", "model.safetensors", "best.safetensors", "optimizer.safetensors"].map((name) =>
      findCheckpoint(run, "last")!.read(name)!
    );
  const whole = await trainWorld(gpu, short, data);
  const { facts, agree } = spadeTraining(whole.session).inputs;
  agree(facts, "RUN", true);
  for (const [name, changed] of [["genes", "genes"], ["data", "samples"], ["features", "features"]] as const) {
    const wanted = new RegExp(`Cannot go on with RUN: ${changed} changed since`);
    assert.throws(() => agree({ ...facts, [name]: "0" }, "RUN", true), wanted);
  }
  whole.session.close();
  const wanted = bytes(whole.folder);
  const metrics = Deno.readTextFileSync(`${whole.folder}/metrics.jsonl`);
  const broken = Deno.makeTempDirSync({ prefix: "spade_stop_" });
  let stops = 0;
  // Stops fall within experts, between them, and within controls.
  for (const after of [3, 17, 40, 41, 9, 60, Infinity]) {
    const { session, reason } = await trainWorld(gpu, short, data, { folder: broken, after });
    session.close();
    if (reason === "interrupted") stops++;
    if (reason !== "interrupted") break;
  }
  assert.ok(stops >= 4, `${stops} stops`);
  bytes(broken).forEach((found, i) => assert.deepEqual(found, wanted[i], `file ${i}`));
  assert.equal(Deno.readTextFileSync(`${broken}/metrics.jsonl`), metrics);
  for (const run of [whole.folder, broken]) Deno.removeSync(run, { recursive: true });
});
