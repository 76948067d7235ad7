"""Makes tests/fixtures/h5 and tests/fixtures/images with h5py, anndata, numpy, PIL and imagecodecs, and what these
libraries read in them; with --read FOLDER, reads what this project wrote there (see tests/fixtures/h5/README.md).

    pip install h5py anndata numpy pillow imagecodecs safetensors
    python tests/python/files.py
"""

import hashlib
import io
import json
import os
import struct
import sys
import zlib

import h5py
import numpy as np
from PIL import Image, ImageOps

HERE = os.path.dirname(os.path.abspath(__file__))
H5 = os.path.join(HERE, "..", "fixtures", "h5")
IMAGES = os.path.join(HERE, "..", "fixtures", "images")
UTF8 = h5py.string_dtype()
SIZE = 12


def sha(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


# ---------------------------------------------------------------- HDF5


def patches(path, n, *, image="img", barcode="barcode", places=None, attributes=(), rows=1, fixed=False, column=True, **kw):
    """A patch file; returns what a reader must find."""
    rng = np.random.default_rng(n)
    pixels = rng.integers(0, 256, (n, SIZE, SIZE, 3), dtype=np.uint8)
    names = [f"{'ACGT'[i % 4] * 3}é{i}-1" if i % 3 == 2 and not fixed else f"SPOT{i}-1" for i in range(n)]
    with h5py.File(os.path.join(H5, path), "w") as f:
        if image:
            d = f.create_dataset(image, data=pixels, chunks=(rows, SIZE, SIZE, 3), maxshape=(None, SIZE, SIZE, 3), **kw)
            d.attrs.update(dict(attributes))
        if places is not None:
            d = f.create_dataset("coords", data=places, chunks=(1, 2), maxshape=(None, 2))
            if not image:
                d.attrs.update(dict(attributes))
        if barcode:
            data = np.array([s.encode() for s in names]) if fixed else np.array(names, dtype=object)
            data = data.reshape(-1, 1) if column else data
            f.create_dataset(barcode, data=data, dtype=None if fixed else UTF8)
    return {"count": n, "sha256": sha(pixels), "barcodes": names if barcode else None}


def hdf5():
    expected = {}
    top = np.array([[100 + 7 * i, 2000 - 3 * i] for i in range(5)], dtype=np.int64)
    current = dict(patch_size_src=29, patch_size_target=SIZE, downsample=29 / SIZE, pixel_size=0.2069)
    expected["current"] = patches("current.h5", 5, places=top, attributes=current)
    # Side on the slide 28.57 px: the file of 2024 stored round(), the current one floors half of it.
    v1 = dict(patch_size=29, factor=0.5 / 0.21)
    expected["v1"] = patches("v1.h5", 5, places=(top + 14)[:, ::-1], attributes=v1)
    expected["hestcore_102"] = patches("hestcore_102.h5", 3, barcode="barcodes", attributes=dict(current))
    expected["imgs"] = patches("imgs.h5", 3, image="imgs", barcode="barcodes", fixed=True, column=False)
    expected["float_attributes"] = patches(
        "float_attributes.h5", 2, places=top[:2].astype(np.int32),
        attributes={k: np.float32(v) for k, v in current.items()}, barcode=None)
    expected["gzip"] = patches("gzip.h5", 11, places=np.zeros((11, 2), np.int64), rows=4, compression="gzip", shuffle=True, fletcher32=True)
    expected["lzf"] = patches("lzf.h5", 3, rows=2, compression="lzf")
    patches("coords_only.h5", 5, image=None, places=top, attributes=current)
    trident = dict(patch_size=256, patch_size_level0=512, level0_magnification=40, target_magnification=20, overlap=0,
                   name="slide", savetodir="/data", level0_width=9000, level0_height=8000)
    patches("trident_coords.h5", 5, image=None, barcode=None, places=top, attributes=trident)
    patches("float_coords.h5", 2, places=top[:2] + 0.5, attributes=current)

    with h5py.File(os.path.join(H5, "types.h5"), "w") as f:
        for letter in ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", ">i4", ">f4", ">u2"]:
            f[f"n/{letter.replace('>', 'be_')}"] = np.array([[0, 1, 2], [3, 100, 7]], dtype=letter)
        f["n/bool"] = np.array([True, False])
        f["n/scalar"] = np.int64(2**53 - 1)
        f["n/huge"] = np.array([2**53 + 1], dtype=np.int64)
        f["s/utf8"] = np.array(["α", "", "long " * 20], dtype=object)
        f.create_dataset("s/ascii", data=np.array([b"a", b"bc"], dtype=object), dtype=h5py.string_dtype("ascii"))
        f["s/fixed"] = np.array([b"ab", b"cde", b""])
        f["s/scalar"] = "one"
        f["o/empty"] = h5py.Empty("f4")
        f["o/none"] = np.zeros((0, 4), np.float32)
        f["o/compound"] = np.zeros(2, dtype=[("a", "i4"), ("b", "f8")])
        f["o/soft"] = h5py.SoftLink("/n/i4")
        f["o/dangling"] = h5py.SoftLink("/nowhere")
        f["o/outside"] = h5py.ExternalLink("/etc/passwd", "/")
        layout = h5py.VirtualLayout(shape=(4,), dtype="i4")
        layout[:] = h5py.VirtualSource("other.h5", "x", shape=(4,))
        f.create_virtual_dataset("o/virtual", layout)
        f.create_dataset("c/scaleoffset", data=np.arange(50), scaleoffset=0, chunks=(10,))
        f.create_dataset("c/gzip9", data=np.arange(1000, dtype="f4").reshape(100, 10), chunks=(7, 10), compression=9)
        a = f["n"].attrs
        a["text"] = "µm"
        a["bytes"] = np.bytes_(b"fixed")
        a["list"] = ["x", "yy"]
        a["int"] = 5
        a["int32"] = np.int32(-5)
        a["huge"] = 2**60 + 1
        a["float32"] = np.float32(0.5)
        a["numbers"] = [1.5, 2.5]
        a["flag"] = True
        a["empty"] = h5py.Empty("f4")
        a["none"] = np.zeros(0)
    with h5py.File(os.path.join(H5, "latest.h5"), "w", libver="latest") as f:
        for k in range(20):
            f.attrs[f"a{k}"] = k
            f.create_dataset(f"d{k}", data=np.arange(30), chunks=(4,), maxshape=(None,))
        f.create_dataset("g/z", data=np.arange(300), chunks=(10,), compression="gzip")

    rng = np.random.default_rng(7)
    x = rng.normal(size=(6, 5)).astype(np.float32)
    with h5py.File(os.path.join(H5, "trident_features.h5"), "w") as f:
        d = f.create_dataset("features", data=x, chunks=(1, 5), maxshape=(None, 5))
        d.attrs["name"] = "slide"
        f.create_dataset("coords", data=np.arange(12).reshape(6, 2), chunks=(1, 2), maxshape=(None, 2))
    with h5py.File(os.path.join(H5, "bench_embeddings.h5"), "w") as f:
        f["embeddings"] = x.astype(np.float16)
        f["barcodes"] = np.array([[f"S{i}".encode()] for i in range(6)])
        f["coords"] = np.arange(12).reshape(6, 2)
    with h5py.File(os.path.join(H5, "clam_features.h5"), "w") as f:
        f["features"] = x[None]
    import anndata
    import pandas as pd

    a = anndata.AnnData(x, obs=pd.DataFrame(index=[f"B{i}" for i in range(6)]))
    a.obsm["spatial"] = np.arange(12.0).reshape(6, 2) + 0.5
    a.write_h5ad(os.path.join(H5, "features.h5ad"), compression="gzip")
    np.save(os.path.join(H5, "features.npy"), x)
    np.save(os.path.join(H5, "half.npy"), x.astype(np.float16))
    np.save(os.path.join(H5, "fortran.npy"), np.asfortranarray(x))
    np.save(os.path.join(H5, "images.npy"), rng.integers(0, 256, (3, 4, 5, 3), dtype=np.uint8))
    expected["features"] = {"values": [float(v) for v in x.ravel()], "half": [float(v) for v in x.astype(np.float16).ravel()]}
    expected["images"] = {"sha256": sha(np.load(os.path.join(H5, "images.npy")))}
    with open(os.path.join(H5, "expected.json"), "w") as f:
        json.dump(expected, f, indent=1, ensure_ascii=False)
        f.write("\n")


# ---------------------------------------------------------------- PNG, written by hand to reach every kind

ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def paeth(a, b, c):
    p = a + b - c
    pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
    return a if pa <= pb and pa <= pc else b if pb <= pc else c


def filtered(rows, bpp):
    """All five filters in turn."""
    out = bytearray()
    before = bytes(len(rows[0]))
    for i, row in enumerate(rows):
        kind = i % 5
        out.append(kind)
        for k, x in enumerate(row):
            a = row[k - bpp] if k >= bpp else 0
            b = before[k]
            c = before[k - bpp] if k >= bpp else 0
            out.append((x - [0, a, b, (a + b) // 2, paeth(a, b, c)][kind]) & 255)
        before = row
    return bytes(out)


def packed(line, depth):
    if depth == 16:
        return b"".join(struct.pack(">H", int(v)) for v in line)
    bits = "".join(format(int(v), f"0{depth}b") for v in line)
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))


def png(w, h, depth, kind, interlaced, rng, palette=None, transparency=None, parts=1, top=None):
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
    a = rng.integers(0, top or (len(palette) // 3 if palette else 1 << depth), (h, w, channels))
    raw = b""
    for x, y, dx, dy in ADAM7 if interlaced else [(0, 0, 1, 1)]:
        part = a[y::dy, x::dx]
        if part.size:
            raw += filtered([packed(line.reshape(-1), depth) for line in part], max(1, channels * depth // 8))
    z = zlib.compress(raw, 9)
    step = -(-len(z) // parts)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, depth, kind, 0, 0, interlaced))
            + (chunk(b"PLTE", palette) if palette else b"") + (chunk(b"tRNS", transparency) if transparency else b"")
            + b"".join(chunk(b"IDAT", z[i : i + step]) for i in range(0, len(z), step)) + chunk(b"IEND", b""))


def make_image(h, w, seed=0):
    """Waves, noise and a box of saturated colour, whose edges show how chroma is upsampled."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:h, 0:w]
    a = np.stack([128 + 90 * np.sin(x / 5) + 20 * np.cos(y / 3), 128 + 80 * np.cos((x + y) / 7),
                  128 + 100 * np.sin(y / 4) * np.cos(x / 9)], -1) + rng.normal(0, 12, (h, w, 3))
    a[h // 3 : h // 2, w // 4 : w // 2] = [220, 20, 120]
    return np.clip(a, 0, 255).astype(np.uint8)


def images():
    import imagecodecs

    files = {}
    rng = np.random.default_rng(3)
    for interlaced in (0, 1):
        for kind, depths in {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}.items():
            for depth in depths:
                palette = rng.integers(0, 256, 3 * min(1 << depth, 200), dtype=np.uint8).tobytes() if kind == 3 else None
                clear = {0: struct.pack(">H", 1), 2: struct.pack(">HHH", 1, 2, 3), 3: b"\x00\x80"}.get(kind)
                name = f"png_type{kind}_depth{depth}{'_interlaced' if interlaced else ''}.png"
                files[name] = png(13, 9, depth, kind, interlaced, rng, palette, clear if interlaced else None, 1 + 2 * interlaced)
    files["png_1x1_interlaced.png"] = png(1, 1, 8, 2, 1, rng)
    files["png_beyond_palette.png"] = png(4, 4, 8, 3, 0, rng, bytes([200, 1, 2, 9, 8, 7]), top=8)

    def save(name, array, mode="RGB", **kw):
        out = io.BytesIO()
        Image.fromarray(array).convert(mode).save(out, "JPEG", **kw)
        files[name] = out.getvalue()

    a = make_image(53, 43)
    save("jpeg_444.jpg", a, subsampling=0, quality=90)
    save("jpeg_422.jpg", a, subsampling=1)
    save("jpeg_420.jpg", a, subsampling=2, optimize=True)
    save("jpeg_restart.jpg", a, subsampling=2, restart_marker_blocks=2)
    save("jpeg_progressive_444.jpg", a, subsampling=0, progressive=True, quality=95)
    save("jpeg_progressive_420.jpg", a, subsampling=2, progressive=True, restart_marker_rows=1)
    save("jpeg_coarse.jpg", a, subsampling=2, progressive=True, quality=3)
    save("jpeg_grey.jpg", a, "L")
    save("jpeg_grey_progressive.jpg", a, "L", progressive=True)
    save("jpeg_cmyk.jpg", a, "CMYK")
    save("jpeg_cmyk_progressive_420.jpg", a, "CMYK", subsampling=2, progressive=True)
    for w, h in [(1, 1), (2, 2), (3, 5), (17, 1), (1, 17)]:
        save(f"jpeg_420_{w}x{h}.jpg", make_image(max(h, 4), max(w, 4), w)[:h, :w], subsampling=2)
    for sub in ("440", "411"):
        files[f"jpeg_{sub}.jpg"] = imagecodecs.jpeg8_encode(a, level=85, subsampling=sub)
    files["jpeg_rgb.jpg"] = imagecodecs.jpeg8_encode(a, level=85, colorspace="RGB", outcolorspace="RGB")
    cmyk = np.asarray(Image.fromarray(a).convert("CMYK"))
    files["jpeg_ycck.jpg"] = imagecodecs.jpeg8_encode(cmyk, level=85, colorspace="CMYK", outcolorspace="YCCK")
    exif = Image.Exif()
    exif[0x0112] = 6
    save("jpeg_turned.jpg", a, exif=exif)

    expected = {}
    for name, data in files.items():
        with open(os.path.join(IMAGES, name), "wb") as f:
            f.write(data)
        with Image.open(io.BytesIO(data)) as im:
            mode = im.mode
            rgb = np.asarray(im.convert("RGB"))
            shown = np.asarray(ImageOps.exif_transpose(im).convert("RGB"))
        expected[name] = {"mode": mode, "width": rgb.shape[1], "height": rgb.shape[0], "sha256": sha(rgb)}
        if shown.shape != rgb.shape or (shown != rgb).any():
            expected[name]["shown"] = sha(shown)
    with open(os.path.join(IMAGES, "expected.json"), "w") as f:
        json.dump(expected, f, indent=1)
        f.write("\n")


# ---------------------------------------------------------------- what the originals read in our files


def describe(folder):
    """Prints what h5py, anndata, numpy, safetensors and pandas read in files of this project."""
    import anndata
    import pandas as pd
    import safetensors
    import safetensors.numpy

    path = lambda ending: os.path.join(folder, f"SLIDE.{ending}")
    with h5py.File(path("h5")) as f:
        x = f["features"][:]
        print("h5py", h5py.__version__, {k: (v.shape, str(v.dtype), v.chunks, v.maxshape) for k, v in f.items()})
        print("  features", dict(f["features"].attrs))
        print("  coords", dict(f["coords"].attrs), f["coords"][:2].tolist())
        print("  barcode", f["barcode"].asstr()[:2].ravel().tolist(), "sum", float(x.sum(dtype="f8")))
    a = anndata.read_h5ad(path("h5ad"))
    print("anndata", a.shape, a.X.dtype, a.obs_names[:2].tolist(), a.var_names[:2].tolist(), a.obsm["spatial"][:2].tolist())
    print("  uns", {k: (v.item() if hasattr(v, "item") else v) for k, v in a.uns["embedding"].items()})
    a.write_h5ad(path("again.h5ad"))
    n = np.load(path("npy"), mmap_mode="r")
    print("numpy", n.shape, n.dtype, n.flags.c_contiguous)
    s = safetensors.numpy.load_file(path("safetensors"))
    with safetensors.safe_open(path("safetensors"), "np") as f:
        print("safetensors", {k: (v.shape, str(v.dtype)) for k, v in s.items()}, f.metadata()["encoder"])
    c = pd.read_csv(path("csv"))
    print("pandas", c.shape, c.columns[:4].tolist(), c.iloc[0, :4].tolist())
    values = c.iloc[:, 3:].to_numpy(dtype="f4")
    print("equal", np.array_equal(x, a.X), np.array_equal(x, n), np.array_equal(x, s["features"]), np.array_equal(x, values))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--read"]:
        describe(sys.argv[2])
    else:
        os.makedirs(H5, exist_ok=True)
        os.makedirs(IMAGES, exist_ok=True)
        hdf5()
        images()
