"""Makes tests/fixtures/slides: small slides in the formats that are met beside JPEG, what other readers see in them
(`*.png`, one a level), and files of formats that are refused.

    pip install numpy tifffile imagecodecs pillow openslide-python openslide-bin; opj_compress of OpenJPEG
    python tests/python/slide_formats.py
"""

import os
import subprocess
import tempfile

import imagecodecs
import numpy as np
import openslide
import tifffile
from PIL import Image

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures", "slides")
APERIO = "Aperio Image Library v12.0.0\r\n150x100 (64x64) J2K/KDU Q=70|AppMag = 20|MPP = 0.4990|Filename = made"


def path(name):
    return os.path.join(FOLDER, name)


def make_image(height, width):
    """Discs of stain on a pale ground, with some noise."""
    y, x = np.mgrid[:height, :width]
    rng = np.random.default_rng(height * width)
    rgb = np.full((height, width, 3), (241, 238, 243), float)
    for cx, cy, r, colour in ((45, 40, 30, (180, 110, 170)), (100, 60, 25, (120, 70, 150)), (130, 20, 12, (228, 180, 210))):
        rgb[np.hypot(x - cx * width / 150, y - cy * height / 100) < r * width / 150] = colour
    return np.clip(rgb + rng.normal(0, 3, rgb.shape) + 6 * np.sin(x / 5)[..., None], 0, 255).round().astype(np.uint8)


def tiles(rgb, side=64):
    """The tiles of an image, row by row, those at the edges filled up with their last pixels."""
    height, width = rgb.shape[:2]
    full = np.pad(rgb, ((0, -height % side), (0, -width % side), (0, 0)), mode="edge")
    return [full[r : r + side, c : c + side] for r in range(0, height, side) for c in range(0, width, side)]


def to_ycc(rgb):
    return np.asarray(Image.fromarray(rgb).convert("YCbCr"))


