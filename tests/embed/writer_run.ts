/** Process of writer_test.ts: writes the example in batches, tells its rows after each, waits, and may be killed. */

import type { FeatureFormat } from "../../src/embed/formats.ts";
import { FeatureWriter } from "../../src/embed/writer.ts";
import { disk } from "../../src/io/fs.ts";
import { exampleRows, exampleTable } from "./example.ts";

const [path, format, delay] = Deno.args as [string, FeatureFormat, string];
const table = exampleTable();
const writer = FeatureWriter.open(disk, path, format, table);
while (writer.rows < table.count) {
  writer.append(exampleRows(writer.rows, Math.min(table.count, writer.rows + 3)));
  console.log(writer.rows);
  if (Number(delay)) await new Promise((resolve) => setTimeout(resolve, Number(delay)));
}
await writer.finish();
