import assert from "node:assert/strict";
import { FormatError, LimitError } from "../../src/core/errors.ts";
import { readPickle } from "../../src/io/torch/pickle.ts";
import { PickleGlobal, PickleTuple, type PickleValue } from "../../src/io/torch/pickle_value.ts";
import { fromBytes } from "../../src/io/random_access.ts";
import { TORCH_GLOBALS } from "../../src/io/torch/torch_globals.ts";
import { openWeights } from "../../src/io/torch/weights.ts";
import { locateEntry, openZip } from "../../src/io/zip.ts";
import { concat, le32, pickle, tensorPickle, text, torchFiles, utf8, zipBytes, zipSource } from "./weights_shared.ts";

function read(...parts: Parameters<typeof pickle>): PickleValue {
  return readPickle(pickle(...parts), { file: "made.pkl", globals: TORCH_GLOBALS });
}

Deno.test("readPickle() reads every operation it knows", () => {
  const b = (...bytes: number[]) => Uint8Array.from(bytes);
  const rows: [Parameters<typeof pickle>, PickleValue][] = [
    [["N"], null],
    [[0x88], true],
    [[0x89], false],
    [["J", b(255, 255, 255, 255)], -1],
    [["K", 7], 7],
    [["M", 1, 2], 513],
    [[0x8a, 0], 0],
    [[0x8a, 1, 255], -1],
    [[0x8a, 9, b(0, 0, 0, 0, 0, 0, 0, 0, 1)], 2n ** 64n],
    [["G", b(0x3f, 0xe0, 0, 0, 0, 0, 0, 0)], 0.5],
    [[text("é€")], "é€"],
    [[0x8c, 1, "a"], "a"],
    [[0x8d, b(1, 0, 0, 0, 0, 0, 0, 0), "a"], "a"],
    [["T", le32(2), b(0xe9, 0x80)], "\u00e9\u0080"],
    [["U", 1, b(0xe9)], "é"],
    [["B", le32(1), b(9)], b(9)],
    [["C", 1, b(9)], b(9)],
    [[0x8e, b(1, 0, 0, 0, 0, 0, 0, 0), b(9)], b(9)],
    [[")"], new PickleTuple([])],
    [["(NNt"], new PickleTuple([null, null])],
    [["N", 0x85], new PickleTuple([null])],
    [["NN", 0x86], new PickleTuple([null, null])],
    [["NNN", 0x87], new PickleTuple([null, null, null])],
    [["]Na"], [null]],
    [["](NNe"], [null, null]],
    [["(NNl"], [null, null]],
    [["(K", 1, "Nd"], new Map([[1, null]])],
    [["}K", 1, "Ns"], new Map([[1, null]])],
    [["}(K", 1, "NK", 2, "Nu"], new Map([[1, null], [2, null]])],
    [[0x8f, "(K", 1, 0x90], new Set([1])],
    [["]q", 5, "h", 5, "a0K", 1], 1],
    [["K", 3, "r", le32(70000), "0j", le32(70000)], 3],
    [["K", 3, 0x94, "0h", 0], 3],
    [["(NN1K", 1], 1],
    [[0x95, b(2, 0, 0, 0, 0, 0, 0, 0), "K", 1], 1],
    [["ccollections\nOrderedDict\n)R"], new Map()],
    [["ccollections\nOrderedDict\n(]((K", 1, "K", 2, "letR"], new Map([[1, 2]])],
    [["ccollections\nOrderedDict\n)R}", text("_metadata"), ")sb"], new Map()],
    [[0x8c, 5, "torch", 0x8c, 4, "Size", 0x93, "K", 2, "K", 3, 0x86, 0x85, "R"], new PickleTuple([2, 3])],
    [["c__builtin__\nset\n](K", 1, "e", 0x85, "R"], new Set([1])],
    [["c_codecs\nencode\n", text("é"), text("latin1"), 0x86, "R"], b(0xe9)],
  ];
  for (const [parts, value] of rows) assert.deepEqual(read(0x80, 2, ...parts, "."), value, JSON.stringify(parts));
  const shared = read(0x80, 2, "]q", 0, "h", 0, 0x86, ".") as PickleTuple;
  assert.ok(shared.items[0] === shared.items[1]);
  assert.ok(read(0x80, 2, "ctorch\nfloat16\n.") instanceof PickleGlobal);
  // A key that would be harmful in a plain object is a key like any other.
  assert.deepEqual([...(read(0x80, 2, "}", text("__proto__"), "Ns.") as Map<string, null>).keys()], ["__proto__"]);
});

