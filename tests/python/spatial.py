"""Makes tests/fixtures/spatial with anndata, h5py, scipy and pandas, and what these libraries read in them.

    pip install anndata scanpy h5py
    python tests/python/spatial.py
    python tests/python/spatial.py --read FILE.h5ad   # reads what this project wrote

Files of anndata 0.7 and 0.6 are made by those versions: `--old07` and `--old06`, with pandas 1.5 and numpy 1.23.
"""

import gzip
import json
import os
import sys

import h5py
import numpy as np
import pandas as pd
from scipy import sparse

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "..", "fixtures", "spatial")
SPOTS, GENES = 7, 5


def counts():
    rng = np.random.default_rng(5)
    x = rng.poisson(0.8, (SPOTS, GENES)) * rng.integers(1, 400, (SPOTS, GENES))
    x[3] = 0
    return x


def barcodes():
    return ["".join("ACGT"[(i + 1) * 2654435761 >> 2 * j & 3] for j in range(16)) + "-1" for i in range(SPOTS)]


def genes():
    return ["ACTB", "EPCAM", "BLANK_1", "ENSG00000141510", "Müller"]


def obs():
    n = SPOTS
    return pd.DataFrame(
        {
            "in_tissue": [1, 0, 1, 1, 1, 0, 1],
            "array_row": np.arange(n) // 3,
            "array_col": np.arange(n) % 3 * 2,
            "pxl_col_in_fullres": np.arange(n) * 100.5 + 10,
            "pxl_row_in_fullres": np.arange(n) * 90 + 7,
            "flag": [True, False, True, True, False, False, True],
            "region": pd.Categorical(["a", "b", None, "a", "ü", "b", "a"], categories=["b", "a", "ü"]),
            "grade": pd.Categorical([3, 1, 2, 3, 1, 2, 3], categories=[1, 2, 3], ordered=True),
            "total": counts().sum(1).astype(np.float32),
        },
        index=barcodes(),
    )


def content(x, new=True):
    import anndata

    table = obs()
    if new:
        table["maybe_int"] = pd.array([1, None, 3, 4, 5, None, 7], dtype="Int64")
        table["maybe_flag"] = pd.array([True, None, False, True, True, None, False], dtype="boolean")
        table["maybe_text"] = pd.array(["x", None, "yy", "é", "", None, "z"], dtype="string")
        table["text"] = [f"spot {i}" for i in range(SPOTS)]
    else:
        # Versions before 0.7 store categories of numbers badly.
        table["grade"] = table["grade"].astype(str).astype("category")
        table["region"] = pd.Categorical(["a", "b", "a", "a", "c", "b", "a"])
    var = pd.DataFrame({"gene_ids": [f"ENSG{i:011d}" for i in range(GENES)], "mito": [False] * 4 + [True]}, index=genes())
    adata = anndata.AnnData(X=x, obs=table, var=var) if new else anndata.AnnData(X=x.astype(np.float32), obs=table, var=var)
    adata.obsm["spatial"] = np.stack([np.arange(SPOTS) * 100.5 + 10, np.arange(SPOTS) * 90.0 + 7], 1)
    return adata


def dump(adata, name, **kw):
    path = os.path.join(OUT, name)
    adata.write_h5ad(path, **kw)
    return path


