/** Downloads of HEST from a hub on this machine: what is chosen, what is kept, and every way in which it can go wrong. */

import assert from "node:assert/strict";
import { download, type DownloadRequest } from "../../src/run/download.ts";
import type { Reporter } from "../../src/core/reporter.ts";
import { machineHub } from "../../src/io/hub/hub_machine.ts";
import { ended, task } from "../cli/command.ts";
import { inFolder, seal } from "../cli/shared.ts";
import { localFetch, LOOPBACK } from "../models/local_server.ts";
import { fillHest, HestHub } from "./hest_hub.ts";

const REQUEST: Omit<DownloadRequest, "out"> = {
  what: "hest",
  names: [],
  where: [],
  all: false,
  more: [],
  revision: "main",
  dryRun: false,
  overwrite: false,
};

/** Runs a download; what was said comes along. */
async function run(hub: HestHub, out: string, request: Partial<DownloadRequest>, more: { attempts?: number } = {}) {
  const said: string[] = [];
  const tell = (text: string) => void said.push(text);
  const reporter: Reporter = { update() {}, training() {}, say: tell, warn: tell };
  // Of this machine's environment nothing counts.
  const host = {
    ...machineHub,
    env: (name: string) => name === "HF_TOKEN" ? "hf_x" : undefined,
    mayConnect: () => true,
  };
  const options = { endpoint: hub.address, fetch: localFetch, sleep: () => Promise.resolve(), ...more };
  const done = await download({ ...REQUEST, out, ...request }, { host, reporter, hub: options });
  return { done, said };
}

function below(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap((entry) =>
    entry.isDirectory ? below(`${folder}/${entry.name}`).map((path) => `${entry.name}/${path}`) : [entry.name]
  ).sort();
}

async function withHub(act: (hub: HestHub, out: string) => Promise<void>): Promise<void> {
  await using hub = new HestHub();
  fillHest(hub.files);
  await inFolder(async (folder) => await act(hub, `${folder}/hest`));
}

Deno.test("samples come by query or name, without slides, under their names; sizes are said first", () =>
  withHub(async (hub, out) => {
    const where = ["organ=breast", "technology=Visium,Xenium", "species=Homo sapiens"];
    const dry = await run(hub, out, { where, dryRun: true });
    assert.deepEqual(dry.done.samples, ["TENX9", "TENX95"]);
    assert.match(
      dry.said.join("\n"),
      /2 samples: TENX9, TENX95\n {2}tables: 1 file, .*\n {2}patches: 2 files, 140\.00 kB/,
    );
    assert.match(dry.said.join("\n"), /to download: 7 files, 140\.\d+ kB/);
    assert.throws(() => Deno.lstatSync(out), Deno.errors.NotFound);
    const { done } = await run(hub, out, { where });
    assert.deepEqual([done.files, done.there, done.missing, done.failed], [7, 0, [], []]);
    const expected = ["TENX9", "TENX95"].flatMap((id) => [`metadata/${id}.json`, `patches/${id}.h5`, `st/${id}.h5ad`]);
    assert.deepEqual(below(out), ["HEST_v1_10_0.csv", ...expected, "download.json"].sort());
    for (const path of expected) assert.deepEqual(Deno.readFileSync(`${out}/${path}`), hub.files.get(path));

    // Again: nothing comes. By name, with slides: only what is new. TENX9 is not TENX95.
    hub.asked.length = 0;
    assert.equal((await run(hub, out, { where })).done.there, 7);
    assert.deepEqual(hub.asked.filter((path) => /^(?!list)/.test(path)), ["HEST_v1_10_0.csv"]);
    const named = await run(hub, out, { names: ["TENX9"], more: ["wsis"] });
    assert.deepEqual([named.done.there, named.done.files], [4, 5]);
    assert.ok(below(out).includes("wsis/TENX9.tif") && !below(out).includes("wsis/TENX95.tif"));
    // A value that holds a comma.
    assert.deepEqual((await run(hub, out, { where: ["organ=Bowel, small"] })).done.samples, ["TENX99"]);
  }));

Deno.test("what cannot be chosen is refused by name before anything is written; a file the hub lacks is named", () =>
  withHub(async (hub, out) => {
    const refuse = async (request: Partial<DownloadRequest>, message: RegExp, hint: RegExp) => {
      await assert.rejects(run(hub, out, request), (error: Error & { hint: string; exitCode: number }) => {
        assert.match(error.message, message);
        assert.match(error.hint, hint);
        assert.equal(error.exitCode, 2);
        return true;
      });
      assert.throws(() => Deno.lstatSync(out), Deno.errors.NotFound);
    };
    await refuse({}, /no sample is named/, /Breast 3/);
    await refuse({ names: ["TENX96"] }, /sample TENX96: HEST_v1_10_0\.csv has 4 samples/, /TENX9/);
    await refuse({ where: ["orgn=Breast"] }, /orgn=Breast/, /Did you mean organ=/);
    await refuse({ where: ["organ=Brest"] }, /no sample of HEST_v1_10_0\.csv has organ/, /Breast/);
    await refuse({ where: ["organ=Breast"], more: ["wsi"] }, /folder wsi/, /wsis/);
    await refuse(
      { where: ["species=Mus musculus", "technology=Xenium"] },
      /no sample .* fits/,
      /Leave a condition out/,
    );
    await refuse({ what: "bench", where: ["organ=Breast"] }, /goes by tasks/, /download bench IDC/);
    const { done, said } = await run(hub, out, { names: ["NCBI1"] });
    assert.deepEqual(done.missing, ["patches/NCBI1"]);
    assert.match(said.join("\n"), /not in the repository: patches\/NCBI1/);
    assert.ok(below(out).includes("st/NCBI1.h5ad"));
  }));

