/** A method of one's own, from the entry points alone: it learns, stops and goes on to the same bytes, and refuses what does not fit. */

import assert from "node:assert/strict";
import { linear, meanAll, Parameters, Rng, square, sub, torchLinear } from "../../engine.ts";
import { openRun, train, type TrainingEvent } from "../../mod.ts";
import { defineMethod, type StepModel } from "../../train.ts";
import { openGpu } from "../gpu/shared.ts";

const gpu = await openGpu();
const folder = Deno.makeTempDirSync({ prefix: "own_method_" });
Deno.test.afterAll(() => {
  gpu.destroy();
  Deno.removeSync(folder, { recursive: true });
});

const N = 64;
const line = defineMethod({
  name: "line",
  keys: { slope: { kind: "number", default: 2, doc: "Slope of the data" } },
  metrics: ["held_out"],
  best: { metric: "held_out", mode: "min" },
  rules: ({ slope }) => [[["slope"], slope !== 0, "Cannot learn a slope of 0", "slope: 1"]],
  data: ({ slope }) => ({ data: (i: number) => [i / N, slope * i / N], items: N, fingerprint: `line ${slope}` }),
  model(gpu, { batch_size, seed }, at) {
    const parameters = new Parameters(gpu);
    const layer = torchLinear(parameters, "layer", [1, 1], new Rng(seed));
    parameters.allocate();
    const column = (items: Uint32Array, c: number) => Float32Array.from(items, (i) => at(i)[c]!);
    return {
      step: {
        parameters,
        fields: (store) => ({
          x: store.tensor("input", "x", [batch_size, 1]),
          y: store.tensor("input", "y", [batch_size, 1]),
        }),
        objective: (g, _, { x, y }) => ({ loss: meanAll(g, square(g, sub(g, linear(g, x!, layer), y!))) }),
      },
      batch: (items) => ({ fields: { x: column(items, 0), y: column(items, 1) } }),
      async predict(x: number) {
        const [w, b] = [...(await parameters.read()).values()].map((values) => values[0]!);
        return w! * x + b!;
      },
      async evaluate() {
        const [w, b] = [...(await parameters.read()).values()].map((values) => values[0]!);
        return { held_out: Math.abs(w! + b! - at(N)[1]!) };
      },
    };
  },
});
const config = { slope: 3, epochs: 12, batch_size: 16, lr: 0.1, log_every: 1, save_every: 1 };

Deno.test("a method of one's own learns, and one that was stopped ends with the bytes of one that was not", async () => {
  const events: TrainingEvent[] = [];
  const whole = await train(line, { gpu, out: `${folder}/whole`, config, onStep: (event) => events.push(event) });
  assert.equal(whole.result.steps, 48);
  assert.ok(events.at(-1)!.loss! < events[0]!.loss! / 10, `${events[0]!.loss} to ${events.at(-1)!.loss}`);
  const stop = new AbortController();
  const stopped = { gpu, out: `${folder}/stopped`, config };
  const onStep = ({ step }: TrainingEvent) => step === 10 && stop.abort();
  await assert.rejects(train(line, { ...stopped, signal: stop.signal, onStep }), { name: "InterruptedError" });
  await train(line, stopped);
  for (const kind of ["last", "best"]) {
    const [a, b] = ["whole", "stopped"].map((run) =>
      Deno.readFileSync(`${folder}/${run}/checkpoints/${kind}/model.safetensors`)
    );
    assert.deepEqual(a, b, kind);
  }
  assert.ok(Deno.readTextFileSync(`${folder}/whole/report.html`).includes("line"));
  await assert.rejects(whole.saveAdapter(`${folder}/lora`), { name: "ConfigError", message: /it has none/ });
});

