"""Makes tests/fixtures/vortex_train.json: 20 training steps of VORTEX on patches of volumes in PyTorch, by slices and by tubelets.

The engine repeats the steps from the same start, on the same patches in the same order, and must give the same losses. Runs are made
in float64; the distance of a float32 run is kept beside as the rounding that a correct float32 engine may show.

    python tests/python/vortex_train.py            write the fixture
    python tests/python/vortex_train.py --check    run again, compare with the committed file, write nothing

Needs torch from PyPI. CPU, one thread, deterministic; a few seconds.

Everything that is random elsewhere is a formula here: tensor t with number s has elements c * sin(1.7 k + s), k row-major,
  parameters   in the order of their sorted names, s = 1.1 * place, c = 0.3 for matrices, 0.1 for vectors; factors of norms are 1 + that;
               the logarithm of the temperature is as it begins
  patch n      pixels 0.5 + that, s = 0.3 + 1.9 n, c = 0.5; genes s = 0.9 + 1.3 n, c = 1; of volume n mod 3
Step t takes patches t * batch .. (t + 1) * batch - 1 modulo `patches`. The slices of patch n lie at -16, -8, 0, 8 µm; where n mod 4 = 3 the
last is beyond the volume: no key of the transformer over depth, and in tubelets the one before it again. Gene g of patch n is not
measured where (n + g) mod 5 = 0; patches n and n + 1 of a batch overlap where n mod 6 = 0, and are no negatives.
AdamW, betas .9 and .999, eps 1e-8, weight decay 1e-2 on matrices, rate of step t of 20: lr (1 + cos(pi t / 20)) / 2.
"""

from __future__ import annotations

import math
import sys

import torch
import torch.nn.functional as F

from waves import finish, relative, wave

SIDE, PATCH, SLICES, TUBELET, D, HEADS, DEPTH, W, POOL_HEADS = 8, 4, 4, 2, 12, 2, 2, 6, 2
GENES, HIDDEN, VOLUMES, BATCH, PATCHES, STEPS, DECAY, LR = 7, 5, 3, 6, 18, 20, 1e-2, 1e-3
TOKENS = (SIDE // PATCH) ** 2
AWAY = (-16.0, -8.0, 0.0, 8.0)
MEAN = STD = 0.5
TEMPERATURE, CONTRAST = 0.07, 0.2
RUNS = {"slices, transformer over depth": "depth", "tubelets": "tubelets"}
Parameters = dict[str, torch.Tensor]


def block_shapes(name: str) -> dict[str, tuple[int, ...]]:
    out: dict[str, tuple[int, ...]] = {}
    for norm in ("norm1", "norm2"):
        out |= {f"{name}.{norm}.weight": (D,), f"{name}.{norm}.bias": (D,)}
    for layer, rows, columns in (("attn.qkv", 3 * D, D), ("attn.proj", D, D), ("mlp.fc1", 4 * D, D), ("mlp.fc2", D, 4 * D)):
        out |= {f"{name}.{layer}.weight": (rows, columns), f"{name}.{layer}.bias": (rows,)}
    return out


def shapes(aggregate: str) -> dict[str, tuple[int, ...]]:
    out: dict[str, tuple[int, ...]] = {"cls_token": (1, 1, D), "pos_embed": (1, 1 + TOKENS, D), "depth.scale": (1,), "temperature": (1,)}
    out |= {"patch_embed.proj.weight": (D, 3, PATCH, PATCH), "patch_embed.proj.bias": (D,), "norm.weight": (D,), "norm.bias": (D,)}
    for i in range(DEPTH):
        out |= block_shapes(f"blocks.{i}")
    if aggregate == "depth":
        out |= block_shapes("depth.blocks.0") | {"depth.norm.weight": (D,), "depth.norm.bias": (D,)}
    else:
        out |= {"depth.tubelet": (TUBELET, D, 3, PATCH, PATCH)}
    for pool in ("pool_contrast", "pool_regression"):
        out |= {f"{pool}.query": (1, W)}
        for norm, width in (("ln_q", W), ("ln_k", D), ("norm", W)):
            out |= {f"{pool}.{norm}.weight": (width,), f"{pool}.{norm}.bias": (width,)}
        for layer, rows, columns in (("to_q", W, W), ("to_kv", 2 * W, D), ("to_out", W, W)):
            out |= {f"{pool}.{layer}.weight": (rows, columns), f"{pool}.{layer}.bias": (rows,)}
    linears = (("image", W, W), ("gene.1", HIDDEN, GENES), ("gene.4", W, HIDDEN))
    for layer, rows, columns in (*linears, ("head.shared", GENES, W), ("head.volume", VOLUMES * GENES, W), ("head.voi", GENES, W)):
        out |= {f"{layer}.weight": (rows, columns), f"{layer}.bias": (rows,)}
    return out | {"gene.0.weight": (GENES,), "gene.0.bias": (GENES,)}


def start(aggregate: str, dtype: torch.dtype) -> Parameters:
    out = {}
    for place, (name, shape) in enumerate(sorted(shapes(aggregate).items())):
        value = wave(shape, 1.1 * place, 0.3 if len(shape) > 1 else 0.1, torch.float64)
        if name.endswith(("norm.weight", "norm1.weight", "norm2.weight", "ln_q.weight", "ln_k.weight", "gene.0.weight")):
            value = 1 + value
        if name == "temperature":
            value = torch.tensor([-math.log(TEMPERATURE)], dtype=torch.float64)
        # The engine's start is float32 in either case.
        out[name] = value.float().to(dtype).requires_grad_(True)
    return out


def linear(p: Parameters, name: str, x: torch.Tensor) -> torch.Tensor:
    return F.linear(x, p[f"{name}.weight"], p[f"{name}.bias"])


def norm(p: Parameters, name: str, x: torch.Tensor, eps: float) -> torch.Tensor:
    return F.layer_norm(x, (x.shape[-1],), p[f"{name}.weight"], p[f"{name}.bias"], eps)


def attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, heads: int, keys: torch.Tensor | None) -> torch.Tensor:
    split = lambda x: x.reshape(x.shape[0], x.shape[1], heads, -1).transpose(1, 2)
    mask = None if keys is None else keys[:, None, None, :]
    y = F.scaled_dot_product_attention(split(q), split(k), split(v), attn_mask=mask)
    return y.transpose(1, 2).reshape(q.shape)


