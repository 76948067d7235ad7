/**
 * Kills a training run with SIGKILL at random moments, resumes it each time, and compares what it leaves with a run that was
 * never killed, byte for byte.
 *
 * deno run --allow-read --allow-write --allow-env --allow-run scripts/kill_resume.ts [--kills 20] [--seed 1] -- ARGUMENTS OF train WITHOUT --out
 *
 * @module
 */

import { Rng } from "../src/core/rng.ts";

const MAIN = new URL("../src/cli/main.ts", import.meta.url).pathname;

/** What a launched command may, but for the place of its output. */
const MAY = ["--no-prompt", "--allow-read", "--allow-write", "--allow-env", "--allow-sys"];

/** Starts `train`. */
export function train(args: readonly string[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", ...MAY, "--no-check", MAIN, "train", ...args],
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Files that must not depend on how often a run was stopped, with their bytes. The clock's lengths are left out. */
export function timelessFiles(run: string): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  for (const name of ["config.yaml", "metrics.jsonl", "metrics.csv", "events.out.tfevents.0"]) {
    files.set(name, Deno.readFileSync(`${run}/${name}`));
  }
  for (const kind of ["last", "best"]) {
    for (const { name } of Deno.readDirSync(`${run}/checkpoints/${kind}`)) {
      const path = `checkpoints/${kind}/${name}`;
      const bytes = Deno.readFileSync(`${run}/${path}`);
      if (name !== "trainer_state.json") {
        files.set(path, bytes);
        continue;
      }
      const { metrics: { timing: _, ...lengths }, ...state } = JSON.parse(new TextDecoder().decode(bytes));
      files.set(path, new TextEncoder().encode(JSON.stringify({ ...state, metrics: lengths })));
    }
  }
  return files;
}

/** Names of files that differ, or that only one has. */
export function differences(a: ReadonlyMap<string, Uint8Array>, b: ReadonlyMap<string, Uint8Array>): string[] {
  return [...new Set([...a.keys(), ...b.keys()])].filter((name) => {
    const [x, y] = [a.get(name), b.get(name)];
    return !x || !y || x.length !== y.length || x.some((byte, i) => byte !== y[i]);
  });
}

/** Bytes of the file of metrics, 0 before there is one. */
function written(run: string): number {
  try {
    return Deno.statSync(`${run}/metrics.jsonl`).size;
  } catch {
    return 0;
  }
}

function finished(run: string): boolean {
  try {
    return Deno.statSync(`${run}/run.json`).isFile;
  } catch {
    return false;
  }
}

/** What {@linkcode killAndResume} did. */
export interface Killed {
  /** Bytes of metrics at each kill. */
  readonly at: readonly number[];
  /** Kills that came too late. */
  readonly late: number;
}

/**
 * Runs `train` until it has been killed so often, then to its end.
 *
 * @param args Without `--out`.
 * @param span Milliseconds within which a kill falls, from the start of the process.
 */
export async function killAndResume(
  args: readonly string[],
  run: string,
  { kills, span, seed = 1 }: { kills: number; span: readonly [number, number]; seed?: number },
): Promise<Killed> {
  const rng = new Rng(seed, 0);
  const at: number[] = [];
  let late = 0;
  for (let i = 0; i < kills; i++) {
    const child = train([...args, "--out", run]);
    const timer = setTimeout(() => child.kill("SIGKILL"), span[0] + rng.uniform() * (span[1] - span[0]));
    const { success } = await child.output();
    clearTimeout(timer);
    if (!success && !finished(run)) at.push(written(run));
    else {
      // Finished before: begin anew, so that every kill counts.
      late++;
      i--;
      if (written(run)) Deno.removeSync(run, { recursive: true });
    }
  }
  const { code, stderr } = await train([...args, "--out", run]).output();
  if (code !== 0) throw new Error(`The last resumption failed with ${code}: ${new TextDecoder().decode(stderr)}`);
  return { at, late };
}

if (import.meta.main) {
  const split = Deno.args.indexOf("--");
  const [own, args] = split < 0 ? [[], Deno.args] : [Deno.args.slice(0, split), Deno.args.slice(split + 1)];
  const number = (name: string, otherwise: number) => Number(own[own.indexOf(name) + 1] ?? otherwise) || otherwise;
  const folder = Deno.makeTempDirSync({ prefix: "kill_resume_" });
  const started = performance.now();
  const { code, stderr } = await train([...args, "--out", `${folder}/whole`]).output();
  if (code !== 0) throw new Error(new TextDecoder().decode(stderr));
  const whole = performance.now() - started;
  const again = await train([...args, "--out", `${folder}/again`]).output();
  if (again.code !== 0) throw new Error("The second run failed");
  // The folder's name stands in the configuration.
  const named = (run: string) => {
    const files = timelessFiles(`${folder}/${run}`);
    files.delete("config.yaml");
    return files;
  };
  console.log(`same seed twice: ${differences(named("whole"), named("again")).join(", ") || "same bytes"}`);
  const kills = number("--kills", 20);
  const { at, late } = await killAndResume(args, `${folder}/killed`, {
    kills,
    span: [0, whole],
    seed: number("--seed", 1),
  });
  console.log(`${kills} kills with ${at.join(", ")} bytes of metrics written; ${late} runs ended before their kill`);
  const bad = differences(named("whole"), named("killed"));
  console.log(
    bad.length ? `differ: ${bad.join(", ")}` : `killed and resumed: same bytes in ${named("whole").size} files`,
  );
  Deno.removeSync(folder, { recursive: true });
  Deno.exit(bad.length ? 1 : 0);
}
