/**
 * What downloads need of the machine, and where `huggingface_hub` keeps cache and token on it.
 *
 * @module
 */

import { WeightsError } from "../core/errors.ts";

/** What a download needs of the machine; `fs.ts` has one for Deno, tests their own. */
export interface HubHost {
  /** A variable of the environment. */
  env(name: string): string | undefined;
  /** Whether this process may ask the server of an address; without it, it may. */
  mayConnect?(address: string): boolean;
  /** Text of a small file; undefined if there is none. */
  readText(path: string): Promise<string | undefined>;
  /** Length of a file, bytes, links followed; undefined if there is none. */
  size(path: string): Promise<number | undefined>;
  /** Creates a folder and those above it. */
  makeFolder(path: string): Promise<void>;
  /** Writes a small file whole or not at all. */
  writeText(path: string, text: string): Promise<void>;
  /** Moves a file; one of that name is replaced. */
  rename(from: string, to: string): Promise<void>;
  /** Deletes a file if there is one. */
  remove(path: string): Promise<void>;
  /** Makes a symbolic link with a relative target; false where the system has none. A link that exists is left. */
  link(target: string, path: string): Promise<boolean>;
  /** Opens a file for writing at its end, or empty. */
  append(path: string, options: { empty: boolean }): Promise<HubWriter>;
  /** A file in pieces. */
  read(path: string): AsyncIterable<Uint8Array>;
  /** Starts a SHA-256. */
  sha256(): HubHash;
  /** Waits until no other process holds the lock of this file; the result releases it. */
  lock(path: string): Promise<() => Promise<void> | void>;
  /** Room on the disk of a folder, bytes, where that is known. */
  freeBytes?(path: string): Promise<number | undefined>;
}

/** A file being written. */
export interface HubWriter {
  /** Writes all bytes. */
  write(bytes: Uint8Array): Promise<void>;
  /** Flushes and closes. */
  close(): Promise<void>;
}

/** A hash being computed. */
export interface HubHash {
  /** Takes more bytes. */
  update(bytes: Uint8Array): void;
  /** Lower-case hexadecimal digest; the hash is used up. */
  hex(): string;
}

/** Where `huggingface_hub` keeps its files: `HF_HOME`, else below the user's cache. */
function home(host: Pick<HubHost, "env">): string {
  const user = host.env("HOME") ?? host.env("USERPROFILE") ?? ".";
  const given = host.env("HF_HOME") || `${host.env("XDG_CACHE_HOME") || `${user}/.cache`}/huggingface`;
  return given.replace(/^~(?=[/\\]|$)/, user).replace(/[/\\]+$/, "");
}

/** Folder of the cache: `HF_HUB_CACHE`, else `hub` in `HF_HOME`, else `~/.cache/huggingface/hub`. */
export function cacheFolder(host: Pick<HubHost, "env">): string {
  return (host.env("HF_HUB_CACHE") || host.env("HUGGINGFACE_HUB_CACHE") || `${home(host)}/hub`).replace(/[/\\]+$/, "");
}

/** The user's token: `HF_TOKEN` and its older spellings, else the file that `hf auth login` writes. */
export async function findToken(host: Pick<HubHost, "env" | "readText">): Promise<string | undefined> {
  for (const name of ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_TOKEN"]) {
    const token = host.env(name)?.trim();
    if (token) return token;
  }
  const text = await host.readText(host.env("HF_TOKEN_PATH") || `${home(host)}/token`);
  return text?.trim() || undefined;
}

/** Whether a variable of the environment switches something on. */
export function isTrue(value: string | undefined): boolean {
  return /^(1|on|yes|true)$/i.test(value ?? "");
}

/**
 * Checks names that become parts of paths and addresses.
 *
 * @throws {WeightsError} If one could lead elsewhere.
 */
export function checkNames(repo: string, file: string, revision: string): void {
  const part = /^(?!\.{1,2}$)[^\\:*?"<>|\0#%\s]+$/;
  const good = /^[\w.-]+\/[\w.-]+$/.test(repo) &&
    [...repo.split("/"), ...file.split("/"), ...revision.split("/")].every((name) => part.test(name));
  if (!good) {
    throw new WeightsError(`Cannot download "${file}" of "${repo}" at "${revision}": no plain names`, {
      code: "hub-name",
    });
  }
}
