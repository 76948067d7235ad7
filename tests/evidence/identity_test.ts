/** What a result is of stands in one sentence, which changes with each of its parts, in `run.json` of every method's runs. */

import assert from "node:assert/strict";
import { encoderIdentity, featuresIdentity, identityNote } from "../../src/evidence/identity.ts";
import type { Gpu } from "../../src/gpu/device.ts";

Deno.test("encoder, genes, split, seed, adapter and limits are named, and another of any is another sentence", () => {
  const limits = { maxBufferSize: 2 ** 28, maxStorageBufferBindingSize: 2 ** 27 };
  const gpu = { description: "an adapter", caps: { limits } } as unknown as Gpu;
  const given = {
    encoder: encoderIdentity("uni2-h", "0123456789abcdef"),
    genes: "a".repeat(64),
    split: [["S1", "train"], ["S2", "test"]] as const,
    seed: 3,
    gpu,
  };
  const note = identityNote(given);
  assert.match(
    note,
    /^encoder uni2-h, 0123456789ab; genes a{12}, split [0-9a-f]{12} \(SHA-256\); seed 3; an adapter, buffers of 256 MiB, bindings of 128 MiB at most$/,
  );
  const others = [
    identityNote({ ...given, encoder: "uni" }),
    identityNote({ ...given, genes: "b".repeat(64) }),
    identityNote({ ...given, split: [["S1", "test"], ["S2", "train"]] }),
    identityNote({ ...given, seed: 4 }),
    identityNote({ ...given, gpu: { ...gpu, description: "another" } as Gpu }),
  ];
  assert.equal(new Set([note, ...others]).size, 6);
  const { genes: _, ...without } = given;
  assert.match(identityNote(without), /ab; split [0-9a-f]{12} \(SHA-256\); seed 3;/);
  assert.match(identityNote({ seed: undefined, gpu }), /^an adapter, /);
  assert.equal(identityNote({ encoder: "uni", seed: 1, gpu: undefined }), "encoder uni; seed 1; no device");
  assert.equal(featuresIdentity({ encoder: "uni", weights_sha256: "ab".repeat(32) }), "uni, abababababab");
  assert.equal(featuresIdentity({ encoder: "uni" }), "uni");
  assert.equal(featuresIdentity({}), "of the features, which do not name it");
});
