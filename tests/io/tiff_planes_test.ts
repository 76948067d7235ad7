import assert from "node:assert/strict";
import { DataError, FormatError } from "../../src/core/errors.ts";
import { openSlide } from "../../src/data/image/slide.ts";
import { decodeImage } from "../../src/io/image/image.ts";
import { fromBytes } from "../../src/io/random_access.ts";
import { type Directory, makeTiff } from "./tiff_maker.ts";

const [width, height] = [12, 9];
const together = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 7 + (i % 3) * 90 + (i >> 4)) & 255);
/** One colour of the image. */
const plane = (c: number): Uint8Array => together.filter((_, i) => i % 3 === c);
const grey = (c: number, more: Partial<Directory> = {}): Directory => ({ width, height, data: plane(c), ...more });

/** OME-XML with channels of these attributes. */
function ome(pixels: string, inside: string = "<TiffData/>", root: string = ""): string {
  return `<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"${root}><Image><Pixels SizeX="${width}" ` +
    `SizeY="${height}" ${pixels}>${inside}</Pixels></Image></OME>`;
}

/** The image as it is embedded, and as it is a slide: the two must be the same. */
async function read(file: Uint8Array): Promise<Uint8Array> {
  const image = decodeImage(file, "a.tif");
  const slide = await openSlide(fromBytes(file, "a.tif"));
  const { width, height } = slide.levels[0]!;
  assert.deepEqual((await slide.read(0, 0, 0, width, height)).data, image.data);
  return image.data;
}

async function refused(file: Uint8Array, why: RegExp): Promise<void> {
  const check = (error: Error) => {
    assert.ok(error instanceof DataError, error.stack);
    assert.match(error.message, why);
    return error.exitCode === 4 && error.hint!.includes("vips");
  };
  assert.throws(() => decodeImage(file, "a.tif"), check);
  await assert.rejects(openSlide(fromBytes(file, "a.tif")), check);
}

const channel = (attributes: string): string => `<Channel ${attributes}/>`;

Deno.test("Three directories of one colour each are the image that is stored together", async () => {
  const whole = await read(makeTiff([{ width, height, samples: 3, data: together }]));
  assert.deepEqual([...whole], [...together]);
  const separate = new Uint8Array(together.length);
  for (const c of [0, 1, 2]) separate.set(plane(c), c * width * height);
  const at = 8;
  const planar = { width, height, samples: 3, data: separate } as const;
  const offsets = [0, 1, 2].map((c) => at + c * width * height);
  const strips = [[273, 4, offsets], [279, 4, offsets.map(() => width * height)], [284, 3, [2]]] as const;
  const blueFirst = '<TiffData IFD="2" FirstC="0"/><TiffData IFD="1" FirstC="1"/><TiffData IFD="0" FirstC="2"/>';
  const named = ["Blue", "RED", "green"].map((name) => channel(`Name="${name}"`)).join("");
  const coloured = [16711935, 65535, -16776961].map((colour) => channel(`Color="${colour}"`)).join("");
  const numbered = [0, 1, 2].map((c) => channel(`ID="Channel:0:${c}" Name="Channel ${c}" SamplesPerPixel="1"`)).join(
    "",
  );
  const files: Record<string, Uint8Array> = {
    "planar configuration 2": makeTiff([{ ...planar, more: strips }]),
    "planar configuration 2 in OME-XML": makeTiff([{ ...planar, more: strips, description: ome('SizeC="3"') }]),
    "in order": makeTiff([0, 1, 2].map((c) => grey(c, c === 0 ? { description: ome('SizeC="3"') } : {}))),
    "in tiles": makeTiff(
      [0, 1, 2].map((c) => grey(c, { tiled: true, ...(c === 0 && { description: ome('SizeC="3"') }) })),
    ),
    "white is zero": makeTiff([0, 1, 2].map((c) => ({
      ...grey(c),
      photometric: 0,
      data: plane(c).map((v) => 255 - v),
      ...(c === 0 && { description: ome('SizeC="3"') }),
    }))),
    "by TiffData": makeTiff([2, 1, 0].map((c) => grey(c, c === 2 ? { description: ome('SizeC="3"', blueFirst) } : {}))),
    "by their names": makeTiff([2, 0, 1].map((c) => grey(c, c === 2 ? { description: ome('SizeC="3"', named) } : {}))),
    "by their colours": makeTiff(
      [1, 2, 0].map((c) => grey(c, c === 1 ? { description: ome('SizeC="3"', coloured) } : {})),
    ),
    "numbered": makeTiff([0, 1, 2].map((c) => grey(c, c === 0 ? { description: ome('SizeC="3"', numbered) } : {}))),
    "a mask and a thumbnail beside it": makeTiff([
      ...[0, 1, 2].map((c) => grey(c, c === 0 ? { description: ome('SizeC="3"') } : {})),
      grey(0, { more: [[254, 4, [4]]] }),
      { width: 4, height: 3, samples: 3, data: new Uint8Array(36) },
    ]),
  };
  for (const [kind, file] of Object.entries(files)) assert.deepEqual([kind, ...await read(file)], [kind, ...together]);
});

