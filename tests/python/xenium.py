"""Makes tests/fixtures/xenium: small output bundles as releases 1 to 4 of Xenium Onboard Analysis lay them out, and what they hold.

    pip install pyarrow h5py numpy tifffile
    python tests/python/xenium.py                 # the fixtures
    pip install spatialdata-io
    python tests/python/xenium.py --check DIR     # DIR/RELEASE made by convert xenium: compared with spatialdata-io's xenium()

Releases differ in names and types of columns, in cell identifiers (whole numbers in the first), in labels of nuclei, and in
where images lie. Without the H&E image, which the tests draw.
"""

import json
import math
import os
import shutil
import sys

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tifffile

FOLDER = os.path.join(os.path.dirname(__file__), "..", "fixtures", "xenium")
PIXEL = 0.2125
HE = 0.5
RELEASES = {"1.0": "xenium-1.0.2", "1.9": "xenium-1.9.2.0", "2.0": "xenium-2.0.0.10", "3.0": "xenium-3.0.0.15", "4.0": "xenium-4.0.0.1"}
GENES = ["EPCAM", "KRT8", "CD3E", "PTPRC", "HLA-A", "VIM"]
CONTROLS = ["NegControlProbe_00042", "NegControlCodeword_0500", "BLANK_0006", "antisense_PROKR2"]
LATER = ["UnassignedCodeword_0001", "DeprecatedCodeword_0321"]


def alignment():
    """Pixels of the H&E to pixels of the morphology image: larger pixels, turned by 4 degrees, moved."""
    scale, angle = HE / PIXEL, math.radians(4)
    c, s = scale * math.cos(angle), scale * math.sin(angle)
    return np.array([[c, -s, 60.0], [s, c, -40.0], [0, 0, 1]])


def names(release, count):
    if release == "1.0":
        return np.arange(1, count + 1)
    letters = "abcdefghijklmnop"
    return [f"{''.join(letters[(7919 * (i + 1) >> (4 * k)) & 15] for k in range(8))}-1" for i in range(count)]


def write(table, path, rows):
    pq.write_table(pa.table(table), path, compression="snappy", row_group_size=rows)


