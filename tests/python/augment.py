"""Fixture of augmentation: colours, stains, blur and enlargement of a small image.

Makes tests/fixtures/augment.json with torchvision (float tensors), scikit-image, SciPy and Pillow. The image is not
stored: bytes of a hash that the tests compute too.

    pip install torch torchvision scikit-image scipy "pillow<13" numpy
    python tests/python/augment.py
"""

import base64
import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
import torchvision
import torchvision.transforms.functional as T
from PIL import Image
from scipy.ndimage import gaussian_filter
from skimage.color import hed2rgb, rgb2hed
from skimage.color.colorconv import hed_from_rgb, rgb_from_hed

SIZE = 16


def mix(h):
    h ^= h >> 16
    h = h * 0x7FEB352D & 0xFFFFFFFF
    h ^= h >> 15
    h = h * 0x846CA68B & 0xFFFFFFFF
    return h ^ h >> 16


def make_image():
    """Hashed bytes; the first row black, white, grey and pure colours, then stained tissue in the lower half."""
    rgb = np.array([mix(i + 1) & 255 for i in range(SIZE * SIZE * 3)], np.uint8).reshape(SIZE, SIZE, 3)
    rgb[0, :8] = [[0] * 3, [255] * 3, [128] * 3, [255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [1, 2, 3]]
    rgb[8:] = 150 + rgb[8:] // 4 + np.array([30, -40, 20], np.int16)
    return rgb


def hed(x, scale, shift):
    """Concentrations in decadic optical density are six times scikit-image's, for its unit is ln(1e6); none is cut off."""
    stains = np.log(np.maximum(x, 1e-6)) / np.log(1e-6) @ hed_from_rgb
    stains = stains * np.array(scale) + np.array(shift) / 6
    return np.clip(np.exp(-(stains * -np.log(1e-6)) @ rgb_from_hed), 0, 1)


def enlarge(x, side):
    """The middle by grid_sample, whose unit square reaches to the outer borders of the pixels."""
    theta = torch.tensor([[[side, 0, 0], [0, side, 0]]], dtype=torch.float64)
    grid = F.affine_grid(theta, (1, 3, SIZE, SIZE), align_corners=False)
    tensor = torch.from_numpy(x).permute(2, 0, 1)[None]
    return F.grid_sample(tensor, grid, mode="bilinear", padding_mode="border", align_corners=False)[0].permute(1, 2, 0).numpy()


def main():
    rgb = make_image()
    x = rgb / 255.0
    tensor = torch.from_numpy(x).permute(2, 0, 1).float()
    back = lambda t: t.permute(1, 2, 0).numpy()
    adjust = [T.adjust_brightness, T.adjust_contrast, T.adjust_saturation, T.adjust_hue]
    out = []

    def add(name, given, result):
        values = np.ascontiguousarray(result, np.float32)
        out.append({"name": name, **given, "values": base64.b64encode(values.tobytes()).decode()})

    for place, factors in enumerate([(0.8, 1.2), (0.8, 1.17), (0.8, 1.2), (-0.05, 0.05, 0.3, -0.5)]):
        for factor in factors:
            add("jitter", {"order": [place], "factors": [factor] * 4}, back(adjust[place](tensor, factor)))
    for order in ([0, 1, 2, 3], [3, 1, 0, 2]):
        factors, result = [1.13, 0.84, 1.2, -0.03], tensor
        for place in order:
            result = adjust[place](result, factors[place])
        add("jitter", {"order": order, "factors": factors}, back(result))
    for scale, shift in [([1, 1, 1], [0, 0, 0]), ([1.05, 0.95, 1], [0.05, -0.05, 0.02]), ([0.95, 1.05, 1.03], [-0.04, 0.03, 0])]:
        add("hed", {"scale": scale, "shift": shift}, hed(x, scale, shift))
    # Where scikit-image cuts nothing off, its own functions give the same.
    stained = x[8:]
    own = rgb2hed(stained)
    kept = (own > 0).all(-1)
    given = own * np.array([1.05, 0.95, 1]) + np.array([0.05, 0.01, 0.02]) / 6
    theirs = hed2rgb(given)[kept]
    assert kept.any() and np.abs(theirs - hed(x, [1.05, 0.95, 1], [0.05, 0.01, 0.02])[8:][kept]).max() < 1e-6, kept.sum()
    for sigma in (0.1, 0.4, 1.5):
        result = gaussian_filter(x, (sigma, sigma, 0), mode="mirror")
        add("blur", {"sigma": sigma}, result)
    for side in (1, 0.97, 0.8**0.5, 0.5):
        add("zoom", {"side": side}, enlarge(x, side))
        low = SIZE * (1 - side) / 2
        pil = Image.fromarray(rgb).resize((SIZE, SIZE), Image.Resampling.BILINEAR, (low, low, SIZE - low, SIZE - low))
        add("pillow", {"side": side}, np.asarray(pil) / 255)
    versions = {"torch": torch.__version__, "torchvision": torchvision.__version__, "numpy": np.__version__}
    path = pathlib.Path(__file__).parents[1] / "fixtures" / "augment.json"
    path.write_text(json.dumps({"versions": versions, "size": SIZE, "cases": out}, indent=1) + "\n")
    print(path, path.stat().st_size, "bytes", len(out), "cases;", int(kept.sum()), "stained pixels agree with scikit-image")


main()
