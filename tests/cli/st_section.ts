/** A small section of Spatial Transcriptomics before Visium. */

import { encodePng } from "../../src/io/image/png_write.ts";

/** Width and height of its image. */
export const SIDE = 1200;
const PITCH = 250;

/** A section: 4 x 4 spots 250 pixels apart, purple tissue on grey but for the last row. */
export function writeSection(folder: string, id: string): void {
  for (const part of ["counts", "spots", "images"]) Deno.mkdirSync(`${folder}/${part}`, { recursive: true });
  const data = Uint8Array.from({ length: SIDE * SIDE * 3 }, (_, i) => {
    const y = Math.floor(i / 3 / SIDE);
    return y < 780 ? [150, 80, 160][i % 3]! : 225;
  });
  Deno.writeFileSync(`${folder}/images/${id}.png`, encodePng({ width: SIDE, height: SIDE, data }));
  const names = Array.from({ length: 16 }, (_, i) => [10 + i % 4, 20 + (i >> 2)] as const);
  const place = (x: number, y: number) => [200 + (x - 10) * PITCH, 200 + (y - 20) * PITCH];
  const counts = [...names.slice(1), [30, 30] as const].map(([x, y], i) => `${x}x${y}\t${i}\t0\t${2 * i}\n`);
  Deno.writeTextFileSync(`${folder}/counts/${id}.tsv`, `\tA\tB\tC\n${counts.join("")}`);
  const rows = names.map(([x, y], i) => [x, y, ...(i === 5 ? [-4, 450] : place(x, y)), i === 6 ? 0 : 1].join("\t"));
  const text = `x\ty\tpixel_x\tpixel_y\tselected\n${rows.join("\n")}\n`;
  Deno.writeTextFileSync(`${folder}/spots/${id}_selection.tsv`, text);
}
