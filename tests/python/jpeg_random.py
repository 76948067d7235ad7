"""Makes tests/fixtures/jpeg_random: JPEG files of random sizes, samplings, qualities, tables, scans and restart intervals, by
Pillow, libjpeg-turbo and an encoder of random coefficients below (any sampling, component by component, coefficients out of
range), and what Pillow reads in each (expected.json: mode and SHA-256 of RGB, or null where it refuses the file).

    pip install numpy pillow imagecodecs
    python tests/python/jpeg_random.py
    python tests/python/jpeg_random.py --out DIR --count 1000 --side 300    # then: deno run -A scripts/jpeg_random.ts DIR
"""

import argparse
import hashlib
import io
import json
import os
import warnings

import imagecodecs
import numpy as np
from PIL import Image, ImageFile

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures", "jpeg_random")
ZIGZAG = sorted(range(64), key=lambda i: (i // 8 + i % 8, i // 8 if (i // 8 + i % 8) % 2 else i % 8))


def make_image(rng, width, height, channels):
    """Something like stained tissue: soft shapes and noise."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / rng.uniform(2, 30) + rng.uniform(0, 6)) * np.cos(y / rng.uniform(2, 30)) for _ in range(channels)]
    a = rng.uniform(60, 220, channels) + np.stack(waves, -1) * rng.uniform(0, 90)
    return np.clip(a + rng.normal(0, rng.uniform(0, 30), a.shape), 0, 255).astype(np.uint8)


def by_pillow(rng, width, height):
    mode = rng.choice(["RGB"] * 6 + ["L", "CMYK"])
    a = make_image(rng, width, height, {"RGB": 3, "L": 1, "CMYK": 4}[mode])
    options = dict(quality=int(rng.integers(1, 101)), progressive=bool(rng.integers(2)), optimize=bool(rng.integers(2)))
    if mode != "L":
        options["subsampling"] = int(rng.integers(3))
    restart = rng.integers(3)
    if restart:
        options["restart_marker_blocks" if restart == 1 else "restart_marker_rows"] = int(rng.integers(1, 12))
    out = io.BytesIO()
    Image.fromarray(a[..., 0] if mode == "L" else a, mode=str(mode)).save(out, "JPEG", **options)
    return out.getvalue()


def by_turbo(rng, width, height):
    """Samplings that Pillow does not write."""
    kw = dict(subsampling=str(rng.choice(["440", "411", "422", "420", "444"])), optimize=bool(rng.integers(2)))
    if rng.integers(5) == 0:
        a = make_image(rng, width, height, 4)
        return imagecodecs.jpeg8_encode(a, level=int(rng.integers(20, 100)), colorspace="cmyk", outcolorspace="ycck", **kw)
    a = make_image(rng, width, height, 3)
    return imagecodecs.jpeg8_encode(a, level=int(rng.integers(20, 100)), colorspace="rgb", outcolorspace="ycbcr", **kw)


class Bits:
    def __init__(self):
        self.bits = []

    def put(self, value, count):
        self.bits += [(value >> (count - 1 - i)) & 1 for i in range(count)]

    def bytes(self):
        bits = self.bits + [1] * (-len(self.bits) % 8)
        return np.packbits(np.array(bits, np.uint8)).tobytes().replace(b"\xff", b"\xff\x00")


def prefix_code(rng, symbols):
    """Counts of lengths, the symbols in order, and the code of each."""
    kind = rng.integers(3)
    n = len(symbols)
    least = max(1, int(n).bit_length())
    if kind == 0:  # all as long as can be
        lengths = np.full(n, rng.integers(least, 17))
    else:  # some short, the others long: the sum stays below one
        lengths = np.full(n, 16)
        left = 1.0 - n / 2**16
        for i in range(n):
            length = int(rng.integers(2, 17)) if kind == 1 else min(16, 2 + i // 3)
            if 2.0**-length - 2.0**-16 < left - 2.0**-16:
                left -= 2.0**-length - 2.0**-16
                lengths[i] = length
    order = np.argsort(lengths, kind="stable")
    codes, code, before = {}, 0, 0
    for i in order:
        code <<= int(lengths[i] - before)
        before = lengths[i]
        codes[symbols[i]] = (code, int(lengths[i]))
        code += 1
    counts = [int((lengths == k).sum()) for k in range(1, 17)]
    return bytes(counts) + bytes(int(symbols[i]) for i in order), codes


def put_value(bits, value, size):
    if size:
        bits.put(value if value > 0 else value + (1 << size) - 1, size)


def put_block(bits, block, before, dc, ac):
    diff = int(block[0]) - before
    size = abs(diff).bit_length()
    bits.put(*dc[size])
    put_value(bits, diff, size)
    run = 0
    for value in map(int, block[1:]):
        if value == 0:
            run += 1
            continue
        while run > 15:
            bits.put(*ac[0xF0])
            run -= 16
        size = abs(value).bit_length()
        bits.put(*ac[run << 4 | size])
        put_value(bits, value, size)
        run = 0
    if run:
        bits.put(*ac[0])
    return int(block[0])


def segment(marker, content):
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content


def by_coefficients(rng, width, height):
    """A sequential file of random coefficients: any sampling that divides, in one scan or several."""
    n = int(rng.choice([1, 3, 3, 3, 4]))
    while True:
        factors = [tuple(int(rng.choice([1, 1, 2, 2, 3, 4])) for _ in "hv") for _ in range(n)]
        h_max, v_max = max(h for h, _ in factors), max(v for _, v in factors)
        if all(h_max % h == 0 and v_max % v == 0 for h, v in factors) and sum(h * v for h, v in factors) <= 10:
            break
    mcus = -(-width // (8 * h_max)), -(-height // (8 * v_max))
    tables = rng.integers(1, rng.choice([3, 30, 256]), (n, 64))
    reach = int(rng.choice([2, 8, 60, 1000]))
    few = float(rng.choice([0.02, 0.2, 0.9]))
    blocks = []
    for h, v in factors:
        shape = (mcus[1] * v, mcus[0] * h, 64)
        a = rng.integers(-reach, reach + 1, shape) * (rng.random(shape) < few)
        a[..., int(rng.integers(1, 65)) :] = 0
        a[..., 0] = rng.integers(-min(reach * 4, 1000), min(reach * 4, 1000) + 1, shape[:2])
        blocks.append(a)
    out = b"\xff\xd8" + b"".join(segment(0xDB, bytes([i]) + bytes(map(int, t))) for i, t in enumerate(tables))
    head = b"".join(bytes([i + 1, h << 4 | v, i]) for i, (h, v) in enumerate(factors))
    frame = b"\x08" + height.to_bytes(2, "big") + width.to_bytes(2, "big") + bytes([n]) + head
    out += segment(0xC0 if n < 4 else 0xC1, frame)
    sizes = [0xF0, 0x00] + [run << 4 | size for run in range(16) for size in range(1, 11)]
    codes = []
    for slot in range(2):
        (dc_bytes, dc), (ac_bytes, ac) = prefix_code(rng, list(range(12))), prefix_code(rng, list(rng.permutation(sizes)))
        out += segment(0xC4, bytes([slot]) + dc_bytes) + segment(0xC4, bytes([16 | slot]) + ac_bytes)
        codes.append((dc, ac))
    scans = [list(range(n))] if rng.integers(2) else [[i] for i in range(n)]
    for scan in scans:
        interval = int(rng.choice([0, 0, 1, 3, 7]))
        out += segment(0xDD, interval.to_bytes(2, "big"))
        spec = b"".join(bytes([i + 1, (i % 2) * 17]) for i in scan)
        out += segment(0xDA, bytes([len(scan)]) + spec + b"\x00\x3f\x00")
        out += scan_bytes(scan, factors, blocks, codes, interval, mcus, width, height, (h_max, v_max))
    return out + b"\xff\xd9"


def scan_bytes(scan, factors, blocks, codes, interval, mcus, width, height, largest):
    if len(scan) == 1:
        (h, v), i = factors[scan[0]], scan[0]
        across, down = -(-(-(-width * h // largest[0])) // 8), -(-(-(-height * v // largest[1])) // 8)
        units = [[(i, blocks[i][y, x])] for y in range(down) for x in range(across)]
    else:
        units = [
            [(i, blocks[i][y * factors[i][1] + v, x * factors[i][0] + h]) for i in scan
             for v in range(factors[i][1]) for h in range(factors[i][0])]
            for y in range(mcus[1]) for x in range(mcus[0])
        ]
    out = b""
    step = interval or len(units)
    for number, start in enumerate(range(0, len(units), step)):
        if start:
            out += bytes([0xFF, 0xD0 + (number - 1) % 8])
        bits, before = Bits(), {i: 0 for i in scan}
        for unit in units[start : start + step]:
            for i, block in unit:
                before[i] = put_block(bits, block, before[i], *codes[i % 2])
        out += bits.bytes()
    return out


def read(data):
    """Mode and SHA-256, or None where Pillow refuses."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return [image.mode, hashlib.sha256(np.asarray(image.convert("RGB")).tobytes()).hexdigest()]
    except Exception:
        return None


def main():
    warnings.simplefilter("ignore")
    ImageFile.MAXBLOCK = 2**24  # else small files do not fit into the buffer of the encoder
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", default=FOLDER)
    parser.add_argument("--count", type=int, default=72)
    parser.add_argument("--side", type=int, default=40)
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    expected = {}
    for i in range(options.count):
        rng = np.random.default_rng([7, i])
        width, height = (int(s) for s in rng.integers(1, options.side + 1, 2))
        if i % 3 == 2:  # many bytes a pixel, and slow to make
            width, height = min(width, 70), min(height, 70)
        data = (by_pillow, by_turbo, by_coefficients)[i % 3](rng, width, height)
        name = f"{i:04d}.jpg"
        with open(os.path.join(options.out, name), "wb") as file:
            file.write(data)
        expected[name] = read(data)
    with open(os.path.join(options.out, "expected.json"), "w") as file:
        json.dump(expected, file, indent=1)
        file.write("\n")


main()
