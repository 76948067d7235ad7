/**
 * Runs a module of this folder in a process of its own.
 *
 * @module
 */

/** Start of a line that is meant for the parent; libraries print to the same stream. */
export const MARK = "@row ";

/** How a process ended. */
export interface Ended {
  /** Undefined where all went well. */
  readonly failure?: string;
  /** Stopped after its time. */
  readonly killed: boolean;
}

/** The first error in what a process wrote, three lines of it; Mesa's remark about XDG_RUNTIME_DIR is none. */
function firstError(text: string): string {
  const lines = text.trim().split("\n").filter((line) => !line.includes("XDG_RUNTIME_DIR"));
  const at = Math.max(0, lines.findIndex((line) => line.startsWith("error:")));
  return lines.slice(at, at + 3).map((line) => line.trim()).join(" | ");
}

/**
 * Runs `module` with `order` as JSON in its first argument.
 *
 * @param onLine Told each marked line, without the mark, as it arrives.
 */
export async function spawn(
  module: string,
  order: unknown,
  onLine: (text: string) => void,
  { killAfterMs, env = {} }: { killAfterMs: number; env?: Record<string, string> },
): Promise<Ended> {
  // Decoding by libvips is a native library.
  const may = ["--no-prompt", "--allow-read", "--allow-write", "--allow-env", "--allow-sys", "--allow-ffi"];
  const args = ["run", ...may, "--quiet", "--config", `${import.meta.dirname}/deno.json`];
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args, `${import.meta.dirname}/${module}`, JSON.stringify(order)],
    env: { NO_COLOR: "1", ...env },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let killed = false;
  const timer = setTimeout(() => {
    killed = true;
    child.kill("SIGKILL");
  }, killAfterMs);
  const stderr = child.stderr.pipeThrough(new TextDecoderStream());
  const complaints = Array.fromAsync(stderr).then((parts) => firstError(parts.join("")));
  let rest = "";
  for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    for (const line of lines) if (line.startsWith(MARK)) onLine(line.slice(MARK.length));
  }
  const { code } = await child.status;
  clearTimeout(timer);
  if (killed) return { killed, failure: "time budget: stopped" };
  if (code === 0) return { killed };
  return { killed, failure: `process ended with status ${code}: ${await complaints}`.slice(0, 600) };
}