Deno.test("Channels in directories of their own are one image at every level, and turned as the first says", async () => {
  const small = (c: number): Directory => ({ width: 6, height: 4, data: new Uint8Array(24).fill(10 * c + 7) });
  const more = [[274, 3, [3]]] as const;
  const file = makeTiff([0, 1, 2].map((c) =>
    grey(c, {
      tiled: true,
      more,
      children: [{ ...small(c), tiled: true, more }],
      ...(c === 0 && { description: ome('SizeC="3"') }),
    })
  ));
  const slide = await openSlide(fromBytes(file, "a.tif"));
  assert.deepEqual(slide.levels.map(({ width, height }) => [width, height]), [[12, 9], [6, 4]]);
  assert.deepEqual([...(await slide.read(1, 2, 1, 1, 1)).data], [7, 17, 27]);
  const { data } = await slide.read(0, 0, 0, width, height);
  assert.deepEqual([...data.subarray(0, 3)], [...together.subarray(-3)]);
  assert.match(slide.notes.join(), /three directories, taken as red, green and blue/);
});

Deno.test("A stack is refused, and so are channels that are no colours, each with its reason", async () => {
  const three = (description?: string | Uint8Array) =>
    makeTiff([0, 1, 2].map((c) => grey(c, c === 0 && description !== undefined ? { description } : {})));
  const colour: Directory = { width, height, samples: 3, data: together };
  const fluorescent = ["DAPI", "FITC", "Cy5"].map((name) => channel(`Name="${name}"`)).join("");
  const emitting = [1, 2, 3].map(() => channel('EmissionWavelength="520"')).join("");
  const other =
    '<TiffData IFD="0"/><TiffData FirstC="1" IFD="0"><UUID FileName="b.ome.tif">urn:uuid:2</UUID></TiffData>';
  const cases: [Uint8Array, RegExp][] = [
    [three(), /it has 3 directories of 12x9 pixels, a stack or channels/],
    [three("<OME"), /it has 3 directories of 12x9 pixels/],
    [makeTiff([colour, colour]), /it has 2 directories of 12x9 pixels/],
    [three(ome('SizeC="1" SizeZ="3"')), /a stack of 3 focal planes, 1 times and 1 channels/],
    [three(ome('SizeC="3" SizeT="2"')), /1 focal planes, 2 times and 3 channels/],
    [makeTiff([{ ...colour, description: ome('SizeC="3" SizeZ="2"') }, colour]), /a stack of 2 focal planes/],
    [makeTiff([grey(0, { description: ome('SizeC="2"') }), grey(1)]), /one directory is 1 of 2 channels/],
    [
      makeTiff([grey(0, { description: ome('SizeC="3"') })]),
      /one channel of three, and no directory of its size holds channel 1/,
    ],
    [
      makeTiff([grey(0, { description: ome('SizeC="3"') }), grey(1), { ...grey(2), width: 9, height: 12 }]),
      /holds channel 2/,
    ],
    [three(ome('SizeC="3"', fluorescent)), /its channels are DAPI, FITC, Cy5/],
    [three(ome('SizeC="3"', emitting)), /of fluorescence/],
    [three(ome('SizeC="3"', other, ' UUID="urn:uuid:1"')), /lie in several files, such as b\.ome\.tif/],
    [
      three(
        ome('SizeC="3"', '<TiffData IFD="0" FirstC="0"/><TiffData IFD="0" FirstC="1"/><TiffData IFD="1" FirstC="2"/>'),
      ),
      /two channels lie in one directory/,
    ],
    [
      makeTiff([...[0, 1, 2, 0].map((c, i) => grey(c, i === 0 ? { description: ome('SizeC="3"') } : {}))]),
      /4 directories have its size/,
    ],
    [
      makeTiff([grey(0, { description: "ImageJ=1.54f\nimages=3\nchannels=3\nmode=composite\n" })]),
      /ImageJ's description says that it has 3 planes/,
    ],
    [
      makeTiff([grey(0, { description: `{"shape": [3, ${height}, ${width}], "truncated": true}` })]),
      /says that it has 3 planes/,
    ],
  ];
  for (const [file, why] of cases) await refused(file, why);
});

