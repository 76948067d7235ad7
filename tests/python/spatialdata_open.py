"""Opens a store that `convert spatialdata` wrote and the sample it was made of, and says whether they agree.

    python tests/python/spatialdata_open.py STORE.zarr SAMPLE.h5ad SLIDE.tif

Needs anndata, scanpy, spatialdata and tifffile; squidpy is asked too where it is installed.
"""

import sys
import warnings

warnings.filterwarnings("ignore")

import anndata
import numpy as np
import scanpy
import spatialdata
import tifffile
from spatialdata import get_centroids, match_table_to_element


def same(what, a, b):
    assert np.array_equal(np.asarray(a), np.asarray(b)), f"{what}: {a} and {b}"
    print("same", what)


store, sample, slide = sys.argv[1:4]
data = spatialdata.read_zarr(store)
given = anndata.read_h5ad(sample)
image = data["image"]["scale0"].image
same("image", np.moveaxis(np.asarray(image), 0, -1), tifffile.imread(slide))
for level, tree in enumerate(data["image"].children.values()):
    same(f"level {level}", np.moveaxis(np.asarray(tree.image), 0, -1), tifffile.imread(slide, level=level))
for table in (data["table"], anndata.read_zarr(f"{store}/tables/table")):
    same("X", table.X.toarray(), given.X.toarray())
    for name in given.layers:
        same(name, table.layers[name].toarray(), given.layers[name].toarray())
    same("obs", table.obs_names, given.obs_names)
    same("var", table.var_names, given.var_names)
    same("spatial", table.obsm["spatial"], given.obsm["spatial"])
    for frame, other in ((table.obs, given.obs), (table.var, given.var)):
        for name in other.columns:
            mine, theirs = frame[name], other[name]
            same(name, mine.isna(), theirs.isna())
            same(name, mine[~mine.isna()].astype(theirs.dtype), theirs[~theirs.isna()])
same("circles", get_centroids(data["spots"]).compute(), given.obsm["spatial"])
assert (data["spots"].radius > 0).all()
assert len(match_table_to_element(data, "spots", "table")) == given.n_obs
if "tissue" in data:
    assert data["tissue"].geometry.is_valid.all() and data["tissue"].geometry.area.min() > 0
    print("outlines", [geometry.wkt for geometry in data["tissue"].geometry][:1])
table = anndata.read_zarr(f"{store}/tables/table")
scanpy.pp.normalize_total(table)
scanpy.pp.log1p(table)
print("scanpy", float(table.X.sum()))
try:
    import squidpy
except ImportError:
    print("squidpy is not installed")
else:
    squidpy.gr.spatial_neighbors(table, coord_type="generic", n_neighs=2)
    print("squidpy", table.obsp["spatial_connectivities"].nnz)
