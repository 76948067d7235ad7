/**
 * What downloads need of the machine, and where `huggingface_hub` keeps cache and token on it.
 *
 * @module
 */

import { WeightsError } from "../../core/errors.ts";

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
  /** Makes a symbolic link with a relative target; false where the system has none or it is not permitted. */
  link(target: string, path: string): Promise<boolean>;
  /** Writes a copy of a file whole or not at all. */
  copy(from: string, to: string): Promise<void>;
  /** Opens a file for writing at its end, or empty. */
  append(path: string, options: { empty: boolean }): Promise<HubWriter>;
  /** A file in pieces. */
  read(path: string): AsyncIterable<Uint8Array>;
  /** Starts a SHA-256. */
  sha256(): HubHash;
  /** Starts a SHA-1. */
  sha1(): HubHash;
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

/** What a token may consist of; anything else would be no header, or two. */
const TOKEN = /^[\x21-\x7e]{1,1000}$/;

function checkedToken(token: string, where: string): string {
  if (TOKEN.test(token)) return token;
  throw new WeightsError(`Cannot use the token in ${where}: it holds spaces or other characters that no token has`, {
    code: "token",
    hint: "Copy it again from https://huggingface.co/settings/tokens",
  });
}

/** The user's token: `HF_TOKEN` and its older spellings, else the file that `hf auth login` writes. */
export async function findToken(host: Pick<HubHost, "env" | "readText">): Promise<string | undefined> {
  for (const name of ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_TOKEN"]) {
    const token = host.env(name)?.trim();
    if (token) return checkedToken(token, name);
  }
  const path = host.env("HF_TOKEN_PATH") || `${home(host)}/token`;
  const token = (await host.readText(path))?.trim();
  return token ? checkedToken(token, path) : undefined;
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
