"""Makes tests/fixtures/slide_features: features of one slide as other programs store them, with torch and h5py.

    pip install h5py numpy torch
    python tests/python/slide_features.py

Row r, column c of every file is ((5 r + c) mod 17) / 8 - 1, exact in half precision; 12 rows of 5, coords (256 r, 512 r).
"""

from pathlib import Path

import h5py
import numpy as np
import torch

HERE = Path(__file__).resolve().parent.parent / "fixtures" / "slide_features"
ROWS, DIM = 12, 5


def main() -> None:
    HERE.mkdir(exist_ok=True)
    values = ((np.arange(ROWS * DIM) % 17) / 8 - 1).astype(np.float32).reshape(ROWS, DIM)
    coords = np.arange(ROWS)[:, None] * np.array([256, 512])
    with h5py.File(HERE / "trident.h5", "w") as f:
        features = f.create_dataset("features", data=values, chunks=(1, DIM), maxshape=(None, DIM))
        features.attrs.update({"name": "slide", "savetodir": "features_uni_v2", "encoder": "uni_v2"})
        places = f.create_dataset("coords", data=coords.astype(np.int64), chunks=(1, 2), maxshape=(None, 2))
        places.attrs.update({"patch_size": 256, "patch_size_level0": 512.0, "level0_magnification": 40, "target_magnification": 20.0})
    with h5py.File(HERE / "nested.h5", "w") as f:
        f.create_dataset("features", data=values[None].astype(np.float16), chunks=(1, 4, DIM), compression="gzip")
    with h5py.File(HERE / "stamp.h5", "w") as f:
        f.create_dataset("feats", data=values.astype(np.float16))
        f.create_dataset("coords", data=coords.astype(np.float32) / 2)
        f.attrs.update({"unit": "um", "tile_size_um": 256.0, "tile_size_px": 224, "extractor": "uni2", "stamp_version": "2.5.0",
                        "code_hash": "0" * 8, "feat_type": "tile"})
    torch.save(torch.from_numpy(values), HERE / "clam.pt")
    torch.save(torch.from_numpy(values)[None].to(torch.bfloat16), HERE / "batched.pt")
    torch.save({"coords": torch.from_numpy(coords), "features": torch.from_numpy(values).half()}, HERE / "named.pt")
    # A view: every second row of a larger tensor.
    torch.save(torch.from_numpy(np.repeat(values, 2, axis=0))[::2], HERE / "strided.pt")
    torch.save(torch.from_numpy(coords), HERE / "whole_numbers.pt")
    torch.save(torch.from_numpy(values), HERE / "legacy.pt", _use_new_zipfile_serialization=False)


if __name__ == "__main__":
    main()