def subsampled(rgb):
    """A codestream whose chroma has half of the samples across and down, as OpenJPEG's own program writes it."""
    ycc = to_ycc(rgb)
    half = lambda c: ycc[..., c].reshape(32, 2, 32, 2).mean((1, 3)).round().astype(np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        raw, out = os.path.join(folder, "a.raw"), os.path.join(folder, "a.j2k")
        with open(raw, "wb") as f:
            f.write(ycc[..., 0].tobytes() + half(1).tobytes() + half(2).tobytes())
        command = ["opj_compress", "-i", raw, "-o", out, "-F", "64,64,3,8,u@1x1:2x2:2x2", "-mct", "0", "-n", "4"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        with open(out, "rb") as f:
            return f.read()


def pyramid(name, encode, levels, compression, photometric="rgb", description=APERIO, missing=()):
    """A pyramid of encoded tiles; those in `missing` (level, tile) have no bytes."""
    with tifffile.TiffWriter(path(name)) as out:
        for i, rgb in enumerate(levels):
            data = [b"" if (i, k) in missing else encode(tile) for k, tile in enumerate(tiles(rgb))]
            out.write(
                iter(data),
                shape=rgb.shape,
                dtype=np.uint8,
                tile=(64, 64),
                compression=compression,
                photometric=photometric,
                description=description if i == 0 else "Aperio level",
                metadata=None,
            )


def seen_by_openslide(name):
    slide = openslide.OpenSlide(path(name))
    for level, size in enumerate(slide.level_dimensions):
        rgba = np.asarray(slide.read_region((0, 0), level, size))
        Image.fromarray(rgba[..., :3]).save(path(f"{name}.{level}.png"))


def seen_by_tifffile(name, series=0):
    with tifffile.TiffFile(path(name)) as file:
        for i, level in enumerate(file.series[series].levels):
            Image.fromarray(level.asarray()).save(path(f"{name}.{i}.png"))


def main():
    os.makedirs(FOLDER, exist_ok=True)
    for old in os.listdir(FOLDER):
        os.remove(path(old))
    full = make_image(100, 150)
    levels = [full, full[::2, ::2].copy()]
    lossy = lambda rgb: imagecodecs.jpeg2k_encode(rgb, level=40, codecformat="j2k", mct=True)
    exact = lambda rgb: imagecodecs.jpeg2k_encode(rgb, level=0, reversible=True, codecformat="j2k", mct=True)
    pyramid("j2k_rgb.svs", exact, levels, 33005)
    pyramid("j2k_rgb_lossy.svs", lossy, levels, 33005)
    pyramid("j2k_ycc.svs", lambda rgb: imagecodecs.jpeg2k_encode(to_ycc(rgb), level=0, reversible=True, codecformat="j2k", mct=False), levels, 33003)
    pyramid("j2k_ycc_420.svs", subsampled, levels, 33003)
    # Left out: a whole tile of the first level, and one of the second.
    pyramid("j2k_missing.svs", exact, levels, 33005, missing=((0, 1), (1, 1)))
    for name in ("j2k_rgb", "j2k_rgb_lossy", "j2k_ycc", "j2k_ycc_420"):
        seen_by_openslide(f"{name}.svs")
    write = lambda name, **kw: tifffile.imwrite(path(name), full, photometric="rgb", metadata=None, **kw)
    write("j2k_plain.tif", tile=(64, 64), compression="jpeg2000", compressionargs=dict(level=0, reversible=True))
    write("zstd_tiles.tif", tile=(64, 64), compression="zstd", predictor=2)
    write("zstd_strips.tif", rowsperstrip=30, compression="zstd")
    write("webp_exact.tif", tile=(64, 64), compression="webp", compressionargs=dict(lossless=True))
    write("webp_lossy.tif", tile=(64, 64), compression="webp", compressionargs=dict(level=80, lossless=False))
    for name in ("j2k_plain", "zstd_tiles", "zstd_strips", "webp_exact", "webp_lossy"):
        seen_by_tifffile(f"{name}.tif")
    with tifffile.TiffWriter(path("two_series.ome.tif"), ome=True) as out:
        size = dict(PhysicalSizeX=0.25, PhysicalSizeXUnit="µm", PhysicalSizeY=0.25, PhysicalSizeYUnit="µm")
        deflate = dict(photometric="rgb", tile=(64, 64), compression="zlib")
        out.write(make_image(40, 60), metadata=dict(axes="YXS", Name="macro"), **deflate)
        out.write(full, subifds=1, metadata=dict(axes="YXS", Name="scan", **size), **deflate)
        out.write(levels[1], subfiletype=1, **deflate)
    seen_by_tifffile("two_series.ome.tif", series=1)
    refused()
    print(sum(os.path.getsize(path(n)) for n in os.listdir(FOLDER)), "bytes")


def refused():
    small = make_image(64, 64)
    for name, data in (
        ("refused.jls", imagecodecs.jpegls_encode(small)),
        ("refused.jxl", imagecodecs.jpegxl_encode(small)),
        ("refused.j2k", imagecodecs.jpeg2k_encode(small, codecformat="j2k")),
        ("refused.jph", imagecodecs.htj2k_encode(small)),
    ):
        with open(path(name), "wb") as f:
            f.write(data)
    pyramid("refused_htj2k.svs", imagecodecs.htj2k_encode, [small], 33005)
    plain = dict(photometric="rgb", tile=(64, 64), metadata=None)
    write = lambda name, **kw: tifffile.imwrite(path(name), small, **plain, **kw)
    write("refused_ndpi.tif", extratags=[(65420, "I", 1, 1, True)])
    write("refused_philips.tif", software="Philips DP v1.0", description='<DataObject ObjectType="DPUfsImport"/>')
    write("refused_scn.tif", description='<?xml version="1.0"?><scn xmlns="http://www.leica-microsystems.com/scn/2010/10/01"/>')
    xmp = b"<?xml version='1.0'?><EncodeInfo><SlideInfo><iScan Magnification='40'/></SlideInfo></EncodeInfo>"
    write("refused_bif.tif", extratags=[(700, "B", len(xmp), xmp, True)])
    write("refused_jpegxl.tif", compression="jpegxl")


if __name__ == "__main__":
    main()
