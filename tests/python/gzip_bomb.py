"""Makes tests/fixtures/h5/gzip_bomb.h5 with h5py: chunks of 64 bytes packed with gzip, some of which become more.

    python tests/python/gzip_bomb.py
"""
import os
import random
import zlib

import h5py
import numpy as np

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures", "h5", "gzip_bomb.h5")
noise = random.Random(1).randbytes(64)

with h5py.File(PATH, "w") as f:
    for name, packed in {
        "good": zlib.compress(bytes(range(64))),
        # Stored in more bytes than it has, as gzip does with what it cannot pack.
        "noise": zlib.compress(noise),
        "bomb": zlib.compress(bytes(1 << 22), 9),
    }.items():
        d = f.create_dataset(name, shape=(64,), dtype="u1", chunks=(64,), compression="gzip")
        d.id.write_direct_chunk((0,), packed)
    f["noise"].attrs["values"] = np.frombuffer(noise, "u1")
