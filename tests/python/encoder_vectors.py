"""Makes src/verify/encoder_vectors.json: embeddings of small encoders and of one block at full width, in PyTorch, float64.

`verify` embeds the same images with the same weights on a user's adapter. Weights are a formula of their names, images one of
their number (seal_train.py, src/verify/start.ts, src/verify/formula.ts), so that nothing but the embeddings is stored. The
networks are timm's `VisionTransformer`; CONCH's pooler is written from its published description.

vit-s16    head width 64, GELU, class token
uni2-h     head width 64, SwiGLU of an odd width, eight registers without positions, LayerScale
virchow2   head width 80, SwiGLU, four registers with positions, LayerScale, class token beside the mean of the patches
conch_v1   attentional pooler over all tokens; tiles of 96 px that Pillow brings to 64
vit-b16    one block at full width, 197 tokens: the tiles of large products

    python tests/python/encoder_vectors.py            write the file
    python tests/python/encoder_vectors.py --check    run again, compare with the committed file, write nothing

Needs torch, timm, numpy and Pillow from PyPI; some seconds on a CPU.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
from pathlib import Path

import numpy as np
import timm
import torch
import torch.nn as nn
import torch.nn.functional as F
from PIL import Image
from timm.layers import SwiGLUPacked
from timm.models.vision_transformer import VisionTransformer

from seal_train import WEIGHT_SEED, patches, start

PATH = Path(__file__).resolve().parent.parent.parent / "src" / "verify" / "encoder_vectors.json"
IMAGES = 3
HALF = ([0.5] * 3, [0.5] * 3)
IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
CLIP = ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711])


def vit(width: int, depth: int, heads: int, side: int, patch: int, hidden: int, gated: bool = False, **more) -> VisionTransformer:
    layers = {"mlp_layer": SwiGLUPacked, "act_layer": nn.SiLU} if gated else {}
    return VisionTransformer(
        img_size=side, patch_size=patch, embed_dim=width, depth=depth, num_heads=heads, num_classes=0, global_pool="",
        mlp_ratio=(2 if gated else 1) * hidden / width, **layers, **more,
    )


class Pooler(nn.Module):
    def __init__(self, width: int, context: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Parameter(torch.zeros(1, width))
        self.ln_q, self.ln_k = nn.LayerNorm(width), nn.LayerNorm(context)
        self.to_q, self.to_kv, self.to_out = nn.Linear(width, width), nn.Linear(context, 2 * width), nn.Linear(width, width)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        q = self.to_q(self.ln_q(self.query)).expand(len(tokens), -1, -1)
        k, v = self.to_kv(self.ln_k(tokens)).chunk(2, -1)
        q, k, v = (x.unflatten(-1, (self.heads, -1)).transpose(1, 2) for x in (q, k, v))
        return self.to_out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class Conch(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.trunk = vit(128, 2, 2, 64, 16, 512)
        self.attn_pool_contrast = Pooler(512, 128, 8)
        self.ln_contrast = nn.LayerNorm(512)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.ln_contrast(self.attn_pool_contrast(self.trunk.forward_features(x))[:, 0])


def cls(model: VisionTransformer, x: torch.Tensor) -> torch.Tensor:
    return model.forward_features(x)[:, 0]


def cls_mean(model: VisionTransformer, x: torch.Tensor) -> torch.Tensor:
    y = model.forward_features(x)
    return torch.cat([y[:, 0], y[:, model.num_prefix_tokens:].mean(1)], 1)


# Name of the random encoder; side of the tile; model; preparation; pooling.
ENCODERS = [
    ("random:vit-s16?dim=128&depth=2&heads=2&img=64", 64, lambda: vit(128, 2, 2, 64, 16, 512), HALF, cls),
    (
        "random:uni2-h?dim=128&depth=2&heads=2&img=56", 56,
        lambda: vit(128, 2, 2, 56, 14, 341, True, init_values=1.0, reg_tokens=8, no_embed_class=True), IMAGENET, cls,
    ),
    (
        "random:virchow2?dim=160&depth=2&heads=2&img=56", 56,
        lambda: vit(160, 2, 2, 56, 14, 427, True, init_values=1.0, reg_tokens=4), IMAGENET, cls_mean,
    ),
    ("random:conch_v1?dim=128&depth=2&heads=2&img=64", 96, Conch, CLIP, lambda model, x: model(x)),
    ("random:vit-b16?depth=1", 224, lambda: vit(768, 1, 12, 224, 16, 3072), HALF, cls),
]


def pixels(tile: int, side: int, mean: list[float], std: list[float]) -> torch.Tensor:
    images = patches(np.arange(IMAGES), tile)
    if tile != side:
        images = np.stack([np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)) for image in images])
    x = torch.from_numpy(images).double() / 255
    return ((x - torch.tensor(mean).double()) / torch.tensor(std).double()).permute(0, 3, 1, 2)


def make(name: str, tile: int, build, preparation, pool) -> dict:
    model = build().double().eval()
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            parameter.copy_(start(key, parameter.shape))
    trunk = getattr(model, "trunk", model)
    taps: dict[str, np.ndarray] = {}

    def keep(stage: str, tokens: torch.Tensor) -> None:
        taps[stage] = tokens[0, [0, -1]].detach().numpy()  # first and last token of the first image

    trunk.blocks[0].register_forward_pre_hook(lambda _, given: keep("embed", given[0]))
    for i, block in enumerate(trunk.blocks):
        block.register_forward_hook(lambda _m, _g, y, i=i: keep(f"block_{i:02}", y))
    trunk.norm.register_forward_hook(lambda _m, _g, y: keep("norm", y))
    with torch.inference_mode():
        embedding = pool(model, pixels(tile, trunk.patch_embed.img_size[0], *preparation)).numpy()
    return {"encoder": name, "tile": tile, "embedding": embedding, "taps": taps}


def pack(values: np.ndarray) -> str:
    return base64.b64encode(values.astype("<f4").tobytes()).decode()


def unpack(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<f4")


def main() -> int:
    parser = argparse.ArgumentParser(description="Makes src/verify/encoder_vectors.json")
    parser.add_argument("--check", action="store_true", help="compare with the committed file, write nothing")
    check = parser.parse_args().check
    torch.set_num_threads(1)
    found = [make(*row) for row in ENCODERS]
    for row in found:
        print(row["encoder"], row["embedding"].shape, "distinct", np.abs(np.diff(row["embedding"], axis=0)).mean().round(3))
    if not check:
        record = {
            "made": f"tests/python/encoder_vectors.py, torch {torch.__version__}, timm {timm.__version__}",
            "weightSeed": WEIGHT_SEED,
            "images": IMAGES,
            "encoders": [
                {**row, "embedding": pack(row["embedding"]), "taps": {k: pack(v) for k, v in row["taps"].items()}} for row in found
            ],
        }
        PATH.write_text(json.dumps(record, indent=1) + "\n")
        print(PATH.stat().st_size, "bytes")
        return 0
    old = json.loads(PATH.read_text())["encoders"]
    bad = [
        f"{row['encoder']} {stage}" for row, kept in zip(found, old, strict=True)
        for stage, now, then in [("embedding", row["embedding"], kept["embedding"]), *((k, v, kept["taps"][k]) for k, v in row["taps"].items())]
        if not np.allclose(now.reshape(-1), unpack(then), rtol=1e-5, atol=1e-6)
    ]
    print("same" if not bad else f"differs: {', '.join(bad)}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
