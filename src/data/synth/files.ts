/**
 * The files of a synthetic sample and of the data set around it.
 *
 * @module
 */

import { csvLine } from "../../io/csv.ts";
import type { Disk } from "../../io/disk.ts";
import { H5Writer } from "../../io/hdf5/h5_write.ts";
import { type AnndataTarget, encode, type NewH5ad, writeH5ad } from "../../io/hdf5/h5ad_write.ts";
import { writePatches } from "../../io/patches_write.ts";
import { writeTiff } from "../../io/image/tiff_write.ts";
import { cutPatch, PATCH_PIXEL_SIZE } from "./crop.ts";
import { type GeneModel, GENES } from "./genes.ts";
import { panelOf } from "./panel.ts";
import { sampleId, type SynthPlan } from "./plan.ts";
import { compressed, geneTable, metadataOf, type SynthSample, tissueGeoJson } from "./sample.ts";
import type { Slide } from "./slide.ts";

/** Long edge of the small image in an expression file, pixels. */
const THUMBNAIL = 1000;

/** Paths of the files of a sample, below the data set's folder. */
export function samplePaths({ bench, wsi }: SynthPlan, id: string): Record<string, string> {
  return {
    expression: bench ? `SYN/adata/${id}.h5ad` : `st/${id}.h5ad`,
    patches: bench ? `SYN/patches/${id}.h5` : `patches/${id}.h5`,
    truth: `truth/${id}.h5`,
    ...(wsi ? { wsi: `wsis/${id}.tif` } : {}),
    ...(bench ? {} : { tissue: `tissue_seg/${id}_contours.geojson`, metadata: `metadata/${id}.json` }),
  };
}

/** Writes the files of a sample; its metadata last. */
export async function writeSample(
  disk: Disk,
  out: string,
  plan: SynthPlan,
  sample: SynthSample,
  model: GeneModel,
): Promise<void> {
  const paths = samplePaths(plan, sample.id);
  const at = (what: string) => `${out}/${paths[what]}`;
  await writeExpression(disk, at("expression"), plan, sample);
  await writePatchFile(disk, at("patches"), plan, sample);
  await writeTruth(disk, at("truth"), sample, model);
  if (plan.wsi) {
    const { width, height, pixelSize } = sample.slide;
    writeTiff(disk, at("wsi"), {
      width,
      height,
      pixelSize: plan.traps.includes("px-x10") ? pixelSize / 10 : pixelSize,
      rows: (top, count) => sample.renderer.render(0, top, width, count),
    });
  }
  if (plan.bench) return;
  disk.write(at("tissue"), `${JSON.stringify(tissueGeoJson(sample.slide))}\n`);
  const json = JSON.stringify(metadataOf(sample.slide), null, 2);
  const nan = (text: string) => text.replace(/("(?:pixel_size_um_embedded|treatment_comment)": )[^,\n]+/g, "$1NaN");
  disk.write(at("metadata"), `${plan.traps.includes("json-nan") ? nan(json) : json}\n`);
}

async function writeExpression(disk: Disk, path: string, plan: SynthPlan, sample: SynthSample): Promise<void> {
  const { slide, renderer, counts, spatial, barcodes } = sample;
  const scale = THUMBNAIL / Math.max(slide.width, slide.height);
  const coarse = slide.pixelSize / scale;
  const [w, h] = slide.extent.map((e) => Math.ceil(e / coarse)) as [number, number];
  const has = (trap: SynthPlan["traps"][number]) => plan.traps.includes(trap);
  const begin = await H5Writer.prepare();
  const content: NewH5ad = {
    obs: { index: barcodes, columns: sample.obsColumns },
    var: { index: sample.genes, columns: sample.geneColumns },
    x: has("uint16-dense") ? dense : compressed(counts, GENES, has("nan-x")),
    obsm: { spatial: { shape: [barcodes.length, 2], values: spatial } },
    uns: {
      spatial: {
        ST: {
          images: { downscaled_fullres: { shape: [h, w, 3], values: renderer.render(0, 0, w, h, coarse) } },
          scalefactors: {
            spot_diameter_fullres: 55 / slide.pixelSize,
            tissue_downscaled_fullres_scalef: scale,
          },
        },
      },
    },
  };
  function dense(h5: AnndataTarget, place: string): void {
    h5.dataset(place, "u2", [barcodes.length, GENES], counts);
    encode(h5, place, "array", "0.2.0");
  }
  disk.writeAnywhere(path, (file) => {
    const h5 = begin(file);
    if (has("old-h5ad")) markAsOld(h5);
    writeH5ad(h5, content);
    h5.close();
  });
}

