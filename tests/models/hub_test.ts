/** Downloads from a hub on this machine: two servers, since the real one keeps large files elsewhere. No network. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { machineHub } from "../../src/io/hub/hub_machine.ts";
import { GatedError, WeightsError } from "../../src/core/errors.ts";
import { Hub, type HubOptions } from "../../src/io/hub/hub.ts";
import { cacheFolder, findToken, type HubHost } from "../../src/io/hub/hub_host.ts";
import { pauseOf } from "../../src/io/hub/hub_http.ts";
import { localFetch, serve } from "./local_server.ts";

const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const REPO = "org/model";

/** The machine, with an environment of its own. */
function testHost(environment: Readonly<Record<string, string>>): HubHost {
  return { ...machineHub, env: (name) => environment[name] };
}

interface Asked {
  where: "hub" | "storage";
  method: string;
  path: string;
  token: string | null;
  range: string | null;
}

type Answer = (request: Request, asked: Asked[]) => Response | undefined;

function bytesOf(length: number, seed = 1): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8) * seed) & 255);
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** The name git gives a content, which is the hub's etag of small files. */
function gitBlob(bytes: Uint8Array): string {
  return createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
}

/** A response whose connection breaks after `length` bytes: fewer than it announces. */
function broken(bytes: Uint8Array<ArrayBuffer>, length: number): Response {
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      if (length > 0) controller.enqueue(bytes.slice(0, length));
      controller.close();
    },
  });
  return new Response(body, { headers: { "content-length": String(bytes.length) } });
}

class Setting implements AsyncDisposable {
  readonly asked: Asked[] = [];
  readonly pauses: number[] = [];
  readonly folder = Deno.makeTempDirSync();
  readonly files = new Map<string, Uint8Array<ArrayBuffer>>();
  /** Answers before the servers do. */
  before: { hub?: Answer; storage?: Answer } = {};
  readonly #hub;
  readonly #storage;

  constructor() {
    const start = (where: "hub" | "storage") =>
      serve((request) => {
        const { pathname: path } = new URL(request.url);
        const { headers, method } = request;
        this.asked.push({ where, method, path, token: headers.get("authorization"), range: headers.get("range") });
        return this.before[where]?.(request, this.asked) ??
          (where === "hub" ? this.#answer(request) : this.#content(request));
      });
    this.#hub = start("hub");
    this.#storage = start("storage");
  }

  get endpoint(): string {
    return this.#hub.address;
  }

  get storage(): string {
    return this.#storage.address;
  }

  get cache(): string {
    return `${this.folder}/hub`;
  }

  /** Path below the cache's folder of the repository. */
  at(path: string): string {
    return `${this.cache}/models--org--model/${path}`;
  }

  hub(options: HubOptions = {}, environment: Record<string, string> = {}, host: Partial<HubHost> = {}): Hub {
    const sleep = (ms: number) => {
      this.pauses.push(ms);
      return Promise.resolve();
    };
    const env = { HF_HOME: this.folder, HF_ENDPOINT: this.endpoint, ...environment };
    return new Hub({ ...testHost(env), ...host }, { fetch: localFetch, sleep, timeoutMs: 5000, ...options });
  }

  /** As huggingface.co: large files are elsewhere, small ones come at once. */
  #answer(request: Request): Response {
    const match = /^\/(org\/model)\/resolve\/([^/]+)\/(.+)$/.exec(new URL(request.url).pathname);
    const file = match && this.files.get(match[3]!);
    const headers = { "x-repo-commit": COMMIT };
    if (!match) return new Response(null, { status: 401, headers: { "x-error-code": "RepoNotFound" } });
    if (!["main", COMMIT].includes(match[2]!)) {
      return new Response(null, { status: 404, headers: { "x-error-code": "RevisionNotFound" } });
    }
    if (!file) return new Response(null, { status: 404, headers: { ...headers, "x-error-code": "EntryNotFound" } });
    if (!/safetensors|bin$/.test(match[3]!)) {
      const etag = `"${gitBlob(file)}"`;
      return new Response(file, { headers: { ...headers, etag, "content-length": String(file.length) } });
    }
    return new Response(null, {
      status: 302,
      headers: {
        ...headers,
        location: `${this.storage}/${match[3]}?signature=1`,
        "x-linked-etag": `"${sha256(file)}"`,
        "x-linked-size": String(file.length),
      },
    });
  }

