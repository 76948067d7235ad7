/**
 * Data sets of Hugging Face: what a repository holds at a commit, with lengths and hashes, and its files downloaded into a plain
 * folder.
 *
 * Source: huggingface.co/docs/hub/api, `GET /api/datasets/{repo}/tree/{revision}/{path}`.
 *
 * @module
 */

import { WeightsError } from "../../core/errors.ts";
import { type BlobHash, checksum, downloadBlob, type DownloadOptions, startBlobHash } from "./hub_blob.ts";
import { HubConnection, type HubConnectionOptions } from "./hub_connection.ts";
import { checkNames, type HubHost } from "./hub_host.ts";
import { askHub, type HubRequest, inTime } from "./hub_http.ts";

/** A file of a repository. */
export interface RemoteFile {
  /** Below the repository's root. */
  readonly path: string;
  readonly bytes: number;
  readonly hash: BlobHash;
}

/** What lies in a folder of a repository. */
export interface RemoteFolder {
  readonly files: readonly RemoteFile[];
  /** Paths of the folders in it. */
  readonly folders: readonly string[];
}

/** Longest file, bytes; longest answer of the interface; most answers of one list. */
const MOST = 2 ** 42;
const MOST_ANSWER = 2 ** 26;
const MOST_PAGES = 10_000;

/** A repository of data. */
export class HubDataset {
  readonly #to: HubConnection;

  /** @param otherwise What else gets its files, for hints. */
  constructor(
    readonly repo: string,
    private readonly host: HubHost,
    private readonly otherwise: string,
    options: HubConnectionOptions = {},
  ) {
    this.#to = new HubConnection(host, options);
  }

  /**
   * The commit a branch or tag is at.
   *
   * @throws {GatedError | WeightsError} If nobody may or can be asked, or there is no such revision.
   */
  async commit(revision: string, signal?: AbortSignal): Promise<string> {
    checkNames(this.repo, "revision", revision);
    this.#check();
    const url = `${this.#to.endpoint}/api/datasets/${this.repo}/revision/${encodeURIComponent(revision)}`;
    const { value } = await this.#json(url, `revision ${revision}`, signal);
    const sha = (value as { sha?: unknown } | null)?.sha;
    if (typeof sha === "string" && /^[0-9a-f]{40}$/.test(sha)) return sha;
    throw this.#unlike(`revision ${revision}`, "no commit");
  }

