/** Which features a device is asked for. */

import assert from "node:assert/strict";
import { DeviceError } from "../../src/core/errors.ts";
import { requestGpu } from "../../src/gpu/device.ts";
import { MATRIX_FEATURE } from "../../src/gpu/matrix_units.ts";

/** What is asked of an adapter that lists these features beside its own; it is granted its own. */
async function askedOf(more: readonly string[]): Promise<string[]> {
  const asked: string[] = [];
  const requestAdapter = async (options?: GPURequestAdapterOptions) => {
    const adapter = (await navigator.gpu.requestAdapter(options))!;
    const request = adapter.requestDevice.bind(adapter);
    const own = [...adapter.features] as string[];
    Object.defineProperty(adapter, "features", { value: new Set([...own, ...more]) });
    adapter.requestDevice = (wanted = {}) => {
      const features = [...wanted.requiredFeatures ?? []];
      asked.push(...features);
      return request({ ...wanted, requiredFeatures: features.filter((name) => own.includes(name)) });
    };
    return adapter;
  };
  (await requestGpu({ requestAdapter } as unknown as GPU)).destroy();
  return asked.sort();
}

Deno.test("subgroups are asked for with matrix units alone, whose kernels are the only ones to use them", async () => {
  const own = await askedOf([]);
  assert.ok(!own.includes("subgroups"), own.join());
  assert.deepEqual(await askedOf(["subgroups"]), own);
  assert.deepEqual(await askedOf(["subgroups", MATRIX_FEATURE]), [MATRIX_FEATURE, "subgroups", ...own].sort());
});

Deno.test("an adapter that refuses is named", async () => {
  const adapter = { features: new Set(), limits: {}, info: { description: "Broken" } };
  const requestDevice = () => Promise.reject(new TypeError("no more devices\nat all"));
  const broken = { requestAdapter: () => Promise.resolve({ ...adapter, requestDevice }) };
  await assert.rejects(
    requestGpu(broken as unknown as GPU),
    (error) =>
      error instanceof DeviceError && error.message === "Cannot open the adapter Broken: TypeError: no more devices",
  );
});
