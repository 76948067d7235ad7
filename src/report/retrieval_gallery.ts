/**
 * What queries found, as one image and as one page: the query's patch, then the patches it found, best first, framed by
 * whether it is the right one. Frames differ in colour and in width, so that no colour vision is needed.
 *
 * @module
 */

import { fixed } from "../core/fixed.ts";
import type { RgbImage } from "../io/image/rgb_image.ts";
import { encodePng } from "../io/image/png_write.ts";
import { base64, Markup, markup } from "./html.ts";

/** A patch. */
export interface GalleryTile {
  /** Square. */
  readonly image: RgbImage;
  /** Sample and barcode. */
  readonly label: string;
}

/** A patch that was found. */
export interface GalleryFound extends GalleryTile {
  readonly score: number;
  /** Whether it is the query's own; undefined where no patch is. */
  readonly correct?: boolean;
}

/** A query with what it found. */
export interface GalleryRow {
  /** The query's own patch; a query by genes has none. */
  readonly query?: GalleryTile;
  readonly title: string;
  /** Rank of the right patch, from 1. */
  readonly rank?: number;
  readonly found: readonly GalleryFound[];
}

/** Queries of one kind. */
export interface GallerySection {
  readonly title: string;
  readonly about: string;
  readonly rows: readonly GalleryRow[];
}

type Colour = readonly [number, number, number];

const TILE = 96;
const FRAME = 5;
const GAP = 6;
const LINE = 16;
const CELL = TILE + 2 * FRAME + GAP;
const INK: Colour = [40, 44, 52];
/** Okabe and Ito's bluish green and vermilion. */
const RIGHT: Colour = [0, 158, 115];
const WRONG: Colour = [213, 94, 0];
const NEUTRAL: Colour = [130, 135, 145];

/** Rows of five pixels of the signs that captions need. */
const GLYPHS: Readonly<Record<string, string>> = {
  "0": "01110 10001 10011 10101 11001 10001 01110",
  "1": "00100 01100 00100 00100 00100 00100 01110",
  "2": "01110 10001 00001 00010 00100 01000 11111",
  "3": "11111 00010 00100 00010 00001 10001 01110",
  "4": "00010 00110 01010 10010 11111 00010 00010",
  "5": "11111 10000 11110 00001 00001 10001 01110",
  "6": "00110 01000 10000 11110 10001 10001 01110",
  "7": "11111 00001 00010 00100 01000 01000 01000",
  "8": "01110 10001 10001 01110 10001 10001 01110",
  "9": "01110 10001 10001 01111 00001 00010 01100",
  ".": "00000 00000 00000 00000 00000 01100 01100",
  "-": "00000 00000 00000 11111 00000 00000 00000",
  "#": "01010 01010 11111 01010 11111 01010 01010",
};

class Canvas {
  readonly data: Uint8Array<ArrayBuffer>;
  constructor(readonly width: number, readonly height: number) {
    this.data = new Uint8Array(width * height * 3).fill(255);
  }
  fill(x: number, y: number, width: number, height: number, colour: Colour): void {
    for (let v = Math.max(0, y); v < Math.min(this.height, y + height); v++) {
      for (let u = Math.max(0, x); u < Math.min(this.width, x + width); u++) {
        this.data.set(colour, (v * this.width + u) * 3);
      }
    }
  }
  /** A patch in a frame of so many pixels, drawn inwards from the largest frame's place. */
  tile(x: number, y: number, image: RgbImage, colour: Colour, frame: number): void {
    const inset = FRAME - frame;
    this.fill(x + inset, y + inset, TILE + 2 * frame, TILE + 2 * frame, colour);
    const rgb = scaled(image);
    for (let v = 0; v < TILE; v++) {
      this.data.set(rgb.subarray(v * TILE * 3, (v + 1) * TILE * 3), ((y + FRAME + v) * this.width + x + FRAME) * 3);
    }
  }
  text(x: number, y: number, text: string): void {
    for (const [n, sign] of [...text].entries()) {
      (GLYPHS[sign] ?? "").split(" ").forEach((row, v) =>
        [...row].forEach((bit, u) => bit === "1" && this.fill(x + n * 6 + u, y + v, 1, 1, INK))
      );
    }
  }
}

/** A square image at the size of a tile: means of the pixels each covers, or the nearest where it is small. */
function scaled({ width, data }: RgbImage): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(TILE * TILE * 3);
  const range = (i: number): [number, number] => {
    const from = Math.floor(i * width / TILE);
    return [from, Math.max(from + 1, Math.floor((i + 1) * width / TILE))];
  };
  for (let y = 0; y < TILE; y++) {
    const [top, bottom] = range(y);
    for (let x = 0; x < TILE; x++) {
      const [left, right] = range(x);
      const sum = [0, 0, 0];
      for (let v = top; v < bottom; v++) {
        for (let u = left; u < right; u++) {
          for (let c = 0; c < 3; c++) sum[c]! += data[(v * width + u) * 3 + c]!;
        }
      }
      const count = (bottom - top) * (right - left);
      for (let c = 0; c < 3; c++) out[(y * TILE + x) * 3 + c] = Math.round(sum[c]! / count);
    }
  }
  return out;
}

