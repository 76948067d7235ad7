/**
 * Requests to Hugging Face: redirects followed by hand so that a token never leaves its server, retries with growing pauses,
 * and refusals turned into errors that say what to do.
 *
 * @module
 */

import { GatedError, WeightsError } from "../../core/errors.ts";
import { log } from "../../core/log.ts";

/** What is asked of whom. */
export interface HubRequest {
  readonly method: "HEAD" | "GET";
  readonly url: string;
  /** Repository, for error messages. */
  readonly repo: string;
  /** File in it, for error messages. */
  readonly file: string;
  readonly token?: string | undefined;
  /** First byte wanted; 0 asks for the whole file. */
  readonly from?: number;
  readonly signal?: AbortSignal | undefined;
  /** Licence of the weights, for error messages. */
  readonly licence?: string | undefined;
  /** What else gets the files, for hints; weights are copied to a folder for `--encoder` if not given. */
  readonly otherwise?: string | undefined;
  /** What the repository holds. */
  readonly kind?: "model" | "dataset" | undefined;
}

/** How requests are made; tests replace all of it. */
export interface HubNetwork {
  readonly fetch: typeof fetch;
  /** Waits between attempts. */
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** Attempts before giving up. */
  readonly attempts: number;
  /** Longest silence of a server, ms. */
  readonly timeoutMs: number;
}

/** The answer to a request and the headers met on the way to it. */
export interface HubAnswer {
  readonly response: Response;
  /** Whether another server than the hub gave it, such as the storage behind it. */
  readonly foreign: boolean;
  /** Of the last response that had it. */
  header(name: string): string | undefined;
}

const RETRY: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);
const REDIRECT: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const MAX_REDIRECTS = 10;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30_000;
/** A server that asks for more than this is not waited for. */
const LONGEST_RETRY_AFTER_MS = 300_000;
const PAGE = "https://huggingface.co";

/** Waits; an abort ends the wait with its reason. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const end = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", end);
      resolve();
    }, ms);
    signal?.addEventListener("abort", end, { once: true });
  });
}

/** The promise, unless it takes longer than `ms`. */
export async function inTime<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} was silent for ${ms / 1000} s`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Pause before attempt `attempt` + 1, ms: doubled each time, or what the server asks for; undefined to give up. */
export function pauseOf(attempt: number, retryAfter: string | null, now: number = Date.now()): number | undefined {
  const seconds = retryAfter === null ? NaN : /^\d+$/.test(retryAfter.trim()) ? Number(retryAfter) : NaN;
  const asked = Number.isNaN(seconds) ? Date.parse(retryAfter ?? "") - now : 1000 * seconds;
  if (Number.isFinite(asked)) return asked > LONGEST_RETRY_AFTER_MS ? undefined : Math.max(0, asked);
  return Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempt);
}

/** Whether an address is of this machine. */
function isLoopback({ hostname }: URL): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(hostname);
}

/** Whether nobody on the way reads what goes to an address: https, or a server of this machine. */
export function isPrivate(address: string): boolean {
  const url = new URL(address);
  return url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url));
}

/** Page of a repository. */
function pageOf({ repo, kind }: HubRequest): string {
  return `${PAGE}/${kind === "dataset" ? "datasets/" : ""}${repo}`;
}

/** What else gets the files. */
export function otherwise({ otherwise }: HubRequest): string {
  return otherwise ?? "copy the files to a folder and give that as --encoder";
}

/** Hint of every error that a token or an accepted licence mends. */
function access(request: HubRequest): string {
  const { licence, token, url } = request;
  if (!isPrivate(url)) return "Set HF_ENDPOINT to an https:// address: a token is not sent over http";
  const terms = licence === undefined ? "the terms" : `the terms (${licence})`;
  const make = token === undefined
    ? "make a token at https://huggingface.co/settings/tokens, then "
    : "then use a token of that account: ";
  return `Accept ${terms} at ${pageOf(request)}, ${make}export HF_TOKEN=hf_…`;
}

/** The error a refusal stands for. The body is not looked at: HEAD has none. */
export function refusal(request: HubRequest, response: Response): WeightsError {
  const { repo, file, token } = request;
  const { status } = response;
  const code = response.headers.get("x-error-code");
  const context = { repo, file, status, page: pageOf(request) };
  const held = token === undefined ? "no token was given" : "the token's account has no access";
  if (code === "EntryNotFound" || (code === null && status === 404)) {
    return new WeightsError(`Cannot download ${file} of ${repo}: the repository has no such file`, {
      code: "file-not-found",
      context,
    });
  }
  if (code === "RevisionNotFound") {
    return new WeightsError(`Cannot download ${file} of ${repo}: there is no such revision`, {
      code: "revision-not-found",
      context,
    });
  }
  if (code === "GatedRepo") {
    return new GatedError(`Cannot download ${file} of ${repo}: its licence must be accepted first, and ${held}`, {
      code: "gated",
      hint: access(request),
      context,
    });
  }
  if (code === "RepoNotFound") {
    return new GatedError(`Cannot download ${file} of ${repo}: no such repository, or it is private and ${held}`, {
      code: "repo-not-found",
      hint: access(request),
      context,
    });
  }
  if (status === 401 || status === 403) {
    const why = status === 401 ? "the token is not valid" : "the token may not read gated repositories";
    return new GatedError(`Cannot download ${file} of ${repo}: ${token === undefined ? held : why}`, {
      code: "token",
      hint: access(request),
      context,
    });
  }
  return new WeightsError(`Cannot download ${file} of ${repo}: the server answers ${status}`, {
    code: "hub-status",
    context,
  });
}

function misled(request: HubRequest, why: string): WeightsError {
  const { repo, file } = request;
  return new WeightsError(`Cannot download ${file} of ${repo}: ${why}`, {
    code: "hub-status",
    hint: `Look for a proxy on the way, and at HF_ENDPOINT; or ${otherwise(request)}`,
    context: { repo, file },
  });
}

/**
 * The next address of a redirect: https, whatever the host; http only from http, to the same host or this machine. The token goes
 * along to the same origin only, which is protocol, host and port.
 */
function follow(request: HubRequest, location: string | null): HubRequest {
  const from = new URL(request.url);
  const to = location === null ? undefined : URL.parse(location, from) ?? undefined;
  const plain = to?.protocol === "http:" && from.protocol === "http:" && (to.host === from.host || isLoopback(to));
  if (to === undefined || !(to.protocol === "https:" || plain)) {
    const where = to === undefined
      ? "nowhere"
      : /^https?:$/.test(to.protocol)
      ? `${to.protocol}//${to.host}`
      : to.protocol;
    throw misled(request, `redirected to ${where}, wanted https`);
  }
  // Names and passwords in an address are not the server's to give.
  [to.username, to.password, to.hash] = ["", "", ""];
  return { ...request, url: to.href, token: to.origin === from.origin ? request.token : undefined };
}

