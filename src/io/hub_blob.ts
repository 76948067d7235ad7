/**
 * The content of one file: downloaded into `.incomplete`, from where an earlier run stopped, checked, then moved to its name.
 *
 * @module
 */

import { WeightsError } from "../core/errors.ts";
import { log } from "../core/log.ts";
import type { HubHash, HubHost } from "./hub_host.ts";
import { askHub, type HubNetwork, type HubRequest, inTime } from "./hub_http.ts";

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
  /** SHA-256, if it is known. */
  readonly sha256: string | undefined;
}

/** What of the file is there. */
interface State {
  received: number;
  hash: HubHash;
  /** The last stretch came to the end of the body. */
  ended: boolean;
}

/**
 * Downloads to `path`, by way of `path.incomplete`.
 *
 * @throws {WeightsError} If the server refuses or falls silent, the disk has no room, or the content is not the wanted one.
 */
export async function downloadBlob(
  host: HubHost,
  network: HubNetwork,
  source: BlobSource,
  path: string,
  options: Pick<DownloadOptions, "onProgress" | "signal"> = {},
): Promise<void> {
  const { request: { repo, file }, sha256 } = source;
  const partial = `${path}.incomplete`;
  for (let fresh = false;; fresh = true) {
    const state = await resume(host, partial, source);
    fresh ||= state.received === 0;
    await fill(host, network, source, partial, state, options);
    const found = state.hash.hex();
    if (sha256 === undefined || found === sha256) break;
    await host.remove(partial);
    // What an earlier run left may be damaged: once more, from the beginning.
    if (fresh) throw checksum(repo, file, found, sha256);
    log("warn", `${repo}: the resumed ${file} is damaged, downloading it again`, {});
  }
  await host.rename(partial, path);
}

/** What an earlier run left, if it can be the beginning of the file, and whether the rest has room. */
async function resume(host: HubHost, partial: string, { request, bytes }: BlobSource): Promise<State> {
  const state: State = { received: 0, hash: host.sha256(), ended: false };
  const there = await host.size(partial) ?? 0;
  if (bytes !== undefined && there > bytes) await host.remove(partial);
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
  const { repo, file } = request;
  throw new WeightsError(`Cannot download ${file} of ${repo}: ${free} bytes are free in ${folder}, wanted ${needed}`, {
    code: "disk",
    hint: "Make room, or set HF_HOME to a folder of a larger disk",
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
  const complete = () => (bytes === undefined ? state.ended : state.received >= bytes);
  // Against the farthest byte: a server without ranges that always breaks off would else be asked for ever.
  let farthest = state.received;
  for (let idle = 0; !complete();) {
    await stretch(host, network, source, partial, state, options);
    if (complete()) break;
    idle = state.received > farthest ? 0 : idle + 1;
    farthest = Math.max(farthest, state.received);
    if (idle >= network.attempts) throw shortened(request, state.received, bytes);
    await network.sleep(1000, options.signal);
  }
  if (bytes === undefined || state.received === bytes) return;
  await host.remove(partial);
  throw shortened(request, state.received, bytes);
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
  const goesOn = response.status === 206 &&
    (response.headers.get("content-range") ?? "").startsWith(`bytes ${state.received}-`);
  if (state.received > 0 && !goesOn) {
    // The server knows no ranges, or nothing of this one: from the beginning.
    await host.remove(partial);
    Object.assign(state, { received: 0, hash: host.sha256() });
    if (response.status !== 200) return await response.body?.cancel();
  }
  const report = () => onProgress?.({ repo, file, received: state.received, total: bytes });
  const writer = await host.append(partial, { empty: state.received === 0 });
  report();
  try {
    for await (const chunk of body(response, network.timeoutMs, signal)) {
      await writer.write(chunk);
      state.hash.update(chunk);
      state.received += chunk.byteLength;
      report();
    }
    state.ended = true;
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    if (!(error instanceof StreamError)) throw error;
    log("warn", `${repo}: ${error.message}, going on at byte ${state.received}`, { file });
  } finally {
    await writer.close();
  }
}

/** A body that broke off, unlike a disk that is full. */
class StreamError extends Error {}

/** The body in pieces; a silence or an abort ends it with an error. */
async function* body(response: Response, timeoutMs: number, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  // Ends a read that waits.
  const stop = () => void reader.cancel().catch(() => {});
  signal?.addEventListener("abort", stop, { once: true });
  let whole = false;
  try {
    while (!whole) {
      const { value, done } = await inTime(reader.read(), timeoutMs, "the server").catch((error: Error) => {
        throw new StreamError(error.message, { cause: error });
      });
      signal?.throwIfAborted();
      whole = done;
      if (value !== undefined) yield value;
    }
  } finally {
    signal?.removeEventListener("abort", stop);
    if (!whole) await reader.cancel().catch(() => {});
  }
}

/** The error of content that is not the wanted one. */
export function checksum(repo: string, file: string, found: string, wanted: string): WeightsError {
  return new WeightsError(`Cannot use ${file} of ${repo}: its SHA-256 is ${found}, wanted ${wanted}`, {
    code: "checksum",
    hint: "Try again; if it stays so, the repository has changed or something on the way alters files",
    context: { repo, file, found, wanted },
  });
}

function shortened({ repo, file }: HubRequest, received: number, bytes: number | undefined): WeightsError {
  return new WeightsError(
    `Cannot download ${file} of ${repo}: it ends at byte ${received}, wanted ${bytes ?? "more"}`,
    {
      code: "network",
      hint: "Run the same command again: the download goes on where it stopped",
      context: { repo, file, received, bytes },
    },
  );
}