Deno.test("readPickle() refuses what it does not know, with byte and name", () => {
  const rows: [Parameters<typeof pickle>, RegExp][] = [
    [[0x80, 2, "cos\nsystem\n."], /byte 2 names the unsupported global "os system"/],
    [
      [0x80, 4, 0x8c, 8, "builtins", 0x8c, 4, "eval", 0x93, "."],
      /byte 18 names the unsupported global "builtins eval"/,
    ],
    [[0x80, 2, "cbuiltins\ngetattr\n."], /"builtins getattr"/],
    [[0x80, 2, "ctorch.storage\n_load_from_bytes\n."], /"torch.storage _load_from_bytes"/],
    [[0x80, 2, "ctorch\n__class__\n."], /"torch __class__"/],
    [[0x80, 2, "i"], /byte 2 is opcode 0x69/],
    [[0x80, 2, "I1\n."], /byte 2 is opcode 0x49/],
    [[0x80, 2, "\x96"], /byte 2 is opcode 0xc2/],
    [[0x80, 1, "N."], /sets protocol 1, expected 2 to 5/],
    [[0x80, 6, "N."], /sets protocol 6/],
    [[0x80, 2, "N", 0x80, 2, "."], /sets protocol 2/],
    [["N."], /byte 0 is 0x4e/],
    [[], /byte 0 is 0x00/],
    [[0x80, 2, "."], /empty stack/],
    [[0x80, 2, "N"], /byte 3 needs 1 bytes that follow/],
    [[0x80, 2, "NN."], /stops with 1 values and 0 bytes left over/],
    [[0x80, 2, "(N."], /left over|empty/],
    [[0x80, 2, "N.."], /1 bytes left over/],
    [[0x80, 2, "t."], /closes a mark/],
    [[0x80, 2, "N(0."], /empty stack/],
    [[0x80, 2, "h", 3, "."], /recalls value 3, expected one of the 0 memorised/],
    [[0x80, 2, "X", le32(0xffffffff), "a."], /needs 4294967295 bytes that follow, expected at most 2/],
    [[0x80, 2, 0x8d, Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 255), "."], /needs 18446744073709552000 bytes/],
    [[0x80, 2, "U", 200, "a."], /needs 200 bytes/],
    [[0x80, 2, 0x8c, 2, Uint8Array.of(0xff, 0xfe), "."], /no UTF-8/],
    [[0x80, 2, "NNa."], /appends to what is no list/],
    [[0x80, 2, "NNNs."], /sets items of what is no dictionary/],
    [[0x80, 2, "}]Ns."], /container as key/],
    [[0x80, 2, "}(K", 1, "NK", 1, "Nu."], /repeats the key "1"/],
    [[0x80, 2, "}(Nu."], /key without a value/],
    [[0x80, 2, "NN", 0x90, "."], /closes a mark/],
    [[0x80, 2, "N)R."], /calls a value/],
    [[0x80, 2, "ctorch\nTensor\n)R."], /calls "torch.Tensor"/],
    [[0x80, 2, "ccollections\nOrderedDict\nNR."], /without a tuple/],
    [[0x80, 2, "NNb."], /restores the state of a plain value/],
    [[0x80, 2, "ctorch\nfloat16\nNb."], /an object that has none/],
    [[0x80, 2, "NQ."], /persistent id/],
    [[0x80, 2, "NN", 0x93, "."], /global without texts/],
    [[0x80, 2, "c" + "a".repeat(600)], /name without end/],
    [[0x80, 2, "cnumpy\ndtype\n", text("O8"), 0x85, "R."], /NumPy type O8/],
    [[0x80, 2, "c_codecs\nencode\n", text("€"), text("latin1"), 0x86, "R."], /character 8364/],
    [[0x80, 2, "c_codecs\nencode\n", text("a"), text("rot13"), 0x86, "R."], /another code/],
  ];
  for (const [parts, message] of rows) {
    assert.throws(() => read(...parts), (error: unknown) => {
      assert.ok(error instanceof FormatError, String(error));
      assert.match(error.message, message);
      assert.match(error.message, /^Cannot read made\.pkl as a pickle: byte \d+ /);
      return true;
    }, JSON.stringify(parts).slice(0, 80));
  }
});

