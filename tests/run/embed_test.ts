/** The device is given back however embedding ends. */

import assert from "node:assert/strict";
import { SILENT } from "../../src/core/reporter.ts";
import { type EmbedMachine, type EmbedOptions, withEmbedder } from "../../src/run/embed.ts";
import { openGpu } from "../gpu/shared.ts";

const ENCODER = "random:vit_small_patch16_224?dim=32&depth=1&patch=8&img=32";

/** A machine that counts the devices which are open, and were. */
function counting(): EmbedMachine & { open: number; opened: number } {
  const machine = {
    open: 0,
    opened: 0,
    reporter: SILENT,
    signal: new AbortController().signal,
    gracefully: <T>(act: () => Promise<T>) => act(),
    async openGpu() {
      const gpu = await openGpu();
      machine.open++;
      machine.opened++;
      const destroy = gpu.destroy.bind(gpu);
      gpu.destroy = () => (machine.open--, destroy());
      return gpu;
    },
  };
  return machine;
}

Deno.test("withEmbedder() gives the device back after work, work that fails, and a batch of none; none is opened for an encoder that is not there", async () => {
  const machine = counting();
  const options: EmbedOptions = { paths: [], encoder: ENCODER, precision: "f32", overwrite: false };
  const dim = await withEmbedder(options, machine, (_, { encoder }) => {
    assert.equal(machine.open, 1);
    return Promise.resolve(encoder.dim);
  });
  assert.deepEqual([dim, machine.open], [32, 0]);
  await assert.rejects(withEmbedder(options, machine, () => Promise.reject(new Error("full"))), /^Error: full$/);
  assert.equal(machine.open, 0);
  const batches = { ...options, batchSize: 0 };
  await assert.rejects(withEmbedder(batches, machine, () => Promise.resolve()), /Cannot embed in batches of 0/);
  const none = { ...options, encoder: "conhc" };
  await assert.rejects(withEmbedder(none, machine, () => Promise.resolve()), /Cannot find encoder "conhc"/);
  assert.deepEqual([machine.open, machine.opened], [0, 3]);
});