Deno.test("a connection that breaks is gone on with, in the same run and in the next, where it broke", () =>
  withHub(async (hub, out) => {
    const path = "patches/TENX95.h5";
    const bytes = hub.files.get(path)!;
    /** A body that ends early, without length, from where it is asked. */
    const part = (request: Request, length: number) => {
      const from = Number(/(\d+)-/.exec(request.headers.get("range") ?? "")?.[1] ?? 0);
      const content = `bytes ${from}-${bytes.length - 1}/${bytes.length}`;
      return new Response(new Blob([bytes.slice(from, from + length)]).stream(), {
        status: from > 0 ? 206 : 200,
        headers: from > 0 ? { "content-range": content } : {},
      });
    };
    let broken = 1;
    hub.before = (asked, request) => asked === path && broken-- > 0 ? part(request, 20_000) : undefined;
    await run(hub, `${out}1`, { names: ["TENX95"] });
    assert.deepEqual(Deno.readFileSync(`${out}1/${path}`), bytes);
    assert.ok(hub.ranges.includes("bytes=20000-"));

    // The first request brings a part, all others nothing: the run ends, and the next one goes on.
    let first = true;
    hub.before = (asked, request) => {
      if (asked !== path) return undefined;
      if (first) {
        first = false;
        return part(request, 30_000);
      }
      return new Response(null, { status: 503 });
    };
    await assert.rejects(run(hub, out, { names: ["TENX95"] }, { attempts: 2 }), {
      code: "network",
      hint: /other means/,
    });
    assert.equal(Deno.statSync(`${out}/${path}.incomplete`).size, 30_000);
    hub.before = () => undefined;
    hub.ranges.length = 0;
    await run(hub, out, { names: ["TENX95"] });
    assert.ok(hub.ranges.includes("bytes=30000-"));
    assert.deepEqual(Deno.readFileSync(`${out}/${path}`), bytes);
  }));

Deno.test("a file of another content than the hub says is named and not kept; the others come, and it can be tried again", () =>
  withHub(async (hub, out) => {
    const path = "patches/TENX9.h5";
    const wrong = hub.files.get(path)!.slice();
    wrong[500]! ^= 1;
    hub.before = (asked) => asked === path ? new Response(wrong) : undefined;
    const { done } = await run(hub, out, { names: ["TENX9", "TENX95"] });
    assert.deepEqual(done.failed.map((failed) => failed.path), [path]);
    assert.match(done.failed[0]!.reason, /SHA-256 is [0-9a-f]{64}, wanted [0-9a-f]{64}/);
    assert.ok(!below(out).some((name) => name.startsWith(path)) && below(out).includes("patches/TENX95.h5"));
    hub.before = () => undefined;
    assert.deepEqual((await run(hub, out, { names: ["TENX9", "TENX95"] })).done.failed, []);
    assert.deepEqual(Deno.readFileSync(`${out}/${path}`), hub.files.get(path));
    // The same of the catalogue, without which nothing can be chosen.
    hub.before = (asked) => asked === "HEST_v1_10_0.csv" ? new Response("id\nX\n") : undefined;
    await assert.rejects(run(hub, out, { names: ["TENX9"] }), { code: "checksum" });
  }));

Deno.test("gated data name the page and the token; a token goes along", () =>
  withHub(async (hub, out) => {
    const tokens: (string | null)[] = [];
    hub.before = (asked, request) => {
      tokens.push(request.headers.get("authorization"));
      if (asked.startsWith("list")) return undefined;
      return new Response(null, { status: 403, headers: { "x-error-code": "GatedRepo" } });
    };
    await assert.rejects(run(hub, out, { names: ["TENX9"] }), {
      name: "GatedError",
      code: "gated",
      hint: /huggingface\.co\/datasets\/MahmoodLab\/hest, .*export HF_TOKEN/,
    });
    assert.ok(tokens.every((token) => token === "Bearer hf_x"));
    assert.throws(() => Deno.lstatSync(out), Deno.errors.NotFound);
  }));

