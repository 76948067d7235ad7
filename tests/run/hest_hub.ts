/** A hub of this machine with the files of a data set, as Hugging Face lists and gives them. */

import { createHash } from "node:crypto";
import { type LocalServer, serve } from "../models/local_server.ts";

/** Commit of the repositories. */
export const COMMIT = "0123456789abcdef0123456789abcdef01234567";
/** Entries of a page of a list. */
const PAGE = 3;

/** Hash of a file as the hub has it: SHA-256 of large ones, git's of small ones. */
function hashes(bytes: Uint8Array, large: boolean): Record<string, unknown> {
  const git = createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return { size: bytes.length, oid: git, ...(large ? { lfs: { oid: sha256, size: bytes.length } } : {}) };
}

/** The server. */
export class HestHub implements AsyncDisposable {
  /** Files by path, all of the repository that is asked for. */
  readonly files = new Map<string, Uint8Array<ArrayBuffer>>();
  /** What was asked, in order: lists and files. */
  readonly asked: string[] = [];
  /** Ranges that files were asked with. */
  readonly ranges: (string | null)[] = [];
  /** Answers before the server does. */
  before: (path: string, request: Request) => Response | undefined = () => undefined;
  readonly #server: LocalServer;

  constructor() {
    this.#server = serve((request) => this.#answer(request));
  }

  get address(): string {
    return this.#server.address;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.close();
  }

  #answer(request: Request): Response {
    const url = new URL(request.url);
    const [, repo, tree, resolve] =
      /^\/(?:api\/)?datasets\/([\w-]+\/[\w-]+)\/(?:revision\/main|tree\/[0-9a-f]{40}\/?(.*)|resolve\/[0-9a-f]{40}\/(.*))$/
        .exec(url.pathname) ?? [];
    if (repo === undefined) return new Response(null, { status: 404, headers: { "x-error-code": "RepoNotFound" } });
    const path = decodeURIComponent(resolve ?? tree ?? "");
    this.asked.push(resolve === undefined ? `list ${path}` : path);
    const early = this.before(resolve === undefined ? `list ${path}` : path, request);
    if (early !== undefined) return early;
    if (url.pathname.endsWith("/revision/main")) return Response.json({ sha: COMMIT });
    if (resolve !== undefined) return this.#file(path, request);
    return this.#list(path, url);
  }

  #list(folder: string, url: URL): Response {
    const prefix = folder === "" ? "" : `${folder}/`;
    const own = [...this.files.keys()].filter((path) => path.startsWith(prefix)).sort();
    const recursive = url.searchParams.get("recursive") === "true";
    const entries = [
      ...new Set(own.map((path) => recursive ? path : prefix + path.slice(prefix.length).split("/")[0]!)),
    ]
      .map((path) => {
        const bytes = this.files.get(path);
        return bytes === undefined
          ? { type: "directory", path, size: 0, oid: COMMIT }
          : { type: "file", path, ...hashes(bytes, path.endsWith(".h5")) };
      });
    const from = Number(url.searchParams.get("cursor") ?? 0);
    const headers: Record<string, string> = {};
    if (from + PAGE < entries.length) {
      url.searchParams.set("cursor", String(from + PAGE));
      headers["link"] = `<${url.href}>; rel="next"`;
    }
    return Response.json(entries.slice(from, from + PAGE), { headers });
  }

  #file(path: string, request: Request): Response {
    const bytes = this.files.get(path);
    if (bytes === undefined) return new Response(null, { status: 404, headers: { "x-error-code": "EntryNotFound" } });
    const range = request.headers.get("range");
    this.ranges.push(range);
    const from = Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0);
    const headers = {
      "content-length": String(bytes.length - from),
      ...(from > 0 ? { "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {}),
    };
    return new Response(bytes.slice(from), { status: from > 0 ? 206 : 200, headers });
  }
}

/** Fills a server with four samples of HEST-1k, one of them without patches. */
export function fillHest(files: Map<string, Uint8Array<ArrayBuffer>>): void {
  const text = (content: string) => new TextEncoder().encode(content) as Uint8Array<ArrayBuffer>;
  const rows = [
    "TENX9,Breast,Visium,Homo sapiens",
    "TENX95,Breast,Xenium,Homo sapiens",
    'TENX99,"Bowel, small",Visium,Mus musculus',
    "NCBI1,Breast,Visium,Mus musculus",
  ];
  files.set("HEST_v1_9_0.csv", text("\uFEFFid,organ\nOLD1,Breast\n"));
  files.set("HEST_v1_10_0.csv", text(`\uFEFFid,organ,st_technology,species\n${rows.join("\n")}\n`));
  files.set("README.md", text("read me"));
  for (const [i, id] of ["TENX9", "TENX95", "TENX99", "NCBI1"].entries()) {
    files.set(`st/${id}.h5ad`, text(`table ${id}`));
    files.set(`metadata/${id}.json`, text(`{"id": "${id}"}`));
    files.set(`wsis/${id}.tif`, text(`slide ${id}`));
    files.set(`tissue_seg/${id}_contours.geojson`, text(`tissue ${id}`));
    if (id !== "NCBI1") {
      files.set(`patches/${id}.h5`, Uint8Array.from({ length: 70_000 }, (_, k) => (k * 7 + i * 3 + (k >> 8)) & 255));
    }
  }
}
