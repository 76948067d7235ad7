"""Writes tests/fixtures/spatialdata: one small store as spatialdata writes it in zarr 2 (Blosc) and zarr 3 (Zstandard).

    python tests/python/spatialdata_fixtures.py tests/fixtures/spatialdata

Needs spatialdata 0.7.
"""

import shutil
import sys
import warnings

warnings.filterwarnings("ignore")

import anndata
import numpy as np
import pandas as pd
import scipy.sparse
import spatialdata
from spatialdata._io.format import SpatialDataContainerFormatV01
from spatialdata.models import Image2DModel, ShapesModel, TableModel
from spatialdata.transformations import Scale, Sequence, Translation

folder = sys.argv[1]
y, x = np.mgrid[0:30, 0:40]
pixels = np.stack([(x * 7 + y) & 255, (x ^ y) & 255, (y * 3 + (x >> 3)) & 255]).astype(np.uint8)
step = Sequence([Scale([2.0, 2.0], axes=("x", "y")), Translation([5.0, 7.0], axes=("x", "y"))])
image = Image2DModel.parse(pixels, dims=("c", "y", "x"), scale_factors=[2], transformations={"global": step})
spots = ShapesModel.parse(np.array([[10.0, 20.0], [30.5, 8.0]]), geometry=0, radius=3.0, index=pd.Index([11, 12]))
table = anndata.AnnData(
    X=scipy.sparse.csr_matrix(np.array([[1, 0, 3], [0, 2, 0]], dtype=np.float32)),
    obs=pd.DataFrame({"flag": [True, False], "kind": pd.Categorical(["b", None], categories=["a", "b"])}, index=["AAAC-1", "ß-1"]),
    var=pd.DataFrame(index=["g1", "g2", "g3"]),
)
table.obs["region"] = pd.Categorical(["spots"] * 2)
table.obs["spot_id"] = [11, 12]
table = TableModel.parse(table, region="spots", region_key="region", instance_key="spot_id")
data = spatialdata.SpatialData(images={"he": image}, shapes={"spots": spots}, tables={"table": table})
for name, formats in (("v2", [SpatialDataContainerFormatV01()]), ("v3", None)):
    shutil.rmtree(f"{folder}/{name}.zarr", ignore_errors=True)
    data.write(f"{folder}/{name}.zarr", **({} if formats is None else {"sdata_formats": formats}))