def bundle(release, software, seed):
    rng = np.random.default_rng(seed)
    major = float(release)
    folder = f"{FOLDER}/{release}"
    os.makedirs(folder)
    matrix = alignment()
    np.savetxt(f"{folder}/Xenium_he_imagealignment.csv", matrix, delimiter=",", fmt="%.10f")
    he = np.array([[100, 100], [1100, 120], [150, 880], [1050, 900], [600, 500]], float)
    fixed = he @ matrix[:2, :2].T + matrix[:2, 2] + rng.normal(0, 4, he.shape)
    with open(f"{folder}/points.csv", "w") as file:
        file.write("fixedX,fixedY,alignmentX,alignmentY\n")
        file.writelines(f"{f[0]:.4f},{f[1]:.4f},{h[0]:.4f},{h[1]:.4f}\n" for f, h in zip(fixed, he))
    # Cells on the H&E, their centres in micrometres of the morphology image.
    count = 24
    where = rng.uniform([120, 120], [1080, 880], (count, 2))
    centre = (where @ matrix[:2, :2].T + matrix[:2, 2]) * PIXEL
    ids = names(release, count)
    features = GENES + CONTROLS + (LATER if major >= 2 else [])
    n = 900
    owner = rng.integers(-1, count, n)
    free = rng.uniform([100, 100], [1100, 900], (n, 2))
    free = (free @ matrix[:2, :2].T + matrix[:2, 2]) * PIXEL
    xy = np.where(owner[:, None] < 0, free, centre[np.maximum(owner, 0)] + rng.normal(0, 3, (n, 2)))
    feature = rng.choice(len(features), n, p=np.r_[np.full(len(GENES), 0.9 / len(GENES)), np.full(len(features) - len(GENES), 0.1 / (len(features) - len(GENES)))])
    qv = rng.choice([8.0, 19.5, 20.0, 31.0, 40.0], n, p=[0.1, 0.1, 0.1, 0.2, 0.5])
    text = [features[k] for k in feature]
    cell = np.where(owner < 0, -1, owner + 1).astype(np.int32) if release == "1.0" else [
        "UNASSIGNED" if o < 0 else ids[o] for o in owner]
    table = {
        "transcript_id": pa.array(np.arange(n, dtype=np.uint64) + 281474976710656),
        "cell_id": pa.array(cell),
        "overlaps_nucleus": pa.array((rng.random(n) < 0.5).astype(np.uint8)),
        "feature_name": pa.array([t.encode() for t in text], pa.binary()) if major < 1.5 else pa.array(text),
        "x_location": pa.array(xy[:, 0].astype(np.float32)),
        "y_location": pa.array(xy[:, 1].astype(np.float32)),
        "z_location": pa.array(rng.uniform(5, 20, n).astype(np.float32)),
        "qv": pa.array(qv.astype(np.float32)),
    }
    if major >= 1.5:
        table["fov_name"] = pa.array([f"A{1 + i % 3}" for i in range(n)])
        table["nucleus_distance"] = pa.array(rng.random(n).astype(np.float32))
    if major >= 2:
        table["codeword_index"] = pa.array(feature.astype(np.int32))
    if major >= 3:
        table["codeword_category"] = pa.array(["predesigned_gene" if t in GENES else "negative_control_probe" for t in text])
        table["is_gene"] = pa.array([t in GENES for t in text])
    write(table, f"{folder}/transcripts.parquet", 400)
    # Counts of cells as the vendor has them: quality of 20 and more, features of all kinds.
    counts = np.zeros((count, len(features)), np.int64)
    for o, f, q in zip(owner, feature, qv):
        if o >= 0 and q >= 20:
            counts[o, f] += 1
    kinds = ["Gene Expression"] * len(GENES) + ["Negative Control Probe", "Negative Control Codeword", "Blank Codeword" if major < 2 else "Unassigned Codeword", "Negative Control Probe"]
    kinds += ["Unassigned Codeword", "Deprecated Codeword"] if major >= 2 else []
    with h5py.File(f"{folder}/cell_feature_matrix.h5", "w") as file:
        group = file.create_group("matrix")
        group["barcodes"] = np.array([str(i).encode() for i in ids])
        group["shape"] = np.array([len(features), count], np.int32)
        rows, columns = np.nonzero(counts)
        group["data"] = counts[rows, columns].astype(np.int32)
        group["indices"] = columns.astype(np.int64)
        group["indptr"] = np.concatenate([[0], np.cumsum((counts > 0).sum(1))]).astype(np.int64)
        part = group.create_group("features")
        part["name"] = np.array([f.encode() for f in features])
        part["id"] = np.array([(f"ENSG{90000000000 + i}" if f in GENES else f).encode() for i, f in enumerate(features)])
        part["feature_type"] = np.array([k.encode() for k in kinds])
        part["genome"] = np.array([b"Unknown"] * len(features))
        part["_all_tag_keys"] = np.array([b"genome"])
    genes = counts[:, :len(GENES)].sum(1)
    area = rng.uniform(40, 120, count)
    cells = {
        "cell_id": pa.array(ids),
        "x_centroid": pa.array(centre[:, 0]),
        "y_centroid": pa.array(centre[:, 1]),
        "transcript_counts": pa.array(genes.astype(np.int64)),
        "control_probe_counts": pa.array(counts[:, 6].astype(np.int64)),
        "control_codeword_counts": pa.array(counts[:, 7].astype(np.int64)),
        "total_counts": pa.array(counts.sum(1).astype(np.int64)),
        "cell_area": pa.array(area),
        "nucleus_area": pa.array([None if i == 5 else a / 3 for i, a in enumerate(area)], pa.float64()),
    }
    if major >= 3:
        cells["nucleus_count"] = pa.array(np.where(np.arange(count) == 5, 0, np.where(np.arange(count) == 7, 2, 1)).astype(np.uint64))
        cells["segmentation_method"] = pa.array(["Segmented by nucleus expansion of 5.0µm"] * count)
    write(cells, f"{folder}/cells.parquet", 10)
    for kind, radius, corners in (("cell", 8, 9), ("nucleus", 4, 7)):
        rows, label = [], 0
        for i in range(count):
            if kind == "nucleus" and i == 5:
                continue
            for part in range(2 if kind == "nucleus" and i == 7 and major >= 2 else 1):
                angle = 2 * np.pi * np.arange(corners) / corners
                x, y = centre[i, 0] + 10 * part + radius * np.cos(angle), centre[i, 1] + radius * np.sin(angle)
                label += 1
                rows += [(ids[i], a, b, label) for a, b in zip([*x, x[0]], [*y, y[0]])]
        outline = {
            "cell_id": pa.array([r[0] for r in rows]),
            "vertex_x": pa.array(np.float32([r[1] for r in rows])),
            "vertex_y": pa.array(np.float32([r[2] for r in rows])),
        }
        if major >= 3:
            outline["label_id"] = pa.array(np.uint32([r[3] for r in rows]))
        write(outline, f"{folder}/{kind}_boundaries.parquet", 95)
    images = {"morphology_filepath": "morphology.ome.tif"}
    if major < 2:
        images |= {"morphology_mip_filepath": "morphology_mip.ome.tif", "morphology_focus_filepath": "morphology_focus.ome.tif"}
    else:
        images["morphology_focus_filepath"] = f"morphology_focus/{'morphology_focus_0000' if major < 4 else 'ch0000_dapi'}.ome.tif"
    with open(f"{folder}/experiment.xenium", "w") as file:
        json.dump({
            "major_version": 2 + int(major), "minor_version": 0, "run_name": "run", "region_name": f"region {release}",
            "preservation_method": "ffpe", "num_cells": count, "panel_name": "panel", "pixel_size": PIXEL, "instrument_sn": "x",
            "analysis_sw_version": software, "images": images,
        }, file, indent=1)
    used = [q >= 20 and t in GENES for q, t in zip(qv, text)]
    return {
        "cells": [str(i) for i in ids], "genes": GENES, "counts": counts[:, :len(GENES)].ravel().tolist(),
        "he": ((centre / PIXEL - matrix[:2, 2]) @ np.linalg.inv(matrix[:2, :2]).T).ravel().tolist(),
        "transcripts": {"x": [float(v) for v in xy[:, 0].astype(np.float32)], "y": [float(v) for v in xy[:, 1].astype(np.float32)],
                        "gene": [GENES.index(t) if u else -1 for t, u in zip(text, used)]},
        "controls": int(sum(t not in GENES for t in text)),
        "low": int(sum(t in GENES and q < 20 for t, q in zip(text, qv))),
        "nuclei": count - 1 + (1 if major >= 2 else 0),
        "landmarks": fixed.ravel().tolist(),
    }


