/**
 * Damaged and hostile weights files, seeded: what a reader does with each must be a correct read or a typed error, soon and in
 * little memory. Used by the tests with few mutants and by `scripts/fuzz_weights.ts` with many.
 */

import assert from "node:assert/strict";
import { cpuUsage } from "node:process";
import { ConfigError, DataError, FormatError, LimitError } from "../../src/core/errors.ts";
import { Rng } from "../../src/core/rng.ts";
import { readAdapter } from "../../src/io/torch/peft.ts";
import { flattenTensors, openTorch, stateDictOf } from "../../src/io/torch/pth.ts";
import { fromBytes, fromMap } from "../../src/io/random_access.ts";
import { openWeights, openWeightsFolder, type Weights } from "../../src/io/torch/weights.ts";
import { openZip, readEntry } from "../../src/io/zip.ts";
import {
  concat,
  digests,
  fixture,
  fixtureBytes,
  hex,
  le32,
  pickle,
  sha256,
  tensorPickle,
  text,
  torchFiles,
  utf8,
  zipBytes,
} from "./weights_shared.ts";

/** What a reader took from a mutant, for the libraries to confirm. */
export interface Accepted {
  extension: string;
  bytes: Uint8Array;
  path: string;
  tensors: Awaited<ReturnType<typeof digests>>;
}

/** One reader under test. */
export interface Target {
  name: string;
  /** Makes mutant `i` and reads it; returns what was read, or throws. Wrong reads throw AssertionError. */
  run(rng: Rng): Promise<Accepted | undefined>;
}

/** What happened to a series of mutants. */
export interface Tally {
  read: number;
  refused: number;
  /** Milliseconds of the processor for one, whatever else the machine does. */
  slowestMs: number;
  /** Most resident bytes above what the process had before: other tests may run in it. */
  growth: number;
  accepted: Accepted[];
}

const INTERESTING: readonly number[] = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];

/** Changes a copy of `bytes` in one to four places. */
export function mutate(bytes: Uint8Array, rng: Rng): Uint8Array<ArrayBuffer> {
  let out = Uint8Array.from(bytes);
  for (let n = rng.below(3) ? 0 : 1 + rng.below(3); n >= 0; n--) {
    const at = rng.below(Math.max(1, out.length));
    const length = 1 + rng.below(16);
    switch (rng.below(11)) {
      case 0:
      case 1:
      case 2:
      case 3:
        if (out.length) out[at]! ^= 1 << rng.below(8);
        break;
      case 4:
        if (out.length) out[at] = rng.below(256);
        break;
      case 5:
        out = out.slice(0, at);
        break;
      case 6:
        out = concat(out, Uint8Array.from({ length }, () => rng.below(256)));
        break;
      case 7:
        out = concat(out.subarray(0, at), Uint8Array.from({ length }, () => rng.below(256)), out.subarray(at));
        break;
      case 8:
        out = concat(out.subarray(0, at), out.subarray(at + length));
        break;
      case 9: // A length, a count or an index becomes an interesting one.
        out.set(
          le32(INTERESTING[rng.below(INTERESTING.length)]!).subarray(0, Math.min(1 << rng.below(3), out.length - at)),
          at,
        );
        break;
      default: { // A piece comes again elsewhere.
        const from = rng.below(Math.max(1, out.length));
        out = concat(out.subarray(0, at), out.subarray(from, from + length * 4), out.subarray(at));
      }
    }
  }
  return out;
}

async function readAll(weights: Weights, extension: string, bytes: Uint8Array): Promise<Accepted> {
  for (const tensor of weights.tensors.values()) {
    assert.equal((await tensor.read()).length, tensor.bytes);
    assert.equal(tensor.shape.reduce((a, b) => a * b, 1), tensor.count);
  }
  return { extension, bytes, path: weights.path, tensors: await digests(weights.tensors) };
}

/** safetensors: what is read must be the slices its own header tells, as a second, naive reader finds them. */
function safetensorsTarget(): Target {
  const seeds = ["types.safetensors", "unpadded.safetensors", "adapter/adapter_model.safetensors"].map(fixtureBytes);
  return {
    name: "safetensors",
    async run(rng) {
      const seed = seeds[rng.below(seeds.length)]!;
      const header = 8 + Number(new DataView(seed.buffer).getBigUint64(0, true));
      // The data has no structure: mostly the header, which is kept in step with its length half of the time.
      let bytes = concat(mutate(seed.subarray(0, header), rng), seed.subarray(header));
      if (rng.below(2)) {
        const json = mutate(seed.subarray(8, header), rng);
        bytes = concat(new Uint8Array(8), json, seed.subarray(header));
        new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
      }
      const weights = await openWeights(fromBytes(bytes, "mutant"));
      const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
      const json = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
      delete json.__metadata__;
      assert.deepEqual([...weights.tensors.keys()].sort(), Object.keys(json).sort());
      for (const [name, tensor] of weights.tensors) {
        const [from, to] = json[name].data_offsets;
        assert.equal(hex(await tensor.read()), hex(bytes.subarray(8 + length + from, 8 + length + to)));
        assert.deepEqual([tensor.dtype, tensor.shape], [json[name].dtype, json[name].shape]);
      }
      return await readAll(weights, ".safetensors", bytes);
    },
  };
}

