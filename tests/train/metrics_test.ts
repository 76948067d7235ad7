import assert from "node:assert/strict";
import { DataError } from "../../src/core/errors.ts";
import { parseCsv } from "../../src/io/csv.ts";
import type { FileMark } from "../../src/io/checksum.ts";
import { disk } from "../../src/io/fs.ts";
import { crc32c } from "../../src/io/tfevents.ts";
import { METRIC_FILES, type MetricMarks, type MetricRow, MetricsWriter } from "../../src/train/metrics.ts";

/** Columns of SEAL's alignment. */
const COLUMNS = [
  "loss",
  "loss_contrast",
  "loss_recon_gene",
  "loss_recon_img",
  "lr_img",
  "lr_gene",
  "pearson_mean",
  ...["i2g", "g2i"].flatMap((way) => [1, 5, 10].map((k) => `recall_at_${k}_${way}`)),
];

const NAMES = Object.values(METRIC_FILES);

function rowAt(step: number): MetricRow {
  const wave = (k: number) => Math.fround(Math.sin(step * k));
  return step % 5 === 4
    ? {
      step,
      epoch: step / 5,
      stage: "align",
      split: "holdout",
      values: { pearson_mean: wave(2), recall_at_10_g2i: 0.5 },
    }
    : {
      step,
      epoch: step / 5,
      stage: "align",
      split: "train",
      values: { lr_img: 1e-4 / 3, loss: wave(1), extra: step },
    };
}

function files(folder: string): Record<string, Uint8Array> {
  return Object.fromEntries(NAMES.map((name) => [name, Deno.readFileSync(`${folder}/${name}`)]));
}

/** Writes steps; `crash` leaves half a line behind, as a killed process does. */
function run(folder: string, steps: readonly number[], resumeAt?: MetricMarks, crash = false): MetricMarks {
  const writer = MetricsWriter.open(disk, folder, { columns: [...COLUMNS, "extra"], resumeAt });
  for (const step of steps) {
    writer.write(rowAt(step));
    writer.timing(step, { samples_per_second: 10 + step });
  }
  const lengths = writer.marks();
  if (crash) { for (let step = 100; step < 105; step++) writer.write(rowAt(step)); }
  writer.close();
  if (crash) { for (const name of NAMES) Deno.writeTextFileSync(`${folder}/${name}`, `{"step":`, { append: true }); }
  return lengths;
}

async function inFolder(body: (folder: string) => void): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("metrics are written in three forms that agree, in the order of their columns", () =>
  inFolder((folder) => {
    const writer = MetricsWriter.open(disk, folder, { columns: COLUMNS });
    const values = {
      recall_at_1_i2g: 0.25,
      lr_gene: 1e-4,
      loss: Math.fround(5.950643),
      loss_contrast: NaN,
      lr_img: Infinity,
    };
    writer.write({ step: 0, epoch: 0, stage: "warmup", split: "train", values });
    writer.timing(0, { samples_per_second: 12.5 });
    const lengths = writer.marks();
    writer.close();
    const read = (name: string) => Deno.readTextFileSync(`${folder}/${name}`);
    assert.equal(
      read("metrics.jsonl"),
      `{"step":0,"epoch":0,"stage":"warmup","split":"train","loss":5.950643,"loss_contrast":null,"lr_img":null,` +
        `"lr_gene":0.0001,"recall_at_1_i2g":0.25}\n`,
    );
    const [header, row] = parseCsv(read("metrics.csv"), "metrics.csv").map(({ fields }) => fields);
    assert.deepEqual(header, ["step", "epoch", "stage", "split", ...COLUMNS]);
    assert.equal(
      header!.join(","),
      "step,epoch,stage,split,loss,loss_contrast,loss_recon_gene,loss_recon_img,lr_img,lr_gene," +
        "pearson_mean,recall_at_1_i2g,recall_at_5_i2g,recall_at_10_i2g,recall_at_1_g2i,recall_at_5_g2i,recall_at_10_g2i",
    );
    assert.equal(row!.join(","), "0,0,warmup,train,5.950643,nan,,,inf,0.0001,,0.25,,,,,");
    assert.equal(read("timing.jsonl"), `{"step":0,"samples_per_second":12.5}\n`);
    const events = Deno.readFileSync(`${folder}/events.out.tfevents.0`);
    assert.ok(new TextDecoder("latin1").decode(events).includes("train/loss_contrast"));
    assert.deepEqual(
      Object.values(lengths).map(({ bytes }) => bytes),
      NAMES.map((name) => Deno.statSync(`${folder}/${name}`).size),
    );
  }));

