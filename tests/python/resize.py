"""Makes tests/fixtures/resize.json: what Pillow, torchvision, PyTorch and timm make of images and position tables.

Inputs are not stored. Element i of an image is the byte  mix(i) >> 24  and of a table the number
mix(i) / 2^31 - 1  rounded to float32, with u32 arithmetic:
  mix(h):  h ^= h >> 16; h *= 0x7feb352d; h ^= h >> 15; h *= 0x846ca68b; h ^= h >> 16      starting from h = i + 1

  pillow      uint8 results as SHA-256 of the bytes [h, w, 3]; `crop` is torchvision's CenterCrop after the resize
  float       float32 results of F.interpolate on the bytes of an image as numbers
  positions   timm's resample_abs_pos_embed, the loaders' own F.interpolate calls otherwise
  patches     conv2d on normalised bytes, in float64, and its weight gradient for the output gradient  table(i)

    python tests/python/resize.py            write the fixture
    python tests/python/resize.py --check    run again and compare with the committed file

Needs torch, torchvision, timm, pillow<13 and numpy from PyPI. CPU, seconds. Pillow 13 swaps its two passes where the
height shrinks by more than twice as many pixels as the width, which moves single levels of tall images. The engine
repeats the order of all versions before, with which the encoders were trained: along rows, then along columns.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import PIL
import timm
import torch
import torch.nn.functional as F
from PIL import Image
from timm.layers.pos_embed import resample_abs_pos_embed
from torchvision.transforms.functional import center_crop

PATH = Path(__file__).parent.parent / "fixtures" / "resize.json"
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def mix(count: int) -> np.ndarray:
    h = np.arange(1, count + 1, dtype=np.uint32)
    h ^= h >> 16
    h *= np.uint32(0x7FEB352D)
    h ^= h >> 15
    h *= np.uint32(0x846CA68B)
    h ^= h >> 16
    return h


def image(*shape: int) -> np.ndarray:
    return (mix(int(np.prod(shape))) >> 24).astype(np.uint8).reshape(shape)


def table(*shape: int) -> torch.Tensor:
    return torch.from_numpy((mix(int(np.prod(shape))) / 2.0**31 - 1).astype(np.float32).reshape(shape))


def numbers(x: torch.Tensor) -> list[float]:
    return [float(f"{v:.9g}") for v in x.flatten().tolist()]


def pillow(height: int, width: int, to: tuple[int, int], name: str, crop: int | None = None) -> dict:
    modes = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
    out = Image.fromarray(image(height, width, 3)).resize((to[1], to[0]), modes[name])
    record = {"from": [height, width], "to": list(to), "filter": name}
    if crop:
        out = center_crop(out, [crop, crop])
        record["crop"] = crop
    return {**record, "sha256": hashlib.sha256(np.asarray(out).tobytes()).hexdigest()}


def floating(height: int, width: int, to: tuple[int, int], name: str, antialias: bool) -> dict:
    x = torch.from_numpy(image(height, width, 3)).permute(2, 0, 1)[None].float()
    y = F.interpolate(x, size=to, mode=name, antialias=antialias, align_corners=False)[0].permute(1, 2, 0)
    return {"from": [height, width], "to": list(to), "filter": name, "antialias": antialias, "y": numbers(y)}


def positions(rule: str, start: tuple[int, int], to: tuple[int, int], prefix: int, width: int) -> dict:
    x = table(prefix + start[0] * start[1], width)
    if rule == "timm":
        y = resample_abs_pos_embed(x[None], list(to), list(start), num_prefix_tokens=prefix)[0]
    else:
        grid = x[prefix:].reshape(1, *start, width).permute(0, 3, 1, 2)
        options = {
            "hf": {"size": to, "mode": "bicubic"},
            "dinov2": {"scale_factor": ((to[0] + 0.1) / start[0], (to[1] + 0.1) / start[1]), "mode": "bicubic"},
            "bilinear": {"size": to, "mode": "bilinear"},
        }[rule]
        grid = F.interpolate(grid, align_corners=False, **options)
        assert grid.shape[-2:] == to
        y = torch.cat([x[:prefix], grid.permute(0, 2, 3, 1).reshape(-1, width)])
    return {"rule": rule, "from": list(start), "to": list(to), "prefix": prefix, "width": width, "y": numbers(y)}


def patches(batch: int, height: int, width: int, patch: int, dim: int) -> dict:
    x = torch.from_numpy(image(batch, height, width, 3)).double() / 255
    x = ((x - torch.tensor(MEAN).double()) / torch.tensor(STD).double()).permute(0, 3, 1, 2)
    weight = table(dim, 3, patch, patch).double().requires_grad_()
    bias = table(dim).double()
    y = F.conv2d(x, weight, bias, stride=patch).flatten(2).transpose(1, 2)
    (y * table(*y.shape)).sum().backward()
    shape = {"images": [batch, height, width, 3], "patch": patch, "dim": dim, "mean": MEAN, "std": STD}
    return {**shape, "y": numbers(y.detach()), "dweight": numbers(weight.grad)}


def make() -> dict:
    assert int(PIL.__version__.split(".")[0]) < 13, "Pillow 13 resizes tall images in another order"
    return {
        "made": "tests/python/resize.py",
        "versions": {"pillow": PIL.__version__, "torch": torch.__version__.split("+")[0], "timm": timm.__version__},
        "pillow": [
            pillow(257, 300, (224, 261), "bilinear"),
            pillow(257, 300, (224, 261), "bicubic", 224),
            pillow(224, 224, (256, 256), "bicubic", 224),
            pillow(448, 448, (384, 384), "bicubic"),
            pillow(512, 512, (448, 448), "bilinear"),
            pillow(224, 224, (248, 248), "bicubic", 224),
            pillow(37, 29, (17, 22), "bilinear"),
            pillow(19, 41, (53, 7), "bicubic"),
            pillow(5, 300, (5, 3), "bicubic"),
            pillow(1, 1, (3, 2), "bilinear"),
        ],
        "float": [
            floating(13, 17, (5, 9), name, antialias)
            for name in ("bilinear", "bicubic")
            for antialias in (True, False)
        ] + [floating(7, 5, (12, 8), "bicubic", True), floating(7, 5, (12, 8), "bicubic", False)],
        "positions": [
            positions("timm", (28, 28), (14, 14), 1, 2),
            positions("timm", (37, 37), (16, 16), 0, 1),
            positions("timm", (14, 14), (16, 12), 5, 2),
            positions("hf", (14, 14), (16, 16), 1, 2),
            positions("hf", (37, 37), (16, 16), 1, 1),
            positions("dinov2", (37, 37), (16, 16), 1, 1),
            positions("dinov2", (14, 14), (28, 28), 1, 1),
            positions("bilinear", (28, 28), (14, 14), 1, 1),
        ],
        "patches": [patches(2, 8, 12, 4, 5), patches(1, 28, 14, 14, 3)],
    }


def main() -> int:
    record = make()
    if "--check" not in sys.argv[1:]:
        groups = {key: value for key, value in record.items() if isinstance(value, list)}
        head = {key: value for key, value in record.items() if key not in groups}
        lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
        for key, rows in groups.items():
            body = ",\n".join(f"    {json.dumps(row)}" for row in rows)
            lines.append(f"  {json.dumps(key)}: [\n{body}\n  ]")
        PATH.write_text("{\n" + ",\n".join(lines) + "\n}\n")
        print(f"{PATH.name}: {PATH.stat().st_size} bytes")
        return 0
    old = json.loads(PATH.read_text())
    bad = [] if old["pillow"] == record["pillow"] else ["pillow"]
    for key in ("float", "positions", "patches"):
        for i, (a, b) in enumerate(zip(old[key], record[key], strict=True)):
            # Another CPU may round the last bits differently.
            if not np.allclose(a["y"], b["y"], rtol=1e-5, atol=1e-5 * float(np.abs(b["y"]).max())):
                bad.append(f"{key} {i}")
    print("same" if not bad else f"differs: {', '.join(bad)}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
