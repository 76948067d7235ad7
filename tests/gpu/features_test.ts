/** Which features a device is asked for. */

import assert from "node:assert/strict";
import { DeviceError } from "../../src/core/errors.ts";
import { type GpuOptions, requestGpu } from "../../src/gpu/device.ts";
import { MATRIX_FEATURE } from "../../src/gpu/matrix_units.ts";
import { spelled, subgroupsOf } from "../../src/gpu/subgroups.ts";
import { deviceThat } from "./shared.ts";

/** What is asked of an adapter that lists these features beside its own; it is granted its own. */
async function askedOf(more: readonly string[], options: GpuOptions = {}): Promise<string[]> {
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
  (await requestGpu({ requestAdapter } as unknown as GPU, options)).destroy();
  return asked.sort();
}

Deno.test("subgroups are asked for with matrix units, which are of them, and else by name alone, listed or not", async () => {
  const own = await askedOf([]);
  assert.ok(!own.includes("subgroups"), own.join());
  assert.deepEqual(await askedOf(["subgroups"]), own);
  assert.deepEqual(await askedOf(["subgroups", MATRIX_FEATURE]), [MATRIX_FEATURE, "subgroups", ...own].sort());
  for (const listed of [[], ["subgroups"]]) {
    assert.deepEqual(await askedOf(listed, { subgroups: true }), ["subgroups", ...own].sort());
  }
});

Deno.test("subgroups are proved before kernels count on them; else the device says why there are none", async () => {
  const adapter = (await navigator.gpu.requestAdapter())!;
  const gpu = await requestGpu(navigator.gpu, { subgroups: true });
  const { subgroupMinSize: least, subgroupMaxSize: most } = adapter.info;
  if (!gpu.device.features.has("subgroups" as GPUFeatureName)) return gpu.destroy();
  assert.deepEqual(gpu.caps.subgroups, { least, most, named: false });
  assert.equal(gpu.withCaps({}).withoutSubgroups, "");
  const why = (info: Partial<GPUAdapterInfo>, device = gpu.device) => subgroupsOf(info, device);
  assert.match(String(await why({ subgroupMinSize: 4, subgroupMaxSize: 32 })), /^they have 4 to 32 invocations/);
  assert.match(String(await why({})), /does not say how many/);
  const plain = await requestGpu(navigator.gpu);
  assert.equal(plain.caps.subgroups, undefined);
  assert.equal(await why({ subgroupMinSize: 8, subgroupMaxSize: 8 }, plain.device), "the device was not granted them");
  // Invocations four places apart that are not of one subgroup, in the workgroup of 128 alone.
  const apart = (text: string) => text.includes("size(128)") ? text.replace("(i, 4u)", "(i, 2u)") : text;
  const other = await deviceThat(apart, { subgroups: true });
  assert.equal(other.caps.subgroups === undefined, false);
  assert.match(String(await why({ subgroupMinSize: 8, subgroupMaxSize: 8 }, other.device)), /do not follow each other/);
  for (const each of [gpu, plain, other]) each.destroy();
});

Deno.test("texts enable subgroups by name, but for compilers that do not know it", () => {
  const text = "enable subgroups;\nenable f16;\nalias T = f16;";
  const of = { least: 8, most: 32 };
  assert.equal(spelled(text, undefined), text);
  assert.equal(spelled(text, { ...of, named: true }), text);
  assert.equal(spelled(text, { ...of, named: false }), "enable f16;\nalias T = f16;");
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