  #content(request: Request): Response {
    const file = this.files.get(new URL(request.url).pathname.slice(1))!;
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.get("range") ?? "")?.[1] ?? 0);
    if (from >= file.length && from > 0) return new Response(null, { status: 416 });
    const range = { "content-range": `bytes ${from}-${file.length - 1}/${file.length}` };
    return new Response(file.slice(from), from > 0 ? { status: 206, headers: range } : {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#hub.close();
    await this.#storage.close();
    await Deno.remove(this.folder, { recursive: true });
  }
}

function methods({ asked }: Setting): string[] {
  return asked.map(({ where, method }) => `${method} ${where}`);
}

Deno.test("a large file lands in huggingface_hub's layout, and the token stays with the hub", async () => {
  await using at = new Setting();
  const content = bytesOf(300_000);
  at.files.set("sub/model.safetensors", content);
  const seen: number[] = [];
  const hub = at.hub({}, { HF_TOKEN: "hf_secret" });
  const got = await hub.download(REPO, "sub/model.safetensors", {
    onProgress: ({ received, total }) => {
      assert.equal(total, content.length);
      seen.push(received);
    },
  });
  assert.deepEqual(got, {
    path: at.at(`snapshots/${COMMIT}/sub/model.safetensors`),
    repo: REPO,
    file: "sub/model.safetensors",
    commit: COMMIT,
  });
  assert.deepEqual(Deno.readFileSync(got.path), content);
  assert.equal(Deno.readLinkSync(got.path), `../../../blobs/${sha256(content)}`);
  assert.equal(Deno.readTextFileSync(at.at("refs/main")), COMMIT);
  assert.deepEqual([...Deno.readDirSync(at.at("blobs"))].map(({ name }) => name), [sha256(content)]);
  assert.equal(seen.at(-1), content.length);
  assert.deepEqual(methods(at), ["HEAD hub", "GET hub", "GET storage"]);
  assert.deepEqual(at.asked.map(({ token }) => token), ["Bearer hf_secret", "Bearer hf_secret", null]);
  assert.match(at.asked[1]!.path, new RegExp(`/resolve/${COMMIT}/`));
  await hub.download(REPO, "sub/model.safetensors");
  assert.deepEqual(methods(at).slice(3), ["HEAD hub"]);
  await hub.download(REPO, "sub/model.safetensors", { revision: COMMIT });
  assert.equal(at.asked.length, 4);
});

Deno.test("small files come from the hub itself, empty ones too; renamed repositories are followed", async () => {
  await using at = new Setting();
  at.files.set("config.json", new TextEncoder().encode('{"a":1}')).set("empty.txt", new Uint8Array(0));
  at.before.hub = (request) => {
    const url = new URL(request.url);
    if (!url.pathname.startsWith("/Org/")) return undefined;
    return new Response(null, { status: 307, headers: { location: url.pathname.replace("/Org/Old", "/org/model") } });
  };
  const hub = at.hub();
  assert.equal(Deno.readTextFileSync((await hub.download("Org/Old", "config.json")).path), '{"a":1}');
  assert.equal(Deno.statSync((await hub.download(REPO, "empty.txt")).path).size, 0);
});

