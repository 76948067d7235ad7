/**
 * Starting other processes.
 *
 * @module
 */

/** Variables of the dynamic linker. Deno starts no process with them unless it may start any. */
const LINKER: readonly string[] = [
  "LD_LIBRARY_PATH",
  "LD_PRELOAD",
  "LD_AUDIT",
  "LD_BIND_NOW",
  "LD_DEBUG",
  "DYLD_LIBRARY_PATH",
  "DYLD_FALLBACK_LIBRARY_PATH",
  "DYLD_FRAMEWORK_PATH",
  "DYLD_INSERT_LIBRARIES",
];

/** What differs from {@linkcode Deno.CommandOptions} is that variables of the linker reach the process. */
export type Options = Omit<Deno.CommandOptions, "args">;

/** A program with its arguments. Variables of the dynamic linker, by which some systems find the driver, go by way of `env`. */
export function commandOf(program: string, args: readonly string[], options: Options = {}): Deno.Command {
  const set = Deno.build.os === "windows"
    ? []
    : LINKER.map((name) => [name, options.env?.[name] ?? Deno.env.get(name)] as const)
      .filter((entry): entry is [string, string] => Boolean(entry[1]));
  if (set.length === 0) return new Deno.Command(program, { ...options, args: [...args] });
  const none = Object.fromEntries(set.map(([name]) => [name, ""]));
  return new Deno.Command("env", {
    ...options,
    args: [...set.map(([name, value]) => `${name}=${value}`), program, ...args],
    env: { ...options.env, ...none },
  });
}

/** The running Deno with other arguments. */
export function denoCommand(args: readonly string[], options: Options = {}): Deno.Command {
  return commandOf(Deno.execPath(), args, options);
}
