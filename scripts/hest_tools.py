"""What spatialdata-io, scanpy, squidpy and spatialdata make of what the conversions of HEST's tools read and write.

    pip install "spatialdata-io==0.7.*" scanpy squidpy tifffile
    python scripts/hest_tools.py [--data FOLDER] [--gene-sets FILE.gmt] [--record bench/results/hest_tools.md]

Bundles of Xenium of tests/fixtures/xenium get an H&E image and go through `convert xenium`; `spatialdata_io.xenium()` opens
the same bundles, and counts, places, transcripts and outlines of both are compared. The sample then goes into SpatialData,
is opened there and comes back. Scores of gene sets are compared with `score_genes`, of random counts and of the samples of
a folder where one is named.
"""

import argparse
import datetime
import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import warnings

warnings.filterwarnings("ignore")

import anndata
import numpy as np
import pandas as pd
import scipy.sparse as sp
import tifffile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WIDTH, HEIGHT = 1200, 1000
LIBRARIES = ["spatialdata-io", "spatialdata", "anndata", "scanpy", "squidpy", "zarr"]
lines = []


def say(text):
    lines.append(text)
    print(text, flush=True)


def check(true, what):
    say(f"- {'ok' if true else '**DIFFERS**'}: {what}")


def seal(*words):
    done = subprocess.run(["deno", "task", "--quiet", *words], cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(words)} ended with {done.returncode}: {done.stderr[-2000:]}")