/** Zip archives: with checksums verified, what is read must be what was there before. */
async function zipTarget(): Promise<Target> {
  const made = pickle(0x80, 2, "}", text("w"), tensorPickle("0", 6, 2, [2, 2], [1, 2]), "s.");
  const seeds = [
    ...["types.pth", "protocol5.bin", "big_endian.pth", "checkpoint.pth"].map(fixtureBytes),
    await zipBytes(torchFiles(made), { zip64: true }),
  ];
  const originals = await Promise.all(
    seeds.map(async (seed) => await digests((await openWeights(fromBytes(seed, "seed"))).tensors)),
  );
  return {
    name: "zip",
    async run(rng) {
      const i = rng.below(seeds.length);
      const seed = seeds[i]!;
      // Headers at the end and the beginning count most.
      const cut = rng.below(3) === 0 ? 0 : Math.max(0, seed.length - 1500);
      const bytes = concat(seed.subarray(0, cut), mutate(seed.subarray(cut), rng));
      const weights = await openWeights(fromBytes(bytes, "mutant"), { verify: true });
      const accepted = await readAll(weights, ".pth", bytes);
      assert.deepEqual({ ...accepted.tensors }, { ...originals[i] });
      return accepted;
    },
  };
}

/** Reads every tensor of a pickle's archive, and compares each with a naive walk over its storage. */
async function checkTorch(files: readonly (readonly [string, Uint8Array])[], tolerant: boolean): Promise<Accepted> {
  const bytes = await zipBytes(files);
  const weights = await openWeights(fromBytes(bytes, "mutant"), { tolerant });
  const accepted = await readAll(weights, ".pth", bytes);
  const file = await openTorch(await openZip(fromBytes(bytes, "mutant")), { tolerant });
  for (const [name, tensor] of flattenTensors(stateDictOf(file.tree, "mutant").value, "mutant")) {
    const storage = files.find(([path]) => path.endsWith(`/data/${tensor.storage.key}`))![1];
    const width = weights.tensors.get(name)!.bytes / Math.max(1, weights.tensors.get(name)!.count);
    const out: Uint8Array[] = [];
    const walk = (dim: number, at: number): void => {
      if (dim === tensor.shape.length) out.push(storage.subarray(at * width, (at + 1) * width));
      else for (let i = 0; i < tensor.shape[dim]!; i++) walk(dim + 1, at + i * tensor.stride[dim]!);
    };
    if (weights.tensors.get(name)!.count > 100_000) continue;
    if (!tensor.shape.includes(0)) walk(0, tensor.offset);
    const little = file.littleEndian ? out : out.map((element) => element.slice().reverse());
    assert.equal(accepted.tensors[name]![2], sha256(concat(...little)), name);
  }
  return accepted;
}

/** Pickles: mutants with good checksums around them. */
async function pickleTarget(): Promise<Target> {
  const seeds = await Promise.all(
    ["types.pth", "protocol4.pt", "checkpoint.pth", "counter.pth", "big_endian.pth"].map(async (name) => {
      const zip = await openZip(fixture(name));
      return await Promise.all(
        [...zip.entries.values()].map(async (entry) => [entry.name, await readEntry(zip, entry, 1 << 20)] as const),
      );
    }),
  );
  return {
    name: "pickle",
    async run(rng) {
      const seed = seeds[rng.below(seeds.length)]!;
      const files = seed.map(([name, bytes]) =>
        [name, name.endsWith("data.pkl") ? mutate(bytes, rng) : bytes] as const
      );
      return await checkTorch(files, rng.below(4) === 0);
    },
  };
}

