/** What code that was planted in a dependency would try. Prints the names of what it was let do, as JSON on one line. */

const [outside, secret] = Deno.args as [string, string];

const attempts: Record<string, () => unknown> = {
  write: () => Deno.writeTextFileSync(outside, "planted"),
  mkdir: () => Deno.mkdirSync(`${outside}.folder`),
  link: () => Deno.symlinkSync("/", `${outside}.link`),
  remove: () => Deno.removeSync(new URL("../../README.md", import.meta.url).pathname + ".none", { recursive: true }),
  fetch: () => fetch("https://example.org/"),
  connect: () => Deno.connect({ hostname: "127.0.0.1", port: 9 }),
  listen: () => Deno.listen({ hostname: "127.0.0.1", port: 0 }).close(),
  resolve: () => Deno.resolveDns("example.org", "A"),
  run: () => new Deno.Command("sh", { args: ["-c", "true"] }).outputSync(),
  deno: () => new Deno.Command(Deno.execPath(), { args: ["--version"] }).outputSync(),
  kill: () => Deno.kill(Deno.ppid, "SIGCONT"),
  library: () => Deno.dlopen("libc.so.6", { getpid: { parameters: [], result: "i32" } }).close(),
  variable: () => Deno.env.get(secret),
  variables: () => Deno.env.toObject(),
};

const done: string[] = [];
for (const [name, attempt] of Object.entries(attempts)) {
  try {
    await attempt();
    done.push(name);
  } catch (error) {
    // Whatever else went wrong, it was let try.
    if (!(error instanceof Deno.errors.NotCapable)) done.push(name);
  }
}
console.log(JSON.stringify(done));
