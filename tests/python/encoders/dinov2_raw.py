"""Fixtures in the layout of DINOv2's own code. timm converts them at load, and so gives the expected numbers."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import timm
import torch
import torch.nn.functional as F
from timm.models.vision_transformer import checkpoint_filter_fn
from torch import nn

from . import common as c
from . import timm_family as t
from .hf import offset_rows

FEW = ("tap/patch_embed", "embedding")


def raw_shapes(template: nn.Module, width: int, patches: int) -> dict[str, list[int]]:
    """DINOv2's names for the tensors of a timm model."""
    shapes = {"cls_token": [1, 1, width], "pos_embed": [1, patches + 1, width]}
    if template.num_reg_tokens:
        shapes["register_tokens"] = [1, template.num_reg_tokens, width]
    shapes["mask_token"] = [1, width]
    swiglu = template.blocks[0].mlp.fc1.out_features != template.blocks[0].mlp.fc2.in_features
    for name, x in template.state_dict().items():
        if name in ("cls_token", "reg_token", "pos_embed"):
            continue
        if swiglu:
            name = name.replace("mlp.fc1", "mlp.w12").replace("mlp.fc2", "mlp.w3")
        shapes[name] = list(x.shape)
    return shapes


def antialias_rows(table: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    side = round((table.shape[1] - 1) ** 0.5)
    square = table[:, 1:].float().reshape(1, side, side, -1).permute(0, 3, 1, 2)
    square = F.interpolate(square, size=grid, mode="bicubic", antialias=True, align_corners=False)
    return torch.cat([table[:, :1], square.permute(0, 2, 3, 1).flatten(1, 2)], 1)


def build(arch: str, args: dict, state: c.Tensors, grid: tuple[int, int], rows: torch.Tensor) -> nn.Module:
    """timm's model for one grid from an unwrapped, flat DINOv2 state dict whose position rows are given."""
    size = tuple(n * args["patch_size"] for n in grid)
    model = timm.create_model(arch, num_classes=0, img_size=size, **args)
    converted = checkpoint_filter_fn({**state, "pos_embed": rows}, model)
    model.load_state_dict(converted, strict=True)
    return model.eval()


def make(
    root: Path, name: str, mimics: str, arch: str, args: dict, file: str, side: int, cases: dict,
    rule: tuple[str, Callable], wrap: Callable[[OrderedDict], object], notes: str, ignored: list[str],
) -> None:
    patch = args["patch_size"]
    template = timm.create_model(arch, num_classes=0, img_size=side * patch, **args)
    state = c.weights(name, raw_shapes(template, args["embed_dim"], side * side))
    c.save_weights(root / name / file, wrap(state))
    loaded = unwrap(c.read_weights(root / name / file))
    assert list(loaded) == list(state) and all(torch.equal(loaded[k], state[k]) for k in state)

    model = build(arch, args, loaded, (side, side), loaded["pos_embed"])
    expected = c.Expected()
    images = c.tiles(name, side * patch, side * patch)
    expected.inputs("inputs", images)
    expected.add("", c.twice(model, t.runner(images, c.IMAGENET, "cls")))
    for case, (height, width) in cases.items():
        grid = (height // patch, width // patch)
        other = build(arch, args, loaded, grid, rule[1](loaded["pos_embed"], grid))
        tiles = c.tiles(f"{name}/{case}", height, width)
        expected.inputs(f"{case}/inputs", tiles)
        expected.add(case, c.twice(other, t.runner(tiles, c.IMAGENET, "cls")), FEW)

    c.finish(root / name, expected, {
        "mimics": mimics, "family": "dinov2", "reference": "timm (checkpoint_filter_fn)", "weights": file,
        "dtype": "f32", "sizes": {**t.describe(model, side * patch, side * patch), "positions": "cls+patches"},
        "pooling": "cls", "first_patch": model.num_prefix_tokens, "dim": args["embed_dim"],
        "preprocess": {"resize": side * patch, "crop": side * patch, "interpolation": "bicubic",
                       "mean": c.IMAGENET[0], "std": c.IMAGENET[1]},
        "cases": {k: {"height": h, "width": w, "rule": rule[0]} for k, (h, w) in cases.items()},
        "ignored": ignored, "notes": notes, "mistakes": t.mistakes(model, images, c.IMAGENET, "cls"),
    })


def chunked(state: OrderedDict) -> dict:
    """A training checkpoint: teacher with backbone and heads; blocks in two chunks, their index global."""
    teacher = OrderedDict()
    for name, x in state.items():
        name = re.sub(r"^blocks\.(\d+)\.", lambda m: f"blocks.{int(m[1]) // 2}.{m[1]}.", name)
        teacher[f"backbone.{name}"] = x
    for head in ("dino_head", "ibot_head"):
        for name, shape in {"mlp.0.weight": [16, 32], "mlp.0.bias": [16], "last_layer.weight_v": [24, 16]}.items():
            teacher[f"{head}.{name}"] = c.uniform(f"gpfm/{head}.{name}", shape)
    return {"teacher": teacher, "iteration": 624}


def unwrap(data: dict) -> OrderedDict:
    if "teacher" not in data:
        return data
    flat = OrderedDict()
    for name, x in data["teacher"].items():
        if name.startswith("backbone."):
            flat[re.sub(r"^blocks\.\d+\.(\d+)\.", r"blocks.\1.", name.removeprefix("backbone."))] = x
    return flat


def gpfm(root: Path) -> None:
    make(
        root, "gpfm", "GitHub birkhoffkiki/GPFM release GPFM.pth", "vit_large_patch14_dinov2",
        t.sizes(32, 2, 4, 14), "GPFM.pth", 3, {"larger": (70, 70), "wide": (42, 56)},
        ("bicubic plain with offset 0.1 (I4)", offset_rows), chunked,
        "DINOv2 training checkpoint: teacher.backbone.*, blocks in chunks (blocks.<chunk>.<index>), mask_token, heads "
        "to drop. The file on the hub is a bare state dict under timm's names instead.",
        ["mask_token"],
    )


def dinov2_reg(root: Path) -> None:
    make(
        root, "dinov2_reg", "Meta dinov2_vitg14_reg4_pretrain.pth", "vit_giant_patch14_reg4_dinov2",
        t.sizes(32, 2, 2, 14, mlp_ratio=5.5), "dinov2_vitg14_reg4_pretrain.pth", 4, {"smaller": (28, 28)},
        ("bicubic antialias (I1)", antialias_rows), lambda state: state,
        "register_tokens without positions beside a class position row, SwiGLU as w12 and w3 (hidden 88 of width 32).",
        ["mask_token"],
    )


def jobs() -> dict[str, Callable[[Path], None]]:
    return {"gpfm": gpfm, "dinov2_reg": dinov2_reg}
