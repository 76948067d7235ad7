"""A fixture in the BEiT3 layout of MUSK. timm converts it at load, except for the final LayerNorm, renamed here."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import timm
import torch
from timm.models.vision_transformer import checkpoint_filter_fn
from torch import nn

from . import common as c
from . import timm_family as t

NAME, WIDTH, HEADS, DEPTH, PATCH, SIDE = "musk", 32, 2, 2, 8, 4
ARGS = t.sizes(WIDTH, HEADS, DEPTH, PATCH, global_pool="token", num_classes=0, img_size=SIDE * PATCH)


def shapes(width: int, depth: int, hidden: int, patch: int, patches: int, head: int) -> dict[str, list[int]]:
    """Names and shapes of the file, vision and text branch; the text embedding cut to a few rows."""
    out = {
        "beit3.text_embed.weight": [12, width], "beit3.vision_embed.mask_token": [1, 1, width],
        "beit3.vision_embed.cls_token": [1, 1, width], "beit3.vision_embed.proj.weight": [width, 3, patch, patch],
        "beit3.vision_embed.proj.bias": [width], "beit3.encoder.embed_positions.A.weight": [patches + 3, width],
        "beit3.encoder.embed_positions.B.weight": [10, width],
    }
    for i in range(depth):
        layer = f"beit3.encoder.layers.{i}"
        for branch in "AB":
            for part in ("self_attn_layer_norm", "final_layer_norm", "self_attn.inner_attn_ln"):
                out |= {f"{layer}.{part}.{branch}.{kind}": [width] for kind in ("weight", "bias")}
            for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
                out |= {f"{layer}.self_attn.{part}.{branch}.weight": [width, width],
                        f"{layer}.self_attn.{part}.{branch}.bias": [width]}
            ffn = f"{layer}.ffn.{branch}"
            out |= {f"{ffn}.fc1.weight": [hidden, width], f"{ffn}.fc1.bias": [hidden],
                    f"{ffn}.ffn_layernorm.weight": [hidden], f"{ffn}.ffn_layernorm.bias": [hidden],
                    f"{ffn}.fc2.weight": [width, hidden], f"{ffn}.fc2.bias": [width]}
    for branch in "AB":
        out |= {f"beit3.encoder.layer_norm.{branch}.{kind}": [width] for kind in ("weight", "bias")}
    return {**out, "vision_head.weight": [head, width], "language_head.weight": [head, width], "logit_scale": []}


def make(root: Path) -> None:
    state = c.weights(NAME, shapes(WIDTH, DEPTH, 64, PATCH, SIDE * SIDE, WIDTH))
    c.save_weights(root / NAME / "model.safetensors", state)
    loaded = c.read_weights(root / NAME / "model.safetensors")
    model = timm.create_model("beit3_large_patch16_224", **ARGS, mlp_ratio=2)
    converted = checkpoint_filter_fn(dict(loaded), model)
    converted = {k.replace("layer_norm.", "norm.") if k.startswith("layer_norm.") else k: v
                 for k, v in converted.items() if not k.startswith(("vision_head", "language_head", "logit_scale"))}
    model.load_state_dict(converted, strict=True)
    model.eval()
    right = loaded["beit3.encoder.embed_positions.A.weight"][2:]
    assert torch.equal(model.pos_embed[0], right)

    size = SIDE * PATCH
    expected = c.Expected()
    inputs = c.tiles(NAME, size, size)
    expected.inputs("inputs", inputs)
    expected.add("", c.twice(model, t.runner(inputs, c.HALF, "cls")))
    shifted = loaded["beit3.encoder.embed_positions.A.weight"][:-2][None]

    def wrong(change: Callable[[nn.Module], object]) -> float:
        other = copy.deepcopy(model)
        with torch.no_grad():
            change(other)
        z = t.runner(inputs, c.HALF, "cls")(other.double(), torch.float64)["embedding"]
        return c.short(c.distance(z, expected.tensors["embedding"]))

    c.finish(root / NAME, expected, {
        "mimics": "xiangjx/musk", "family": "musk", "reference": "timm beit3 (checkpoint_filter_fn)",
        "weights": "model.safetensors", "dtype": "f32", "sizes": t.describe(model, size, size), "pooling": "cls",
        "first_patch": 1, "dim": WIDTH,
        "preprocess": {"resize": size, "crop": size, "interpolation": "bicubic", "mean": c.HALF[0], "std": c.HALF[1]},
        "cases": {},
        "ignored": ["*.B.*", "beit3.text_embed.weight", "beit3.vision_embed.mask_token", "vision_head.weight",
                    "language_head.weight", "logit_scale"],
        "notes": "BEiT3: LayerNorm before the output projection and inside the MLP, eps 1e-5; rows 0 and 1 of the "
        "position table are unused; every .B tensor belongs to the text branch. No config.json on the hub.",
        "mistakes": {
            "LayerNorm eps 1e-6": wrong(lambda m: [
                setattr(p, "eps", 1e-6) for p in m.modules() if isinstance(p, nn.LayerNorm)]),
            "tanh GELU": wrong(lambda m: [
                setattr(b.mlp, "act", nn.GELU(approximate="tanh")) for b in m.blocks]),
            "no LayerNorm inside the MLP": wrong(lambda m: [setattr(b.mlp, "norm", nn.Identity()) for b in m.blocks]),
            "position rows from 0": wrong(lambda m: m.pos_embed.copy_(shifted)),
        },
    })


def jobs() -> dict[str, Callable[[Path], None]]:
    return {NAME: make}
