/**
 * Threads: workers of the web where the host has them, those of `node:worker_threads` in Node. Messages are the same.
 *
 * @module
 */

import process from "node:process";

/** A thread as its owner sees it. */
export interface Thread<Q> {
  /** Sends it a message. */
  post(message: Q): void;
  /** Ends it at once. */
  end(): void;
}

/** A thread as it sees itself. */
export interface ThreadScope<A> {
  /** Answers; what is in `transfer` moves and is not copied. */
  post(message: A, transfer: Transferable[]): void;
}

type NodeThreads = typeof import("node:worker_threads");

function nodeThreads(): NodeThreads {
  return process.getBuiltinModule("node:worker_threads");
}

/**
 * Starts a thread.
 *
 * @param module Its module, which calls {@linkcode answering}.
 * @param on `answer` is called with each message, `failure` once, with what ended the thread.
 */
export function startThread<Q, A>(
  module: URL,
  on: { answer(message: A): void; failure(message: string): void },
): Thread<Q> {
  if (typeof Worker === "undefined") {
    const { Worker } = nodeThreads();
    const worker = new Worker(module);
    worker.on("message", on.answer);
    worker.on("error", (error: unknown) => on.failure(error instanceof Error ? error.message : String(error)));
    return { post: (message) => worker.postMessage(message), end: () => void worker.terminate() };
  }
  const worker = new Worker(module, { type: "module" });
  worker.onmessage = ({ data }: MessageEvent<A>) => on.answer(data);
  worker.onerror = (event) => {
    event.preventDefault();
    on.failure(event.message);
  };
  return { post: (message) => worker.postMessage(message), end: () => worker.terminate() };
}

/** Called by a thread's module: `ask` is called with each message. */
export function answering<Q, A>(ask: (message: Q) => void): ThreadScope<A> {
  if (typeof Worker === "undefined") {
    const port = nodeThreads().parentPort!;
    port.on("message", ask);
    return { post: (message, transfer) => port.postMessage(message, transfer as ArrayBuffer[]) };
  }
  const scope = self as unknown as {
    onmessage: (event: MessageEvent<Q>) => void;
    postMessage(message: A, transfer: Transferable[]): void;
  };
  scope.onmessage = ({ data }) => ask(data);
  return { post: (message, transfer) => scope.postMessage(message, transfer) };
}
