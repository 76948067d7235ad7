/**
 * The content of one file: downloaded into `.incomplete`, from where an earlier run stopped, checked, then moved to its name.
 *
 * @module
 */

import { WeightsError } from "../../core/errors.ts";
import { log } from "../../core/log.ts";
import type { HubHash, HubHost } from "./hub_host.ts";
import { askHub, type HubNetwork, type HubRequest, inTime, otherwise } from "./hub_http.ts";

/** How far a download is. */
export interface HubProgress {
  readonly repo: string;
  readonly file: string;
  /** Bytes there, those of an earlier run included. */
  readonly received: number;
  /** Bytes of the file, if the server says. */
  readonly total: number | undefined;
}

/** Options of one download. */
export interface DownloadOptions {
  /** Branch, tag or commit; default `main`. */
  revision?: string;
  /** Refuses any other content. */
  sha256?: string;
  /** Named when access is refused. */
  licence?: string;
  onProgress?: (progress: HubProgress) => void;
  /** Stops the download; what is there is kept for the next one. */
  signal?: AbortSignal;
}

/** Which content is wanted. */
export interface BlobSource {
  /** The request, with the address of a commit, so that all stretches are of one file. */
  readonly request: HubRequest;
  /** Length, if the server says. */
  readonly bytes: number | undefined;
  /** Hash the content must have. */
  readonly hash: BlobHash;
}

/** A hash and of what: SHA-256 of the content, or SHA-1 of git's blob, which small files are named by. */
export interface BlobHash {
  readonly kind: "sha256" | "git";
  readonly hex: string;
}

/** Longest file whose length no server says; larger ones are kept by their SHA-256, with their length. */
const UNKNOWN_MOST = 64 * 2 ** 20;
/** Bytes a stretch brings at least, if it is to count as one that brings something; the end of a file always does. */
const LEAST = 16 * 2 ** 10;

/** What of the file is there. */
interface State {
  received: number;
  hash: HubHash;
  /** The last stretch came to the end of the body. */
  ended: boolean;
  /** Identity of the content, as the server of the first stretch gave it. */
  etag: string | undefined;
  /** Why the last stretch ended early. */
  trouble: string | undefined;
}

/**
 * Downloads to `path`, by way of `path.incomplete`.
 *
 * @throws {WeightsError} If the server refuses, falls silent or sends something else, the disk has no room, or the content is not
 * the wanted one.
 */
export async function downloadBlob(
  host: HubHost,
  network: HubNetwork,
  source: BlobSource,
  path: string,
  options: Pick<DownloadOptions, "onProgress" | "signal"> = {},
): Promise<void> {
  const { request: { repo, file }, hash } = source;
  const partial = `${path}.incomplete`;
  for (let fresh = false;; fresh = true) {
    const state = await resume(host, partial, source);
    fresh ||= state.received === 0;
    await fill(host, network, source, partial, state, options);
    const found = hash.kind === "sha256" ? state.hash.hex() : await blobHashOf(host, partial, "git", state.received);
    if (found === hash.hex) break;
    await host.remove(partial);
    // What an earlier run left may be damaged: once more, from the beginning.
    if (fresh) throw checksum(repo, file, found, hash);
    log("warn", `${repo}: the resumed ${file} is damaged, downloading it again`, {});
  }
  await host.rename(partial, path);
}

/** Starts the hash of a content of so many bytes. */
export function startBlobHash(host: HubHost, kind: BlobHash["kind"], bytes: number): HubHash {
  if (kind === "sha256") return host.sha256();
  const hash = host.sha1();
  hash.update(new TextEncoder().encode(`blob ${bytes}\0`));
  return hash;
}

/** The hash of a file of so many bytes. */
export async function blobHashOf(
  host: HubHost,
  path: string,
  kind: BlobHash["kind"],
  bytes: number,
): Promise<string> {
  const hash = startBlobHash(host, kind, bytes);
  for await (const chunk of host.read(path)) hash.update(chunk);
  return hash.hex();
}

/** What an earlier run left, if it can be the beginning of the file, and whether the rest has room. */
async function resume(host: HubHost, partial: string, { request, bytes }: BlobSource): Promise<State> {
  const state: State = { received: 0, hash: host.sha256(), ended: false, etag: undefined, trouble: undefined };
  const there = await host.size(partial) ?? 0;
  if (there > (bytes ?? UNKNOWN_MOST)) await host.remove(partial);
  else if (there > 0) {
    for await (const chunk of host.read(partial)) {
      state.hash.update(chunk);
      state.received += chunk.byteLength;
    }
  }
  const folder = partial.slice(0, partial.lastIndexOf("/"));
  const free = await host.freeBytes?.(folder);
  const needed = (bytes ?? 0) - state.received;
  if (free === undefined || needed <= free) return state;
  const { repo, file, kind } = request;
  throw new WeightsError(`Cannot download ${file} of ${repo}: ${free} bytes are free in ${folder}, wanted ${needed}`, {
    code: "disk",
    hint: kind === "dataset"
      ? "Make room, or pass another --out"
      : "Make room, or set HF_HOME to a folder of a larger disk",
    context: { repo, file, free, wanted: needed },
  });
}

/** Stretch after stretch, until the file has its length. */
async function fill(
  host: HubHost,
  network: HubNetwork,
  source: BlobSource,
  partial: string,
  state: State,
  options: Pick<DownloadOptions, "onProgress" | "signal">,
): Promise<void> {
  const { request, bytes } = source;
  if (bytes === 0) await (await host.append(partial, { empty: true })).close();
  const complete = () => (bytes === undefined ? state.ended : state.received === bytes);
  // Against the farthest byte: a server without ranges that always breaks off would else be asked for ever.
  let farthest = state.received;
  for (let idle = 0; !complete();) {
    await stretch(host, network, source, partial, state, options);
    if (complete()) break;
    idle = state.received >= farthest + LEAST ? 0 : idle + 1;
    farthest = Math.max(farthest, state.received);
    if (idle >= network.attempts) throw shortened(request, state, bytes);
    await network.sleep(1000, options.signal);
  }
}