Deno.test("files of others are not replaced unasked, those of an older commit are", () =>
  withHub(async (hub, out) => {
    Deno.mkdirSync(`${out}/st`, { recursive: true });
    Deno.writeTextFileSync(`${out}/st/TENX9.h5ad`, "mine");
    await assert.rejects(run(hub, out, { names: ["TENX9"] }), { code: "output-exists", message: /st\/TENX9\.h5ad/ });
    assert.equal(Deno.readTextFileSync(`${out}/st/TENX9.h5ad`), "mine");
    await run(hub, out, { names: ["TENX9"], overwrite: true });
    assert.equal(Deno.readTextFileSync(`${out}/st/TENX9.h5ad`), "table TENX9");
    hub.files.set("st/TENX9.h5ad", new TextEncoder().encode("a newer table"));
    await run(hub, out, { names: ["TENX9"] });
    assert.equal(Deno.readTextFileSync(`${out}/st/TENX9.h5ad`), "a newer table");
    // One of its own that was cut short: what is there is compared, and kept.
    const record = Deno.readTextFileSync(`${out}/download.json`);
    Deno.writeTextFileSync(`${out}/download.json`, record.slice(0, 100));
    const again = (await run(hub, out, { names: ["TENX9"] })).done;
    assert.deepEqual([again.there, again.wanted], [again.files, 0]);
    // A record of another program is not written over; a link is not written through.
    Deno.writeTextFileSync(`${out}/download.json`, '{"theirs": 1}');
    await assert.rejects(run(hub, out, { names: ["TENX9"] }), { code: "output-exists" });
  }));

Deno.test("the benchmark comes by task, without what its reader ignores", () =>
  withHub(async (hub, out) => {
    hub.files.clear();
    const put = (path: string) => hub.files.set(path, new TextEncoder().encode(path));
    for (const task of ["IDC", "PRAD"]) {
      for (const name of ["adata/A1.h5ad", "patches/A1.h5", "splits/train_0.csv", "splits/test_0.csv"]) {
        put(`${task}/${name}`);
      }
      put(`${task}/var_50genes.json`);
    }
    put("IDC/old/adata/A1.h5ad");
    put("fm_v1/uni.bin");
    await assert.rejects(run(hub, out, { what: "bench" }), { message: /wanted some of IDC, PRAD/ });
    const { done } = await run(hub, out, { what: "bench", names: ["IDC"] });
    assert.equal(done.files, 5);
    assert.deepEqual(below(`${out}/IDC`), [
      "adata/A1.h5ad",
      "patches/A1.h5",
      "splits/test_0.csv",
      "splits/train_0.csv",
      "var_50genes.json",
    ]);
    assert.equal((await run(hub, out, { what: "bench", all: true })).done.files, 10);
  }));

Deno.test("lists that are none, or lead elsewhere, are refused", () =>
  withHub(async (hub, out) => {
    const file = { type: "file", size: 3, oid: "a".repeat(40) };
    const answers: [string, Response][] = [
      ["no list", Response.json({})],
      ["no JSON", new Response("<html>")],
      ["no plain names", Response.json([{ ...file, path: "../../x.csv" }])],
      ["without path", Response.json([null])],
      ["without length", Response.json([{ ...file, path: "a", size: -1 }])],
      ["without length", Response.json([{ ...file, path: "a", oid: "zz" }])],
      ["a page elsewhere", Response.json([], { headers: { link: '<http://127.0.0.1:1/x>; rel="next"' } })],
    ];
    for (const [message, response] of answers) {
      hub.before = (asked) => asked === "list " && !response.bodyUsed ? response : undefined;
      let seen = 0;
      const before = hub.before;
      // The first question is the commit.
      hub.before = (asked, request) => asked === "list " && seen++ > 0 ? before(asked, request) : undefined;
      await assert.rejects(run(hub, out, { names: ["TENX9"] }), { name: "WeightsError", message: new RegExp(message) });
    }
    assert.throws(() => Deno.lstatSync(out), Deno.errors.NotFound);
  }));

Deno.test("the command says what is wrong without asking anyone", async () => {
  const { code, err } = await seal("download", "weights", "--out", "x");
  assert.equal(code, 2, err);
  assert.match(err, /wanted hest or bench/);
});

Deno.test({
  name: "the command downloads as its task may: to its output, of that server",
  ignore: !LOOPBACK,
  fn: () =>
    withHub(async (hub, out) => {
      const env = { HF_ENDPOINT: hub.address, HF_HUB_OFFLINE: "" };
      const words = ["download", "hest", "--where", "organ=Breast", "technology=Visium", "--out", out, "--json"];
      const { code, out: text, err } = await ended(task(words, { env }).output());
      assert.equal(code, 3, err);
      assert.match(err, /to download: 6 files/);
      assert.deepEqual(JSON.parse(text).missing, ["patches/NCBI1"]);
      assert.deepEqual(Deno.readFileSync(`${out}/patches/TENX9.h5`), hub.files.get("patches/TENX9.h5"));
    }),
});
