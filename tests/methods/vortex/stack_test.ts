/** Serial sections as a volume: laid on each other by spots or landmarks, each slice where it belongs; what is wrong is named. */

import assert from "node:assert/strict";
import { mapPoint } from "../../../src/core/affine.ts";
import { disk } from "../../../src/io/fs.ts";
import { findVolume, openVolume } from "../../../src/volumes/open.ts";
import { density, mapOf, PIXEL, SIDE, STEP, writeStack, writeStackTable } from "./serial_files.ts";

const folder = Deno.makeTempDirSync({ prefix: "serial_" });
Deno.test.afterAll(() => Deno.removeSync(folder, { recursive: true }));
const lines = await writeStack(folder, "a", 1, 4);

/** Mean difference of the red of a slice and that of the tissue it shows, where there is some around. */
function misplaced(slice: ArrayLike<number>, side: number, um: number, k: number): number {
  let [sum, count] = [0, 0];
  for (let y = 8; y < side - 8; y++) {
    for (let x = 8; x < side - 8; x++) {
      const at = [-3, 0, 3].flatMap((v) => [-3, 0, 3].map((u) => density(1, (x + u) * um, (y + v) * um, k)));
      if (at.includes(0)) continue;
      sum += Math.abs(slice[3 * (y * side + x)]! - (200 - 120 * density(1, x * um, y * um, k)));
      count++;
    }
  }
  assert.ok(count > 100);
  return sum / count;
}

Deno.test("sections are laid by their spots, one on the other; a slice is what the section shows there", async () => {
  const stack = await openVolume(disk, `${folder}/a.tsv`);
  assert.deepEqual([stack.shape, stack.spacing, stack.dtype], [[4, SIDE, SIDE], [STEP, PIXEL, PIXEL], "u8"]);
  assert.equal(stack.serial!.patient, "pa");
  for (const [k, { map, z, depth }] of stack.serial!.sections.entries()) {
    assert.deepEqual([z, depth], [100 + STEP * k, STEP * k]);
    const [x, y] = mapPoint(map, 240, 240);
    const [u, v] = mapPoint(mapOf(k), 240, 240);
    assert.ok(Math.hypot(x - u, y - v) < 1.5, `section ${k} is ${Math.hypot(x - u, y - v)} µm off`);
    assert.ok(misplaced(await stack.readSlice(k), SIDE, PIXEL, k) < 2.5, `slice ${k}`);
  }
  assert.match(stack.notes[2]!, /a2\.tif: laid by its spots, turned by 6\.9°, which lie 0 µm from those/);
  // A part is what the whole has there; what lies beyond the picture is white.
  const whole = await stack.readSlice(3);
  const part = await stack.readBox(3, 4, 20, 60, 70, 110);
  for (let y = 0; y < 40; y++) {
    const at = 3 * ((y + 20) * SIDE + 70);
    assert.deepEqual(part.slice(y * 120, (y + 1) * 120), whole.slice(at, at + 120));
  }
  assert.deepEqual([...whole.slice(0, 3)], [255, 255, 255]);
  stack.close();
});

Deno.test("landmarks in the place of spots, other pixels, sections that lie as they are", async () => {
  const marks = [[40, 40], [400, 60], [50, 420], [380, 390]].map(([x, y]) =>
    [x, y, ...mapPoint(mapOf(1), x!, y!), STEP].join()
  );
  disk.write(`${folder}/marks.csv`, ["section_x,section_y,volume_x,volume_y,volume_z", ...marks].join("\n"));
  const head = "image,z,um_per_px,patient,landmarks,stack_um";
  const of = (k: number, ...more: string[]) => [`a${k}.tif`, STEP * k, PIXEL, "pa", ...more].join();
  disk.write(`${folder}/b.csv`, [head, of(0, "", "8"), of(1, "marks.csv", "")].join("\n"));
  const stack = await openVolume(disk, `${folder}/b.csv`);
  assert.deepEqual([stack.shape, stack.spacing], [[2, 60, 60], [STEP, 8, 8]]);
  assert.match(stack.notes[1]!, /laid by landmarks, which it misses by 0\.00 µm/);
  for (const k of [0, 1]) assert.ok(misplaced(await stack.readSlice(k), 60, 8, k) < 2.5, `slice ${k}`);
  stack.close();
});

Deno.test("a section that is missing, another patient, an order, columns and files that are not there are named", async () => {
  const refused = async (wanted: RegExp, made: readonly string[], head?: string) => {
    if (head === undefined) writeStackTable(`${folder}/bad.tsv`, made);
    else disk.write(`${folder}/bad.tsv`, [head, ...made].join("\n"));
    await assert.rejects(() => findVolume(disk, `${folder}/bad.tsv`), wanted);
  };
  const [a, b, c, d] = lines as [string, string, string, string];
  await refused(/a section is missing between z 116 and 148 µm \(lines 3 and 4\), expected sections 16 µm apart/, [
    a,
    b,
    d,
  ]);
  await refused(/line 4 is of patient px, expected pa as line 2/, [a, b, c.replace("\tpa\t", "\tpx\t")]);
  await refused(/z is 100 µm in line 3 behind 116, expected z to rise/, [b, a, c]);
  await refused(/line 3 has um_per_px "0", expected µm/, [a, b.replace("\t4\t", "\t0\t")]);
  await refused(/line 2 has 4 fields, expected 5/, [a.split("\t").slice(0, 4).join("\t"), b]);
  await refused(/has no column patient/, [a], "image\tz\tum_per_px\tspots\tspot");
  await refused(/has a column "pixels"/, [a], "image\tz\tum_per_px\tpatient\tpixels");
  await refused(/line 1 is all there is, expected a line a section/, []);
  await refused(/gone\.tif/, [a, b.replace("a1.tif", "gone.tif")]);
  await refused(/landmarks and spots/, [`${a}\tm.csv`], "image\tz\tum_per_px\tpatient\tspots\tlandmarks");
  writeStackTable(`${folder}/one.tsv`, [a]);
  await assert.rejects(() => openVolume(disk, `${folder}/one.tsv`), /it has 1 slice, expected 2 or more/);
  disk.write(`${folder}/broken.tif`, Deno.readFileSync(`${folder}/a1.tif`).subarray(0, 3000));
  writeStackTable(`${folder}/cut.tsv`, [a, b.replace("a1.tif", "broken.tif")]);
  await assert.rejects(
    async () => await (await openVolume(disk, `${folder}/cut.tsv`)).readSlice(1),
    /broken\.tif/,
  );
});