/** Leaves out the marks anndata 0.7 did not write: all but those of tables and compressed matrices, of version 0.1.0. */
function markAsOld(h5: H5Writer): void {
  const write = h5.attribute.bind(h5);
  const marked = new Set<string>();
  h5.attribute = (path, name, value, dtype) => {
    if (name === "encoding-type" && (value === "dataframe" || value === "csr_matrix")) marked.add(path);
    if (name.startsWith("encoding-") && !marked.has(path)) return;
    write(path, name, name === "encoding-version" ? "0.1.0" : value, dtype);
  };
}

async function writePatchFile(disk: Disk, path: string, plan: SynthPlan, sample: SynthSample): Promise<void> {
  const { slide, renderer, windows, generation, patchSize, spatial } = sample;
  const current = generation === "current";
  const coords = windows.flatMap(({ spot, x, y }) => {
    const pair = current ? [x, y] : [Math.trunc(spatial[2 * spot + 1]!), Math.trunc(spatial[2 * spot]!)];
    return plan.traps.includes("swap-coords") ? pair.toReversed() : pair;
  });
  await writePatches(disk, path, {
    generation,
    size: patchSize,
    barcodes: windows.map(({ spot }) => sample.barcodes[spot]!),
    coords: BigInt64Array.from(coords, BigInt),
    sizeOnSlide: Math.round(patchSize * PATCH_PIXEL_SIZE / slide.pixelSize),
    slidePixelSize: slide.pixelSize,
    pixelSize: PATCH_PIXEL_SIZE,
    pixels(put) {
      for (const [i, window] of windows.entries()) put(i, cutPatch(renderer, window, generation, patchSize));
    },
  });
}

/** What training code must never read: fields, expected counts, loadings. */
async function writeTruth(
  disk: Disk,
  path: string,
  { expression, slide }: SynthSample,
  model: GeneModel,
): Promise<void> {
  const begin = await H5Writer.prepare();
  const n = slide.spots.length;
  disk.writeAnywhere(path, (file) => {
    const h5 = begin(file);
    h5.dataset("/F", "f8", [n, expression.fields.length / n], expression.fields);
    h5.dataset("/mu", "f8", [n, GENES], expression.mean);
    h5.dataset("/W", "f8", [GENES, model.loadings.length / GENES], model.loadings);
    h5.dataset("/b", "f8", [GENES], model.base);
    h5.close();
  });
}

/** Files of the data set as a whole: splits, gene panel and catalogue. Texts by path. */
export function sharedFiles(plan: SynthPlan, slides: readonly Slide[], model: GeneModel): Record<string, string> {
  const files: Record<string, string> = {};
  if (plan.folds.length > 0) {
    // HEST-Benchmark looks at all samples of a task; one split's panel must not see its test slides.
    const seen = plan.bench ? slides : slides.filter(({ slide }) => !plan.folds[0]!.includes(slide));
    const { genes } = geneTable(plan, model);
    const panel = panelOf(seen, model).map((g) => genes[g]!).sort();
    files[plan.bench ? "SYN/var_50genes.json" : "var_50genes.json"] = `${JSON.stringify({ genes: panel })}\n`;
  }
  for (const [fold, test] of plan.folds.entries()) {
    const table = (part: readonly Slide[]) =>
      csvLine(["sample_id", "patches_path", "expr_path"]) +
      part.map((slide) => {
        const { patches, expression } = samplePaths(plan, sampleId(slide));
        return csvLine([sampleId(slide), patches!.replace(/^SYN\//, ""), expression!.replace(/^SYN\//, "")]);
      }).join("");
    const folder = plan.bench ? "SYN/splits" : "splits";
    files[`${folder}/train_${fold}.csv`] = table(slides.filter(({ slide }) => !test.includes(slide)));
    files[`${folder}/test_${fold}.csv`] = table(slides.filter(({ slide }) => test.includes(slide)));
  }
  if (!plan.bench) {
    const rows = slides.map(metadataOf);
    const columns = [...Object.keys(rows[0]!), "hest_version_added"];
    const lines = rows.map((row) => csvLine([...Object.values(row).map((value) => value ?? ""), "1.1.0"]));
    // The catalogue of HEST begins with a byte order mark.
    files["HEST_v1_1_0.csv"] = `\uFEFF${csvLine(columns)}${lines.join("")}`;
  }
  return files;
}
