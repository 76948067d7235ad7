"""Makes tests/fixtures/spatial/variants.h5ad and foreign.h5ad with h5py, anndata and hdf5plugin: one table of counts as a layer
in each way that programs store matrices, and tables whose columns are of each type anndata writes.

    pip install anndata h5py numpy scipy pandas hdf5plugin
    python tests/python/h5_variants.py
"""

import os

import anndata
import h5py
import numpy as np
import pandas as pd
import scipy.sparse as sp

try:
    import hdf5plugin
except ImportError:
    hdf5plugin = None

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures", "spatial")
ROWS, COLUMNS = 7, 5
COUNTS = np.array([[(3 * i + 5 * j + i * j) % 4 for j in range(COLUMNS)] for i in range(ROWS)])

obs = pd.DataFrame(index=[f"spot{i}" for i in range(ROWS)])
obs["category"] = pd.Categorical(["b", "a", None, "a", "b", "c", "a"], categories=["a", "b", "c"], ordered=True)
obs["flag"] = [True, False, True, True, False, False, True]
obs["maybe_flag"] = pd.array([True, None, False, True, None, False, True], dtype="boolean")
obs["maybe_int"] = pd.array([1, None, 3, 4, 5, None, 7], dtype="Int64")
obs["wide"] = np.arange(ROWS, dtype="u8") + 2**40
obs["half"] = np.arange(ROWS, dtype="f4") / 2
obs["text"] = ["é", "", "x y", 'a"b', "c,d", "e\tf", "g"]

path = os.path.join(FOLDER, "variants.h5ad")
table = anndata.AnnData(sp.csr_matrix(COUNTS.astype("f4")), obs=obs, var=pd.DataFrame(index=[f"G{j}" for j in range(COLUMNS)]))
table.write_h5ad(path)


def dense(f, name, dtype="f4", **how):
    d = f["layers"].create_dataset(name, data=COUNTS.astype(dtype), **how)
    d.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})


def sparse(f, name, kind=sp.csr_matrix, data="f4", index="i4", **how):
    m = kind(COUNTS)
    g = f["layers"].create_group(name)
    g.attrs.update({"encoding-type": f"{m.format}_matrix", "encoding-version": "0.1.0"})
    g.attrs["shape"] = np.array(COUNTS.shape)
    g.create_dataset("data", data=m.data.astype(data), **how)
    g.create_dataset("indices", data=m.indices.astype(index), **how)
    g.create_dataset("indptr", data=m.indptr.astype(index), **how)


with h5py.File(path, "a") as f:
    for dtype in ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8"):
        for order, label in (("<", "le"), (">", "be")):
            dense(f, f"dense_{dtype}_{label}", order + dtype)
            sparse(f, f"csr_{dtype}_{label}", data=order + dtype, index=order + "i8")
    sparse(f, "csc_u2", sp.csc_matrix, "u2", "u4")
    for name, how in {
        "gzip": dict(compression="gzip"),
        "gzip_shuffle": dict(compression="gzip", shuffle=True),
        "fletcher": dict(fletcher32=True),
        "gzip_fletcher": dict(compression="gzip", shuffle=True, fletcher32=True),
        "lzf": dict(compression="lzf"),
        "lzf_shuffle": dict(compression="lzf", shuffle=True),
        "lzf_fletcher": dict(chunks=(4, 3), compression="lzf", shuffle=True, fletcher32=True),
        "whole": dict(chunks=COUNTS.shape, compression="gzip"),
        "row": dict(chunks=(1, COLUMNS)),
        "column": dict(chunks=(ROWS, 1), compression="gzip"),
        "odd": dict(chunks=(3, 2), compression="gzip"),
        "growing": dict(maxshape=(None, None), chunks=(2, 2)),
    }.items():
        dense(f, f"dense_{name}", **how)
    dense(f, "dense_scaleoffset", "i4", scaleoffset=0)
    sparse(f, "csr_gzip_shuffle", compression="gzip", shuffle=True)
    sparse(f, "csr_lzf", compression="lzf")
    sparse(f, "csr_lzf_shuffle", compression="lzf", shuffle=True, fletcher32=True)
    # Compact: the numbers lie in the header of the dataset.
    how = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    how.set_layout(h5py.h5d.COMPACT)
    space = h5py.h5s.create_simple(COUNTS.shape)
    h5py.h5d.create(f["layers"].id, b"dense_compact", h5py.h5t.NATIVE_FLOAT, space, how)
    f["layers/dense_compact"][:] = COUNTS
    f["layers/dense_compact"].attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
    # Columns as other programs write them.
    fixed = f["obs"].create_dataset("fixed", data=np.array([f"s{i}".encode() for i in range(ROWS)]))
    fixed.attrs.update({"encoding-type": "string-array", "encoding-version": "0.2.0"})
    big = f["obs"].create_dataset("big", data=np.arange(ROWS, dtype=">f4") / 4)
    big.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
    order = [*f["obs"].attrs["column-order"], "fixed", "big"]
    f["obs"].attrs["column-order"] = np.array(order, dtype=h5py.string_dtype())

if hdf5plugin is None:
    raise SystemExit("variants.h5ad is made; foreign.h5ad needs hdf5plugin")
table.write_h5ad(os.path.join(FOLDER, "foreign.h5ad"))
with h5py.File(os.path.join(FOLDER, "foreign.h5ad"), "a") as f:
    for name, how in {
        "zstd": hdf5plugin.Zstd(),
        "blosc": hdf5plugin.Blosc(),
        "bitshuffle": hdf5plugin.Bitshuffle(),
        "lz4": hdf5plugin.LZ4(),
    }.items():
        dense(f, name, **how)
        sparse(f, f"csr_{name}", **how)
