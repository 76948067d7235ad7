/** Checksums of files by workers beside those of this thread: equal, side by side, begun ahead, of files that change or go. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { DataError } from "../../src/core/errors.ts";
import { contentHash, contentHashAhead } from "../../src/run/content_hash.ts";
import { digestAhead, digestOf } from "../../src/worker/digest_pool.ts";

/** A folder with a file that workers hash, whose content depends on the seed. */
async function inFolder(test: (folder: string, large: (name: string, seed: number) => string) => Promise<void>) {
  const folder = await Deno.makeTempDir();
  const large = (name: string, seed: number): string => {
    const bytes = new Uint8Array((64 << 20) + 12_345);
    for (let i = 0; i < bytes.length; i += 997) bytes[i] = (i * seed) >> 3;
    Deno.writeFileSync(`${folder}/${name}`, bytes);
    return createHash("sha256").update(bytes).digest("hex");
  };
  try {
    await test(folder, large);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("large files, several at once, and small ones have the checksums of this thread", () =>
  inFolder(async (folder, large) => {
    const wanted = [large("a", 3), large("b", 5), large("c", 7)];
    Deno.writeTextFileSync(`${folder}/d`, "abc");
    wanted.push(createHash("sha256").update("abc").digest("hex"));
    const found = await Promise.all(["a", "b", "c", "d"].map((name) => digestOf([{ path: `${folder}/${name}` }])));
    assert.deepEqual(found, wanted);
    const joined = createHash("sha256").update("x").update(Deno.readFileSync(`${folder}/a`)).update("abc");
    assert.equal(
      await digestOf(["x", { path: `${folder}/a` }, { path: `${folder}/d` }]),
      joined.digest("hex"),
    );
  }));

Deno.test("a checksum begun ahead is that of the file as it is when asked for", () =>
  inFolder(async (folder, large) => {
    const path = `${folder}/a`;
    const first = large("a", 3);
    digestAhead([{ path }]);
    assert.equal(await digestOf([{ path }]), first);
    digestAhead([{ path }]);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const second = large("a", 11);
    assert.notEqual(second, first);
    assert.equal(await digestOf([{ path }]), second);
    contentHashAhead([folder]);
    const whole = await contentHash([folder]);
    assert.equal(await contentHash([folder]), whole);
  }));

Deno.test("a file that is not there is told when it is asked for", () =>
  inFolder(async (folder, large) => {
    large("a", 3);
    const parts = [{ path: `${folder}/a` }, { path: `${folder}/none` }];
    digestAhead(parts);
    await assert.rejects(digestOf(parts), (error) => error instanceof DataError && /none/.test(error.message));
    digestAhead([{ path: `${folder}/a` }]);
    Deno.removeSync(`${folder}/a`);
    await assert.rejects(digestOf([{ path: `${folder}/a` }]), DataError);
  }));
