"""Pillow's side of bench/jpeg.ts, which starts it.

    python bench/jpeg_peer.py make IMAGE DIR    # cuts patches, tiles and a 4000x3000 image of a slide or a large image
    python bench/jpeg_peer.py time                # reads lines of file names, writes the seconds that reading them takes

Needs pillow; `make` of JPEG 2000 and tiled slides also tifffile and imagecodecs.
"""

import io
import os
import sys
import time

from PIL import Image

Image.MAX_IMAGE_PIXELS = None
SAMPLINGS = {"444": 0, "420": 2}


def opened(path):
    try:
        return Image.open(path).convert("RGB")
    except OSError:
        import tifffile

        return Image.fromarray(tifffile.imread(path)[..., :3])


def make(path, folder):
    whole = opened(path)
    if whole.width < 4000 or whole.height < 3000:
        raise SystemExit(f"{path} has {whole.width}x{whole.height} pixels, at least 4000x3000")
    left, top = (whole.width - 4000) // 2, (whole.height - 3000) // 2
    big = whole.crop((left, top, left + 4000, top + 3000))
    os.makedirs(folder, exist_ok=True)

    def save(image, name, **options):
        image.save(os.path.join(folder, f"{name}.jpg"), "JPEG", **options)

    for sampling, code in SAMPLINGS.items():
        for i in range(8):
            x, y = 400 * i + 300, 300 * i + 300
            for quality in (80, 90, 95):
                name = f"patch224_{sampling}_q{quality}_{i}"
                save(big.crop((x, y, x + 224, y + 224)), name, quality=quality, subsampling=code)
        for progressive in (False, True):
            options = dict(quality=90, subsampling=code, progressive=progressive)
            kind = "progressive" if progressive else "baseline"
            for i in range(2):
                x, y = 1200 * i + 600, 700 * i + 500
                save(big.crop((x, y, x + 1024, y + 1024)), f"tile1024_{sampling}_{kind}_{i}", **options)
            save(big, f"image4000x3000_{sampling}_{kind}_0", **options)


def answer():
    files = {}
    for line in sys.stdin:
        names = line.rstrip("\n").split("\t")
        for name in names:
            if name not in files:
                with open(name, "rb") as file:
                    files[name] = file.read()
        start = time.perf_counter()
        for name in names:
            Image.open(io.BytesIO(files[name])).load()
        print(time.perf_counter() - start, flush=True)


if sys.argv[1] == "make":
    make(*sys.argv[2:])
else:
    answer()
