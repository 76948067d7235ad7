import assert from "node:assert/strict";
import { omeDirectories, readOme } from "../../src/io/image/ome.ts";
import { fromBytes } from "../../src/io/random_access.ts";
import { openTiff } from "../../src/io/image/tiff.ts";
import { makeTiff } from "./tiff_maker.ts";

/** OME-XML of one image of 0.25 µm, in one of the ways that XML allows. */
function xml(
  { unit = "µm", prefix = "", quote = '"', head = '<?xml version="1.0" encoding="UTF-8"?>', x = "0.25" } = {},
) {
  const [p, namespace, q] = prefix === "" ? ["", "xmlns", quote] : [`${prefix}:`, `xmlns:${prefix}`, quote];
  return `${head}<${p}OME ${namespace}=${q}http://www.openmicroscopy.org/Schemas/OME/2016-06${q}><${p}Image ID=${q}I${q}>` +
    `<${p}Pixels SizeX=${q}2${q} SizeC=${q}3${q} PhysicalSizeX=${q}${x}${q} PhysicalSizeXUnit=${q}${unit}${q} ` +
    `PhysicalSizeY = ${q}${x}${q}\n\tPhysicalSizeYUnit=${q}${unit}${q}><${p}TiffData/></${p}Pixels></${p}Image></${p}OME>`;
}

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const latin1 = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));
const utf16 = (text: string, little: boolean, mark: boolean): Uint8Array =>
  Uint8Array.from(
    (mark ? `\ufeff${text}` : text).split("").flatMap((c) => {
      const code = c.charCodeAt(0);
      return little ? [code & 255, code >> 8] : [code >> 8, code & 255];
    }),
  );

/** What a slide with this description says of its pixels; its resolution tags say 2.5 µm, ten times too much. */
async function pixelSize(description: string | Uint8Array) {
  const data = new Uint8Array(12);
  const more = [[282, 5, [4000, 1]], [283, 5, [4000, 1]], [296, 3, [3]]] as const;
  const file = makeTiff([{ width: 2, height: 2, samples: 3, data, description, more }]);
  return (await openTiff(fromBytes(file, "a.ome.tif"))).pixelSize;
}

Deno.test("OME-XML is read in every way that XML allows to write it", async () => {
  const latin = '<?xml version="1.0" encoding="ISO-8859-1"?>';
  const wide = '<?xml version="1.0" encoding="UTF-16"?>';
  const ways: Record<string, string | Uint8Array> = {
    plain: xml(),
    "other micro sign": xml({ unit: "\u03bcm" }),
    "decimal reference": xml({ unit: "&#181;m" }),
    "hexadecimal reference": xml({ unit: "&#xB5;m" }),
    "reference to the Greek letter": xml({ unit: "&#x3BC;m" }),
    "value by references": xml({ x: "&#48;.2&#x35;" }),
    latin1: latin1(xml({ head: latin })),
    "latin1 that claims to be UTF-8": latin1(xml()),
    "latin1 without declaration": latin1(xml({ head: "" })),
    "UTF-8 with a byte order mark": utf8(`\ufeff${xml()}`),
    "UTF-16 little-endian": utf16(xml({ head: wide }), true, true),
    "UTF-16 big-endian": utf16(xml({ head: wide }), false, true),
    "UTF-16 without mark": utf16(xml({ head: wide }), true, false),
    "UTF-8 that claims to be UTF-16": utf8(xml({ head: wide })),
    "zero byte at the end": utf8(`${xml()}\0`),
    prefix: xml({ prefix: "OME" }),
    "other prefix": xml({ prefix: "o-m.e" }),
    "single quotes": xml({ quote: "'" }),
    "prefix and single quotes": xml({ prefix: "ome", quote: "'" }),
    "document type": xml({ head: '<?xml version="1.0"?><!DOCTYPE OME [<!ENTITY a "b">]>' }),
    "comments and whitespace": `\n  ${xml({ head: "<!-- <Pixels PhysicalSizeX='9'/> -->" })}\n<!-- end -->\n`,
    "no namespace": xml().replace(/ xmlns="[^"]*"/, ""),
    "exponent": xml({ x: "2.5E-1" }),
    "no unit": xml().replace(/PhysicalSize.Unit="[^"]*"/g, ""),
    "only one axis": xml().replace(/PhysicalSizeX\w*="[^"]*"/g, ""),
    "an image of another namespace before it": xml().replace(
      "<Image",
      '<x:Image xmlns:x="urn:x"><x:Pixels PhysicalSizeX="9"/></x:Image><Image',
    ),
  };
  for (const [way, text] of Object.entries(ways)) {
    const { um, source, problem } = await pixelSize(text);
    assert.deepEqual([way, um, source, problem], [way, 0.25, "ome", undefined]);
  }
});