/** What is wrong with an answer as the content from some byte on; undefined if nothing. */
function misfit(response: Response, { received, etag }: State, bytes: number | undefined): string | undefined {
  const { headers, status } = response;
  if (/^text\/html\b/i.test(headers.get("content-type") ?? "")) return "the server sends a web page instead";
  const given = headers.get("content-length");
  // The length of an encoded body is not that of its content.
  const length = given !== null && /^\d+$/.test(given) && !headers.has("content-encoding") ? Number(given) : undefined;
  if (status === 206) {
    const [, from, to, total] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(headers.get("content-range") ?? "") ?? [];
    if (Number(from) !== received || Number(to) < received) return "the server sends another range";
    if (bytes !== undefined && total !== "*" && Number(total) !== bytes) {
      return `the server sends a part of ${total} bytes, wanted of ${bytes}`;
    }
    if (length !== undefined && length !== Number(to) - received + 1) return "the server sends another range";
    const now = headers.get("etag");
    if (etag !== undefined && now !== null && now !== etag) return "the server has another content now";
  } else if (length !== undefined && length > (bytes ?? UNKNOWN_MOST)) {
    return `the server sends ${length} bytes, wanted ${bytes ?? `at most ${UNKNOWN_MOST}`}`;
  }
}

/** One request and as much of its body as comes. */
async function stretch(
  host: HubHost,
  network: HubNetwork,
  { request, bytes }: BlobSource,
  partial: string,
  state: State,
  { onProgress, signal }: Pick<DownloadOptions, "onProgress" | "signal">,
): Promise<void> {
  const { repo, file } = request;
  const { response } = await askHub(network, { ...request, method: "GET", from: state.received });
  const wrong = misfit(response, state, bytes);
  state.trouble = wrong;
  async function restart(): Promise<void> {
    await host.remove(partial);
    Object.assign(state, { received: 0, hash: host.sha256(), etag: undefined });
  }
  // The server knows no ranges, or nothing of this one.
  if (state.received > 0 && (response.status !== 206 || wrong !== undefined)) await restart();
  if (wrong !== undefined || (response.status !== 200 && state.received === 0)) return await response.body?.cancel();
  state.etag ??= response.headers.get("etag") ?? undefined;
  const report = () => onProgress?.({ repo, file, received: state.received, total: bytes });
  const writer = await host.append(partial, { empty: state.received === 0 });
  report();
  try {
    for await (const chunk of body(response, network.timeoutMs, signal)) {
      const left = (bytes ?? UNKNOWN_MOST) - state.received;
      if (chunk.byteLength > left) throw new Endless(`the server sends more than ${bytes ?? UNKNOWN_MOST} bytes`);
      await writer.write(chunk);
      state.hash.update(chunk);
      state.received += chunk.byteLength;
      report();
    }
    state.ended = true;
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    if (!(error instanceof StreamError)) throw error;
    state.trouble = error.message;
    if (error instanceof Endless) await restart();
    log("warn", `${repo}: ${error.message}, going on at byte ${state.received}`, { file });
  } finally {
    await writer.close();
  }
}

/** A body that broke off, unlike a disk that is full. */
class StreamError extends Error {}
/** A body that does not end where the file does: what came of it may be of another file too. */
class Endless extends StreamError {}

/** The body in pieces; a silence, less than a byte a millisecond over the longest silence, or an abort ends it with an error. */
async function* body(response: Response, timeoutMs: number, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  // Ends a read that waits.
  const stop = () => void reader.cancel().catch(() => {});
  signal?.addEventListener("abort", stop, { once: true });
  let whole = false;
  let [since, got] = [performance.now(), 0];
  try {
    while (!whole) {
      const { value, done } = await inTime(reader.read(), timeoutMs, "the server").catch((error: Error) => {
        throw new StreamError(error.message, { cause: error });
      });
      signal?.throwIfAborted();
      whole = done;
      got += value?.byteLength ?? 0;
      if (value !== undefined) yield value;
      const passed = performance.now() - since;
      if (!whole && passed > timeoutMs) {
        if (got < passed) throw new StreamError("the server sends less than 1000 bytes a second");
        [since, got] = [performance.now(), 0];
      }
    }
  } finally {
    signal?.removeEventListener("abort", stop);
    if (!whole) await reader.cancel().catch(() => {});
  }
}

/** The error of content that is not the wanted one. */
export function checksum(repo: string, file: string, found: string, { kind, hex }: BlobHash): WeightsError {
  const what = kind === "git" ? "SHA-1 as a blob of git" : "SHA-256";
  return new WeightsError(`Cannot use ${file} of ${repo}: its ${what} is ${found}, wanted ${hex}`, {
    code: "checksum",
    hint: "Try again; if it stays so, the repository has changed or something on the way alters files",
    context: { repo, file, found, wanted: hex },
  });
}

function shortened(request: HubRequest, { received, trouble }: State, bytes: number | undefined): WeightsError {
  const { repo, file } = request;
  const why = trouble ?? `it ends at byte ${received}, wanted ${bytes ?? "more"}`;
  return new WeightsError(`Cannot download ${file} of ${repo}: ${why}`, {
    code: "network",
    hint: trouble === undefined || received > 0
      ? "Run the same command again: the download goes on where it stopped"
      : `Look for a proxy or a login page on the way, and at HF_ENDPOINT; or ${otherwise(request)}`,
    context: { repo, file, received, bytes },
  });
}