def bundles():
    """The module that makes the bundles and what spatialdata-io wants beside them."""
    spec = importlib.util.spec_from_file_location("xenium_bundles", f"{ROOT}/tests/python/xenium.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def he_image(path):
    """Purple tissue on grey, with a texture that shows whether pixels stay where they are."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    tissue = (x > 60) & (x < 1140) & (y > 60) & (y < 940)
    texture = ((x * 7 + y * 13) % 31).astype(np.int32)
    rgb = np.stack([np.where(tissue, base + texture, 225) for base in (140, 70, 150)], -1).astype(np.uint8)
    tifffile.imwrite(path, rgb, photometric="rgb", tile=(256, 256), resolution=(20000, 20000), resolutionunit="CENTIMETER")


def pooled(transcripts, genes, side):
    """Transcripts of quality 20 and more in squares, by spatialdata-io's table."""
    x, y = transcripts["x"].to_numpy(), transcripts["y"].to_numpy()
    row, column = np.floor((y - y.min()) / side).astype(int), np.floor((x - x.min()) / side).astype(int)
    used = (transcripts["qv"] >= 20) & transcripts["feature_name"].astype(str).isin(genes)
    keys = [f"{r:03d}x{c:03d}" for r, c in zip(row[used], column[used])]
    return pd.crosstab(pd.Series(keys), transcripts["feature_name"].astype(str)[used.to_numpy()].to_numpy()), int(used.sum())


def away(features, shapes, to_he):
    """How far corners of outlines lie apart, pixels of the H&E."""
    most = 0.0
    theirs = sorted((tuple(map(tuple, np.asarray(shape.exterior.coords))) for shape in shapes.geometry), key=lambda ring: ring[0])
    moved = [np.asarray(ring) @ to_he[:2, :2].T + to_he[:2, 2] for ring in theirs]
    ours = [np.array(feature["geometry"]["coordinates"][0]) for feature in features]
    for ring in moved:
        most = max(most, min(np.abs(ring - other).max() for other in ours if other.shape == ring.shape))
    return most


def xenium_release(module, release, work):
    from spatialdata.transformations import get_transformation
    from spatialdata_io import xenium, xenium_aligned_image

    name = f"X{release[0]}{release[2]}"
    bundle = f"{work}/{release}"
    shutil.copytree(f"{ROOT}/tests/fixtures/xenium/{release}", bundle)
    os.remove(f"{bundle}/points.csv")
    he_image(f"{bundle}/Xenium_he_image.ome.tif")
    seal("convert", "xenium", bundle, "--id", name, "--out", f"{work}/hest", "--pitch-um", "100", "--quiet")
    module.write_cells_zarr(bundle, release)
    data = xenium(bundle, cells_labels=False, nucleus_labels=False, morphology_mip=False, morphology_focus=False,
                  aligned_images=False, cells_as_circles=False)
    table = data["table"]
    if "feature_types" in table.var:
        table = table[:, table.var["feature_types"] == "Gene Expression"]
    theirs = table.to_df()
    theirs.index = table.obs["cell_id"].astype(str)
    ours = anndata.read_h5ad(f"{work}/hest/cells/{name}.h5ad")
    say(f"\n### Release {release}\n")
    check(sorted(theirs.index) == sorted(ours.obs_names), f"{len(theirs)} cells by name")
    same = np.array_equal(ours.to_df().loc[theirs.index, theirs.columns].to_numpy(), theirs.to_numpy())
    check(same, f"counts of {len(theirs)} cells x {theirs.shape[1]} genes, {int(theirs.to_numpy().sum())} in all")
    image = xenium_aligned_image(f"{bundle}/Xenium_he_image.ome.tif", f"{bundle}/Xenium_he_imagealignment.csv")
    to_he = np.linalg.inv(get_transformation(image, "global").to_affine_matrix(("x", "y"), ("x", "y")))
    places = table.obsm["spatial"] / module.PIXEL @ to_he[:2, :2].T + to_he[:2, 2]
    apart = np.abs(ours[theirs.index].obsm["spatial"] - places).max()
    check(apart < 1e-6, f"centres of cells on the H&E by its alignment, {apart:.1e} pixels apart at most")
    for kind in ("cell", "nucleus"):
        with open(f"{work}/hest/xenium_seg/{name}_xenium_{kind}_seg.geojson") as file:
            features = json.load(file)["features"]
        if f"{kind}_boundaries" not in data:
            say(f"- none to compare: {len(features)} outlines of {kind}: spatialdata-io leaves out those of early builds of 2.0, which have no labels")
            continue
        shapes = data[f"{kind}_boundaries"]
        # Outlines are µm; the H&E's transform starts from pixels of the morphology image.
        scaled = to_he @ np.diag([1 / module.PIXEL, 1 / module.PIXEL, 1])
        apart = away(features, shapes, scaled)
        check(apart <= 0.006, f"{len(shapes)} of {len(features)} outlines of {kind}, corners within {apart:.4f} pixels (two digits are written)")
    spots = anndata.read_h5ad(f"{work}/hest/st/{name}.h5ad").to_df()
    sums, used = pooled(data["transcripts"].compute(), list(theirs.columns), 100)
    inside = sums.reindex(index=spots.index, columns=spots.columns, fill_value=0)
    check(np.array_equal(inside.to_numpy(), spots.to_numpy()),
          f"{len(spots)} squares of 100 µm x {spots.shape[1]} genes pooled from its {len(data['transcripts'])} transcripts, "
          f"{int(spots.to_numpy().sum())} of {used} that count")
    return name


def spatialdata_trip(name, work):
    say(f"\n### {name} into SpatialData and back\n")
    seal("convert", "spatialdata", f"{work}/hest", "--sample", name, "--out", f"{work}/stores", "--quiet")
    store = f"{work}/stores/{name}.zarr"
    paths = [store, f"{work}/hest/st/{name}.h5ad", f"{work}/hest/wsis/{name}.tif"]
    done = subprocess.run([sys.executable, f"{ROOT}/tests/python/spatialdata_open.py", *paths], capture_output=True, text=True)
    said = [line for line in done.stdout.splitlines() if not line.startswith("outlines")]
    same = [line[5:] for line in said if line.startswith("same ")]
    check(done.returncode == 0, f"spatialdata and anndata read the same values: {', '.join(dict.fromkeys(same))}"
          + ("" if done.returncode == 0 else f"; {done.stderr[-300:]}"))
    check(any(line.startswith("scanpy") for line in said), "scanpy normalises the table")
    check(any(line.startswith("squidpy ") and "not installed" not in line for line in said), "squidpy finds its neighbours")
    import spatialdata
    again = f"{work}/again.zarr"
    spatialdata.read_zarr(store).write(again)
    for which, source in (("our store", store), ("spatialdata's copy of it", again)):
        out = f"{work}/back_{len(source)}"
        seal("convert", "zarr", source, "--id", name, "--out", out, "--quiet")
        before, after = (anndata.read_h5ad(f"{root}/st/{name}.h5ad") for root in (f"{work}/hest", out))
        same = (before.X != after.X).nnz == 0 and list(before.obs_names) == list(after.obs_names)
        same = same and list(before.var_names) == list(after.var_names)
        check(same, f"table of {which}: {after.n_obs} spots x {after.n_vars} genes")
        check(np.array_equal(before.obsm["spatial"], after.obsm["spatial"]), f"centres of shapes of {which}")
        a, b = (tifffile.imread(f"{root}/wsis/{name}.tif") for root in (f"{work}/hest", out))
        check(np.array_equal(a, b), f"image of {which}: {a.shape[1]}x{a.shape[0]} pixels")


def random_sample(work):
    """A folder in HEST's layout with counts only, and sets of its genes."""
    rng = np.random.default_rng(5)
    counts = rng.poisson(np.exp(rng.normal(-1, 1.3, 3000))[None] * rng.gamma(2, 0.5, 300)[:, None]).astype(np.float32)
    table = anndata.AnnData(sp.csr_matrix(counts), obs=pd.DataFrame(index=[f"S{i}" for i in range(300)]),
                            var=pd.DataFrame(index=[f"G{i}" for i in range(3000)]))
    table.obsm["spatial"] = rng.uniform(0, 1000, (300, 2))
    os.makedirs(f"{work}/scored/st")
    table.write_h5ad(f"{work}/scored/st/R.h5ad")
    with open(f"{work}/sets.gmt", "w") as file:
        for i, size in enumerate((1, 5, 30, 200)):
            genes = rng.choice(3000, size, replace=False)
            file.write("\t".join([f"SET_{i}", "none", *(f"G{j}" for j in genes)]) + "\n")
    return f"{work}/scored", "R", f"{work}/sets.gmt"


def scores(data, name, sets, work):
    import scanpy

    out = f"{work}/scores"
    done = subprocess.run(["deno", "task", "--quiet", "convert", "scores", data, "--gene-sets", sets, "--out", out, "--quiet"],
                          cwd=ROOT, capture_output=True, text=True)
    if done.returncode not in (0, 3):
        raise SystemExit(done.stderr)
    table = anndata.read_h5ad(f"{data}/st/{name}.h5ad")
    scanpy.pp.normalize_total(table, target_sum=1e4)
    scanpy.pp.log1p(table)
    ours = anndata.read_h5ad(f"{out}/spots/{name}.h5ad").to_df()
    most, count = 0.0, 0
    with open(sets) as file:
        for line in file:
            which, _, *genes = line.rstrip("\n").split("\t")
            if not any(gene in table.var_names for gene in genes):
                continue
            scanpy.tl.score_genes(table, genes, score_name="score")
            most = max(most, np.abs(ours[which].to_numpy() - table.obs["score"].to_numpy()).max())
            count += 1
    check(count > 0 and most < 1e-6, f"{name}: {count} sets in {table.n_obs} spots x {table.n_vars} genes, at most {most:.1e} from `scanpy.tl.score_genes`")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", help="folder in HEST's layout, whose scores are compared too")
    parser.add_argument("--gene-sets", help="sets in GMT, for --data")
    parser.add_argument("--record", help="file that what was found is written to")
    given = parser.parse_args()
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in LIBRARIES)
    say("# HEST's tools beside other clients\n")
    say(f"Written by `scripts/hest_tools.py` on {datetime.date.today()} at {commit}; {versions}.")
    with tempfile.TemporaryDirectory() as work:
        module = bundles()
        say("\n## `convert xenium` beside `spatialdata_io.xenium()`")
        names = [xenium_release(module, release, work) for release in module.RELEASES]
        say("\n## Stores")
        spatialdata_trip(names[-1], work)
        say("\n### Scores of gene sets\n")
        scores(*random_sample(work), work)
        if given.data and given.gene_sets:
            for file in sorted(os.listdir(f"{given.data}/st")):
                scores(os.path.abspath(given.data), file.removesuffix(".h5ad"), given.gene_sets, f"{work}/{file}")
    if given.record:
        with open(given.record, "w") as file:
            file.write("\n".join(lines) + "\n")
    sys.exit(any("DIFFERS" in line for line in lines))


if __name__ == "__main__":
    main()