Deno.test("What only looks like a stack is read: pyramids, descriptions of what an image was made from", async () => {
  const colour: Directory = { width, height, samples: 3, data: together };
  const reduced = [[254, 4, [1]]] as const;
  const files = [
    makeTiff([{ ...colour, description: ome('SizeC="4" SizeZ="5"') }]),
    makeTiff([{ ...colour, description: `{"shape": [${height}, ${width}, 3]}` }]),
    makeTiff([{ ...colour, description: "ImageJ=1.54f\nunit=micron\n" }]),
    makeTiff([colour, { ...colour, more: reduced }]),
    makeTiff([{ ...colour, tiled: true }, { ...colour, more: [] }]),
  ];
  for (const file of files) assert.deepEqual([...await read(file)], [...together]);
});

Deno.test("The largest image of a file is the slide, wherever it stands, and its levels are in order", async () => {
  const colour: Directory = { width, height, samples: 3, data: together };
  const label: Directory = { width: 7, height: 3, samples: 3, data: new Uint8Array(63).fill(9) };
  const reduced = [[254, 4, [1]]] as const;
  const level = (w: number, h: number): Directory => ({
    width: w,
    height: h,
    samples: 3,
    data: new Uint8Array(w * h * 3),
    more: reduced,
  });
  const file = makeTiff([label, level(3, 2), level(6, 4), colour]);
  assert.deepEqual([...await read(file)], [...together]);
  const slide = await openSlide(fromBytes(file, "a.tif"));
  assert.deepEqual(slide.levels.map(({ width, height }) => [width, height]), [[12, 9], [6, 4], [3, 2]]);
  assert.deepEqual(slide.associated, [{ width: 7, height: 3 }]);
  assert.match(slide.notes.join(), /its largest image is taken, 12x9 pixels, which is not its first/);
  // OME-XML stands in the first directory; the size of pixels is that of the image that is read.
  const image = (inside: string, size: string) =>
    `<Image><Pixels SizeC="3" PhysicalSizeX="${size}">${inside}</Pixels></Image>`;
  const description = `<OME>${image("<TiffData/>", "8")}${image('<TiffData IFD="1"/>', "0.5")}</OME>`;
  const series = await openSlide(fromBytes(makeTiff([{ ...label, description }, colour]), "a.tif"));
  assert.deepEqual([series.levels[0]!.width, series.pixelSize.um], [12, 0.5]);
});

Deno.test("What no scanner makes, and images whose tiles overlap, are no slides", async () => {
  const colour: Directory = { width, height, samples: 3, data: together };
  const xmp = new TextEncoder().encode('<?xml version="1.0"?><x><iScan/><EncodeInfo Ver="2"/></x>');
  const sparse = [[322, 4, [256]], [323, 4, [256]], [324, 4, [0, 0, 0, 0]], [325, 4, [0, 0, 0, 0]]] as const;
  for (
    const [file, why] of [
      [makeTiff([{ ...colour, more: [[700, 1, xmp]] }]), /Ventana BIF, whose tiles overlap/],
      [makeTiff([{ ...colour, width: 500, height: 400, more: sparse }]), /an image without any tile or strip/],
      [makeTiff([{ ...colour, width: 600_000, height: 1 }]), /claims 600000x1 pixels, expected at most 524288 a side/],
    ] as const
  ) {
    await assert.rejects(openSlide(fromBytes(file, "a.tif")), (error: FormatError) => {
      return error instanceof FormatError && why.test(error.message);
    });
  }
});
