"""Reads what `convert` wrote with scanpy, h5py, tifffile, OpenSlide and Pillow, and prints what they see.

    deno task convert st ../shared/data/her2st --out DIR
    pip install scanpy h5py tifffile imagecodecs openslide-python openslide-bin pillow
    python tests/python/converted.py DIR

The printout is kept as tests/fixtures/converted.txt.

Counts and places are compared with the section's own tables where `--tables FOLDER` names them, and with what scanpy reads
of Space Ranger's output where `--visium OUTS` does.
"""

import gzip
import json
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
import openslide
import pandas as pd
import scanpy as sc
from PIL import Image

from synth import check_sample

warnings.filterwarnings("ignore")
Image.MAX_IMAGE_PIXELS = None


def check_opens(root, sample):
    data = sc.read_h5ad(root / "st" / f"{sample}.h5ad")
    print(f"scanpy.read_h5ad({sample}.h5ad): {data.n_obs} x {data.n_vars} {type(data.X).__name__} {data.X.dtype}, "
          f"obs {list(data.obs.columns)}, obsm {list(data.obsm)}, uns {list(data.uns['spatial']['ST'])}")
    sc.pp.normalize_total(data, target_sum=1e4)
    sc.pp.log1p(data)
    sc.pp.pca(data, n_comps=10)
    sc.pp.neighbors(data)
    print(f"  normalised, PCA explains {data.uns['pca']['variance_ratio'][:3].round(3).tolist()}")
    slide = openslide.OpenSlide(root / "wsis" / f"{sample}.tif")
    thumbnail = Image.open(root / "thumbnails" / f"{sample}_downscaled_fullres.jpeg").convert("RGB")
    small = np.asarray(slide.get_thumbnail(thumbnail.size).convert("RGB").resize(thumbnail.size), np.float64)
    off = np.abs(small - np.asarray(thumbnail)).mean()
    print(f"  OpenSlide: {slide.properties['openslide.vendor']}, {slide.level_count} levels from {slide.dimensions}; "
          f"its thumbnail and the one written differ by {off:.2f} grey levels on average")
    assert off < 6


def check_tables(root, tables, sample):
    """Against the tables as pandas reads them, joined by a rule of its own."""
    with gzip.open(tables / "counts" / f"{sample}.tsv.gz", "rt") as file:
        counts = pd.read_csv(file, sep="\t", index_col=0)
    spots = pd.read_csv(tables / "spots" / f"{sample}_selection.tsv", sep="\t")
    spots.index = spots.x.astype(str) + "x" + spots.y.astype(str)
    data = sc.read_h5ad(root / "st" / f"{sample}.h5ad")
    both = [name for name in counts.index if name in spots.index]
    assert list(data.obs["spot"]) == both
    assert (data.X.toarray() == counts.loc[both].to_numpy()).all() and list(data.var_names) == list(counts.columns)
    assert np.abs(data.obsm["spatial"] - spots.loc[both, ["pixel_x", "pixel_y"]].to_numpy()).max() == 0
    # The pitch on the image: median distance of neighbours on the array.
    place = {(x, y): (px, py) for x, y, px, py in spots[["x", "y", "pixel_x", "pixel_y"]].itertuples(index=False)}
    steps = [np.hypot(px - place[n][0], py - place[n][1]) for (x, y), (px, py) in place.items()
             for n in ((x + 1, y), (x, y + 1)) if n in place]
    size = json.loads((root / "metadata" / f"{sample}.json").read_text())["pixel_size_um_estimated"]
    pitch = 200 / np.median(steps)
    print(f"  tables: {len(counts)} counted, {len(spots)} selected, {len(both)} both, all counts and places equal; "
          f"200 um / median pitch = {pitch:.4f}, written {size:.4f}, {100 * abs(size / pitch - 1):.2f} % apart")
    assert abs(size / pitch - 1) < 0.01


def check_visium(root, outs, sample):
    """Against scanpy's own reader of Space Ranger's output."""
    theirs = sc.read_visium(outs, library_id=sample)
    theirs.var_names_make_unique()
    theirs = theirs[:, theirs.var["feature_types"] == "Gene Expression"]
    ours = sc.read_h5ad(root / "st" / f"{sample}.h5ad")
    theirs = theirs[ours.obs_names]
    assert (ours.X.toarray() == theirs.X.toarray()).all() and list(ours.var_names) == list(theirs.var_names)
    assert list(ours.var["gene_ids"]) == list(theirs.var["gene_ids"])
    # pandas reads decimals to the last but one bit.
    assert np.abs(ours.obsm["spatial"] - theirs.obsm["spatial"].astype(float)).max() < 1e-9
    for column in ("in_tissue", "array_row", "array_col"):
        assert (ours.obs[column].astype(int) == theirs.obs[column].astype(int)).all()
    print(f"  scanpy.read_visium: {theirs.n_obs} spots and {theirs.n_vars} genes, counts, names and places equal")


def main():
    root = Path(sys.argv[1])
    tables = Path(sys.argv[sys.argv.index("--tables") + 1]) if "--tables" in sys.argv else None
    names = ("scanpy", "anndata", "h5py", "tifffile", "openslide-python", "pillow", "numpy")
    print(", ".join(f"{name} {version(name)}" for name in names))
    for path in sorted((root / "st").glob("*.h5ad")):
        check_opens(root, path.stem)
        check_sample(root, path.stem)
        if tables is not None:
            check_tables(root, tables, path.stem)
        if "--visium" in sys.argv:
            check_visium(root, sys.argv[sys.argv.index("--visium") + 1], path.stem)


main()