def modern():
    import anndata

    try:
        anndata.settings.allow_write_nullable_strings = True
    except Exception as e:
        print(e)
    x = counts()
    a = content(sparse.csr_matrix(x.astype(np.float32)))
    a.layers["csc"] = sparse.csc_matrix(x.astype(np.int64))
    a.layers["log1p"] = np.log1p(x)
    a.raw = content(sparse.csr_matrix(x.astype(np.float32)))
    a = a[:, :4].copy()
    a.obsm["frame"] = pd.DataFrame({"u": np.arange(SPOTS) / 4, "v": np.arange(SPOTS)}, index=a.obs_names)
    a.obsm["sparse"] = sparse.csr_matrix(np.eye(SPOTS, 3))
    a.uns["spatial"] = {
        "ST": {
            "images": {"downscaled_fullres": np.arange(4 * 3 * 3, dtype=np.uint8).reshape(4, 3, 3)},
            "scalefactors": {"spot_diameter_fullres": 110.5, "tissue_downscaled_fullres_scalef": 0.25},
        }
    }
    a.uns.update({"name": "TENX1", "n": 3, "yes": True, "list": np.array(["a", "b"]), "one": np.array(["a"]), "none": None})
    dump(a, "csr.h5ad")
    b = content(sparse.csc_matrix(x.astype(np.float64)))
    dump(b, "csc_gzip.h5ad", compression="gzip")
    dump(content(x.astype(np.uint16)), "dense_u2.h5ad")
    dump(content(x.astype(np.float64)), "dense_gzip.h5ad", compression="gzip")
    dump(content(sparse.csr_matrix(x.astype(np.float32))), "lzf.h5ad", compression="lzf")
    handmade(x)
    presence()
    return {
        "x": x.tolist(),
        "barcodes": barcodes(),
        "genes": genes(),
        "total": x.sum(1).tolist(),
    }


def presence():
    """What was made of counts, where counts should be: true and false; the counts in obsm, where genes have no names."""
    import anndata

    x = counts()
    a = anndata.AnnData(sparse.csr_matrix(x > 0), obs=pd.DataFrame(index=barcodes()), var=pd.DataFrame(index=genes()))
    a.layers["dense"] = x > 0
    a.layers["bytes"] = np.minimum(x, 255).astype(np.uint8)
    a.obsm["counts"] = x.astype(np.float32)
    dump(a, "presence.h5ad")


def handmade(x):
    """Things no library writes, or not any more."""
    path = os.path.join(OUT, "handmade.h5ad")
    text = h5py.string_dtype()
    with h5py.File(path, "w") as f:
        # Repeats and columns out of order; 64-bit pointers, 16-bit indices.
        g = f.create_group("X")
        g.attrs["h5sparse_format"] = "csr"
        g.attrs["h5sparse_shape"] = np.array(x.shape, dtype=np.int32)
        data, indices, indptr = [], [], [0]
        for row in x:
            for j in reversed(np.nonzero(row)[0]):
                data += [row[j] - 1, 1]
                indices += [j, j]
            indptr.append(len(data))
        g["data"] = np.array(data, dtype=np.int64)
        g["indices"] = np.array(indices, dtype=np.uint16)
        g["indptr"] = np.array(indptr, dtype=np.uint64)
        o = f.create_group("obs")
        o.attrs["_index"] = "barcode"
        o["barcode"] = np.array([b.encode() for b in barcodes()])
        o["in_tissue"] = np.array([1, 0, 1, 1, 1, 0, 1], dtype=np.uint8)
        o["in_tissue_text"] = np.array(["True", "False", "1", "0", "1.0", "", "true"], dtype=object).astype(text)
        o["strange"] = np.arange(SPOTS)
        o["strange"].attrs["encoding-type"] = "quantum"
        o["strange"].attrs["encoding-version"] = "9.0.0"
        o["short"] = np.arange(SPOTS - 1)
        v = f.create_group("var")
        v.attrs["encoding-type"] = "dataframe"
        v.attrs["encoding-version"] = "0.2.0"
        v.attrs["_index"] = "_index"
        v.attrs.create("column-order", np.zeros(0))
        v.create_dataset("_index", data=np.array(["A", "B", "A", "C", "B"], dtype=object), dtype=text)
        f.create_group("obsm")["spatial"] = np.arange(SPOTS * 2, dtype=np.int64).reshape(SPOTS, 2)
        f.create_group("uns").create_dataset("title", data=np.array(["old"], dtype=object), dtype=text)


def old(name):
    x = counts()
    a = content(sparse.csr_matrix(x), new=False)
    a.raw = a
    a.uns["title"] = "old"
    dump(a, name)


