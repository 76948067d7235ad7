"""Fixture of expression preprocessing: names, smoothing, filters, normalisation, highly variable genes, splits.

Makes tests/fixtures/omics/preprocess.json with scanpy, anndata and numpy. Counts are not stored: integers of a hash that
the tests compute too.

    pip install "scanpy==1.10.3" "anndata==0.10.9" "numpy==1.26.4" "pandas==2.0.3" "scipy==1.13.1" "scikit-misc==0.3.1"
    python tests/python/omics.py
"""

import json
import pathlib
import warnings

import anndata as ad
import numpy as np
import pandas as pd
import scanpy as sc
import scipy.sparse as sp
from scipy.spatial import cKDTree
from skmisc.loess import loess

ROWS, COLUMNS, GENES = 12, 20, 420


def mix(h):
    h ^= h >> 16
    h = h * 0x7FEB352D & 0xFFFFFFFF
    h ^= h >> 15
    h = h * 0x846CA68B & 0xFFFFFFFF
    return h ^ h >> 16


def rounded(values, digits=9):
    """Numbers of `digits` significant digits; NaN as None."""
    return [None if np.isnan(v) else float(f"{v:.{digits}g}") for v in np.asarray(values, np.float64).ravel()]


def sample():
    """Spots of a hexagonal array (columns of the row's parity), gene names with controls and duplicates, raw counts."""
    places = [(r, c) for r in range(ROWS) for c in range(r % 2, COLUMNS, 2)]
    counts = np.zeros((len(places), GENES), np.float32)
    for i, (r, _) in enumerate(places):
        for j in range(GENES):
            u = mix(i * GENES + j + 1) / 2**32
            rate = 0.05 * 2.0 ** (mix(j + 77) % 10) * (1 + mix(i + 991) % 4)
            if j % 7 == 0 and r > 5:
                rate *= 4.0
            counts[i, j] = np.floor(rate * (u * u * u * u))
    counts[5] = 0
    names = [f"Gene{j}" for j in range(GENES)]
    names[10], names[11], names[12], names[13] = "BLANK_0003", "NegControlProbe_0001", "ambiguous-1", "gene3"
    return places, names, counts


def preprocess(places, names, counts):
    """The reference's steps, written out: seal/omics_preprocess.py of github.com/mahmoodlab/SEAL."""
    upper = pd.Index([name.upper() for name in names])
    keep = ~upper.duplicated() & ~upper.str.contains("BLANK|CONTROL|AMBIGUOUS", case=False)
    adata = ad.AnnData(counts[:, keep], var=pd.DataFrame(index=upper[keep]))
    adata.obs_names = [f"spot{i}" for i in range(len(places))]
    members = cKDTree(np.array(places, float)).query_ball_point(np.array(places, float), r=np.sqrt(2) + 1e-9)
    adata.layers["smooth"] = np.stack([0.5 * adata.X[i] + 0.5 * adata.X[m].mean(0) for i, m in enumerate(members)])
    sc.pp.filter_genes(adata, min_counts=3)
    sc.pp.filter_cells(adata, min_counts=1)
    adata.layers["raw"] = adata.X.copy()
    for layer in (None, "smooth"):
        sc.pp.normalize_total(adata, target_sum=1e4, layer=layer)
        sc.pp.log1p(adata, layer=layer)
        adata.uns.pop("log1p", None)
    return adata, [len(m) for m in members]


def panel(names, counts, k=30):
    """Gene panel by HEST's rule, without ambiguous features: in a tenth of the spots of every sample, then dispersion."""
    unique = pd.Index(names)
    parts = [counts[:50], counts[50:]]
    often = [(part > 0).sum(0) >= np.ceil(0.1 * len(part)) for part in parts]
    keep = often[0] & often[1] & ~unique.str.contains("BLANK|Control|ambiguous")
    adata = ad.AnnData(np.concatenate([part[:, keep] for part in parts]), var=pd.DataFrame(index=unique[keep]))
    means = np.argsort(-adata.X.astype(np.float64).mean(0), kind="stable")[:k]
    sc.pp.log1p(adata)
    found = sc.pp.highly_variable_genes(adata, n_top_genes=k, inplace=False)
    return {
        "eligible": int(keep.sum()),
        "var": sorted(adata.var_names[found["highly_variable"].to_numpy()]),
        "mean": sorted(adata.var_names[means]),
    }


def main():
    warnings.simplefilter("ignore")
    places, names, counts = sample()
    adata, degrees = preprocess(places, names, counts)
    seurat = sc.pp.highly_variable_genes(adata, flavor="seurat", n_top_genes=100, inplace=False)
    seurat.index = adata.var_names
    sparse = adata.copy()
    sparse.X = sp.csr_matrix(sparse.X)
    again = sc.pp.highly_variable_genes(sparse, flavor="seurat", n_top_genes=100, inplace=False)
    assert np.allclose(seurat["dispersions_norm"], again["dispersions_norm"], equal_nan=True, atol=1e-5)
    v3 = sc.pp.highly_variable_genes(adata, layer="raw", flavor="seurat_v3", n_top_genes=100, inplace=False)
    v3.index = adata.var_names

    x = np.array([mix(i + 5) % 500 for i in range(300)]) / 100.0
    y = np.sin(x) + np.array([mix(i + 3000) % 100 for i in range(300)]) / 200.0
    curves = {}
    for span in (0.3, 0.75):
        model = loess(x, y, span=span, degree=2)
        model.fit()
        curves[str(span)] = rounded(model.outputs.fitted_values, 12)

    unique = ["A", "A", "A-1", "B", "A", "B", "C"]
    frame = ad.AnnData(np.zeros((1, 7), np.float32), var=pd.DataFrame(index=unique))
    frame.var_names_make_unique()

    out = {
        "versions": {m.__name__: m.__version__ for m in (sc, ad, np, pd)},
        "degrees": degrees,
        "genes": list(adata.var_names),
        "spots": list(adata.obs_names),
        "rawTotal": int(counts.sum()),
        "own": {str(i): rounded(adata.X[i], 8) for i in (0, 7, 60)},
        "context": {str(i): rounded(adata.layers["smooth"][i], 8) for i in (0, 7, 60)},
        "ownSums": rounded(adata.X.astype(np.float64).sum(0), 8),
        "contextSums": rounded(adata.layers["smooth"].astype(np.float64).sum(0), 8),
        "std": rounded(adata.X.astype(np.float64).std(0, ddof=1), 8),
        "seurat": {
            "means": rounded(seurat["means"]),
            "scores": rounded(seurat["dispersions_norm"].astype(np.float32)),
            "top": sorted(seurat.index[seurat["highly_variable"]]),
        },
        "seuratV3": {
            "scores": rounded(v3["variances_norm"]),
            "top": list(v3.sort_values("highly_variable_rank").index[:100]),
        },
        "heg": [adata.var_names[j] for j in np.argsort(-adata.X.astype(np.float64).mean(0), kind="stable")[:100]],
        "panel": panel(names, counts),
        "loess": curves,
        "makeUnique": [unique, list(frame.var_names)],
        "permutations": {
            f"{seed},{n}": np.random.RandomState(seed).permutation(n).tolist()
            for seed, n in ((0, 13), (3, 257), (42, 100), (4294967295, 20))
        },
    }
    path = pathlib.Path(__file__).parent.parent / "fixtures" / "omics" / "preprocess.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(out, separators=(",", ":"), allow_nan=False) + "\n")
    print(path, path.stat().st_size, "bytes,", len(out["genes"]), "genes,", len(out["spots"]), "spots")


if __name__ == "__main__":
    main()
