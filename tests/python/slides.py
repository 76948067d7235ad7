"""Reads 200 random regions of each slide, over all of its levels, with OpenSlide (else tifffile) and with this program, and
prints how far they are apart.

    pip install openslide-python openslide-bin tifffile imagecodecs numpy
    python tests/python/slides.py [--write tests/fixtures/slides.txt] FILE...
"""

import json
import os
import subprocess
import sys

import numpy as np
import openslide
import tifffile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
REGIONS = 200


def ours(path, regions):
    command = ["deno", "run", "-A", "--no-check", os.path.join(ROOT, "tests/python/slides_ours.ts"), path]
    out = subprocess.run(command, input=json.dumps(regions).encode(), stdout=subprocess.PIPE, check=True, cwd=ROOT).stdout
    arrays, at = [], 0
    for _, _, _, width, height in regions:
        arrays.append(np.frombuffer(out, np.uint8, width * height * 3, at).reshape(height, width, 3))
        at += width * height * 3
    assert at == len(out)
    return arrays


def theirs(path):
    """Sizes of the levels, and a reader of a region."""
    try:
        if path.endswith(".ome.tif"):  # OpenSlide sees no SubIFDs.
            raise openslide.OpenSlideError
        slide = openslide.OpenSlide(path)

        def read(level, x, y, width, height):
            # OpenSlide takes places of level 0: whole levels are read, which leaves no rounding.
            if level not in whole:
                size = slide.level_dimensions[level]
                whole[level] = np.asarray(slide.read_region((0, 0), level, size))[..., :3]
            return whole[level][y : y + height, x : x + width]

        whole = {}
        return "OpenSlide", slide.level_dimensions, read
    except openslide.OpenSlideError:
        pages = tifffile.TiffFile(path).pages
        arrays = [page.asarray() for page in (pages[0], *(pages[0].pages or []), *pages[1:])]
        return "tifffile", [a.shape[1::-1] for a in arrays], lambda l, x, y, w, h: arrays[l][y : y + h, x : x + w]


def main():
    args = sys.argv[1:]
    write = args.pop(1) if args[0] == "--write" else None
    lines = []
    for path in args[1:] if write else args:
        reader, levels, read = theirs(path)
        rng = np.random.default_rng(0)
        regions = []
        for i in range(REGIONS):
            level = i % len(levels)
            w, h = (int(rng.integers(1, min(side, 300) + 1)) for side in levels[level])
            x, y = int(rng.integers(0, levels[level][0] - w + 1)), int(rng.integers(0, levels[level][1] - h + 1))
            regions.append([level, x, y, w, h])
        apart = [np.abs(a.astype(int) - read(*r)) for a, r in zip(ours(path, regions), regions)]
        for level in range(len(levels)):
            mine = [a for a, r in zip(apart, regions) if r[0] == level]
            pixels = sum(a.size for a in mine)
            worst, mean = max(a.max() for a in mine), sum(a.sum() for a in mine) / pixels
            size = "x".join(map(str, levels[level]))
            lines.append(f"{os.path.basename(path)} level {level} {size}: {len(mine)} regions, worst {worst}, mean {mean:.4f} ({reader})")
            print(lines[-1], flush=True)
    if write:
        with open(write, "w") as f:
            f.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
