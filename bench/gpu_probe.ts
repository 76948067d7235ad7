/**
 * Prints the WebGPU adapter as one JSON line for `bench/gpu.sh`.
 *
 * Exit status 0: a hardware adapter; 3: only a software adapter; 6: none.
 *
 * @module
 */

const adapter: GPUAdapter | null = await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" }) ?? null;
if (adapter === null) {
  console.error("Cannot find a WebGPU adapter: the Vulkan loader gave no usable driver");
  Deno.exit(6);
}
const { description, vendor, architecture, isFallbackAdapter } = adapter.info;
// Some software drivers do not mark themselves.
const software = isFallbackAdapter || /llvmpipe|lavapipe|swiftshader|software/i.test(description);
console.log(
  JSON.stringify({ adapter: description || vendor, vendor, architecture, software, deno: Deno.version.deno }),
);
Deno.exit(software ? 3 : 0);