Deno.test("readPickle() bounds the work and the memory of hostile pickles", () => {
  const many = (part: string, times: number) => utf8(part.repeat(times));
  const laughs = Array.from({ length: 64 }, () => pickle("h", 0, "h", 0, 0x86, "q", 0, "0"));
  const rows: [string, Uint8Array, RegExp | undefined][] = [
    ["deep lists", pickle(0x80, 2, many("]", 2_000_000), "."), /at most 1048576/],
    ["deep marks", pickle(0x80, 2, many("(", 2_000_000), "."), /at most 1048576/],
    ["deep tuples", pickle(0x80, 2, ")", new Uint8Array(2_000_000).fill(0x85), "."), /at most 1048576/],
    ["many containers", pickle(0x80, 2, many("]0", 2_000_000), "N."), /at most 1048576/],
    ["many operations", pickle(0x80, 2, many("N0", 8_000_000), "N."), /at most 8388608/],
    ["many memories", pickle(0x80, 2, "N", new Uint8Array(3_000_000).fill(0x94), "."), /at most 2097152/],
    ["a huge memo index", pickle(0x80, 2, "N", "r", le32(0xffffffff), "."), undefined],
    ["laughs", pickle(0x80, 2, ")q", 0, "0", laughs, "h", 0, "."), undefined],
    [
      "copies of a list",
      pickle(
        0x80,
        2,
        "](",
        many("N", 100_000),
        "e",
        0x85,
        "q",
        0,
        "0(",
        ...Array.from({ length: 500 }, () => concat(utf8("cbuiltins\nlist\nh"), Uint8Array.of(0), utf8("R"))),
        "t.",
      ),
      /copies too much/,
    ],
    [
      "copies of a text",
      pickle(
        0x80,
        2,
        text("a".repeat(1_000_000)),
        text("latin1"),
        0x86,
        "q",
        0,
        "0(",
        ...Array.from({ length: 100 }, () => concat(utf8("c_codecs\nencode\nh"), Uint8Array.of(0), utf8("R"))),
        "t.",
      ),
      /copies too much/,
    ],
    [
      "long integers",
      pickle(0x80, 2, "(", Array.from({ length: 80_000 }, () => pickle(0x8a, 255, new Uint8Array(255).fill(1))), "t."),
      /copies too much/,
    ],
  ];
  for (const [name, bytes, message] of rows) {
    const run = () => readPickle(bytes, { file: name, globals: TORCH_GLOBALS });
    if (message) {
      assert.throws(run, (error: unknown) => error instanceof FormatError && message.test(error.message), name);
    } else run();
  }
});

