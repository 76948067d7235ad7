"""Makes tests/fixtures/h5/lzf_kinds.h5 and lzf_large.h5 with h5py: under `good`, the dataset `plain` of each group beside the same values
packed with LZF in each way; under `raw`, chunks made by hand, with what is wrong with them as attribute `fault`; datasets that are
too large, without any data.

    pip install h5py numpy
    python tests/python/lzf.py
"""

import os

import h5py
import numpy as np

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures", "h5")
LZF, SHUFFLE, FLETCHER, DEFLATE = 32000, 2, 3, 1
WAYS = {
    "lzf": dict(compression="lzf"),
    "shuffle": dict(compression="lzf", shuffle=True),
    "fletcher": dict(compression="lzf", fletcher32=True),
    "both": dict(compression="lzf", shuffle=True, fletcher32=True),
}
# Of pointers HDF5 makes no checksums.
NO_CHECKSUM = ("/good/text", "/good/record")
rng = np.random.default_rng(32000)
ROWS, COLUMNS = 12, 6


def beside(group, values, chunks, dtype=None):
    group.create_dataset("plain", data=values, dtype=dtype)
    for name, how in WAYS.items():
        if how.get("fletcher32") and group.name in NO_CHECKSUM:
            continue
        group.create_dataset(name, data=values, dtype=dtype, chunks=chunks, **how)


def ordered(group, name, values, chunks, *filters):
    """A dataset whose filters are in the order given, which h5py would not choose."""
    how = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    how.set_chunk(chunks)
    for number in filters:
        # LZF fills in its own words; deflate has the level.
        how.set_filter(number, h5py.h5z.FLAG_OPTIONAL if number == LZF else 0, (4,) if number == DEFLATE else ())
    kind = h5py.h5t.py_create(values.dtype)
    d = h5py.h5d.create(group.id, name.encode(), kind, h5py.h5s.create_simple(values.shape), how)
    d.write(h5py.h5s.ALL, h5py.h5s.ALL, values)


def raw(group, name, stream, fault, *, size=64, mask=0, **how):
    """One chunk of `size` bytes, stored as `stream`."""
    d = group.create_dataset(name, shape=(size,), dtype="u1", chunks=(size,), compression="lzf", **how)
    d.id.write_direct_chunk((0,), bytes(stream), mask)
    d.attrs["fault"] = fault


with h5py.File(os.path.join(FOLDER, "lzf_kinds.h5"), "w", libver="latest") as f:
    good = f.create_group("good")
    steps = rng.integers(0, 9, (ROWS, COLUMNS)).cumsum(0)
    for dtype in ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", ">i4", ">f8"):
        # Noise, which does not pack and is stored as it is, runs, and rows that repeat.
        values = np.concatenate([steps, np.zeros((ROWS, COLUMNS)), rng.integers(0, 100, (ROWS, COLUMNS))]).astype(dtype)
        beside(good.create_group(dtype.replace(">", "be_")), values, (16, 4))
    beside(good.create_group("bool"), np.arange(900) % 7 < 3, (200,))
    words = np.array([f"spot é {i % 7}" if i % 5 else "" for i in range(90)], dtype=object)
    beside(good.create_group("text"), words, (16,), h5py.string_dtype())
    beside(good.create_group("fixed"), np.array([w.encode() for w in words], "S12"), (16,))
    record = np.zeros(40, [("name", h5py.string_dtype()), ("x", "f4"), ("n", "i8")])
    for i in range(40):
        record[i] = (f"s{i % 3}", i / 4, i)
    beside(good.create_group("record"), record, (16,))
    order = good.create_group("order")
    values = (np.arange(2000) // 9).astype("i4")
    order["plain"] = values
    for name, filters in {
        "fletcher_lzf": (FLETCHER, LZF),
        "shuffle_fletcher_lzf": (SHUFFLE, FLETCHER, LZF),
        "deflate_lzf": (DEFLATE, LZF),
        "lzf_deflate": (LZF, DEFLATE),
    }.items():
        ordered(order, name, values, (700,), *filters)
    order.create_dataset("scaleoffset", data=values, chunks=(700,), scaleoffset=0, compression="lzf")
    # A chunk of a million values.
    million = f.create_dataset("million", shape=(1000, 1000), dtype="u2", chunks=(1000, 1000), shuffle=True, compression="lzf")
    million[:] = np.arange(1000) // 250

    by_hand = f.create_group("raw")
    literal = [31, *range(32)]
    raw(by_hand, "whole", [31, *range(100, 132), *literal], "")
    raw(by_hand, "masked", range(64), "", mask=1)
    raw(by_hand, "furthest", [*literal, 0xE0, 23, 31], "")
    raw(by_hand, "cut_literal", [*literal, *literal[:-1]], "LZF ends within what begins at byte 33 of a chunk")
    raw(by_hand, "cut_short_reference", [*literal, 0x20], "LZF ends within what begins at byte 33 of a chunk")
    raw(by_hand, "cut_long_reference", [*literal, 0xE0, 23], "LZF ends within what begins at byte 33 of a chunk")
    raw(by_hand, "no_length", [*literal, 0xE0], "LZF ends within what begins at byte 33 of a chunk")
    raw(by_hand, "before_start", [*literal, 0xE0, 23, 32], "LZF refers to before the start at byte 33 of a chunk")
    raw(by_hand, "before_all", [0x20, 0, *literal], "LZF refers to before the start at byte 0 of a chunk")
    raw(by_hand, "far_before", [*literal, 0xFF, 23, 255], "LZF refers to before the start at byte 33 of a chunk")
    raw(by_hand, "long_literal", [*literal, *literal, 0, 1], "LZF gives more than a chunk holds at byte 66 of it")
    raw(by_hand, "long_reference", [*literal, 0xE0, 24, 0], "LZF gives more than a chunk holds at byte 33 of it")
    raw(by_hand, "bomb", [0, 0] + [0xE0, 255, 0] * 2000, "LZF gives more than a chunk holds at byte 2 of it")
    raw(by_hand, "short", literal, "LZF gives less than a chunk holds from its 33 bytes")
    raw(by_hand, "checksum", [*literal, *literal, 1, 2, 3, 4], "filter returned failure during read", fletcher32=True)
    ordered(by_hand, "twice", values, (700,), LZF, LZF)
    by_hand["twice"].attrs["fault"] = "lzf of lzf"

with h5py.File(os.path.join(FOLDER, "lzf_large.h5"), "w", libver="latest") as f:
    f.create_dataset("chunk", shape=(300_000_000,), dtype="u1", chunks=(300_000_000,), compression="lzf")
    f.create_dataset("claims", shape=(2**20,), dtype="f8", chunks=(2**16,), compression="lzf")
