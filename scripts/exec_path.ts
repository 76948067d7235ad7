/**
 * Prints the path of the running Deno, for tasks that may start it and nothing else: `--allow-run` takes no other name of
 * it that is the same under npx, with a link on PATH and without one.
 *
 * @module
 */

if (import.meta.main) console.log(Deno.execPath());
