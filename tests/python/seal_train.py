"""Makes src/methods/seal/proof/losses.json and tests/fixtures/seal_train.safetensors: 50 steps of SEAL's alignment in PyTorch, float64.

The engine trains the same model from the same weights on the same data, with the same dropout masks and the same noise: all
of them are functions of Threefry-2x32-20 and integer arithmetic, written here a second time. Nothing is read from a file.

Model   ViT (timm's `VisionTransformer`, width 48, 2 blocks, 3 heads, patch 16, 64 px, class token), LoRA r 4 alpha 8 dropout
        0.15 on qkv, proj, fc1, fc2 of the last block; GeneVAE 24 -> 32 -> 16 -> 48 with three planar flows, a drawn latent and
        dropout; ImgEmbDecoder 48 -> 512 -> 24.
Loss    clip(z_img, z_gene; 0.05) + 0.1 barlow_std_mse(y_gene, x) + 0.1 barlow_std_mse(y_img, x) + kl_flow / 48
Step    gradients clipped to norm 5, AdamW, weight decay 0.2 on matrices and on the flows' u and w; linear rise over 5 steps,
        then half a cosine to 0; peaks 3e-3 (LoRA), 1e-3 (gene model), 2e-3 (decoder)

Recipe  pearson (`losses_pearson.json`, `seal_train_pearson.safetensors`, 30 steps): batches of one of three samples, expression less
        its sample's mean, decoder without activation, 0.2 clip + pcc_genes(y_gene, x) + 2 pcc_genes(y_img, x) + kl_flow / 48,
        and a running mean of what trains that keeps 0.8 of itself a step, by torch.optim.swa_utils

As only the class token leaves the last block, the engine's query branch sees that token alone; its dropout mask is the first
token's part of the one mask the layer has, since random numbers go by name and by row of the batch.

    python tests/python/seal_train.py            write the fixtures
    python tests/python/seal_train.py --check    run again, compare with the committed files, write nothing

Needs torch, numpy and safetensors from PyPI; some ten seconds on a CPU.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch.optim.swa_utils import AveragedModel, get_ema_avg_fn

import seal_modules
from seal_modules import Dropout, GeneVAE, ImgEmbDecoder, fnv1a, name_draws, row_words, threefry

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
SOURCES = FIXTURES.parent.parent / "src"
IMAGE, PATCH, WIDTH, HEADS, DEPTH, RATIO = 64, 16, 48, 3, 2, 4
MEAN, STD = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
GENES, HIDDEN, LATENT = 24, [32, 16], 48
RANK, ALPHA, LORA_DROPOUT, DROPOUT, TEMPERATURE = 4, 8, 0.15, 0.1, 0.05
BATCH, PAIRS, STEPS, RISE, CLIP, DECAY = 24, 72, 50, 5, 5.0, 0.2
PEAK = {"img": 3e-3, "gene": 1e-3, "head": 2e-3}
SEED, WEIGHT_SEED, KEEP = 7, 11, 0.8


# ---------------------------------------------------------------- data, as src/verify/formula.ts


def mix(value: np.ndarray) -> np.ndarray:
    h = np.asarray(value).astype(np.uint32)
    h = (h ^ (h >> np.uint32(16))) * np.uint32(0x7FEB352D)
    h = (h ^ (h >> np.uint32(15))) * np.uint32(0x846CA68B)
    return h ^ (h >> np.uint32(16))


DIRECTIONS = np.array([[2, 0], [0, 2], [2, 2], [2, 30], [4, 2], [2, 4], [4, 30], [2, 28]], np.uint32)
TINT = np.array([10, 7, 4], np.uint32)


def seeds(pairs: np.ndarray) -> np.ndarray:
    return mix(pairs.astype(np.uint32) + np.uint32(0x9E3779B9))


def kinds(pairs: np.ndarray) -> np.ndarray:
    return ((seeds(pairs) >> np.uint32(16)) * np.uint32(len(DIRECTIONS))) >> np.uint32(16)


def patches(pairs: np.ndarray, side: int = IMAGE) -> np.ndarray:
    s = seeds(pairs)[:, None, None, None]
    a, b = (DIRECTIONS[kinds(pairs)][:, i][:, None, None, None] for i in (0, 1))
    y, x, k = np.meshgrid(*(np.arange(n, dtype=np.uint32) for n in (side, side, 3)), indexing="ij")
    t = (a * x + b * y + (s & np.uint32(7))) & np.uint32(31)
    stripe = np.where(t < 16, t, np.uint32(31) - t)
    noise = mix(s + (y * np.uint32(side) + x) * np.uint32(3) + k) & np.uint32(63)
    return (np.uint32(16) + stripe * TINT[k] + noise).astype(np.uint8)


def expression(pairs: np.ndarray) -> np.ndarray:
    genes = np.arange(GENES, dtype=np.uint32)
    level = mix(kinds(pairs)[:, None] * np.uint32(1009) + genes).astype(np.int64) & 511
    noise = mix(seeds(pairs)[:, None] + np.uint32(7919) * genes).astype(np.int64) & 255
    return np.maximum(0, level + noise - 128) / 256


def deviations() -> np.ndarray:
    return (192 + (mix(np.arange(GENES) + 77).astype(np.int64) & 127)) / 256


def stream_words(seed: int, stream: int, n: int, step: int = 0) -> np.ndarray:
    x, y = threefry(seed, stream, np.arange((n + 1) // 2), step)
    return np.stack([x, y], 1).reshape(-1)[:n]


def start(name: str, shape: torch.Size) -> torch.Tensor:
    """Starting values by name, as src/verify/start.ts; f32 numbers."""
    if name.endswith("lora_B.weight"):
        return torch.zeros(shape, dtype=torch.float64)
    size = int(np.prod(shape))
    low, high = -0.03, 0.03
    if len(shape) > 1 and name.endswith(".weight"):
        high = math.sqrt(3 / (size // shape[0]))
        low = -high
    elif name.endswith(".weight"):
        low, high = 0.9, 1.1
    elif name.endswith(".gamma"):
        low, high = 0.5, 1.5
    elif ".flows." in name or name.split(".")[-1] in ("cls_token", "reg_token", "pos_embed", "query"):
        low, high = -0.3, 0.3
    unit = (stream_words(WEIGHT_SEED, fnv1a(name), size) >> np.uint64(8)) / 2**24
    return torch.from_numpy((low + (high - low) * unit).astype(np.float32).astype(np.float64)).reshape(shape)


def latent_noise() -> torch.Tensor:
    unit = (row_words("gene.vae.latent", BATCH, LATENT).reshape(-1, 2) >> np.uint64(8)) / 2**24
    radius, angle = np.sqrt(-2 * np.log(1 - unit[:, 0])), 2 * np.pi * (unit[:, 1] - 0.5)
    return torch.from_numpy((radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)).reshape(BATCH, LATENT))


# ---------------------------------------------------------------- model


class LoraLinear(nn.Linear):
    def adapt(self) -> None:
        self.lora_A = nn.Linear(self.in_features, RANK, bias=False)
        self.lora_B = nn.Linear(RANK, self.out_features, bias=False)
        self.lora_dropout = Dropout(LORA_DROPOUT)

    def rows(self, x: torch.Tensor, begin: int, end: int) -> torch.Tensor:
        """Outputs begin .. end."""
        y = F.linear(x, self.weight[begin:end], self.bias[begin:end])
        if not hasattr(self, "lora_A"):
            return y
        return y + ALPHA / RANK * F.linear(self.lora_A(self.lora_dropout(x)), self.lora_B.weight[begin:end])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.rows(x, 0, self.out_features)


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.proj = LoraLinear(WIDTH, 3 * WIDTH), LoraLinear(WIDTH, WIDTH)

    def forward(self, x: torch.Tensor, first: bool) -> torch.Tensor:
        b = len(x)
        split = lambda t: t.reshape(b, t.shape[1], -1, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)  # noqa: E731
        if first:
            q = split(self.qkv.rows(x[:, :1], 0, WIDTH))[0]
            k, v = split(self.qkv.rows(x, WIDTH, 3 * WIDTH))
        else:
            q, k, v = split(self.qkv(x))
        out = F.scaled_dot_product_attention(q, k, v)
        return self.proj(out.transpose(1, 2).reshape(b, q.shape[2], WIDTH))


class Mlp(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2 = LoraLinear(WIDTH, RATIO * WIDTH), LoraLinear(RATIO * WIDTH, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.attn = nn.LayerNorm(WIDTH, eps=1e-6), Attention()
        self.norm2, self.mlp = nn.LayerNorm(WIDTH, eps=1e-6), Mlp()

    def forward(self, x: torch.Tensor, first: bool) -> torch.Tensor:
        h = (x[:, :1] if first else x) + self.attn(self.norm1(x), first)
        return h + self.mlp(self.norm2(h))


class PatchEmbed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, WIDTH, PATCH, PATCH)


class Seal(nn.Module):
    """Names are the engine's: timm's for the encoder, `gene.` before the gene model's."""

    def __init__(self, activation: str = "relu") -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.pos_embed = nn.Parameter(torch.zeros(1, (IMAGE // PATCH) ** 2 + 1, WIDTH))
        self.patch_embed = PatchEmbed()
        self.blocks = nn.ModuleList(Block() for _ in range(DEPTH))
        self.norm = nn.LayerNorm(WIDTH, eps=1e-6)
        for parameter in self.parameters():
            parameter.requires_grad_(False)
        last = self.blocks[-1]
        for linear in (last.attn.qkv, last.attn.proj, last.mlp.fc1, last.mlp.fc2):
            linear.adapt()
        self.gene = GeneVAE(GENES, LATENT, HIDDEN, dropout=DROPOUT, decoderDropout=DROPOUT)
        self.decoder = ImgEmbDecoder(WIDTH, GENES, dropout=DROPOUT, finalActivation=activation)
        name_draws(self, "")

    def encode(self, images: np.ndarray) -> torch.Tensor:
        pixel = (torch.from_numpy(images).double() / 255 - torch.tensor(MEAN).double()) / torch.tensor(STD).double()
        x = self.patch_embed.proj(pixel.permute(0, 3, 1, 2)).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.pos_embed
        for i, block in enumerate(self.blocks):
            x = block(x, i == DEPTH - 1)
        return self.norm(x)[:, 0]


# ---------------------------------------------------------------- objective and training


def barlow_std_mse(y: torch.Tensor, x: torch.Tensor, std: torch.Tensor) -> torch.Tensor:
    scaled = lambda t: (t - t.mean(0)) / torch.sqrt(t.var(0, unbiased=False) + 1e-9)  # noqa: E731
    c = (scaled(y) * scaled(x)).mean(0)
    return 0.05 * ((c - 1) ** 2).sum() + 5 * (((y - x) / (std.clamp_min(1e-3) + 1e-8)) ** 2).mean()


def pcc_genes(y: torch.Tensor, x: torch.Tensor, std: torch.Tensor) -> torch.Tensor:
    scaled = lambda t: (t - t.mean(0)) / torch.sqrt(t.var(0, unbiased=False) + 1e-9)  # noqa: E731
    return 1 - (scaled(y) * scaled(x)).mean()


def losses(model: Seal, step: int, pearson: bool = False) -> dict[str, torch.Tensor]:
    # Three samples of as many pairs as a batch: a batch is one of them.
    pairs = (np.arange(BATCH) + step * BATCH) % PAIRS
    seal_modules.SEED, seal_modules.STEP = SEED, step
    x, std = torch.from_numpy(expression(pairs)), torch.from_numpy(deviations())
    if pearson:
        x = (x - x.mean(0)).float().double()
    recon = pcc_genes if pearson else barlow_std_mse
    z = model.encode(patches(pairs))
    gene = model.gene(x, "sample", latent_noise())
    y = model.decoder(z)
    logits = F.normalize(z, dim=1) @ F.normalize(gene["z"], dim=1).T / TEMPERATURE
    target = torch.arange(BATCH)
    out = {
        "loss_contrast": (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2,
        "loss_recon_gene": recon(gene["y"], x, std),
        "loss_recon_img": recon(y, x, std),
        "loss_kl_flow": gene["kl_flow"],
    }
    contrast, genes, image = (0.2, 1.0, 2.0) if pearson else (1.0, 0.1, 0.1)
    total = (contrast * out["loss_contrast"] + genes * out["loss_recon_gene"] + image * out["loss_recon_img"] +
             out["loss_kl_flow"] / LATENT)
    return {"loss": total} | out


def rate(role: str, t: int, steps: int) -> float:
    if t < RISE:
        return PEAK[role] * (t + 1) / RISE
    return PEAK[role] * 0.5 * (1 + math.cos(math.pi * (t - RISE) / (steps - RISE)))


def role_of(name: str) -> str:
    return "gene" if name.startswith("gene.") else "head" if name.startswith("decoder.") else "img"


def make(pearson: bool = False) -> tuple[dict, dict[str, torch.Tensor]]:
    model = Seal("none" if pearson else "relu").double().train()
    steps = 30 if pearson else STEPS
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(start(name, p.shape))
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    groups = [
        {
            "params": [p for n, p in trained.items() if role_of(n) == role and
                       (p.ndim > 1 or n[-2:] in (".u", ".w")) == decayed],
            "weight_decay": DECAY if decayed else 0.0,
            "role": role,
        } for role in PEAK for decayed in (True, False)
    ]
    optimizer = torch.optim.AdamW([g for g in groups if g["params"]], lr=0.0)
    mean = AveragedModel(model, avg_fn=get_ema_avg_fn(KEEP)) if pearson else None
    if mean is not None:
        # The first update copies: the running mean starts with the weights before the first step.
        mean.update_parameters(model)
    rows, norms = [], []
    for t in range(steps):
        found = losses(model, t, pearson)
        optimizer.zero_grad(set_to_none=True)
        found["loss"].backward()
        norms.append(nn.utils.clip_grad_norm_(trained.values(), CLIP).item())
        for group in optimizer.param_groups:
            group["lr"] = rate(group["role"], t, steps)
        optimizer.step()
        if mean is not None:
            mean.update_parameters(model)
        rows.append({name: value.item() for name, value in found.items()})
    kept = [n for n in trained if "lora_" in n or n.startswith("gene.flows.")] + ["gene.fc_mu.weight"]
    state = model.state_dict()
    kept += [n for n in state if n.startswith("gene.encoder.") and n.split(".")[-1].startswith("running")]
    if mean is not None:
        averages = mean.module.state_dict()
        state |= {f"ema.{n}": averages[n] for n in trained}
        kept = [n for n in trained if "lora_" in n] + [f"ema.{n}" for n in trained if "lora_" in n]
    record = {
        "made": f"tests/python/seal_train.py, torch {torch.__version__}",
        "sizes": {"genes": GENES, "batch": BATCH, "pairs": PAIRS, "steps": steps},
        "weightSeed": WEIGHT_SEED,
        "gradNorms": norms,
        "losses": {name: [row[name] for row in rows] for name in rows[0]},
    }
    return record, {n: state[n].detach().float().contiguous() for n in kept}


def main() -> int:
    parser = argparse.ArgumentParser(description="Makes src/methods/seal/proof/losses.json and tests/fixtures/seal_train*")
    parser.add_argument("--check", action="store_true", help="compare with the committed files, write nothing")
    parser.add_argument("--pearson", action="store_true", help="that recipe alone")
    options = parser.parse_args()
    torch.set_num_threads(1)
    proof = SOURCES / "methods" / "seal" / "proof" / "losses.json"
    files = {False: (proof, FIXTURES / "seal_train.safetensors"),
             True: (FIXTURES / "losses_pearson.json", FIXTURES / "seal_train_pearson.safetensors")}
    return max(write(pearson, *files[pearson], options.check) for pearson in ([True] if options.pearson else [False, True]))


def write(pearson: bool, json_path: Path, tensor_path: Path, check: bool) -> int:
    record, tensors = make(pearson)
    for name, values in record["losses"].items():
        print(f"{name}: {values[0]:.4f} -> {values[-1]:.4f}")
    print(f"gradient norm {min(record['gradNorms']):.2f} .. {max(record['gradNorms']):.2f}")
    if not check:
        json_path.write_text(json.dumps(record, indent=1) + "\n")
        save_file(tensors, tensor_path, metadata={"made": record["made"]})
        print(json_path.stat().st_size + tensor_path.stat().st_size, "bytes")
        return 0
    old, old_tensors = json.loads(json_path.read_text()), load_file(tensor_path)
    bad = [n for n, v in record["losses"].items() if not np.allclose(v, old["losses"][n], rtol=1e-7, atol=0)]
    bad += [n for n in tensors if not np.allclose(tensors[n], old_tensors[n], rtol=1e-5, atol=1e-7)]
    print("same" if not bad else f"differs: {', '.join(bad)}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