Deno.test("a download goes on where the last one stopped", async () => {
  await using at = new Setting();
  const content = bytesOf(100_000);
  at.files.set("model.safetensors", content);
  const partial = at.at(`blobs/${sha256(content)}.incomplete`);
  Deno.mkdirSync(at.at("blobs"), { recursive: true });
  Deno.writeFileSync(partial, content.subarray(0, 60_000));
  const first: number[] = [];
  const { path } = await at.hub().download(REPO, "model.safetensors", {
    onProgress: ({ received }) => first.push(received),
  });
  assert.deepEqual(Deno.readFileSync(path), content);
  assert.equal(at.asked.at(-1)!.range, "bytes=60000-");
  assert.equal(first[0], 60_000);
});

Deno.test("what an earlier run left is not trusted: damaged or too long, it is fetched again", async () => {
  const content = bytesOf(100_000);
  for (const left of [bytesOf(60_000, 7), bytesOf(100_000, 7), bytesOf(200_000)]) {
    await using at = new Setting();
    at.files.set("model.safetensors", content);
    Deno.mkdirSync(at.at("blobs"), { recursive: true });
    Deno.writeFileSync(at.at(`blobs/${sha256(content)}.incomplete`), left);
    const { path } = await at.hub().download(REPO, "model.safetensors");
    assert.deepEqual(Deno.readFileSync(path), content);
    assert.equal(at.asked.at(-1)!.range, null);
  }
});

Deno.test("a body that breaks off is continued, or begun again where the server knows no ranges", async () => {
  const content = bytesOf(200_000);
  for (const ranges of [true, false]) {
    await using at = new Setting();
    at.files.set("model.safetensors", content);
    at.before.storage = (_, asked) => {
      const times = asked.filter(({ where }) => where === "storage").length;
      if (times === 1) return broken(content, 70_000);
      return ranges ? undefined : new Response(content);
    };
    const { path } = await at.hub().download(REPO, "model.safetensors");
    assert.deepEqual(Deno.readFileSync(path), content);
    const range = at.asked.filter(({ where }) => where === "storage")[1]!.range!;
    assert.match(range, /^bytes=[1-9]\d*-$/);
  }
});

Deno.test("a server that brings nothing is given up, what is there is kept", async () => {
  await using at = new Setting();
  const content = bytesOf(50_000);
  at.files.set("model.safetensors", content);
  at.before.storage = () => broken(content, 0);
  await assert.rejects(at.hub({ attempts: 2 }).download(REPO, "model.safetensors"), {
    name: "WeightsError",
    code: "network",
  });
  at.before.storage = (request) =>
    request.headers.has("range") ? new Response(null, { status: 206 }) : broken(content, 30_000);
  await assert.rejects(at.hub({ attempts: 2 }).download(REPO, "model.safetensors"), { code: "network" });
  at.before = {};
  assert.deepEqual(Deno.readFileSync((await at.hub().download(REPO, "model.safetensors")).path), content);
});

Deno.test("busy servers are asked again, after the pause they ask for", async () => {
  await using at = new Setting();
  at.files.set("config.json", bytesOf(10));
  const answers = [503, 429, 500];
  at.before.hub = () => {
    const status = answers.shift();
    return status === undefined
      ? undefined
      : new Response("busy", { status, headers: status === 429 ? { "retry-after": "7" } : {} });
  };
  await at.hub().download(REPO, "config.json");
  assert.deepEqual(at.pauses, [1000, 7000, 4000]);
  answers.push(...Array(5).fill(503));
  await assert.rejects(at.hub({ attempts: 3 }).download(REPO, "other.json"), {
    code: "network",
    message: /the server answers 503/,
  });
  assert.equal(pauseOf(9, null), 30_000);
  assert.equal(pauseOf(0, "Thu, 01 Jan 1970 00:01:00 GMT", 0), 60_000);
  assert.equal(pauseOf(0, "3600"), undefined);
});

Deno.test("expired addresses of the storage are asked for again", async () => {
  await using at = new Setting();
  at.files.set("model.safetensors", bytesOf(1000));
  at.before.storage = (_, asked) =>
    asked.filter(({ where }) => where === "storage").length === 1 ? new Response(null, { status: 403 }) : undefined;
  await at.hub().download(REPO, "model.safetensors");
  assert.deepEqual(methods(at), ["HEAD hub", "GET hub", "GET storage", "GET hub", "GET storage"]);
});

