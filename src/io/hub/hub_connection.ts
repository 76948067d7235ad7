/**
 * Which hub is asked, by what means, with whose token: the environment decides what is not said.
 *
 * @module
 */

import { ConfigError } from "../../core/errors.ts";
import { findToken, type HubHost, isTrue } from "./hub_host.ts";
import { type HubNetwork, isPrivate, sleep } from "./hub_http.ts";

/** Whom to ask and how. */
export interface HubConnectionOptions {
  /** Server; default `HF_ENDPOINT`, else huggingface.co. */
  endpoint?: string;
  /** Access token; default {@linkcode findToken}. */
  token?: string;
  /** Asks nobody; default `HF_HUB_OFFLINE`. */
  offline?: boolean;
  /** Default the platform's. */
  fetch?: typeof fetch;
  /** Default a timer. */
  sleep?: HubNetwork["sleep"];
  /** Attempts of every request and of every stretch of a download that brings nothing; default 5. */
  attempts?: number;
  /** Longest silence of a server, ms; default 60 000. */
  timeoutMs?: number;
}

/** A hub that can be asked. */
export class HubConnection {
  /** Address without a slash at its end. */
  readonly endpoint: string;
  readonly offline: boolean;
  readonly network: HubNetwork;
  readonly #host: HubHost;
  #token: Promise<string | undefined> | undefined;

  /** Prepares; nothing is asked yet. */
  constructor(host: HubHost, options: HubConnectionOptions = {}) {
    this.#host = host;
    this.endpoint = checkedEndpoint(options.endpoint ?? (host.env("HF_ENDPOINT") || "https://huggingface.co"));
    this.offline = options.offline ?? (isTrue(host.env("HF_HUB_OFFLINE")) || isTrue(host.env("TRANSFORMERS_OFFLINE")));
    if (options.token !== undefined) this.#token = Promise.resolve(options.token);
    this.network = {
      fetch: options.fetch ?? ((input, init) => fetch(input, init)),
      sleep: options.sleep ?? sleep,
      attempts: options.attempts ?? 5,
      timeoutMs: options.timeoutMs ?? 60_000,
    };
  }

  /** Whether this process may ask it. */
  get mayConnect(): boolean {
    return this.#host.mayConnect?.(this.endpoint) !== false;
  }

  /** The token, where nobody on the way would read it. */
  async token(): Promise<string | undefined> {
    if (isPrivate(this.endpoint)) this.#token ??= findToken(this.#host);
    return await this.#token;
  }
}

/** An address of a server, without a slash at its end. */
function checkedEndpoint(given: string): string {
  const url = URL.parse(given.trim());
  if (url !== null && /^https?:$/.test(url.protocol) && !url.search && !url.hash) return url.href.replace(/\/+$/, "");
  throw new ConfigError("Cannot use HF_ENDPOINT: it is no address of a server, wanted https://HOST", {
    hint: "Unset HF_ENDPOINT for huggingface.co, or set it to a mirror's address",
    context: { key: "HF_ENDPOINT" },
  });
}
