/** Sections of the table of volumes that are placed by landmarks; volumes whose spacing stands in the table. */

import assert from "node:assert/strict";
import { FormatError } from "../../../src/core/errors.ts";
import { H5Writer } from "../../../src/io/hdf5/h5_write.ts";
import { encode, writeH5ad } from "../../../src/io/hdf5/h5ad_write.ts";
import { MemoryStorage } from "../../../src/io/hdf5/h5_library.ts";
import { readSection } from "../../../src/methods/vortex/sections.ts";
import { readVolumeTable } from "../../../src/methods/vortex/table.ts";
import { memoryDisk } from "../../volumes/files.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const MARKS =
  "section_x,section_y,volume_x,volume_y,volume_z\n0,0,10,20,64\n1000,0,1008,35,65\n0,800,-2,819,66\n1000,800,999,831,67\n";

/** A section of two spots and two genes, places in `columns` numbers. */
async function section(columns: 2 | 3): Promise<Uint8Array> {
  const storage = new MemoryStorage("s.h5ad");
  const h5 = (await H5Writer.prepare())(storage as never);
  const places = columns === 2 ? [500, 400, 0, 0] : [500, 400, 1, 0, 0, 1];
  writeH5ad(h5, {
    obs: { index: ["a", "b"] },
    var: { index: ["EPCAM", "KRT8"] },
    x(h5, place) {
      h5.dataset(place, "f4", [2, 2], Float32Array.of(1, 2, 3, 4));
      encode(h5, place, "array", "0.2.0");
    },
    obsm: { spatial: { shape: [2, columns], values: Float64Array.from(places) } },
  });
  h5.close();
  return storage.content();
}

Deno.test("sections: landmarks place spots in the volume, and their residuals are kept", async () => {
  const files = new Map([["t/s.h5ad", await section(2)], ["t/m.csv", utf8(MARKS)], ["t/three.h5ad", await section(3)]]);
  const head = "volume,path,patient,expression,landmarks,spacing\n";
  files.set("t/t.csv", utf8(`${head}v,v.nii,p,s.h5ad,m.csv,"4,1,1"\n`));
  const disk = memoryDisk(files);
  const [row] = readVolumeTable(disk, "t/t.csv");
  assert.deepEqual([row!.landmarks, row!.spacing, row!.z], ["t/m.csv", [4, 1, 1], undefined]);
  const { places, fit } = await readSection(disk, row!, "none");
  const wanted = [[.9995 * 500 - .013125 * 400 + 9.25, .0135 * 500 + .996875 * 400 + 20.75, 65.5], [9.25, 20.75, 64]];
  places.forEach((place, i) => place.forEach((um, axis) => assert.ok(Math.abs(um - wanted[i]![axis]!) < 1e-9)));
  assert.ok(Math.abs(fit!.rms - 1.060660) < 1e-6);
  await assert.rejects(
    () => readSection(disk, { ...row!, expression: "t/three.h5ad" }, "none"),
    /three\.h5ad: places of 3 numbers where the section is laid, expected x, y on the section/,
  );
  const line = MARKS.replace("0,800", "500,0").replace("1000,800", "1500,0");
  await assert.rejects(
    () => readSection(memoryDisk(files.set("t/m.csv", utf8(line))), row!, "none"),
    /m\.csv: they lie on one line of the section/,
  );
  for (
    const [lines, wanted] of [
      ['v,v.nii,p,s.h5ad,,"4,1"\n', /line 2 has spacing "4,1"/],
      ['v,v.nii,p,s.h5ad,m.csv,"4,1,1"\nv,v.nii,p,s.h5ad,m.csv,\n', /line 3 has spacing undefined of volume v/],
    ] as const
  ) {
    files.set("t/t.csv", utf8(head + lines));
    assert.throws(
      () => readVolumeTable(memoryDisk(files), "t/t.csv"),
      (error: Error) => error instanceof FormatError && wanted.test(error.message) || assert.fail(error.message),
    );
  }
});