/** Pickles made of operations at random: nested, shared, repeated, with lengths and indices of any size. */
function hostileTarget(): Target {
  const singles = utf8("()]}t]ldaeus0N1");
  const operation = (rng: Rng): Uint8Array => {
    const number = () => le32(rng.below(3) ? rng.below(8) : INTERESTING[rng.below(INTERESTING.length)]!);
    switch (rng.below(14)) {
      case 0:
        return pickle("q", rng.below(4));
      case 1:
        return pickle("h", rng.below(4));
      case 2:
        return pickle(rng.below(2) ? "r" : "j", number());
      case 3:
        return pickle("X", number(), "abc");
      case 4:
        return pickle("J", number());
      case 5:
        return tensorPickle(String(rng.below(2)), 6, rng.below(4), [rng.below(4), rng.below(4)], [
          rng.below(4),
          rng.below(4),
        ]);
      case 6:
        return utf8(
          [
            "ccollections\nOrderedDict\n)R",
            "cbuiltins\nlist\nh\x00\x85R",
            "ctorch\nSize\n(K\x02tR",
            "cos\nsystem\n",
            "ctorch.storage\nUntypedStorage\n",
          ][rng.below(5)]!,
        );
      case 7: // The same again and again.
        return concat(
          ...Array.from(
            { length: 1 << rng.below(14) },
            () => utf8(["]", "(", ")", "}", "N", "h\x00", "h\x00h\x00\x86q\x00"][rng.below(7)]!),
          ),
        );
      case 8:
        return Uint8Array.of(0x85 + rng.below(3));
      case 9:
        return Uint8Array.of(rng.below(256));
      case 10:
        return pickle(0x8a, rng.below(12), Uint8Array.from({ length: 12 }, () => rng.below(256)));
      case 11:
        return Uint8Array.of(0x94);
      default:
        return singles.slice(rng.below(singles.length)).subarray(0, 1);
    }
  };
  return {
    name: "hostile pickle",
    async run(rng) {
      const body = Array.from({ length: 1 + rng.below(40) }, () => operation(rng));
      const framed = pickle(0x80, 2, "}(", text("w"), ...body, "u.");
      return await checkTorch(torchFiles(framed), rng.below(2) === 0);
    },
  };
}

/** Shards: a mutant of the index or of one shard. */
function shardsTarget(): Target {
  const names = ["model.safetensors.index.json", ...[1, 2, 3].map((i) => `model-0000${i}-of-00003.safetensors`)];
  const files = new Map(names.map((name) => [name, fixtureBytes(`sharded/${name}`)]));
  return {
    name: "shards",
    async run(rng) {
      const name = names[Math.max(0, rng.below(6) - 2)]!;
      const copy = new Map<string, Uint8Array>(files).set(name, mutate(files.get(name)!, rng));
      const weights = await openWeightsFolder(fromMap(copy, "mutant"));
      for (const tensor of weights.tensors.values()) assert.equal((await tensor.read()).length, tensor.bytes);
      return undefined;
    },
  };
}

/** Adapters: a mutant of the configuration or of the matrices. */
function adapterTarget(): Target {
  const folders = ["adapter", "adapter_patterns", "adapter_rslora"];
  return {
    name: "adapter",
    async run(rng) {
      const folder = folders[rng.below(folders.length)]!;
      const files = ["adapter_config.json", "adapter_model.safetensors"].map((name) =>
        [name, fixtureBytes(`${folder}/${name}`)] as [string, Uint8Array]
      );
      const chosen = files[rng.below(4) === 0 ? 1 : 0]!;
      chosen[1] = mutate(chosen[1], rng);
      const adapter = await readAdapter(fromMap(new Map(files), "mutant"));
      for (const { rank, scale, a, b } of adapter.modules.values()) {
        assert.ok(Number.isFinite(scale) && a.shape[0] === rank && b.shape[1] === rank);
        assert.equal((await a.readF32()).length + (await b.readF32()).length, a.count + b.count);
      }
      return undefined;
    },
  };
}

/** Every reader of weights. */
export async function targets(): Promise<Target[]> {
  return [
    safetensorsTarget(),
    await zipTarget(),
    await pickleTarget(),
    hostileTarget(),
    shardsTarget(),
    adapterTarget(),
  ];
}

function isTyped(error: unknown): boolean {
  return [FormatError, DataError, LimitError, ConfigError].some((kind) => error instanceof kind);
}

/**
 * Runs `count` mutants.
 *
 * @throws What broke the rules, with the number of the mutant.
 */
export async function fuzz(target: Target, count: number, seed: number, keep: number = 0): Promise<Tally> {
  const before = Deno.memoryUsage().rss;
  const tally: Tally = { read: 0, refused: 0, slowestMs: 0, growth: 0, accepted: [] };
  for (let i = 0; i < count; i++) {
    const started = cpuUsage();
    try {
      const accepted = await target.run(new Rng(seed, i));
      tally.read++;
      if (accepted && tally.accepted.length < keep) tally.accepted.push(accepted);
    } catch (error) {
      if (!isTyped(error)) {
        throw new Error(`${target.name}, seed ${seed}, mutant ${i}: ${String(error)}`, { cause: error });
      }
      tally.refused++;
    }
    const { user, system } = cpuUsage(started);
    tally.slowestMs = Math.max(tally.slowestMs, (user + system) / 1000);
    tally.growth = Math.max(tally.growth, Deno.memoryUsage().rss - before);
  }
  return tally;
}
