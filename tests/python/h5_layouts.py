"""Makes tests/fixtures/h5/layouts_*.h5: datasets of bytes in every layout and index that HDF5 has, filtered and not, whole,
in part and empty, in files of old and new format. The attribute `placed` of a dataset says whether its rows lie as the
reader knows how to find.

    pip install h5py numpy
    python tests/python/h5_layouts.py
"""

import os

import h5py
import numpy as np

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures", "h5")
ROW = (2, 3, 3)


def rows(n, row=ROW):
    rng = np.random.default_rng(n)
    return rng.integers(1, 256, (n, *row), dtype=np.uint8)


def fill(file, latest):
    def add(name, data, placed, **options):
        dataset = file.create_dataset(name, data=data, **options)
        dataset.attrs["placed"] = placed
        return dataset

    def low(name, shape, chunks, placed, early=False, data=None, most=None):
        """What h5py has no words for."""
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        if chunks:
            plist.set_chunk(chunks)
        if early:
            plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        if chunks is None and not early:
            plist.set_layout(h5py.h5d.COMPACT)
        space = h5py.h5s.create_simple(shape, most)
        dataset = h5py.Dataset(h5py.h5d.create(file.id, name.encode(), h5py.h5t.STD_U8LE, space, plist))
        if data is not None:
            dataset[...] = data
        dataset.attrs["placed"] = placed
        return dataset

    endless = (None, *ROW)
    add("contiguous", rows(9), True)
    add("deep/er/contiguous", rows(3), True)
    add("one", rows(1), True)
    low("compact", (5, *ROW), None, False, data=rows(5))
    low("early", (5, *ROW), None, True, early=True)
    file.create_dataset("unwritten", (5, *ROW), "u1", fillvalue=7).attrs["placed"] = False
    add("empty", rows(0), False)
    # A B-tree of one node and of several in the old format, an extensible array in the new one.
    add("endless", rows(20), not latest, chunks=(1, *ROW), maxshape=endless)
    add("endless_many", rows(150), not latest, chunks=(1, *ROW), maxshape=endless)
    add("endless_runs", rows(45), not latest, chunks=(7, *ROW), maxshape=endless)
    add("endless_both", rows(6), False, chunks=(1, 1, 3, 3), maxshape=(None, None, 3, 3))
    # In the new format: a fixed array, one with pages, one for more than there is, and no index.
    add("fixed", rows(20), True, chunks=(1, *ROW))
    add("fixed_runs", rows(45), True, chunks=(7, *ROW))
    add("fixed_pages", rows(2500 if latest else 70, (1, 1, 3)), True, chunks=(1, 1, 1, 3))
    add("fixed_more", rows(20), True, chunks=(1, *ROW), maxshape=(50, *ROW))
    add("fixed_wider", rows(20), not latest, chunks=(1, *ROW), maxshape=(20, 2, 6, 3))
    add("single", rows(8), True, chunks=(8, *ROW))
    low("implicit", (20, *ROW), (1, *ROW), True, early=True, data=rows(20))
    low("implicit_runs", (20, *ROW), (6, *ROW), True, early=True, data=rows(20))
    low("implicit_more", (20, *ROW), (1, *ROW), True, early=True, data=rows(20), most=(70, *ROW))
    add("across", rows(9), False, chunks=(2, 1, 3, 3))
    # Chunks that are larger than the rows there are.
    add("long", rows(3), not latest, chunks=(8, *ROW), maxshape=endless)
    part = file.create_dataset("part", (40, *ROW), "u1", chunks=(1, *ROW))
    part[5:30] = rows(25)
    part.attrs["placed"] = False
    grown = add("grown", rows(10), not latest, chunks=(1, *ROW), maxshape=endless)
    grown.resize(25, 0)
    grown[10:] = rows(15)
    shrunk = add("shrunk", rows(30), not latest, chunks=(1, *ROW), maxshape=endless)
    shrunk.resize(11, 0)
    add("gzip", rows(9), False, chunks=(1, *ROW), compression="gzip")
    add("fletcher", rows(9), False, chunks=(1, *ROW), fletcher32=True)
    # Headers that go on elsewhere.
    for name, options in {"attributes": {}, "attributes_chunked": dict(chunks=(1, *ROW), maxshape=(90, *ROW))}.items():
        dataset = add(name, rows(9), True, **options)
        for i in range(40):
            dataset.attrs[f"number {i}"] = np.arange(i)
    add("ordered", rows(9), True, track_order=True)
    add("timed", rows(9), True, track_times=True)
    add("filled", rows(9), True, fillvalue=3)
    file["type"] = np.dtype("u1")
    named = file.create_dataset("named", data=rows(9), dtype=file["type"])
    named.attrs["placed"] = False
    add("flat", rows(9, ()), True)
    add("wide", rows(4, (5000,)), True)


for name, options in {
    "old": dict(libver="earliest"),
    "new": dict(libver="latest"),
    "mixed": dict(libver=("v108", "v108")),
    "block": dict(libver="earliest", userblock_size=512),
}.items():
    path = os.path.join(FOLDER, f"layouts_{name}.h5")
    with h5py.File(path, "w", **options) as file:
        fill(file, name == "new")
        if name == "block":  # addresses count from behind the block

            def nowhere(_, item):
                if isinstance(item, h5py.Dataset):
                    item.attrs["placed"] = False

            file.visititems(nowhere)
