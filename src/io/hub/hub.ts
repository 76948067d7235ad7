/**
 * Weights from Hugging Face, in the cache that `huggingface_hub` uses: what Python has fetched is found here and the other way
 * round. Downloads resume, are checked against the hub's SHA-256, and appear under their name whole or not at all.
 *
 * Source: huggingface_hub, `file_download.py` and the guide "Understand caching".
 *
 * @module
 */

import { WeightsError } from "../../core/errors.ts";
import { log } from "../../core/log.ts";
import { type BlobHash, checksum, downloadBlob, type DownloadOptions } from "./hub_blob.ts";
import { HubConnection, type HubConnectionOptions } from "./hub_connection.ts";
import { cacheFolder, checkNames, type HubHost } from "./hub_host.ts";
import { askHub, type HubNetwork, type HubRequest } from "./hub_http.ts";

/** Where and how to download; the environment decides what is left out. */
export interface HubOptions extends HubConnectionOptions {
  /** Folder of the cache; default {@linkcode cacheFolder}. */
  cache?: string;
}

/** A file in the cache. */
export interface HubFile {
  /** Path to read it at. */
  readonly path: string;
  readonly repo: string;
  readonly file: string;
  /** Commit of the repository it is from. */
  readonly commit: string;
}

const COMMIT = /^[0-9a-f]{40}$/;
/** Longest file, bytes: what a server says beyond that is no length. */
const MOST = 2 ** 40;
/** Longest wait for news about a file that is there, ms. */
const ETAG_MS = 10_000;

/** What the hub says about a file. */
interface Metadata {
  readonly commit: string;
  /** What the content is named by. */
  readonly hash: BlobHash;
  readonly bytes: number | undefined;
}

/** The hash that an etag of the hub is: SHA-256 of large files, git's SHA-1 of small ones. Nothing else names a content. */
function hashOf(etag: string): BlobHash | undefined {
  const [, hex] = /^(?:W\/)?"?([0-9a-f]+)(?:-gzip)?"?$/.exec(etag) ?? [];
  return hex?.length === 64 ? { kind: "sha256", hex } : hex?.length === 40 ? { kind: "git", hex } : undefined;
}

/** Downloads into the cache and finds what is there. */
export class Hub {
  readonly #host: HubHost;
  readonly #to: HubConnection;
  readonly #cache: string;

  /** Prepares; nothing is asked yet. */
  constructor(host: HubHost, options: HubOptions = {}) {
    this.#host = host;
    this.#to = new HubConnection(host, options);
    this.#cache = options.cache ?? cacheFolder(host);
  }

