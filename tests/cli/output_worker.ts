/** A thread that takes an empty folder away whenever it is there, as a process does that only looked whether it can be made. */

/// <reference lib="deno.worker" />

self.onmessage = ({ data: path }: MessageEvent<string>) => {
  self.postMessage("begun");
  for (;;) {
    try {
      Deno.removeSync(path);
    } catch { /* it is not there, or not empty */ }
  }
};
