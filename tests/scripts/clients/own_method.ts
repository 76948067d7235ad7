/** A method of one's own: expression from the features of a frozen encoder by a linear layer. */

import { loadEncoder, openHest, train } from "../../../mod.ts";
import { linear, meanAll, Parameters, Plan, readback, Rng, square, sub, torchLinear } from "../../../engine.ts";
import { defineMethod } from "../../../train.ts";
const rowsOf = (table: number[], width: number, items: Uint32Array) =>
  Float32Array.from([...items].flatMap((i) => table.slice(i * width, (i + 1) * width)));
const probe = defineMethod({
  name: "probe",
  keys: {
    encoder: { kind: "text", default: "conch", doc: "Frozen encoder" },
    genes: { kind: "number", default: 50, min: 1, integer: true, doc: "Genes that are predicted" },
  },
  metrics: ["mse"],
  best: { metric: "mse", mode: "min" },
  async data({ encoder: name, genes }) {
    const pairs = await (await openHest("data/hest")).pairs({ genes, panelGenes: 1, holdOut: { donors: 1 } });
    using encoder = await loadEncoder(name);
    const read = async (part: "train" | "test") => {
      const [x, y]: [number[], number[]] = [[], []];
      for await (const { images, expression } of pairs.batches({ part })) {
        x.push(...(await encoder.embed(images)).data);
        y.push(...expression);
      }
      return { x, y };
    };
    const data = { train: await read("train"), test: await read("test"), dim: encoder.dim };
    return { data, items: data.train.y.length / genes, fingerprint: `${name} ${pairs.genes}` };
  },
  model(gpu, { batch_size: B, seed, genes }, { train, test, dim }) {
    const parameters = new Parameters(gpu);
    const layer = torchLinear(parameters, "layer", [dim, genes], new Rng(seed));
    parameters.allocate();
    const predict = async (x: Float32Array) => {
      const plan = new Plan(gpu);
      const y = linear(plan, plan.constant(`x${x.length}`, [x.length / dim, dim], "f32", () => x), layer);
      plan.output(y);
      const program = await plan.compile();
      program.run();
      return await readback(gpu, y).then(([values]) => (program.destroy(), values as Float32Array));
    };
    return {
      step: {
        parameters,
        fields: (of) => ({ x: of.tensor("input", "x", [B, dim]), y: of.tensor("input", "y", [B, genes]) }),
        objective: (g, _, { x, y }) => ({ loss: meanAll(g, square(g, sub(g, linear(g, x!, layer), y!))) }),
      },
      batch: (items) => ({ fields: { x: rowsOf(train.x, dim, items), y: rowsOf(train.y, genes, items) } }),
      predict,
      async evaluate() {
        const said = await predict(Float32Array.from(test.x));
        return { mse: test.y.reduce((sum, y, i) => sum + (y - said[i]!) ** 2, 0) / said.length };
      },
    };
  },
});
const encoder = "random:vit_small_patch16_224?dim=32&depth=2&heads=2&img=32";
const config = { encoder, genes: 8, epochs: 8, batch_size: 16, lr: 0.02 };
await using run = await (await train(probe, { out: "runs/probe", config })).open();
console.log("mse", (await run.evaluate()).mse, (await run.predict(new Float32Array(64))).length);
