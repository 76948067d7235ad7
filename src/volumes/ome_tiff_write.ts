/**
 * Writing OME-TIFF: a directory for each channel of each slice, without compression, so that boxes are written at their places;
 * BigTIFF beyond 4 GB.
 *
 * Source: OME schema 2016-06; TIFF 6.0
 *
 * @module
 */

import { LimitError } from "../core/errors.ts";
import { ASCII, type Field, LONG, LONG8, SHORT, writeDirectory } from "../io/image/tiff_directory.ts";
import { denseBytes, type DenseLayout, writeDense } from "./dense_file.ts";
import type { VolumeSink } from "./sink.ts";
import { type VolumeShape, VOXEL_BYTES, type VoxelType } from "./volume.ts";

/** OME's names of types; TIFF's sample format. */
const TYPES: Readonly<Record<VoxelType, readonly [name: string, format: number]>> = {
  ...{
    u8: ["uint8", 1],
    u16: ["uint16", 1],
    u32: ["uint32", 1],
    i8: ["int8", 2],
    i16: ["int16", 2],
    i32: ["int32", 2],
  },
  ...{ f32: ["float", 3], f64: ["double", 3] },
};
/** Planes that its reader takes, and this one. */
const MOST_PLANES = 4096;
/** Bytes above which offsets have 64 bits. */
const BIG = 2 ** 32 - 2 ** 24;

/** Writes a `.ome.tif`. */
export function omeTiffSink(path: string, facts: VolumeShape): VolumeSink {
  const { shape, channels, dtype } = facts;
  const planes = shape[0] * channels.length;
  if (planes > MOST_PLANES) {
    throw new LimitError(`Cannot write ${path}: ${planes} planes, at most ${MOST_PLANES} are read again`, {
      hint: "Write OME-Zarr: a name that ends in .ome.zarr",
      context: { file: path, planes, most: MOST_PLANES },
    });
  }
  const layout: DenseLayout = { offset: 16, shape, channels: channels.length, dtype, little: true, order: "zcyx" };
  const big = denseBytes(layout) > BIG;
  return {
    files: [path],
    wholeRows: true,
    fill: (disk, boxes) =>
      disk.writeSlowly(path, async (file) => {
        file.truncate(16 + denseBytes(layout));
        file.write(0, Uint8Array.of(...(big ? [0x49, 0x49, 43, 0, 8, 0, 0, 0] : [0x49, 0x49, 42, 0])));
        for await (const { from, to, voxels } of boxes) writeDense(file, layout, from, to, voxels);
        const bytes = shape[1] * shape[2] * VOXEL_BYTES[dtype];
        let at = 16 + denseBytes(layout);
        at += at & 1;
        let link = big ? 8 : 4;
        for (let plane = 0; plane < planes; plane++) {
          const fields: Field[] = [
            [254, LONG, [0]],
            [256, LONG, [shape[2]]],
            [257, LONG, [shape[1]]],
            [258, SHORT, [8 * VOXEL_BYTES[dtype]]],
            [259, SHORT, [1]],
            [262, SHORT, [1]],
            ...(plane === 0 ? [[270, ASCII, [...new TextEncoder().encode(description(facts)), 0]] as const] : []),
            [273, big ? LONG8 : LONG, [16 + plane * bytes]],
            [277, SHORT, [1]],
            [278, LONG, [shape[1]]],
            [279, big ? LONG8 : LONG, [bytes]],
            [284, SHORT, [1]],
            [339, SHORT, [TYPES[dtype][1]]],
          ];
          ({ end: at, link } = writeDirectory(file, fields, { at, link, big }));
        }
      }),
  };
}

function description({ shape: [z, y, x], spacing, channels, dtype }: VolumeShape): string {
  const quoted = (text: string) => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
  const named = channels.map((name, i) => `<Channel ID="Channel:0:${i}" Name="${quoted(name)}" SamplesPerPixel="1"/>`);
  const sizes = ["X", "Y", "Z"].map((axis, i) =>
    `PhysicalSize${axis}="${spacing[2 - i]}" PhysicalSize${axis}Unit="&#181;m"`
  );
  return '<?xml version="1.0" encoding="UTF-8"?>' +
    '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" Creator="seal-webgpu"><Image ID="Image:0" Name="volume">' +
    `<Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="${TYPES[dtype][0]}" SizeX="${x}" SizeY="${y}" SizeZ="${z}" ` +
    `SizeC="${channels.length}" SizeT="1" ${sizes.join(" ")}>${named.join("")}<TiffData/></Pixels></Image></OME>`;
}
