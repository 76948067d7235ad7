/**
 * Runs every command of the README as its task declares it, in a name space that has no network, beside small stand-ins for the
 * data and weights it names; and, with the permissions of each, code that tries to write elsewhere or to reach something.
 *
 * `--quick` leaves out the demo and the tests, which take minutes; `--only NAME` takes one command.
 *
 * @module
 */

import { denoFlags, permissionsOf } from "../src/cli/permissions.ts";
import { encodePng } from "../src/io/image/png_write.ts";
import { writeSection } from "../tests/cli/st_section.ts";
import { make, writeImage, writeOuts } from "../tests/cli/space_ranger.ts";
import { exec, type Outcome, ROOT, tallyLine } from "./exec.ts";
import { taskArgs } from "./task_args.ts";

/** What stands for weights that are not to be had here, by the README's word. */
const WORDS: Readonly<Record<string, string>> = { "uni2-h": "./my-weights", uni: "./my-weights" };
/** Folder of the stored features that the README's training on slides reads. */
const SLIDE_FEATURES = "job/20x_256px_0px_overlap/features_uni_v2";

/** Makes a training of the stand-ins short. */
const SHORT = `holdout_samples: [SYN3]
n_train_genes: 40
hidden_dims: [16, 8]
epochs: 1
augment: none
`;

