/** Servers of this machine for tests. Where even its own network is cut, requests reach them without one. */

type Handler = (request: Request) => Response | Promise<Response>;

/** Whether this machine reaches itself. */
export const LOOPBACK: boolean = await (async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port })).close();
    return true;
  } catch {
    return false;
  }
})();

/** Handlers by host, where there is no network. */
const handlers = new Map<string, Handler>();
let last = 1;

/** A server that runs. */
export interface LocalServer {
  readonly address: string;
  close(): Promise<void>;
}

/** Starts a server. */
export function serve(handler: Handler): LocalServer {
  if (LOOPBACK) {
    const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, handler);
    return { address: `http://127.0.0.1:${server.addr.port}`, close: () => server.shutdown() };
  }
  const host = `127.0.0.1:${last++}`;
  handlers.set(host, handler);
  return { address: `http://${host}`, close: () => Promise.resolve(void handlers.delete(host)) };
}

/** Asks the servers of {@linkcode serve}. */
export const localFetch: typeof fetch = async (input, init) => {
  if (LOOPBACK) return await fetch(input, init);
  const request = new Request(input as string, init);
  const handler = handlers.get(new URL(request.url).host);
  if (handler === undefined) throw new TypeError("fetch failed");
  const response = await handler(request);
  return request.method === "HEAD" ? new Response(null, response) : response;
};