def block(p: Parameters, name: str, x: torch.Tensor, keys: torch.Tensor | None = None) -> torch.Tensor:
    q, k, v = linear(p, f"{name}.attn.qkv", norm(p, f"{name}.norm1", x, 1e-6)).chunk(3, -1)
    x = x + linear(p, f"{name}.attn.proj", attention(q, k, v, HEADS, keys))
    return x + linear(p, f"{name}.mlp.fc2", F.gelu(linear(p, f"{name}.mlp.fc1", norm(p, f"{name}.norm2", x, 1e-6))))


def pooled(p: Parameters, name: str, x: torch.Tensor, keys: torch.Tensor | None) -> torch.Tensor:
    q = linear(p, f"{name}.to_q", norm(p, f"{name}.ln_q", p[f"{name}.query"], 1e-5))
    k, v = linear(p, f"{name}.to_kv", norm(p, f"{name}.ln_k", x, 1e-5)).chunk(2, -1)
    y = attention(q.expand(x.shape[0], 1, W), k, v, POOL_HEADS, keys)
    return norm(p, f"{name}.norm", linear(p, f"{name}.to_out", y), 1e-5)[:, 0]


def code(away: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    phase = away.double()[..., None] * 10000.0 ** (-torch.arange(D // 2, dtype=torch.float64) / (D // 2))
    return torch.cat([phase.sin(), phase.cos()], -1).float().to(dtype)


def slice_tokens(p: Parameters, images: torch.Tensor, away: torch.Tensor, inside: torch.Tensor):
    """Each slice by itself, then the transformer over depth."""
    batch = images.shape[0]
    x = F.conv2d(images.flatten(0, 1), p["patch_embed.proj.weight"], p["patch_embed.proj.bias"], stride=PATCH)
    x = torch.cat([p["cls_token"].expand(x.shape[0], 1, D), x.flatten(2).transpose(1, 2)], 1) + p["pos_embed"]
    for i in range(DEPTH):
        x = block(p, f"blocks.{i}", x)
    z = norm(p, "norm", x, 1e-6)[:, 0].reshape(batch, SLICES, D)
    y = block(p, "depth.blocks.0", z + p["depth.scale"] * code(away, z.dtype), inside)
    return norm(p, "depth.norm", y, 1e-6), inside


def tubelet_tokens(p: Parameters, images: torch.Tensor, away: torch.Tensor, inside: torch.Tensor):
    """Convolution over tubelets by inflated weights and their change, then all tokens at once."""
    batch = images.shape[0]
    # Slice 4 beyond the volume is slice 2, reflected at the last within.
    order = torch.tensor([[0, 1, 2, 3] if row.all() else [0, 1, 2, 1] for row in inside])
    rows = torch.arange(batch)[:, None]
    images, away = images[rows, order], away[rows, order]
    kernel = p["patch_embed.proj.weight"] / TUBELET + p["depth.tubelet"]
    # [t, D, 3, P, P] as a convolution over depth: [D, 3, t, P, P].
    x = F.conv3d(images.transpose(1, 2), kernel.permute(1, 2, 0, 3, 4), p["patch_embed.proj.bias"], stride=(TUBELET, PATCH, PATCH))
    count = SLICES // TUBELET
    x = x.flatten(3).permute(0, 2, 3, 1) + p["pos_embed"][:, None, 1:]
    x = x + p["depth.scale"] * code(away.reshape(batch, count, TUBELET).mean(2), x.dtype)[:, :, None]
    first = (p["cls_token"] + p["pos_embed"][:, :1]).expand(batch, 1, D)
    x = torch.cat([first, x.reshape(batch, count * TOKENS, D)], 1)
    for i in range(DEPTH):
        x = block(p, f"blocks.{i}", x)
    return norm(p, "norm", x, 1e-6), None


def loss_of(p: Parameters, aggregate: str, own: list[int], dtype: torch.dtype) -> torch.Tensor:
    pixels = torch.stack([0.5 + wave((SLICES, SIDE, SIDE), 0.3 + 1.9 * n, 0.5, torch.float64) for n in own]).float()
    inside = torch.tensor([[True, True, True, n % 4 != 3] for n in own])
    pixels = pixels * inside[:, :, None, None]
    images = ((pixels.to(dtype) - MEAN) / STD)[:, :, None].expand(-1, -1, 3, -1, -1)
    away = torch.tensor([AWAY] * len(own), dtype=torch.float64)
    tokens, keys = (slice_tokens if aggregate == "depth" else tubelet_tokens)(p, images, away, inside)
    contrast, regression = (pooled(p, f"pool_{name}", tokens, keys) for name in ("contrast", "regression"))
    measured = torch.tensor([[(n + g) % 5 != 0 for g in range(GENES)] for n in own])
    y = torch.stack([wave((GENES,), 0.9 + 1.3 * n, 1.0, torch.float64) for n in own]).float().to(dtype) * measured
    mse = lambda said: ((said - y)[measured] ** 2).mean()
    by_volume = linear(p, "head.volume", regression).reshape(len(own), VOLUMES, GENES)
    volume = mse(by_volume[torch.arange(len(own)), [n % VOLUMES for n in own]])
    shared = mse(linear(p, "head.shared", regression))
    u = F.normalize(linear(p, "image", contrast), dim=1)
    v = F.normalize(linear(p, "gene.4", F.gelu(linear(p, "gene.1", norm(p, "gene.0", y, 1e-5)))), dim=1)
    s = u @ v.T * p["temperature"].clamp(-math.log(0.5), -math.log(0.01)).exp()
    near = torch.tensor([[abs(a - b) == 1 and min(a, b) % 6 == 0 for b in own] for a in own])
    s = s.masked_fill(near, -torch.inf)
    labels = torch.arange(len(own))
    return volume + 0.5 * shared + CONTRAST * (F.cross_entropy(s, labels) + F.cross_entropy(s.T, labels)) / 2


def run(aggregate: str, dtype: torch.dtype) -> list[float]:
    p = start(aggregate, dtype)
    groups = [{"params": [v for v in p.values() if v.dim() > 1], "weight_decay": DECAY}, {"params": [v for v in p.values() if v.dim() < 2], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=LR)
    losses = []
    for t in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = LR * (1 + math.cos(math.pi * t / STEPS)) / 2
        loss = loss_of(p, aggregate, [(t * BATCH + b) % PATCHES for b in range(BATCH)], dtype)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def make() -> dict:
    runs = {}
    for name, aggregate in RUNS.items():
        exact, single = run(aggregate, torch.float64), run(aggregate, torch.float32)
        runs[name] = {"aggregate": aggregate, "losses": exact, "rounding": max(abs(a - b) / b for a, b in zip(single, exact))}
    sizes = {"side": SIDE, "patch": PATCH, "slices": SLICES, "tubelet": TUBELET, "dim": D, "heads": HEADS, "depth": DEPTH, "width": W}
    sizes |= {"pool_heads": POOL_HEADS, "genes": GENES, "hidden": HIDDEN, "volumes": VOLUMES, "batch": BATCH, "patches": PATCHES}
    return {**sizes, "steps": STEPS, "decay": DECAY, "lr": LR, "mean": MEAN, "std": STD, "runs": runs}


if __name__ == "__main__":
    sys.exit(finish("vortex_train.json", make, relative, 1e-10))