Deno.test("Every unit of length of OME-XML counts, and a unit that is none is named", async () => {
  const units: Record<string, number> = {
    nm: 250,
    mm: 0.00025,
    cm: 0.000025,
    pm: 250_000,
    "Å": 2500,
    "\u212b": 2500,
    um: 0.25,
  };
  Object.assign(units, { in: 0.25 / 25_400, thou: 0.25 / 25.4, pt: 0.25 / (25_400 / 72), m: 2.5e-7, km: 2.5e-10 });
  Object.assign(units, { li: 0.25 / (25_400 / 12), ft: 0.25 / 304_800, yd: 0.25 / 914_400, fm: 2.5e8, am: 2.5e11 });
  for (const [unit, x] of Object.entries(units)) {
    const { um, problem } = await pixelSize(xml({ unit, x: String(x) }));
    assert.ok(Math.abs(um! - 0.25) < 1e-9, `${unit}: ${um} ${problem}`);
  }
  for (
    const [text, wanted] of [
      [xml({ unit: "furlong" }), /unit "furlong" of its PhysicalSizeX is not known/],
      [xml({ unit: "MM" }), /unit "MM" of its PhysicalSizeX is not known/],
      [xml({ unit: "constructor" }), /unit "constructor"/],
      [xml({ unit: "pixel" }), /in units of "pixel", which is no length/],
      [xml({ unit: "reference frame" }), /in units of "reference frame", which is no length/],
      [xml({ x: "0,25" }), /PhysicalSizeX "0,25" is no positive number/],
      [xml({ x: "0" }), /PhysicalSizeX "0" is no positive number/],
      [xml({ x: "-1" }), /PhysicalSizeX "-1" is no positive number/],
      [xml({ x: "0x10" }), /PhysicalSizeX "0x10" is no positive number/],
      [xml({ x: "INF" }), /PhysicalSizeX "INF" is no positive number/],
    ] as const
  ) {
    const found = await pixelSize(text);
    assert.deepEqual([found.um, found.source], [undefined, "ome"], text);
    assert.match(found.problem!, wanted);
  }
});

Deno.test("OME-XML that is there and cannot be read is not replaced by the resolution tags", async () => {
  const bomb = '<!DOCTYPE OME [<!ENTITY a "1111111111"><!ENTITY b "&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>';
  const outside = '<!DOCTYPE OME [<!ENTITY a SYSTEM "file:///etc/passwd">]>';
  const deep = `${xml().replace("<TiffData/>", "<a>".repeat(90_000) + "</a>".repeat(90_000))}`;
  for (
    const [text, wanted] of [
      [xml().slice(0, -9), /cannot be read: /],
      [xml({ head: bomb, x: "&c;" }), /cannot be read: Named entity isn't defined: &c;/],
      [xml({ head: outside, x: "&a;" }), /cannot be read: Named entity isn't defined: &a;/],
      [deep, /cannot be read: its elements lie too deep/],
      [xml().replace("<TiffData/>", "<a/>".repeat(250_000)), /cannot be read: it has more than 100000 elements/],
      [xml().replace("<TiffData/>", `<a>${" ".repeat(9_000_000)}</a>`), /cannot be read: it has 9\d+ characters/],
      [xml({ head: '<?xml version="1.0" encoding="EBCDIC-42"?>' }), /its encoding EBCDIC-42 is not known/],
      [xml().replace("PhysicalSizeX", "SizeX"), /cannot be read: Duplicate attribute: SizeX/],
      ['<OME><BinaryOnly MetadataFile="all.companion.ome"/></OME>', /stands in another file, all\.companion\.ome/],
      ["<OME/>", /has no Pixels/],
    ] as const
  ) {
    const { um, claimed, source, problem } = await pixelSize(text);
    assert.deepEqual([um, claimed, source], [undefined, undefined, "ome"], problem);
    assert.match(problem!, wanted);
  }
});

Deno.test("What is no OME-XML leaves the word to the resolution tags", async () => {
  const silent = xml().replace(/PhysicalSize\w+\s*=\s*"[^"]*"/g, "");
  for (const text of ["made by hand", "<scn><image/></scn>", "<broken", '{"shape": [2, 2, 3]}', "", silent]) {
    const { um, source } = await pixelSize(text);
    assert.deepEqual([um, source], [2.5, "resolution-tag"], text);
  }
});

Deno.test("omeDirectories() maps planes as TiffData says, in the order of the dimensions", () => {
  const of = (pixels: string, inside: string) => {
    const text = `<OME><Image><Pixels ${pixels}>${inside}</Pixels></Image></OME>`;
    return omeDirectories(readOme(utf8(text))!.images[0]!);
  };
  assert.deepEqual(of('SizeC="3"', ""), [0, 1, 2]);
  assert.deepEqual(of('SizeC="3"', "<TiffData/>"), [0, 1, 2]);
  assert.deepEqual(of('SizeC="3"', '<TiffData IFD="4" PlaneCount="3"/>'), [4, 5, 6]);
  assert.deepEqual(of('SizeC="3"', '<TiffData IFD="2" FirstC="0"/><TiffData IFD="0" FirstC="1"/>'), [2, 0, undefined]);
  const two = 'SizeC="2" SizeZ="2" DimensionOrder=';
  assert.deepEqual(of(`${two}"XYCZT"`, "<TiffData/>"), [0, 2, 1, 3], "channels run first");
  assert.deepEqual(of(`${two}"XYZCT"`, "<TiffData/>"), [0, 1, 2, 3], "focal planes run first");
  assert.equal(of('SizeC="999999999"', '<TiffData PlaneCount="999999999"/>').length, 4096);
});
