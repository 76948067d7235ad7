"""Makes tests/fixtures/tiff with tifffile, PIL and libvips, and what PIL and libvips read in them (expected.json).

    pip install numpy tifffile imagecodecs pillow pyvips pyvips-binary
    python tests/python/tiff.py
"""

import hashlib
import json
import os

import numpy as np
import pyvips
import tifffile
from PIL import Image

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures", "tiff")


def sha(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def make_image(height, width, channels=3, bits=8):
    """Slopes, circles and a little noise: something to compress, and different everywhere."""
    y, x = np.mgrid[:height, :width]
    rng = np.random.default_rng(height * width)
    planes = [
        (x * (3 + c) + y * (5 - c)) % 256 * 0.6 + 60 * (np.hypot(x - width / 2, y - height / 2) < 20 * (c + 1))
        for c in range(channels)
    ]
    eight = np.clip(np.stack(planes, -1) + rng.integers(0, 3, (height, width, channels)), 0, 255).astype(np.uint8)
    return eight if bits == 8 else eight.astype(np.uint16) * 257 + rng.integers(0, 99, eight.shape, dtype=np.uint16)


def small():
    """Images as patches come: every kind that decodeImage() reads."""
    rgb = make_image(45, 70)
    tile = dict(tile=(32, 48))
    write = lambda name, data, **kw: tifffile.imwrite(os.path.join(FOLDER, name), data, metadata=None, **kw)
    grey = make_image(45, 70, 1)[..., 0]
    write("rgb_strips.tif", rgb, photometric="rgb", rowsperstrip=7)
    write("rgb_big_endian.tif", rgb, photometric="rgb", byteorder=">", rowsperstrip=20)
    write("rgb_bigtiff_tiles.tif", rgb, photometric="rgb", bigtiff=True, **tile)
    write("rgb_bigtiff_big_endian.tif", rgb, photometric="rgb", bigtiff=True, byteorder=">", **tile)
    write("rgb_lzw.tif", rgb, photometric="rgb", compression="lzw", rowsperstrip=16)
    write("rgb_lzw_predictor.tif", rgb, photometric="rgb", compression="lzw", predictor=2, **tile)
    write("rgb_deflate.tif", rgb, photometric="rgb", compression="zlib", **tile)
    write("rgb_deflate_predictor.tif", rgb, photometric="rgb", compression="zlib", predictor=2, rowsperstrip=11)
    write("rgb_packbits.tif", rgb, photometric="rgb", compression="packbits", rowsperstrip=11)
    write("rgb_planar.tif", rgb.transpose(2, 0, 1), photometric="rgb", planarconfig="separate", compression="lzw")
    write("rgb_planar_tiles.tif", rgb.transpose(2, 0, 1), photometric="rgb", planarconfig="separate", **tile)
    write("rgb16_lzw.tif", make_image(45, 70, 3, 16), photometric="rgb", compression="lzw", predictor=2)
    write("rgb16_big_endian.tif", make_image(45, 70, 3, 16), photometric="rgb", compression="zlib", predictor=2, byteorder=">")
    for name, kind in (("unspecified", "unspecified"), ("multiplied", "assocalpha"), ("alpha", "unassalpha")):
        write(f"rgba_{name}.tif", make_image(45, 70, 4), photometric="rgb", extrasamples=[kind], compression="zlib")
    write("rgba16_multiplied.tif", make_image(45, 70, 4, 16), photometric="rgb", extrasamples=["assocalpha"])
    write("grey.tif", grey, photometric="minisblack", compression="lzw", predictor=2)
    write("grey_white.tif", grey, photometric="miniswhite", **tile)
    write("grey_alpha.tif", make_image(45, 70, 2), photometric="minisblack", extrasamples=["unassalpha"])
    write("grey1.tif", grey > 99, photometric="minisblack")
    write("grey1_white.tif", grey > 99, photometric="miniswhite", compression="packbits")
    write("grey16.tif", make_image(45, 70, 1, 16)[..., 0], photometric="minisblack")
    for bits in (2, 4):
        write(f"grey{bits}.tif", grey >> (8 - bits), photometric="minisblack", bitspersample=bits)
    colours = np.random.default_rng(1).integers(0, 65536, (3, 256), dtype=np.uint16)
    write("palette.tif", grey, photometric="palette", colormap=colours, compression="lzw")
    write("cmyk.tif", make_image(45, 70, 4), photometric="separated", compression="lzw")
    for n in range(2, 9):
        write(f"turned_{n}.tif", make_image(5, 7), photometric="rgb", extratags=[(274, "H", 1, n, True)])
    jpeg = dict(compression="jpeg", compressionargs=dict(level=80))
    write("jpeg_grey.tif", grey, photometric="minisblack", **jpeg, **tile)
    write("jpeg_rgb.tif", rgb, photometric="rgb", compression="jpeg", compressionargs=dict(level=90, outcolorspace="rgb"), **tile)
    write("jpeg_ycc_444.tif", rgb, photometric="ycbcr", subsampling=(1, 1), **jpeg, **tile)
    write("jpeg_ycc_422.tif", rgb, photometric="ycbcr", subsampling=(2, 1), **jpeg, **tile)
    write("jpeg_ycc_420.tif", rgb, photometric="ycbcr", subsampling=(2, 2), **jpeg, **tile)
    Image.fromarray(rgb).save(os.path.join(FOLDER, "pil_jpeg_strips.tif"), compression="jpeg", quality=70)
    Image.fromarray(rgb).save(os.path.join(FOLDER, "pil_lzw.tif"), compression="tiff_lzw", dpi=(72, 72))
    for name, compression in (("webp", "webp"), ("jpeg2000", "jpeg2000"), ("lerc", "lerc"), ("lzma", "lzma")):
        write(f"refused_{name}.tif", rgb[:8, :8].copy(), photometric="rgb", compression=compression)
    write("refused_predictor3.tif", make_image(8, 8).astype(np.float32), photometric="rgb", compression="zlib", predictor=3)
    write("refused_float.tif", make_image(8, 8).astype(np.float32), photometric="rgb")
    result = {}
    for name in sorted(os.listdir(FOLDER)):
        if name.startswith("refused") or name == "grey16.tif" or not name.endswith(".tif"):
            continue
        try:
            image = Image.open(os.path.join(FOLDER, name))
        except Image.UnidentifiedImageError:  # PIL knows no BigTIFF of this byte order.
            image = Image.fromarray(tifffile.imread(os.path.join(FOLDER, name)))
        mode, image = image.mode, image.convert("RGB")
        result[name] = {"mode": mode, "width": image.width, "height": image.height, "sha256": sha(np.asarray(image))}
    return result


def pyramids():
    """Slides: libvips' own pyramids, and SVS and OME-TIFF as their scanners' programs lay them out."""
    rgb = make_image(100, 150)
    image = pyvips.Image.new_from_array(rgb).copy(interpretation="srgb", xres=2000, yres=2000)
    common = dict(tile=True, tile_width=64, tile_height=64, pyramid=True)
    path = lambda name: os.path.join(FOLDER, name)
    image.tiffsave(path("vips_lzw.tif"), compression="lzw", predictor="horizontal", properties=True, resunit="cm", **common)
    image.tiffsave(path("vips_deflate_bigtiff.tif"), compression="deflate", bigtiff=True, **common)
    image.tiffsave(path("vips_jpeg.tif"), compression="jpeg", Q=75, **common)
    image.tiffsave(path("vips_subifd.tif"), compression="lzw", subifd=True, **common)
    image.tiffsave(path("vips_jpeg_rgb.tif"), compression="jpeg", Q=95, **common)
    image.copy(xres=20000, yres=20000).tiffsave(path("vips_off_by_ten.tif"), compression="deflate", predictor="horizontal", resunit="cm", **common)
    half, quarter = rgb[::2, ::2].copy(), rgb[::4, :148:4].copy()
    options = dict(photometric="ycbcr", compression="jpeg", compressionargs=dict(level=80), metadata=None)
    aperio = "Aperio Image Library v12.0.0\r\n150x100 (64x64) JPEG/RGB Q=80|AppMag = 20|MPP = 0.4990|Filename = made"
    with tifffile.TiffWriter(path("aperio.svs")) as out:
        out.write(rgb, tile=(64, 64), subsampling=(2, 2), description=aperio, **options)
        out.write(rgb[::3, ::3].copy(), rowsperstrip=77, subsampling=(2, 2), description="Aperio thumbnail", **options)
        out.write(quarter, tile=(64, 64), subsampling=(2, 2), description="Aperio level", **options)
        strips = dict(photometric="rgb", compression="lzw", metadata=None)
        out.write(make_image(40, 35), subfiletype=1, description="Aperio\r\nlabel 35x40", **strips)
        out.write(make_image(40, 120), subfiletype=9, description="Aperio\r\nmacro 120x40", **strips)
    with tifffile.TiffWriter(path("ome.tif"), ome=True) as out:
        meta = dict(axes="YXS", PhysicalSizeX=0.25, PhysicalSizeXUnit="µm", PhysicalSizeY=0.25, PhysicalSizeYUnit="µm")
        deflate = dict(photometric="rgb", tile=(64, 64), compression="zlib", predictor=2)
        out.write(rgb, subifds=2, metadata=meta, **deflate)
        out.write(half, subfiletype=1, **deflate)
        out.write(quarter, subfiletype=1, **deflate)
    result = {}
    for name in sorted(os.listdir(FOLDER)):
        if not name.startswith(("vips", "aperio", "ome")):
            continue
        with tifffile.TiffFile(path(name)) as file:
            pages = [*file.pages[:1], *(file.pages[0].pages or []), *file.pages[1:]]
            levels = [p for p in pages if p.is_tiled]
            at = [(i, None) for i, p in enumerate(file.pages) if p.is_tiled]
            if file.pages[0].pages:
                at = [(0, None), *((0, i) for i in range(len(file.pages[0].pages)))]
            assert len(at) == len(levels)
            result[name] = []
            for (page, sub), level in zip(at, levels):
                read = pyvips.Image.tiffload(path(name), page=page, **({} if sub is None else {"subifd": sub}))
                array = read.numpy()[..., :3]
                assert array.shape[:2] == (level.imagelength, level.imagewidth)
                result[name].append({"width": read.width, "height": read.height, "sha256": sha(array)})
    return result


if __name__ == "__main__":
    os.makedirs(FOLDER, exist_ok=True)
    for old in os.listdir(FOLDER):
        os.remove(os.path.join(FOLDER, old))
    expected = {"images": small(), "slides": pyramids()}
    with open(os.path.join(FOLDER, "expected.json"), "w") as f:
        f.write(json.dumps(expected, indent=1) + "\n")
    print(sum(os.path.getsize(os.path.join(FOLDER, n)) for n in os.listdir(FOLDER)), "bytes")
