/**
 * JPEG decoding beside Pillow's libjpeg-turbo, files in memory, one core each. Samples of both alternate, so that what else
 * a shared machine does falls on both; the ratio is the median of Pillow's times by ours, above 1 where ours is faster.
 *
 *     python bench/jpeg_peer.py make SLIDE DIR
 *     deno run -A --no-check bench/jpeg.ts DIR PYTHON [--record] [--only TEXT]
 *
 * Files of one case differ in their last number. `--record` appends to `bench/results/jpeg.jsonl`.
 *
 * @module
 */

import { decodeJpeg } from "../src/io/image/jpeg.ts";
import { flag, origin, quantile } from "./harness.ts";

const SAMPLES = 31;
/** Milliseconds of a sample: files are read again and again up to it. */
const SAMPLE_MS = 25;

/** Asks Pillow for the seconds that files take. */
class Peer {
  private readonly child: Deno.ChildProcess;
  private readonly input: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  private readonly output: ReadableStreamDefaultReader<string>;
  private rest = "";

  constructor(python: string) {
    const script = new URL("jpeg_peer.py", import.meta.url).pathname;
    this.child = new Deno.Command(python, { args: [script, "time"], stdin: "piped", stdout: "piped" }).spawn();
    this.input = this.child.stdin.getWriter();
    this.output = this.child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  async seconds(paths: readonly string[]): Promise<number> {
    await this.input.write(new TextEncoder().encode(paths.join("\t") + "\n"));
    while (!this.rest.includes("\n")) {
      const { value } = await this.output.read();
      if (value === undefined) throw new Error("Pillow's side ended, see above");
      this.rest += value;
    }
    const [line, ...more] = this.rest.split("\n");
    this.rest = more.join("\n");
    return Number(line);
  }

  async close(): Promise<void> {
    await this.input.close();
    await this.output.cancel();
    await this.child.status;
  }
}

/** One case's times a reading of all its files, ms. */
async function measure(paths: readonly string[], peer: Peer): Promise<Record<string, number>> {
  const files = paths.map((path) => Deno.readFileSync(path));
  const read = () => files.reduce((sum, bytes) => sum + decodeJpeg(bytes, "file").data.length / 3, 0);
  const pixels = read();
  const start = performance.now();
  for (let i = 0; i < 5; i++) read();
  const repeats = Math.max(1, Math.round(SAMPLE_MS / ((performance.now() - start) / 5)));
  const many = Array.from({ length: repeats }, () => paths).flat();
  await peer.seconds(many);
  const [ours, theirs]: [number[], number[]] = [[], []];
  for (let i = 0; i < SAMPLES; i++) {
    const begin = performance.now();
    for (let k = 0; k < repeats; k++) read();
    ours.push((performance.now() - begin) / repeats);
    theirs.push(await peer.seconds(many) * 1000 / repeats);
  }
  const middle = (values: number[]) => quantile(values.sort((a, b) => a - b), 0.5);
  const ratio = middle(ours.map((ms, i) => theirs[i]! / ms));
  const medianMs = middle(ours);
  const iqrMs = quantile(ours, 0.75) - quantile(ours, 0.25);
  const bits = 8 * files.reduce((sum, { length }) => sum + length, 0) / pixels;
  const rate = (ms: number) => pixels / ms / 1000;
  return { files: files.length, bits, medianMs, iqrMs, mps: rate(medianMs), pillowMps: rate(middle(theirs)), ratio };
}

if (import.meta.main) {
  const [folder, python] = Deno.args;
  if (folder === undefined || python === undefined) {
    throw new Error("Pass the folder of files and a Python with Pillow");
  }
  const cases = Map.groupBy(
    Array.from(Deno.readDirSync(folder), ({ name }) => name).filter((name) => name.endsWith(".jpg")).sort(),
    (name) => name.replace(/_\d+\.jpg$/, ""),
  );
  const source = await origin();
  const peer = new Peer(python);
  console.log(`${"case".padEnd(36)} bit/pixel   ms     MP/s  Pillow's  ratio`);
  for (const [name, files] of cases) {
    if (!name.includes(flag("--only") ?? "")) continue;
    const row = await measure(files.map((file) => `${folder}/${file}`), peer);
    const cells = [row.bits!.toFixed(2), row.medianMs!.toFixed(2), row.mps!.toFixed(1), row.pillowMps!.toFixed(1)];
    console.log(name.padEnd(36) + cells.map((cell) => cell.padStart(9)).join("") + row.ratio!.toFixed(2).padStart(7));
    if (!Deno.args.includes("--record")) continue;
    const line = JSON.stringify({ case: name, samples: SAMPLES, ...row, peer: "Pillow, libjpeg-turbo", ...source });
    Deno.writeTextFileSync(new URL("results/jpeg.jsonl", import.meta.url), line + "\n", { append: true });
  }
  await peer.close();
}
