"""preprocess.json: what Pillow, torchvision and timm make of files and images before an encoder sees them.

  files      a file in base64 and the bytes [h, w, 3] of Image.open(file).convert("RGB"), in base64
  raw        the same for pixels given directly, in modes that no small file format stores
  pipelines  an encoder's transform: SHA-256 of the u8 crop and of the float32 result, and some of its elements
  crops      torchvision's CenterCrop alone: SHA-256

Images of pipelines and crops are not stored: element i of the bytes [h, w, 3] is mix(i + 1) >> 24, as in resize.json.
"""

from __future__ import annotations

import base64
import hashlib
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL
import torchvision
from PIL import Image
from timm.data import create_transform
from torchvision import transforms
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import center_crop

from . import common as c

H, W = 5, 7


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def sha(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def make_image(height: int, width: int) -> np.ndarray:
    x = c.mix(np.arange(1, height * width * 3 + 1, dtype=np.uint32)) >> 24
    return x.astype(np.uint8).reshape(height, width, 3)


def values(label: str, channels: int, bits: int) -> np.ndarray:
    """[H, W, channels] of the given depth, with both extremes."""
    x = (c.noise(f"preprocess/{label}", H * W * channels) >> (32 - bits)).reshape(H, W, channels)
    x[0, 0], x[0, 1] = 0, (1 << bits) - 1
    return x


def png(color: int, bits: int, x: np.ndarray, palette: bytes = b"", alpha: bytes = b"") -> bytes:
    """A PNG without compression, so that its bytes do not depend on a zlib."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = []
    for row in x:
        flat = row.reshape(-1)
        if bits == 16:
            rows.append(flat.astype(">u2").tobytes())
        elif bits == 8:
            rows.append(flat.astype(np.uint8).tobytes())
        else:
            digits = ((flat[:, None] >> np.arange(bits - 1, -1, -1)) & 1).reshape(-1)
            rows.append(np.packbits(digits.astype(np.uint8)).tobytes())
    data = b"".join(b"\0" + row for row in rows)
    stored = b"\x78\x01\x01" + struct.pack("<HH", len(data), len(data) ^ 0xFFFF) + data
    stored += struct.pack(">I", zlib.adler32(data))
    body = chunk(b"IHDR", struct.pack(">IIBBBBB", W, H, bits, color, 0, 0, 0))
    body += chunk(b"PLTE", palette) if palette else b""
    body += chunk(b"tRNS", alpha) if alpha else b""
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IDAT", stored) + chunk(b"IEND", b"")


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def file_record(name: str, data: bytes, note: str = "") -> dict:
    image = Image.open(io.BytesIO(data))
    image.load()
    rgb = np.asarray(image.convert("RGB"))
    record = {"name": name, "mode": image.mode, "size": [rgb.shape[0], rgb.shape[1]]}
    return {**record, **({"note": note} if note else {}), "file": b64(data), "rgb": b64(rgb.tobytes())}


def files() -> list[dict]:
    colours = values("palette", 3, 8).astype(np.uint8).tobytes()[: 16 * 3]
    rgb = Image.fromarray(c.tiles("preprocess/jpeg", 16, 24, 1)[0].numpy())
    exif = Image.Exif()
    exif[0x0112] = 6
    quality = {"quality": 95, "subsampling": 0}
    sixteen = "Pillow clips 16-bit grey at 255 instead of scaling it: nearly everything is white"
    high = "Pillow keeps the high byte"
    return [
        file_record("grey.png", png(0, 8, values("grey", 1, 8))),
        file_record("grey_1bit.png", png(0, 1, values("bit", 1, 1))),
        file_record("grey_4bit.png", png(0, 4, values("four", 1, 4)), "levels times 17"),
        file_record("grey_16bit.png", png(0, 16, values("grey16", 1, 16)), sixteen),
        file_record("grey_alpha.png", png(4, 8, values("la", 2, 8)), "alpha dropped, not blended"),
        file_record("grey_alpha_16bit.png", png(4, 16, values("la16", 2, 16)), high),
        file_record("rgb.png", png(2, 8, values("rgb", 3, 8))),
        file_record("rgb_16bit.png", png(2, 16, values("rgb16", 3, 16)), high),
        file_record("rgba.png", png(6, 8, values("rgba", 4, 8)), "alpha dropped, not blended"),
        file_record("rgba_16bit.png", png(6, 16, values("rgba16", 4, 16)), high),
        file_record("palette.png", png(3, 4, values("index", 1, 4), colours)),
        file_record("palette_alpha.png", png(3, 4, values("index", 1, 4), colours, bytes(range(0, 160, 10))),
                    "transparency dropped, not blended"),
        file_record("rgb.jpg", saved(rgb, "JPEG", **quality), "decoders may differ by one level"),
        file_record("rgb_420.jpg", saved(rgb, "JPEG", quality=90), "4:2:0, upsampled by libjpeg's triangle filter"),
        file_record("grey.jpg", saved(rgb.convert("L"), "JPEG", quality=95), "decoders may differ by one level"),
        file_record("cmyk.jpg", saved(rgb.convert("CMYK"), "JPEG", **quality), "Adobe CMYK, stored inverted"),
        file_record("rotated.jpg", saved(rgb, "JPEG", exif=exif, **quality), "EXIF orientation 6 is not applied"),
        file_record("rgb.tif", saved(rgb, "TIFF")),
        file_record("cmyk.tif", saved(rgb.convert("CMYK"), "TIFF")),
    ]


def raw() -> list[dict]:
    records = []
    for mode, channels, dtype, bits in (("CMYK", 4, np.uint8, 8), ("I;16", 1, np.uint16, 16)):
        x = values(mode, channels, bits).astype(dtype)
        image = Image.frombytes(mode, (W, H), x.tobytes())
        records.append({"mode": mode, "size": [H, W], "pixels": b64(x.tobytes()),
                        "rgb": b64(np.asarray(image.convert("RGB")).tobytes())})
    return records


def from_timm(size: int, crop_pct: float, interpolation: str, mean_std: tuple) -> transforms.Compose:
    return create_transform(input_size=(3, size, size), interpolation=interpolation, crop_pct=crop_pct,
                            mean=mean_std[0], std=mean_std[1])


def from_torchvision(resize: int, crop: int, interpolation: str, mean_std: tuple) -> transforms.Compose:
    return transforms.Compose([
        transforms.Resize(resize, interpolation=InterpolationMode(interpolation)), transforms.CenterCrop(crop),
        transforms.ToTensor(), transforms.Normalize(*mean_std),
    ])


def pipelines() -> list[dict]:
    rows: list[tuple[str, str, Callable[[], transforms.Compose], int, int, str, tuple]] = []

    def timm_row(encoder: str, size: int, crop_pct: float, interpolation: str, mean_std: tuple) -> None:
        args = (size, crop_pct, interpolation, mean_std)
        rows.append((encoder, "timm", lambda: from_timm(*args), int(size / crop_pct), size, interpolation, mean_std))

    def torchvision_row(encoder: str, resize: int, crop: int, interpolation: str, mean_std: tuple) -> None:
        args = (resize, crop, interpolation, mean_std)
        rows.append((encoder, "torchvision", lambda: from_torchvision(*args), resize, crop, interpolation, mean_std))

    torchvision_row("conch_v1", 448, 448, "bicubic", c.CLIP)
    torchvision_row("conch_v15", 448, 448, "bilinear", c.IMAGENET)
    torchvision_row("uni", 224, 224, "bilinear", c.IMAGENET)
    timm_row("virchow2", 224, 1.0, "bicubic", c.IMAGENET)
    timm_row("h0mini", 224, 1.0, "bicubic", c.OPTIMUS)
    torchvision_row("gigapath", 256, 224, "bicubic", c.IMAGENET)
    torchvision_row("hibou", 224, 224, "bicubic", c.HIBOU)
    torchvision_row("musk", 384, 384, "bicubic", c.HALF)
    torchvision_row("kaiko", 224, 224, "bilinear", c.HALF)
    timm_row("lunit_s8", 224, 0.9, "bicubic", c.LUNIT)
    timm_row("timm_vit", 224, 0.9, "bicubic", c.HALF)
    timm_row("timm default", 224, 0.875, "bicubic", c.IMAGENET)
    timm_row("dinov2", 518, 1.0, "bicubic", c.IMAGENET)

    records = []
    for encoder, source, build, resize, crop, interpolation, mean_std in rows:
        steps = build()
        for height, width in ((224, 224), (256, 256), (300, 451), (231, 225)):
            image = Image.fromarray(make_image(height, width))
            cropped = steps.transforms[1](steps.transforms[0](image))
            x = steps(image).numpy()
            assert cropped.size == (crop, crop) and x.shape == (3, crop, crop) and x.dtype == np.float32
            at = [(0, 0, 0), (1, crop // 2, crop // 3), (2, crop - 1, crop - 1)]
            records.append({
                "encoder": encoder, "source": source, "from": [height, width], "resize": resize, "crop": crop,
                "interpolation": interpolation, "mean": mean_std[0], "std": mean_std[1],
                "sha256": sha(np.asarray(cropped)), "float_sha256": sha(x),
                "elements": [[*i, float(f"{x[i]:.9g}")] for i in at],
            })
    return records


def crops() -> list[dict]:
    records = []
    for height, width, crop in ((9, 11, 8), (13, 15, 8), (8, 9, 8), (5, 8, 8), (6, 13, 8), (3, 4, 9)):
        out = np.asarray(center_crop(Image.fromarray(make_image(height, width)), [crop, crop]))
        records.append({"from": [height, width], "crop": crop, "sha256": sha(out), "sum": int(out.astype(int).sum())})
    return records


def make(root: Path) -> None:
    assert int(PIL.__version__.split(".")[0]) < 13, "Pillow 13 resizes tall images in another order"
    c.write_json(root / "preprocess.json", {
        "made": "tests/python/encoders.py",
        "versions": {"pillow": PIL.__version__, "torchvision": torchvision.__version__.split("+")[0]},
        "files": files(), "raw": raw(), "pipelines": pipelines(), "crops": crops(),
    })


def jobs() -> dict[str, Callable[[Path], None]]:
    return {"preprocess": make}
