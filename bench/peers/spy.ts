/**
 * Watches what a library asks of WebGPU: which adapter it got, and how many dispatches, submits and waits it makes.
 *
 * The counts show that repeated work is really repeated, and that nobody waits for the device in between. Import this before the library.
 *
 * @module
 */

/** What was seen so far. */
export interface Seen {
  dispatches: number;
  submits: number;
  /** Waits for the device: `mapAsync` and `onSubmittedWorkDone`. */
  waits: number;
  /** Adapters handed out, in order. */
  adapters: { description: string; software: boolean }[];
  /** Validation or memory errors that nobody caught. */
  errors: string[];
}

/** Running totals of this process. */
export const seen: Seen = { dispatches: 0, submits: 0, waits: 0, adapters: [], errors: [] };

// deno-lint-ignore no-explicit-any
type AnyFunction = (this: any, ...args: any[]) => any;

function wrap(owner: object, name: string, around: (original: AnyFunction) => AnyFunction): void {
  const methods = owner as Record<string, AnyFunction>;
  const original = methods[name];
  if (original !== undefined) methods[name] = around(original);
}

function count(counter: "dispatches" | "submits" | "waits", owner: object, ...names: string[]): void {
  for (const name of names) {
    wrap(owner, name, (original) =>
      function (...args) {
        seen[counter]++;
        return original.apply(this, args);
      });
  }
}

/** Starts watching. */
export function install(): void {
  count("dispatches", GPUComputePassEncoder.prototype, "dispatchWorkgroups", "dispatchWorkgroupsIndirect");
  count("submits", GPUQueue.prototype, "submit");
  count("waits", GPUQueue.prototype, "onSubmittedWorkDone");
  count("waits", GPUBuffer.prototype, "mapAsync");
  wrap(GPU.prototype, "requestAdapter", (original) =>
    async function (...args) {
      const adapter: GPUAdapter | null = await original.apply(this, args);
      if (adapter !== null) {
        const { description, vendor, isFallbackAdapter } = adapter.info;
        // Some software drivers do not mark themselves.
        const software = isFallbackAdapter || /llvmpipe|lavapipe|swiftshader|software/i.test(description);
        seen.adapters.push({ description: description || vendor, software });
      }
      return adapter;
    });
  wrap(GPUAdapter.prototype, "requestDevice", (original) =>
    async function (...args) {
      const device: GPUDevice = await original.apply(this, args);
      device.addEventListener("uncapturederror", (event) => {
        event.preventDefault();
        seen.errors.push((event as GPUUncapturedErrorEvent).error.message);
      });
      return device;
    });
}