  /** The file in the cache, without asking anyone; undefined if it is not there. */
  async cached(repo: string, file: string, revision: string = "main"): Promise<HubFile | undefined> {
    checkNames(repo, file, revision);
    const folder = this.#folder(repo);
    const commit = COMMIT.test(revision) ? revision : (await this.#host.readText(`${folder}/refs/${revision}`))?.trim();
    if (commit === undefined || !COMMIT.test(commit)) return undefined;
    const path = `${folder}/snapshots/${commit}/${file}`;
    return (await this.#host.size(path)) === undefined ? undefined : { path, repo, file, commit };
  }

  /**
   * The file, downloaded if the cache has not the revision's.
   *
   * Without connection, or where the hub refuses, a cached file of that branch or tag is used and a warning logged.
   *
   * @throws {GatedError} If a licence must be accepted or a token is missing or wrong; `hint` says how.
   * @throws {WeightsError} If there is no such file (code `file-not-found`) or revision, no connection, no room, or the content
   * is not what the hub's checksum says.
   */
  async download(repo: string, file: string, options: DownloadOptions = {}): Promise<HubFile> {
    const { revision = "main", sha256 } = options;
    const here = await this.cached(repo, file, revision);
    if (here !== undefined && (this.#to.offline || COMMIT.test(revision) || !this.#to.mayConnect)) return here;
    this.#checkConnection(repo, file);
    const request = await this.#request(repo, file, options);
    let metadata: Metadata;
    try {
      const { attempts, timeoutMs } = this.#to.network;
      // With a file at hand nobody is waited for.
      const patience = here === undefined
        ? {}
        : { attempts: Math.min(1, attempts), timeoutMs: Math.min(ETAG_MS, timeoutMs) };
      metadata = await this.#metadata(request, revision, { ...this.#to.network, ...patience });
    } catch (error) {
      const final = !(error instanceof WeightsError) || ["file-not-found", "revision-not-found"].includes(error.code);
      if (here === undefined || final) throw error;
      log("warn", `${repo}: ${error.message}; the cached file is used`, { file, commit: here.commit });
      return here;
    }
    const { kind, hex } = metadata.hash;
    if (sha256 !== undefined && kind === "sha256" && hex !== sha256) {
      throw checksum(repo, file, hex, { kind, hex: sha256 });
    }
    return await this.#fetchInto(request, metadata, options);
  }

  /** The first of some files that the cache has, of the first repository of which it has one, without asking anyone. */
  async cachedFirst(
    repos: readonly string[],
    files: readonly string[],
    revision?: string,
  ): Promise<HubFile | undefined> {
    for (const repo of repos) {
      for (const file of files) {
        const here = await this.cached(repo, file, revision);
        if (here !== undefined) return here;
      }
    }
  }

  /**
   * Makes sure that one of some files is in the cache or may be downloaded.
   *
   * @throws {WeightsError} If neither (codes `offline` and `weights-missing`).
   */
  async check(repos: readonly string[], files: readonly string[], revision?: string): Promise<HubFile | undefined> {
    const cached = await this.cachedFirst(repos, files, revision);
    if (!cached) this.#checkConnection(repos[0]!, files[0]!);
    return cached;
  }

  #checkConnection(repo: string, file: string): void {
    const context = { repo, file, cache: this.#cache };
    const missing = `Cannot find ${file} of ${repo} in ${this.#cache}: it is not there, and`;
    if (this.#to.offline) {
      throw new WeightsError(`${missing} downloads are off`, {
        code: "offline",
        hint: "Unset HF_HUB_OFFLINE, or fetch it once with a connection",
        context,
      });
    }
    if (!this.#to.mayConnect) {
      throw new WeightsError(`${missing} this process may not use the network`, {
        code: "weights-missing",
        hint: `Start the command with deno task, which downloads it, or with --allow-net=${
          URL.parse(this.#to.endpoint)?.host
        }`,
        context,
      });
    }
  }

  /**
   * The first file there is, of the first repository that has one: what the cache has is taken without asking anyone.
   *
   * @throws {WeightsError} Of the first repository, if no other can be read; refusals of a repository are not final while there
   * are others.
   */
  async downloadFirst(
    repos: readonly string[],
    files: readonly string[],
    options: Omit<DownloadOptions, "sha256"> & { sha256?: Readonly<Record<string, string>> } = {},
  ): Promise<HubFile> {
    const { sha256 = {}, ...rest } = options;
    const here = await this.cachedFirst(repos, files, options.revision);
    if (here !== undefined && await this.#isWanted(here, sha256[here.file])) return here;
    let first: unknown;
    for (const repo of repos) {
      for (const file of files) {
        try {
          const known = sha256[file];
          return await this.download(repo, file, known === undefined ? rest : { ...rest, sha256: known });
        } catch (error) {
          first ??= error;
          const code = error instanceof WeightsError ? error.code : "";
          if (code === "file-not-found") continue;
          if (["repo-not-found", "gated", "token"].includes(code)) break;
          throw error;
        }
      }
    }
    throw first;
  }

  /** Whether a file of the cache is what it must be. */
  async #isWanted({ path }: HubFile, sha256: string | undefined): Promise<boolean> {
    if (sha256 === undefined) return true;
    const hash = this.#host.sha256();
    for await (const piece of this.#host.read(path)) hash.update(piece);
    return hash.hex() === sha256;
  }

  #folder(repo: string): string {
    return `${this.#cache}/models--${repo.replaceAll("/", "--")}`;
  }

  async #request(repo: string, file: string, { licence, signal }: DownloadOptions): Promise<HubRequest> {
    return { method: "HEAD", url: this.#to.endpoint, repo, file, token: await this.#to.token(), licence, signal };
  }

  #url({ repo, file }: HubRequest, revision: string): string {
    const path = file.split("/").map(encodeURIComponent).join("/");
    return `${this.#to.endpoint}/${repo}/resolve/${encodeURIComponent(revision)}/${path}`;
  }

  async #metadata(request: HubRequest, revision: string, network: HubNetwork): Promise<Metadata> {
    const { response, header } = await askHub(network, { ...request, url: this.#url(request, revision) });
    await response.body?.cancel();
    const commit = header("x-repo-commit");
    const etag = header("x-linked-etag") ?? header("etag");
    const hash = hashOf(etag ?? "");
    const length = header("x-linked-size") ?? (response.ok ? header("content-length") : undefined);
    const bytes = length === undefined ? undefined : /^\d+$/.test(length) ? Number(length) : NaN;
    if (commit === undefined || !COMMIT.test(commit) || hash === undefined || !(bytes === undefined || bytes <= MOST)) {
      throw new WeightsError(
        `Cannot download ${request.file} of ${request.repo}: ${
          new URL(this.#to.endpoint).host
        } does not answer like the hub`,
        {
          code: "hub-status",
          hint: "Check HF_ENDPOINT and proxies",
          context: { repo: request.repo, file: request.file, commit, etag, length },
        },
      );
    }
    return { commit, hash, bytes };
  }

  /** Makes sure of the blob and of the name that points to it. */
  async #fetchInto(request: HubRequest, metadata: Metadata, options: DownloadOptions): Promise<HubFile> {
    const { repo, file } = request;
    const { commit, hash: { kind, hex: etag } } = metadata;
    const { revision = "main", sha256 } = options;
    const folder = this.#folder(repo);
    const path = `${folder}/snapshots/${commit}/${file}`;
    const blob = `${folder}/blobs/${etag}`;
    const host = this.#host;
    if ((await host.size(path)) === undefined) {
      const locks = `${this.#cache}/.locks/models--${repo.replaceAll("/", "--")}`;
      for (const each of [locks, `${folder}/blobs`, path.slice(0, path.lastIndexOf("/"))]) await host.makeFolder(each);
      const release = await host.lock(`${locks}/${etag}.lock`);
      try {
        const isNew = (await host.size(blob)) === undefined;
        if (isNew) {
          const hash: BlobHash = kind === "git" && sha256 !== undefined
            ? { kind: "sha256", hex: sha256 }
            : metadata.hash;
          const source = { request: { ...request, url: this.#url(request, commit) }, bytes: metadata.bytes, hash };
          await downloadBlob(host, this.#to.network, source, blob, options);
        }
        await this.#name(path, blob, file, isNew);
      } finally {
        await release();
      }
    }
    if (revision !== commit) await this.#remember(`${folder}/refs/${revision}`, commit);
    return { path, repo, file, commit };
  }

  /**
   * Gives a blob its name in a snapshot: a relative link, as `huggingface_hub` makes it. Where there are none, as there the
   * file itself, and of a blob that other snapshots may have too, a copy.
   */
  async #name(path: string, blob: string, file: string, isNew: boolean): Promise<void> {
    const host = this.#host;
    if ((await host.size(path)) !== undefined) return;
    // A link that leads nowhere.
    await host.remove(path);
    const target = `${"../".repeat(file.split("/").length + 1)}blobs/${blob.slice(blob.lastIndexOf("/") + 1)}`;
    if (await host.link(target, path)) return;
    if (isNew) await host.rename(blob, path);
    else await host.copy(blob, path);
  }

  /** Notes which commit a branch or tag is at. The cache may be read-only where nothing had to be downloaded. */
  async #remember(ref: string, commit: string): Promise<void> {
    if ((await this.#host.readText(ref))?.trim() === commit) return;
    try {
      await this.#host.makeFolder(ref.slice(0, ref.lastIndexOf("/")));
      await this.#host.writeText(ref, commit);
    } catch (error) {
      log("warn", `Cannot write ${ref}: ${(error as Error).message}`, { commit });
    }
  }
}
