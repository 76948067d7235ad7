"""Reads a synthetic data set with h5py, anndata, scanpy, tifffile and Pillow, and prints what they see.

    deno task synth --out DIR --profile geom --slides 4 --rows 4 --cols 10
    python tests/python/synth.py DIR > tests/fixtures/synth.txt

Everything asserted here is what a user of HEST-1k relies on; the printout is kept as tests/fixtures/synth.txt.
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import anndata
import h5py
import numpy as np
import scanpy as sc
import tifffile

PATCH = 224


def describe(path):
    def visit(name, item):
        marks = {k: (v.tolist() if isinstance(v, np.ndarray) else v.item() if isinstance(v, np.generic) else v) for k, v in item.attrs.items()}
        kind = f"{item.dtype} {item.shape} chunks {item.chunks} maxshape {item.maxshape}" if isinstance(item, h5py.Dataset) else "group"
        print(f"  /{name}: {kind} {json.dumps(marks)}")

    with h5py.File(path) as file:
        print(f"  /: {json.dumps(dict(file.attrs))}")
        file.visititems(visit)


def check_sample(root, sample):
    facts = json.loads((root / "metadata" / f"{sample}.json").read_text())
    data = anndata.read_h5ad(root / "st" / f"{sample}.h5ad")
    scale = facts["pixel_size_um_estimated"]
    assert data.X.dtype == np.float32 and (data.X.data == np.floor(data.X.data)).all()
    assert data.shape == (len(data.obs), facts["nb_genes"]) and data.obs_names.is_unique and data.var_names.is_unique
    image = data.uns["spatial"]["ST"]["images"]["downscaled_fullres"]
    assert image.dtype == np.uint8 and max(image.shape) == 1000
    with h5py.File(root / "patches" / f"{sample}.h5") as file:
        names = [b.decode() for b in file["barcode"][:, 0]]
        coords, images, marks = file["coords"][:], file["img"][:], dict(file["img"].attrs)
    assert set(names) <= set(data.obs_names) and len(set(names)) == len(names)
    spatial = data[names].obsm["spatial"]
    error = np.abs(coords + marks["patch_size_src"] / 2 - spatial).max()
    assert error <= 1.5, error
    print(f"{sample}: {data.shape[0]} spots, {data.shape[1]} genes, counts {int(data.X.sum())}, {len(names)} patches, "
          f"pixel size {scale}, patch centres within {error:.3f} pixels of the spots, mean RGB {images.mean((0, 1, 2)).round(3).tolist()}")
    slide = root / "wsis" / f"{sample}.tif"
    if slide.exists():
        check_slide(slide, facts, coords, images, marks)
    sc.pp.calculate_qc_metrics(data, percent_top=(50,), inplace=True)
    sc.pp.log1p(data)
    sc.pp.highly_variable_genes(data, flavor="seurat", n_top_genes=50)
    print(f"  scanpy: QC of {data.n_obs} spots, highly variable {sorted(data.var_names[data.var.highly_variable])[:4]} ...")


def check_slide(path, facts, coords, images, marks):
    with tifffile.TiffFile(path) as tiff:
        shapes = [page.shape for page in tiff.pages]
        pixels = tiff.pages[0].asarray()
        half = tiff.pages[1].asarray()
        numerator, denominator = tiff.pages[0].tags["XResolution"].value
    assert pixels.shape == (facts["fullres_px_height"], facts["fullres_px_width"], 3)
    assert abs(1e4 * denominator / numerator - facts["pixel_size_um_estimated"]) < 1e-6
    side, worst = int(marks["patch_size_src"]), 0
    for (x, y), image in zip(coords, images):
        worst = max(worst, np.abs(cut(pixels, half, x, y, side).astype(int) - image).max())
    assert worst <= 1, worst
    print(f"  slide: levels {shapes}, patches cut from it differ by at most {worst} grey level(s)")


def cut(pixels, half, x, y, side):
    """HEST's rule on the slide, with the resize done by a formula of its own."""
    if side == 2 * PATCH:
        pixels, x, y, side = half, x // 2, y // 2, PATCH
    height, width, _ = pixels.shape
    window = np.zeros((side, side, 3))
    rows, cols = np.arange(y, y + side), np.arange(x, x + side)
    inside = np.ix_((rows >= 0) & (rows < height), (cols >= 0) & (cols < width))
    window[inside] = pixels[np.ix_(rows[(rows >= 0) & (rows < height)], cols[(cols >= 0) & (cols < width)])]
    place = np.clip((np.arange(PATCH) + 0.5) * side / PATCH - 0.5, 0, side - 1)
    low = np.minimum(place.astype(int), side - 2)
    t = place - low
    window = window[low] * (1 - t)[:, None, None] + window[low + 1] * t[:, None, None]
    return np.rint(window[:, low] * (1 - t)[:, None] + window[:, low + 1] * t[:, None])


def main():
    root = Path(sys.argv[1])
    print(", ".join(f"{name} {version(name)}" for name in ("h5py", "anndata", "scanpy", "tifffile", "numpy")))
    samples = [entry["id"] for entry in json.loads((root / "synth.json").read_text())["samples"]]
    for sample in samples:
        check_sample(root, sample)
    print(f"st/{samples[0]}.h5ad")
    describe(root / "st" / f"{samples[0]}.h5ad")
    print(f"patches/{samples[0]}.h5")
    describe(root / "patches" / f"{samples[0]}.h5")


if __name__ == "__main__":
    main()
