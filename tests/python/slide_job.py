"""Runs `embed --job` on slides and opens the tree with h5py: coordinates are chosen again by NumPy and shapely from the GeoJSON
outlines, as TRIDENT chooses them, and compared.

    pip install h5py numpy shapely
    python tests/python/slide_job.py [--write] SLIDE...
"""

import glob
import json
import math
import os
import subprocess
import sys
import tempfile

import h5py
import numpy as np
from shapely.geometry import MultiPolygon, box, shape

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
ENCODER = "random:vit_small_patch16_224?dim=64&depth=1&patch=8&img=32&seed=3"


def chosen(outlines, attrs, least):
    simple = MultiPolygon([shape(f["geometry"]) for f in outlines["features"]]).simplify(attrs["patch_size"] / 4, preserve_topology=True)
    d = attrs["level0_magnification"] / attrs["target_magnification"]
    side = round(attrs["patch_size"] * d)
    step = side - round(attrs["overlap"] * d)
    coords = []
    for row in range(math.ceil(attrs["level0_height"] / step)):
        for column in range(math.ceil(attrs["level0_width"] / step)):
            x, y = column * step, row * step
            square = box(x, y, x + side, y + side)
            if simple.intersects(square) and (least == 0 or simple.intersection(square).area >= least * side * side):
                coords.append([x, y])
    return np.array(coords).reshape(-1, 2)


def main():
    args = [a for a in sys.argv[1:] if a != "--write"]
    lines = []
    for least in (0, 0.5):
        with tempfile.TemporaryDirectory() as job:
            command = ["deno", "run", "-A", "--no-check", os.path.join(ROOT, "src/cli/main.ts"), "embed", *map(os.path.abspath, args)]
            command += ["--encoder", ENCODER, "--job", job, "--mag", "20", "--patch-size", "128", "--overlap", "16"]
            subprocess.run([*command, "--min-tissue", str(least), "--mpp", "0.25", "--quiet"], check=True, cwd=ROOT, stderr=subprocess.DEVNULL)
            for path in sorted(glob.glob(f"{job}/20x_128px_16px_overlap/patches/*.h5")):
                name = os.path.basename(path)[: -len("_patches.h5")]
                with h5py.File(path) as f:
                    coords, attrs = f["coords"][:], dict(f["coords"].attrs)
                with open(f"{job}/contours_geojson/{name}.geojson") as f:
                    wanted = chosen(json.load(f), attrs, least)
                (features,) = glob.glob(f"{job}/20x_128px_16px_overlap/features_*/{name}.h5")
                with h5py.File(features) as f:
                    assert np.array_equal(f["coords"][:], coords) and np.isfinite(f["features"][:]).all()
                    size = f["features"].shape
                verdict = "the same" if np.array_equal(coords, wanted) else "OTHERS"
                lines.append(f"{name}, min tissue {least}: {len(coords)} tiles, {verdict} as shapely's {len(wanted)}; features {size}")
    print("\n".join(lines))
    if "--write" in sys.argv:
        with open(os.path.join(ROOT, "tests/fixtures/slide_job.txt"), "w") as f:
            f.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