function frameOf({ correct }: GalleryFound): [Colour, number] {
  return correct === undefined ? [NEUTRAL, 2] : correct ? [RIGHT, FRAME] : [WRONG, 2];
}

/** All rows, one below the other: the query (its rank below), then what it found (scores below). */
export function galleryImage(sections: readonly GallerySection[]): RgbImage {
  const rows = sections.flatMap((section) => section.rows);
  const most = Math.max(0, ...rows.map(({ found }) => found.length));
  // Sections are apart by a rule.
  const height = rows.length * (CELL + LINE) + sections.length * 2 * GAP + GAP;
  const canvas = new Canvas((most + 1) * CELL + 3 * GAP, height);
  let y = GAP;
  for (const [s, section] of sections.entries()) {
    if (s > 0) canvas.fill(GAP, y, canvas.width - 2 * GAP, 1, NEUTRAL);
    y += 2 * GAP;
    for (const { query, rank, found } of section.rows) {
      if (query) canvas.tile(GAP, y, query.image, INK, 2);
      if (rank !== undefined) canvas.text(GAP + FRAME, y + CELL - GAP + 3, `#${rank}`);
      found.forEach((hit, n) => {
        const x = 2 * GAP + (n + 1) * CELL;
        canvas.tile(x, y, hit.image, ...frameOf(hit));
        canvas.text(x + FRAME, y + CELL - GAP + 3, fixed(hit.score, 3));
      });
      y += CELL + LINE;
    }
  }
  return { width: canvas.width, height, data: canvas.data };
}

const STYLE = new Markup(`
:root{color-scheme:light dark;--ink:#282c34;--soft:#5f6470;--paper:#fff;--right:#009e73;--wrong:#d55e00;--line:#82878f}
@media(prefers-color-scheme:dark){:root{--ink:#e6e8ec;--soft:#a5abb6;--paper:#16181d;--right:#2fc79a;--wrong:#f08a3c}}
body{margin:0 auto;max-width:82rem;padding:1rem;font:16px/1.45 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
h1{font-size:1.4rem;overflow-wrap:anywhere}h2{font-size:1.15rem;margin-top:2rem}p,figcaption{color:var(--soft)}
.row{display:flex;flex-wrap:wrap;gap:.5rem;align-items:flex-start;margin:.75rem 0 1.25rem}
.row>h3{flex:1 0 100%;margin:0;font-size:.95rem;font-weight:600;overflow-wrap:anywhere}
figure{margin:0;width:6.5rem}figure.query{margin-right:1rem}
img{display:block;box-sizing:border-box;width:6.5rem;height:6.5rem;border:2px solid var(--line)}
.query img{border-color:var(--ink)}.right img{border:6px solid var(--right)}.wrong img{border:2px solid var(--wrong)}
figcaption{font-size:.75rem;overflow-wrap:anywhere}
`);

/** The same as a page that needs no other file. */
export function galleryPage(title: string, about: readonly string[], sections: readonly GallerySection[]): string {
  const body = sections.map((section) =>
    markup`<section><h2>${section.title}</h2><p>${section.about}</p>${section.rows.map(rowOf)}</section>`
  );
  const page = markup`<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1"><title>${title}</title><style>${STYLE}</style></head>
<body><h1>${title}</h1>${about.map((text) => markup`<p>${text}</p>`)}${body}</body></html>
`;
  return page.text;
}

function rowOf({ query, title, rank, found }: GalleryRow): Markup {
  const heading = rank === undefined ? title : `${title}: the right one is at rank ${rank}`;
  return markup`<div class="row"><h3>${heading}</h3>${
    query && figure(query, "query", `query, ${query.label}`, "the query's own patch")
  }${
    found.map((hit) => {
      const kind = hit.correct === undefined ? "" : hit.correct ? "right" : "wrong";
      const text = `${fixed(hit.score, 3)}${kind && `, ${kind}`} · ${hit.label}`;
      return figure(hit, kind, text, `patch ${hit.label}, score ${fixed(hit.score, 3)}${kind && `, ${kind}`}`);
    })
  }</div>`;
}

function figure({ image }: GalleryTile, kind: string, caption: string, alt: string): Markup {
  const png = base64(encodePng({ width: TILE, height: TILE, data: scaled(image) }));
  return markup`<figure class="${kind}"><img src="data:image/png;base64,${png}" alt="${alt}"><figcaption>${caption}</figcaption></figure>`;
}
