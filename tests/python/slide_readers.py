"""Opens features written by this program as Patho-Bench, CLAM, STAMP and eva do (their readers, from what they need of a file):
made-up ones, and those of `embed --job` on slides, turned by `convert features`. Locks are taken as TRIDENT takes them.

    pip install h5py numpy torch pandas
    python tests/python/slide_readers.py [--write] [SLIDE...]
"""

import glob
import json
import os
import socket
import subprocess
import sys
import tempfile
import time

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
            assert feats.dtype == torch.float16 and coords.dtype == torch.float32
            assert np.array_equal(feats.numpy(), wanted(len(feats)).astype(np.float16))
            assert f.attrs["unit"] == "um" and f.attrs["feat_type"] == "tile"
            assert tuple(map(int, f.attrs["stamp_version"].split("."))) <= (2, 5, 0)
            um, px = float(f.attrs["tile_size_um"]), int(f.attrs["tile_size_px"])
        step = coords[coords[:, 0] > 0, 0].min().item()
        assert step == um, (step, um)
        say(f"STAMP: {name}: {tuple(feats.shape)} {feats.dtype}, tiles of {um} µm in {px} px, extractor {h5py.File(f'{folder}/stamp/{name}.h5').attrs['extractor']}")
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


ENCODER = "random:vit_small_patch16_224?dim=48&depth=1&patch=8&img=32&seed=3"


def seal(*words):
    command = ["deno", "run", "-A", "--no-check", os.path.join(ROOT, "src/cli/main.ts"), *words, "--quiet"]
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def trident_create_lock(path):
    """What TRIDENT writes: exclusively, with who and when."""
    owner = {"pid": os.getpid(), "hostname": socket.gethostname(), "created_at": time.time()}
    with os.fdopen(os.open(f"{path}.lock", os.O_CREAT | os.O_EXCL | os.O_WRONLY), "w") as f:
        f.write(json.dumps(owner))


def trident_is_dead(path):
    """TRIDENT's rule: on this host the process is gone, else a day has passed."""
    with open(f"{path}.lock") as f:
        owner = json.loads(f.read())
    if owner["hostname"] != socket.gethostname():
        return time.time() - float(owner["created_at"]) >= 24 * 3600
    try:
        os.kill(int(owner["pid"]), 0)
    except ProcessLookupError:
        return True
    return False


def get_stride(coords):
    xs = torch.unique(coords[:, 0], sorted=True)
    return (xs[1:] - xs[:-1]).min().item()