Deno.test("every record of the events is whole, and its checksums are right", () =>
  inFolder((folder) => {
    run(folder, [0, 1, 2, 3, 4, 5]);
    const bytes = Deno.readFileSync(`${folder}/events.out.tfevents.0`);
    const view = new DataView(bytes.buffer);
    const unmask = (word: number) => {
      const rotated = (word - 0xa282ead8) >>> 0;
      return ((rotated << 15) | (rotated >>> 17)) >>> 0;
    };
    let [at, records] = [0, 0];
    for (; at < bytes.length; records++) {
      const length = Number(view.getBigUint64(at, true));
      assert.equal(unmask(view.getUint32(at + 8, true)), crc32c(bytes.subarray(at, at + 8)));
      assert.equal(unmask(view.getUint32(at + 12 + length, true)), crc32c(bytes.subarray(at + 12, at + 12 + length)));
      at += 16 + length;
    }
    assert.deepEqual([at, records], [bytes.length, 7]);
  }));

Deno.test("a run that was killed anywhere and resumed leaves the bytes of one that never stopped", () =>
  inFolder((folder) => {
    const steps = Array.from({ length: 12 }, (_, i) => i);
    Deno.mkdirSync(`${folder}/whole`);
    run(`${folder}/whole`, steps);
    for (const cut of [0, 1, 5, 12]) {
      const part = `${folder}/${cut}`;
      Deno.mkdirSync(part);
      const lengths = run(part, steps.slice(0, cut), undefined, true);
      run(part, steps.slice(cut), JSON.parse(JSON.stringify(lengths)));
      assert.deepEqual(files(part), files(`${folder}/whole`));
    }
    // A run begun anew over an old one leaves nothing of it.
    run(`${folder}/5`, steps);
    assert.deepEqual(files(`${folder}/5`), files(`${folder}/whole`));
  }));

Deno.test("metrics that are not what their checkpoint counts on are not resumed, nor cut", () =>
  inFolder((folder) => {
    const lengths = run(folder, [0, 1, 2]);
    const before = files(folder);
    const open = (resumeAt: Record<keyof MetricMarks, FileMark | number>, extra: string[] = ["extra"]) =>
      MetricsWriter.open(disk, folder, { columns: [...COLUMNS, ...extra], resumeAt });
    for (const [form, name] of Object.entries(METRIC_FILES) as [keyof MetricMarks, string][]) {
      const { bytes, sha256 } = lengths[form];
      const named = (mark: FileMark | number) =>
        assert.throws(
          () => open({ ...lengths, [form]: mark }),
          (error) => error instanceof DataError && error.message.includes(name),
        );
      named({ bytes: bytes + 1, sha256 });
      named({ bytes: bytes - 1, sha256 });
      named(bytes + 1);
      named(-1);
      named(NaN);
      // One changed bit anywhere in what the checkpoint counts on; what is behind it is cut off anyway.
      const path = `${folder}/${name}`;
      const flip = (at: number) => {
        const data = Deno.readFileSync(path);
        data[at]! ^= 1;
        Deno.writeFileSync(path, data);
      };
      for (const at of [0, bytes >> 1, bytes - 1]) {
        flip(at);
        assert.throws(
          () => open(lengths),
          (error: Error & { exitCode?: number }) => error.message.includes(path) && error.exitCode === 4,
        );
        flip(at);
      }
    }
    assert.throws(() => open(lengths, ["other"]), /metrics\.csv: it has other columns/);
    assert.throws(() => open({ ...lengths, csv: 3 }), DataError);
    assert.deepEqual(files(folder), before);
    // Lengths alone, as versions before kept them.
    const old = Object.entries(lengths).map(([form, { bytes }]) => [form, bytes]);
    open(Object.fromEntries(old)).close();
    assert.deepEqual(files(folder), before);
    assert.throws(
      () => MetricsWriter.open(disk, `${folder}/missing`, { columns: COLUMNS }),
      /missing\/metrics\.jsonl: no such file or folder/,
    );
  }));

Deno.test("a value without a column and a column twice are mistakes", () =>
  inFolder((folder) => {
    const writer = MetricsWriter.open(disk, folder, { columns: COLUMNS });
    assert.throws(
      () => writer.write({ step: 0, epoch: 0, stage: "align", split: "train", values: { losss: 1 } }),
      /losss/,
    );
    assert.equal(writer.marks().jsonl.bytes, 0);
    writer.close();
    assert.throws(() => MetricsWriter.open(disk, folder, { columns: [...COLUMNS, "loss"] }), /unique/);
  }));