  /** What lies in a folder; below it too where `recursive`. */
  async list(
    commit: string,
    folder: string,
    { recursive = false, signal }: { readonly recursive?: boolean; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<RemoteFolder> {
    const path = folder.split("/").filter(Boolean).map(encodeURIComponent).join("/");
    let url: string | undefined = `${this.#to.endpoint}/api/datasets/${this.repo}/tree/${commit}${
      path && `/${path}`
    }?recursive=${recursive}`;
    const what = folder === "" ? "list of files" : `list of ${folder}`;
    const files: RemoteFile[] = [];
    const folders: string[] = [];
    for (let page = 0; url !== undefined; page++) {
      if (page >= MOST_PAGES) throw this.#unlike(what, `more than ${MOST_PAGES} pages`);
      const { value, link }: { value: unknown; link: string | undefined } = await this.#json(url, what, signal);
      if (!Array.isArray(value)) throw this.#unlike(what, "no list");
      for (const entry of value) {
        const one = this.#entry(what, entry);
        if (typeof one === "string") folders.push(one);
        else files.push(one);
      }
      url = this.#next(what, link);
    }
    return { files, folders };
  }

  /**
   * Downloads a file to a path, by way of `path.incomplete`, from where an earlier run stopped.
   *
   * @throws {GatedError | WeightsError} If it is refused, the connection fails, or the content is another one.
   */
  async download(
    commit: string,
    { path, bytes, hash }: RemoteFile,
    to: string,
    options: Pick<DownloadOptions, "onProgress" | "signal"> = {},
  ): Promise<void> {
    const request = await this.#request(this.#address(commit, path), path, options.signal);
    await this.host.makeFolder(to.slice(0, to.lastIndexOf("/")));
    await downloadBlob(this.host, this.#to.network, { request, bytes, hash }, to, options);
  }

  /** The content of a small file. @throws {WeightsError} If it is not what its hash says. */
  async read(
    commit: string,
    { path, bytes, hash }: RemoteFile,
    signal?: AbortSignal,
  ): Promise<Uint8Array<ArrayBuffer>> {
    if (bytes > MOST_ANSWER) throw this.#unlike(path, `${bytes} bytes, at most ${MOST_ANSWER} wanted`);
    const url = this.#address(commit, path);
    const { response } = await askHub(this.#to.network, await this.#request(url, path, signal));
    const content = await this.#bytes(response, path);
    const found = startBlobHash(this.host, hash.kind, content.length);
    found.update(content);
    const hex = found.hex();
    if (hex !== hash.hex) throw checksum(this.repo, path, hex, hash);
    return content;
  }

  #address(commit: string, path: string): string {
    const where = path.split("/").map(encodeURIComponent).join("/");
    return `${this.#to.endpoint}/datasets/${this.repo}/resolve/${commit}/${where}`;
  }

  async #request(url: string, file: string, signal: AbortSignal | undefined): Promise<HubRequest> {
    const token = await this.#to.token();
    return { method: "GET", url, repo: this.repo, file, token, signal, kind: "dataset", otherwise: this.otherwise };
  }

  #check(): void {
    if (!this.#to.offline && this.#to.mayConnect) return;
    const why = this.#to.offline ? "downloads are off" : "this process may not use the network";
    throw new WeightsError(`Cannot download of ${this.repo}: ${why}`, {
      code: "offline",
      hint: this.#to.offline
        ? "Unset HF_HUB_OFFLINE"
        : `Start the command with deno task, or with --allow-net=${new URL(this.#to.endpoint).host}`,
      context: { repo: this.repo },
    });
  }

  async #json(url: string, what: string, signal?: AbortSignal): Promise<{ value: unknown; link: string | undefined }> {
    const { response } = await askHub(this.#to.network, await this.#request(url, what, signal));
    const bytes = await this.#bytes(response, what);
    try {
      return { value: JSON.parse(new TextDecoder().decode(bytes)), link: response.headers.get("link") ?? undefined };
    } catch {
      throw this.#unlike(what, "no JSON");
    }
  }

  /** The body, if it is no longer than an answer may be. */
  async #bytes(response: Response, what: string): Promise<Uint8Array<ArrayBuffer>> {
    const reader = response.body?.getReader();
    const parts: Uint8Array<ArrayBuffer>[] = [];
    let got = 0;
    while (reader !== undefined) {
      const { value, done } = await inTime(reader.read(), this.#to.network.timeoutMs, "the server").catch((cause) => {
        throw this.#unlike(what, `an answer that breaks off (${(cause as Error).message})`, "network");
      });
      if (done) break;
      got += value.length;
      if (got > MOST_ANSWER) {
        await reader.cancel();
        throw this.#unlike(what, `more than ${MOST_ANSWER} bytes`);
      }
      parts.push(value);
    }
    return new Uint8Array(await new Blob(parts).arrayBuffer());
  }

  /** A file, or the path of a folder. */
  #entry(what: string, entry: unknown): RemoteFile | string {
    const { type, path, size, oid, lfs } = (entry ?? {}) as Record<string, unknown>;
    if (typeof path !== "string") throw this.#unlike(what, "an entry without path");
    checkNames(this.repo, path, "main");
    if (type === "directory") return path;
    const large = (lfs ?? undefined) as { oid?: unknown; size?: unknown } | undefined;
    const bytes = large?.size ?? size;
    const [kind, hex] = large === undefined ? ["git" as const, oid] : ["sha256" as const, large.oid];
    const good = typeof hex === "string" && /^[0-9a-f]+$/.test(hex) && hex.length === (kind === "git" ? 40 : 64);
    if (
      type !== "file" || !good || typeof bytes !== "number" || !(Number.isInteger(bytes) && bytes >= 0 && bytes <= MOST)
    ) {
      throw this.#unlike(what, `${path.slice(0, 80)} without length and hash`);
    }
    return { path, bytes, hash: { kind, hex } };
  }

  /** Address of the next page, of the same server. */
  #next(what: string, link: string | undefined): string | undefined {
    const target = /<([^>]*)>\s*;\s*rel="?next"?/.exec(link ?? "")?.[1];
    if (target === undefined) return undefined;
    const url = URL.parse(target, this.#to.endpoint);
    // A mirror may hand on the addresses of the hub itself.
    const own = new URL(this.#to.endpoint);
    if (url === null || !url.pathname.includes(`/api/datasets/${this.repo}/`)) {
      throw this.#unlike(what, "a page elsewhere");
    }
    return `${own.origin}${url.pathname}${url.search}`;
  }

  #unlike(what: string, found: string, code = "hub-status"): WeightsError {
    return new WeightsError(
      `Cannot read the ${what} of ${this.repo}: ${found}; ${
        new URL(this.#to.endpoint).host
      } does not answer like the hub`,
      { code, hint: "Check HF_ENDPOINT and proxies, and try again", context: { repo: this.repo, found } },
    );
  }
}