def write_cells_zarr(folder, release):
    """`cells.zarr.zip`, without which spatialdata-io opens no bundle; convert xenium reads none of it."""
    import pandas as pd
    import zarr

    cells = pd.read_parquet(f"{folder}/cells.parquet")
    store = zarr.storage.ZipStore(f"{folder}/cells.zarr.zip", mode="w")
    group = zarr.group(store, zarr_format=2)
    if release == "1.0":
        ids = cells["cell_id"].to_numpy(np.uint32)
    else:
        prefix = [int("".join("0123456789abcdef"["abcdefghijklmnop".index(c)] for c in i[:8]), 16) for i in cells["cell_id"]]
        ids = np.stack([np.uint32(prefix), np.ones(len(prefix), np.uint32)], 1)
    group.create_array("cell_id", data=ids)
    columns = ["cell_centroid_x", "cell_centroid_y", "cell_area", "nucleus_centroid_x", "nucleus_centroid_y", "nucleus_area", "z_level"]
    columns += ["nucleus_count"] if float(release) >= 2 else []
    summary = group.create_array("cell_summary", data=np.zeros((len(cells), len(columns))))
    summary.attrs["column_names"] = columns
    for mask in range(2):
        group.create_array(f"masks/{mask}", data=np.zeros((4, 4), np.uint32))
    if float(release) >= 2:
        nuclei = [i for i in range(len(cells)) if i != 5 for _ in range(2 if i == 7 else 1)]
        group.create_array("polygon_sets/0/cell_index", data=np.uint32(nuclei))
        group.create_array("polygon_sets/1/cell_index", data=np.arange(len(cells), dtype=np.uint32))
    elif release != "1.0":
        group.create_array("seg_mask_value", data=np.arange(1, len(cells) + 1, dtype=np.uint32))
    store.close()


def check(folder):
    """What spatialdata-io reads of each bundle is what was written of it."""
    import tempfile

    import anndata
    from spatialdata_io import xenium, xenium_aligned_image

    for release in RELEASES:
        bundle = f"{tempfile.mkdtemp()}/{release}"
        shutil.copytree(f"{FOLDER}/{release}", bundle)
        write_cells_zarr(bundle, release)
        data = xenium(bundle, cells_labels=False, nucleus_labels=False, morphology_mip=False,
                      morphology_focus=False, aligned_images=False, cells_as_circles=True)
        ours = anndata.read_h5ad(f"{folder}/{release}/cells/X{release[0]}{release[2]}.h5ad")
        table = data["table"]
        theirs = table[:, table.var["feature_types"] == "Gene Expression"].to_df()
        theirs.index = table.obs["cell_id"].astype(str)
        same = np.array_equal(ours.to_df().loc[theirs.index, theirs.columns].to_numpy(), theirs.to_numpy())
        # Where spatialdata-io would put the H&E image: its pixels to those of the morphology image.
        from spatialdata.transformations import get_transformation
        tifffile.imwrite(f"{bundle}/he.tif", np.zeros((64, 64, 3), np.uint8), photometric="rgb")
        image = xenium_aligned_image(f"{bundle}/he.tif", f"{bundle}/Xenium_he_imagealignment.csv")
        to_morphology = get_transformation(image, "global").to_affine_matrix(("x", "y"), ("x", "y"))
        inverse = np.linalg.inv(to_morphology)
        he = table.obsm["spatial"] / PIXEL @ inverse[:2, :2].T + inverse[:2, 2]
        away = np.abs(ours[theirs.index].obsm["spatial"] - he).max()
        shapes = {name: len(data[name]) for name in ("cell_boundaries", "nucleus_boundaries") if name in data}
        print(f"{release}: {theirs.shape[0]} cells x {theirs.shape[1]} genes, counts {'equal' if same else 'DIFFER'}; "
              f"centres on the H&E within {away:.2e} pixels; {shapes}, {len(data['transcripts'])} transcripts")


if __name__ == "__main__":
    if "--check" in sys.argv:
        check(sys.argv[sys.argv.index("--check") + 1])
    else:
        shutil.rmtree(FOLDER, ignore_errors=True)
        expected = {release: bundle(release, software, seed) for seed, (release, software) in enumerate(RELEASES.items())}
        with open(f"{FOLDER}/expected.json", "w") as file:
            json.dump(expected, file, separators=(",", ":"))
