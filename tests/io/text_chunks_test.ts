/** Text that is made while it is written has the bytes of the whole, in pieces. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { textChunks } from "../../src/io/text_chunks.ts";

Deno.test("textChunks() gives the bytes of the whole, encoded in pieces while it is made", () => {
  const line = "größer als 0, 100 µm 🙂\n";
  let made = 0;
  function* lines(): Generator<string> {
    for (let i = 0; i < 20_000; i++) {
      made++;
      yield line;
    }
  }
  const chunks: Uint8Array[] = [];
  for (const chunk of textChunks(lines())) {
    chunks.push(chunk);
    // Nothing is made ahead of what was asked for.
    assert.ok(made * line.length <= chunks.length * ((1 << 16) + line.length));
    assert.ok(chunk.length < 1 << 18);
  }
  assert.equal(made, 20_000);
  assert.equal(Buffer.concat(chunks).toString(), line.repeat(20_000));
  assert.deepEqual([...textChunks([])], []);
});
