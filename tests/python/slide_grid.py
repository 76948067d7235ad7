"""Simplifies random tissue with shapely and chooses tiles on it in NumPy, as TRIDENT does, and counts where this program agrees.

    pip install numpy scipy shapely
    python tests/python/slide_grid.py [--write]
"""

import json
import math
import os
import subprocess
import sys

import numpy as np
import shapely
from scipy import ndimage
from shapely.geometry import MultiPolygon, Polygon, box
from shapely.ops import unary_union

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def tissue(rng, pixels, scale):
    """Outlines along the pixels of a random mask, and for every third one a second, overlapping set."""
    field = ndimage.gaussian_filter(rng.normal(size=(pixels, pixels)), rng.uniform(2, 6))
    mask = ndimage.binary_opening(field > np.quantile(field, rng.uniform(0.5, 0.8)))
    shape = unary_union([box(x, y, x + 1, y + 1) for y, x in zip(*np.nonzero(mask))])
    parts = shape.geoms if shape.geom_type == "MultiPolygon" else [shape]
    return [[[[u * scale, v * scale] for u, v in ring.coords] for ring in (p.exterior, *p.interiors)] for p in parts]


def chosen(case, geometry):
    width, height, least = case["width"], case["height"], case["minTissue"]
    kind = case["kind"]
    if kind["scale"] == "nominal":
        d = (10 / kind["magnification"]) / (10 / 40)
        side = round(kind["patch"] * d)
        step = side - round(kind["overlap"] * d)
        geometry = geometry.simplify(kind["patch"] / 4, preserve_topology=True)
    else:
        side = kind["tile"] / case["um"]
        step = side - kind["overlap"] / case["um"]
    coords = []
    shapely.prepare(geometry)
    for row in range(math.ceil(height / step)):
        for column in range(math.ceil(width / step)):
            x, y = math.floor(column * step + 0.5), math.floor(row * step + 0.5)
            square = box(x, y, x + side, y + side)
            if not geometry.intersects(square):
                continue
            if least == 0 or geometry.intersection(square).area >= least * side * side:
                coords += [x, y]
    return coords


def main():
    rng = np.random.default_rng(0)
    cases, geometries, lines = [], [], [f"shapely {shapely.__version__}, GEOS {'.'.join(map(str, shapely.geos_version))}"]
    for i in range(60):
        pixels, scale = int(rng.integers(30, 80)), 32
        polygons = tissue(rng, pixels, scale)
        if i % 3 == 2:
            polygons += [[[[u + 150, v + 90] for u, v in ring] for ring in p] for p in tissue(rng, pixels, scale)]
        kinds = [
            dict(scale="nominal", magnification=20, patch=int(rng.choice([128, 224, 256])), overlap=int(rng.choice([0, 32]))),
            dict(scale="physical", tile=float(rng.choice([64, 112])), pixelSize=0.5, overlap=0),
        ]
        kind = kinds[1] if i % 3 == 2 else kinds[i % 2]
        least = float(rng.choice([0, 0.15, 0.5, 0.9]))
        tolerance = float(rng.choice([20, 64, 128]))
        side = pixels * scale
        cases.append(dict(polygons=polygons, width=side, height=side, um=0.25, kind=kind, minTissue=least, tolerance=tolerance))
        geometries.append([Polygon(p[0], p[1:]) for p in polygons])
    command = ["deno", "run", "-A", "--no-check", os.path.join(ROOT, "tests/python/slide_grid_ours.ts")]
    out = subprocess.run(command, input=json.dumps(cases).encode(), stdout=subprocess.PIPE, check=True, cwd=ROOT).stdout
    polygons = same = tiles = agree = 0
    for i, (case, parts, answer) in enumerate(zip(cases, geometries, json.loads(out))):
        whole = unary_union(parts)
        if i % 3 != 2:  # Overlapping ones are no valid multipolygon, and are not simplified.
            simple = MultiPolygon(parts).simplify(case["tolerance"], preserve_topology=True)
            pair = lambda ring: np.reshape(ring, (-1, 2))
            ours = [Polygon(pair(p[0]), [pair(h) for h in p[1:]]) for p in answer["simple"]]
            polygons += len(ours)
            same += sum(a.equals(b) for a, b in zip(ours, getattr(simple, "geoms", [simple])))
        wanted = chosen(case, whole if i % 3 == 2 else MultiPolygon(parts))
        tiles += len(wanted) // 2
        agree += wanted == answer["coords"]
    lines.append(f"{same} of {polygons} simplified polygons are shapely's")
    lines.append(f"{agree} of {len(cases)} grids keep the same tiles in the same order, {tiles} tiles")
    print("\n".join(lines))
    if "--write" in sys.argv:
        with open(os.path.join(ROOT, "tests/fixtures/slide_grid.txt"), "w") as f:
            f.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