def tenx():
    """Feature-barcode matrices of both versions, MEX of both, positions of both."""
    x = sparse.csc_matrix(counts().T)
    ids = [f"ENSG{i:011d}" for i in range(GENES)]
    for name in ("v3", "v2"):
        with h5py.File(os.path.join(OUT, f"tenx_{name}.h5"), "w") as f:
            g = f.create_group("matrix" if name == "v3" else "GRCh38")
            for key, value in (("data", x.data.astype(np.int32)), ("indices", x.indices.astype(np.int64)), ("indptr", x.indptr.astype(np.int64))):
                g.create_dataset(key, data=value, compression="gzip", chunks=True, shuffle=True)
            g["shape"] = np.array(x.shape, dtype=np.int32)
            g["barcodes"] = np.array([b.encode() for b in barcodes()])
            if name == "v3":
                h = g.create_group("features")
                h["id"] = np.array([i.encode() for i in ids])
                h["name"] = np.array([i.encode() for i in genes()])
                h["feature_type"] = np.array([b"Gene Expression"] * 4 + [b"Antibody Capture"])
                h["genome"] = np.array([b"GRCh38"] * GENES)
                h["_all_tag_keys"] = np.array([b"genome"])
            else:
                g["genes"] = np.array([i.encode() for i in ids])
                g["gene_names"] = np.array([i.encode() for i in genes()])
    from scipy.io import mmwrite

    os.makedirs(os.path.join(OUT, "mex"), exist_ok=True)
    mmwrite(os.path.join(OUT, "mex", "matrix.mtx"), x)
    with open(os.path.join(OUT, "mex", "matrix.mtx"), "rb") as f:
        plain = f.read()
    os.remove(os.path.join(OUT, "mex", "matrix.mtx"))
    files = {
        "matrix.mtx.gz": plain,
        "features.tsv.gz": "".join(f"{i}\t{n}\tGene Expression\n" for i, n in zip(ids, genes())).encode(),
        "barcodes.tsv.gz": "".join(b + "\n" for b in barcodes()).encode(),
    }
    for name, data in files.items():
        with open(os.path.join(OUT, "mex", name), "wb") as f:
            # Two members, as bgzip and pigz may write them.
            cut = len(data) // 2
            f.write(gzip.compress(data[:cut], mtime=0) + gzip.compress(data[cut:], mtime=0))


def read(path):
    import anndata
    import scanpy as sc

    print(os.path.basename(path), "with anndata", anndata.__version__, "and scanpy", sc.__version__)
    for reader in (anndata.read_h5ad, sc.read_h5ad):
        a = reader(path)
        print(reader.__module__, type(a.X).__name__, a.X.dtype, a.shape)
    print(a)
    print(a.obs.dtypes.to_string())
    print(a.obs.head(3).to_string())
    print("X sum", float(a.X.sum()), "obsm", {k: (v.dtype, v.shape) for k, v in a.obsm.items()})
    st = a.uns["spatial"]["ST"]
    print("uns", st["scalefactors"], {k: (v.dtype, v.shape) for k, v in st["images"].items()})
    sc.pp.calculate_qc_metrics(a, inplace=True, percent_top=None)
    sc.pp.normalize_total(a, target_sum=1e4)
    sc.pp.log1p(a)
    again = path + ".again.h5ad"
    a.write_h5ad(again)
    print("scanpy works on it and writes it again:", anndata.read_h5ad(again).shape)
    os.remove(again)


if __name__ == "__main__":
    os.makedirs(OUT, exist_ok=True)
    if "--read" in sys.argv:
        read(sys.argv[-1])
    elif "--old07" in sys.argv:
        old("anndata07.h5ad")
    elif "--old06" in sys.argv:
        old("anndata06.h5ad")
    else:
        expected = modern()
        tenx()
        with open(os.path.join(OUT, "expected.json"), "w") as f:
            json.dump(expected, f, indent=1, ensure_ascii=False)
            f.write("\n")
