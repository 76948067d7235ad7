"""Opens features written by this program as Patho-Bench, CLAM, STAMP and eva do (their readers, from what they need of a file).

    pip install h5py numpy torch pandas
    python tests/reference/slide_readers.py [--write]
"""

import os
import subprocess
import sys
import tempfile

import h5py
import numpy as np
import torch

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
lines = []


def say(text):
    print(text)
    lines.append(text)


def wanted(n):
    return np.sin(np.arange(n * 8)).astype(np.float32).reshape(n, 8)


def trident(folder):
    for name in ("S1", "S2 ü", "empty"):
        with h5py.File(f"{folder}/patches/{name}_patches.h5") as f:
            coords, attrs = f["coords"][:], dict(f["coords"].attrs)
            assert f["coords"].dtype == np.int64 and f["coords"].maxshape == (None, 2) and coords.shape[1] == 2
            for key in ("patch_size", "patch_size_level0", "level0_magnification", "target_magnification", "overlap"):
                assert int(attrs[key]) == attrs[key], key
            for key in ("name", "savetodir", "level0_width", "level0_height"):
                assert key in attrs, key
        for kind in ("trident", "strict"):
            with h5py.File(f"{folder}/{kind}/{name}.h5") as f:
                features = f["features"]
                assert features.dtype == np.float32 and features.maxshape == (None, 8), features
                assert features.chunks == (1, 8) or kind != "strict"
                assert np.abs(features[:] - wanted(len(coords))).max(initial=0) < 1e-6 and np.array_equal(f["coords"][:], coords)
                assert {"name", "savetodir", "encoder"} <= set(features.attrs) and dict(f["coords"].attrs)["patch_size"] == 256
        say(f"TRIDENT: {name}: {coords.shape[0]} tiles, patch_size_level0 {attrs['patch_size_level0']}, chunks as asked")


def patho_bench(folder):
    """`H5` features pooled by patient: both slides must agree in patch_size_level0."""
    parts, sizes = [], set()
    for name in ("S1", "S2 ü"):
        with h5py.File(f"{folder}/trident/{name}.h5") as f:
            parts.append(torch.from_numpy(f["features"][:]))
            sizes.add(int(f["coords"].attrs["patch_size_level0"]))
    assert len(sizes) == 1
    say(f"Patho-Bench: a patient of {torch.cat(parts).shape[0]} tiles, mean {torch.cat(parts).mean(0)[:2].tolist()}")


def clam(folder):
    for name in ("S1", "S2 ü", "empty"):
        features = torch.load(f"{folder}/clam/pt_files/{name}.pt", weights_only=True)
        with h5py.File(f"{folder}/clam/h5_files/{name}.h5") as f:
            coords = f["coords"][:]
            attrs = f["coords"].attrs
            level, size, level_dim = attrs["patch_level"], attrs["patch_size"], attrs["level_dim"]
            downsample = tuple(attrs["downsample"])
            assert np.array_equal(f["features"][:], features.numpy()) and coords.dtype == np.int32
        assert features.dtype == torch.float32 and features.shape == (len(coords), 8)
        say(f"CLAM: {name}: tensor {tuple(features.shape)}, level {level}, patch {size}, downsample {downsample}, level_dim {list(level_dim)}")


def stamp(folder):
    for name in ("S1", "S2 ü"):
        with h5py.File(f"{folder}/stamp/{name}.h5") as f:
            feats = torch.from_numpy(f["feats"][:])
            coords = torch.from_numpy(f["coords"][:])
            assert f.attrs["unit"] == "um" and f.attrs["feat_type"] == "tile"
            assert tuple(map(int, f.attrs["stamp_version"].split("."))) <= (2, 5, 0)
            um, px = float(f.attrs["tile_size_um"]), int(f.attrs["tile_size_px"])
        step = coords[coords[:, 0] > 0, 0].min().item()
        assert step == um, (step, um)
        say(f"STAMP: {name}: {tuple(feats.shape)}, tiles of {um} µm in {px} px, extractor {h5py.File(f'{folder}/stamp/{name}.h5').attrs['extractor']}")
    assert not os.path.exists(f"{folder}/stamp/empty.h5")


def eva(folder):
    import csv

    with open(f"{folder}/eva/manifest.csv", newline="") as f:
        rows = list(csv.DictReader(f))
    assert list(rows[0]) == ["origin", "embeddings", "target", "split", "wsi_id"]
    shapes = [tuple(torch.load(f"{folder}/eva/{row['embeddings']}", weights_only=True).shape) for row in rows]
    say(f"eva: {[row['wsi_id'] for row in rows]}: {shapes}")
    plain = [np.load(os.path.join(folder, 'npy', row['wsi_id'] + '.npy')).shape for row in rows]
    say(f"npy: {plain}, coords {np.load(f'{folder}/npy/S1_coords.npy')[1].tolist()}")


def main():
    with tempfile.TemporaryDirectory() as folder:
        command = ["deno", "run", "-A", "--no-check", os.path.join(ROOT, "tests/reference/slide_readers_ours.ts"), folder]
        subprocess.run(command, check=True, cwd=ROOT)
        for reader in (trident, patho_bench, clam, stamp, eva):
            reader(folder)
    if "--write" in sys.argv:
        with open(os.path.join(ROOT, "tests/fixtures/slide_readers.txt"), "w") as f:
            f.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