Deno.test("refusals say which page to open and which command to run, and never the token", async () => {
  await using at = new Setting();
  let refusal: ResponseInit = {};
  at.before.hub = () => new Response(null, refusal);
  const ask = async (init: ResponseInit, token?: string): Promise<GatedError> => {
    refusal = init;
    try {
      await at.hub(token === undefined ? {} : { token }).download(REPO, "model.safetensors", {
        licence: "CC-BY-NC-ND-4.0",
      });
    } catch (error) {
      assert.ok(error instanceof GatedError);
      assert.equal(error.exitCode, 5);
      assert.ok(!`${error.message}${error.hint}${JSON.stringify(error.context)}`.includes("hf_secret"));
      return error;
    }
    throw new Error("no error");
  };
  const none = await ask({ status: 401, headers: { "x-error-code": "GatedRepo" } });
  assert.equal(
    none.message,
    "Cannot download model.safetensors of org/model: its licence must be accepted first, and no token was given",
  );
  assert.equal(
    none.hint,
    "Accept the terms (CC-BY-NC-ND-4.0) at https://huggingface.co/org/model, make a token at https://huggingface.co/settings/tokens, then export HF_TOKEN=hf_…",
  );
  assert.equal(none.code, "gated");
  const held = await ask({ status: 403, headers: { "x-error-code": "GatedRepo" } }, "hf_secret");
  assert.match(held.message, /the token's account has no access$/);
  assert.equal((await ask({ status: 401, headers: { "x-error-code": "RepoNotFound" } })).code, "repo-not-found");
  assert.match((await ask({ status: 401 }, "hf_secret")).message, /the token is not valid$/);
  assert.match((await ask({ status: 403 }, "hf_secret")).message, /may not read gated repositories$/);
  assert.match((await ask({ status: 401 })).message, /no token was given$/);
});

Deno.test("downloadFirst() takes the first file there is, of the first repository that gives one", async () => {
  await using at = new Setting();
  at.files.set("pytorch_model.bin", bytesOf(500));
  const hub = at.hub();
  const files = ["model.safetensors", "pytorch_model.bin"];
  assert.equal((await hub.downloadFirst([REPO], files)).file, "pytorch_model.bin");
  assert.equal((await hub.downloadFirst(["org/private", REPO], files)).repo, REPO);
  await assert.rejects(hub.downloadFirst([REPO], ["a.bin", "b.bin"]), {
    code: "file-not-found",
    message: /^Cannot download a\.bin of /,
  });
  await assert.rejects(hub.downloadFirst(["org/private"], files), GatedError);
  const sha = { "pytorch_model.bin": "0".repeat(64) };
  await assert.rejects(hub.downloadFirst([REPO], files, { sha256: sha }), { code: "checksum" });
  await assert.rejects(hub.download(REPO, "pytorch_model.bin", { revision: "v9" }), { code: "revision-not-found" });
});

Deno.test("content that is not what the hub says never gets its name", async () => {
  await using at = new Setting();
  const content = bytesOf(4000);
  at.files.set("model.safetensors", content);
  at.before.storage = () => new Response(bytesOf(4000, 9));
  await assert.rejects(at.hub().download(REPO, "model.safetensors"), { name: "WeightsError", code: "checksum" });
  assert.deepEqual([...Deno.readDirSync(at.at("blobs"))], []);
  assert.equal(await at.hub().cached(REPO, "model.safetensors"), undefined);
  at.before.storage = () => new Response(bytesOf(5000));
  await assert.rejects(at.hub().download(REPO, "model.safetensors"), {
    code: "network",
    message: /the server sends (?:5000 bytes, wanted|more than) 4000/,
  });
});

Deno.test("offline and without connection the cache serves", async () => {
  await using at = new Setting();
  at.files.set("model.safetensors", bytesOf(2000));
  const { path } = await at.hub().download(REPO, "model.safetensors");
  const before = at.asked.length;
  for (const value of ["1", "true", "ON"]) {
    const hub = at.hub({}, { HF_HUB_OFFLINE: value });
    assert.equal((await hub.download(REPO, "model.safetensors")).path, path);
    await assert.rejects(hub.download(REPO, "other.bin"), { code: "offline", name: "WeightsError" });
  }
  assert.equal(at.asked.length, before);
  const failing: typeof fetch = () => Promise.reject(new TypeError("no route to host"));
  const cut = at.hub({ fetch: failing });
  assert.equal((await cut.download(REPO, "model.safetensors")).path, path);
  assert.deepEqual(at.pauses, []);
  await assert.rejects(cut.download(REPO, "other.bin"), { code: "network", message: /no route to host/ });
  at.before.hub = () => new Response(null, { status: 403, headers: { "x-error-code": "GatedRepo" } });
  assert.equal((await at.hub().download(REPO, "model.safetensors")).path, path);
  at.before.hub = () => new Response(null, { status: 404, headers: { "x-error-code": "EntryNotFound" } });
  await assert.rejects(at.hub().download(REPO, "model.safetensors"), { code: "file-not-found" });
});

Deno.test("a silent server is given up", async () => {
  await using at = new Setting();
  at.files.set("model.safetensors", bytesOf(3000));
  let open: ReadableStreamDefaultController<Uint8Array> | undefined;
  at.before.storage = (_, asked) =>
    asked.filter(({ where }) => where === "storage").length > 1 ? undefined : new Response(
      new ReadableStream<Uint8Array<ArrayBuffer>>({
        start(controller) {
          open = controller;
          controller.enqueue(bytesOf(3000).slice(0, 1000));
        },
      }),
    );
  const { path } = await at.hub({ timeoutMs: 2000 }).download(REPO, "model.safetensors");
  assert.deepEqual(Deno.readFileSync(path), bytesOf(3000));
  assert.equal(at.asked.at(-1)!.range, "bytes=1000-");
  try {
    open?.close();
  } catch { /* the client has gone */ }
});

Deno.test("two that want the same file download it once", async () => {
  await using at = new Setting();
  const content = bytesOf(100_000);
  at.files.set("model.safetensors", content);
  const got = await Promise.all([1, 2, 3].map(() => at.hub().download(REPO, "model.safetensors")));
  for (const { path } of got) assert.deepEqual(Deno.readFileSync(path), content);
  assert.equal(methods(at).filter((text) => text === "GET storage").length, 1);
});

Deno.test("an abort keeps what is there", async () => {
  await using at = new Setting();
  const content = bytesOf(400_000);
  at.files.set("model.safetensors", content);
  at.before.storage = (_, asked) =>
    asked.filter(({ where }) => where === "storage").length > 1 ? undefined : new Response(
      new ReadableStream<Uint8Array<ArrayBuffer>>({
        start(controller) {
          controller.enqueue(content.slice(0, 100_000));
        },
      }),
    );
  const stop = new AbortController();
  const onProgress = ({ received }: { received: number }) => {
    // While the next read waits for a server that says no more.
    if (received >= 100_000) setTimeout(() => stop.abort(new Error("enough")), 20);
  };
  const aborted = at.hub().download(REPO, "model.safetensors", { signal: stop.signal, onProgress });
  await assert.rejects(aborted, { message: "enough" });
  assert.equal(Deno.statSync(at.at(`blobs/${sha256(content)}.incomplete`)).size, 100_000);
  assert.deepEqual(Deno.readFileSync((await at.hub().download(REPO, "model.safetensors")).path), content);
  assert.equal(at.asked.at(-1)!.range, "bytes=100000-");
});

Deno.test("without room nothing is fetched; without links the file itself is in the snapshot", async () => {
  await using at = new Setting();
  at.files.set("model.safetensors", bytesOf(9000));
  const full = at.hub({}, {}, { freeBytes: () => Promise.resolve(8999) });
  await assert.rejects(full.download(REPO, "model.safetensors"), {
    code: "disk",
    message: /8999 bytes are free .* wanted 9000$/,
  });
  assert.deepEqual(methods(at), ["HEAD hub"]);
  const plain = at.hub({}, {}, { link: () => Promise.resolve(false) });
  const { path } = await plain.download(REPO, "model.safetensors");
  assert.ok(Deno.lstatSync(path).isFile);
  assert.deepEqual([...Deno.readDirSync(at.at("blobs"))], []);
  assert.equal((await plain.download(REPO, "model.safetensors")).path, path);
});

Deno.test("names and answers that lead elsewhere are refused", async () => {
  await using at = new Setting();
  const hub = at.hub();
  for (
    const [repo, file] of [
      ["org", "a"],
      ["../x", "a"],
      ["a/b/c", "a"],
      [REPO, "../a"],
      [REPO, "/etc/passwd"],
      [REPO, "a\\b"],
      [REPO, ""],
      [REPO, "a?b"],
    ]
  ) {
    await assert.rejects(hub.download(repo!, file!), { code: "hub-name" }, `${repo} ${file}`);
  }
  await assert.rejects(hub.download(REPO, "a", { revision: "../../x" }), { code: "hub-name" });
  assert.equal(at.asked.length, 0);
  const hostile: Record<string, string>[] = [
    { "x-repo-commit": "../../evil", etag: '"a"' },
    { "x-repo-commit": COMMIT, etag: '"../../evil"' },
    { "x-repo-commit": COMMIT, etag: '".."' },
    { "x-repo-commit": COMMIT, etag: '"abc-1"' },
    { "x-repo-commit": COMMIT, etag: `"${"a".repeat(64)}"`, "x-linked-size": "9".repeat(40) },
    { "x-repo-commit": COMMIT, etag: `"${"a".repeat(64)}"`, "x-linked-size": "-1" },
    { "x-repo-commit": COMMIT },
    { etag: '"abc"' },
  ];
  for (const headers of hostile) {
    at.before.hub = () => new Response(null, { headers });
    await assert.rejects(hub.download(REPO, "a.bin"), { code: "hub-status", message: /does not answer like the hub/ });
  }
  at.before.hub = () => new Response(null, { status: 302, headers: { location: "file:///etc/passwd" } });
  await assert.rejects(
    hub.download(REPO, "a.bin"),
    (error: unknown) => error instanceof WeightsError && /redirected to file:/.test(error.message),
  );
  at.before.hub = (request) => new Response(null, { status: 302, headers: { location: request.url } });
  await assert.rejects(hub.download(REPO, "a.bin"), { message: /more than 10 redirects/ });
});

Deno.test("cache and token are where huggingface_hub has them", async () => {
  const folder = Deno.makeTempDirSync();
  const host = (environment: Record<string, string>) => testHost(environment);
  assert.equal(cacheFolder(host({ HOME: "/home/u" })), "/home/u/.cache/huggingface/hub");
  assert.equal(cacheFolder(host({ HOME: "/home/u", XDG_CACHE_HOME: "/c" })), "/c/huggingface/hub");
  assert.equal(cacheFolder(host({ HOME: "/home/u", HF_HOME: "~/hf/" })), "/home/u/hf/hub");
  assert.equal(cacheFolder(host({ HF_HOME: "/x", HF_HUB_CACHE: "/y/" })), "/y");
  assert.equal(await findToken(host({ HF_HOME: folder })), undefined);
  Deno.writeTextFileSync(`${folder}/token`, "hf_file\n");
  assert.equal(await findToken(host({ HF_HOME: folder })), "hf_file");
  assert.equal(await findToken(host({ HF_HOME: folder, HF_TOKEN: " hf_env " })), "hf_env");
  assert.equal(await findToken(host({ HF_HOME: "/none", HF_TOKEN_PATH: `${folder}/token` })), "hf_file");
  Deno.removeSync(folder, { recursive: true });
});
