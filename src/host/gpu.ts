/**
 * The host's WebGPU: `navigator.gpu`, or Dawn's, which the npm package `webgpu` gives to Node and, where it is asked for, to
 * Deno. A page takes `gpu_web.ts` in its place.
 *
 * @module
 */

interface DawnModule {
  create(options: string[]): GPU;
  readonly globals: object;
}

/** Matrix units are an experiment of the standard: Dawn offers them only so. */
const TOGGLES: readonly string[] = ["enable-dawn-features=allow_unsafe_apis"];

/** Kept, by module: what Dawn made lives no longer than it. */
const opened = new Map<string, Promise<GPU>>();

async function load(module: string): Promise<GPU> {
  // By a name that no bundler follows: the package is optional.
  const { create, globals } = await import(module) as DawnModule;
  for (const [key, value] of Object.entries(globals)) {
    if (!(key in globalThis)) Object.assign(globalThis, { [key]: value });
  }
  return create([...TOGGLES]);
}

/**
 * Dawn's WebGPU.
 *
 * @param module What is imported: the package's name, or the URL of its module.
 * @throws What the import throws where the package is missing or has nothing for this system.
 */
export function openDawn(module = "webgpu"): Promise<GPU> {
  const known = opened.get(module) ?? load(module);
  opened.set(module, known);
  return known;
}

/** WebGPU of the host; undefined where there is none. */
export async function hostGpu(): Promise<GPU | undefined> {
  const own = globalThis.navigator?.gpu;
  if (own !== undefined || "Deno" in globalThis) return own;
  return await openDawn().catch(() => undefined);
}

/** What gives the host an adapter. */
export function adapterHint(): string {
  return "Deno" in globalThis
    ? "deno task doctor --install"
    : "npm install webgpu, or pass the GPU object of what else gives WebGPU; without a graphics card, install a software driver";
}
