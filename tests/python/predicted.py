"""Opens what `predict` wrote with anndata and scanpy, and prints what they see.

    deno task predict --run RUN --data DATA --out DIR
    deno task predict --run RUN --data DATA --grid 60 --out DIR
    pip install scanpy matplotlib
    python tests/python/predicted.py DIR DATA

The printout is kept as tests/fixtures/predicted.txt.

Names, order and places are compared with the files of DATA that the patches come from.
"""

import sys
import warnings
from importlib.metadata import version
from pathlib import Path

import anndata
import h5py
import matplotlib
import numpy as np
import scanpy as sc

matplotlib.use("Agg")
warnings.filterwarnings("ignore")


def check(path, data):
    found = sc.read_h5ad(path)
    print(f"scanpy.read_h5ad({path.name})")
    print(found)
    print(f"  X {type(found.X).__name__} {found.X.dtype}, {found.X.min():.4f} to {found.X.max():.4f}, "
          f"uns seal {sorted(found.uns['seal'])}, unit {found.uns['seal']['unit']}")
    assert np.isfinite(found.X).all() and found.obs_names.is_unique and found.var_names.is_unique
    assert (anndata.read_h5ad(path, backed="r").X[:] == found.X).all()
    if path.name.endswith(".grid.h5ad"):
        assert (found.obs_names == "x" + found.obs.array_col.astype(str) + "y" + found.obs.array_row.astype(str)).all()
        step = found.uns["seal"]["grid_um"] / found.uns["seal"]["pixel_size_um"]
        x, y = found.obsm["spatial"].T
        assert np.allclose(x - found.obs.array_col * step, x[0] - found.obs.array_col.iloc[0] * step)
        assert np.allclose(y - found.obs.array_row * step, y[0] - found.obs.array_row.iloc[0] * step)
        sc.pl.spatial(found, color=found.var_names[0], show=False)
        print(f"  sc.pl.spatial over the slide's image {found.uns['spatial']['slide']['images']['hires'].shape}: drawn; "
              f"cells {step:.1f} pixels apart")
    else:
        with h5py.File(data / "patches" / f"{path.stem}.h5") as file:
            barcodes = [b.decode() if isinstance(b, bytes) else str(b) for b in np.ravel(file["barcode"][:])]
        source = sc.read_h5ad(data / "st" / f"{path.stem}.h5ad")[barcodes]
        assert list(found.obs_names) == barcodes
        assert (found.obsm["spatial"] == source.obsm["spatial"]).all()
        assert (found.obs.array_row == source.obs.array_row).all()
        print(f"  barcodes as in patches/{path.stem}.h5, places as in st/{path.stem}.h5ad")
    sc.pp.pca(found, n_comps=5)
    sc.pp.neighbors(found)
    print(f"  scanpy.pp: PCA explains {found.uns['pca']['variance_ratio'][:3].round(3).tolist()}")
    copy = path.with_suffix(".copy")
    found.write_h5ad(copy)
    assert (sc.read_h5ad(copy).X == found.X).all()
    copy.unlink()


def main():
    print(", ".join(f"{name} {version(name)}" for name in ("anndata", "scanpy", "h5py", "numpy")))
    for path in sorted(Path(sys.argv[1]).glob("*.h5ad")):
        check(path, Path(sys.argv[2]))


if __name__ == "__main__":
    main()
