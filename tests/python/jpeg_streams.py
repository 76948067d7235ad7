"""Makes tests/fixtures/jpeg_streams: JPEG streams whose markers, component names, sampling and tables say different things,
and what PIL (libjpeg-turbo, libtiff) reads in each, by itself and as the tile of a TIFF of each photometric (expected.json).

    pip install numpy tifffile imagecodecs pillow
    python tests/python/jpeg_streams.py
"""

import hashlib
import json
import os
import struct
import tempfile

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures", "jpeg_streams")
SIDE = 32  # tiles are multiples of 16


def segments(stream):
    """Marker and bytes of each segment; the last begins with SOS and goes to the end."""
    out, at = [], 2
    while stream[at + 1] != 0xDA:
        end = at + 2 + struct.unpack(">H", stream[at + 2 : at + 4])[0]
        out.append((stream[at + 1], stream[at:end]))
        at = end
    return [*out, (0xDA, stream[at:])]


def joined(parts):
    return b"\xff\xd8" + b"".join(data for _, data in parts)


def without(stream, *markers):
    return joined([part for part in segments(stream) if part[0] not in markers])


def named(stream, names):
    """Other names of the components, in the frame and in the scan."""
    out = []
    for marker, data in segments(stream):
        data = bytearray(data)
        if marker in (0xC0, 0xC1, 0xC2):
            for k in range(data[9]):
                data[10 + 3 * k] = names[k]
        if marker == 0xDA:
            for k in range(data[4]):
                data[5 + 2 * k] = names[k]
        out.append((marker, bytes(data)))
    return joined(out)


def adobe(stream, transform):
    mark = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00" + bytes([transform])
    return joined([(0xEE, mark), *segments(without(stream, 0xE0, 0xEE))])


def streams():
    y, x = np.mgrid[:SIDE, :SIDE]
    rng = np.random.default_rng(3)
    rgb = np.clip(np.stack([x * 6 + 20, y * 6 + 10, (x + y) * 4], -1) + rng.integers(0, 5, (SIDE, SIDE, 3)), 0, 255)
    rgb = rgb.astype(np.uint8)
    inks = np.concatenate([rgb, rgb[..., :1] // 2], -1)
    encode = lambda a, **kw: imagecodecs.jpeg8_encode(a, level=85, **kw)
    ycc = {s: encode(rgb, colorspace="rgb", outcolorspace="ycbcr", subsampling=s) for s in ("444", "422", "420", "440")}
    plain = encode(rgb, colorspace="rgb", outcolorspace="rgb")
    cmyk = encode(inks, colorspace="cmyk", outcolorspace="cmyk")
    ycck = encode(inks, colorspace="cmyk", outcolorspace="ycck", subsampling="444")
    bare = lambda s: without(s, 0xE0, 0xEE)
    jfif = segments(ycc["444"])[0]
    out = {f"ycc{s}_jfif": ycc[s] for s in ycc}
    out |= {f"ycc444_adobe{t}": adobe(ycc["444"], t) for t in (0, 1)}
    out |= {f"rgb_adobe{t}": adobe(plain, t) for t in (0, 1, 2)}
    out |= {f"cmyk_adobe{t}": adobe(cmyk, t) for t in (0, 1, 2)}
    out |= {f"ycck_adobe{t}": adobe(ycck, t) for t in (0, 2)}
    out |= {"ycc420_bare": bare(ycc["420"]), "cmyk_bare": bare(cmyk), "rgb_bare_123": named(bare(plain), b"\1\2\3")}
    out |= {"ycc444_bare_rgb": named(bare(ycc["444"]), b"RGB"), "rgb_bare_rgb": named(bare(plain), b"RGB")}
    out |= {"ycc444_bare_012": named(bare(ycc["444"]), b"\0\1\2"), "rgb_bare_012": named(bare(plain), b"\0\1\2")}
    out["rgb_jfif_adobe0"] = joined([jfif, *segments(adobe(plain, 0))])
    out["grey"] = encode(rgb[..., 0].copy())
    out["no_huffman"] = without(ycc["420"], 0xC4)
    out["no_quantisation"] = without(ycc["420"], 0xDB)
    out["extended"] = ycc["420"].replace(b"\xff\xc0", b"\xff\xc1", 1)
    out["larger"] = encode(np.pad(rgb, ((0, 16), (0, 16), (0, 0))), colorspace="rgb", outcolorspace="ycbcr", subsampling="420")
    out["lower"] = encode(rgb[:16].copy(), colorspace="rgb", outcolorspace="ycbcr", subsampling="420")
    out["deep"] = imagecodecs.jpeg_encode(rgb.astype(np.uint16) * 16, level=85, bitspersample=12)
    return out


def read(path):
    """Mode and SHA-256, or None where PIL refuses."""
    try:
        with Image.open(path) as image:
            return [image.mode, hashlib.sha256(np.asarray(image.convert("RGB")).tobytes()).hexdigest()]
    except Exception:
        return None


def as_tile(stream, photometric, subsampling):
    """What PIL reads of a TIFF with one tile."""
    samples = {"minisblack": 1, "separated": 4}.get(photometric, 3)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "a.tif")
        shape = (SIDE, SIDE) if samples == 1 else (SIDE, SIDE, samples)
        config = None if samples == 1 else "contig"
        kw = dict(subsampling=(2, 2)) if photometric == "ycbcr" else {}
        tifffile.imwrite(path, iter([stream]), shape=shape, dtype="u1", photometric=photometric, planarconfig=config,
                         compression="jpeg", tile=(SIDE, SIDE), metadata=None, **kw)
        with tifffile.TiffFile(path, mode="r+") as file:
            tags = file.pages[0].tags
            if photometric == "ycbcr":
                tags[530].overwrite(subsampling)
            elif photometric == "rgb":  # tifffile makes it YCbCr
                tags[262].overwrite(2)
        return read(path)


def main():
    os.makedirs(FOLDER, exist_ok=True)
    expected = {}
    for name, stream in streams().items():
        path = os.path.join(FOLDER, f"{name}.jpg")
        with open(path, "wb") as f:
            f.write(stream)
        expected[name] = {"plain": read(path), "tile": {}}
        kinds = ["minisblack"] if name == "grey" else ["separated"] if name.startswith(("cmyk", "ycck")) else ["rgb", "ycbcr"]
        if name in ("grey", "ycc444_jfif", "cmyk_adobe0"):
            kinds = ["minisblack", "rgb", "ycbcr", "separated"]
        for kind in kinds:
            # libtiff wants the tag of the subsampling to be that of the stream.
            sampling = (2, 2) if "420" in name or name in ("no_huffman", "no_quantisation", "extended", "larger", "lower") else (1, 1)
            sampling = {"ycc422_jfif": (2, 1), "ycc440_jfif": (1, 2)}.get(name, sampling)
            expected[name]["tile"][kind] = as_tile(stream, kind, sampling)
    with open(os.path.join(FOLDER, "expected.json"), "w") as f:
        json.dump(expected, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main()
