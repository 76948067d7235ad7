"""Makes tests/fixtures/parquet with geopandas and pyarrow: nuclei as HEST has them, and positions of Visium HD.

    pip install geopandas pyarrow
    python tests/python/parquet.py
"""

import json
import os

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from shapely.geometry import MultiPolygon, Polygon

FOLDER = os.path.join(os.path.dirname(__file__), "..", "fixtures", "parquet")
CLASSES = ["Neoplastic", "Inflammatory", "Connective", "Dead", "Epithelial"]


def blob(rng, corners):
    angle = np.sort(rng.uniform(0, 2 * np.pi, corners))
    radius = rng.uniform(5, 12, corners)
    x, y = rng.uniform(0, 2000, 2)
    return Polygon(np.round(np.stack([x + radius * np.cos(angle), y + radius * np.sin(angle)], 1), 3))


def main():
    rng = np.random.default_rng(7)
    os.makedirs(FOLDER, exist_ok=True)
    shapes = [blob(rng, int(n)) for n in rng.integers(4, 12, 60)]
    shapes[3] = Polygon([(0, 0), (40, 0), (40, 40), (0, 40)], [[(10, 10), (20, 10), (20, 20), (10, 20)]])
    shapes[5] = MultiPolygon([blob(rng, 5), blob(rng, 6)])
    table = gpd.GeoDataFrame(
        {"class": rng.choice(CLASSES, len(shapes)), "cell_id": np.arange(len(shapes))}, geometry=shapes)
    table.to_parquet(f"{FOLDER}/cellvit.parquet", row_group_size=25)
    for codec in ("gzip", "brotli", "zstd", "lz4", None):
        table.to_parquet(f"{FOLDER}/cellvit_{codec}.parquet", compression=codec)
    # The vendor's cells: names in the index, once as bytes and once as text of bytes, and some of no cell.
    names = [f"aa{i:04x}-1" for i in range(20)]
    names[4:7] = ["UNASSIGNED", "-1", ""]
    cells = gpd.GeoDataFrame(geometry=shapes[10:30], index=pd.Index(names))
    cells.to_parquet(f"{FOLDER}/xenium_text.parquet")
    raw = gpd.GeoDataFrame({"cell_id": [n.encode() for n in names]}, geometry=shapes[10:30])
    raw.to_parquet(f"{FOLDER}/xenium_bytes.parquet")
    shown = gpd.GeoDataFrame({"cell_id": [str(n.encode()) for n in names]}, geometry=shapes[10:30])
    shown.to_parquet(f"{FOLDER}/xenium_shown.parquet")

    def rings(shape):
        parts = shape.geoms if isinstance(shape, MultiPolygon) else [shape]
        return [[[list(p) for p in ring.coords] for ring in (part.exterior, *part.interiors)] for part in parts]

    # Positions as Space Ranger writes them, of bins of 16 µm.
    side = 24
    row, col = [axis.ravel() for axis in np.mgrid[0:side, 0:side]]
    positions = pd.DataFrame({
        "barcode": [f"s_016um_{r:05d}_{c:05d}-1" for r, c in zip(row, col)],
        "in_tissue": np.ones(len(row), np.int64),
        "array_row": row,
        "array_col": col,
        "pxl_row_in_fullres": 100.25 + 32.0 * row,
        "pxl_col_in_fullres": 80.5 + 32.0 * col,
    })
    positions.to_parquet(f"{FOLDER}/tissue_positions.parquet")
    # Nested columns and nulls, which are not read or read as null.
    odd = pa.table({
        "list": pa.array([[1, 2], [], None], pa.list_(pa.int32())),
        "text": pa.array(["a", None, "ü"]),
        "double": pa.array([0.5, None, -2.25]),
        "flag": pa.array([True, False, None]),
        "large": pa.array([2**60, -1, None], pa.int64()),
    })
    pq.write_table(odd, f"{FOLDER}/odd.parquet", data_page_version="2.0")
    expected = {
        "geometry": [rings(s) for s in shapes],
        "class": table["class"].tolist(),
        "names": names,
        "positions": {"first": positions.iloc[0].tolist(), "last": positions.iloc[-1].tolist()},
    }
    with open(f"{FOLDER}/expected.json", "w") as out:
        json.dump(expected, out, default=lambda value: value.item())


if __name__ == "__main__":
    main()