Deno.test("openWeights() refuses tensors that leave their storage or outgrow the file", async () => {
  const open = async (data: Uint8Array) => await openWeights(fromBytes(await zipBytes(torchFiles(data)), "made.pth"));
  const one = (tensor: Uint8Array) => open(pickle(0x80, 2, "}", text("w"), tensor, "s."));
  const rows: [Uint8Array, RegExp][] = [
    [tensorPickle("0", 6, 0, [7], [1]), /ends at byte 28 of its storage, expected it within 24/],
    [tensorPickle("0", 6, 6, [1], [1]), /ends at byte 28/],
    [tensorPickle("0", 6, 7, [0], [1]), /ends at byte 28/],
    [tensorPickle("0", 6, 0, [2, 2], [4, 2]), /ends at byte 28/],
    [tensorPickle("0", 6, 0, [2], [-1]), /stride is no list of whole numbers/],
    [tensorPickle("0", 6, -1, [2], [1]), /without storage and offset/],
    [tensorPickle("0", 6, 0, [2, 2], [1]), /another number of strides/],
    [tensorPickle("0", 5, 0, [2], [1]), /names storage "0" of 20 bytes with an entry of 24 bytes/],
    [tensorPickle("9", 6, 0, [2], [1]), /names storage "9" of 24 bytes with no entry/],
    [tensorPickle("../0", 6, 0, [2], [1]), /no entry/],
    [tensorPickle("0", 6, 0, Array(4).fill(2 ** 30), Array(4).fill(0)), /countable number/],
    [tensorPickle("0", 6, 0, [2 ** 30, 2 ** 20], [0, 0]), /brings the sum to \d+ bytes/],
    [tensorPickle("0", 6, 0, Array(70).fill(1), Array(70).fill(1)), /at most 64/],
    [tensorPickle("0", 6, 0, [2 ** 20, 2 ** 20], [2 ** 30, 2 ** 30]), /ends at byte 9007190664806404 /],
  ];
  for (const [tensor, message] of rows) await assert.rejects(one(tensor), message);
  // Twenty-nine names for one dictionary of tensors that holds itself doubled: the sum is bounded.
  const nested = pickle(
    0x80,
    2,
    "}q",
    0,
    text("w"),
    tensorPickle("0", 6, 0, [6], [1]),
    "s0",
    ...Array.from({ length: 40 }, () => pickle("}q", 1, text("a"), "h", 0, "s", text("b"), "h", 0, "sq", 0, "0")),
    "h",
    0,
    ".",
  );
  await assert.rejects(open(nested), /nests too deep or too wide/);
  const cycle = pickle(0x80, 2, "}q", 0, text("a"), "h", 0, "s.");
  await assert.rejects(open(cycle), /nests too deep/);
  await assert.rejects(
    open(
      pickle(
        0x80,
        2,
        "}",
        text("a.b"),
        tensorPickle("0", 6, 0, [6], [1]),
        "s",
        text("a"),
        "}",
        text("b"),
        tensorPickle("0", 6, 0, [6], [1]),
        "ss.",
      ),
    ),
    /"a.b" names two tensors/,
  );
});

Deno.test("read() gathers strided tensors of any size in pieces and refuses what would read too much", async () => {
  const rows = 1 << 15, columns = 1 << 15;
  // Four gigabytes that hold their own index, made as they are read.
  const open = async (tensor: Uint8Array) => {
    const data = pickle(0x80, 2, "}", text("w"), tensor, "s.");
    const source = zipSource([["x/data.pkl", data], ["x/data/0", new Uint8Array(0)]], {
      zip64: true,
      hole: 4 * rows * columns,
    });
    const start = await locateEntry(await openZip(source), (await openZip(source)).entries.get("x/data/0")!);
    const { tensors } = await openWeights({
      ...source,
      async read(offset, length) {
        if (offset < start || offset + length > start + 4 * rows * columns) return await source.read(offset, length);
        return new Uint8Array(Uint32Array.from({ length: length / 4 }, (_, i) => (offset - start) / 4 + i).buffer);
      },
    });
    return tensors.get("w")!;
  };
  const count = rows * columns;
  const far = await open(tensorPickle("0", count, 3, [32, 5], [columns * 1000, 700]));
  const got = new Uint32Array((await far.read(35, 65)).buffer);
  const at = (i: number) => 3 + Math.floor(i / 5) * columns * 1000 + (i % 5) * 700;
  assert.deepEqual([...got], Array.from({ length: 30 }, (_, i) => at(35 + i)));
  const last = await open(tensorPickle("0", count, 0, [columns, rows], [columns, 1]));
  assert.deepEqual([...new Uint32Array((await last.read(count - 2)).buffer)], [count - 2, count - 1]);
  const transposed = await open(tensorPickle("0", count, 0, [columns, rows], [1, columns]));
  await assert.rejects(
    transposed.read(),
    (error: unknown) => error instanceof LimitError && /contiguous/.test(error.hint!),
  );
  const spread = await open(tensorPickle("0", count, 0, [1 << 20, 2], [1, 1 << 26]));
  await assert.rejects(spread.read(), LimitError);
});