/** One attempt: follows redirects, but a HEAD ends at the door of another server, whose answer would say nothing. */
async function attempt(network: HubNetwork, request: HubRequest): Promise<HubAnswer> {
  const met: Headers[] = [];
  let now = request;
  for (let step = 0; step <= MAX_REDIRECTS; step++) {
    const headers = new Headers({ "accept-encoding": "identity", "user-agent": "seal-webgpu" });
    if (now.token !== undefined && isPrivate(now.url)) headers.set("authorization", `Bearer ${now.token}`);
    if (now.from) headers.set("range", `bytes=${now.from}-`);
    const controller = new AbortController();
    const stop = () => controller.abort(request.signal?.reason);
    request.signal?.addEventListener("abort", stop, { once: true });
    const { method } = now;
    let response: Response;
    try {
      request.signal?.throwIfAborted();
      const asked = network.fetch(now.url, { method, headers, redirect: "manual", signal: controller.signal });
      response = await inTime(asked, network.timeoutMs, new URL(now.url).host).catch((error) => {
        controller.abort();
        throw error;
      });
    } finally {
      request.signal?.removeEventListener("abort", stop);
    }
    met.push(response.headers);
    const header = (name: string) => met.findLast((each) => each.has(name))?.get(name) ?? undefined;
    const foreign = new URL(now.url).origin !== new URL(request.url).origin;
    if (!REDIRECT.has(response.status)) return { response, foreign, header };
    const next = follow(now, response.headers.get("location"));
    await response.body?.cancel();
    if (method === "HEAD" && new URL(next.url).origin !== new URL(now.url).origin) return { response, foreign, header };
    now = next;
  }
  throw misled(request, `more than ${MAX_REDIRECTS} redirects`);
}

/**
 * Makes a request until it is answered.
 *
 * @returns A response of status 2xx, of a redirect to another server for HEAD, or 416 where a range was asked for.
 * @throws {WeightsError} If it is refused (`GatedError` where a token or an accepted licence helps), or nothing answers after
 * all attempts (code `network`).
 */
export async function askHub(network: HubNetwork, request: HubRequest): Promise<HubAnswer> {
  const { repo, file, signal } = request;
  for (let tried = 0;; tried++) {
    let failure: { cause?: unknown; text: string; retryAfter: string | null };
    try {
      const answer = await attempt(network, request);
      const { response, foreign } = answer;
      const rangeOver = response.status === 416 && request.from;
      if (response.ok || REDIRECT.has(response.status) || rangeOver) return answer;
      await response.body?.cancel();
      // Addresses of the storage expire: its refusals say nothing about the repository, and the hub gives a new address.
      if (!foreign && !RETRY.has(response.status)) throw refusal(request, response);
      failure = { text: `the server answers ${response.status}`, retryAfter: response.headers.get("retry-after") };
    } catch (cause) {
      if (cause instanceof WeightsError || signal?.aborted) throw cause;
      failure = { cause, text: cause instanceof Error ? cause.message : String(cause), retryAfter: null };
    }
    const pause = pauseOf(tried, failure.retryAfter);
    if (tried + 1 >= network.attempts || pause === undefined) {
      throw new WeightsError(`Cannot reach ${new URL(request.url).host} for ${file} of ${repo}: ${failure.text}`, {
        code: "network",
        hint: `Check the connection, set HF_ENDPOINT to a mirror, or ${otherwise(request)}`,
        context: { repo, file, attempts: tried + 1 },
        cause: failure.cause,
      });
    }
    log("warn", `${repo}: ${failure.text}, trying again`, { file, pauseMs: pause });
    await network.sleep(pause, signal);
  }
}