def of_slides(slides):
    """A job of real slides: their features in every form, by each program's way of reading them."""
    with tempfile.TemporaryDirectory() as folder:
        job = f"{folder}/job"
        words = ["embed", *slides, "--encoder", ENCODER, "--job", job, "--mag", "20", "--patch-size", "128", "--mpp", "0.5"]
        done = seal(*words)
        assert done.returncode == 0, done.stderr
        (trident_folder,) = glob.glob(f"{job}/20x_128px_0px_overlap/features_*")
        names = sorted(os.path.basename(path)[:-3] for path in glob.glob(f"{trident_folder}/*.h5"))
        for form in ("clam", "stamp", "eva"):
            done = seal("convert", "features", trident_folder, f"{folder}/{form}", "--to", form)
            assert done.returncode == 0, done.stderr
        for name in names:
            # Patho-Bench: h5py, `features`, `coords` and its patch_size_level0.
            with h5py.File(f"{trident_folder}/{name}.h5") as f:
                features, coords = torch.from_numpy(f["features"][:]), f["coords"][:]
                side = int(f["coords"].attrs["patch_size_level0"])
            with h5py.File(f"{job}/20x_128px_0px_overlap/patches/{name}_patches.h5") as f:
                assert np.array_equal(f["coords"][:], coords)
            # CLAM: its bag is the tensor, its heat maps take the coordinates.
            bag = torch.load(f"{folder}/clam/pt_files/{name}.pt", weights_only=True)
            with h5py.File(f"{folder}/clam/h5_files/{name}.h5") as f:
                assert np.array_equal(f["coords"][:], coords) and int(f["coords"].attrs["patch_size"]) == side
            assert torch.equal(bag, features)
            # STAMP: coordinates are in micrometres where a size in them is named, else by their stride.
            with h5py.File(f"{folder}/stamp/{name}.h5") as f:
                feats, um = torch.from_numpy(f["feats"][:]), torch.from_numpy(f["coords"][:]).float()
                tile, px = float(f.attrs["tile_size_um"]), int(f.attrs["tile_size_px"])
            assert feats.dtype == torch.float16 and torch.equal(feats, features.half())
            assert np.allclose(um.numpy(), coords * 0.5, atol=1e-3) and tile == side * 0.5 and get_stride(um) == tile
            assert torch.equal(torch.load(f"{folder}/eva/{name}.pt", weights_only=True), features)
            say(f"{name}: {tuple(features.shape)} in TRIDENT's, CLAM's, STAMP's and eva's form; tiles of {side} px, {tile} µm at {tile / px} µm a pixel")
        # STAMP's features come back to TRIDENT's form: the same numbers, as far as 16 bits have them.
        done = seal("convert", "features", f"{folder}/stamp", f"{folder}/back", "--to", "trident", "--mpp", "0.5")
        assert done.returncode == 0, done.stderr
        for name in names:
            with h5py.File(f"{trident_folder}/{name}.h5") as f, h5py.File(f"{folder}/back/{name}.h5") as g:
                assert np.array_equal(f["features"][:].astype(np.float16), g["features"][:]) and np.array_equal(f["coords"][:], g["coords"][:])
        say(f"STAMP to TRIDENT: {len(names)} slides, the same coordinates and the same numbers of 16 bits")
        locks(words, f"{trident_folder}/{names[0]}.h5")


def locks(words, features):
    """A slide that TRIDENT holds is passed over; TRIDENT sees ours as long as the process lives."""
    os.remove(features)
    trident_create_lock(features)
    done = seal(*words, "--json")
    states = {slide["name"]: slide["status"] for slide in json.loads(done.stdout)["slides"]}
    name = os.path.basename(features)[:-3]
    assert done.returncode == 0 and states[name] == "skipped" and not os.path.exists(features), done.stderr
    os.remove(f"{features}.lock")
    command = ["deno", "run", "-A", "--no-check", os.path.join(ROOT, "src/cli/main.ts"), *words]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not os.path.exists(f"{features}.lock"):
        assert child.poll() is None
        time.sleep(0.002)
    child.send_signal(19)  # Stopped, not ended.
    with open(f"{features}.lock") as f:
        owner = json.loads(f.read())
    assert owner["pid"] == child.pid and owner["hostname"] == socket.gethostname()
    assert abs(owner["created_at"] - time.time()) < 60 and not trident_is_dead(features)
    try:
        trident_create_lock(features)
        raise AssertionError("locked twice")
    except FileExistsError:
        pass
    child.kill()
    child.wait()
    assert trident_is_dead(features)
    assert seal(*words).returncode == 0 and os.path.exists(features) and not os.path.exists(f"{features}.lock")
    say("TRIDENT's lock: its slide is passed over; ours holds it off while the process lives, and is dead to it afterwards")


def main():
    with tempfile.TemporaryDirectory() as folder:
        command = ["deno", "run", "-A", "--no-check", os.path.join(ROOT, "tests/python/slide_readers_ours.ts"), folder]
        subprocess.run(command, check=True, cwd=ROOT)
        for reader in (trident, patho_bench, clam, stamp, eva):
            reader(folder)
    slides = [os.path.abspath(path) for path in sys.argv[1:] if path != "--write"]
    if slides:
        of_slides(slides)
    if "--write" in sys.argv:
        with open(os.path.join(ROOT, "tests/fixtures/slide_readers.txt"), "w") as f:
            f.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
