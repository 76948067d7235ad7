"""Makes tests/fixtures/vit_train.{json,safetensors}: 50 training steps of a tiny timm-style ViT in PyTorch.

The engine repeats the same steps from the same weights and data and must give the same losses, gradient norms and
final weights. Two variants share initial weights and data:

  full  every parameter is trained;
  lora  the trunk is frozen; LoRA (r 4, alpha 8, no dropout) on qkv, proj, fc1 and fc2 of the last block, and the head.

Each variant also runs in float64 from the same float32 weights. The distance between the two runs, kept in the JSON,
is the rounding error that a correct float32 engine may show; a tolerance must stand well above it.

    python tests/python/vit_train.py            write the fixtures
    python tests/python/vit_train.py --check    run again, compare with the committed files, write nothing

Needs torch, numpy and safetensors from PyPI. CPU, one thread, deterministic; about half a minute.

Model (names and layouts as in timm `VisionTransformer`, class_token, init_values=0.1)
  pixel = (u8 / 255 - mean) / std, ImageNet mean and std, RGB
  x = [cls_token, patch_embed.proj(pixel)] + pos_embed               [B, 17, 48], patches row by row
  x += ls1.gamma * attn(norm1(x));  x += ls2.gamma * mlp(norm2(x))   3 blocks, LayerNorm eps 1e-6, exact (erf) GELU
  logits = head(norm(x)[:, 0]);  loss = mean cross-entropy
  qkv output is q | k | v, each [heads 3, 16]; scores are scaled by 16 ** -0.5
  LoRA: y = W x + b + (alpha / r) * B (A x)

Training: step t = 0 .. 49 uses batch t
  lr(t) = peak * (t + 1) / 5                                    for t < 5
  lr(t) = peak * 0.5 * (1 + cos(pi * (t - 5) / (50 - 5)))       for t >= 5; lr(50) would be 0
  norm = sqrt(sum of squares of all trained gradients);  g *= min(1, 1.0 / (norm + 1e-6))
  AdamW as in torch: p *= 1 - lr * wd; m, v; p -= lr * (m / (1 - b1^n)) / (sqrt(v / (1 - b2^n)) + eps), n = t + 1
  betas 0.9, 0.999, eps 1e-8; wd 0.05 for names that end in `.weight` and have two or more axes, else 0
  (so pos_embed, cls_token, gamma, norms and biases are not decayed; LoRA A and B are)

Data: everything is u32 arithmetic modulo 2^32, so another language repeats it byte for byte
  mix(h):  h ^= h >> 16; h *= 0x7feb352d; h ^= h >> 15; h *= 0x846ca68b; h ^= h >> 16
  sample number n = step * 16 + i, s = mix(n + 0x9e3779b9)
  label c = ((s >> 16) * 10) >> 16
  (a, b) = DIRECTIONS[c];  phase = s & 7                                                 constants below
  t = (a * x + b * y + phase) & 31;  stripe = t < 16 ? t : 31 - t                        0 .. 15
  byte [n, y, x, k] = 16 + stripe * TINT[k] + (mix(s + (y * 32 + x) * 3 + k) & 63)       at most 229
  checksum of a step: FNV-1a, 32 bit, over the bytes [16, 32, 32, 3] and then the 16 labels, one byte each

Reading the fixture
  The bias of k (elements 48 .. 95 of every `attn.qkv.bias`) shifts all scores of a query alike, so its gradient is zero
  and AdamW turns rounding noise into steps. It has no effect on the loss: leave it out when comparing final weights.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
IMAGE, PATCH, WIDTH, HEADS, DEPTH, RATIO, CLASSES = 32, 8, 48, 3, 3, 4, 10
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
GAMMA, LN_EPS = 0.1, 1e-6
BATCH, STEPS, WARMUP, PEAK = 16, 50, 5, {"full": 1e-3, "lora": 5e-3}
BETAS, EPS, DECAY, CLIP, CLIP_EPS = (0.9, 0.999), 1e-8, 0.05, 1.0, 1e-6
RANK, ALPHA, SEED = 4, 8, 20240501
DIRECTIONS = ((2, 0), (0, 2), (2, 2), (2, 30), (4, 2), (2, 4), (4, 30), (2, 28), (6, 0), (0, 6))
TINT = (10, 7, 4)


# ---------------------------------------------------------------- data


def mix(h: np.ndarray) -> np.ndarray:
    """Hashes u32 to u32 (the `lowbias32` constants)."""
    h = h.astype(np.uint32)
    h ^= h >> np.uint32(16)
    h *= np.uint32(0x7FEB352D)
    h ^= h >> np.uint32(15)
    h *= np.uint32(0x846CA68B)
    h ^= h >> np.uint32(16)
    return h


def batch(step: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns images u8 [16, 32, 32, 3] and labels u8 [16] of one step."""
    n = np.arange(step * BATCH, (step + 1) * BATCH, dtype=np.uint32)
    s = mix(n + np.uint32(0x9E3779B9))
    labels = ((s >> np.uint32(16)) * np.uint32(CLASSES)) >> np.uint32(16)
    ab = np.array(DIRECTIONS, dtype=np.uint32)[labels]
    y, x, k = np.meshgrid(*(np.arange(e, dtype=np.uint32) for e in (IMAGE, IMAGE, 3)), indexing="ij")
    col = lambda v: v[:, None, None, None]  # noqa: E731
    t = (col(ab[:, 0]) * x + col(ab[:, 1]) * y + col(s & np.uint32(7))) & np.uint32(31)
    stripe = np.where(t < 16, t, np.uint32(31) - t)
    noise = mix(col(s) + (y * np.uint32(IMAGE) + x) * np.uint32(3) + k) & np.uint32(63)
    pixels = np.uint32(16) + stripe * np.array(TINT, dtype=np.uint32)[k] + noise
    assert int(pixels.max()) < 256
    return pixels.astype(np.uint8), labels.astype(np.uint8)


