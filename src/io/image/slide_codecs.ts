/**
 * Packages that decode what only slides hold, loaded when such a slide is met. A page takes `slide_codecs_web.ts` in its place.
 *
 * @module
 */

/** Starts OpenJPEG. @param options As Emscripten's modules take them. */
export async function startOpenjpeg(options: Record<string, unknown>): Promise<unknown> {
  const { default: start } = await import("@cornerstonejs/codec-openjpeg/decodewasmjs") as unknown as {
    default: (options: Record<string, unknown>) => Promise<unknown>;
  };
  return await start(options);
}

/** Starts libwebp. @param options As Emscripten's modules take them. */
export async function startWebp(options: Record<string, unknown>): Promise<unknown> {
  const { default: start } = await import("@jsquash/webp/codec/dec/webp_dec.js") as unknown as {
    default: (options: Record<string, unknown>) => Promise<unknown>;
  };
  return await start(options);
}
