import assert from "node:assert/strict";
import { crc32c, fileVersionRecord, scalarRecord, tfRecord } from "../../src/io/tfevents.ts";

const text = new TextEncoder();

Deno.test("crc32c() gives the values of RFC 3720", () => {
  assert.equal(crc32c(text.encode("123456789")), 0xe3069283);
  assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
  assert.equal(crc32c(new Uint8Array(32).fill(255)), 0x62a8ab43);
  assert.equal(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e);
  assert.equal(crc32c(new Uint8Array()), 0);
});

Deno.test("event files are those of TensorBoard's own writer, byte for byte", async () => {
  const fixture = JSON.parse(
    await Deno.readTextFile(new URL("../fixtures/tfevents.json", import.meta.url)),
  ) as { events: [number, number, Record<string, number>][]; base64: string };
  const wanted = Uint8Array.from(atob(fixture.base64), (c) => c.charCodeAt(0));
  const bits = new DataView(new ArrayBuffer(4));
  const value = (word: number) => (bits.setUint32(0, word), bits.getFloat32(0));
  const records = [
    fileVersionRecord(),
    ...fixture.events.map(([wallTime, step, words]) =>
      scalarRecord({
        wallTime,
        step,
        scalars: Object.fromEntries(Object.entries(words).map(([tag, word]) => [tag, value(word)])),
      })
    ),
  ];
  let at = 0;
  for (const record of records) {
    assert.deepEqual(record, wanted.slice(at, at + record.length));
    at += record.length;
  }
  assert.equal(at, wanted.length);
  assert.equal(records.length, 7);
});

Deno.test("a record holds its length, the message and both checksums", () => {
  const record = tfRecord(text.encode("abc"));
  assert.equal(record.length, 19);
  assert.deepEqual([...record.subarray(0, 8)], [3, 0, 0, 0, 0, 0, 0, 0]);
  assert.equal(new TextDecoder().decode(record.subarray(12, 15)), "abc");
  assert.equal(tfRecord(new Uint8Array()).length, 16);
});