/** The commands of the README, each as the words of its line. */
function readmeCommands(): string[][] {
  const blocks = Deno.readTextFileSync(`${ROOT}README.md`).matchAll(/^```sh\n([\s\S]*?)^```/gm);
  return [...blocks].flatMap(([, block]) => block!.replace(/\\\n\s*/g, "").split("\n")).flatMap((line) => {
    const command = /^(?:npx --yes deno@\S+|deno) task (.*?)\s*(?:#.*)?$/.exec(line)?.[1];
    return command === undefined ? [] : [[...command.matchAll(/"([^"]*)"|(\S+)/g)].map(([, a, b]) => a ?? b!)];
  });
}

/** Runs a program without a network. */
async function cut(args: readonly string[], cwd: string): Promise<Outcome> {
  return await exec("unshare", ["--net", Deno.execPath(), ...args], { quiet: true, cwd });
}

/** A command line as its task declares it, stopped by a failure. */
async function must(cwd: string, ...argv: string[]): Promise<void> {
  const [name, ...rest] = argv;
  const { code, output } = await cut([...taskArgs(name!), ...rest], cwd);
  if (code !== 0) throw new Error(`deno task ${argv.join(" ")} ended with status ${code}:\n${output}`);
}

/** What the README's commands name, small: a data set in each layout, weights, an adapter, a run unless one is trained. */
async function standIns(at: string, trained: boolean): Promise<void> {
  const small = ["--profile", "smoke", "--quiet"];
  for (const out of ["data/hest", "data/her2st", "data/synth"]) {
    await must(at, "synth", ...small, "--wsi", "--out", out);
  }
  await must(
    at,
    "synth",
    "--profile",
    "bench",
    "--slides",
    "4",
    "--rows",
    "4",
    "--cols",
    "8",
    "--quiet",
    "--out",
    "bench_data",
  );
  for (const folder of ["tiles", "patches", "slides", "V1/outs", "data/configs", "f", "my-weights", SLIDE_FEATURES]) {
    Deno.mkdirSync(`${at}/${folder}`, { recursive: true });
  }
  const tile = { width: 64, height: 64, data: Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => i % 251) };
  Deno.writeFileSync(`${at}/tiles/a.png`, encodePng(tile));
  Deno.mkdirSync(`${at}/bundle`);
  for (const { name } of Deno.readDirSync(`${ROOT}tests/fixtures/xenium/3.0`)) {
    if (name !== "points.csv") Deno.copyFileSync(`${ROOT}tests/fixtures/xenium/3.0/${name}`, `${at}/bundle/${name}`);
  }
  const purple = Uint8Array.from({ length: 1200 * 1000 * 3 }, (_, i) => i % 3600 < 3300 ? [150, 80, 160][i % 3]! : 225);
  Deno.writeFileSync(`${at}/bundle/he_image.png`, encodePng({ width: 1200, height: 1000, data: purple }));
  Deno.writeTextFileSync(`${at}/sets.gmt`, "SET\tgenes of synthetic slides\tSYNV0G000\tSYNV1G001\n");
  Deno.copyFileSync(`${at}/data/hest/patches/SYN0.h5`, `${at}/patches/TENX95.h5`);
  for (const slide of ["A.svs", "slides/A.tif"]) Deno.copyFileSync(`${at}/data/hest/wsis/SYN0.tif`, `${at}/${slide}`);
  Deno.copyFileSync(`${ROOT}tests/fixtures/seal/vision.pth`, `${at}/model.pth`);
  for (const { name } of Deno.readDirSync(`${ROOT}data/demo/encoder`)) {
    Deno.copyFileSync(`${ROOT}data/demo/encoder/${name}`, `${at}/my-weights/${name}`);
  }
  const config = `input: {data: [data/hest], encoder: ./my-weights}\n${SHORT}`;
  Deno.writeTextFileSync(`${at}/data/configs/conch.yaml`, config);
  writeSection(`${at}/her2st`, "S1");
  const made = make(0);
  await writeOuts(made, `${at}/V1/outs`);
  writeImage(`${at}/V1.tif`, made.image, 0.5);
  await must(at, "train", "--config", "data/configs/conch.yaml", "--quiet", "--out", "runs/a");
  await exec("cp", ["-r", "runs/a", "runs/demo"], { cwd: at });
  if (!trained) await exec("cp", ["-r", "runs/a", "runs/conch"], { cwd: at });
  await exec("cp", ["-r", "runs/a/checkpoints/last", "my-lora"], { cwd: at });
  for (const name of ["uni", "mine"]) {
    const patches = ["SYN0", "SYN1", "SYN2", "SYN3"].map((id) => `data/her2st/patches/${id}.h5`);
    await must(at, "embed", ...patches, "--encoder", "./my-weights", "--quiet", "--out", `f/${name}`);
  }
  const slides = Array.from({ length: 12 }, (_, i) => `C${i}`);
  for (const folder of [SLIDE_FEATURES, "f/mine"]) {
    slides.forEach((slide, i) => Deno.copyFileSync(`${at}/f/uni/SYN${i % 4}.h5`, `${at}/${folder}/${slide}.h5`));
  }
  const rows = slides.map((slide, i) => `${slide}\t${slide}\t${i % 2}\n`);
  const cases = slides.map((slide, i) => `${slide},TCGA-A${"0123456789AB"[i]}-0001,${i % 2}\n`);
  Deno.writeTextFileSync(`${at}/labels.csv`, `slide_id,case_id,HER2\n${cases.join("")}`);
  Deno.writeTextFileSync(`${at}/labels.tsv`, `slide_id\tcase_id\tPIK3CA\n${rows.join("")}`);
}

/** A line of the README on the stand-ins. */
function onStandIns(at: string, argv: readonly string[]): string[] {
  const { genes } = JSON.parse(Deno.readTextFileSync(`${at}/runs/a/checkpoints/last/genes.json`)) as {
    genes: string[];
  };
  // Genes that synthetic slides have not; those of the run stand for them.
  const gene = (word: string) => word.replace("EPCAM", genes[0]!).replace("KRT8", genes[1]!);
  const words = argv.map((word) => /^(?:EPCAM|KRT8)/.test(word) ? gene(word) : WORDS[word] ?? word);
  const [name] = words;
  if (name === "train" && words.includes("runs/uni2h")) return [...words, "--config", "data/configs/conch.yaml"];
  // The stand-in of legacy sections shares no gene with the data set that is evaluated.
  if (name === "convert" && words[1] === "st") return words.map((word) => (word === "data/her2st" ? "data/st" : word));
  if (name === "evaluate" && words.includes("--data")) return [...words, "--panel-genes", "10"];
  return words;
}

/** Names of what planted code was let do under the permissions of a command line. */
async function planted(at: string, argv: readonly string[]): Promise<string[]> {
  const flags = denoFlags(await permissionsOf(argv));
  const args = ["run", "--no-lock", ...flags, `${ROOT}tests/cli/planted.ts`, `${at}/../planted`, "PLANTED"];
  const { code, output } = await cut(args, at);
  return code === 0 ? JSON.parse(output.trim().split("\n").pop()!) : [`status ${code}`];
}

async function check(quick: boolean, only: string | undefined, at: string): Promise<number> {
  await standIns(at, (only ?? "train") === "train");
  const tally = { passed: 0, failed: 0, skipped: 0 };
  for (const line of readmeCommands().filter(([name]) => (only ?? name) === name)) {
    const argv = onStandIns(at, line);
    const [name, ...rest] = argv as [string, ...string[]];
    const long = argv.length === 1 && ["train", "test"].includes(name);
    if (["ok", "permissions", "download"].includes(name) || (quick && long)) {
      tally.skipped++;
      continue;
    }
    const started = performance.now();
    const { code, output } = await cut([...taskArgs(name), ...rest], long ? ROOT : at);
    const free = name === "test" || name === "doctor" ? [] : await planted(at, argv);
    const good = [0, ...name === "evaluate" || name === "retrieve" ? [3] : []].includes(code) && free.length === 0;
    tally[good ? "passed" : "failed"]++;
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(`${good ? "ok  " : "FAIL"}  ${seconds.padStart(6)} s  status ${code}  deno task ${line.join(" ")}`);
    if (free.length > 0) console.log(`      planted code was let: ${free.join(", ")}`);
    if (!good) console.log(output.replace(/^/gm, "      "));
  }
  console.log(tallyLine(tally));
  return tally.failed === 0 && tally.passed > 0 ? 0 : 1;
}

if (import.meta.main) {
  const { code } = await exec("unshare", ["--net", "true"], { quiet: true }).catch(() => ({ code: 127 }));
  if (code !== 0) {
    console.log("Skipped: this system grants no network name space of its own (unshare --net)");
    Deno.exit(0);
  }
  const folder = Deno.makeTempDirSync({ prefix: "permissions_" });
  const at = `${folder}/at`;
  Deno.mkdirSync(at);
  // The whole of a job array of one, for `--shard auto`.
  for (const [name, value] of [["ID", "0"], ["MIN", "0"], ["MAX", "0"], ["STEP", "1"], ["COUNT", "1"]] as const) {
    Deno.env.set(`SLURM_ARRAY_TASK_${name}`, value);
  }
  let status = 1;
  try {
    const named = Deno.args.indexOf("--only");
    status = await check(Deno.args.includes("--quick"), named < 0 ? undefined : Deno.args[named + 1], at);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
  Deno.exit(status);
}