def fnv1a(data: bytes) -> int:
    h = 0x811C9DC5
    for byte in data:
        h = ((h ^ byte) * 0x01000193) & 0xFFFFFFFF
    return h


# ---------------------------------------------------------------- model


class Linear(nn.Linear):
    """nn.Linear that may carry a LoRA branch."""

    def add_lora(self, generator: torch.Generator) -> None:
        bound = 1 / math.sqrt(self.in_features)
        a = torch.rand(RANK, self.in_features, generator=generator) * (2 * bound) - bound
        self.lora_A = nn.Linear(self.in_features, RANK, bias=False)
        self.lora_B = nn.Linear(RANK, self.out_features, bias=False)
        self.lora_A.weight = nn.Parameter(a)
        self.lora_B.weight = nn.Parameter(torch.zeros(self.out_features, RANK))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = super().forward(x)
        return y + (ALPHA / RANK) * self.lora_B(self.lora_A(x)) if hasattr(self, "lora_A") else y


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.proj = Linear(WIDTH, 3 * WIDTH), Linear(WIDTH, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        b, n, d = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, HEADS, d // HEADS).permute(2, 0, 3, 1, 4)
        p = (q @ k.transpose(-2, -1) * (d // HEADS) ** -0.5).softmax(-1)
        return self.proj((p @ v).transpose(1, 2).reshape(b, n, d))


class Mlp(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2 = Linear(WIDTH, RATIO * WIDTH), Linear(RATIO * WIDTH, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class LayerScale(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((WIDTH,), GAMMA))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.gamma


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.attn, self.ls1 = nn.LayerNorm(WIDTH, eps=LN_EPS), Attention(), LayerScale()
        self.norm2, self.mlp, self.ls2 = nn.LayerNorm(WIDTH, eps=LN_EPS), Mlp(), LayerScale()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.ls1(self.attn(self.norm1(x)))
        return x + self.ls2(self.mlp(self.norm2(x)))


class PatchEmbed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, WIDTH, PATCH, PATCH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.proj(x).flatten(2).transpose(1, 2)


class VisionTransformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.pos_embed = nn.Parameter(torch.zeros(1, (IMAGE // PATCH) ** 2 + 1, WIDTH))
        self.patch_embed = PatchEmbed()
        self.blocks = nn.ModuleList(Block() for _ in range(DEPTH))
        self.norm = nn.LayerNorm(WIDTH, eps=LN_EPS)
        self.head = nn.Linear(WIDTH, CLASSES)

    def forward(self, images: torch.Tensor, taps: dict[str, torch.Tensor] | None = None) -> torch.Tensor:
        """images u8 [B, 32, 32, 3]; `taps` receives the tokens [B, 17, 48] after each stage."""
        dtype = self.head.weight.dtype
        mean, std = torch.tensor(MEAN, dtype=dtype), torch.tensor(STD, dtype=dtype)
        pixel = ((images.to(dtype) / 255 - mean) / std).permute(0, 3, 1, 2)
        x = self.patch_embed(pixel)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.pos_embed
        seen = {"embed": x}
        for i, block in enumerate(self.blocks):
            x = seen[f"block_{i:02d}"] = block(x)
        x = seen["norm"] = self.norm(x)
        logits = seen["logits"] = self.head(x[:, 0])
        if taps is not None:
            taps.update({k: v.detach().clone() for k, v in seen.items()})
        return logits


def initial_model(lora: bool) -> VisionTransformer:
    """Every tensor is random, so that a swapped or forgotten one shows; scales are those of a trained network."""
    g = torch.Generator().manual_seed(SEED)
    model = VisionTransformer()
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=g)
            if p.ndim >= 2 and name.endswith(".weight"):
                p.copy_(noise / math.sqrt(p[0].numel()))
            elif name.endswith("gamma"):
                p.fill_(GAMMA)
            elif ".norm" in name or name.startswith("norm"):
                p.copy_(noise * 0.05 + (1.0 if name.endswith("weight") else 0.0))
            else:  # biases, cls_token, pos_embed
                p.copy_(noise * (0.02 if name.endswith("bias") else 0.2))
    if lora:
        for p in model.parameters():
            p.requires_grad_(False)
        last = model.blocks[DEPTH - 1]
        for linear in (last.attn.qkv, last.attn.proj, last.mlp.fc1, last.mlp.fc2):
            linear.add_lora(g)
        for p in model.head.parameters():
            p.requires_grad_(True)
    return model


# ---------------------------------------------------------------- training


def rate(variant: str, t: int) -> float:
    if t < WARMUP:
        return PEAK[variant] * (t + 1) / WARMUP
    return PEAK[variant] * 0.5 * (1 + math.cos(math.pi * (t - WARMUP) / (STEPS - WARMUP)))


def train(variant: str, dtype: torch.dtype, data: list[tuple[np.ndarray, np.ndarray]]) -> dict:
    model = initial_model(variant == "lora")
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    initial = {n: p.detach().clone() for n, p in model.named_parameters()}
    model.to(dtype)
    decayed = [n for n, p in trained.items() if p.ndim >= 2 and n.endswith(".weight")]
    groups = [
        {"params": [trained[n] for n in decayed], "weight_decay": DECAY},
        {"params": [p for n, p in trained.items() if n not in decayed], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=0.0, betas=BETAS, eps=EPS, foreach=False)
    out: dict = {"losses": [], "gradNorms": [], "correct": [], "grads": {}, "taps": {}}
    for t, (images, labels) in enumerate(data):
        target = torch.from_numpy(labels).long()
        logits = model(torch.from_numpy(images), out["taps"] if t == 0 else None)
        loss = F.cross_entropy(logits, target)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if t == 0:
            out["grads"] = {n: p.grad.detach().clone() for n, p in trained.items()}
        norm = nn.utils.clip_grad_norm_(trained.values(), CLIP, foreach=False)
        for group in optimizer.param_groups:
            group["lr"] = rate(variant, t)
        optimizer.step()
        out["losses"].append(loss.item())
        out["gradNorms"].append(norm.item())
        out["correct"].append(int((logits.argmax(1) == target).sum()))
    out |= {"initial": initial, "decayed": decayed, "final": {n: p.detach().clone() for n, p in trained.items()}}
    return out


def worst(a: list[float], b: list[float]) -> float:
    return max(abs(x - y) / abs(y) for x, y in zip(a, b))


def compared(name: str, w: torch.Tensor) -> torch.Tensor:
    """Drops the bias of k, whose gradient is rounding noise."""
    return torch.cat([w[:WIDTH], w[2 * WIDTH:]]) if name.endswith("attn.qkv.bias") else w


def weight_error(name: str, w: torch.Tensor, want: torch.Tensor) -> float:
    """Largest absolute difference of one tensor."""
    return (compared(name, w.double()) - compared(name, want)).abs().max().item()


def make() -> tuple[dict, dict[str, torch.Tensor]]:
    data = [batch(t) for t in range(STEPS)]
    tensors: dict[str, torch.Tensor] = {}
    variants: dict[str, dict] = {}
    for variant in ("full", "lora"):
        f32, f64 = (train(variant, d, data) for d in (torch.float32, torch.float64))
        errors = {n: weight_error(n, w, f64["final"][n]) for n, w in f32["final"].items()}
        noise = [
            (w[WIDTH:2 * WIDTH].double() - f64["final"][n][WIDTH:2 * WIDTH]).abs().max().item()
            for n, w in f32["final"].items() if n.endswith("attn.qkv.bias")
        ]
        variants[variant] = {
            "peakLr": PEAK[variant],
            "lr": [rate(variant, t) for t in range(STEPS)],
            "losses": f32["losses"],
            "gradNorms": f32["gradNorms"],
            "correct": f32["correct"],
            "lossesF64": f64["losses"],
            "gradNormsF64": f64["gradNorms"],
            "rounding": {
                "note": "float32 run against float64 run; weights are largest absolute differences, bias of k left out",
                "lossMaxRel": worst(f32["losses"], f64["losses"]),
                "gradNormMaxRel": worst(f32["gradNorms"], f64["gradNorms"]),
                "weightMaxAbs": max(errors.values()),
                "weightWorst": max(errors, key=errors.__getitem__),
                "biasOfKMaxAbs": max(noise, default=0.0),
            },
            "trained": list(f32["final"]),
            "decayed": f32["decayed"],
            "firstGradient": {
                n: {
                    "norm": compared(n, g).norm().item(),
                    "head": compared(n, g).flatten()[:4].tolist(),
                }
                for n, g in f64["grads"].items()
            },
        }
        if variant == "full":
            tensors |= {f"init/{n}": p for n, p in f32["initial"].items()}
            tensors |= {f"full/{n}": p for n, p in f32["final"].items()}
            tensors |= {f"tap/{n}": (p if n == "logits" else p[0]).contiguous() for n, p in f32["taps"].items()}
        else:
            tensors |= {f"lora_init/{n}": p for n, p in f32["initial"].items() if ".lora_" in n}
            tensors |= {f"lora/{n}": p for n, p in f32["final"].items()}
    record = {
        "made": "python tests/python/vit_train.py; formulas are in its docstring",
        "versions": {"torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version()},
        "model": {
            "imageSize": IMAGE, "patchSize": PATCH, "width": WIDTH, "heads": HEADS, "depth": DEPTH, "mlpRatio": RATIO,
            "classes": CLASSES, "layerNormEps": LN_EPS, "mean": MEAN, "std": STD,
        },
        "training": {
            "batchSize": BATCH, "steps": STEPS, "warmupSteps": WARMUP, "betas": BETAS, "eps": EPS,
            "weightDecay": DECAY, "clipNorm": CLIP, "clipEps": CLIP_EPS,
        },
        "lora": {"r": RANK, "alpha": ALPHA, "block": DEPTH - 1, "targets": ["attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"]},
        "dataChecksums": [fnv1a(images.tobytes() + labels.tobytes()) for images, labels in data],
        "tensors": {
            "init/": "initial weights of both variants",
            "full/": "final weights of `full`",
            "lora_init/": "initial LoRA weights",
            "lora/": "final LoRA weights and head of `lora`",
            "tap/": "step 0: tokens [17, 48] of image 0 after each stage; logits [16, 10] of all images",
        },
        "variants": variants,
    }  # fmt: skip
    return record, tensors


def dump(record: dict) -> str:
    """JSON with one line per key and arrays of numbers on one line."""

    def text(value: object, indent: int) -> str:
        pad = "  " * (indent + 1)
        if isinstance(value, dict) and value and (indent < 4):
            body = ",\n".join(f"{pad}{json.dumps(k)}: {text(v, indent + 1)}" for k, v in value.items())
            return "{\n" + body + "\n" + "  " * indent + "}"
        return json.dumps(value)

    return text(record, 0) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description="Makes tests/fixtures/vit_train.{json,safetensors}")
    parser.add_argument("--check", action="store_true", help="compare with the committed files, write nothing")
    check = parser.parse_args().check
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    record, tensors = make()
    for name, v in record["variants"].items():
        r = v["rounding"]
        print(f"{name}: loss {v['losses'][0]:.6f} -> {v['losses'][-1]:.6f}; correct in the last 5 steps "
              f"{sum(v['correct'][-5:])}/{5 * BATCH}; grad norm {min(v['gradNorms']):.3f} .. {max(v['gradNorms']):.3f}; "
              f"f32 against f64: loss {r['lossMaxRel']:.1e}, norm {r['gradNormMaxRel']:.1e}, "
              f"weights {r['weightMaxAbs']:.1e} ({r['weightWorst']}), bias of k {r['biasOfKMaxAbs']:.1e}")
    json_path, tensor_path = FIXTURES / "vit_train.json", FIXTURES / "vit_train.safetensors"
    if not check:
        json_path.write_text(dump(record))
        save_file(tensors, tensor_path, metadata={"made": f"tests/python/vit_train.py, torch {torch.__version__}"})
        for path in (json_path, tensor_path):
            print(f"{path.name}: {path.stat().st_size} bytes")
        return 0
    # Another CPU or torch build may round differently: allow what float64 says is rounding, twenty-fold.
    old, old_tensors = json.loads(json_path.read_text()), load_file(tensor_path)
    bad = [] if old["dataChecksums"] == record["dataChecksums"] else ["dataChecksums"]
    bad += [k for k in ("model", "training", "lora") if old[k] != json.loads(json.dumps(record[k]))]
    for name, v in record["variants"].items():
        if worst(v["losses"], old["variants"][name]["losses"]) > 20 * v["rounding"]["lossMaxRel"]:
            bad.append(f"{name}.losses")
    if set(old_tensors) != set(tensors):
        bad.append("tensor names")
    bad += [n for n in tensors if n in old_tensors and weight_error(n, tensors[n], old_tensors[n].double()) > 1e-3]
    print("same" if not bad else f"differs: {', '.join(bad)}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
