/**
 * WebGPU of a page.
 *
 * @module
 */

/** WebGPU of the host; undefined where there is none. */
export function hostGpu(): Promise<GPU | undefined> {
  return Promise.resolve(globalThis.navigator?.gpu);
}

/** What gives the host an adapter. */
export function adapterHint(): string {
  return "Use a browser with WebGPU switched on, and a page from https or localhost";
}