Deno.test("a run of a method of one's own predicts and evaluates with the weights of its checkpoint", async () => {
  const out = `${folder}/used`;
  const trained = await train(line, { gpu, out, config });
  const near = async (checkpoint: "best" | "last") => {
    await using run = await openRun(out, { gpu, method: line, checkpoint });
    const { held_out } = await run.evaluate();
    const y: number = await run.predict(1);
    assert.ok(Math.abs(Math.abs(y - 3) - held_out!) < 1e-6 && held_out! < 0.5, `${y}, ${held_out}`);
    assert.equal(run.model.step.parameters.count().all, 2);
    return held_out!;
  };
  assert.ok(await near("best") <= await near("last"));
  const run = await trained.open({ gpu });
  assert.equal(run.method, "line");
  await assert.rejects(run.retrieve({}), { name: "ConfigError", code: "method-unsupported" });
  await run.close();
  await run.close();
  await assert.rejects(run.predict(1), { name: "ConfigError", hint: /openRun/ });
  const bare = defineMethod({
    name: "line",
    keys: { slope: { kind: "number", default: 2, doc: "Slope of the data" } },
    data: ({ slope }) => ({ data: 0, items: N, fingerprint: `line ${slope}` }),
    model(gpu) {
      const parameters = new Parameters(gpu);
      const layer = torchLinear(parameters, "layer", [1, 1], new Rng(0));
      parameters.allocate();
      const fields = () => ({});
      const objective: StepModel<never>["objective"] = (g, z) => ({ loss: meanAll(g, linear(g, z!, layer)) });
      return { step: { parameters, fields, objective }, batch: () => ({ fields: {} }) };
    },
  });
  await using without = await openRun(out, { gpu, method: bare });
  await assert.rejects(without.predict(), { code: "method-unsupported", hint: /function predict/ });
  await assert.rejects(without.evaluate(), { code: "method-unsupported", hint: /function evaluate/ });
  await assert.rejects(openRun(out, { gpu }), { name: "ConfigError", hint: /openRun\(folder, \{ method \}\)/ });
  await assert.rejects(openRun(out, { gpu, method: { name: "line" } }), /defineMethod/);
  const other = defineMethod({
    name: "curve",
    keys: {},
    data: () => ({ data: 0, items: 2, fingerprint: "" }),
    model: () => assert.fail(),
  });
  await assert.rejects(openRun(out, { gpu, method: other }), { name: "ConfigError", message: /trained by line/ });
  const changed = defineMethod({
    name: "line",
    keys: { slope: { kind: "number", default: 2, doc: "" } },
    data: () => ({ data: 0, items: N, fingerprint: "another" }),
    model: () => assert.fail(),
  });
  await assert.rejects(openRun(out, { gpu, method: changed }), { name: "DataError", code: "data-changed" });
  gpu.check();
});

Deno.test("what does not fit is told: keys of the engine's names, values, rules, names, methods of nobody", async () => {
  const bad = { name: "line", data: () => ({ data: 0, items: 2, fingerprint: "" }), model: () => assert.fail() };
  assert.throws(() => defineMethod({ ...bad, keys: { lr: { kind: "number", default: 1, doc: "" } } }), /has a key lr/);
  assert.throws(() => defineMethod({ ...bad, name: "A line", keys: {} }), { name: "ConfigError" });
  const out = `${folder}/none`;
  await assert.rejects(train(line, { gpu, out, config: { slope: 0 } }), { name: "ConfigError", hint: "slope: 1" });
  await assert.rejects(train(line, { gpu, out, config: { batch_size: 100 } }), { name: "ConfigError", hint: /: 64/ });
  await assert.rejects(train(line, { gpu, out, config: { lr: 1e-3, min_lr: 1 } as never }), /min_lr is 1/);
  await assert.rejects(train({ name: "line" }, { gpu, out }), /defineMethod/);
  // @ts-expect-error No such key.
  await assert.rejects(train(line, { gpu, out, config: { slpoe: 1 } }), /did you mean slope/);
  assert.throws(() => Deno.statSync(out), Deno.errors.NotFound);
});
