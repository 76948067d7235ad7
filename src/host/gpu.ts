/**
 * The host's WebGPU: `navigator.gpu`, or Dawn's, which the npm package `webgpu` gives to Node. A page takes `gpu_web.ts` in its
 * place.
 *
 * @module
 */

interface Dawn {
  create(options: string[]): GPU;
  readonly globals: object;
}

/** Kept: what Dawn made lives no longer than it. */
let dawn: Promise<GPU | undefined> | undefined;

async function openDawn(): Promise<GPU | undefined> {
  // By a name that no bundler follows: the package is optional.
  const name = "webgpu";
  try {
    const { create, globals } = await import(name) as Dawn;
    for (const [key, value] of Object.entries(globals)) {
      if (!(key in globalThis)) Object.assign(globalThis, { [key]: value });
    }
    return create([]);
  } catch {
    return undefined;
  }
}

/** WebGPU of the host; undefined where there is none. */
export async function hostGpu(): Promise<GPU | undefined> {
  const own = globalThis.navigator?.gpu;
  if (own !== undefined || "Deno" in globalThis) return own;
  return await (dawn ??= openDawn());
}

/** What gives the host an adapter. */
export function adapterHint(): string {
  return "Deno" in globalThis
    ? "deno task doctor --install"
    : "npm install webgpu, or pass the GPU object of what else gives WebGPU; without a graphics card, install a software driver";
}
